"""Judging put together: one act in, its effect and its answer out; and taking acts back.

Each act stands or falls alone. What an act does lives in `votes.py` and `kills.py`, what a
person sees next in `deck.py` and `walks.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol, assert_never

from shortlist.domain.model import ActKind
from shortlist.errors import Conflict
from shortlist.services import cull, gates, history, kills, pins, reversal, showing, votes
from shortlist.services.acts import (
    Act,
    Answer,
    ApproveAct,
    ConfirmAct,
    Doing,
    KeepAct,
    KillAct,
    KillBothAct,
    Outcome,
    PinAct,
    RedoAct,
    Rejection,
    ReopenAct,
    SkipAct,
    TieAct,
    UndoAct,
    Undone,
    VoteAct,
    WalkAct,
    WorstAct,
    sides_of,
)
from shortlist.services.history import Entry
from shortlist.services.showing import Pair, Shown
from shortlist.services.walks import Walk, walk_view
from shortlist.store.db import Tx


@dataclass(frozen=True, slots=True)
class TakenBack:
    """The act that an undo took back or a redo put back; `pair` shows it again, sides as then.

    `pair` is null when the act was not about two images, or one of the two is not live. `four` are
    the images among which the worst was chosen, as they stood; none where one is not live.
    """

    act_id: str
    kind: ActKind
    label: str
    pair: Pair | None
    four: Sequence[Shown]


@dataclass(frozen=True, slots=True)
class Result:
    """What an act did. `walk` is the question that is open now, not the one of the first time.

    `strained`: of late this person answered pairs seen before quite otherwise.
    """

    id: str
    kind: ActKind
    repeated: bool
    label: str
    ratings: Mapping[int, float]
    rejected: Rejection | None
    walk: Walk | None
    undone: TakenBack | None
    strained: bool


class Move(Protocol):
    """Takes the acts of one undo back, or puts them back."""

    def __call__(self, tx: Tx, entries: Sequence[Entry], *, now: datetime) -> Outcome: ...


@dataclass(frozen=True, slots=True)
class Inverse:
    """How one kind of act is undone and redone."""

    take_back: Move
    put_back: Move


def apply(tx: Tx, person: str, act: Act, now: datetime) -> Result:
    """Does what `person` did, once, and answers; raises a `Problem` when it can't be done."""
    done = history.once(
        tx, person, act=act, now=now, perform=lambda doing: _perform(tx, act, doing)
    )
    answer = done.answer
    return Result(
        id=act.id,
        kind=act.kind,
        repeated=done.repeated,
        label=answer.label,
        ratings=answer.ratings,
        rejected=answer.rejected,
        walk=None if answer.walk is None else walk_view(tx, person, answer.walk),
        undone=None if answer.undone is None else _taken_back(tx, person, answer.undone),
        strained=answer.strained,
    )


class Chosen(StrEnum):
    """Which side an act favoured."""

    LEFT = "left"
    RIGHT = "right"
    BOTH = "both"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a person's history; a whole walk is one."""

    id: str
    kind: ActKind
    label: str
    at: datetime
    undone: bool
    undoable: bool
    left: Shown | None
    right: Shown | None
    chosen: Chosen


def past(tx: Tx, person: str, *, limit: int, before: str | None = None) -> list[Item]:
    """Up to `limit` of what `person` did, newest first; before the act `before` only."""
    entries = history.recent(tx, person, limit=limit, before=before)
    later = history.went_on(tx, entries)
    sides = {entry.act.id: _seen(entry.act) for entry in entries}
    images = showing.placed(tx, (id for pair in sides.values() for id in pair if id is not None))
    shown: dict[int | None, Shown] = {id: image.shown for id, image in images.items()}
    return [
        Item(
            id=entry.act.id,
            kind=entry.act.kind,
            label=_label([entry, *later.get(entry.act.id, ())]),
            at=entry.at,
            undone=entry.undone_by is not None,
            undoable=entry.undone_by is None,
            left=shown.get(sides[entry.act.id][0]),
            right=shown.get(sides[entry.act.id][1]),
            chosen=_chosen(entry.act),
        )
        for entry in entries
    ]


def _nothing(tx: Tx, entries: Sequence[Entry], *, now: datetime) -> Outcome:
    return Outcome(Answer(entries[0].answer.label, run_id=entries[0].answer.run_id), news=())


_VOTE: Final = Inverse(votes.take_back, votes.put_back)
_SKIP: Final = Inverse(_nothing, _nothing)
_KILL: Final = Inverse(kills.take_back, kills.put_back)
_GATE: Final = Inverse(reversal.take_back, reversal.put_back)
INVERSES: Final[Mapping[ActKind, Inverse]] = MappingProxyType(
    {
        ActKind.VOTE: _VOTE,
        ActKind.TIE: _VOTE,
        ActKind.WORST: _VOTE,
        ActKind.SKIP: _SKIP,
        ActKind.KILL: _KILL,
        ActKind.KILL_BOTH: _KILL,
        ActKind.WALK: _KILL,
        ActKind.APPROVE: _GATE,
        ActKind.REOPEN: _GATE,
        ActKind.CONFIRM: _GATE,
        ActKind.PIN: Inverse(pins.take_back, pins.put_back),
        ActKind.KEEP: Inverse(cull.take_back, cull.put_back),
    }
)
"""How to take back each kind of act that `history.ORDINARY` names."""


def _perform(tx: Tx, act: Act, doing: Doing) -> Outcome:
    match act:
        case VoteAct() | TieAct() | WorstAct() | SkipAct():
            return _compare(tx, act, doing)
        case KillAct() | KillBothAct() | WalkAct():
            return _kill(tx, act, doing)
        case ApproveAct() | ReopenAct() | ConfirmAct() | PinAct():
            return _decide(tx, act, doing)
        case KeepAct():
            return cull.keep(tx, act, doing)
        case UndoAct():
            return _undo(tx, act, doing)
        case RedoAct():
            return _redo(tx, doing)
        case _:
            assert_never(act)


def _compare(tx: Tx, act: VoteAct | TieAct | WorstAct | SkipAct, doing: Doing) -> Outcome:
    match act:
        case VoteAct():
            return votes.vote(tx, act, doing)
        case TieAct():
            return votes.tie(tx, act, doing)
        case WorstAct():
            return votes.worst(tx, act, doing)
        case SkipAct():
            return votes.skip(tx, act)


def _kill(tx: Tx, act: KillAct | KillBothAct | WalkAct, doing: Doing) -> Outcome:
    match act:
        case KillAct():
            return kills.kill(tx, act, doing)
        case KillBothAct():
            return kills.kill_both(tx, act, doing)
        case WalkAct():
            return kills.answer(tx, act, doing)


def _decide(tx: Tx, act: ApproveAct | ReopenAct | ConfirmAct | PinAct, doing: Doing) -> Outcome:
    match act:
        case ApproveAct():
            return gates.approve(tx, act, doing)
        case ReopenAct():
            return gates.reopen(tx, act, doing)
        case ConfirmAct():
            return gates.confirm(tx, act, doing)
        case PinAct():
            return pins.pin(tx, act, doing)


def _undo(tx: Tx, act: UndoAct, doing: Doing) -> Outcome:
    if act.target is None:
        target = history.last_done(tx, doing.person)
    else:
        target = history.get(tx, doing.person, act.target)
    if target is None:
        raise Conflict("There is nothing to take back.")
    if target.answer.undone is not None and isinstance(target.act, RedoAct):
        target = history.get(tx, doing.person, target.answer.undone.act_id)
    if target.undone_by is not None:
        raise Conflict("This was already taken back.")
    if isinstance(target.act, UndoAct):
        # A redo under another name: as an undo it is over at once, so that no redo finds it.
        history.mark(tx, [doing.act_id], undone_by=doing.act_id)
        return _put_back(tx, target, doing)
    entries = history.unit(tx, target)
    outcome = _inverse(entries).take_back(tx, entries, now=doing.now)
    history.mark(tx, _rows(entries), undone_by=doing.act_id)
    return _moved(outcome, entries, verb="Took back")


def _redo(tx: Tx, doing: Doing) -> Outcome:
    target = history.last_undo(tx, doing.person)
    if target is None:
        raise Conflict("There is nothing to do again.")
    return _put_back(tx, target, doing)


def _put_back(tx: Tx, undo: Entry, doing: Doing) -> Outcome:
    """Takes back an undo: what it took back stands again."""
    assert undo.answer.undone is not None
    entries = history.unit(tx, history.get(tx, doing.person, undo.answer.undone.act_id))
    outcome = _inverse(entries).put_back(tx, entries, now=doing.now)
    history.mark(tx, _rows(entries), undone_by=None)
    history.mark(tx, [undo.row_id], undone_by=doing.act_id)
    return _moved(outcome, entries, verb="Did again")


def _rows(entries: Sequence[Entry]) -> list[int]:
    return [entry.row_id for entry in entries]


def _inverse(entries: Sequence[Entry]) -> Inverse:
    return INVERSES[entries[0].act.kind]


def _moved(outcome: Outcome, entries: Sequence[Entry], *, verb: str) -> Outcome:
    first = entries[0].act
    answer = replace(
        outcome.answer,
        label=f"{verb}: {_label(entries)}",
        undone=Undone(first.id, first.kind),
    )
    return replace(outcome, answer=answer)


def _label(entries: Sequence[Entry]) -> str:
    return " ".join(entry.answer.label for entry in entries)


def _taken_back(tx: Tx, person: str, undone: Undone) -> TakenBack:
    entry = history.get(tx, person, undone.act_id)
    sides = sides_of(entry.act)
    pairs = showing.pairs(tx, [sides]) if sides else []
    if isinstance(entry.act, VoteAct | TieAct):
        pairs = [replace(pair, repeat=entry.act.repeat) for pair in pairs]
    label = _label(history.unit(tx, entry))
    return TakenBack(
        undone.act_id, undone.kind, label, pairs[0] if pairs else None, _four(tx, entry.act)
    )


def _four(tx: Tx, act: Act) -> list[Shown]:
    if not isinstance(act, WorstAct):
        return []
    images = showing.placed(tx, act.images)
    alive = all(image.live for image in images.values())
    return [images[id].shown for id in act.images] if alive else []


def _seen(act: Act) -> tuple[int | None, int | None]:
    sides = sides_of(act)
    if sides is not None:
        return sides.left, sides.right
    if isinstance(act, WorstAct):
        return act.worst, None
    return (act.candidate if isinstance(act, KillAct | KeepAct) else None), None


def _chosen(act: Act) -> Chosen:
    match act:
        case VoteAct():
            return Chosen.LEFT if act.winner == act.left else Chosen.RIGHT
        case TieAct():
            return Chosen.BOTH
        case _:
            return Chosen.NONE
