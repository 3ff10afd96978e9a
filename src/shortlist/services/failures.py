"""Failed jobs as a person reads them: grouped by kind, step and server; and retried by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Select, func, select, text, update

from shortlist.domain.job_states import Cause
from shortlist.domain.model import PARK_AFTER_FAILURES
from shortlist.errors import NotFound
from shortlist.services import assignments
from shortlist.services.journal import EventKind, append
from shortlist.store.conditions import OPEN_FAILURE
from shortlist.store.db import Tx
from shortlist.store.schema import (
    Backend,
    ImageCandidate,
    Job,
    Pipeline,
    PipelineRun,
    PipelineRunStep,
    PipelineStep,
)

MOST_GROUPS: Final = 100
GONE: Final = "There are no such failures; somebody has retried them already."


@dataclass(frozen=True, slots=True)
class Key:
    """What the failures of a group have in common."""

    kind: Cause
    step_id: int
    backend_id: int


@dataclass(frozen=True, slots=True)
class Group:
    """Failures that no person has dealt with, told by the newest of them.

    `parked`: images that wait for a person because of failures at this step. `held`: why nothing
    more of it is tried, null where it is.
    """

    kind: Cause
    step_id: int
    step_name: str
    step_order: int
    pipeline_id: int
    pipeline_name: str
    pipeline_version: int
    backend_id: int
    backend_name: str
    count: int
    first_at: datetime | None
    last_at: datetime | None
    job_id: int
    run_ids: tuple[int, ...]
    node: str | None
    sentence: str
    log: str | None
    parked: int
    held: str | None


@dataclass(frozen=True, slots=True)
class Retried:
    """What a retry by hand let go on."""

    failures: int
    images: int
    runs: int


def groups(tx: Tx) -> list[Group]:
    """The newest group first."""
    rows = tx.execute(
        select(
            Job.error_kind.label("kind"),
            Job.pipeline_step_id.label("step_id"),
            Job.backend_id,
            func.count().label("failures"),
            func.min(Job.finished_at).label("first_at"),
            func.max(Job.finished_at).label("last_at"),
            func.max(Job.id).label("job_id"),
        )
        .where(_OPEN)
        .group_by(Job.error_kind, Job.pipeline_step_id, Job.backend_id)
        .order_by(func.max(Job.id).desc())
        .limit(MOST_GROUPS)
    ).all()
    samples = _samples(tx, [row.job_id for row in rows])
    held = {
        (each.backend_id, each.step_id): each.held_reason or each.lacks
        for each in assignments.views(tx)
    }
    found = []
    for row in rows:
        key = Key(Cause(row.kind), row.step_id, row.backend_id)
        sample = samples[row.job_id]
        found.append(
            Group(
                kind=key.kind,
                step_id=key.step_id,
                step_name=sample.step_name,
                step_order=sample.step_order,
                pipeline_id=sample.pipeline_id,
                pipeline_name=sample.pipeline_name,
                pipeline_version=sample.pipeline_version,
                backend_id=key.backend_id,
                backend_name=sample.backend_name,
                count=row.failures,
                first_at=row.first_at,
                last_at=row.last_at,
                job_id=row.job_id,
                run_ids=tuple(sorted(runs(tx, key))),
                node=sample.node,
                sentence=sample.sentence or "",
                log=sample.log,
                parked=_parked(tx, key),
                held=held.get((key.backend_id, key.step_id)) or _held_runs(tx, key),
            )
        )
    return found


def waiting(tx: Tx) -> int:
    """How many groups there are."""
    kinds = select(Job.error_kind, Job.pipeline_step_id, Job.backend_id).where(_OPEN).distinct()
    return tx.execute(select(func.count()).select_from(kinds.subquery())).scalar_one()


def retry(tx: Tx, key: Key, *, now: datetime) -> Retried:
    """Deals with all failures of a group: its images and base steps are tried again, with new
    seeds, and what held the step because of them lets it go. Raises `NotFound` where there is none.
    """
    tx.lock_tree()
    found = runs(tx, key)
    images = tx.execute(
        update(ImageCandidate)
        .where(ImageCandidate.id.in_(_parents(key)), ImageCandidate.failures > 0)
        .values(failures=0)
    ).rowcount
    count = tx.execute(update(Job).where(_OPEN, *_of(key)).values(settled_at=now)).rowcount
    if not count:
        raise NotFound(GONE)
    first = tx.execute(
        select(PipelineStep.order).where(PipelineStep.id == key.step_id)
    ).scalar_one()
    if first == 1:
        tx.execute(update(PipelineRun).where(PipelineRun.id.in_(found)).values(base_failures=0))
    if key.kind is Cause.REFUSED:
        tx.execute(
            update(PipelineRunStep)
            .where(
                PipelineRunStep.pipeline_run_id.in_(found),
                PipelineRunStep.pipeline_step_id == key.step_id,
            )
            .values(held_reason=None)
        )
    assignments.release(tx, key.backend_id, key.step_id, now=now)
    for run_id in sorted(found):
        append(tx, EventKind.RUN_CHANGED, run_id=run_id, data={}, now=now)
    return Retried(failures=count, images=images, runs=len(found))


def runs(tx: Tx, key: Key) -> set[int]:
    """The runs that the failures of a group belong to."""
    return set(tx.execute(select(Job.pipeline_run_id).where(_OPEN, *_of(key)).distinct()).scalars())


def settle(tx: Tx, *conditions: ColumnElement[bool], now: datetime) -> int:
    """Deals with the failures that a person has retried in another way; gives their number."""
    return tx.execute(update(Job).where(_OPEN, *conditions).values(settled_at=now)).rowcount


_OPEN: Final = text(OPEN_FAILURE)


@dataclass(frozen=True, slots=True)
class _Sample:
    step_name: str
    step_order: int
    pipeline_id: int
    pipeline_name: str
    pipeline_version: int
    backend_name: str
    node: str | None
    sentence: str | None
    log: str | None


_TOLD: Final = tuple(_Sample.__slots__)


def _samples(tx: Tx, job_ids: Sequence[int]) -> dict[int, _Sample]:
    rows = tx.execute(
        select(
            Job.id.label("job"),
            PipelineStep.name.label("step_name"),
            PipelineStep.order.label("step_order"),
            Pipeline.id.label("pipeline_id"),
            Pipeline.name.label("pipeline_name"),
            Pipeline.version.label("pipeline_version"),
            Backend.name.label("backend_name"),
            Job.error_node.label("node"),
            Job.error.label("sentence"),
            Job.error_log.label("log"),
        )
        .join(PipelineStep, PipelineStep.id == Job.pipeline_step_id)
        .join(Pipeline, Pipeline.id == PipelineStep.pipeline_id)
        .join(Backend, Backend.id == Job.backend_id)
        .where(Job.id.in_(job_ids))
    )
    return {row.job: _Sample(**{name: row._mapping[name] for name in _TOLD}) for row in rows}


def _of(key: Key) -> tuple[ColumnElement[bool], ...]:
    return (
        Job.error_kind == key.kind,
        Job.pipeline_step_id == key.step_id,
        Job.backend_id == key.backend_id,
    )


def _parents(key: Key) -> Select[int | None]:
    return select(Job.parent_id).where(_OPEN, *_of(key), Job.parent_id.is_not(None))


def _parked(tx: Tx, key: Key) -> int:
    failed_often = ImageCandidate.failures >= PARK_AFTER_FAILURES
    return tx.execute(
        select(func.count())
        .select_from(ImageCandidate)
        .where(ImageCandidate.id.in_(_parents(key)), failed_often)
    ).scalar_one()


def _held_runs(tx: Tx, key: Key) -> str | None:
    """Why the step is held in a run of these failures."""
    runs = select(Job.pipeline_run_id).where(_OPEN, *_of(key))
    return tx.execute(
        select(PipelineRunStep.held_reason)
        .where(
            PipelineRunStep.pipeline_step_id == key.step_id,
            PipelineRunStep.pipeline_run_id.in_(runs),
            PipelineRunStep.held_reason.is_not(None),
        )
        .limit(1)
    ).scalar()
