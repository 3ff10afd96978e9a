"""One server: connect, reconcile, fill, follow, let go.

The truth is asked for (queue, then history); the socket only makes the driver ask sooner. A job is
claimed when a place is free and not before, so that the newest votes decide. Results are taken in
beside this loop: the next job is at the server before the hub looks at the last one's bytes.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Final

from shortlist import logs
from shortlist.comfy.client import Queue
from shortlist.comfy.faults import ComfyError
from shortlist.comfy.messages import End, Outcome
from shortlist.dispatcher.chooser import Chooser
from shortlist.dispatcher.condition import Condition
from shortlist.dispatcher.desk import Desk
from shortlist.dispatcher.flights import Flights
from shortlist.dispatcher.intake import Intake
from shortlist.dispatcher.listener import Listener
from shortlist.dispatcher.tracked import Tracked
from shortlist.domain.job_states import Cause, Event, Failed, Heard, Where
from shortlist.services import attempts, jobs
from shortlist.services.assignments import Blame, Took
from shortlist.services.backends import Driven

BACKLOG: Final = 8
"""Results on their way in above which no job is claimed: the hub is slower than the server."""
EMPTY_SECONDS: Final = 2.0
"""How long a finished job without files is looked at again: history may be written late."""

log = logs.get("dispatcher")


class Driver:
    """Drives one server until told to stop. `enabled` false lets it drain."""

    def __init__(self, backend: Driven, desk: Desk) -> None:
        self.backend = backend
        self.enabled = backend.enabled
        self._desk, self._pace = desk, desk.pace
        self._client = desk.client(backend.url)
        self._condition = Condition(backend.id, desk)
        self._chooser = Chooser(backend.id, self._client, desk)
        self.last_step: int | None = None
        """The step of the newest job that it was given."""
        self._news = asyncio.Event()
        self._flights = Flights(
            self._client,
            desk,
            intake=Intake(self._client, desk, hindered=self._condition.hindered),
            news=self._news.set,
            submitted=self._expect,
        )
        self._listener = Listener(
            self._client,
            pace=desk.pace,
            board=desk.progress,
            find=self._flights.find,
            hint=self._hint,
            ended=self._suspect,
        )
        self._connected = False
        self._rung = self._hinted = self._unasked = True
        self._heeded_at = self._polled_at = self._survey_at = 0.0
        self._longest: dict[int, float] = {}

    @property
    def backend_id(self) -> int:
        return self.backend.id

    @property
    def is_free(self) -> bool:
        """Whether it would take a job now."""
        return self._connected and self._has_room()

    @property
    def in_use(self) -> bool:
        """Whether it takes jobs at all, now or when it has done one."""
        return self._connected and self.enabled and self._condition.is_good

    @property
    def taken(self) -> int:
        """How many jobs it has."""
        return self._flights.places_taken

    def ring(self) -> None:
        """Something changed in the database; to be called in the loop's thread."""
        self._rung = True
        self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Drives until `stop` is set and rung. Jobs in flight stay at the server."""
        self._desk.floor.enter(self)
        try:
            async with self._client, asyncio.TaskGroup() as group:
                ear = group.create_task(self._listener.run())
                while not stop.is_set():
                    await self._round(stop)
                ear.cancel()
                await self._flights.close(seconds=self._pace.farewell)
        finally:
            self._desk.floor.leave(self)
            await self._flights.close(seconds=0)

    async def _round(self, stop: asyncio.Event) -> None:
        try:
            await self._turn()
        except ComfyError as fault:
            await self._away(fault)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._condition.retry_seconds)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), self._until_due())
        self._news.clear()

    async def _turn(self) -> None:
        """One look at everything that is due."""
        if not self._connected:
            await self._condition.connected(await self._client.probe())
            await self._chooser.connected()
            self._connected, self._survey_at = True, 0.0
        await self._flights.collect()
        now = _time()
        if self._rung and now - self._heeded_at >= self._pace.gather:
            await self._heed()
        if now >= self._survey_at:
            await self._survey()
        elif self._hinted or now - self._polled_at >= self._pace.poll:
            await self._poll()
        self._listener.check()
        await self._fill()

    def _until_due(self) -> float:
        due = [self._survey_at]
        if self._rung:
            due.append(self._heeded_at + self._pace.gather)
        if self._chooser.waits_until is not None and self._has_room():
            due.append(self._chooser.waits_until)
        if self._flights.at_server():
            due.append(self._polled_at + self._pace.poll)
        return max(0.0, min(due) - _time())

    async def _away(self, fault: ComfyError) -> None:
        """The server can't be used now; nothing is lost by that."""
        self._connected = False
        await self._flights.lost_touch()
        await self._condition.away(fault)
        await self._give_back()

    async def _heed(self) -> None:
        """Reads what the database wants of this server: jobs found again, and recalls."""
        self._rung, self._unasked, self._heeded_at = False, True, _time()
        wanted = await self._desk.read(lambda tx: jobs.flights(tx, self.backend.id))
        for flight in wanted:
            job = self._flights.get(flight.job_id)
            if job is None:
                self._flights.add(flight, where=Where.UNSURE)
                self._survey_at = 0.0
            elif flight.goes_first and not job.flight.goes_first:
                job.flight = replace(job.flight, goes_first=True)
                self._survey_at = 0.0
            elif flight.recall and not job.known.recalled:
                await self._flights.apply(job, Heard.RECALL)
                self._survey_at = min(self._survey_at, _time() + self._pace.poll)

    async def _poll(self) -> None:
        """Asks for the end of each job that the server has."""
        self._hinted, self._polled_at = False, _time()
        for job in self._flights.at_server():
            await self._ask(job)

    async def _ask(self, job: Tracked) -> bool:
        """True if the job's end is in history, whatever it is."""
        outcome = await self._client.history(job.prompt_id)
        if outcome is None:
            return False
        event = self._meaning(job, outcome)
        if event is not None:
            job.in_history = self._unasked = True
            await self._flights.apply(job, event)
        return True

    def _meaning(self, job: Tracked, outcome: Outcome) -> Event | None:
        """What an outcome says to the job; nothing yet where its files may still be noted down."""
        if outcome.end is End.INTERRUPTED:
            return Heard.INTERRUPTED
        if outcome.end is End.FAILED:
            failure = outcome.failure
            assert failure is not None
            job.blame = Blame(node=failure.title or failure.node_type or None, log=failure.detail)
            cause = Cause.OUT_OF_MEMORY if failure.out_of_memory else Cause.RAISED
            return Failed(cause, failure.sentence)
        job.files = outcome.stills(job.output)
        if job.files:
            self._learn(job, outcome)
            return Heard.SUCCEEDED
        job.empty_since = job.empty_since or _time()
        if _time() - job.empty_since < EMPTY_SECONDS:
            return None
        if job.output in outcome.cached:
            return Heard.FILES_GONE
        return Failed(Cause.BAD_OUTPUT, outcome.no_still(job.output))

    def _learn(self, job: Tracked, outcome: Outcome) -> None:
        if outcome.started_ms is not None and outcome.ended_ms is not None:
            seconds = (outcome.ended_ms - outcome.started_ms) / 1000
            step_id = job.flight.step_id
            self._longest[step_id] = max(self._longest.get(step_id, 0.0), seconds)
            if job.cold is not None:
                job.took = Took(seconds, job.cold)

    async def _survey(self) -> None:
        """Finds every job again: in the queue, in history, or not at all."""
        self._hinted, self._polled_at = False, _time()
        self._survey_at = _time() + self._pace.survey
        queue = await self._client.queue()
        for job in self._flights:
            await self._locate(job, queue)
        if any(job.known.missed for job in self._flights):
            self._survey_at = _time() + self._pace.absence
        await self._condition.seen(queue, stuck=self._flights.stuck, silence=self._silence())
        await self._give_back()

    async def _locate(self, job: Tracked, queue: Queue) -> None:
        if job.known.where is Where.HERE:
            await self._flights.apply(job, Heard.CLAIMED)
        elif job.known.where is Where.ENDED:
            return
        elif job.prompt_id in queue.running:
            await self._flights.apply(job, Heard.RUNNING)
            await self._lose_patience(job)
        elif job.prompt_id in queue.pending:
            await self._flights.apply(job, Heard.QUEUED)
            if job.flight.goes_first and not job.is_first and queue.pending[0] != job.prompt_id:
                await self._flights.apply(job, Heard.GOES_FIRST)
        elif not await self._ask(job):
            await self._miss(job)

    async def _miss(self, job: Tracked) -> None:
        if job.known.missed and _time() - job.missed_at < self._pace.absence:
            return
        sentinel = self._flights.sentinel
        restarted = bool(sentinel) and await self._client.history(sentinel) is None
        self._unasked = True
        await self._flights.apply(job, Heard.ABSENT_AFTER_RESTART if restarted else Heard.ABSENT)

    async def _lose_patience(self, job: Tracked) -> None:
        """Gives a job up that runs without any news for far longer than its like ever ran."""
        silent = _time() - job.watched.heard_at
        if silent < self._patience(job) or job.known.recalled:
            return
        words = f"It showed no progress for {silent / 60:.0f} minutes; it was stopped."
        await self._flights.apply(job, Failed(Cause.TIMED_OUT, words))

    def _patience(self, job: Tracked) -> float:
        longest = self._longest.get(job.flight.step_id)
        if longest is None:
            return self._pace.stall
        return max(self._pace.shortest_stall, 10 * longest)

    def _silence(self) -> float:
        """Seconds for which the running job has shown nothing."""
        running = [j for j in self._flights if j.known.where is Where.RUNNING]
        return max((_time() - job.watched.heard_at for job in running), default=0.0)

    async def _fill(self) -> None:
        """Claims and submits while there is a place at the server and a job to be had."""
        while self._unasked and self._has_room():
            flight = await self._chooser.claim(self)
            if flight is None:
                self._unasked = self._chooser.waits_until is not None
                return
            job = self._flights.add(flight, where=Where.HERE)
            job.cold = None if self.last_step is None else self.last_step != flight.step_id
            self.last_step = flight.step_id
            await self._flights.apply(job, Heard.CLAIMED)

    def _has_room(self) -> bool:
        return (
            self.enabled
            and self._condition.is_good
            and self._flights.places_taken < self._desk.lookahead
            and self._flights.on_the_way_in < BACKLOG
            and not any(job.known.where is Where.HERE for job in self._flights)
        )

    async def _give_back(self) -> None:
        """Lets others have the jobs of a server that has been out of order for long."""
        status = self._condition.to_give_back()
        if not status:
            return
        now = self._desk.clock()
        given = await self._desk.write(
            lambda tx: attempts.give_back(tx, self.backend.id, status=status, now=now)
        )
        if given:
            log.warning("jobs_given_back", backend=self.backend.id, jobs=given)
            self.ring()

    def _hint(self) -> None:
        self._hinted = True
        self._news.set()

    def _suspect(self) -> None:
        """The socket broke; the server may have been restarted."""
        self._survey_at = 0.0
        self._news.set()

    def _expect(self) -> None:
        self._listener.expect()


def _time() -> float:
    return asyncio.get_running_loop().time()
