"""Supervises: one driver for each server this hub has the lease of, started, stopped, restarted.

Several hubs on one database share the servers by leases alone; nothing else is coordinated here.
"""

from __future__ import annotations

import asyncio
from asyncio import TaskGroup
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

from shortlist import logs
from shortlist.comfy.client import ComfyClient
from shortlist.dispatcher import owner
from shortlist.dispatcher.desk import THREADS, ClientFactory, Clock, Desk
from shortlist.dispatcher.driver import Driver
from shortlist.dispatcher.floor import Floor
from shortlist.dispatcher.pace import Pace
from shortlist.dispatcher.progress import Progress
from shortlist.dispatcher.wildcards import WildcardFiles
from shortlist.errors import Problem
from shortlist.images.blobs import Blobs
from shortlist.images.renderer import RendererPool
from shortlist.services import backends
from shortlist.services.backends import LEASE, Driven
from shortlist.store.db import Database

LEASE_SECONDS: Final = LEASE.total_seconds()

log = logs.get("dispatcher")


def a_client(url: str) -> ComfyClient:
    """A client with a name of its own at the server."""
    return ComfyClient(url, client_id=f"shortlist-{uuid4()}")


@dataclass(slots=True)
class _Post:
    """One server that this hub drives. `leased_at` is the loop's time of the last renewal."""

    backend: Driven
    leased_at: float
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    driver: Driver | None = None

    def ring(self) -> None:
        if self.driver is not None:
            self.driver.ring()

    def end(self) -> None:
        """Lets the driver come to its end."""
        self.stop.set()
        self.ring()

    def update(self, backend: Driven) -> None:
        """Takes over what a person has changed."""
        self.backend = backend
        if self.driver is not None:
            self.driver.enabled = backend.enabled


class Dispatcher:
    """Feeds all enabled servers of one database. `progress` tells how far the running jobs are.

    `wildcards` is the folder of the person's wildcard files; `affinity` false lets the first free
    server take each job, whatever it ran before.
    """

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        renderer: RendererPool,
        *,
        lookahead: int,
        clock: Clock,
        client_factory: ClientFactory = a_client,
        pace: Pace | None = None,
        wildcards: Path | None = None,
        affinity: bool = True,
    ) -> None:
        self.progress = Progress()
        self._owner = owner.new_name()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="dispatcher")
        self._desk = Desk(
            database=database,
            blobs=blobs,
            renderer=renderer,
            client=client_factory,
            clock=clock,
            pace=pace or Pace(),
            lookahead=lookahead,
            progress=self.progress,
            threads=self._threads,
            floor=Floor(affinity=affinity),
            wildcards=WildcardFiles(wildcards),
        )
        self._posts: dict[int, _Post] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Feeds the servers until `stop` is set, once. What they have then stays with them and is
        found again by the next start."""
        loop = asyncio.get_running_loop()

        def ring() -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._ring)

        silence = self._desk.database.wake.subscribe(ring)
        try:
            async with TaskGroup() as group:
                while not stop.is_set():
                    await self._look(group)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), self._desk.pace.look)
                for post in self._posts.values():
                    post.end()
        finally:
            silence()
            await asyncio.to_thread(self._threads.shutdown)

    def _ring(self) -> None:
        for post in self._posts.values():
            post.ring()

    async def _look(self, group: TaskGroup) -> None:
        """Starts and ends drivers so that they fit what the database says now."""
        try:
            listed = {each.id: each for each in await self._desk.read(backends.driven)}
            for post in list(self._posts.values()):
                await self._keep(post, listed.get(post.backend.id))
            for backend in listed.values():
                if backend.id not in self._posts and await self._lease(backend):
                    post = _Post(backend, asyncio.get_running_loop().time())
                    self._posts[backend.id] = post
                    group.create_task(self._drive(post))
        except Problem as problem:
            log.error("backends_not_read", reason=problem.detail)
        except Exception:  # the others go on, and it is looked again in a moment
            log.exception("backends_not_read")
        self._ring()

    async def _keep(self, post: _Post, listed: Driven | None) -> None:
        """Renews a lease in time, and ends a driver that has nothing to do or no right to."""
        if listed is None:
            post.end()
            return
        post.update(listed)
        now = asyncio.get_running_loop().time()
        if now - post.leased_at < LEASE_SECONDS / 3:
            return
        try:
            kept = await self._lease(listed)
        except Problem:
            kept = now - post.leased_at < LEASE_SECONDS
        else:
            post.leased_at = now
        if not kept:
            log.warning("lease_lost", backend=listed.id)
            post.end()

    async def _lease(self, backend: Driven) -> bool:
        former = backend.lease_owner
        dead = former if former is not None and owner.is_dead(former) else None
        return await self._desk.write(
            lambda tx: backends.take_lease(tx, backend.id, owner=self._owner, dead=dead)
        )

    async def _drive(self, post: _Post) -> None:
        """Drives one server; a driver that dies is replaced after a while."""
        pace = self._desk.pace
        wait = pace.first_retry
        try:
            while not post.stop.is_set():
                driver = Driver(post.backend, self._desk)
                post.driver = driver
                try:
                    await driver.run(post.stop)
                except Exception:  # one broken server or row must not stop the others
                    log.exception("driver_died", backend=post.backend.id)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(post.stop.wait(), wait)
                    wait = min(2 * wait, pace.last_retry)
        finally:
            del self._posts[post.backend.id]
            with suppress(Problem):
                await self._desk.write(
                    lambda tx: backends.drop_lease(tx, post.backend.id, owner=self._owner)
                )
