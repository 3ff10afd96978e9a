"""A job's life after the claim: submitted, running, ended; and its result made a candidate.

Every change of state is conditional on the state before, so that a repeat after a crash changes
nothing. A job in flight holds a place at its parent; each end gives the place back once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, insert, select, update

from shortlist.domain.job_states import Cause
from shortlist.domain.model import (
    BIRTH_ELO,
    IN_FLIGHT,
    CandidateStatus,
    GateKind,
    JobStatus,
)
from shortlist.errors import Conflict, NotFound
from shortlist.services import assignments, holds, parking, trials
from shortlist.services.assignments import NO_BLAME, Blame, Took
from shortlist.services.journal import EventKind, append
from shortlist.services.parking import Failure
from shortlist.store.db import Tx
from shortlist.store.schema import (
    ImageCandidate,
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


@dataclass(frozen=True, slots=True)
class Flight:
    """A job as its driver needs it. `parent_key` is the parent's original in the image store."""

    job_id: int
    run_id: int
    step_id: int
    prompt_id: str
    status: JobStatus
    recall: bool
    attempts: int
    goes_first: bool
    workflow: str
    parent_key: str | None


@dataclass(frozen=True, slots=True)
class _Row:
    """A job as the functions below need it, read under the tree lock."""

    id: int
    run_id: int
    step_id: int
    parent_id: int | None
    backend_id: int
    status: JobStatus
    seed: int


def flights(tx: Tx, backend_id: int) -> list[Flight]:
    """What `backend_id` is doing or must be told to stop, oldest first."""
    rows = tx.execute(
        select(
            Job.id.label("job_id"),
            Job.pipeline_run_id.label("run_id"),
            Job.pipeline_step_id.label("step_id"),
            Job.prompt_id,
            Job.status,
            Job.recall,
            Job.attempts,
            Job.goes_first,
            Job.workflow,
            ImageCandidate.image_path.label("parent_key"),
        )
        .outerjoin(ImageCandidate, ImageCandidate.id == Job.parent_id)
        .where(Job.backend_id == backend_id, Job.status.in_(IN_FLIGHT) | Job.recall)
        .order_by(Job.id)
    )
    return [Flight(**row._mapping) for row in rows]


def submitted(tx: Tx, job_id: int, *, now: datetime) -> None:
    """Notes that the backend has accepted the job; nothing when it went on or ended meanwhile."""
    _advance(tx, job_id, before=(JobStatus.PENDING,), to=JobStatus.SUBMITTED, now=now)


def running(tx: Tx, job_id: int, *, now: datetime) -> None:
    """Notes that the backend is at work on the job."""
    before = (JobStatus.PENDING, JobStatus.SUBMITTED)
    _advance(tx, job_id, before=before, to=JobStatus.RUNNING, now=now)


def renew(tx: Tx, job_id: int, *, prompt_id: str, workflow: str, now: datetime) -> bool:
    """Puts a lost job up for another attempt under a new `prompt_id`; false when it has ended."""
    changed = tx.execute(
        update(Job)
        .where(Job.id == job_id, Job.status.in_(IN_FLIGHT))
        .values(
            prompt_id=prompt_id,
            workflow=workflow,
            attempts=Job.attempts + 1,
            status=JobStatus.PENDING,
            submitted_at=None,
            started_at=None,
        )
    ).rowcount
    if changed:
        _tell(tx, _row(tx, job_id), status=JobStatus.PENDING, now=now)
    return bool(changed)


def fail(
    tx: Tx, job_id: int, *, kind: Cause, error: str, now: datetime, blame: Blame = NO_BLAME
) -> None:
    """Ends the job as failed and counts the failure against its parent or its run's base step.

    A refused workflow is no fault of the parent: instead its step is held for that run until a
    person has looked, because every other parent would be refused alike; or kept from that server
    alone, where only the server lacks something and there is another one.
    """
    tx.lock_tree()
    job = _row(tx, job_id)
    if job.status not in IN_FLIGHT:
        return
    _end(tx, job, status=JobStatus.FAILED, kind=kind, error=error, now=now)
    told = {"error_node": blame.node, "error_log": blame.log}
    tx.execute(update(Job).where(Job.id == job_id).values(told))
    backend, step = job.backend_id, job.step_id
    assignments.failed(tx, backend, step, kind=kind, rest=blame.rest, now=now)
    if kind is Cause.REFUSED:
        if blame.lacking and assignments.is_open_elsewhere(tx, backend, step):
            assignments.lacks(tx, backend, step, sentence=error, now=now)
        else:
            holds.hold(tx, job.run_id, step, reason=error, now=now)
    else:
        parking.count(tx, Failure(job.run_id, step, job.parent_id, backend, kind))
    _tell(tx, job, status=JobStatus.FAILED, now=now, error=error)


def take_back(tx: Tx, *which: ColumnElement[bool], now: datetime) -> int:
    """Cancels what is queued or running of `which`, and gives their number; the servers are told
    by their drivers."""
    flying = tx.execute(select(Job.id).where(Job.status.in_(IN_FLIGHT), *which).order_by(Job.id))
    ids = flying.scalars().all()
    for job_id in ids:
        cancel(tx, job_id, now=now)
    return len(ids)


def cancel(tx: Tx, job_id: int, *, now: datetime) -> None:
    """Ends a job in flight at a person's wish; its driver then takes it back from the backend."""
    tx.lock_tree()
    job = _row(tx, job_id)
    if job.status not in IN_FLIGHT:
        raise Conflict(f"Job {job_id} has already ended ({job.status}); there is nothing to stop.")
    _end(tx, job, status=JobStatus.CANCELLED, kind=None, error=None, now=now)
    tx.execute(update(Job).where(Job.id == job_id).values(recall=True))
    _tell(tx, job, status=JobStatus.CANCELLED, now=now)


def recalled(tx: Tx, job_id: int) -> None:
    """Notes that the backend has been told of a cancelled job, or has nothing of it."""
    tx.execute(update(Job).where(Job.id == job_id).values(recall=False))


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
    job = _row(tx, job_id)
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
    _tell(tx, job, status=status, now=now)
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
        select(ImageCandidate.id)
        .where(ImageCandidate.job_id == job_id)
        .order_by(ImageCandidate.output_index)
    ).scalars()
    ids = list(made)
    kept = tx.execute(select(Job.kept).where(Job.id == job_id)).scalar_one()
    return ids if ids or kept else None


def _row(tx: Tx, job_id: int) -> _Row:
    row = tx.execute(
        select(
            Job.id,
            Job.pipeline_run_id,
            Job.pipeline_step_id,
            Job.parent_id,
            Job.backend_id,
            Job.status,
            Job.seed,
        ).where(Job.id == job_id)
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    return _Row(*row)


def _advance(
    tx: Tx, job_id: int, *, before: Sequence[JobStatus], to: JobStatus, now: datetime
) -> None:
    stamp = {"submitted_at": now} if to is JobStatus.SUBMITTED else {"started_at": now}
    changed = tx.execute(
        update(Job).where(Job.id == job_id, Job.status.in_(before)).values(status=to, **stamp)
    ).rowcount
    if changed:
        _tell(tx, _row(tx, job_id), status=to, now=now)


def _end(
    tx: Tx,
    job: _Row,
    *,
    status: JobStatus,
    kind: Cause | None,
    error: str | None,
    now: datetime,
) -> None:
    tx.execute(
        update(Job)
        .where(Job.id == job.id)
        .values(status=status, error_kind=kind, error=error, finished_at=now)
    )
    if job.parent_id is not None:
        tx.execute(
            update(ImageCandidate)
            .where(ImageCandidate.id == job.parent_id)
            .values(reserved=ImageCandidate.reserved - 1)
        )


def _birth(tx: Tx, job: _Row) -> _Birth:
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


def _insert(tx: Tx, job: _Row, birth: _Birth, *, image: NewImage, index: int, now: datetime) -> int:
    return tx.execute(
        insert(ImageCandidate).returning(ImageCandidate.id),
        {
            "pipeline_run_id": job.run_id,
            "pipeline_step_id": birth.step_id,
            "step_order": birth.step_order,
            "parent_id": job.parent_id,
            "path": birth.path,
            "status": CandidateStatus.ACTIVE,
            "rejected_ancestors": birth.rejected_ancestors,
            "elo_score": BIRTH_ELO,
            "vote_count": 0,
            "child_count": 0,
            "reserved": 0,
            "child_limit": birth.child_limit,
            "failures": 0,
            "advances": birth.advances,
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
    ).scalar_one()


def _settle(tx: Tx, job: _Row, *, made: int, kept: Sequence[NewImage], now: datetime) -> None:
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


def _tell(tx: Tx, job: _Row, *, status: JobStatus, now: datetime, error: str | None = None) -> None:
    data: dict[str, object] = {
        "job": job.id,
        "status": status.value,
        "step_id": job.step_id,
        "parent_id": job.parent_id,
        "backend_id": job.backend_id,
        "error": error,
    }
    append(tx, EventKind.JOB_CHANGED, run_id=job.run_id, data=data, now=now)
