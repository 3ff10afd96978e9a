"""The worker: takes one job at a time, visits its nodes in ComfyUI's order, answers what it can
from the cache and lets the scripted faults happen. What it tells the world is in `run`."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from shortlist import logs
from shortlist.simulator import graph as graphs
from shortlist.simulator.files import Folders, Place
from shortlist.simulator.jobs import Ended, Item, Jobs
from shortlist.simulator.nodes import Call, Done, JsonObject, Latent, NodeClass, OutOfMemory, Pace
from shortlist.simulator.options import Fault, FaultKind, FaultScript, SimulatorOptions, Version
from shortlist.simulator.painter import Drawing
from shortlist.simulator.run import Interrupted, NodeFailed, Run, unfinished
from shortlist.simulator.sockets import Sockets

AT_NODE = frozenset(
    {
        FaultKind.RAISE,
        FaultKind.OUT_OF_MEMORY,
        FaultKind.INTERRUPT,
        FaultKind.BLOCK,
        FaultKind.HANG,
        FaultKind.SLOW,
        FaultKind.KILL_WORKER,
        FaultKind.DROP_SOCKETS,
        FaultKind.SILENCE_SOCKETS,
    }
)
AT_END = frozenset({FaultKind.LATE_HISTORY, FaultKind.LOSE_HISTORY})

KEPT_RESULTS = 48
"""Newer versions keep results over many jobs; this many, as each may hold a large picture."""


class WorkerDied(Exception):
    """Ends the worker and leaves its job in `queue_running` for ever."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Stands for a value that must not be used; the text is told once, then the block is silent."""

    text: str | None


class Engine:
    """The worker and its cache."""

    def __init__(
        self,
        options: SimulatorOptions,
        *,
        classes: Mapping[str, NodeClass],
        folders: Folders,
        jobs: Jobs,
        sockets: Sockets,
        faults: FaultScript,
    ) -> None:
        self._options, self._classes, self._folders = options, classes, folders
        self._jobs, self._sockets, self._faults = jobs, sockets, faults
        self._cache: dict[str, Done] = {}
        self._interrupt = False
        self._forget = False
        self._resident: str | None = None
        self.client: str | None = None
        """The client of the present or the last job."""
        self.node: str | None = None
        """The node that runs."""

    def interrupt(self) -> None:
        """Stops the running job at its next node or tick."""
        self._interrupt = True

    def free(self, *, forget: bool) -> None:
        """Unloads the model and, with `forget`, empties the cache once idle."""
        self._resident = None
        self._forget = self._forget or forget
        if not self._jobs.running:
            self._clean_up()

    async def work(self) -> None:
        """Runs jobs until it dies of a fault; nothing restarts it, as in ComfyUI."""
        try:
            while True:
                place, item = await self._jobs.take()
                await self._job(place, item)
                self._clean_up()
        except (WorkerDied, TypeError) as error:
            logs.get("simulator").warning("worker_died", error=str(error))

    def _clean_up(self) -> None:
        if self._forget:
            self._cache.clear()
            self._forget = False

    async def _job(self, place: int, item: Item) -> None:
        _, prompt_id, graph, extra, outputs = item
        client = extra.get("client_id")
        self.client = str(client) if client is not None else None
        self._interrupt = False
        run = Run(self._sockets, prompt_id, graph, extra, outputs, self.client)
        success = await self._execute(run)
        self.node = None
        fault = self._faults.strike(AT_END, prompt_id=prompt_id)
        if fault and fault.kind is FaultKind.LATE_HISTORY:
            await asyncio.sleep(fault.seconds)
        lost = fault is not None and fault.kind is FaultKind.LOSE_HISTORY
        self._jobs.finish(place, self._ended(run, item, success=success), keep=not lost)
        run.over()

    async def _execute(self, run: Run) -> bool:
        run.started()
        run.signatures = await asyncio.to_thread(
            graphs.signatures, run.graph, self._classes, self._folders
        )
        self._trim_cache(run)
        run.cached = {n for n in run.graph if run.signatures.get(n) in self._cache}
        run.found_cached()
        pending = graphs.wanted_nodes(run.graph, run.outputs, cached=run.cached)
        results: dict[str, Done] = {}
        while pending:
            waits_for = {
                n: {s for _, s, _ in graphs.links(run.graph[n]) if s in pending} for n in pending
            }
            outputs = set(run.outputs)
            node_id = graphs.next_ready(pending, waits_for=waits_for, outputs=outputs)
            if not await self._visit(run, node_id, results=results):
                return False
            pending.remove(node_id)
        run.succeeded()
        return True

    def _trim_cache(self, run: Run) -> None:
        """The measured version keeps only what the new graph can use."""
        kept = set(run.signatures.values())
        if self._options.version is Version.NEW:
            kept |= set(list(self._cache)[-KEPT_RESULTS:])
        self._cache = {sign: done for sign, done in self._cache.items() if sign in kept}

    async def _visit(self, run: Run, node_id: str, *, results: dict[str, Done]) -> bool:
        """Brings one node to its end; False when the job ends with it."""
        if node_id in run.cached:
            run.shown(node_id, self._cache[run.signatures[node_id]].shown)
            run.finished(node_id)
            return True
        call = self._call(run, node_id, results=results)
        try:
            results[node_id] = await self._run_node(run, node_id, call=call)
        except Interrupted:
            run.interrupted(node_id)
            return False
        except NodeFailed as failure:
            run.failed(node_id, failure, call.inputs)
            return False
        run.executed.append(node_id)
        return True

    def _call(self, run: Run, node_id: str, *, results: Mapping[str, Done]) -> Call:
        inputs = run.graph[node_id]["inputs"]
        assert isinstance(inputs, dict)
        linked = {}
        for name, source, slot in graphs.links(run.graph[node_id]):
            done = results.get(source) or self._cache[run.signatures[source]]
            linked[name] = done.values[slot]
        pnginfo = run.extra.get("extra_pnginfo")
        return Call({**inputs, **linked}, self._folders, run.graph, pnginfo)

    async def _run_node(self, run: Run, node_id: str, *, call: Call) -> Done:
        run.progressed(node_id, 0.0, 1.0)
        self.node = node_id if run.client is not None else self.node
        run.executing(node_id)
        if self._interrupt:
            raise Interrupted
        node_class = self._classes[str(run.graph[node_id]["class_type"])]
        fault = await self._strike(run, str(run.graph[node_id]["class_type"]))
        done = _block(run, node_id, node_class, call=call, fault=fault)
        if done is None:
            done = await self._perform(run, node_id, call=call)
            self._cache[run.signatures[node_id]] = done
        if done.shown is not None:
            run.shown(node_id, done.shown)
        run.finished(node_id)
        return done

    async def _strike(self, run: Run, node_type: str) -> Fault | None:
        """Lets a scripted fault happen; one that blocks the branch is handed back."""
        fault = self._faults.strike(AT_NODE, node_class=node_type, prompt_id=run.prompt_id)
        if fault is None:
            return None
        match fault.kind:
            case FaultKind.RAISE:
                raise NodeFailed.of(ValueError(fault.text))
            case FaultKind.OUT_OF_MEMORY:
                self._resident = None
                raise NodeFailed.of(OutOfMemory())
            case FaultKind.INTERRUPT:
                raise Interrupted
            case FaultKind.HANG:
                await asyncio.Event().wait()
            case FaultKind.SLOW:
                await asyncio.sleep(fault.seconds)
            case FaultKind.KILL_WORKER:
                raise WorkerDied("a node ended the worker")
            case FaultKind.DROP_SOCKETS:
                await self._sockets.drop_all()
            case FaultKind.SILENCE_SOCKETS:
                self._sockets.silence()
        return fault if fault.kind is FaultKind.BLOCK else None

    async def _perform(self, run: Run, node_id: str, *, call: Call) -> Done:
        """Runs the node, then reports its ticks as the paced time goes by."""
        node_class = self._classes[str(run.graph[node_id]["class_type"])]
        pace = node_class.pace(call.inputs, self._options.seconds_per_image)
        await self._load(pace)
        started = time.monotonic()
        try:
            done = await asyncio.to_thread(node_class.run, call)
        except Interrupted:
            raise
        except Exception as error:  # a node is foreign code: whatever it raises fails the job
            raise NodeFailed.of(error) from error
        for tick in range(1, pace.ticks + 1):
            await _sleep_until(started + pace.seconds * tick / pace.ticks)
            if self._interrupt:
                raise Interrupted
            preview = self._preview(run, done, pace=pace, left=1 - tick / pace.ticks)
            run.ticked(node_id, tick, of=pace.ticks, preview=preview)
        await _sleep_until(started + pace.seconds)
        return Done(done.values, self._described(done.shown))

    async def _load(self, pace: Pace) -> None:
        if pace.model is not None and pace.model != self._resident:
            await asyncio.sleep(self._options.load_seconds)
            self._resident = pace.model

    def _preview(self, run: Run, done: Done, *, pace: Pace, left: float) -> Image.Image | None:
        if not pace.preview or not self._sockets.anyone(run.client):
            return None
        first = done.values[0]
        drawings = first.drawings if isinstance(first, Latent) else first
        if not isinstance(drawings, tuple) or not isinstance(drawings[0], Drawing):
            return None
        return unfinished(drawings[0].image, left=left)

    def _described(self, shown: JsonObject | None) -> JsonObject | None:
        """File entries as the newer versions give them, with kind, size and an id."""
        entries = shown and shown.get("images")
        if self._options.version is not Version.NEW or not isinstance(entries, list):
            return shown
        return {**(shown or {}), "images": [self._with_metadata(entry) for entry in entries]}

    def _with_metadata(self, entry: JsonObject) -> JsonObject:
        folder = self._folders.inside(Place(entry["type"]), str(entry["subfolder"]))
        with Image.open(folder / str(entry["filename"])) as image:
            width, height = image.size
        metadata = {"kind": "image", "width": width, "height": height}
        return {**entry, "metadata": metadata, "id": str(uuid.uuid4())}

    def _ended(self, run: Run, item: Item, *, success: bool) -> Ended:
        outputs: JsonObject = {}
        meta: JsonObject = {}
        for node_id in [*run.outputs, *(n for n in run.graph if n not in run.outputs)]:
            done = self._cache.get(run.signatures.get(node_id, ""))
            if done is None or done.shown is None or self._forgets(run, node_id):
                continue
            outputs[node_id] = done.shown
            meta[node_id] = {
                "node_id": node_id,
                "display_node": node_id,
                "parent_node": None,
                "real_node_id": node_id,
            }
        return Ended(item, outputs, success, run.messages, meta)

    def _forgets(self, run: Run, node_id: str) -> bool:
        """Some versions list no cached outputs for a job without a client."""
        nobody = run.client is None and node_id in run.cached
        return nobody and self._options.version is Version.MID


def _block(
    run: Run, node_id: str, node_class: NodeClass, *, call: Call, fault: Fault | None
) -> Done | None:
    """The result of a node that blocks its branch or sits below one that does."""
    slots = max(1, len(node_class.slots))
    if fault:
        return Done((Blocked(fault.text),) * slots)
    blocks = [value for value in call.inputs.values() if isinstance(value, Blocked)]
    if not blocks:
        return None
    if text := next((block.text for block in blocks if block.text), None):
        run.blocked(node_id, text)
    return Done((Blocked(None),) * slots)


async def _sleep_until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.monotonic()))
