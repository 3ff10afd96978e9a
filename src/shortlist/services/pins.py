"""A person's word on one image at its gate: it always or never advances, whatever its rating."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update

from shortlist.domain.model import Pin
from shortlist.errors import Conflict, NotFound
from shortlist.services.acts import Answer, Doing, Outcome, PinAct
from shortlist.services.branches import News
from shortlist.services.history import Entry
from shortlist.services.journal import EventKind
from shortlist.store.db import Tx
from shortlist.store.schema import ImageCandidate


def pin(tx: Tx, act: PinAct, doing: Doing) -> Outcome:
    """Notes that an image always or never advances at its gate's next decision; null: by rank."""
    words = {Pin.ALWAYS: "Always advances.", Pin.NEVER: "Never advances.", None: "Goes by rank."}
    return _set(
        tx, act.candidate, to=act.pin, label=words[act.pin], was=_present(tx, act.candidate)
    )


def take_back(tx: Tx, entries: Sequence[Entry], *, now: datetime) -> Outcome:
    """Sets a pin as it was before. Raises `Conflict` when someone set another since."""
    act = _act(entries[0])
    return _turn(tx, entries[0], was=act.pin, to=entries[0].answer.earlier_pin)


def put_back(tx: Tx, entries: Sequence[Entry], *, now: datetime) -> Outcome:
    """Sets a pin again that was taken back. Raises `Conflict` when someone set another since."""
    act = _act(entries[0])
    return _turn(tx, entries[0], was=entries[0].answer.earlier_pin, to=act.pin)


def _act(entry: Entry) -> PinAct:
    assert isinstance(entry.act, PinAct)
    return entry.act


def _turn(tx: Tx, entry: Entry, *, was: Pin | None, to: Pin | None) -> Outcome:
    candidate = _act(entry).candidate
    present = _present(tx, candidate)
    if present is not was:
        raise Conflict("The image was pinned otherwise since; pin it anew instead.")
    return _set(tx, candidate, to=to, label=entry.answer.label, was=entry.answer.earlier_pin)


def _present(tx: Tx, candidate_id: int) -> Pin | None:
    row = tx.execute(
        select(ImageCandidate.pin).where(ImageCandidate.id == candidate_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no image {candidate_id}.")
    present: Pin | None = row.pin
    return present


def _set(tx: Tx, candidate_id: int, *, to: Pin | None, label: str, was: Pin | None) -> Outcome:
    row = tx.execute(
        update(ImageCandidate)
        .where(ImageCandidate.id == candidate_id)
        .values(pin=to)
        .returning(ImageCandidate.pipeline_run_id, ImageCandidate.pipeline_step_id)
    ).one()
    news = News(EventKind.GATE_CHANGED, row.pipeline_run_id, {"step_id": row.pipeline_step_id})
    return Outcome(Answer(label, run_id=row.pipeline_run_id, earlier_pin=was), news=(news,))
