"""A job's further attempts, and jobs that are given back because their server is out of reach."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from shortlist.domain.model import IN_FLIGHT, JobStatus
from shortlist.services import graphs, jobs, wording
from shortlist.services.jobs import Flight
from shortlist.services.selection import Claimed
from shortlist.store.db import Tx
from shortlist.store.schema import Job


def claimed(tx: Tx, claim: Claimed, *, backend_id: int) -> Flight:
    """The job just claimed, as its driver needs it."""
    return next(f for f in jobs.flights(tx, backend_id) if f.job_id == claim.job_id)


def renew(tx: Tx, flight: Flight, *, prompt_id: str, now: datetime) -> Flight | None:
    """Puts a lost job up again, its files under a new prefix; null when it has ended meanwhile.

    Raises `Unbuildable` when the step's workflow no longer takes the run's values.
    """
    row = tx.execute(
        select(Job.parent_id, Job.seed, Job.backend_id).where(
            Job.id == flight.job_id, Job.status.in_(IN_FLIGHT)
        )
    ).one_or_none()
    if row is None:
        return None
    workflow = graphs.build(
        tx,
        run_id=flight.run_id,
        step_id=flight.step_id,
        parent_id=row.parent_id,
        words=wording.again(tx, flight.job_id),
        seed=row.seed,
        prompt_id=prompt_id,
        now=now,
    )
    if not jobs.renew(tx, flight.job_id, prompt_id=prompt_id, workflow=workflow, now=now):
        return None
    return next(f for f in jobs.flights(tx, row.backend_id) if f.job_id == flight.job_id)


def give_back(tx: Tx, backend_id: int, *, status: Sequence[JobStatus], now: datetime) -> list[int]:
    """Cancels the jobs in `status` of a server out of reach, so that others can have the work.

    The server is told once it is back; a result it made after all is kept where there is a place.
    """
    tx.lock_tree()
    found = list(
        tx.execute(
            select(Job.id)
            .where(Job.backend_id == backend_id, Job.status.in_(status))
            .order_by(Job.id)
        ).scalars()
    )
    for job_id in found:
        jobs.cancel(tx, job_id, now=now)
    return found
