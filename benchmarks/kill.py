"""How long a person waits for the kill of a large branch, and that it is over with the answer.

A base image with 10,000 images below it, in a run of 100,000, is killed as a person does it:
one act, one durable commit. After each kill 50 decisions are made, none from the branch; then it
is undone.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Final
from uuid import uuid4

from sqlalchemy import text

from benchmarks.report import Line, parser, report
from benchmarks.world import NOW, World, postgresql_world, sqlite_world
from shortlist.hub import rest_collector
from shortlist.services import selection, triage
from shortlist.services.acts import KillAct, UndoAct
from shortlist.store.db import Database

KILLS: Final = 9
BELOW: Final = 10_000
WORLD: Final = World(100_000, 1, 64)
HANG_BELOW: Final = """
    UPDATE candidate SET path = '/1/' || substr(path, 2)
    WHERE id IN (SELECT id FROM candidate WHERE step_order > 1 AND path NOT LIKE '/1/%'
                 ORDER BY id DESC LIMIT {count})
"""


def main() -> None:
    arguments = parser(__doc__ or "").parse_args()
    rest_collector()
    times = {}
    for kind, opened in (("sqlite", sqlite_world), ("postgresql", postgresql_world)):
        with opened(WORLD) as database:
            times[kind] = _kills(database)
    report(
        f"Kill of a branch of {BELOW:,}",
        [
            Line("kill_ms", {kind: median(all) for kind, all in times.items()}, "ms", "within 50"),
            Line("kill_worst_ms", {kind: max(all) for kind, all in times.items()}, "ms"),
        ],
        as_json=arguments.json,
    )


def _kills(database: Database) -> list[float]:
    with database.transaction() as tx:
        tx.execute(text(HANG_BELOW.format(count=BELOW - 14)))
    return [_kill(database) for _ in range(KILLS + 1)][1:]


def _kill(database: Database) -> float:
    """Milliseconds from the act to its answer."""
    act = KillAct(str(uuid4()), candidate=1)
    began = time.perf_counter()
    result = database.run(lambda tx: triage.apply(tx, "benchmark", act, NOW))
    taken = (time.perf_counter() - began) * 1000
    assert result.rejected is not None
    assert result.rejected.branch == BELOW, result.rejected
    with database.snapshot() as tx:
        for seed in range(50):
            choice = selection.choose(tx, seed=seed)
            parent = None if choice is None else choice.reason.parent_id
            path = tx.execute(
                text("SELECT path FROM candidate WHERE id = :id"), {"id": parent or 0}
            ).scalar()
            assert path is None or not path.startswith("/1/")
    undo = UndoAct(str(uuid4()))
    database.run(lambda tx: triage.apply(tx, "benchmark", undo, NOW))
    return taken


if __name__ == "__main__":
    main()
