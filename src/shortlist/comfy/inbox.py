"""Messages on their way from the socket to their reader, bounded: a slow reader loses hints only.

The socket must be read without pause, because a ComfyUI server sends to all its clients in turn and
one that does not read starves the others, the person's own editor among them.
"""

from __future__ import annotations

import asyncio
from collections import deque

from shortlist.comfy.messages import Message, Preview, Progress, ProgressState, Status

CAPACITY = 500
PREVIEWS = 2


class Inbox:
    """A queue for one reader. When full, previews go first, then progress, then the oldest."""

    def __init__(self) -> None:
        self._waiting: deque[Message] = deque()
        self._news = asyncio.Event()
        self._end: BaseException | None = None
        self.dropped = 0

    def put(self, message: Message) -> None:
        """Adds a message; never waits."""
        if isinstance(message, Preview) and self._count(Preview) >= PREVIEWS:
            self._drop(Preview)
        elif len(self._waiting) >= CAPACITY:
            self._drop(Preview, Progress, ProgressState, Status)
        self._waiting.append(message)
        self._news.set()

    def finish(self, error: BaseException) -> None:
        """No more messages will come; the reader gets `error` after the last. The first counts."""
        self._end = self._end or error
        self._news.set()

    async def take(self) -> Message:
        """The oldest message, waiting for one if need be."""
        while not self._waiting:
            if self._end is not None:
                raise self._end
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()

    def _count(self, kind: type[Message]) -> int:
        return sum(isinstance(message, kind) for message in self._waiting)

    def _drop(self, *kinds: type[Message]) -> None:
        self.dropped += 1
        for kind in kinds:
            oldest = next((m for m in self._waiting if isinstance(m, kind)), None)
            if oldest is not None:
                self._waiting.remove(oldest)
                return
        self._waiting.popleft()
