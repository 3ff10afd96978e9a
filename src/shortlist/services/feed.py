"""The journal as a page follows it: what is new after a number, without what was overtaken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import select

from shortlist.services import images, journal
from shortlist.services.images import Card
from shortlist.services.journal import Entry, EventKind
from shortlist.store.db import Tx
from shortlist.store.schema import PipelineRunStep, PipelineStep

AT_ONCE: Final = 500
"""Events of one reading: a second of a busy hub."""

TOO_FAR: Final = 5_000
"""A page this many events behind loads everything anew sooner than it replays."""


@dataclass(frozen=True, slots=True)
class News:
    """What follows a number. `upto` is where to go on from.

    `missed` says that the events in between are gone, and nothing but `upto` is of use. `cards`
    holds the images that were made.
    """

    events: list[Entry]
    cards: Mapping[int, Card]
    upto: int
    missed: bool


def after(tx: Tx, number: int) -> News:
    """The news after event `number`, oldest first, at most `AT_ONCE` events."""
    last, oldest = journal.last(tx), journal.oldest(tx)
    if number > last or number < oldest - 1 or last - number > TOO_FAR:
        return News([], {}, last, missed=True)
    entries = journal.after(tx, number, limit=AT_ONCE)
    kept = _placed(tx, newest_of_each(entries))
    made = [_id(e, "candidate") for e in kept if e.kind is EventKind.CANDIDATE_MADE]
    upto = entries[-1].id if entries else number
    return News(kept, images.cards(tx, made) if made else {}, upto, missed=False)


def newest_of_each(entries: Sequence[Entry]) -> list[Entry]:
    """Leaves out what a later entry overtakes: a job's earlier states, earlier ratings, and
    earlier votes on a pair."""
    seen: set[object] = set()
    kept: list[Entry] = []
    for entry in reversed(entries):
        left = _without_old_ratings(entry, seen) if entry.kind is EventKind.RATED else entry
        if left is None:
            continue
        subject = _subject(left)
        if subject is not None and subject in seen:
            continue
        seen.add(subject)
        kept.append(left)
    return kept[::-1]


def _subject(entry: Entry) -> object:
    """What an entry is the newest word on; null where every entry counts."""
    match entry.kind:
        case EventKind.JOB_CHANGED:
            return (entry.kind, entry.data["job"])
        case EventKind.SETTLED:
            return (entry.kind, entry.run_id, entry.data["step_id"], entry.data["top"])
        case EventKind.RUN_CHANGED:
            return (entry.kind, entry.run_id)
        case EventKind.BACKEND_CHANGED:
            return (entry.kind, entry.data["backend_id"])
        case _:
            return None


def _without_old_ratings(entry: Entry, seen: set[object]) -> Entry | None:
    """What of an entry stands after the later ones; null when that is nothing."""
    ratings, pairs = entry.data["ratings"], entry.data.get("pairs", [])
    assert isinstance(ratings, dict)
    assert isinstance(pairs, list)
    fresh = {id: rating for id, rating in ratings.items() if ("rated", id) not in seen}
    last = [pair for pair in pairs if ("judged", pair) not in seen]
    seen.update(("rated", id) for id in fresh)
    seen.update(("judged", pair) for pair in last)
    if not fresh and not last:
        return None
    return replace(entry, data={**entry.data, "ratings": fresh, "pairs": last})


def _placed(tx: Tx, entries: list[Entry]) -> list[Entry]:
    """Adds to entries about a step whichever of its id and its order they lack."""
    about = {EventKind.JOB_CHANGED, EventKind.GATE_CHANGED}
    runs = {entry.run_id for entry in entries if entry.kind in about}
    if not runs:
        return entries
    rows = tx.execute(
        select(
            PipelineRunStep.pipeline_run_id,
            PipelineRunStep.pipeline_step_id,
            PipelineRunStep.step_order,
        ).where(PipelineRunStep.pipeline_run_id.in_(runs))
    ).all()
    steps: dict[object, int] = {(run, order): step for run, step, order in rows}
    # Of the steps themselves: a job may be of a version that its run has left.
    named = {entry.data["step_id"] for entry in entries if "step_id" in entry.data}
    found = select(PipelineStep.id, PipelineStep.order).where(PipelineStep.id.in_(named))
    orders: dict[object, int] = dict(tx.execute(found).all())
    return [_with_step(e, orders, steps) if e.kind in about else e for e in entries]


def _with_step(entry: Entry, orders: Mapping[object, int], steps: Mapping[object, int]) -> Entry:
    data = dict(entry.data)
    if "step_order" not in data:
        data["step_order"] = orders.get(data["step_id"], 0)
    if "step_id" not in data:
        data["step_id"] = steps.get((entry.run_id, data["step_order"]), 0)
    return replace(entry, data=data)


def _id(entry: Entry, field: str) -> int:
    value = entry.data[field]
    assert isinstance(value, int)
    return value
