"""Templates: making a pipeline out of workflows, and reading it back. A row is never edited."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import RowMapping, func, insert, select

from shortlist.comfy.workflow import (
    Bindings,
    Graph,
    Role,
    Values,
    WorkflowFault,
    as_graph,
    find_bindings,
    patch,
)
from shortlist.domain.model import GateKind
from shortlist.errors import BadInput, NotFound
from shortlist.services import trials
from shortlist.services.graphs import UPLOADS
from shortlist.store.db import Tx
from shortlist.store.schema import Pipeline, PipelineStep

MOST_STEPS: Final = 20


@dataclass(frozen=True, slots=True)
class NewStep:
    """A step to be made. Null `bindings` are found; `graph` is in API format."""

    name: str
    graph: Graph
    bindings: Bindings | None
    max_children: int | None
    gate: GateKind
    default_top_k: int | None


@dataclass(frozen=True, slots=True)
class StepView:
    id: int
    name: str
    order: int
    max_children: int | None
    gate: GateKind
    default_top_k: int | None
    bindings: dict[str, object]
    tried_at: datetime | None
    workflow: str


@dataclass(frozen=True, slots=True)
class PipelineView:
    """One version of a pipeline; `newest` says whether no later one exists."""

    id: int
    name: str
    version: int
    description: str
    created_at: datetime
    newest: bool
    steps: tuple[StepView, ...]


def create(tx: Tx, name: str, *, description: str, steps: Sequence[NewStep], now: datetime) -> int:
    """Makes a pipeline, or the next version of the one of that name; returns its id.

    Raises `BadInput` that names the step when a workflow has no output, or no way to take the
    parent image from the second step on.
    """
    if not name.strip():
        raise BadInput("The pipeline needs a name.", field="name")
    if not 1 <= len(steps) <= MOST_STEPS:
        raise BadInput(f"A pipeline has 1 to {MOST_STEPS} steps, not {len(steps)}.", field="steps")
    bound = [_bound(step, order=order) for order, step in enumerate(steps, start=1)]
    version = tx.execute(
        select(func.coalesce(func.max(Pipeline.version), 0)).where(Pipeline.name == name.strip())
    ).scalar_one()
    pipeline_id = tx.execute(
        insert(Pipeline).returning(Pipeline.id),
        {
            "name": name.strip(),
            "version": version + 1,
            "description": description,
            "created_at": now,
        },
    ).scalar_one()
    rows = [
        _step_row(pipeline_id, step, order=order, bindings=bindings)
        for order, (step, bindings) in enumerate(zip(steps, bound, strict=True), start=1)
    ]
    tx.execute(insert(PipelineStep), rows)
    trials.inherit(tx, pipeline_id)
    return pipeline_id


def rebind(tx: Tx, pipeline_id: int, step_id: int, *, bindings: Bindings, now: datetime) -> int:
    """Makes the next version of a pipeline with other bindings of one step; returns its id."""
    return rework(tx, pipeline_id, step_id, graph=None, bindings=bindings, now=now)


def rework(
    tx: Tx,
    pipeline_id: int,
    step_id: int,
    *,
    graph: Graph | None,
    bindings: Bindings,
    now: datetime,
) -> int:
    """Makes the next version of a pipeline with another workflow of one step, null: its own."""
    present = view(tx, pipeline_id)
    if step_id not in {step.id for step in present.steps}:
        raise NotFound(f"Pipeline {pipeline_id} has no step {step_id}.")
    steps = [_again(step) for step in present.steps]
    changed = [
        replace(new, graph=graph or new.graph, bindings=bindings) if old.id == step_id else new
        for old, new in zip(present.steps, steps, strict=True)
    ]
    return create(tx, present.name, description=present.description, steps=changed, now=now)


def _again(step: StepView) -> NewStep:
    return NewStep(
        name=step.name,
        graph=as_graph(json.loads(step.workflow)),
        bindings=_stored(step),
        max_children=step.max_children,
        gate=step.gate,
        default_top_k=step.default_top_k,
    )


def _stored(step: StepView) -> Bindings:
    return Bindings.from_json(step.bindings)  # type: ignore[arg-type]  # what was checked before


def view(tx: Tx, pipeline_id: int) -> PipelineView:
    """One pipeline with its steps. Raises `NotFound`."""
    found = views(tx, only=pipeline_id)
    if not found:
        raise NotFound(f"There is no pipeline {pipeline_id}.")
    return found[0]


def views(tx: Tx, *, only: int | None = None) -> list[PipelineView]:
    """Pipelines with their steps, by name, newest version first."""
    query = select(
        Pipeline.id,
        Pipeline.name,
        Pipeline.version,
        Pipeline.description,
        Pipeline.created_at,
    ).order_by(Pipeline.name, Pipeline.version.desc())
    if only is not None:
        query = query.where(Pipeline.id == only)
    rows = tx.execute(query).all()
    steps = _steps(tx, [row.id for row in rows])
    latest = dict(
        tx.execute(select(Pipeline.name, func.max(Pipeline.version)).group_by(Pipeline.name)).all()
    )
    return [
        PipelineView(
            id=row.id,
            name=row.name,
            version=row.version,
            description=row.description,
            created_at=row.created_at,
            newest=row.version == latest[row.name],
            steps=tuple(steps[row.id]),
        )
        for row in rows
    ]


def step(tx: Tx, step_id: int) -> StepView:
    """One step. Raises `NotFound`."""
    row = tx.execute(_STEPS.where(PipelineStep.id == step_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no step {step_id}.")
    return _step(row._mapping)


def _steps(tx: Tx, pipeline_ids: Sequence[int]) -> dict[int, list[StepView]]:
    steps: dict[int, list[StepView]] = {id: [] for id in pipeline_ids}
    wanted = _STEPS.where(PipelineStep.pipeline_id.in_(pipeline_ids))
    for row in tx.execute(wanted.order_by(PipelineStep.order)):
        steps[row.pipeline_id].append(_step(row._mapping))
    return steps


def _step(row: RowMapping) -> StepView:
    return StepView(
        **{name: row[name] for name in _STEP_FIELDS if name != "comfy_workflow_json"},
        workflow=row["comfy_workflow_json"],
    )


_STEP_FIELDS: Final = (
    "id",
    "name",
    "order",
    "max_children",
    "gate",
    "default_top_k",
    "bindings",
    "tried_at",
    "comfy_workflow_json",
)
_STEPS: Final = select(
    PipelineStep.pipeline_id, *(getattr(PipelineStep, name) for name in _STEP_FIELDS)
)


def _bound(step: NewStep, *, order: int) -> Bindings:
    """The step's bindings, tried on its workflow with stand-in values."""
    where = f"Step {order}, {step.name.strip() or 'without a name'}"
    if not step.name.strip():
        raise BadInput(f"{where}: give it a name.", step=order)
    for words, value in (("N", step.max_children), ("The default K", step.default_top_k)):
        if value is not None and value < 1:
            raise BadInput(f"{where}: {words} must be at least 1, not {value}.", step=order)
    try:
        bindings = step.bindings or find_bindings(step.graph, None).bindings()
        if order > 1 and not bindings.of(Role.IMAGE):
            raise WorkflowFault(
                "it has no way to take the parent image; add a LoadImage node to the workflow, "
                "or title the node to use shortlist:image."
            )
        trial = Values(
            prefix="shortlist/000000/trial/s",
            seed=0,
            image=f"{UPLOADS}/{'0' * 64}.png" if order > 1 else None,
        )
        patch(as_graph(json.loads(json.dumps(step.graph))), bindings, trial)
    except WorkflowFault as fault:
        raise BadInput(f"{where}: {fault}", step=order) from fault
    return bindings


def _step_row(
    pipeline_id: int, step: NewStep, *, order: int, bindings: Bindings
) -> dict[str, object]:
    return {
        "pipeline_id": pipeline_id,
        "name": step.name.strip(),
        "order": order,
        "comfy_workflow_json": json.dumps(step.graph, separators=(",", ":")),
        "bindings": bindings.to_json(),
        "max_children": step.max_children,
        "gate": step.gate,
        "default_top_k": step.default_top_k,
    }
