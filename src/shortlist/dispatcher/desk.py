"""What the drivers of one dispatcher share: database, image store, renderer, clock, progress.

Database work runs in four threads of the dispatcher's own: a busy page can't starve it, and a slow
disk never holds the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from shortlist.comfy.client import ComfyClient
from shortlist.dispatcher.floor import Floor
from shortlist.dispatcher.pace import Pace
from shortlist.dispatcher.progress import Progress
from shortlist.dispatcher.wildcards import WildcardFiles
from shortlist.images.blobs import Blobs
from shortlist.images.renderer import RendererPool
from shortlist.store.db import Database, Tx

THREADS: Final = 4

T = TypeVar("T")
Clock = Callable[[], datetime]
ClientFactory = Callable[[str], ComfyClient]


@dataclass(frozen=True, slots=True)
class Desk:
    """The shared things, and the two ways to the database from a coroutine.

    A database call that was begun is never cancelled: its thread brings it to its end.
    """

    database: Database
    blobs: Blobs
    renderer: RendererPool
    client: ClientFactory
    clock: Clock
    pace: Pace
    lookahead: int
    progress: Progress
    threads: ThreadPoolExecutor
    floor: Floor
    wildcards: WildcardFiles

    async def write(self, act: Callable[[Tx], T]) -> T:
        """`act` in a transaction of its own."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, self.database.run, act)

    async def read(self, look: Callable[[Tx], T]) -> T:
        """What `look` sees in a snapshot."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, self._look, look)

    def _look(self, look: Callable[[Tx], T]) -> T:
        with self.database.snapshot() as tx:
            return look(tx)
