"""What beliefs and `adaptive` cost in the hub, in a run of 10,000 images rated by the tree.

`update_ms`: bringing the beliefs up to date after one more vote, in the hub's memory. `pair_ms`:
the next pair by information, beliefs and rows included, as a page asks for it. `odds_ms`: chances
and certainty of a gate. `first_ms`: the whole log read once, at the first question after a start.
`decision_ms`: one look of `adaptive` at what comes next, beliefs brought up to date; `claim_ms`:
the claim of it with its durable commit, the only part that others wait for.
The votes are cast by the benchmark's own taste on pairs that the hub chose.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from uuid import uuid4

from benchmarks.report import Line, parser, report
from benchmarks.world import NOW, World, sqlite_world
from shortlist.domain.pairing import Sides
from shortlist.hub import rest_collector
from shortlist.services import beliefs, deck, finish, jobs, judgements, runs, selection, triage
from shortlist.services.acts import VoteAct
from shortlist.store.db import Database, Tx

IMAGES = 10_000
RUN = 1
STEP = 4
OPEN = (64, 2_000)
"""Open parents: few, as a run has them, and many."""
EARLIER = 1_000
"""Votes that the log holds before anything is measured."""
MEASURED = 200


DECISIONS = 200


def main() -> None:
    arguments = parser(__doc__ or "").parse_args()
    rest_collector()
    decisions: dict[str, float] = {}
    claims: dict[str, float] = {}
    with _voted(OPEN[0]) as database:
        beliefs_cost = _beliefs(database)
        _decide(database, f"{OPEN[0]} open", decisions, claims)
    with _voted(OPEN[1]) as database:
        _decide(database, f"{OPEN[1]:,} open", decisions, claims)
    report(
        f"Beliefs, {IMAGES:,} images, {EARLIER:,} votes",
        [
            *beliefs_cost,
            Line("decision_ms", decisions, "ms", "under 50"),
            Line("claim_ms", claims, "ms"),
        ],
        as_json=arguments.json,
    )


@contextmanager
def _voted(open_parents: int) -> Iterator[Database]:
    """One run with votes on its images."""
    with sqlite_world(World(IMAGES, 1, open_parents)) as database:
        with database.transaction() as tx:
            runs.change(tx, RUN, runs.Change(rating="tree", policy="adaptive"), now=NOW)
        _vote_at_random(database, random.Random(1))
        yield database


def _beliefs(database: Database) -> list[Line]:
    first = _timed(database, lambda tx: beliefs.posterior(tx, RUN))
    pairs, updates = [], []
    for seed in range(MEASURED):
        began = time.perf_counter()
        pair = _pair(database, seed)
        pairs.append((time.perf_counter() - began) * 1000)
        _vote(database, pair.left, pair.right, left=pair.left)
        updates.append(_timed(database, lambda tx: beliefs.posterior(tx, RUN)))
    odds = [
        _timed(database, lambda tx: finish.odds(tx, RUN, STEP, top=3, now=NOW)) for _ in range(10)
    ]
    return [
        Line("update_ms", _spread(updates), "ms", "under 20"),
        Line("pair_ms", _spread(pairs), "ms", "under 50"),
        Line("odds_ms", _spread(odds), "ms"),
        Line("first_ms", first, "ms"),
    ]


def _decide(
    database: Database, case: str, decisions: dict[str, float], claims: dict[str, float]
) -> None:
    """Looks and claims in turns; each job is cancelled after, so that work is left."""
    looks, taken = [], []
    _timed(database, lambda tx: beliefs.posterior(tx, RUN))
    for seed in range(DECISIONS):
        with database.snapshot() as tx:
            began = time.perf_counter()
            seen = selection.look(tx, seed=seed)
            looks.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        with database.transaction() as tx:
            claimed = selection.claim(
                tx, backend_id=1, seed=seed, prompt_id=str(uuid4()), now=NOW, seen=seen
            )
        taken.append((time.perf_counter() - began) * 1000)
        assert claimed is not None
        with database.transaction() as tx:
            jobs.cancel(tx, claimed.job_id, now=NOW)
            jobs.recalled(tx, claimed.job_id)
    for found, times in ((decisions, looks), (claims, taken)):
        found |= {f"{case}, {name}": value for name, value in _spread(times).items()}


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
    ordered = sorted(times)
    parts = {f"{part} of 100": ordered[int(len(times) * part / 100)] for part in (95, 99)}
    return {"median": median(times), **parts}


if __name__ == "__main__":
    main()
