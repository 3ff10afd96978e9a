"""Autopsies over HTTP: rejected images whose cause is open. Their walks are at `triage.py`."""

from __future__ import annotations

from fastapi import APIRouter

from shortlist.api.deps import PERSON, InRooms
from shortlist.api.edge import StrictRoute
from shortlist.api.judging import Placed
from shortlist.api.models import Shape, Shown
from shortlist.services import autopsies

router = APIRouter(tags=["triage"], route_class=StrictRoute)


class RejectedImage(Placed):
    """A rejected image whose cause is open; `walk` is the walk that asks about it."""

    walk: str


class AutopsyGroup(Shape):
    """Rejected images that one image explains best, which has `made` of their steps below it.

    `waiting` counts the images of its run whose cause is open.
    """

    run_id: int
    run_name: str
    ancestor: Shown
    step_name: str
    step_order: int
    rejected: list[RejectedImage]
    made: int
    waiting: int


class Autopsies(Shape):
    total: int
    groups: list[AutopsyGroup]


@router.get("/autopsies", operation_id="list_autopsies")
def list_autopsies(rooms: InRooms) -> Autopsies:
    """This person's rejected images whose cause is open, by the image that explains most."""
    with rooms.database.snapshot() as tx:
        return Autopsies.model_validate(autopsies.pile(tx, PERSON))
