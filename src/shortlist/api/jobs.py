"""Jobs over HTTP: what was rendered, why, how it goes and went, stopping one, putting one first.

A preview is bytes that a server sent: it is decoded and drawn anew before a browser sees it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from shortlist.api.deps import LARGEST_ID, IdInPath, IdInQuery, InRooms, Now
from shortlist.api.edge import StrictRoute
from shortlist.api.models import Job, JobSummary
from shortlist.domain.model import JobStatus
from shortlist.errors import NotFound
from shortlist.images.model import ImageFault, MediaType, Tier
from shortlist.services import jobs, work
from shortlist.store.db import Tx

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=StrictRoute)

_PREVIEW_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}
_PREVIEW_ANSWERS: Final[dict[int | str, dict[str, object]]] = {
    200: {"content": {MediaType.WEBP.value: {}}, "description": "The picture"},
}


@router.get("", operation_id="list_jobs")
def list_jobs(
    rooms: InRooms,
    run: IdInQuery = None,
    status: JobStatus | None = None,
    before: IdInQuery = None,
    limit: Annotated[int, Query(ge=1, le=work.MOST)] = work.PAGE,
) -> list[JobSummary]:
    """Jobs, newest first; `before` is the last id of the page before."""
    wanted = work.Wanted(run_id=run, status=status, before=before, limit=limit)
    with rooms.database.snapshot() as tx:
        return [JobSummary.model_validate(view) for view in work.page(tx, wanted)]


@router.get("/{job_id}", operation_id="get_job")
def get_job(job_id: IdInPath, rooms: InRooms) -> Job:
    """One job with the exact workflow that was sent."""
    with rooms.database.snapshot() as tx:
        summary = JobSummary.model_validate(work.view(tx, job_id))
        details = asdict(work.details(tx, job_id))
        return Job(
            **summary.model_dump(), **details | {"workflow": json.loads(details["workflow"])}
        )


@router.get(
    "/{job_id}/preview",
    operation_id="get_preview",
    response_class=Response,
    responses=_PREVIEW_ANSWERS,
)
async def get_preview(
    job_id: IdInPath,
    rooms: InRooms,
    number: Annotated[int | None, Query(ge=0, le=LARGEST_ID)] = None,
) -> Response:
    """The newest picture on the way of a job that runs, as WebP. `number`, as `progress` events
    tell it, gives each picture an address of its own; an older one is not kept."""
    tick = rooms.progress.latest(job_id)
    if tick is None or tick.preview is None:
        raise NotFound(f"Job {job_id} shows no picture on its way now.")
    try:
        rendered = await rooms.renderer.render(tick.preview.data)
    except ImageFault as fault:
        raise NotFound(f"The preview of job {job_id} can't be shown. {fault.sentence}") from fault
    data = rendered.tiers[Tier.LARGE]
    return Response(data, headers=_PREVIEW_HEADERS, media_type=MediaType.WEBP.value)


@router.post("/{job_id}/cancel", operation_id="cancel_job")
def cancel_job(job_id: IdInPath, rooms: InRooms, now: Now) -> JobSummary:
    """Stops a job in flight, here and at its server."""

    def cancel(tx: Tx) -> JobSummary:
        jobs.cancel(tx, job_id, now=now)
        return JobSummary.model_validate(work.view(tx, job_id))

    return rooms.database.run(cancel)


@router.post("/{job_id}/first", operation_id="put_job_first")
def put_job_first(job_id: IdInPath, rooms: InRooms, now: Now) -> JobSummary:
    """Puts a job that waits at its server before all others that wait there."""

    def put(tx: Tx) -> JobSummary:
        jobs.put_first(tx, job_id, now=now)
        return JobSummary.model_validate(work.view(tx, job_id))

    return rooms.database.run(put)
