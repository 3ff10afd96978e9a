"""Projects: making a run and changing it. What it shows is `services/overview.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import insert, select, update

from shortlist.domain import gates
from shortlist.domain.model import (
    GateKind,
    Policy,
    Rating,
    RunStatus,
)
from shortlist.errors import BadInput, Conflict, NotFound
from shortlist.services import jobs, overview, plugins, trials
from shortlist.services.journal import EventKind, append
from shortlist.services.plugins import Kind
from shortlist.store.db import Tx
from shortlist.store.schema import (
    ImageCandidate,
    Job,
    PipelineRun,
    PipelineRunStep,
    PipelineStep,
)

MOST_CHILDREN: Final = 1_000
MOST_LEAVES: Final = 100_000
"""Above these a typing error is likelier than a wish."""


@dataclass(frozen=True, slots=True)
class NewRun:
    """What a person may say of a new run; null means the default."""

    pipeline_id: int
    name: str
    prompt: str
    negative_prompt: str
    parameters: dict[str, object]
    max_children: int
    target_leaves: int
    base_count: int
    priority: int
    waiting: gates.Waiting = field(default_factory=gates.Waiting)
    policy: str = Policy.RIGHT_TO_LEFT
    rating: str = Rating.ELO


@dataclass(frozen=True, slots=True)
class Change:
    """What a person wants changed of a run; null leaves a value as it is."""

    name: str | None = None
    prompt: str | None = None
    negative_prompt: str | None = None
    parameters: dict[str, object] | None = None
    max_children: int | None = None
    target_leaves: int | None = None
    base_count: int | None = None
    priority: int | None = None
    waiting: gates.Waiting | None = None
    policy: str | None = None
    rating: str | None = None
    status: RunStatus | None = None


def create(tx: Tx, new: NewRun, *, now: datetime, untried: bool = True) -> int:
    """Makes a run with one gate for each step; returns its id.

    Raises `Conflict` for steps that never made an image, unless it may start `untried`.
    """
    name = _named(new.name)
    _check_numbers(
        max_children=new.max_children, target_leaves=new.target_leaves, base_count=new.base_count
    )
    _check_names(policy=new.policy, rating=new.rating)
    steps = tx.execute(
        select(PipelineStep.id, PipelineStep.order, PipelineStep.gate)
        .where(PipelineStep.pipeline_id == new.pipeline_id)
        .order_by(PipelineStep.order)
    ).all()
    if not steps:
        raise NotFound(f"There is no pipeline {new.pipeline_id}; choose one that exists.")
    waiting = _waiting(new.waiting)
    if not untried:
        trials.require(tx, new.pipeline_id)
    run_id = tx.execute(
        insert(PipelineRun).returning(PipelineRun.id),
        {
            "pipeline_id": new.pipeline_id,
            "name": name,
            "prompt": new.prompt,
            "negative_prompt": new.negative_prompt,
            "parameters": new.parameters,
            "max_children": new.max_children,
            "target_leaves": new.target_leaves,
            "base_count": new.base_count,
            "policy": new.policy,
            "rating": new.rating,
            "priority": new.priority,
            "status": RunStatus.ACTIVE,
            "last_order": steps[-1][1],
            "gated": gates.is_gated([gate for _, _, gate in steps]),
            "base_failures": 0,
            **waiting,
            "created_at": now,
        },
    ).scalar_one()
    tx.execute(
        insert(PipelineRunStep),
        [_gate(run_id, step_id, order=order, gate=gate, now=now) for step_id, order, gate in steps],
    )
    append(tx, EventKind.RUN_CHANGED, run_id=run_id, data={}, now=now)
    return run_id


def copy(tx: Tx, run_id: int, *, name: str, now: datetime, untried: bool) -> int:
    """Makes a run with the pipeline, prompt and numbers of another, as `create`; returns its id."""
    run = overview.view(tx, run_id)
    new = NewRun(
        pipeline_id=run.pipeline_id,
        name=name,
        prompt=run.prompt,
        negative_prompt=run.negative_prompt,
        parameters=run.parameters,
        max_children=run.max_children,
        target_leaves=run.target_leaves,
        base_count=run.base_count,
        priority=run.priority,
        waiting=run.waiting,
        policy=run.policy,
        rating=run.rating,
    )
    return create(tx, new, now=now, untried=untried)


def change(tx: Tx, run_id: int, wish: Change, *, now: datetime) -> None:
    """Changes what `wish` names. A new N holds for parents from now on; children stay."""
    tx.lock_tree()
    status = status_of(tx, run_id)
    _check_change(wish, present=status)
    values = {
        name: value
        for name in Change.__slots__
        if name != "waiting" and (value := getattr(wish, name)) is not None
    }
    if wish.waiting is not None:
        values |= _waiting(wish.waiting)
    if "name" in values:
        values["name"] = _named(wish.name or "")
    if values:
        tx.execute(update(PipelineRun).where(PipelineRun.id == run_id).values(values))
    if wish.status in (RunStatus.PAUSED, RunStatus.ARCHIVED):
        jobs.take_back(tx, Job.pipeline_run_id == run_id, now=now)
    if wish.max_children is not None:
        _limit_children(tx, run_id, wish.max_children)
    append(tx, EventKind.RUN_CHANGED, run_id=run_id, data={}, now=now)


def _gate(
    run_id: int, step_id: int, *, order: int, gate: GateKind, now: datetime
) -> dict[str, object]:
    open_at_birth = gates.approved_at_birth(order=order, gate=gate)
    return {
        "pipeline_run_id": run_id,
        "pipeline_step_id": step_id,
        "step_order": order,
        "approved": open_at_birth,
        "approved_at": now if open_at_birth else None,
        "provisional": False,
        "decisions": 0,
    }


def _named(name: str) -> str:
    if not name.strip():
        raise BadInput("The run needs a name.", field="name")
    return name.strip()


def _check_numbers(
    *, max_children: int | None, target_leaves: int | None, base_count: int | None
) -> None:
    for name, value, most, words in (
        ("max_children", max_children, MOST_CHILDREN, "N (children per image)"),
        ("target_leaves", target_leaves, MOST_LEAVES, "T (finished images)"),
        ("base_count", base_count, MOST_LEAVES, "The number of base images"),
    ):
        if value is not None and not 1 <= value <= most:
            raise BadInput(f"{words} must be from 1 to {most}, not {value}.", field=name)


def _check_names(*, policy: str | None, rating: str | None) -> None:
    for kind, name in ((Kind.POLICY, policy), (Kind.RATING, rating)):
        if name is not None:
            plugins.check(kind, name)


def _waiting(waiting: gates.Waiting) -> dict[str, object]:
    fault = waiting.fault()
    if fault is not None:
        raise BadInput(fault, field="waiting")
    return {
        "wait_minutes": waiting.minutes,
        "night_from": waiting.night_from,
        "night_until": waiting.night_until,
        "time_zone": waiting.time_zone,
    }


def _check_change(wish: Change, *, present: RunStatus) -> None:
    _check_numbers(
        max_children=wish.max_children,
        target_leaves=wish.target_leaves,
        base_count=wish.base_count,
    )
    _check_names(policy=wish.policy, rating=wish.rating)
    if wish.status is RunStatus.COMPLETED and present is not RunStatus.COMPLETED:
        raise BadInput("A run completes when its last step is approved.", field="status")
    if wish.status is RunStatus.PAUSED and present is RunStatus.COMPLETED:
        raise Conflict("The run is complete, nothing of it is left to pause.")
    if present is RunStatus.ARCHIVED and wish.status in (None, RunStatus.PAUSED):
        raise Conflict("The run is archived; make it active again before you change it.")


def status_of(tx: Tx, run_id: int) -> RunStatus:
    status = tx.execute(select(PipelineRun.status).where(PipelineRun.id == run_id)).scalar()
    if status is None:
        raise NotFound(f"There is no run {run_id}.")
    return status


def _limit_children(tx: Tx, run_id: int, limit: int) -> None:
    """Gives the new N to every image whose step has none of its own and is not the last."""
    steps = (
        select(PipelineStep.id)
        .join(PipelineRun, PipelineRun.pipeline_id == PipelineStep.pipeline_id)
        .where(
            PipelineRun.id == run_id,
            PipelineStep.max_children.is_(None),
            PipelineStep.order < PipelineRun.last_order,
        )
    )
    tx.execute(
        update(ImageCandidate)
        .where(
            ImageCandidate.pipeline_run_id == run_id,
            ImageCandidate.pipeline_step_id.in_(steps),
        )
        .values(child_limit=limit)
    )
