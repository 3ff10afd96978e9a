"""How one server is doing, in words that reach the screen, and for how long it has been bad."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final

from shortlist import logs
from shortlist.comfy.client import Queue, Server
from shortlist.comfy.faults import ComfyError, Unreachable
from shortlist.dispatcher.desk import Desk
from shortlist.domain.model import IN_FLIGHT, Health, JobStatus
from shortlist.errors import Unavailable
from shortlist.services import backends
from shortlist.services.backends import Report

SIMULATOR: Final = "Shortlist simulator"
"""How the device of a simulator is called."""

_DEAD_WORKER: Final = (
    "ComfyUI takes jobs and runs none: its worker has died. Restart ComfyUI on that machine."
)
_HUNG: Final = "ComfyUI does not let go of a job that hung. Restart ComfyUI on that machine."
_REPEAT_SECONDS: Final = 10.0
"""Between two reports of the same state: they keep the time of the last answer fresh."""
_QUIET_SECONDS: Final = 120.0
"""A running job without news for as long is worth a word."""

log = logs.get("dispatcher")


class Condition:
    """The health of one server, written to the database when it changes."""

    def __init__(self, backend_id: int, desk: Desk) -> None:
        self._backend_id = backend_id
        self._desk = desk
        self._server: Server | None = None
        self._fault = ""
        self._lost = False
        self._hindrance = ""
        self._quiet = ""
        self._bad_since: float | None = None
        self._wait = 0.0
        self._retry_at: datetime | None = None
        self._idle_since: float | None = None
        self._written: Report | None = None
        self._written_at = 0.0

    @property
    def is_good(self) -> bool:
        """Whether the server may get jobs, and the hub can keep what it makes."""
        return not self._fault and not self._hindrance

    @property
    def retry_seconds(self) -> float:
        """The wait before the next try to reach the server: doubled each time."""
        return self._wait

    def to_give_back(self) -> tuple[JobStatus, ...]:
        """The states of the jobs that a server this long out of order should lose."""
        if self._bad_since is None:
            return ()
        bad = _time() - self._bad_since
        if bad >= self._desk.pace.abandon:
            return IN_FLIGHT
        return (JobStatus.PENDING,) if bad >= self._desk.pace.give_back else ()

    async def connected(self, server: Server) -> None:
        """The server has answered."""
        self._server = server
        self._wait, self._retry_at = 0.0, None
        await self._judge("", lost=False)

    async def away(self, fault: ComfyError) -> None:
        """The server does not answer, or not as it should."""
        if not self._fault:
            log.warning("backend_lost", backend=self._backend_id, reason=fault.sentence)
        pace = self._desk.pace
        self._wait = min(2 * self._wait, pace.last_retry) if self._wait else pace.first_retry
        self._retry_at = self._desk.clock() + timedelta(seconds=self._wait)
        await self._judge(fault.sentence, lost=isinstance(fault, Unreachable))

    async def seen(self, queue: Queue, *, stuck: set[str], silence: float) -> None:
        """The queue was looked at. `stuck`: jobs given up while they ran, `silence`: seconds for
        which the running job has shown nothing."""
        stuck &= set(queue.running)
        if queue.running or not queue.pending:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = _time()
        idle = 0.0 if self._idle_since is None else _time() - self._idle_since
        minutes = int(silence / 60)
        long = silence >= _QUIET_SECONDS
        self._quiet = (
            f"The running job has shown no progress for {minutes} minutes." if long else ""
        )
        dead = idle >= self._desk.pace.zombie
        await self._judge(_DEAD_WORKER if dead else _HUNG if stuck else "", lost=False)

    async def hindered(self, sentence: str) -> None:
        """Results can't be kept at present; empty once they can."""
        self._hindrance = sentence
        await self._write()

    async def _judge(self, fault: str, *, lost: bool) -> None:
        self._fault, self._lost = fault, lost
        if not fault:
            self._bad_since = None
        elif self._bad_since is None:
            self._bad_since = _time()
        await self._write()

    async def _write(self) -> None:
        report, now = self._report(), self._desk.clock()
        if report == self._written and _time() - self._written_at < _REPEAT_SECONDS:
            return
        try:
            await self._desk.write(
                lambda tx: backends.report(tx, self._backend_id, report, now=now)
            )
        except Unavailable as problem:
            log.error("health_not_written", reason=problem.detail)
            return
        self._written, self._written_at = report, _time()

    def _report(self) -> Report:
        version = self._server.version if self._server else ""
        devices = self._server.devices if self._server else ()
        simulator = any(device.name.startswith(SIMULATOR) for device in devices)
        if self._fault:
            health = Health.LOST if self._lost else Health.FAULTY
            return Report(health, self._fault, version, simulator, self._retry_at)
        return Report(Health.OK, self._hindrance or self._quiet, version, simulator)


def _time() -> float:
    return asyncio.get_running_loop().time()
