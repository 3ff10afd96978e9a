"""The pairs a person sees next: "triage right".

The right-most column that still holds images this person has not voted on, nor has at hand,
comes first. Every question here is answered from an index with a limit, so that a column of a
million costs what a column of a thousand does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Final

from sqlalchemy import BindParameter, TextClause, bindparam, text

from shortlist.domain import pairing
from shortlist.domain.agreement import REPEATS_SHARE
from shortlist.domain.model import BIRTH_ELO, RunStatus
from shortlist.domain.pairing import Contestant, Key, Sides
from shortlist.errors import NotFound
from shortlist.services import columns, finish, history, repeats, runs, showing
from shortlist.services.acts import sides_of
from shortlist.services.columns import HERE, OF_COLUMN, UNVOTED, Column
from shortlist.services.history import Entry
from shortlist.services.showing import Pair
from shortlist.store.conditions import IN_FLIGHT
from shortlist.store.db import Tx

if TYPE_CHECKING:
    import random

WINDOW: Final = 400
"""Images without this person's vote among which the fewest votes are looked for, best first."""

SPARE: Final = 4
"""Candidates in need fetched for each pair wanted, so that the choice among them has room."""

NEIGHBOURS: Final = 8
"""Closest ratings fetched above and below each of them."""

MOST_AROUND: Final = 16
"""Different ratings to look around; the fresh images of a column mostly share one."""

MEMORY: Final = 60
"""Acts of this person whose pairs come back only when nothing else is left."""

PARENTS_SHARE: Final = 1 / 20
"""Of the pairs, where a person wants them, a child against its parent."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is being made while there are fewer than two images to compare."""

    sentence: str
    made: int
    planned: int


@dataclass(frozen=True, slots=True)
class Deck:
    """Pairs of one column in the order to show them.

    `column` is null when there is nothing to vote on; then `waiting` says why and `single` is the
    id of the one image there is, if there is one. `remaining` counts up to `MOST_COUNTED`.
    """

    pairs: Sequence[Pair]
    column: Column | None
    waiting: Waiting | None
    single: int | None
    remaining: int


def deck(
    tx: Tx,
    person: str,
    *,
    run_id: int | None,
    step_order: int | None,
    count: int,
    exclude: Sequence[Key],
    rng: random.Random,
    now: datetime,
    parents: bool = False,
    top: int | None = None,
    desk: str = "",
) -> Deck:
    """Up to `count` pairs for `person`; none of `exclude`, the pairs already at hand, in order.

    In a run rated by the tree, pairs are those that settle most about the best K of the gate
    ahead, in any other run where `top` asks for that with a K of its own; no two `desk`s, which are
    pages of this person, are then given the same.

    `run_id` and `step_order` pin a run and a column; without a run, all active runs take part.
    When every image of every column has this person's vote or is at hand, pairs of the right-most
    column go on, closest ratings and fewest votes first. With `parents` a few pairs are a child
    against its parent. Rarely a pair is a repeat. Raises `NotFound` for an unknown run or step.
    """
    scope = columns.scope_of(person, run_id=run_id, step_order=step_order, fewest=2)
    log = history.recent(tx, person, limit=MEMORY)
    ask = _Ask(person, count, exclude, _recent(log), rng, now, top, desk)
    at_hand = _ids(exclude)
    column = columns.fresh(tx, scope, aside=at_hand) or columns.right_most(tx, scope)
    if column is None:
        return _empty(tx, scope) or _nowhere(tx, run_id=run_id, step_order=step_order)
    sides = _deal(tx, column, ask=ask)
    if all(pairing.key_of(pair.left, pair.right) in ask.recent for pair in sides):
        # Pairs just skipped are all there is here: they go behind those of other columns.
        other = columns.fresh(tx, scope, aside=at_hand | _ids(ask.recent))
        if other is not None:
            column, sides = other, _deal(tx, other, ask=ask)
    if parents:
        sides = _with_parents(tx, sides, ask=ask)
    return Deck(_shown(tx, sides, column, ask=ask, log=log), column, None, None, column.remaining)


@dataclass(frozen=True, slots=True)
class _Ask:
    """What a person wants and has seen; `recent` are the pairs of the last acts, newest first."""

    person: str
    count: int
    exclude: Sequence[Key]
    recent: Sequence[Key]
    rng: random.Random
    now: datetime
    top: int | None
    desk: str


def _shown(
    tx: Tx, sides: Sequence[Sides], column: Column, *, ask: _Ask, log: Sequence[Entry]
) -> list[Pair]:
    """The pairs with all that is shown of them, now and then one that was judged before."""
    at_hand = {*ask.exclude, *(pairing.key_of(pair.left, pair.right) for pair in sides)}
    order = column.step_order
    again = repeats.ready(tx, log, run_id=column.run_id, step_order=order, at_hand=at_hand)
    mixed = pairing.mix_in(sides, again, share=REPEATS_SHARE, rng=ask.rng) if again else sides
    written = {pairing.written(key) for key in again}
    found = showing.pairs(tx, mixed[: ask.count])
    return [replace(pair, repeat=True) if pair.key in written else pair for pair in found]


def _ids(keys: Iterable[Key]) -> set[int]:
    return {id for key in keys for id in key}


def _deal(tx: Tx, column: Column, *, ask: _Ask) -> list[Sides]:
    top = ask.top or finish.informed_top(tx, column.run_id, column.step_order)
    return _closest(tx, column, ask=ask) if top is None else _informed(tx, column, ask=ask, top=top)


def _informed(tx: Tx, column: Column, *, ask: _Ask, top: int) -> list[Sides]:
    from shortlist.services import informed

    holder = f"{ask.person}/{ask.desk}"
    wanted = informed.Wanted(ask.person, holder, ask.count, ask.exclude, ask.recent, top)
    return informed.deal(
        tx, column.run_id, column.step_order, wanted=wanted, rng=ask.rng, now=ask.now
    )


def _closest(tx: Tx, column: Column, *, ask: _Ask) -> list[Sides]:
    people = contestants(tx, column, ask.person, aside=_ids(ask.exclude), few=SPARE * ask.count)
    decided = _decided(tx, ask.person, ids=[each.id for each in people])
    return pairing.choose(
        people,
        count=ask.count,
        taken=ask.exclude,
        tired={*ask.recent, *decided},
        last=_ids(ask.exclude[-1:] or ask.recent[:1]),
        rng=ask.rng,
    )


def _with_parents(tx: Tx, sides: Sequence[Sides], *, ask: _Ask) -> list[Sides]:
    ids = _ids((pair.left, pair.right) for pair in sides)
    known = {*ask.exclude, *ask.recent}
    rows = tx.execute(FAMILIES, {"person": ask.person, "ids": sorted(ids)})
    families = [pairing.key_of(child, parent) for child, parent in rows]
    mixed = pairing.mix_in(
        sides, [key for key in families if key not in known], share=PARENTS_SHARE, rng=ask.rng
    )
    return mixed[: ask.count]


_RANKED: Final = "ORDER BY candidate.elo_score DESC, candidate.vote_count DESC, candidate.id"
_THIS: Final = OF_COLUMN.format(run=":run", step_order=":step_order")
_NEEDY: Final = f"""
    SELECT id, elo_score, vote_count FROM (
      SELECT * FROM (
        SELECT candidate.id, candidate.elo_score, candidate.vote_count FROM candidate
        WHERE {_THIS} AND candidate.elo_score = {BIRTH_ELO} AND candidate.vote_count = 0
          AND candidate.id NOT IN :aside
        ORDER BY candidate.id LIMIT :few) AS newborn
      UNION
      SELECT * FROM (
        SELECT candidate.id, candidate.elo_score, candidate.vote_count FROM candidate
        WHERE {_THIS} {{unvoted}}
        {_RANKED} LIMIT :window) AS ranked) AS needy
    ORDER BY vote_count, id LIMIT :few
"""  # noqa: S608 made of this file's and the schema's own constants
_ASIDE: Final[BindParameter[int]] = bindparam("aside", expanding=True)
NEEDY_FRESH: Final = text(
    _NEEDY.format(unvoted=f"AND candidate.id NOT IN :aside AND {UNVOTED}")
).bindparams(_ASIDE)
NEEDY: Final = text(_NEEDY.format(unvoted="")).bindparams(_ASIDE)

_NEIGHBOURS: Final = f"""
    SELECT * FROM (
      SELECT candidate.id, candidate.elo_score, candidate.vote_count
      FROM candidate WHERE {_THIS} AND candidate.elo_score <= :elo_{{n}}
      {_RANKED} LIMIT :near) AS below_{{n}}
    UNION
    SELECT * FROM (
      SELECT candidate.id, candidate.elo_score, candidate.vote_count
      FROM candidate WHERE {_THIS} AND candidate.elo_score > :elo_{{n}}
      ORDER BY candidate.elo_score, candidate.vote_count, candidate.id DESC LIMIT :near
    ) AS above_{{n}}
"""  # noqa: S608 made of this file's and the schema's own constants

VOTES_AMONG: Final = text(
    """
    SELECT vote.winner_id, vote.loser_id FROM vote
    WHERE vote.voter = :person AND NOT vote.void AND NOT vote.versus_parent
      AND vote.winner_id IN :ids
    UNION
    SELECT vote.winner_id, vote.loser_id FROM vote
    WHERE vote.voter = :person AND NOT vote.void AND NOT vote.versus_parent
      AND vote.loser_id IN :ids
    """
).bindparams(bindparam("ids", expanding=True))

FAMILIES: Final = text(
    """
    SELECT candidate.id, candidate.parent_id FROM candidate
    WHERE candidate.id IN :ids AND candidate.parent_id IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM vote WHERE vote.winner_id = candidate.id
                      AND vote.voter = :person AND vote.loser_id = candidate.parent_id
                      AND NOT vote.void)
      AND NOT EXISTS (SELECT 1 FROM vote WHERE vote.loser_id = candidate.id
                      AND vote.voter = :person AND vote.winner_id = candidate.parent_id
                      AND NOT vote.void)
    ORDER BY candidate.id
    """
).bindparams(bindparam("ids", expanding=True))
"""Of these images those that this person has not compared with their parents, and the parents."""


@cache
def neighbours(ratings: int) -> TextClause:
    """The query for the closest candidates around `ratings` ratings (`elo_0`, `elo_1`, …)."""
    return text(" UNION ".join(_NEIGHBOURS.format(n=n) for n in range(ratings)))


def contestants(
    tx: Tx, column: Column, person: str, *, aside: Collection[int], few: int
) -> list[Contestant]:
    """The `few` candidates in need of this person's vote, and the closest ratings around each."""
    here: dict[str, object] = {"run": column.run_id, "step_order": column.step_order}
    here |= {"person": person, "aside": sorted(aside), "few": few, "window": WINDOW}
    needy = tx.execute(NEEDY_FRESH, here).all() or tx.execute(NEEDY, here).all()
    ratings = list(dict.fromkeys(elo for _, elo, _ in needy))[:MOST_AROUND]
    around = {f"elo_{n}": elo for n, elo in enumerate(ratings)}
    near = tx.execute(neighbours(len(around)), here | around | {"near": NEIGHBOURS}).all()
    rows = {row.id: row for row in (*needy, *near)}.values()
    voted = _ids(_decided(tx, person, ids=[row.id for row in rows]))
    return [Contestant(id, elo, votes, fresh=id not in voted) for id, elo, votes in rows]


def _decided(tx: Tx, person: str, *, ids: Sequence[int]) -> list[Key]:
    """The pairs that this person has voted on and that hold one of `ids`."""
    rows = tx.execute(VOTES_AMONG, {"person": person, "ids": ids})
    return [pairing.key_of(winner, loser) for winner, loser in rows]


def _recent(log: Sequence[Entry]) -> list[Key]:
    """The pairs this person decided or skipped last, newest first."""
    sides = [sides_of(entry.act) for entry in log if entry.undone_by is None]
    return [pairing.key_of(pair.left, pair.right) for pair in sides if pair is not None]


EMPTY: Final = text(
    f"""
    SELECT name, status, gated, base_count, step_order, step_name, live, single, in_flight
    FROM (
      SELECT run.id, run.priority, run.name, run.status, run.gated, run.base_count,
        gate.step_order, step.name AS step_name,
        (SELECT count(*) FROM (SELECT 1 FROM candidate WHERE {HERE} LIMIT 2) AS two) AS live,
        (SELECT candidate.id FROM candidate WHERE {HERE} LIMIT 1) AS single,
        (SELECT count(*) FROM job WHERE {IN_FLIGHT} AND job.pipeline_run_id = run.id
         AND job.pipeline_step_id = gate.pipeline_step_id) AS in_flight
      FROM pipeline_run_step AS gate
      JOIN pipeline_run AS run ON run.id = gate.pipeline_run_id
      JOIN pipeline_step AS step ON step.id = gate.pipeline_step_id
      WHERE (run.id = :run OR CAST(:run AS INTEGER) IS NULL AND run.status = 'active')
        AND (gate.step_order = :step_order OR CAST(:step_order AS INTEGER) IS NULL)) AS place
    ORDER BY CASE WHEN in_flight > 0 THEN 0 ELSE 1 END, priority DESC, id DESC, step_order
    LIMIT 1
    """  # noqa: S608 made of this file's and the schema's own constants
)
"""The column whose first pair comes next: where jobs are at work, else the first of a run."""


def _empty(tx: Tx, scope: Mapping[str, object]) -> Deck | None:
    row = tx.execute(EMPTY, scope).one_or_none()
    if row is None:
        return None
    name, status, gated, base_count, step_order, step_name, made, single, in_flight = row
    planned = max(2, base_count if gated and step_order == 1 else made + in_flight)
    sentence = f"{made} of {planned} {step_name} images made; the first pair comes with the second."
    if status != RunStatus.ACTIVE:
        sentence = f"The run {name} is {status}; nothing new is made for it."
    elif not in_flight:
        sentence = f"{made} of {planned} {step_name} images made; no image is being made now."
    return Deck((), None, Waiting(sentence, made, planned), single, 0)


def _nowhere(tx: Tx, *, run_id: int | None, step_order: int | None) -> Deck:
    """What to say when no run or step fits; raises `NotFound` where one was named."""
    if run_id is None:
        waiting = Waiting("Nothing to vote on yet: there is no active run.", 0, 0)
        return Deck((), None, waiting, None, 0)
    runs.status_of(tx, run_id)
    raise NotFound(f"Run {run_id} has no step {step_order}.")
