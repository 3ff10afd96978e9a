"""A run as a person sees it: its columns in numbers, what is happening in it and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Integer, case, cast, func, select

from shortlist.domain import gates
from shortlist.domain.model import (
    IN_FLIGHT,
    PARK_AFTER_FAILURES,
    CandidateStatus,
    GateKind,
    GateState,
    RunStatus,
)
from shortlist.errors import NotFound
from shortlist.store.db import Tx
from shortlist.store.schema import (
    GateDecision,
    ImageCandidate,
    Job,
    Pipeline,
    PipelineRun,
    PipelineRunStep,
    PipelineStep,
)


@dataclass(frozen=True, slots=True)
class ColumnView:
    """One step of one run in numbers. `made` counts every image, `live` those still in play.

    `ready`: jobs of this step that can begin without a person; base images of a run without gates,
    which are begun when nothing else is left to do, are not counted.
    """

    step_id: int
    step_order: int
    name: str
    made: int
    live: int
    rejected: int
    advancing: int
    open_parents: int
    parked: int
    in_flight: int
    ready: int
    state: GateState
    gate: GateKind
    provisional: bool
    assumed: str | None
    held_reason: str | None
    top_k: int | None
    per_base: int | None


@dataclass(frozen=True, slots=True)
class RunView:
    """A run and its columns, in step order. `finished`: live images of the last step."""

    id: int
    name: str
    prompt: str
    negative_prompt: str
    parameters: dict[str, object]
    max_children: int
    target_leaves: int
    base_count: int
    policy: str
    rating: str
    priority: int
    status: RunStatus
    gated: bool
    base_failures: int
    waiting: gates.Waiting
    created_at: datetime
    pipeline_id: int
    pipeline_name: str
    pipeline_version: int
    columns: tuple[ColumnView, ...]

    @property
    def finished(self) -> int:
        return self.columns[-1].live


def view(tx: Tx, run_id: int) -> RunView:
    """One run with its columns. Raises `NotFound`."""
    found = views(tx, only=run_id)
    if not found:
        raise NotFound(f"There is no run {run_id}.")
    return found[0]


def views(tx: Tx, *, only: int | None = None, status: RunStatus | None = None) -> list[RunView]:
    """Runs with their columns, highest priority first, then oldest."""
    wanted = select(PipelineRun.id)
    if only is not None:
        wanted = wanted.where(PipelineRun.id == only)
    if status is not None:
        wanted = wanted.where(PipelineRun.status == status)
    columns = _columns(tx, tx.execute(wanted).scalars().all())
    rows = tx.execute(
        select(
            *(getattr(PipelineRun, name) for name in _RUN_FIELDS),
            PipelineRun.wait_minutes,
            PipelineRun.night_from,
            PipelineRun.night_until,
            PipelineRun.time_zone,
            Pipeline.id.label("pipeline_id"),
            Pipeline.name.label("pipeline_name"),
            Pipeline.version.label("pipeline_version"),
        )
        .join(Pipeline, Pipeline.id == PipelineRun.pipeline_id)
        .where(PipelineRun.id.in_(list(columns)))
        .order_by(PipelineRun.priority.desc(), PipelineRun.id)
    )
    return [
        RunView(
            **{name: row._mapping[name] for name in (*_RUN_FIELDS, *_PIPELINE_FIELDS)},
            waiting=gates.Waiting(row.wait_minutes, row.night_from, row.night_until, row.time_zone),
            columns=columns[row.id],
        )
        for row in rows
    ]


_RUN_FIELDS: Final = (
    "id",
    "name",
    "prompt",
    "negative_prompt",
    "parameters",
    "max_children",
    "target_leaves",
    "base_count",
    "policy",
    "rating",
    "priority",
    "status",
    "gated",
    "base_failures",
    "created_at",
)

_PIPELINE_FIELDS: Final = ("pipeline_id", "pipeline_name", "pipeline_version")


def why(run: RunView) -> str:
    """What is happening in `run`, or why nothing is, in one sentence."""
    if run.status is RunStatus.PAUSED:
        return "The run is paused; resume it to make more images."
    if run.status is RunStatus.ARCHIVED:
        return "The run is archived."
    if run.status is RunStatus.COMPLETED:
        return f"The run is complete: {_count(run.finished, 'finished image')}."
    working = sum(column.in_flight for column in run.columns)
    if working:
        return f"{_count(working, 'image')} being made."
    return _waiting(run)


def wants(run: RunView) -> str | None:
    """What a run without work waits for a person to do; null when it has all it needs."""
    return _stopped(run) or _asks(run)


def _waiting(run: RunView) -> str:
    if stopped := _stopped(run):
        return stopped
    if _has_work(run):
        return "Waiting for a server; Live tells what each of them does."
    return _asks(run) or f"The target is reached: {_count(run.finished, 'finished image')}."


def _stopped(run: RunView) -> str | None:
    for column in run.columns:
        if column.held_reason:
            return f"{column.name} is held: {column.held_reason}"
    if run.base_failures >= PARK_AFTER_FAILURES:
        return f"{run.columns[0].name} failed {run.base_failures} times; look and retry it."
    return None


def _asks(run: RunView) -> str | None:
    awaiting = [c.name for c in run.columns if c.state is GateState.AWAITING and c.made]
    if awaiting:
        return f"{awaiting[-1]} waits for your approval."
    parked = sum(column.parked for column in run.columns)
    if parked:
        return f"{_count(parked, 'image')} parked after failed jobs; look and retry."
    return None


def _has_work(run: RunView) -> bool:
    """Whether the next free server would get a job of this run, were it the only one."""
    if any(column.open_parents for column in run.columns[:-1]):
        return True
    if run.gated:
        return run.columns[0].live < run.base_count
    return run.finished < run.target_leaves


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _columns(tx: Tx, run_ids: Sequence[int]) -> dict[int, tuple[ColumnView, ...]]:
    counted = {(row.run, row.step_order): row for row in _image_counts(tx, run_ids)}
    flying = _flying(tx, run_ids)
    rows = tx.execute(
        select(
            PipelineRunStep.pipeline_run_id,
            PipelineRunStep.pipeline_step_id,
            PipelineRunStep.step_order,
            PipelineRunStep.approved,
            PipelineRunStep.provisional,
            PipelineRunStep.assumed,
            PipelineRunStep.held_reason,
            PipelineRunStep.top_k_count,
            PipelineRunStep.per_base,
            PipelineStep.name,
            PipelineStep.gate,
        )
        .join(PipelineStep, PipelineStep.id == PipelineRunStep.pipeline_step_id)
        .where(PipelineRunStep.pipeline_run_id.in_(run_ids))
        .order_by(PipelineRunStep.pipeline_run_id, PipelineRunStep.step_order)
    ).all()
    approved = {(row.pipeline_run_id, row.step_order): row.approved for row in rows}
    lacking = _lacking_bases(tx, run_ids, counted)
    held = _held_decisions(tx, run_ids)
    kinds: dict[int, list[GateKind]] = {id: [] for id in run_ids}
    for row in rows:
        kinds[row.pipeline_run_id].append(row.gate)
    steps = {(row.pipeline_run_id, row.step_order): row.pipeline_step_id for row in rows}
    columns: dict[int, list[ColumnView]] = {id: [] for id in run_ids}
    for row in rows:
        run, order = row.pipeline_run_id, row.step_order
        counts = counted.get((run, order), _NOTHING)
        in_flight = flying.get((run, row.pipeline_step_id), 0)
        room, bases = counted.get((run, order - 1), _NOTHING).room, lacking.get(run, 0)
        source = gates.source_order(kinds[run], order)
        ways = range(source, order)
        state = gates.state(
            gates.Column(
                approved=row.approved,
                approved_before=approved.get((run, order - 1), True)
                # A decision that is still held lets nothing through: a fresh step waits for it.
                and (counts.made > 0 or (run, order - 1) not in held),
                open_parents=sum(counted.get((run, way), _NOTHING).open_parents for way in ways),
                lacking_bases=bases if source == 1 else 0,
                in_flight=sum(flying.get((run, steps[run, way + 1]), 0) for way in ways),
            )
        )
        columns[run].append(
            ColumnView(
                step_id=row.pipeline_step_id,
                step_order=order,
                name=row.name,
                made=counts.made,
                live=counts.live,
                rejected=counts.rejected,
                advancing=counts.advancing,
                open_parents=counts.open_parents,
                parked=counts.parked,
                in_flight=in_flight,
                ready=0 if row.held_reason else room if order > 1 else max(0, bases - in_flight),
                state=state,
                gate=row.gate,
                provisional=row.provisional,
                assumed=row.assumed,
                held_reason=row.held_reason,
                top_k=row.top_k_count,
                per_base=row.per_base,
            )
        )
    return {id: tuple(views) for id, views in columns.items()}


@dataclass(frozen=True, slots=True)
class _Counts:
    run: int
    step_order: int
    made: int
    live: int
    rejected: int
    advancing: int
    open_parents: int
    parked: int
    room: int


_NOTHING: Final = _Counts(0, 0, 0, 0, 0, 0, 0, 0, 0)


def _image_counts(tx: Tx, run_ids: Sequence[int]) -> list[_Counts]:
    image = ImageCandidate
    live = (image.status == CandidateStatus.ACTIVE) & (image.rejected_ancestors == 0)
    places = image.child_limit - image.child_count - image.reserved
    lacking = live & image.advances & (places > 0)
    parked = image.failures >= PARK_AFTER_FAILURES

    def how_many(
        condition: ColumnElement[bool], each: int | ColumnElement[int] = 1
    ) -> ColumnElement[int]:
        return cast(func.sum(case((condition, each), else_=0)), Integer)

    rows = tx.execute(
        select(
            image.pipeline_run_id,
            image.step_order,
            func.count(),
            how_many(live),
            how_many(image.status == CandidateStatus.REJECTED),
            how_many(live & image.advances),
            how_many(lacking & ~parked),
            how_many(lacking & parked),
            how_many(lacking & ~parked, places),
        )
        .where(image.pipeline_run_id.in_(run_ids))
        .group_by(image.pipeline_run_id, image.step_order)
    )
    return [_Counts(*row) for row in rows]


def _held_decisions(tx: Tx, run_ids: Sequence[int]) -> set[tuple[int, int]]:
    """The runs and steps whose decision takes effect in a moment."""
    rows = tx.execute(
        select(GateDecision.pipeline_run_id, GateDecision.step_order).where(
            ~GateDecision.started, ~GateDecision.void, GateDecision.pipeline_run_id.in_(run_ids)
        )
    )
    return {(run_id, order) for run_id, order in rows}


def _lacking_bases(
    tx: Tx, run_ids: Sequence[int], counted: Mapping[tuple[int, int], _Counts]
) -> dict[int, int]:
    rows = tx.execute(
        select(PipelineRun.id, PipelineRun.base_count).where(
            PipelineRun.id.in_(run_ids),
            PipelineRun.gated,
            PipelineRun.base_failures < PARK_AFTER_FAILURES,
        )
    )
    return {run: max(0, wanted - counted.get((run, 1), _NOTHING).live) for run, wanted in rows}


def _flying(tx: Tx, run_ids: Sequence[int]) -> dict[tuple[int, int], int]:
    rows = tx.execute(
        select(Job.pipeline_run_id, Job.pipeline_step_id, func.count())
        .where(Job.pipeline_run_id.in_(run_ids), Job.status.in_(IN_FLIGHT))
        .group_by(Job.pipeline_run_id, Job.pipeline_step_id)
    )
    return {(run, step): count for run, step, count in rows}
