"""A job's images made candidates, in the transaction that ends the job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from shortlist.domain.model import (
    BIRTH_ELO,
    IN_FLIGHT,
    CandidateStatus,
    GateKind,
    JobStatus,
)
from shortlist.services import assignments, jobs, trials
from shortlist.services.assignments import Took
from shortlist.services.jobs import Row
from shortlist.services.journal import EventKind, append
from shortlist.store.db import Tx
from shortlist.store.schema import (
    ImageCandidate,
    ImageFile,
    Job,
    PipelineRun,
    PipelineRunStep,
    PipelineStep,
)


@dataclass(frozen=True, slots=True)
class NewImage:
    """A stored image that wants to become a candidate. `regions`: boxes as fractions."""

    key: str
    sha256: str
    media_type: str
    width: int
    height: int
    size_bytes: int
    thumbhash: str
    regions: Sequence[Sequence[float]]


def ingest(
    tx: Tx,
    job_id: int,
    *,
    images: Sequence[NewImage],
    now: datetime,
    took: Took | None = None,
) -> list[int]:
    """Makes the job's images candidates, as many as its parent has places for; returns their ids.

    The rest stays with the job. A repeat returns what the first call made. A result that comes
    after its job was cancelled still counts where there is a place: the GPU time is spent.
    """
    tx.lock_tree()
    job = jobs.read(tx, job_id)
    made = _results(tx, job_id)
    if made is not None:
        return made
    birth = _birth(tx, job)
    ids = [
        _insert(tx, job, birth, image=image, index=index, now=now)
        for index, image in enumerate(images[: birth.places])
    ]
    _settle(tx, job, made=len(ids), kept=images[birth.places :], now=now)
    assignments.succeeded(tx, job.backend_id, job.step_id, took=took)
    trials.passed(tx, job.step_id, now=now)
    for id in ids:
        append(tx, EventKind.CANDIDATE_MADE, run_id=job.run_id, data={"candidate": id}, now=now)
    status = JobStatus.SUCCEEDED if job.status in IN_FLIGHT else job.status
    jobs.tell(tx, job, status=status, now=now)
    return ids


@dataclass(frozen=True, slots=True)
class _Birth:
    """What a new candidate of a job is born with; `places`: how many its parent can still take.

    `step_id` is the run's present one, which the job's need not be when its result came late.
    """

    path: str
    step_id: int
    step_order: int
    rejected_ancestors: int
    child_limit: int
    advances: bool
    places: int


def _results(tx: Tx, job_id: int) -> list[int] | None:
    """The candidates a job has made, null when its result has not come yet."""
    made = tx.execute(
        select(ImageFile.candidate_id)
        .where(ImageFile.job_id == job_id)
        .order_by(ImageFile.output_index)
    ).scalars()
    ids = list(made)
    kept = tx.execute(select(Job.kept).where(Job.id == job_id)).scalar_one()
    return ids if ids or kept else None


def _birth(tx: Tx, job: Row) -> _Birth:
    step_id, order, gate, step_limit, run_limit, last = tx.execute(
        select(
            PipelineRunStep.pipeline_step_id,
            PipelineStep.order,
            PipelineStep.gate,
            PipelineStep.max_children,
            PipelineRun.max_children,
            PipelineRun.last_order,
        )
        .join(PipelineRunStep, PipelineRunStep.step_order == PipelineStep.order)
        .join(PipelineRun, PipelineRun.id == PipelineRunStep.pipeline_run_id)
        .where(PipelineStep.id == job.step_id, PipelineRun.id == job.run_id)
    ).one()
    limit = 0 if order == last else step_limit or run_limit
    advances = order == 1 or gate is GateKind.AUTO
    if job.parent_id is None:
        return _Birth("/", step_id, order, 0, limit, advances, places=2**31)
    path, status, rejected, children, reserved, places = tx.execute(
        select(
            ImageCandidate.path,
            ImageCandidate.status,
            ImageCandidate.rejected_ancestors,
            ImageCandidate.child_count,
            ImageCandidate.reserved,
            ImageCandidate.child_limit,
        ).where(ImageCandidate.id == job.parent_id)
    ).one()
    others = reserved - (job.status in IN_FLIGHT)
    return _Birth(
        path=f"{path}{job.parent_id}/",
        step_id=step_id,
        step_order=order,
        rejected_ancestors=rejected + (status is CandidateStatus.REJECTED),
        child_limit=limit,
        advances=advances,
        places=max(0, places - children - others),
    )


def _insert(tx: Tx, job: Row, birth: _Birth, *, image: NewImage, index: int, now: datetime) -> int:
    id = tx.execute(
        insert(ImageCandidate).returning(ImageCandidate.id),
        {
            "pipeline_run_id": job.run_id,
            "pipeline_step_id": birth.step_id,
            "step_order": birth.step_order,
            "parent_id": job.parent_id,
            "path": birth.path,
            "status": CandidateStatus.ACTIVE,
            "rejected_ancestors": birth.rejected_ancestors,
            "buried": birth.rejected_ancestors > 0,
            "elo_score": BIRTH_ELO,
            "vote_count": 0,
            "child_count": 0,
            "reserved": 0,
            "child_limit": birth.child_limit,
            "failures": 0,
            "advances": birth.advances,
        },
    ).scalar_one()
    tx.execute(
        insert(ImageFile),
        {
            "candidate_id": id,
            "image_path": image.key,
            "content_hash": image.sha256,
            "media_type": image.media_type,
            "width": image.width,
            "height": image.height,
            "size_bytes": image.size_bytes,
            "thumbhash": image.thumbhash,
            "regions": [list(box) for box in image.regions],
            "seed": job.seed,
            "job_id": job.id,
            "output_index": index,
            "created_at": now,
        },
    )
    return id


def _settle(tx: Tx, job: Row, *, made: int, kept: Sequence[NewImage], now: datetime) -> None:
    """Turns the reservation into children and ends the job, in whatever state it was."""
    held = job.status in IN_FLIGHT
    if job.parent_id is not None:
        tx.execute(
            update(ImageCandidate)
            .where(ImageCandidate.id == job.parent_id)
            .values(
                child_count=ImageCandidate.child_count + made,
                reserved=ImageCandidate.reserved - int(held),
            )
        )
    values: dict[str, object] = {"kept": [image.key for image in kept], "recall": False}
    if held:
        values |= {"status": JobStatus.SUCCEEDED, "finished_at": now}
    tx.execute(update(Job).where(Job.id == job.id).values(values))
