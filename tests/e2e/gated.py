"""Runs with gates on a demo's hub, made over its own interface as a script would."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Container, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from uuid import uuid4

import shortlist
from e2e.demo import Hub, Json

WORKFLOWS = Path(shortlist.__file__).parent / "simulator" / "workflows"
STEPS = {"Base": "base", "Face Fix": "face-fix", "Hand Fix": "hand-fix", "Upscale": "upscale"}
MANUAL = ("manual",) * 4
SMALL = {"width": 192, "height": 256}
"""A sixteenth of the usual size: these tests are about gates, and each needs a dozen pictures."""


@dataclass(frozen=True, slots=True)
class GatedRun:
    """One run of the four sample steps."""

    hub: Hub
    id: int
    steps: tuple[int, ...]

    @property
    def page(self) -> str:
        """The address of its own page."""
        return f"{self.hub.url}/#/run/{self.id}"

    def columns(self) -> list[Json]:
        return cast("list[Json]", self.hub.get(f"/runs/{self.id}")["columns"])

    def states(self) -> list[object]:
        return [column["state"] for column in self.columns()]

    def made(self) -> list[object]:
        return [column["made"] for column in self.columns()]

    def gate(self, order: int) -> Json:
        return self.hub.get(f"/runs/{self.id}/steps/{self.steps[order - 1]}/gate")

    def ranking(self, order: int) -> list[int]:
        """The live images of a step, best first."""
        return cast("dict[str, list[int]]", self.gate(order)["images"])["id"]

    def advancing(self, order: int) -> list[int]:
        images = cast("dict[str, list[int]]", self.gate(order)["images"])
        pairs = zip(images["id"], images["advances"], strict=True)
        return [id for id, advances in pairs if advances]

    def awaits(self, order: int) -> None:
        """Waits until a gate asks for a person."""
        self.hub.until(
            lambda: self.states()[order - 1] == "awaiting approval", f"step {order} complete"
        )

    def makes(self, images: Sequence[int]) -> None:
        """Waits until it has made so many images of each step."""
        self.hub.until(lambda: self.made() == list(images), f"{images} made")

    def act(self, act: Json) -> Json:
        results = self.hub.post("/acts", {"acts": [{"id": str(uuid4()), **act}]})["results"]
        return cast("list[Json]", results)[0]

    def approve(self, order: int, top_k: int) -> None:
        act = {"kind": "approve", "run_id": self.id, "step_id": self.steps[order - 1]}
        assert self.act({**act, "top_k": top_k})["ok"]

    def rank(self, ids: Sequence[int]) -> None:
        """Votes so that these images stand in this order, ahead of all others."""
        last = next(id for id in reversed(self.ranking(2)) if id not in ids)
        for place, id in enumerate(ids):
            for _ in range(len(ids) - place):
                self.act({"kind": "vote", "winner": id, "loser": last, "left": id})


def gated_run(
    hub: Hub,
    *,
    gates: Sequence[str] = MANUAL,
    base_count: int = 3,
    max_children: int = 3,
    waiting: Json | None = None,
) -> GatedRun:
    """A run whose second step is complete."""
    steps = [
        {
            "name": name,
            "workflow": workflow(file),
            "gate": gate,
            "default_top_k": 3,
        }
        for (name, file), gate in zip(STEPS.items(), gates, strict=True)
    ]
    pipeline = hub.post("/pipelines", {"name": f"Gated {uuid4()}", "steps": steps})
    new: Json = {
        "pipeline_id": pipeline["id"],
        "name": "Beach shoot",
        "prompt": "a walker at the beach",
        "base_count": base_count,
        "max_children": max_children,
        "priority": 5,
        "untried": True,
    }
    run = hub.post("/runs", new | ({"waiting": waiting} if waiting else {}))
    columns = cast("list[dict[str, int]]", run["columns"])
    made = GatedRun(hub, cast("int", run["id"]), tuple(column["step_id"] for column in columns))
    if gates[1] == "manual":
        made.awaits(2)
    return made


def copied(database: Path, run: GatedRun) -> GatedRun:
    """Another run with the same images and jobs, which nobody had to make."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.row_factory = sqlite3.Row

        def rows(table: str, column: str, id: object = run.id) -> list[dict[str, object]]:
            found = connection.execute(f"SELECT * FROM {table} WHERE {column} = ?", (id,))
            return [dict(row) for row in found]

        def add(table: str, row: Mapping[str, object]) -> None:
            names, marks = ", ".join(row), ", ".join("?" * len(row))
            insert = f"INSERT INTO {table} ({names}) VALUES ({marks})"
            connection.execute(insert, tuple(row.values()))

        def ahead(table: str) -> int:
            """What makes an id of the run one that nothing has."""
            highest = connection.execute(f"SELECT max(id) FROM {table}")
            return cast("int", highest.fetchone()[0])

        ids, jobs = ahead("candidate"), ahead("job")
        made = ahead("pipeline_run") + 1

        def moved(id: object, by: int) -> int | None:
            return None if id is None else cast("int", id) + by

        def onwards(path: object) -> str:
            return re.sub("[0-9]+", lambda id: str(int(id[0]) + ids), cast("str", path))

        (whole,) = rows("pipeline_run", "id")
        add("pipeline_run", whole | {"id": made})
        here = {"pipeline_run_id": made}
        for row in rows("pipeline_run_step", "pipeline_run_id"):
            del row["id"]
            add("pipeline_run_step", row | here)
        for row in rows("candidate", "pipeline_run_id"):
            line = {"parent_id": moved(row["parent_id"], ids), "path": onwards(row["path"])}
            add("candidate", row | here | line | {"id": moved(row["id"], ids)})
            (file,) = rows("image_file", "candidate_id", row["id"])
            own = {"candidate_id": moved(row["id"], ids), "job_id": moved(file["job_id"], jobs)}
            add("image_file", file | own)
        for row in rows("job", "pipeline_run_id"):
            own = {"id": moved(row["id"], jobs), "prompt_id": str(uuid4())}
            add("job", row | here | own | {"parent_id": moved(row["parent_id"], ids)})
    return GatedRun(run.hub, made, run.steps)


def workflow(file: str, size: Mapping[str, int] = SMALL) -> Json:
    """One of the sample workflows, for smaller pictures."""
    graph = cast("dict[str, Json]", json.loads((WORKFLOWS / f"{file}.json").read_text("utf-8")))
    for node in graph.values():
        if node["class_type"] == "EmptyLatentImage":
            node["inputs"] = cast("Json", node["inputs"]) | size
    return cast("Json", graph)


def multiply(database: Path, run: GatedRun, *, order: int, until: int) -> None:
    """Copies the images of a step until there are so many, each with a rating of its own."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("BEGIN IMMEDIATE")  # the hub may be making an image
        names = _columns(connection, "candidate", but={"id", "elo_score"})
        (newest,) = connection.execute("SELECT max(id) FROM candidate").fetchone()
        connection.execute(
            f"""
            WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
            INSERT INTO candidate ({names}, elo_score)
            SELECT {names}, 900 + (abs(random()) % 200000) / 1000.0
            FROM candidate, number WHERE pipeline_run_id = ? AND step_order = ? LIMIT ?
            """,
            (until, run.id, order, until - len(run.ranking(order))),
        )
        names = _columns(connection, "image_file", but={"candidate_id", "job_id"})
        connection.execute(
            f"""
            WITH file AS (
              SELECT {names}, row_number() OVER () - 1 AS place, count(*) OVER () AS files
              FROM image_file JOIN candidate ON candidate.id = candidate_id
              WHERE pipeline_run_id = ? AND step_order = ?)
            INSERT INTO image_file (candidate_id, {names})
            SELECT candidate.id, {names} FROM candidate JOIN file ON place = candidate.id % files
            WHERE candidate.id > ?
            """,
            (run.id, order, newest),
        )


def _columns(connection: sqlite3.Connection, table: str, *, but: Container[str]) -> str:
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    return ", ".join(name for name in names if name not in but)
