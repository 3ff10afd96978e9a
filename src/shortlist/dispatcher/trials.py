"""Test runs: one step on one sample, on a server of the person's choice.

They are kept in memory and end with the hub. A trial stands in the server's queue like any job, is
followed by asking, and never becomes a candidate. That a step made an image is noted with it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Final
from uuid import uuid4

from shortlist import logs
from shortlist.comfy.client import ComfyClient
from shortlist.comfy.faults import ComfyError
from shortlist.comfy.graph import title_of
from shortlist.comfy.messages import End, Executing, Outcome, Progress
from shortlist.comfy.workflow import Graph, Values, patch
from shortlist.errors import Conflict, NotFound, Unavailable
from shortlist.images.blobs import Blobs
from shortlist.images.model import BlobsError, ImageFault
from shortlist.images.renderer import RendererPool
from shortlist.services.trials import OVER, State, Trial, Wish, passed
from shortlist.store.db import Database

MOST_AT_ONCE: Final = 4
MOST_KEPT: Final = 40
LOOK_SECONDS: Final = 0.4
LONGEST_SECONDS: Final = 3600.0
GRACE_SECONDS: Final = 3.0
"""How long a trial may be in neither queue nor history: history may be written late."""

log = logs.get("dispatcher")


class Trials:
    """All test runs of one hub. Belongs to one event loop."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        renderer: RendererPool,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._database, self._blobs, self._renderer = database, blobs, renderer
        self._clock = clock
        self._trials: dict[str, Trial] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, wish: Wish) -> Trial:
        """Begins a test run. Raises `Conflict` while too many are under way."""
        under_way = [trial for trial in self._trials.values() if trial.state not in OVER]
        if len(under_way) >= MOST_AT_ONCE:
            raise Conflict(f"{MOST_AT_ONCE} test runs are under way; wait for one, or cancel it.")
        for old in list(self._trials)[: max(0, len(self._trials) - MOST_KEPT)]:
            if self._trials[old].state in OVER:
                del self._trials[old]
        trial = Trial(str(uuid4()), wish, State.WAITING, "On its way.", None, 0.0, 0.0, (), None)
        self._trials[trial.id] = trial
        task = asyncio.create_task(self._run(trial))
        self._tasks[trial.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(trial.id, None))
        return trial

    def get(self, id: str) -> Trial:
        """A test run as it is now. Raises `NotFound`."""
        trial = self._trials.get(id)
        if trial is None:
            raise NotFound("There is no such test run; a restart of the hub ends them.")
        return trial

    async def cancel(self, id: str) -> Trial:
        """Takes a test run back from its server."""
        trial = self.get(id)
        if trial.state in OVER:
            raise Conflict(f"This test run is over ({trial.state}).")
        task = self._tasks.get(id)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        return self._trials[id]

    async def close(self) -> None:
        """Ends all of them."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _note(self, id: str, **changes: object) -> None:
        self._trials[id] = replace(self._trials[id], **changes)  # type: ignore[arg-type]

    async def _run(self, trial: Trial) -> None:
        started = time.monotonic()
        state, detail = State.FAILED, "The test run failed."
        try:
            async with ComfyClient(trial.wish.url, client_id=f"shortlist-try-{trial.id}") as client:
                is_over = False
                try:
                    async with asyncio.timeout(LONGEST_SECONDS):
                        state, detail = await self._made(trial, client)
                    is_over = True
                finally:
                    if not is_over:
                        await self._taken_back(client, trial.id)
        except asyncio.CancelledError:
            state, detail = State.CANCELLED, "The test run was cancelled."
        except TimeoutError:
            detail = "The test run took longer than an hour; it was stopped."
        except (ComfyError, BlobsError, ImageFault) as fault:
            detail = fault.sentence
        seconds = time.monotonic() - started
        self._note(trial.id, state=state, detail=detail, node=None, seconds=seconds)

    async def _taken_back(self, client: ComfyClient, id: str) -> None:
        with suppress(ComfyError, TimeoutError):
            async with asyncio.timeout(10):
                await client.cancel(id)

    async def _made(self, trial: Trial, client: ComfyClient) -> tuple[State, str]:
        graph = await self._graph(trial, client)
        ear = asyncio.create_task(self._listen(trial.id, client, graph))
        try:
            await client.submit(trial.id, graph, extra_pnginfo={})
            self._note(trial.id, detail=f"Waiting at {trial.wish.backend_name}.")
            outcome = await self._outcome(trial, client)
        finally:
            ear.cancel()
            await asyncio.wait([ear])
        if outcome is None:
            return State.FAILED, "The server lost the test run; try again."
        if outcome.end is End.INTERRUPTED:
            return State.FAILED, "Somebody stopped the test run in ComfyUI."
        if outcome.failure is not None:
            return State.FAILED, outcome.failure.sentence
        return await self._kept(trial, client, outcome)

    async def _graph(self, trial: Trial, client: ComfyClient) -> Graph:
        wish = trial.wish
        reference: str | None = None
        if wish.sample is not None:
            data = await asyncio.to_thread(self._blobs.get, wish.sample)
            name = PurePosixPath(wish.sample)
            reference = await client.upload(data, name.stem, name.suffix.lstrip("."))
        values = Values(
            prefix=f"shortlist/trials/{trial.id}/s",
            seed=wish.seed,
            image=reference,
            positive=wish.prompt or None,
            negative=wish.negative or None,
            variables={n: v for n, v in wish.variables.items() if n in wish.bindings.variables},
        )
        return patch(wish.graph, wish.bindings, values)

    async def _outcome(self, trial: Trial, client: ComfyClient) -> Outcome | None:
        """How it ended; null when the server knows nothing of it any more."""
        absent_since: float | None = None
        while True:
            place = await client.locate(trial.id)
            if place.outcome is not None:
                return place.outcome
            if place.running and self._trials[trial.id].state is State.WAITING:
                words = f"Running on {trial.wish.backend_name}."
                self._note(trial.id, state=State.RUNNING, detail=words)
            if not place.absent:
                absent_since = None
            elif absent_since is None:
                absent_since = time.monotonic()
            elif time.monotonic() - absent_since > GRACE_SECONDS:
                return None
            await asyncio.sleep(LOOK_SECONDS)

    async def _kept(self, trial: Trial, client: ComfyClient, outcome: Outcome) -> tuple[State, str]:
        files = outcome.stills(trial.wish.bindings.output)
        if not files:
            return State.FAILED, outcome.no_still(trial.wish.bindings.output)
        keys: list[str] = []
        for file in files[:8]:
            data = await client.view(file)
            rendered = await self._renderer.render(data)
            keys.append(await asyncio.to_thread(self._blobs.put_image, data, rendered))
        self._note(trial.id, after=tuple(keys))
        with suppress(ComfyError):
            await client.forget(trial.id)
        await self._passed(trial.wish.step_id)
        many = "" if len(files) == 1 else f" It gave {len(files)} images; a job keeps what fits."
        return State.SUCCEEDED, f"It works on {trial.wish.backend_name}.{many}"

    async def _passed(self, step_id: int) -> None:
        now = self._clock()
        try:
            await asyncio.to_thread(self._database.run, lambda tx: passed(tx, step_id, now=now))
        except Unavailable as problem:
            log.warning("trial_not_noted", step=step_id, reason=problem.detail)

    async def _listen(self, id: str, client: ComfyClient, graph: Graph) -> None:
        """Progress, as long as the server tells of it; the end is asked for elsewhere."""
        with suppress(ComfyError):
            async for message in client.events():
                if not isinstance(message, Executing | Progress) or message.prompt_id != id:
                    continue
                node = title_of(graph, message.node) if message.node in graph else None
                if isinstance(message, Progress):
                    self._note(id, node=node, value=message.value, max=message.max)
                else:
                    self._note(id, node=node, value=0.0, max=0.0)
