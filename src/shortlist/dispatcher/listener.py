"""The socket of one server, kept open: it says when to look, and how far a job is.

It is a hint only. A socket that ends is opened again under its name; one that stays open and says
nothing after a submit is replaced under a new name, because the server has lost the old one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

from shortlist import logs
from shortlist.comfy.client import ComfyClient
from shortlist.comfy.faults import ComfyError
from shortlist.comfy.graph import Graph, title_of
from shortlist.comfy.messages import (
    Executing,
    Message,
    Over,
    Preview,
    Progress,
    Started,
    Status,
)
from shortlist.dispatcher import progress
from shortlist.dispatcher.pace import Pace

log = logs.get("dispatcher")


@dataclass(slots=True)
class Watched:
    """A job that messages may be about; `heard_at` is the loop's time of the last one."""

    job_id: int
    graph: Graph
    heard_at: float


class Listener:
    """Listens for one driver. `hint` is called when it should look at its jobs, `ended` when the
    socket broke, which may mean a restart."""

    def __init__(
        self,
        client: ComfyClient,
        *,
        pace: Pace,
        board: progress.Progress,
        find: Callable[[str], Watched | None],
        hint: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self._client = client
        self._pace = pace
        self._board = board
        self._find, self._hint, self._ended = find, hint, ended
        self._ear: asyncio.Task[None] | None = None
        self._remaining = 0
        self._waits_since: float | None = None
        self._wait = pace.first_retry

    async def run(self) -> None:
        """Listens until cancelled."""
        while True:
            self._ear = asyncio.create_task(self._listen())
            try:
                await asyncio.wait([self._ear])
            finally:
                self._ear.cancel()
                with suppress(asyncio.CancelledError):
                    await self._ear
            self._ended()
            await asyncio.sleep(self._wait)
            self._wait = min(2 * self._wait, self._pace.last_retry)

    def expect(self) -> None:
        """A job was just submitted: the server is about to tell everybody the new count."""
        if self._waits_since is None:
            self._waits_since = asyncio.get_running_loop().time()

    def check(self) -> None:
        """Replaces a socket that has been silent for too long since a submit."""
        now = asyncio.get_running_loop().time()
        if self._waits_since is None or now - self._waits_since < self._pace.deaf:
            return
        self._waits_since = None
        if self._ear is not None and not self._ear.done():
            log.info("socket_replaced", server=self._client.base_url)
            self._client.client_id = f"shortlist-{uuid4()}"
            self._ear.cancel()

    async def _listen(self) -> None:
        try:
            async for message in self._client.events():
                self._wait = self._pace.first_retry
                self._waits_since = None
                self._take(message)
        except ComfyError as fault:
            log.debug("socket_ended", reason=fault.sentence)

    def _take(self, message: Message) -> None:
        if isinstance(message, Status):
            fewer = message.remaining < self._remaining
            self._remaining = message.remaining
            if fewer:
                self._hint()
            return
        watched = self._find(getattr(message, "prompt_id", ""))
        if watched is None:
            return
        watched.heard_at = asyncio.get_running_loop().time()
        match message:
            case Over() | Started():
                self._hint()
            case Executing():
                self._tick(watched, message.node, value=0.0, top=0.0)
            case Progress():
                self._tick(watched, message.node, value=message.value, top=message.max)
            case Preview():
                self._board.show(watched.job_id, message.data)

    def _tick(self, watched: Watched, node: str, *, value: float, top: float) -> None:
        title = title_of(watched.graph, node) if node in watched.graph else ""
        self._board.tell(watched.job_id, value=value, max=top, node=title)
