"""What it gains to give each chosen job to the server that last ran its step.

Simulators charge the loading of a model as a real server does; a run of some steps, each with a
model of its own, is finished once with affinity and once without. The order of jobs is the same
rule both times: only where they run differs.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from benchmarks.report import Line, parser, report
from shortlist import logs
from shortlist.comfy.workflow import as_graph
from shortlist.dispatcher.dispatcher import Dispatcher
from shortlist.domain.model import GateKind
from shortlist.images.blobs import Blobs
from shortlist.images.renderer import RendererPool
from shortlist.services import backends, pipelines, runs
from shortlist.simulator.options import SimulatorOptions
from shortlist.simulator.server import running
from shortlist.store import migrate
from shortlist.store.db import Database, Tx
from shortlist.store.schema import ImageCandidate

STEPS: Final = ("base", "face-fix", "hand-fix")
SECONDS_PER_IMAGE: Final = 0.5
LOAD_SECONDS: Final = 4.0
"""Eight times an image: a picture of two seconds shows more, one of twenty less."""


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Case:
    """One run with every gate open: how many steps, servers, children a parent, finished images."""

    steps: int
    servers: int
    children: int
    images: int


def prepare(tx: Tx, urls: list[str], case: Case) -> None:
    """The run, and the servers."""
    folder = resources.files("shortlist.simulator").joinpath("workflows")
    steps = []
    for name in STEPS[: case.steps]:
        graph = as_graph(json.loads(folder.joinpath(f"{name}.json").read_text("utf-8")))
        steps.append(pipelines.NewStep(name, graph, None, case.children, GateKind.AUTO, None))
    pipeline = pipelines.create(tx, "Funnel", description="", steps=steps, now=now())
    new = runs.NewRun(pipeline, "Run", "a person", "", {}, case.children, case.images, 1, 0)
    runs.create(tx, new, now=now())
    for url in urls:
        backends.register(tx, url, name=None, own=(), now=now())


def finished(database: Database, case: Case) -> int:
    last = select(func.count()).where(ImageCandidate.step_order == case.steps)
    with database.snapshot() as tx:
        return tx.execute(last).scalar_one()


async def _until(database: Database, case: Case) -> None:
    changed = asyncio.Event()
    loop = asyncio.get_running_loop()
    end = database.wake.subscribe(lambda: loop.call_soon_threadsafe(changed.set))
    while await asyncio.to_thread(finished, database, case) < case.images:
        await changed.wait()
        changed.clear()
    end()


async def seconds_for(case: Case, *, affinity: bool) -> float:
    """How long the servers take for so many finished images."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        migrate.upgrade(str(folder / "shortlist.db"))
        database = Database.open(str(folder / "shortlist.db"))
        async with AsyncExitStack() as stack:
            urls = []
            for number in range(case.servers):
                options = SimulatorOptions(
                    folder=folder / f"server-{number}",
                    seconds_per_image=SECONDS_PER_IMAGE,
                    load_seconds=LOAD_SECONDS,
                )
                urls.append((await stack.enter_async_context(running(options))).url)
            database.run(lambda tx: prepare(tx, urls, case))
            renderer = await stack.enter_async_context(RendererPool())
            dispatcher = Dispatcher(
                database,
                Blobs.open(str(folder / "images")),
                renderer,
                lookahead=2,
                clock=now,
                affinity=affinity,
            )
            stop = asyncio.Event()
            started = time.perf_counter()
            task = asyncio.create_task(dispatcher.run(stop))
            await _until(database, case)
            took = time.perf_counter() - started
            stop.set()
            await task
        database.close()
        return took


def main() -> None:
    """Measures and prints."""
    arguments = parser("Throughput with and without affinity.")
    arguments.add_argument("--steps", type=int, default=2, help=f"2 to {len(STEPS)}")
    arguments.add_argument("--servers", type=int, default=2)
    arguments.add_argument("--children", type=int, default=1, help="images made of a parent")
    arguments.add_argument("--images", type=int, default=24, help="finished images")
    chosen = arguments.parse_args()
    case = Case(chosen.steps, chosen.servers, chosen.children, chosen.images)
    logs.configure(level="ERROR")
    without = asyncio.run(seconds_for(case, affinity=False))
    within = asyncio.run(seconds_for(case, affinity=True))
    lines = [
        Line("throughput_gain", round(without / within, 2), "times", "above 1"),
        Line("seconds_with", round(within, 1), "s"),
        Line("seconds_without", round(without, 1), "s"),
        *(Line(name, value) for name, value in asdict(case).items()),
    ]
    report("affinity: a job to the server that has its models", lines, as_json=chosen.json)


if __name__ == "__main__":
    main()
