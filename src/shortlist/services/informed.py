"""Pairs by information: those whose votes settle most about the best K of a column.

The column is chosen as ever (`deck.py`). Which pairs are in whose hands is kept in memory, so that
two people who vote at once are given different ones. Importing this imports numpy.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, text

from shortlist.domain import pairing
from shortlist.domain.information import Closed, Contender, Worth, choose
from shortlist.domain.pairing import Key, Sides
from shortlist.services import beliefs
from shortlist.store.conditions import LIVE
from shortlist.store.db import Tx

if TYPE_CHECKING:
    import random

HELD_FOR: Final = timedelta(minutes=2)
"""A page that has not asked again for so long has been left, or its person thinks."""

MOST_HOLDERS: Final = 256
"""More pages than that at once are no people."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one page asks for. `holder` names person and page, `at_hand` are the pairs it has, in
    order, `recent` those of the person's last acts, newest first."""

    person: str
    holder: str
    count: int
    at_hand: Sequence[Key]
    recent: Sequence[Key]
    top: int


class Holds:
    """The pairs in people's hands, and until when each is theirs."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._held: dict[str, tuple[datetime, frozenset[Key]]] = {}

    def of_others(self, holder: str, *, now: datetime) -> set[Key]:
        self._held = {name: held for name, held in self._held.items() if held[0] > now}
        return {key for name, (_, keys) in self._held.items() if name != holder for key in keys}

    def set(self, holder: str, keys: Collection[Key], *, now: datetime) -> None:
        self._held.pop(holder, None)
        self._held[holder] = (now + HELD_FOR, frozenset(keys))
        if len(self._held) > MOST_HOLDERS:
            del self._held[next(iter(self._held))]


def deal(
    tx: Tx, run_id: int, step_order: int, *, wanted: Wanted, rng: random.Random, now: datetime
) -> list[Sides]:
    """The pairs of a column worth most, none in anyone's hands.

    A pair in another's hands comes only where there is no other at all: rather twice than nothing.
    """
    place = {"run": run_id, "step_order": step_order}
    live = tx.execute(_LIVE, place).scalars().all()
    voted = [pairing.key_of(*row) for row in tx.execute(_VOTED, place | {"person": wanted.person})]
    posterior = beliefs.posterior(tx, run_id)
    seen = Counter(id for key in (*voted, *wanted.at_hand) for id in key)
    contenders = [Contender(id, seen[id]) for id in live]
    last = (*wanted.at_hand[-1:], *wanted.recent[:1])

    def found(taken: Collection[Key]) -> list[Worth]:
        closed = Closed(taken=taken, voted={*voted, *wanted.recent}, last=last[0] if last else None)
        return choose(posterior, contenders, top=wanted.top, closed=closed, count=wanted.count)

    holds = tx.memory.of(Holds)
    with holds.lock:
        others = holds.of_others(wanted.holder, now=now)
        worth = found({*wanted.at_hand, *others}) or (found(wanted.at_hand) if others else [])
        keys = [pairing.key_of(pair.one, pair.other) for pair in worth]
        holds.set(wanted.holder, {*wanted.at_hand, *keys}, now=now)
    return [pairing.shuffled(*key, rng=rng) for key in keys]


_LIVE: Final = text(
    f"""
    SELECT candidate.id FROM candidate
    WHERE {LIVE} AND candidate.pipeline_run_id = :run AND candidate.step_order = :step_order
    ORDER BY candidate.id
    """  # noqa: S608 the text is the schema's own constant
).bindparams(bindparam("run"), bindparam("step_order"))
_VOTED: Final = text(
    """
    SELECT vote.winner_id, vote.loser_id FROM vote
    JOIN pipeline_run_step AS gate ON gate.pipeline_run_id = vote.pipeline_run_id
      AND gate.pipeline_step_id = vote.pipeline_step_id
    WHERE vote.pipeline_run_id = :run AND gate.step_order = :step_order
      AND vote.voter = :person AND NOT vote.void AND NOT vote.versus_parent
    """
)
