"""The worst of four over HTTP: which four. What is done to them are acts (`triage.py`)."""

from __future__ import annotations

import random
from typing import Annotated, Final

from fastapi import APIRouter, Query

from shortlist.api.deps import PERSON, AtHand, IdInQuery, InRooms, StepInQuery
from shortlist.api.edge import StrictRoute
from shortlist.api.models import NamedRef, Shape, Shown, Step
from shortlist.services import fours, pipelines

MOST_GROUPS: Final = 20

router = APIRouter(tags=["triage"], route_class=StrictRoute)


class Fours(Shape):
    """Four images at a time. `remaining` counts the column's images without this person's vote."""

    groups: list[list[Shown]]
    step: Step | None
    run: NamedRef | None
    remaining: int


@router.get("/fours", operation_id="get_fours")
def get_fours(
    rooms: InRooms,
    run: IdInQuery = None,
    step: StepInQuery = None,
    count: Annotated[int, Query(ge=1, le=MOST_GROUPS)] = 6,
    *,
    at_hand: AtHand,
) -> Fours:
    """The next groups of four, from the right-most column with an image this person has not voted
    on; none of the images at hand is in them. `run` and `step` pin a run and a column."""
    with rooms.database.snapshot() as tx:
        found = fours.fours(
            tx,
            PERSON,
            run_id=run,
            step_order=step,
            count=count,
            exclude=at_hand,
            rng=random.Random(),
        )
        column = found.column
        viewed = None if column is None else pipelines.step(tx, column.step_id)
        return Fours(
            groups=[[Shown.model_validate(image) for image in group] for group in found.groups],
            step=None if viewed is None else Step.model_validate(viewed),
            run=None if column is None else NamedRef(id=column.run_id, name=column.run_name),
            remaining=0 if column is None else column.remaining,
        )
