"""How long the choice of the next job takes, and its claim, as a database grows.

Decisions on SQLite and PostgreSQL at 10,000 and 1,000,000 images, in one run and in 200; a claim
is measured with its durable commit. `flatness` is the larger world's p99 over the smaller's, both
measured in turns in one go, so that a busy machine slows both alike. `floor_p99_ms` is what
SELECT 1 takes between them on the same connection: no decision can be sooner on that machine.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from uuid import uuid4

from sqlalchemy import text

from benchmarks.report import Line, parser, report
from benchmarks.world import NOW, World, postgresql_world, sqlite_world
from shortlist.hub import rest_collector
from shortlist.services import jobs, selection
from shortlist.store.db import Database

DECISIONS = 3_000
CLAIMS = 500
OPEN_PARENTS = 64
"""In all runs together: a gate lets few through, and without gates the right-most column is kept
nearly empty by the rule itself. `wide` measures the exception."""
WIDE = 10_000
NOTHING = text("SELECT 1")


def main() -> None:
    arguments = parser(__doc__ or "").parse_args()
    rest_collector()
    decisions: dict[str, float] = {}
    flatness: dict[str, float] = {}
    claims: dict[str, float] = {}
    medians: dict[str, float] = {}
    floors: dict[str, float] = {}
    for kind, opened in (("sqlite", sqlite_world), ("postgresql", postgresql_world)):
        for runs in (1, 200):
            case = f"{kind}, {runs} run{'' if runs == 1 else 's'}"
            with ExitStack() as stack:
                small, large = (
                    stack.enter_context(opened(World(images, runs, OPEN_PARENTS)))
                    for images in (10_000, 1_000_000)
                )
                smaller, larger, nothing = _in_turns(small, large)
                decisions[case] = _percentile(larger, 99)
                medians[case] = _percentile(larger, 50)
                floors[case] = _percentile(nothing, 99)
                flatness[case] = decisions[case] / _percentile(smaller, 99)
                claims[case] = _percentile(_claims(large), 99)
    wide = {"sqlite": _wide(sqlite_world), "postgresql": _wide(postgresql_world)}
    report(
        "Next job, 1,000,000 images",
        [
            Line("decision_p50_ms", medians, "ms"),
            Line("decision_p99_ms", decisions, "ms", "under 1"),
            Line("floor_p99_ms", floors, "ms"),
            Line("flatness", flatness, "x the p99 at 10,000", "at most 1.5"),
            Line("claim_p99_ms", claims, "ms", "under 10"),
            Line("wide_decision_p99_ms", wide, "ms", f"none; {WIDE:,} open parents in one column"),
        ],
        as_json=arguments.json,
    )


def _in_turns(small: Database, large: Database) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds of each decision on the two databases, and of nothing, taken alternately."""
    times: tuple[list[float], list[float], list[float]] = ([], [], [])
    with small.snapshot() as first, large.snapshot() as second:
        for seed in range(DECISIONS + 100):
            taken = (
                _milliseconds(lambda seed=seed: selection.choose(first, seed=seed)),
                _milliseconds(lambda seed=seed: selection.choose(second, seed=seed)),
                _milliseconds(lambda: second.execute(NOTHING).scalar()),
            )
            if seed >= 100:
                for kept, each in zip(times, taken, strict=True):
                    kept.append(each)
    return times


def _wide(opened: Callable[[World], AbstractContextManager[Database]]) -> float:
    with opened(World(100_000, 1, WIDE)) as database, database.snapshot() as tx:
        times = [
            _milliseconds(lambda seed=seed: selection.choose(tx, seed=seed)) for seed in range(50)
        ]
    return _percentile(times, 99)


def _claims(database: Database) -> list[float]:
    """Milliseconds of claims, each committed; each is cancelled after, so that work is left."""
    rng = random.Random(1)
    times = []
    for _ in range(CLAIMS):
        began = time.perf_counter()
        with database.transaction() as tx:
            claimed = selection.claim(
                tx, backend_id=1, seed=rng.randrange(2**53), prompt_id=str(uuid4()), now=NOW
            )
        times.append((time.perf_counter() - began) * 1000)
        assert claimed is not None
        with database.transaction() as tx:
            jobs.cancel(tx, claimed.job_id, now=NOW)
            jobs.recalled(tx, claimed.job_id)
    return times


def _milliseconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def _percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


if __name__ == "__main__":
    main()
