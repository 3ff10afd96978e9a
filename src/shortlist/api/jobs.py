"""Jobs over HTTP: what was rendered, why, how it went, and stopping one."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from shortlist.api.deps import IdInPath, IdInQuery, InRooms, Now
from shortlist.api.edge import StrictRoute
from shortlist.api.models import Job, JobSummary
from shortlist.domain.model import JobStatus
from shortlist.services import jobs, work
from shortlist.store.db import Tx

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=StrictRoute)


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


@router.post("/{job_id}/cancel", operation_id="cancel_job")
def cancel_job(job_id: IdInPath, rooms: InRooms, now: Now) -> JobSummary:
    """Stops a job in flight, here and at its server."""

    def cancel(tx: Tx) -> JobSummary:
        jobs.cancel(tx, job_id, now=now)
        return JobSummary.model_validate(work.view(tx, job_id))

    return rooms.database.run(cancel)
