"""How long a person waits for the kill of a large branch, and that it is over with the answer.

A base image with 10,000 images below it, in a run of 100,000, is killed as a person does it:
one act, one durable commit. After each kill 50 decisions are made, none from the branch; then the
dead are buried, as the hub does it beside its work, and the kill is undone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from statistics import median
from typing import Final
from uuid import uuid4

from sqlalchemy import text

from benchmarks.report import Line, parser, report
from benchmarks.world import NOW, World, postgresql_world, sqlite_world
from shortlist.chores import BURIED_AT_ONCE
from shortlist.hub import rest_collector
from shortlist.services import branches, selection, triage
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
    kills, buried, undone = {}, {}, {}
    for kind, opened in (("sqlite", sqlite_world), ("postgresql", postgresql_world)):
        with opened(WORLD) as database:
            kills[kind], buried[kind], undone[kind] = zip(*_kills(database), strict=True)
    report(
        f"Kill of a branch of {BELOW:,}",
        [
            Line("kill_ms", {kind: median(all) for kind, all in kills.items()}, "ms", "within 50"),
            Line("kill_worst_ms", {kind: max(all) for kind, all in kills.items()}, "ms"),
            Line("bury_part_ms", {kind: median(all) for kind, all in buried.items()}, "ms"),
            Line("undo_ms", {kind: median(all) for kind, all in undone.items()}, "ms"),
        ],
        as_json=arguments.json,
    )


def _kills(database: Database) -> list[tuple[float, float, float]]:
    with database.transaction() as tx:
        tx.execute(text(HANG_BELOW.format(count=BELOW - 14)))
    return [_kill(database) for _ in range(KILLS + 1)][1:]


def _kill(database: Database) -> tuple[float, float, float]:
    """Milliseconds that the kill takes, the slowest part of burying, and the undo."""
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
    buried = max(_parts(database))
    undo = UndoAct(str(uuid4()))
    began = time.perf_counter()
    database.run(lambda tx: triage.apply(tx, "benchmark", undo, NOW))
    return taken, buried, (time.perf_counter() - began) * 1000


def _parts(database: Database) -> Iterator[float]:
    """Milliseconds of each turn in which the hub buries some of the dead."""
    more = True
    while more:
        began = time.perf_counter()
        more = database.run(partial(branches.bury, most=BURIED_AT_ONCE))
        yield (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
