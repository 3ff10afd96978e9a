"""A job's life after the claim: submitted, running, ended, and the wishes of people between.

Every change of state is conditional on the state before, so that a repeat after a crash changes
nothing. A job in flight holds a place at its parent; each end gives the place back once, a good
one in `results`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select, update

from shortlist.domain.job_states import Cause
from shortlist.domain.model import (
    IN_FLIGHT,
    JobStatus,
)
from shortlist.errors import Conflict, NotFound
from shortlist.services import assignments, holds, parking
from shortlist.services.assignments import NO_BLAME, Blame
from shortlist.services.journal import EventKind, append, job_changed
from shortlist.services.parking import Failure
from shortlist.store.db import Tx
from shortlist.store.schema import (
    ImageCandidate,
    ImageFile,
    Job,
)


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
class Row:
    """What decides about a job; read it under the tree lock before a change."""

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
            ImageFile.image_path.label("parent_key"),
        )
        .outerjoin(ImageFile, ImageFile.candidate_id == Job.parent_id)
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
        tell(tx, read(tx, job_id), status=JobStatus.PENDING, now=now)
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
    job = read(tx, job_id)
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
    tell(tx, job, status=JobStatus.FAILED, now=now, error=error)


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
    job = read(tx, job_id)
    if job.status not in IN_FLIGHT:
        raise Conflict(f"Job {job_id} has already ended ({job.status}); there is nothing to stop.")
    _end(tx, job, status=JobStatus.CANCELLED, kind=None, error=None, now=now)
    tx.execute(update(Job).where(Job.id == job_id).values(recall=True))
    tell(tx, job, status=JobStatus.CANCELLED, now=now)


def put_first(tx: Tx, job_id: int, *, now: datetime) -> None:
    """Wishes a job before all that waits at its server, whoever put it there; its driver sees to
    it. Which job is chosen next does not change for it. Raises `Conflict` where none waits."""
    job = read(tx, job_id)
    if job.status not in (JobStatus.PENDING, JobStatus.SUBMITTED):
        state = "runs already" if job.status is JobStatus.RUNNING else f"has ended ({job.status})"
        raise Conflict(f"Job {job_id} {state}; only a job that waits can go first.")
    tx.execute(update(Job).where(Job.id == job_id).values(goes_first=True))
    tell(tx, job, status=job.status, now=now)


def recalled(tx: Tx, job_id: int) -> None:
    """Notes that the backend has been told of a cancelled job, or has nothing of it."""
    tx.execute(update(Job).where(Job.id == job_id).values(recall=False))


def read(tx: Tx, job_id: int) -> Row:
    """A job as it stands. Raises `NotFound`."""
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
    return Row(*row)


def _advance(
    tx: Tx, job_id: int, *, before: Sequence[JobStatus], to: JobStatus, now: datetime
) -> None:
    stamp = {"submitted_at": now} if to is JobStatus.SUBMITTED else {"started_at": now}
    changed = tx.execute(
        update(Job).where(Job.id == job_id, Job.status.in_(before)).values(status=to, **stamp)
    ).rowcount
    if changed:
        tell(tx, read(tx, job_id), status=to, now=now)


def _end(
    tx: Tx,
    job: Row,
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


def tell(tx: Tx, job: Row, *, status: JobStatus, now: datetime, error: str | None = None) -> None:
    """Lets the streams know of a job's new state."""
    data = job_changed(job.id, status, job.step_id, job.parent_id, job.backend_id, error=error)
    append(tx, EventKind.JOB_CHANGED, run_id=job.run_id, data=data, now=now)
