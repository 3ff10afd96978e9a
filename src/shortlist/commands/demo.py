"""The demo: a hub, a simulator beside it, and the sample run; with a person or with the voter."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx2

from shortlist import hub
from shortlist.commands.serving import check_seconds, configure_logs, greet, say
from shortlist.commands.tree import tree
from shortlist.services import backends, images, overview
from shortlist.services.overview import RunView
from shortlist.settings import LogLevel, Settings
from shortlist.simulator import demo, server
from shortlist.simulator.options import SimulatorOptions
from shortlist.simulator.server import Running
from shortlist.simulator.voter import Played, Voter
from shortlist.store.db import Database, Tx, make_folder

SECONDS_PER_IMAGE: Final = 0.5
HEADLESS_SECONDS_PER_IMAGE: Final = 0.05

OURS: Final = ("shortlist.db", "shortlist.db-wal", "shortlist.db-shm", "images", "simulator")
"""What a fresh start removes; anything else in the folder is not the demo's."""


@dataclass(frozen=True, slots=True)
class _Demo:
    """The demo at work."""

    hub: hub.Hub
    run_id: int


def serve(
    settings: Settings, *, open_page: bool, fresh: bool, seconds_per_image: float | None
) -> None:
    """Runs the demo until it is told to stop."""
    settings = _in_folder(settings)
    configure_logs(settings)
    seconds = SECONDS_PER_IMAGE if seconds_per_image is None else seconds_per_image
    check_seconds(seconds)
    if fresh:
        _forget(settings)
    hub.run(_serve(settings, open_page=open_page, seconds_per_image=seconds))


def headless(settings: Settings, *, seconds_per_image: float | None) -> None:
    """Lets the voter play the whole funnel in a temporary folder, and prints what came of it."""
    seconds = HEADLESS_SECONDS_PER_IMAGE if seconds_per_image is None else seconds_per_image
    check_seconds(seconds)
    with tempfile.TemporaryDirectory(prefix="shortlist-demo-") as folder:
        settings = settings.model_copy(
            update={
                "data": Path(folder),
                "database": None,
                "images": None,
                "host": "127.0.0.1",
                "port": 0,
                "token": None,
                "log_level": LogLevel.WARNING,
            }
        )
        configure_logs(settings)
        hub.run(_headless(settings, seconds_per_image=seconds))


def _in_folder(settings: Settings) -> Settings:
    """The demo's own folder, unless the command or a setting names the places."""
    return settings.model_copy(update={"data": settings.data.expanduser() / "demo"})


def _forget(settings: Settings) -> None:
    """Removes the demo's own files, once no hub works on them."""
    with hub.alone(settings.database_location):
        for name in OURS:
            path = settings.data / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


async def _serve(settings: Settings, *, open_page: bool, seconds_per_image: float) -> None:
    async with _demo(settings, seconds_per_image=seconds_per_image) as at_work:
        url = at_work.hub.url
        await greet(
            url,
            f"Shortlist's demo is at {url}",
            "A simulator draws the pictures; no model is involved.",
            f"The data is kept in {settings.data}. Press Ctrl+C to stop.",
            open_page=open_page,
        )
        await hub.until_told()


@asynccontextmanager
async def _demo(settings: Settings, *, seconds_per_image: float) -> AsyncIterator[_Demo]:
    folder = settings.data / "simulator"
    make_folder(settings.data)
    make_folder(folder)
    async with (
        _simulator(folder, seconds_per_image=seconds_per_image) as simulator,
        hub.running(settings, servers=[hub.Server(simulator.url)]) as at_work,
    ):
        database = at_work.rooms.database
        wanted = settings.target_leaves if "target_leaves" in settings.model_fields_set else None
        run_id = await asyncio.to_thread(
            _prepare, database, url=simulator.url, target_leaves=wanted or demo.TARGET_LEAVES
        )
        yield _Demo(at_work, run_id)


@asynccontextmanager
async def _simulator(folder: Path, *, seconds_per_image: float) -> AsyncIterator[Running]:
    """A simulator at the port of the last start where that is free: its jobs are found again."""
    noted = folder / "port"
    options = SimulatorOptions(folder=folder, seconds_per_image=seconds_per_image)
    async with server.running(options, port=_free_port(noted)) as simulator:
        noted.write_text(simulator.url.rpartition(":")[2])
        yield simulator


def _free_port(noted: Path) -> int:
    """The noted port, or 0 (any) where there is none or another program has it."""
    try:
        port = int(noted.read_text())
        with socket.create_server(("127.0.0.1", port)):
            return port
    except (OSError, OverflowError, ValueError):
        return 0


def _prepare(database: Database, *, url: str, target_leaves: int) -> int:
    """The sample run; simulators of earlier starts at other ports are taken out of use."""
    now = datetime.now(UTC)

    def retire(tx: Tx) -> None:
        for old in backends.views(tx):
            if old.simulator and old.url != url:
                backends.change(tx, old.id, name=None, enabled=False, now=now)

    database.run(retire)
    return database.run(lambda tx: demo.ensure(tx, target_leaves=target_leaves, now=now))


async def _headless(settings: Settings, *, seconds_per_image: float) -> None:
    began = time.monotonic()
    async with _demo(settings, seconds_per_image=seconds_per_image) as at_work:
        async with httpx2.AsyncClient(base_url=at_work.hub.url, timeout=30) as client:
            played = await Voter(client, at_work.run_id).play()
        seconds = time.monotonic() - began
        database = at_work.hub.rooms.database
        say(*await asyncio.to_thread(_report, database, at_work.run_id, played, seconds))


def _report(database: Database, run_id: int, played: Played, seconds: float) -> list[str]:
    with database.snapshot() as tx:
        run = overview.view(tx, run_id)
        table = images.table(tx, run_id)
    names = {column.step_order: column.name for column in run.columns}
    return [*tree(table, names=names), "", *_funnel(run), "", *_timing(run, played, seconds)]


def _funnel(run: RunView) -> list[str]:
    """One line a step: what was made, what fell, what stands."""
    lines = [f"{'step':<12} {'made':>5} {'killed':>7} {'in play':>8}"]
    for column in run.columns:
        numbers = f"{column.made:>5} {column.rejected:>7} {column.live:>8}"
        lines.append(f"{column.name:<12} {numbers}")
    return lines


def _timing(run: RunView, played: Played, seconds: float) -> list[str]:
    made = sum(column.made for column in run.columns)
    acts = ", ".join(f"{count} {kind}" for kind, count in played.acts.most_common())
    blamed = ", ".join(f"{name} {count}" for name, count in played.blamed.most_common())
    return [
        f"{run.finished} finished of {run.target_leaves} wanted, from {made} images in "
        f"{seconds:.1f} s ({made / seconds:.1f} a second).",
        f"The voter's acts: {acts}.",
        f"Steps found to blame: {blamed or 'none'}.",
    ]
