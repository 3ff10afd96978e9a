"""Test runs: one step on one sample, outside any run; and which steps were ever tried.

Of a test run nothing is stored but its pictures, which a sweep removes after a day, and that the
step can make an image. What counts as tried is a workflow with its bindings, wherever it stands: a
later version, or another pipeline, need not try it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, update

from shortlist.comfy.plain import JSON
from shortlist.comfy.workflow import Bindings, Graph
from shortlist.errors import Conflict
from shortlist.store.db import Tx
from shortlist.store.schema import PipelineStep


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OVER = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be tried. `sample` is the key of the picture to work on; null for a first step."""

    step_id: int
    backend_id: int
    backend_name: str
    url: str
    graph: Graph
    bindings: Bindings
    sample: str | None
    seed: int
    prompt: str
    negative: str
    variables: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Trial:
    """How far a test run is. `after` are keys of pictures; `seconds` how long it took."""

    id: str
    wish: Wish
    state: State
    detail: str
    node: str | None
    value: float
    max: float
    after: tuple[str, ...]
    seconds: float | None


def require(tx: Tx, pipeline_id: int) -> None:
    """Raises `Conflict` that names the steps of a pipeline which were never tried."""
    names = tx.execute(
        select(PipelineStep.name)
        .where(PipelineStep.pipeline_id == pipeline_id, PipelineStep.tried_at.is_(None))
        .order_by(PipelineStep.order)
    )
    untried = list(names.scalars())
    if untried:
        raise Conflict(
            f"Never tried: {', '.join(untried)}. Make a test run of each on the pipeline's page "
            "first, or start the run untried.",
            untried=untried,
        )


def passed(tx: Tx, step_id: int, *, now: datetime) -> None:
    """Notes that a step can make an image, and so can all that are like it."""
    fresh = tx.execute(
        update(PipelineStep)
        .where(PipelineStep.id == step_id, PipelineStep.tried_at.is_(None))
        .values(tried_at=now)
    ).rowcount
    if fresh:
        _mark(tx, [id for id, tried_at in _alike(tx, step_id) if tried_at is None], now=now)


def inherit(tx: Tx, pipeline_id: int) -> None:
    """Notes of a new pipeline's steps that they were tried where others like them were."""
    steps = tx.execute(select(PipelineStep.id).where(PipelineStep.pipeline_id == pipeline_id))
    for step_id in steps.scalars().all():
        moments = [tried_at for _, tried_at in _alike(tx, step_id) if tried_at is not None]
        if moments:
            _mark(tx, [step_id], now=min(moments))


def _mark(tx: Tx, step_ids: Sequence[int], *, now: datetime) -> None:
    tx.execute(update(PipelineStep).where(PipelineStep.id.in_(step_ids)).values(tried_at=now))


def _alike(tx: Tx, step_id: int) -> list[tuple[int, datetime | None]]:
    """The steps of the same workflow and bindings, this one among them."""
    workflow, bindings = tx.execute(
        select(PipelineStep.comfy_workflow_json, PipelineStep.bindings).where(
            PipelineStep.id == step_id
        )
    ).one()
    rows = tx.execute(
        select(PipelineStep.id, PipelineStep.tried_at, PipelineStep.bindings).where(
            PipelineStep.comfy_workflow_json == workflow
        )
    )
    wanted = _places(bindings)
    return [(id, tried_at) for id, tried_at, bound in rows if _places(bound) == wanted]


def _places(bound: object) -> object:
    """Bindings without the `top` of a place: it is a server's limit, told when one was asked."""
    if isinstance(bound, list):
        return [_places(each) for each in bound]
    if isinstance(bound, dict):
        is_place = "node" in bound
        return {k: _places(v) for k, v in bound.items() if not (is_place and k == "top")}
    return bound
