"""What beliefs cost in the hub, in a run of 10,000 images that is rated by the tree.

`update_ms`: bringing the beliefs up to date after one more vote, in the hub's memory. `pair_ms`:
the next pair by information, beliefs and rows included, as a page asks for it. `odds_ms`: chances
and certainty of a gate. `first_ms`: the whole log read once, at the first question after a start.
The votes are cast by the benchmark's own taste on pairs that the hub chose.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from statistics import median
from uuid import uuid4

from benchmarks.report import Line, parser, report
from benchmarks.world import NOW, World, sqlite_world
from shortlist.domain.pairing import Sides
from shortlist.services import beliefs, deck, finish, judgements, runs, triage
from shortlist.services.acts import VoteAct
from shortlist.store.db import Database, Tx

IMAGES = 10_000
RUN = 1
STEP = 4
EARLIER = 1_000
"""Votes that the log holds before anything is measured."""
MEASURED = 60


def main() -> None:
    arguments = parser(__doc__ or "").parse_args()
    rng = random.Random(1)
    with sqlite_world(World(IMAGES, 1, 64)) as database:
        with database.transaction() as tx:
            runs.change(tx, RUN, runs.Change(rating="tree"), now=NOW)
        _vote_at_random(database, rng)
        first = _timed(database, lambda tx: beliefs.posterior(tx, RUN))
        pairs, updates = [], []
        for seed in range(MEASURED):
            began = time.perf_counter()
            pair = _pair(database, seed)
            pairs.append((time.perf_counter() - began) * 1000)
            _vote(database, pair.left, pair.right, left=pair.left)
            updates.append(_timed(database, lambda tx: beliefs.posterior(tx, RUN)))
        odds = [
            _timed(database, lambda tx: finish.odds(tx, RUN, STEP, top=3, now=NOW))
            for _ in range(10)
        ]
    report(
        f"Beliefs, {IMAGES:,} images, {EARLIER:,} votes",
        [
            Line("update_ms", _spread(updates), "ms", "under 20"),
            Line("pair_ms", _spread(pairs), "ms", "under 50"),
            Line("odds_ms", _spread(odds), "ms"),
            Line("first_ms", first, "ms"),
        ],
        as_json=arguments.json,
    )


def _vote_at_random(database: Database, rng: random.Random) -> None:
    with database.snapshot() as tx:
        ids = [node.id for node in judgements.nodes(tx, RUN) if node.step == STEP]
    for _ in range(EARLIER):
        one, other = sorted(rng.sample(ids, 2))
        _vote(database, one, other, left=one)


def _vote(database: Database, one: int, other: int, *, left: int) -> None:
    """The image with the larger last digits wins, whoever judges."""
    winner, loser = (one, other) if one % 97 > other % 97 else (other, one)
    act = VoteAct(str(uuid4()), winner, loser, left)
    database.run(lambda tx: triage.apply(tx, "me", act, NOW))


def _pair(database: Database, seed: int) -> Sides:
    with database.snapshot() as tx:
        found = deck.deck(
            tx,
            "me",
            run_id=RUN,
            step_order=STEP,
            count=1,
            exclude=(),
            rng=random.Random(seed),
            now=NOW,
        )
    (pair,) = found.pairs
    return Sides(pair.left.id, pair.right.id)


def _timed(database: Database, ask: Callable[[Tx], object]) -> float:
    """Milliseconds of one question."""
    with database.snapshot() as tx:
        began = time.perf_counter()
        ask(tx)
        return (time.perf_counter() - began) * 1000


def _spread(times: list[float]) -> dict[str, float]:
    return {"median": median(times), "95 of 100": sorted(times)[int(len(times) * 0.95)]}


if __name__ == "__main__":
    main()
