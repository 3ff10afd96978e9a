"""Rendering in processes of its own: a crash, a bomb or an endless file costs one picture.

Workers start with the first picture and end after a while without one, so an idle hub holds no
imaging library at all. Two of them keep two cores busy; threads in the hub were no faster.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from shortlist.images import model
from shortlist.images.model import Box, ImageFault, MediaType, Rendered, RenderingStopped, Tier
from shortlist.images.worker import LENGTH, Facts, Header, frame

_FAULTS = {kind.__name__: kind for kind in ImageFault.__subclasses__()}
_SOURCE_ROOT = str(Path(__file__).parents[2])
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")
# No honest answer is larger: a header of some hundred bytes and two WebP files.
_MAX_HEADER_BYTES = 2**16
_MAX_PART_BYTES = 2**26
_WORKER_MEMORY_BYTES = 2 * 2**30


class RendererPool:
    """Up to `workers` rendering processes; belongs to the event loop it is first used in."""

    def __init__(
        self,
        *,
        workers: int | None = None,
        limit_seconds: float = 20.0,
        idle_seconds: float = 30.0,
    ) -> None:
        self._turn = asyncio.Semaphore(workers or min(2, os.cpu_count() or 1))
        self.limit_seconds = limit_seconds
        self._idle_seconds = idle_seconds
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()

    async def render(self, data: bytes) -> Rendered:
        """As `renditions.render`; raises an `ImageFault`, also when the renderer was stopped."""
        answer, tiers = await self._ask("render", [data])
        return _rendered(cast(Facts, answer["facts"]), tiers)

    async def changed_regions(self, parent: bytes, child: bytes) -> list[Box]:
        """As `renditions.changed_regions`; raises an `ImageFault` if one is no picture."""
        answer, _ = await self._ask("changed_regions", [parent, child])
        return [Box(**box) for box in cast(list[dict[str, float]], answer["boxes"])]

    @property
    def process_ids(self) -> list[int]:
        """The workers that are up now, for whoever watches memory."""
        return sorted(worker.process.pid for worker in self._all if worker.is_up)

    async def close(self) -> None:
        """Ends all workers and waits until they are gone."""
        self._idle.clear()
        for worker in self._all:
            worker.kill()
        await asyncio.gather(*(worker.process.wait() for worker in self._all))
        self._all.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _ask(self, what: str, parts: list[bytes]) -> tuple[Header, list[bytes]]:
        for part in parts:
            model.check_bytes(part)
        async with self._turn:
            worker = await self._take()
            try:
                async with asyncio.timeout(self.limit_seconds):
                    answer = await worker.ask({"ask": what}, parts)
            except BaseException as reason:
                worker.kill()  # half a request or half an answer: it can't be talked to any more
                if told := self._told(reason):
                    raise told from reason
                raise
            self._rest(worker)
        return _without_fault(answer)

    def _told(self, reason: BaseException) -> RenderingStopped | None:
        """What the caller is told of a worker that failed; nothing of a cancellation."""
        if isinstance(reason, TimeoutError):
            return RenderingStopped(
                f"The picture was not read within {self.limit_seconds:g} s; try it again."
            )
        if isinstance(reason, EOFError | ConnectionError | ValueError):
            return RenderingStopped("The renderer stopped on this picture; try it again.")
        return None

    async def _take(self) -> _Worker:
        """The worker that rested last, so that the others can grow idle, or a new one."""
        while self._idle:
            worker = self._idle.pop()
            if worker.wake():
                return worker
        self._all = {worker for worker in self._all if worker.is_up}
        worker = await _Worker.start()
        self._all.add(worker)
        return worker

    def _rest(self, worker: _Worker) -> None:
        self._idle.append(worker)
        worker.rest(self._idle_seconds)


class _Worker:
    """One rendering process and the pipe to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        # Both were asked for as pipes, so neither is None.
        self._requests = cast(asyncio.StreamWriter, process.stdin)
        self._answers = cast(asyncio.StreamReader, process.stdout)
        self._retirement: asyncio.TimerHandle | None = None

    @classmethod
    async def start(cls) -> _Worker:
        """Starts the process; the import of the imaging library falls into its first answer."""
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-P", "-m", "shortlist.images.worker", str(_WORKER_MEMORY_BYTES)),
                env=_environment(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=2**20,
            )
        except OSError as error:
            raise RenderingStopped(f"The renderer can't be started: {error.strerror}.") from error
        return cls(process)

    @property
    def is_up(self) -> bool:
        return self.process.returncode is None

    async def ask(self, header: Header, parts: Sequence[bytes]) -> tuple[Header, list[bytes]]:
        """The answer to one request; `EOFError` or `ConnectionError` if the process ends."""
        self._requests.writelines(frame(header, parts))
        await self._requests.drain()
        (length,) = LENGTH.unpack(await self._answers.readexactly(LENGTH.size))
        answer = json.loads(await self._read(length, limit=_MAX_HEADER_BYTES))
        return answer, [await self._read(size, limit=_MAX_PART_BYTES) for size in answer["sizes"]]

    async def _read(self, size: int, *, limit: int) -> bytes:
        if not 0 <= size <= limit:
            raise ValueError(f"an answer of {size} bytes")
        return await self._answers.readexactly(size)

    def wake(self) -> bool:
        """Ends the rest; False if the process has ended meanwhile."""
        if self._retirement is not None:
            self._retirement.cancel()
        return self.is_up and not self._requests.is_closing()

    def rest(self, seconds: float) -> None:
        """Lets the process end by itself after `seconds` without work."""
        loop = asyncio.get_running_loop()
        self._retirement = loop.call_later(seconds, self._requests.close)

    def kill(self) -> None:
        self.wake()
        if self.is_up:
            self.process.kill()


def _environment() -> dict[str, str]:
    """What Python needs to start, and none of the hub's secrets."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    path = filter(None, (_SOURCE_ROOT, os.environ.get("PYTHONPATH")))
    return {**kept, "PYTHONPATH": os.pathsep.join(path)}


def _without_fault(answer: tuple[Header, list[bytes]]) -> tuple[Header, list[bytes]]:
    """The answer itself; raises the fault if it tells of one."""
    header, _ = answer
    if "fault" in header:
        raise _FAULTS[str(header["fault"])](str(header["sentence"]))
    return answer


def _rendered(facts: Facts, tiers: list[bytes]) -> Rendered:
    return Rendered(
        sha256=facts["sha256"],
        media_type=MediaType(facts["media_type"]),
        width=facts["width"],
        height=facts["height"],
        thumbhash=bytes.fromhex(facts["thumbhash"]),
        tiers=dict(zip(map(Tier, facts["tiers"]), tiers, strict=True)),
    )
