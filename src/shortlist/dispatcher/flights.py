"""The jobs of one server as its driver holds them, and the hands that carry out their effects.

`domain.job_states` decides; here its decisions become requests and transactions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final, assert_never
from uuid import uuid4

from shortlist import logs
from shortlist.comfy.client import ComfyClient
from shortlist.comfy.faults import ComfyError, WorkflowFault
from shortlist.dispatcher.desk import Desk
from shortlist.dispatcher.intake import Intake
from shortlist.dispatcher.listener import Watched
from shortlist.dispatcher.submitter import Submitter
from shortlist.dispatcher.tracked import Tracked, track
from shortlist.domain.job_states import (
    Cause,
    Do,
    Effect,
    Event,
    Fail,
    Failed,
    Heard,
    Known,
    Where,
    step,
)
from shortlist.services import attempts, jobs
from shortlist.services.assignments import NO_BLAME
from shortlist.services.jobs import Flight

AT_SERVER: Final = (Where.UNSURE, Where.QUEUED, Where.RUNNING)
MOST_FETCHES: Final = 5
"""Tries to fetch one result from a server that is there, before the result counts as bad."""

_UNFETCHED: Final = (
    "The server did not hand over the finished image; look at its network and its disk."
)

log = logs.get("dispatcher")


class Flights:
    """All jobs of one server. `news` is called when an intake has something to report,
    `submitted` after each accepted submit."""

    def __init__(
        self,
        client: ComfyClient,
        desk: Desk,
        *,
        intake: Intake,
        news: Callable[[], None],
        submitted: Callable[[], None],
    ) -> None:
        self._client, self._desk, self._intake = client, desk, intake
        self._news, self._submitted = news, submitted
        self._submitter = Submitter(client, desk)
        self._jobs: dict[int, Tracked] = {}
        self.sentinel = ""
        """An attempt whose history entry is kept: without it, the server was restarted."""
        self.stuck: set[str] = set()
        """Attempts that were given up while they ran."""

    def __iter__(self) -> Iterator[Tracked]:
        return iter(list(self._jobs.values()))

    def get(self, job_id: int) -> Tracked | None:
        """The job of that id."""
        return self._jobs.get(job_id)

    def find(self, prompt_id: str) -> Watched | None:
        """The job that a message of the server is about."""
        return next((j.watched for j in self._jobs.values() if j.prompt_id == prompt_id), None)

    def at_server(self) -> list[Tracked]:
        """The jobs that are or may be in the server's queue."""
        return [job for job in self if job.known.where in AT_SERVER]

    @property
    def places_taken(self) -> int:
        """Jobs that the server has not yet done, recalled ones among them."""
        return sum(job.known.where is not Where.ENDED for job in self)

    @property
    def on_the_way_in(self) -> int:
        """Jobs that the server has done and the hub has not yet taken in."""
        return sum(job.known.where is Where.ENDED for job in self)

    def add(self, flight: Flight, *, where: Where) -> Tracked:
        """Begins to track a job."""
        job = track(flight, where=where, at=asyncio.get_running_loop().time())
        self._jobs[flight.job_id] = job
        return job

    def drop(self, job: Tracked) -> None:
        """Ends it."""
        self._jobs.pop(job.flight.job_id, None)
        self._desk.progress.drop(job.flight.job_id)

    async def collect(self) -> None:
        """Acts on what the intakes have reported."""
        for job in self:
            if job.intake is not None and job.intake.done():
                event, job.intake = job.intake.result(), None
                if event is Heard.LOST_TOUCH and job.fetches >= MOST_FETCHES:
                    event = Failed(Cause.BAD_OUTPUT, _UNFETCHED)
                await self.apply(job, event)

    async def lost_touch(self) -> None:
        """The server is out of reach: nothing is sure until it has been asked again."""
        self._submitter.forget_uploads()
        for job in self:
            if job.intake is None:
                await self.apply(job, Heard.LOST_TOUCH)

    async def close(self, *, seconds: float) -> None:
        """Lets results that are on their way in arrive for `seconds`; the rest is found again at
        the next start."""
        coming = [job.intake for job in self if job.intake is not None]
        if not coming:
            return
        _, late = await asyncio.wait(coming, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*coming, return_exceptions=True)

    async def apply(self, job: Tracked, event: Event) -> None:
        """Does what is to be done about `event`. Raises a `ComfyError` when the server is away."""
        if event in (Heard.ABSENT, Heard.ABSENT_AFTER_RESTART):
            job.missed_at = asyncio.get_running_loop().time()
        job.known, effects = step(job.known, event)
        log.debug("job_heard", job=job.flight.job_id, heard=str(event), where=job.known.where)
        try:
            for effect in effects:
                await self._do(job, effect)
        finally:
            if job.known.where is Where.OVER:
                self.drop(job)

    async def _do(self, job: Tracked, effect: Effect) -> None:
        if isinstance(effect, Fail):
            await self._fail(job, effect)
            return
        now, job_id = self._desk.clock(), job.flight.job_id
        match effect:
            case Do.SUBMIT:
                await self._submit(job)
            case Do.NOTE_SUBMITTED:
                await self._desk.write(lambda tx: jobs.submitted(tx, job_id, now=now))
            case Do.NOTE_RUNNING:
                job.watched.heard_at = asyncio.get_running_loop().time()
                await self._desk.write(lambda tx: jobs.running(tx, job_id, now=now))
            case Do.TAKE_IN | Do.ADOPT:
                self._bring_in(job, effect)
            case Do.RESUBMIT:
                await self._renew(job)
            case Do.CANCEL:
                await self._client.cancel(job.prompt_id)
            case Do.PUT_FIRST:
                await self._put_first(job)
            case Do.SETTLE_RECALL:
                await self._desk.write(lambda tx: jobs.recalled(tx, job_id))
            case Do.FORGET:
                await self._forget(job)
            case Do.FREE:
                with suppress(ComfyError):
                    await self._client.free()
            case _:
                assert_never(effect)

    def _bring_in(self, job: Tracked, effect: Effect) -> None:
        self._desk.progress.drop(job.flight.job_id)
        job.fetches += 1
        if effect is Do.ADOPT:
            coming = self._intake.adopt(job.flight, job.first)
        else:
            coming = self._intake.take_in(job.flight, job.files, took=job.took)
        job.intake = asyncio.create_task(coming)
        job.intake.add_done_callback(lambda _: self._news())

    async def _fail(self, job: Tracked, fail: Fail) -> None:
        now, job_id = self._desk.clock(), job.flight.job_id
        kind = fail.cause
        lost = fail.cause is Cause.LOST
        sentence = job.last_words if lost and job.last_words else fail.sentence
        if fail.cause is Cause.TIMED_OUT:
            self.stuck.add(job.prompt_id)
        log.warning("job_failed", job=job_id, kind=kind, reason=sentence)
        blame = replace(job.blame, rest=timedelta(seconds=self._desk.pace.rest))
        await self._desk.write(
            lambda tx: jobs.fail(tx, job_id, kind=kind, error=sentence, now=now, blame=blame)
        )

    async def _renew(self, job: Tracked) -> None:
        now, prompt_id = self._desk.clock(), str(uuid4())
        try:
            flight = await self._desk.write(
                lambda tx: attempts.renew(tx, job.flight, prompt_id=prompt_id, now=now)
            )
        except WorkflowFault as fault:
            await self.apply(job, Failed(Cause.REFUSED, fault.sentence))
            return
        if flight is None:
            job.known = Known(Where.OVER, job.known.attempts)
            return
        log.info("job_resubmitted", job=flight.job_id, attempt=flight.attempts)
        fresh = track(flight, where=Where.HERE, at=asyncio.get_running_loop().time())
        job.flight, job.graph, job.first = flight, fresh.graph, fresh.first
        job.watched, job.in_history, job.empty_since = fresh.watched, False, None
        job.fetches, job.blame, job.took = 0, NO_BLAME, None

    async def _put_first(self, job: Tracked) -> None:
        """Takes it out of the queue and puts it there anew. What began meanwhile stays."""
        await self._client.withdraw(job.prompt_id)
        if (await self._client.locate(job.prompt_id)).absent:
            await self.apply(job, Heard.WITHDRAWN)
        job.is_first = True

    async def _forget(self, job: Tracked) -> None:
        """Deletes the history entry of the job before: the newest one stays, as a sentinel."""
        if not job.in_history:
            return
        old, self.sentinel = self.sentinel, job.prompt_id
        if old:
            with suppress(ComfyError):
                await self._client.forget(old)

    async def _submit(self, job: Tracked) -> None:
        if job.known.where is not Where.HERE:
            return
        event = await self._submitter.submit(job)
        if event is Heard.ACCEPTED:
            self._submitted()
        await self.apply(job, event)
