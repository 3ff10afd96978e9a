"""Pairs that a person sees once more without being told, for their self-agreement.

The log of acts keeps what was answered and how like the first answer it was. No vote is written:
whatever counts votes need not know of repeats.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, select, text

from shortlist.domain import agreement
from shortlist.domain.agreement import ENOUGH, RESTED
from shortlist.domain.model import ActKind
from shortlist.domain.pairing import Key, key_of
from shortlist.services.acts import TieAct, VoteAct, sides_of
from shortlist.services.history import Entry
from shortlist.store.conditions import LIVE
from shortlist.store.db import Tx
from shortlist.store.schema import Act as Log

LOOKED_BACK: Final = 1_000
"""Votes of a person among which their last repeats are looked for."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """How like the first answer the new one is (0 to 1), and whether a pause would do good."""

    likeness: float
    strained: bool


def ready(
    tx: Tx, entries: Sequence[Entry], *, run_id: int, step_order: int, at_hand: Collection[Key]
) -> list[Key]:
    """The pairs of a column that may come again, by a person's log, newest first."""
    recent = {_key(entry) for entry in entries[:RESTED]}
    keys = [_key(entry) for entry in entries[RESTED:] if _may_come_again(entry)]
    wanted = {key for key in keys if key and key not in recent and key not in at_hand}
    if not wanted:
        return []
    place = {"run": run_id, "step_order": step_order}
    ids = sorted({id for key in wanted for id in key})
    live = set(tx.execute(_LIVE_THERE, place | {"ids": ids}).scalars())
    return sorted(key for key in wanted if live.issuperset(key))


def answered(tx: Tx, person: str, act: VoteAct | TieAct) -> Repeat | None:
    """What the answer to a repeat says; null where the first one was taken back meanwhile."""
    sides = sides_of(act)
    assert sides is not None
    first = tx.execute(
        _FIRST, {"person": person, "one": sides.left, "other": sides.right}
    ).one_or_none()
    if first is None:
        return None
    now = act.winner if isinstance(act, VoteAct) else None
    like = agreement.likeness(None if first.tie else first.winner_id, now)
    earlier = tx.execute(_EARLIER, {"person": person}).scalars()
    return Repeat(like, agreement.is_strained([like, *earlier]))


_LIVE_THERE: Final = text(
    f"""
    SELECT candidate.id FROM candidate
    WHERE candidate.id IN :ids AND {LIVE}
      AND candidate.pipeline_run_id = :run AND candidate.step_order = :step_order
    """  # noqa: S608 the text is the schema's own constant
).bindparams(bindparam("ids", expanding=True))

_FIRST: Final = text(
    """
    SELECT winner_id, tie FROM (
      SELECT vote.id, vote.winner_id, vote.tie FROM vote
      WHERE vote.winner_id = :one AND vote.voter = :person AND vote.loser_id = :other
        AND NOT vote.void AND NOT vote.versus_parent
      UNION
      SELECT vote.id, vote.winner_id, vote.tie FROM vote
      WHERE vote.winner_id = :other AND vote.voter = :person AND vote.loser_id = :one
        AND NOT vote.void AND NOT vote.versus_parent) AS found
    ORDER BY id DESC LIMIT 1
    """
)

_VOTES: Final = (
    select(Log.id, Log.answer["likeness"].as_float().label("likeness"))
    .where(
        Log.person == bindparam("person"),
        Log.kind.in_([ActKind.VOTE, ActKind.TIE]),
        Log.undone_by.is_(None),
    )
    .order_by(Log.id.desc())
    .limit(LOOKED_BACK)
    .subquery()
)
_EARLIER: Final = (
    select(_VOTES.c.likeness)
    .where(_VOTES.c.likeness.is_not(None))
    .order_by(_VOTES.c.id.desc())
    .limit(ENOUGH - 1)
)


def _key(entry: Entry) -> Key | None:
    sides = sides_of(entry.act)
    return None if sides is None else key_of(sides.left, sides.right)


def _may_come_again(entry: Entry) -> bool:
    act = entry.act
    counted = isinstance(act, VoteAct | TieAct) and not (act.versus_parent or act.repeat)
    return counted and entry.undone_by is None
