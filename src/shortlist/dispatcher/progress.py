"""How far the running jobs are, in memory alone: hints for a screen, never stored.

Belongs to one event loop. A follower that does not read loses the oldest ticks, nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

PER_SECOND: Final = 4
PREVIEWS_PER_SECOND: Final = 2
BACKLOG: Final = 100
MOST_PREVIEW_BYTES: Final = 4 * 2**20
"""A sampler's preview has some ten thousand; what is larger is not kept."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture on the way, as the server sent it: nobody has looked at it yet.

    `number` is greater for a later one, and changes at most twice a second.
    """

    number: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Tick:
    """A running job is `value` of `max` through a node; `preview` is its latest picture."""

    job_id: int
    value: float
    max: float
    node: str
    preview: Preview | None


class Progress:
    """The newest tick of each running job, and those who follow."""

    def __init__(self) -> None:
        self._latest: dict[int, Tick] = {}
        self._due: dict[int, asyncio.TimerHandle] = {}
        self._followers: set[asyncio.Queue[Tick]] = set()

    @contextmanager
    def subscribe(self) -> Iterator[asyncio.Queue[Tick]]:
        """A queue of ticks: those that stand now, then at most four a second of each job."""
        queue: asyncio.Queue[Tick] = asyncio.Queue(BACKLOG)
        for tick in list(self._latest.values())[-BACKLOG:]:
            queue.put_nowait(tick)
        self._followers.add(queue)
        try:
            yield queue
        finally:
            self._followers.discard(queue)

    def latest(self, job_id: int) -> Tick | None:
        """The newest tick of a job that runs."""
        return self._latest.get(job_id)

    def tell(self, job_id: int, *, value: float, max: float, node: str) -> None:
        """A node's progress."""
        before = self._latest.get(job_id)
        preview = before.preview if before else None
        self._note(Tick(job_id, value, max, node, preview))

    def show(self, job_id: int, data: bytes) -> None:
        """A preview; one that is too large to be kept is passed over."""
        if len(data) > MOST_PREVIEW_BYTES:
            return
        number = int(asyncio.get_running_loop().time() * PREVIEWS_PER_SECOND)
        preview = Preview(number, data)
        before = self._latest.get(job_id) or Tick(job_id, 0.0, 0.0, "", None)
        self._note(replace(before, preview=preview))

    def drop(self, job_id: int) -> None:
        """The job runs no more."""
        self._latest.pop(job_id, None)
        timer = self._due.pop(job_id, None)
        if timer is not None:
            timer.cancel()

    def _note(self, tick: Tick) -> None:
        self._latest[tick.job_id] = tick
        if tick.job_id not in self._due:
            self._publish(tick.job_id)

    def _publish(self, job_id: int) -> None:
        """Sends the newest tick, and any that came meanwhile once the next one is allowed."""
        sent = self._latest[job_id]
        for queue in self._followers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(sent)
        loop = asyncio.get_running_loop()
        self._due[job_id] = loop.call_later(1 / PER_SECOND, self._again, job_id, sent)

    def _again(self, job_id: int, sent: Tick) -> None:
        del self._due[job_id]
        if self._latest[job_id] is not sent:
            self._publish(job_id)
