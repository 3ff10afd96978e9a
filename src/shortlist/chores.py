"""What a hub does besides, again and again: gates that open, lines that move, the sweeps.

Each has its own pace and goes on after a failure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeAlias

from shortlist import logs
from shortlist.api.deps import Rooms
from shortlist.errors import Problem
from shortlist.images.blobs import Blobs
from shortlist.images.model import BlobsError
from shortlist.services import branches, finish, images, journal, nights
from shortlist.store.db import Database

SWEEP_FIRST: Final = timedelta(minutes=30)  # so that a hub that is stopped each night sweeps, too
SWEEP_EVERY: Final = timedelta(days=1)
SWEEP_OLDER: Final = timedelta(days=1)
"""An image file without a row is younger than this while its job is being taken in."""

LOOK_SECONDS: Final = 60.0
IDLE_SECONDS: Final = 5.0
GATE_SECONDS: Final = 2.0
LINE_SECONDS: Final = 0.5
BURY_SECONDS: Final = 2.0
BURIED_AT_ONCE: Final = 500  # rows; others who want to write wait for them

Clock: TypeAlias = Callable[[], datetime]

log = logs.get("hub")


async def done(rooms: Rooms, stop: asyncio.Event, *, clock: Clock) -> None:
    """Does all of it until `stop`."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_sweep(rooms, stop, clock=clock))
        group.create_task(_open_gates(rooms, stop, clock=clock))
        group.create_task(_follow_lines(rooms, stop, clock=clock))
        group.create_task(_bury(rooms, stop))


class _Quiet:
    """When the last commit was, in seconds of the loop's clock."""

    def __init__(self) -> None:
        self._at = time.monotonic()

    def disturb(self) -> None:
        self._at = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._at


async def _sweep(rooms: Rooms, stop: asyncio.Event, *, clock: Clock) -> None:
    """Once a day and start drops what is old; while nobody writes, tidies SQLite's log."""
    quiet, due = _Quiet(), clock() + SWEEP_FIRST
    end = rooms.database.wake.subscribe(quiet.disturb)
    try:
        while not await _told(stop, seconds=LOOK_SECONDS):
            if IDLE_SECONDS <= quiet.seconds <= 2 * LOOK_SECONDS:
                await _tried(rooms.database.checkpoint)
            if (now := clock()) >= due:
                due = now + SWEEP_EVERY
                await _tried(partial(sweep, rooms.database, rooms.blobs, now=now))
    finally:
        end()


async def _open_gates(rooms: Rooms, stop: asyncio.Event, *, clock: Clock) -> None:
    """Opens gates whose moment has come."""

    def tick() -> None:
        now = clock()
        with rooms.database.snapshot() as tx:
            certainty = nights.certainty(tx, now=now)
        rooms.database.run(lambda tx: nights.tick(tx, now=now, certainty=certainty))

    while not await _told(stop, seconds=GATE_SECONDS):
        await _tried(tick)


async def _follow_lines(rooms: Rooms, stop: asyncio.Event, *, clock: Clock) -> None:
    """Works the finish lines out that people look at, beside the votes and not on their way."""

    def follow() -> None:
        now = clock()
        with rooms.database.snapshot() as tx:
            moved = finish.moved(tx, now=now)
        if moved:
            rooms.database.run(lambda tx: finish.tell(tx, moved, now=now))

    while not await _told(stop, seconds=LINE_SECONDS):
        if finish.is_watched(rooms.database.memory):
            await _tried(follow)


async def _bury(rooms: Rooms, stop: asyncio.Event) -> None:
    """Takes the dead out of the indexes of the living, a few hundred at a time."""

    def bury() -> None:
        with rooms.database.snapshot() as tx:
            more = branches.is_to_bury(tx)
        while more and not stop.is_set():
            more = rooms.database.run(partial(branches.bury, most=BURIED_AT_ONCE))

    while not await _told(stop, seconds=BURY_SECONDS):
        await _tried(bury)


async def _told(stop: asyncio.Event, *, seconds: float) -> bool:
    """Waits that long at most; whether the hub was told to stop."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
    return stop.is_set()


async def _tried(chore: Callable[[], object]) -> None:
    """Does it in a thread; one that fails is told of and comes again in its turn."""
    try:
        await asyncio.to_thread(chore)
    except (Problem, BlobsError) as fault:
        log.warning("chore_failed", reason=str(fault))
    except Exception:  # a fault in a chore must not end the night's work
        log.exception("chore_failed")


def sweep(database: Database, blobs: Blobs, *, now: datetime) -> None:
    """Drops events that are too old to replay, and image files that no row names."""
    database.run(lambda tx: journal.forget(tx, now))
    with database.snapshot() as tx:
        kept = images.kept_hashes(tx)

    def known(hashes: list[str]) -> set[str]:
        with database.snapshot() as tx:
            return images.known_hashes(tx, hashes) | kept.intersection(hashes)

    swept = blobs.sweep(known, older_than=now - SWEEP_OLDER)
    log.info("images_swept", objects=swept.objects, bytes=swept.freed_bytes)
