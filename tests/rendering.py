"""What tests of rendering share: small pipelines, runs, and a hub without its web page."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TypeVar

from shortlist.comfy.workflow import Graph, as_graph
from shortlist.dispatcher.dispatcher import Dispatcher
from shortlist.dispatcher.pace import Pace
from shortlist.domain.model import GateKind
from shortlist.images.blobs import Blobs
from shortlist.images.renderer import RendererPool
from shortlist.services import backends, pipelines, runs
from shortlist.services.pipelines import NewStep
from shortlist.services.runs import NewRun
from shortlist.simulator.options import Fault, SimulatorOptions
from shortlist.simulator.server import running
from shortlist.store.db import Database, Tx

T = TypeVar("T")

QUICK = Pace(
    poll=0.1,
    survey=0.3,
    absence=0.1,
    deaf=0.5,
    first_retry=0.05,
    last_retry=0.2,
    zombie=0.5,
    stall=30.0,
    shortest_stall=30.0,
    give_back=0.5,
    abandon=2.0,
    rest=0.1,
    gather=0.01,
    look=0.1,
    trouble=0.1,
    farewell=5.0,
)
"""A driver that loses its patience in tenths of a second, but for jobs that run: a busy machine may
keep a simulator from its work for a while."""

IMPATIENT = replace(QUICK, stall=3.0, shortest_stall=3.0)
"""... and one that gives up a job without news."""

PATIENT_SECONDS = 90.0
"""After this long a condition that a test waits for counts as never coming."""


def now() -> datetime:
    return datetime.now(UTC)


def drawn(name: str) -> Graph:
    """One of the simulator's own workflows: base, face-fix, hand-fix or upscale."""
    text = resources.files("shortlist.simulator").joinpath(f"workflows/{name}.json").read_text()
    return as_graph(json.loads(text))


def plain_image(*, width: int = 64, color: int = 0x3366CC) -> Graph:
    """A base step without any model: runs on every ComfyUI."""
    return as_graph(
        {
            "1": _node("EmptyImage", width=width, height=width, batch_size=1, color=color),
            "9": _node("SaveImage", images=["1", 0], filename_prefix="ComfyUI"),
        }
    )


def inverted() -> Graph:
    """A later step without any model: the parent, inverted."""
    return as_graph(
        {
            "1": _node("LoadImage", image="parent.png"),
            "2": _node("ImageInvert", image=["1", 0]),
            "9": _node("SaveImage", images=["2", 0], filename_prefix="ComfyUI"),
        }
    )


def _node(class_type: str, **inputs: object) -> dict[str, object]:
    return {"class_type": class_type, "inputs": inputs, "_meta": {"title": f"The {class_type}"}}


def make_run(
    tx: Tx,
    graphs: Sequence[Graph],
    *,
    name: str = "a run",
    children: int = 2,
    leaves: int = 2,
    priority: int = 0,
) -> int:
    """A run through `graphs`, every gate open."""
    steps = [
        NewStep(f"step {order}", graph, None, None, GateKind.AUTO, None)
        for order, graph in enumerate(graphs, start=1)
    ]
    pipeline_id = pipelines.create(tx, f"of {name}", description="", steps=steps, now=now())
    new = NewRun(
        pipeline_id=pipeline_id,
        name=name,
        prompt="a person",
        negative_prompt="",
        parameters={},
        max_children=children,
        target_leaves=leaves,
        base_count=1,
        priority=priority,
    )
    return runs.create(tx, new, now=now())


def add_backend(database: Database, url: str, *, name: str | None = None) -> int:
    """Registers a server."""
    return database.run(lambda tx: backends.register(tx, url, name=name, own=(), now=now()))


@dataclass(slots=True)
class Hub:
    """A hub without its web page: database, image store, dispatcher."""

    database: Database
    blobs: Blobs
    dispatcher: Dispatcher

    def see(self, look: Callable[[Tx], T]) -> T:
        """What `look` finds in the database."""
        with self.database.snapshot() as tx:
            return look(tx)

    async def until(self, condition: Callable[[Tx], T], *, seconds: float = PATIENT_SECONDS) -> T:
        """The first true thing that `condition` finds in the database, within `seconds`."""
        async with asyncio.timeout(seconds):
            while not (found := await asyncio.to_thread(self.see, condition)):
                await asyncio.sleep(0.02)
        return found


@asynccontextmanager
async def a_hub(
    database: Database, folder: Path, *, lookahead: int = 2, pace: Pace = QUICK
) -> AsyncIterator[Hub]:
    """A dispatcher at work on `database`, its images below `folder`, stopped in the end."""
    blobs = Blobs.open(str(folder / "images"))
    async with RendererPool() as renderer:
        dispatcher = Dispatcher(
            database, blobs, renderer, lookahead=lookahead, clock=now, pace=pace
        )
        stop = asyncio.Event()
        task = asyncio.create_task(dispatcher.run(stop))
        try:
            yield Hub(database, blobs, dispatcher)
        finally:
            stop.set()
            await task


@contextmanager
def a_simulator(folder: Path, *faults: Fault, seconds: float = 0.05) -> Iterator[str]:
    """A simulator in a thread of its own; gives its address."""
    loop, stop, up = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    found: list[str] = []
    options = SimulatorOptions(folder=folder, faults=faults, seconds_per_image=seconds)

    async def serve() -> None:
        async with running(options) as server:
            found.append(server.url)
            up.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert up.wait(60)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        loop.close()


async def until(condition: Callable[[], T]) -> T:
    """The first true thing that `condition` gives."""
    async with asyncio.timeout(PATIENT_SECONDS):
        while not (found := condition()):
            await asyncio.sleep(0.02)
    return found
