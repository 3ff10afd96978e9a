"""A simulator for the driver's tests, and what one may know of it and of the hub's tables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import func, select

from shortlist.domain.model import Health, JobStatus
from shortlist.services import backends
from shortlist.services.backends import BackendView
from shortlist.simulator.options import Fault, SimulatorOptions, Version
from shortlist.simulator.server import Running, running
from shortlist.store.db import Tx
from shortlist.store.schema import ImageCandidate, Job


@asynccontextmanager
async def simulated(
    folder: Path,
    *faults: Fault,
    seconds: float = 0.02,
    version: Version = Version.OLD,
    port: int = 0,
) -> AsyncIterator[Running]:
    """A simulator whose files are below `folder`; `port` of an earlier one makes a restart."""
    options = SimulatorOptions(
        folder=folder / "comfyui", faults=faults, seconds_per_image=seconds, version=version
    )
    async with running(options, port=port) as server:
        yield server


def port_of(server: Running) -> int:
    return int(server.url.rpartition(":")[2])


def renders(folder: Path) -> int:
    """Images the server has saved: each save has a name of its own, so this counts renders."""
    return len(list((folder / "comfyui" / "output").rglob("*.png")))


def images(tx: Tx, *, step: int | None = None) -> int:
    query = select(func.count()).select_from(ImageCandidate)
    if step is not None:
        query = query.where(ImageCandidate.step_order == step)
    return tx.execute(query).scalar_one()


def statuses(tx: Tx) -> list[JobStatus]:
    """Of all jobs, oldest first."""
    return list(tx.execute(select(Job.status).order_by(Job.id)).scalars())


def count(tx: Tx, status: JobStatus) -> int:
    return statuses(tx).count(status)


def errors(tx: Tx) -> list[tuple[str | None, str | None]]:
    """Kind and words of the jobs that failed, oldest first."""
    rows = tx.execute(
        select(Job.error_kind, Job.error).where(Job.status == JobStatus.FAILED).order_by(Job.id)
    )
    return [(kind, words) for kind, words in rows]


def attempts(tx: Tx) -> list[int]:
    return list(tx.execute(select(Job.attempts).order_by(Job.id)).scalars())


def the_backend(tx: Tx) -> BackendView:
    (backend,) = backends.views(tx)
    return backend


def is_health(tx: Tx, health: Health) -> bool:
    return the_backend(tx).health is health


def settled(tx: Tx) -> bool:
    """Nothing is in flight and the server has been told of all that was cancelled."""
    flying = tx.execute(
        select(func.count())
        .select_from(Job)
        .where(
            Job.status.in_((JobStatus.PENDING, JobStatus.SUBMITTED, JobStatus.RUNNING)) | Job.recall
        )
    ).scalar_one()
    return flying == 0
