"""Gates over HTTP: what the approval dialog shows, and what a run will make.

Approving, reopening, confirming and pinning are acts (`POST /api/acts`), so that they are undone
like a vote.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from shortlist.api.deps import IdInPath, InRooms, Now, Rooms
from shortlist.api.edge import StrictRoute
from shortlist.api.judging import FinishLine
from shortlist.api.models import Shape
from shortlist.api.requests import DraftToForesee, ForecastToMake
from shortlist.domain.model import GateKind, GateState, Pin
from shortlist.services import approval, finish, forecast, gates, overview, pipelines
from shortlist.store.db import Tx

router = APIRouter(tags=["gates"], route_class=StrictRoute)


class Measured(Shape):
    """One step's cost for one image, measured; null before the first."""

    seconds: float | None
    bytes: float | None


class NextStep(Shape):
    """The step behind the gate; `max_children` images are made there of each that advances."""

    id: int
    name: str
    max_children: int
    measured: Measured


class RankedImages(Shape):
    """The live images of a step in ranking order, one list a field. `below`: images made of it."""

    id: list[int]
    base_id: list[int]
    elo: list[float]
    votes: list[int]
    below: list[int]
    advances: list[bool]
    pin: list[Pin | None]
    hash: list[str]
    width: list[int]
    height: list[int]
    thumbhash: list[str]


class Gate(Shape):
    """One gate. `missing` says why an approval now would be early, null when nothing is missing.

    Send `decisions` back as an act's `seen`, so that a decision someone else made meanwhile is
    told. `empty_places`: images let through and killed since. `starts_at`: when a decision made a
    moment ago takes effect.
    """

    run_id: int
    step_id: int
    step_order: int
    step_name: str
    kind: GateKind
    state: GateState
    approved_at: datetime | None
    approved_by: str | None
    provisional: bool
    assumed: str | None
    top_k: int | None
    per_base: int | None
    default_top_k: int | None
    decisions: int
    starts_at: datetime | None
    missing: str | None
    in_flight: int
    empty_places: int
    servers: int
    few_votes: int
    next_step: NextStep | None
    images: RankedImages


class GateOdds(Shape):
    """How surely the best K of a step are known.

    `chances`: of each image whose place is in doubt, its chance (0 to 1) to be among them. `line`
    is null where there is nothing to settle; its `votes` follow in a `settled` event.
    """

    line: FinishLine | None
    chances: dict[int, float]


class SketchedStep(Shape):
    """Images of one step, were nothing killed; seconds and bytes in all, null if not measured."""

    name: str
    images: int
    seconds: float | None
    bytes: float | None


class PlannedStep(SketchedStep):
    step_id: int


@router.get("/runs/{run_id}/steps/{step_id}/gate", operation_id="get_gate")
def get_gate(run_id: IdInPath, step_id: IdInPath, rooms: InRooms) -> Gate:
    """The gate of a step, with its images in ranking order."""
    with rooms.database.snapshot() as tx:
        return Gate.model_validate(approval.view(tx, run_id, step_id))


@router.get("/runs/{run_id}/steps/{step_id}/odds", operation_id="get_odds")
def get_odds(
    run_id: IdInPath,
    step_id: IdInPath,
    rooms: InRooms,
    top: Annotated[int, Query(ge=1, le=100_000)],
    now: Now,
) -> GateOdds:
    """How surely the best `top` of a step are known by all votes so far."""
    with rooms.database.snapshot() as tx:
        place = gates.place_of(tx, run_id, step_id)
        return GateOdds.model_validate(finish.odds(tx, run_id, place.step_order, top=top, now=now))


@router.post("/runs/{run_id}/start", operation_id="start_run_now")
def start_run_now(run_id: IdInPath, rooms: InRooms, now: Now) -> list[Gate]:
    """Sets decisions that still wait for their moment in force; gives the gates they changed."""

    def start(tx: Tx) -> list[Gate]:
        waiting = approval.waiting(tx, run_id)
        gates.start(tx, run_id, now=now)
        return [Gate.model_validate(approval.view(tx, run_id, id)) for id in waiting]

    return rooms.database.run(start)


@router.get("/runs/{run_id}/forecast", operation_id="get_forecast")
def get_forecast(run_id: IdInPath, rooms: InRooms) -> list[PlannedStep]:
    """What a run would make in all with its numbers, step by step."""
    with rooms.database.snapshot() as tx:
        run = overview.view(tx, run_id)
        steps = pipelines.view(tx, run.pipeline_id).steps
        return _planned(forecast.plan(tx, steps, forecast.numbers_of(tx, run)))


@router.post("/pipelines/{pipeline_id}/forecast", operation_id="make_forecast")
def make_forecast(pipeline_id: IdInPath, body: ForecastToMake, rooms: InRooms) -> list[PlannedStep]:
    """What a new run of this pipeline would make with these numbers."""
    numbers = _numbers(rooms, body)
    with rooms.database.snapshot() as tx:
        steps = pipelines.view(tx, pipeline_id).steps
        return _planned(forecast.plan(tx, steps, numbers))


@router.post("/forecast", operation_id="sketch_forecast")
def sketch_forecast(body: DraftToForesee, rooms: InRooms) -> list[SketchedStep]:
    """What a run with the usual numbers would make with steps that are not saved yet."""
    steps = [
        forecast.Draft(order=order, **step.model_dump())
        for order, step in enumerate(body.steps, start=1)
    ]
    numbers = _numbers(rooms, ForecastToMake())
    with rooms.database.snapshot() as tx:
        sketch = forecast.sketch(tx, steps, numbers)
        return [SketchedStep.model_validate(step) for step in sketch]


def _numbers(rooms: Rooms, said: ForecastToMake) -> forecast.Numbers:
    options = rooms.options
    return forecast.Numbers(
        options.max_children if said.max_children is None else said.max_children,
        options.target_leaves if said.target_leaves is None else said.target_leaves,
        options.base_count if said.base_count is None else said.base_count,
        said.top_k,
    )


def _planned(steps: list[forecast.Plan]) -> list[PlannedStep]:
    return [PlannedStep.model_validate(step) for step in steps]
