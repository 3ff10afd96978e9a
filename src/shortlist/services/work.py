"""Jobs as a person sees them: what each was for, why it was chosen, how it went, what it made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, func, select

from shortlist.domain.model import IN_FLIGHT, JobStatus
from shortlist.errors import NotFound
from shortlist.store.db import Tx
from shortlist.store.schema import Backend, ImageFile, Job, PipelineStep

PAGE: Final = 50
MOST: Final = 200
NEWEST: Final = 2_000
"""Jobs that are looked at for what was made lately: more than eight servers make in an hour."""


@dataclass(frozen=True, slots=True)
class BackendName:
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class JobView:
    """One job. `reason` holds the words and numbers of the decision, as stored with it."""

    id: int
    run_id: int
    step_id: int
    step_order: int
    step_name: str
    parent_id: int | None
    status: JobStatus
    prompt_id: str
    attempts: int
    error_kind: str | None
    error: str | None
    seed: int
    reason: dict[str, object]
    goes_first: bool
    created_at: datetime
    submitted_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    backend: BackendName
    candidates: list[int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs to list; null leaves a question open. `before` is a job's id."""

    run_id: int | None = None
    status: JobStatus | None = None
    before: int | None = None
    limit: int = PAGE


def page(tx: Tx, wanted: Wanted) -> list[JobView]:
    """The newest jobs first, at most `MOST`."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.run_id is not None:
        conditions.append(Job.pipeline_run_id == wanted.run_id)
    if wanted.status is not None:
        conditions.append(Job.status == wanted.status)
    if wanted.before is not None:
        conditions.append(Job.id < wanted.before)
    return _views(tx, *conditions, limit=min(wanted.limit, MOST))


def in_flight(tx: Tx, *, run_id: int | None = None) -> list[JobView]:
    """The jobs at work or waiting at a server, newest first."""
    conditions: list[ColumnElement[bool]] = [Job.status.in_(IN_FLIGHT)]
    if run_id is not None:
        conditions.append(Job.pipeline_run_id == run_id)
    return _views(tx, *conditions, limit=MOST)


def made_since(tx: Tx, moment: datetime) -> dict[int, int]:
    """How many jobs each server has ended well since `moment`, of the newest jobs."""
    newest = (
        select(Job.backend_id, Job.status, Job.finished_at)
        .order_by(Job.id.desc())
        .limit(NEWEST)
        .subquery()
    )
    rows = tx.execute(
        select(newest.c.backend_id, func.count())
        .where(newest.c.status == JobStatus.SUCCEEDED, newest.c.finished_at >= moment)
        .group_by(newest.c.backend_id)
    )
    return dict(rows.all())


def view(tx: Tx, job_id: int) -> JobView:
    """One job. Raises `NotFound`."""
    found = _views(tx, Job.id == job_id, limit=1)
    if not found:
        raise NotFound(f"There is no job {job_id}.")
    return found[0]


@dataclass(frozen=True, slots=True)
class Details:
    """What is too long for a list. `workflow` is the exact graph that was sent, as JSON text."""

    prompt: str | None
    negative_prompt: str | None
    error_node: str | None
    error_log: str | None
    workflow: str


def details(tx: Tx, job_id: int) -> Details:
    """The long parts of one job."""
    row = tx.execute(
        select(Job.prompt, Job.negative_prompt, Job.error_node, Job.error_log, Job.workflow).where(
            Job.id == job_id
        )
    ).one()
    return Details(*row)


_FACTS: Final = (
    Job.id,
    Job.pipeline_run_id.label("run_id"),
    Job.pipeline_step_id.label("step_id"),
    PipelineStep.order.label("step_order"),
    PipelineStep.name.label("step_name"),
    Job.parent_id,
    Job.status,
    Job.prompt_id,
    Job.attempts,
    Job.error_kind,
    Job.error,
    Job.seed,
    Job.reason,
    Job.goes_first,
    Job.created_at,
    Job.submitted_at,
    Job.started_at,
    Job.finished_at,
)


def _views(tx: Tx, *conditions: ColumnElement[bool], limit: int) -> list[JobView]:
    rows = tx.execute(
        select(*_FACTS, Job.backend_id, Backend.name.label("backend_name"))
        .join(PipelineStep, PipelineStep.id == Job.pipeline_step_id)
        .join(Backend, Backend.id == Job.backend_id)
        .where(*conditions)
        .order_by(Job.id.desc())
        .limit(limit)
    ).all()
    made = _made(tx, [row.id for row in rows])
    return [
        JobView(
            **{fact.key: row._mapping[fact.key] for fact in _FACTS},
            backend=BackendName(row.backend_id, row.backend_name),
            candidates=made[row.id],
        )
        for row in rows
    ]


def _made(tx: Tx, job_ids: Sequence[int]) -> defaultdict[int, list[int]]:
    made: defaultdict[int, list[int]] = defaultdict(list)
    rows = tx.execute(
        select(ImageFile.job_id, ImageFile.candidate_id)
        .where(ImageFile.job_id.in_(job_ids))
        .order_by(ImageFile.candidate_id)
    )
    for job_id, candidate_id in rows:
        if job_id is not None:
            made[job_id].append(candidate_id)
    return made
