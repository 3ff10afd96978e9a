"""Culling over HTTP: images that nobody has judged. What is done to them are acts (`triage.py`)."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query

from shortlist.api.deps import AtHand, IdInQuery, InRooms, StepInQuery
from shortlist.api.edge import StrictRoute
from shortlist.api.models import NamedRef, Shape, Shown, Step
from shortlist.services import cull, pipelines

MOST_IMAGES: Final = 60

router = APIRouter(tags=["triage"], route_class=StrictRoute)


class Cull(Shape):
    """Images to judge one by one. `remaining` counts these and what follows; `kept`: so far."""

    images: list[Shown]
    step: Step | None
    run: NamedRef | None
    remaining: int
    kept: int


@router.get("/cull", operation_id="get_cull")
def get_cull(
    rooms: InRooms,
    run: IdInQuery = None,
    step: StepInQuery = None,
    count: Annotated[int, Query(ge=1, le=MOST_IMAGES)] = 24,
    *,
    at_hand: AtHand,
) -> Cull:
    """Images nobody has judged yet, one by one: from the column that has most of them.

    `run` and `step` pin a run and a column.
    """
    with rooms.database.snapshot() as tx:
        found = cull.fresh(tx, run_id=run, step_order=step, count=count, exclude=at_hand)
        column = found.column
        viewed = None if column is None else pipelines.step(tx, column.step_id)
        return Cull(
            images=[Shown.model_validate(image) for image in found.images],
            step=None if viewed is None else Step.model_validate(viewed),
            run=None if column is None else NamedRef(id=column.run_id, name=column.run_name),
            remaining=0 if column is None else column.remaining,
            kept=found.kept,
        )
