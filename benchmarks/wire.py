"""How busy the hub keeps a server: the same jobs through the hub and straight into its own queue.

One simulator, a process of its own, renders for 200 ms a picture. Straight means that all jobs are
queued at once and nobody looks at the pictures; through the hub, each job is chosen when its turn
comes, and the time ends when the last picture is a candidate in the database. The pictures are
small, because both sides share the machine and it is the wire that is measured, not the drawing;
turns alternate, so that a machine that slows down slows both.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from uuid import uuid4

from sqlalchemy import func, select

from benchmarks.report import Line, parser, report
from shortlist import logs
from shortlist.comfy.client import ComfyClient
from shortlist.comfy.messages import Over
from shortlist.comfy.workflow import Graph, Values, as_graph, find_bindings, patch
from shortlist.dispatcher.dispatcher import Dispatcher
from shortlist.domain.model import GateKind
from shortlist.images.blobs import Blobs
from shortlist.images.renderer import RendererPool
from shortlist.services import backends, pipelines, runs
from shortlist.store.db import Database
from shortlist.store.migrate import upgrade
from shortlist.store.schema import ImageCandidate

RENDER_SECONDS = 0.2
TURNS = "SHHSHSSH"
"""S: straight, H: through the hub; as often the one as the other."""


def a_workflow() -> Graph:
    """The sample base step at a quarter of its size."""
    text = resources.files("shortlist.simulator").joinpath("workflows/base.json").read_text()
    graph = as_graph(json.loads(text))
    (size,) = (node for node in graph.values() if node["class_type"] == "EmptyLatentImage")
    size["inputs"] |= {"width": 192, "height": 256}
    return graph


@contextmanager
def simulator(folder: Path) -> Iterator[str]:
    """A simulator in a process of its own; gives its address."""
    arguments = ("--port", "0", "--folder", str(folder))
    seconds = ("--seconds-per-image", str(RENDER_SECONDS))
    process = subprocess.Popen(
        [sys.executable, "-m", "shortlist", "simulator", *arguments, *seconds],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    found = re.search(r"http://\S+:\d+", process.stdout.readline())
    assert found is not None
    try:
        yield found[0]
    finally:
        process.terminate()
        process.wait()


async def straight(url: str, *, jobs: int) -> float:
    """Seconds for `jobs` jobs that are all queued at once."""
    graph, name = a_workflow(), str(uuid4())
    bindings = find_bindings(graph, None).bindings()
    async with ComfyClient(url, client_id=name) as client:
        events = client.events()
        await anext(events)
        began = time.perf_counter()
        for seed in range(jobs):
            prompt_id = str(uuid4())
            made = patch(graph, bindings, Values(prefix=f"straight/{prompt_id}/s", seed=seed))
            await client.submit(prompt_id, made, extra_pnginfo={})
        async for message in events:
            if isinstance(message, Over) and message.prompt_id == prompt_id:
                break
        return time.perf_counter() - began


class Hub:
    """A hub without its web page, fed by one server."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def time(self, *, jobs: int) -> float:
        """Seconds for a run of `jobs` base images, from its start to the last candidate."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()
        silence = self._database.wake.subscribe(lambda: loop.call_soon_threadsafe(news.set))
        began = time.perf_counter()
        run_id = await asyncio.to_thread(self._start, jobs)
        while await asyncio.to_thread(self._made, run_id) < jobs:
            await news.wait()
            news.clear()
        silence()
        return time.perf_counter() - began

    def _start(self, jobs: int) -> int:
        now = datetime.now(UTC)
        step = pipelines.NewStep("Base", a_workflow(), None, None, GateKind.AUTO, None)
        with self._database.transaction() as tx:
            pipeline = pipelines.create(tx, "wire", description="", steps=[step], now=now)
            new = runs.NewRun(pipeline, "wire", "a person", "", {}, 3, jobs, 1, 0)
            return runs.create(tx, new, now=now)

    def _made(self, run_id: int) -> int:
        with self._database.snapshot() as tx:
            query = select(func.count()).where(ImageCandidate.pipeline_run_id == run_id)
            return tx.execute(query).scalar_one()


@asynccontextmanager
async def a_hub(folder: Path, url: str) -> AsyncIterator[Hub]:
    location = str(folder / "shortlist.db")
    upgrade(location)
    database = Database.open(location)
    database.run(lambda tx: backends.register(tx, url, name=None, own=(), now=datetime.now(UTC)))
    async with RendererPool() as renderer:
        stop = asyncio.Event()
        dispatcher = Dispatcher(
            database,
            Blobs.open(str(folder / "images")),
            renderer,
            lookahead=2,
            clock=lambda: datetime.now(UTC),
        )
        feeding = asyncio.create_task(dispatcher.run(stop))
        try:
            yield Hub(database)
        finally:
            stop.set()
            await feeding
            database.close()


async def measure(folder: Path, *, jobs: int) -> tuple[float, float]:
    """Jobs a second, straight and through the hub."""
    each = 2 * jobs // len(TURNS)
    seconds = {"S": 0.0, "H": 0.0}
    with simulator(folder / "server") as url:
        async with a_hub(folder, url) as hub:
            await hub.time(jobs=2)  # connected, and the renderers are up
            for turn in TURNS:
                took = straight(url, jobs=each) if turn == "S" else hub.time(jobs=each)
                seconds[turn] += await took
    return jobs / seconds["S"], jobs / seconds["H"]


def main() -> None:
    arguments = parser(__doc__ or "")
    arguments.add_argument("--jobs", type=int, default=200, help="each way, a multiple of 4")
    chosen = arguments.parse_args()
    logs.configure(level="WARNING")
    with tempfile.TemporaryDirectory() as folder:
        alone, through = asyncio.run(measure(Path(folder), jobs=chosen.jobs))
    report(
        f"{chosen.jobs} jobs of {RENDER_SECONDS:g} s, straight and through the hub",
        [
            Line("straight_per_s", alone, "/s"),
            Line("hub_per_s", through, "/s"),
            Line("throughput_ratio", through / alone, target=">= 0.98"),
        ],
        as_json=chosen.json,
    )


if __name__ == "__main__":
    main()
