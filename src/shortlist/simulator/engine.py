"""The worker: takes one job at a time, visits its nodes in ComfyUI's order, answers what it can
from the cache, and tells the sockets and the history what happened, in the recorded order."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import Image, ImageFilter

from shortlist import logs
from shortlist.simulator import graph as graphs
from shortlist.simulator.files import Folders, Place
from shortlist.simulator.jobs import Item, Jobs
from shortlist.simulator.nodes import Call, Done, JsonObject, Latent, NodeClass, OutOfMemory, Pace
from shortlist.simulator.options import Fault, FaultKind, FaultScript, SimulatorOptions, Version
from shortlist.simulator.painter import Drawing
from shortlist.simulator.sockets import Preview, Sockets

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

OUT_OF_MEMORY_TEXT = (
    "CUDA out of memory. Tried to allocate 20.00 GiB\n"
    "This error means you ran out of memory on your GPU.\n\n"
    "TIPS: If the workflow worked before you might have accidentally set the batch_size to a "
    "large number."
)
PREVIEW_PIXELS = 256
"""Length of a preview's long side, about: small, since each tick sends one."""
KEPT_RESULTS = 48
"""Newer versions keep results over many jobs; this many, as each may hold a large picture."""

_FRAME = '  File "/simulator/execution.py", line {}, in execute\n    run the node\n'


class Interrupted(Exception):
    """The running job was told to stop, or a node says so."""


class WorkerDied(Exception):
    """Ends the worker and leaves its job in `queue_running` for ever."""


class NodeFailed(Exception):
    """A node raised: what ComfyUI reports of it."""

    def __init__(self, message: str, *, kind: str, frames: list[str]) -> None:
        super().__init__(message)
        self.message, self.kind, self.frames = message, kind, frames


@dataclass(frozen=True, slots=True)
class Blocked:
    """Stands for a value that must not be used; the text is told once, then the block is silent."""

    text: str | None


@dataclass(slots=True)
class Run:
    """One job on its way: what it has told, run and shown so far."""

    prompt_id: str
    graph: graphs.Graph
    extra: JsonObject
    outputs: list[str]
    client: str | None
    messages: list[list[object]] = field(default_factory=list)
    progress: dict[str, JsonObject] = field(default_factory=dict)
    executed: list[str] = field(default_factory=list)
    cached: set[str] = field(default_factory=set)
    signatures: Mapping[str, str] = field(default_factory=dict)
    blocked: dict[str, Done] = field(default_factory=dict)


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
        self.options, self.classes, self.folders = options, classes, folders
        self.jobs, self.sockets, self.faults = jobs, sockets, faults
        self.client: str | None = None
        self.node: str | None = None
        self._cache: dict[str, Done] = {}
        self._interrupt = False
        self._forget = False
        self._resident: str | None = None

    def interrupt(self) -> None:
        """Stops the running job at its next node or tick."""
        self._interrupt = True

    def free(self, *, forget: bool) -> None:
        """Unloads the model once idle and, with `forget`, empties the cache."""
        self._resident = None
        self._forget = self._forget or forget
        if not self.jobs.running:
            self._clean_up()

    async def work(self) -> None:
        """Runs jobs until it dies of a fault; nothing restarts it, as in ComfyUI."""
        try:
            while True:
                place, item = await self.jobs.take()
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
        run = Run(prompt_id, graph, extra, outputs, self.client)
        success = await self._execute(run)
        self.node = None
        fault = self.faults.strike(AT_END, prompt_id=prompt_id)
        if fault and fault.kind is FaultKind.LATE_HISTORY:
            await asyncio.sleep(fault.seconds)
        lost = fault is not None and fault.kind is FaultKind.LOSE_HISTORY
        self.jobs.finish(place, self._entry(run, success=success), keep=not lost)
        if run.client is not None:
            self._tell(run, "executing", {"node": None, "prompt_id": prompt_id})

    async def _execute(self, run: Run) -> bool:
        self._report(run, "execution_start", {})
        run.signatures = await asyncio.to_thread(
            graphs.signatures, run.graph, self.classes, self.folders
        )
        self._trim_cache(run)
        run.cached = {n for n in run.graph if run.signatures.get(n) in self._cache}
        self._report(run, "execution_cached", {"nodes": [n for n in run.graph if n in run.cached]})
        pending = graphs.wanted_nodes(run.graph, run.outputs, cached=run.cached)
        while pending:
            blocked_by = {
                n: {s for _, s, _ in graphs.links(run.graph[n]) if s in pending} for n in pending
            }
            node_id = graphs.next_ready(
                run.graph, pending, blocked_by=blocked_by, outputs=set(run.outputs)
            )
            if not await self._visit(run, node_id):
                return False
            pending.remove(node_id)
        self._report(run, "execution_success", {})
        return True

    def _trim_cache(self, run: Run) -> None:
        kept = list(run.signatures.values())
        if self.options.version is Version.NEW:
            kept += list(self._cache)[-KEPT_RESULTS:]
        self._cache = {sign: done for sign, done in self._cache.items() if sign in kept}

    async def _visit(self, run: Run, node_id: str) -> bool:
        """Brings one node to its end; False when the job ends with it."""
        node_type = str(run.graph[node_id]["class_type"])
        if node_id in run.cached:
            self._show_cached(run, node_id)
            return True
        where: JsonObject = {
            "node_id": node_id,
            "node_type": node_type,
            "executed": list(run.executed),
        }
        try:
            await self._run_node(run, node_id, node_type)
        except Interrupted:
            self._report(run, "execution_interrupted", where, broadcast=True)
            return False
        except NodeFailed as failure:
            self._report(run, "execution_error", where | self._failure(run, node_id, failure))
            return False
        run.executed.append(node_id)
        return True

    def _show_cached(self, run: Run, node_id: str) -> None:
        if run.client is not None:
            shown = self._cache[run.signatures[node_id]].shown
            self._tell(run, "executed", _of_node(run, node_id, output=shown))
        self._progress(run, node_id, value=1, top=1, state="finished")

    async def _run_node(self, run: Run, node_id: str, node_type: str) -> None:
        self._progress(run, node_id, value=0.0, top=1.0, state="running")
        if run.client is not None:
            self.node = node_id
            self._tell(run, "executing", _of_node(run, node_id))
        if self._interrupt:
            raise self._stopped()
        fault = await self._strike(run, node_type)
        done = self._blocked(run, node_id, fault)
        if done is None:
            node_class = self.classes[node_type]
            call = self._call(run, node_id)
            pace = node_class.pace(call.inputs, self.options.seconds_per_image)
            await self._load(pace)
            done = await self._perform(run, node_id, call=call, pace=pace)
        if done.shown is not None:
            done = Done(done.values, self._described(done.shown))
            if run.client is not None:
                self._tell(run, "executed", _of_node(run, node_id, output=done.shown))
        if not any(isinstance(value, Blocked) for value in done.values):
            self._cache[run.signatures[node_id]] = done
        else:
            run.blocked[node_id] = done
        at = run.progress[node_id]
        self._progress(run, node_id, value=at["max"], top=at["max"], state="finished")

    async def _strike(self, run: Run, node_type: str) -> Fault | None:
        """Lets a scripted fault happen; one that blocks the branch is handed back."""
        fault = self.faults.strike(AT_NODE, node_class=node_type, prompt_id=run.prompt_id)
        match fault.kind if fault else None:
            case FaultKind.RAISE:
                assert fault
                raise NodeFailed(fault.text + "\n", kind="ValueError", frames=[_FRAME.format(1)])
            case FaultKind.OUT_OF_MEMORY:
                self._resident = None
                raise _failed(OutOfMemory())
            case FaultKind.INTERRUPT:
                raise Interrupted
            case FaultKind.HANG:
                await asyncio.Event().wait()
            case FaultKind.SLOW:
                assert fault
                await asyncio.sleep(fault.seconds)
            case FaultKind.KILL_WORKER:
                raise WorkerDied("a node ended the worker")
            case FaultKind.DROP_SOCKETS:
                await self.sockets.drop_all()
            case FaultKind.SILENCE_SOCKETS:
                self.sockets.silence()
        return fault if fault and fault.kind is FaultKind.BLOCK else None

    def _blocked(self, run: Run, node_id: str, fault: Fault | None) -> Done | None:
        """The result of a node that blocks its branch or sits below one that does."""
        node_class = self.classes[str(run.graph[node_id]["class_type"])]
        slots = node_class.info["output"]
        count = len(slots) if isinstance(slots, list) else 0
        if fault:
            return Done((Blocked(fault.text),) * count)
        above = [self._value(run, source, slot) for _, source, slot in _links(run, node_id)]
        blocks = [value for value in above if isinstance(value, Blocked)]
        if not blocks:
            return None
        if text := next((block.text for block in blocks if block.text), None):
            failure = NodeFailed(f"Execution Blocked: {text}", kind="ExecutionBlocked", frames=[])
            about = _told_error(failure) | {"current_inputs": [], "current_outputs": []}
            if run.client is not None:
                head: JsonObject = {
                    "prompt_id": run.prompt_id,
                    "node_id": node_id,
                    "node_type": run.graph[node_id]["class_type"],
                    "executed": list(run.executed),
                }
                self._tell(run, "execution_error", head | about)
        return Done((Blocked(None),) * max(1, count))

    def _value(self, run: Run, source: str, slot: int) -> object:
        done = run.blocked.get(source) or self._cache[run.signatures[source]]
        return done.values[min(slot, len(done.values) - 1)]

    def _call(self, run: Run, node_id: str) -> Call:
        inputs = run.graph[node_id]["inputs"]
        assert isinstance(inputs, dict)
        linked = {n: self._value(run, source, slot) for n, source, slot in _links(run, node_id)}
        pnginfo = run.extra.get("extra_pnginfo")
        return Call({**inputs, **linked}, self.folders, run.graph, pnginfo)

    async def _load(self, pace: Pace) -> None:
        if pace.model is not None and pace.model != self._resident:
            await asyncio.sleep(self.options.load_seconds)
            self._resident = pace.model

    async def _perform(self, run: Run, node_id: str, *, call: Call, pace: Pace) -> Done:
        """Runs the node, then reports its ticks as the paced time goes by."""
        started = time.monotonic()
        node_class = self.classes[str(run.graph[node_id]["class_type"])]
        try:
            done = await asyncio.to_thread(node_class.run, call)
        except Interrupted:
            raise
        except Exception as error:  # a node is foreign code: whatever it raises fails the job
            raise _failed(error) from error
        for tick in range(1, pace.ticks + 1):
            await asyncio.sleep(
                max(0.0, started + pace.seconds * tick / pace.ticks - time.monotonic())
            )
            if self._interrupt:
                raise self._stopped()
            preview = self._preview(run, node_id, done=done, left=1 - tick / pace.ticks)
            self._tick(run, node_id, tick=tick, pace=pace, preview=preview)
        await asyncio.sleep(max(0.0, started + pace.seconds - time.monotonic()))
        return done

    def _stopped(self) -> Interrupted:
        self._interrupt = False
        return Interrupted()

    def _preview(self, run: Run, node_id: str, *, done: Done, left: float) -> Preview | None:
        first = done.values[0] if done.values else None
        drawings = first.drawings if isinstance(first, Latent) else first
        if not isinstance(drawings, tuple) or not drawings or not self.sockets.anyone(run.client):
            return None
        if not isinstance(drawings[0], Drawing):
            return None
        return Preview(unfinished(drawings[0].image, left=left), _whereabouts(run, node_id))

    def _tick(
        self, run: Run, node_id: str, *, tick: int, pace: Pace, preview: Preview | None
    ) -> None:
        self._progress(run, node_id, value=tick, top=pace.ticks, state="running")
        shown = preview if pace.preview else None
        # Clients that read metadata get the picture before the tick, older ones after it.
        before = shown and self.sockets.reads_metadata(run.client)
        if shown and before:
            self.sockets.show(shown, to=run.client)
        told: JsonObject = {
            "value": tick,
            "max": pace.ticks,
            "prompt_id": run.prompt_id,
            "node": node_id,
        }
        self._tell(run, "progress", told)
        if shown and not before:
            self.sockets.show(shown, to=run.client)

    def _progress(self, run: Run, node_id: str, *, value: object, top: object, state: str) -> None:
        run.progress[node_id] = {
            "value": value,
            "max": top,
            "state": state,
            "node_id": node_id,
            "prompt_id": run.prompt_id,
            "display_node_id": node_id,
            "parent_node_id": None,
            "real_node_id": node_id,
        }
        self._tell(run, "progress_state", {"prompt_id": run.prompt_id, "nodes": run.progress})

    def _report(self, run: Run, kind: str, data: JsonObject, *, broadcast: bool = False) -> None:
        """A message that history keeps, too."""
        told: JsonObject = {"timestamp": int(time.time() * 1000)}
        whole = {**data, "prompt_id": run.prompt_id, **told}
        if kind in ("execution_error", "execution_interrupted"):
            whole = {"prompt_id": run.prompt_id, **data, **told}
        run.messages.append([kind, whole])
        if run.client is not None or broadcast:
            self._tell(run, kind, whole)

    def _tell(self, run: Run, kind: str, data: JsonObject) -> None:
        self.sockets.tell(kind, data, to=run.client)

    def _failure(self, run: Run, node_id: str, failure: NodeFailed) -> JsonObject:
        inputs = self._call(run, node_id).inputs
        printed = {
            name: ["tensor([[[[...]]]])" if isinstance(value, tuple) else str(value)]
            for name, value in inputs.items()
        }
        known = [n for n in run.graph if n in run.progress or n in run.cached]
        return _told_error(failure) | {"current_inputs": printed, "current_outputs": known}

    def _described(self, shown: JsonObject) -> JsonObject:
        """File entries as the newer versions give them, with kind, size and an id."""
        entries = shown.get("images")
        if self.options.version is not Version.NEW or not isinstance(entries, list):
            return shown
        return {**shown, "images": [self._with_metadata(entry) for entry in entries]}

    def _with_metadata(self, entry: JsonObject) -> JsonObject:
        folder = self.folders.inside(Place(entry["type"]), str(entry["subfolder"]))
        try:
            with Image.open(folder / str(entry["filename"])) as image:
                width, height = image.size
        except OSError:
            return entry
        metadata = {"kind": "image", "width": width, "height": height}
        return {**entry, "metadata": metadata, "id": str(uuid.uuid4())}

    def _entry(self, run: Run, *, success: bool) -> JsonObject:
        outputs: JsonObject = {}
        meta: JsonObject = {}
        for node_id in [*run.outputs, *(n for n in run.graph if n not in run.outputs)]:
            done = self._cache.get(run.signatures.get(node_id, ""))
            forgotten = (
                self.options.version is Version.MID and run.client is None and node_id in run.cached
            )
            if done is None or done.shown is None or forgotten:
                continue
            outputs[node_id] = done.shown
            meta[node_id] = {
                "node_id": node_id,
                "display_node": node_id,
                "parent_node": None,
                "real_node_id": node_id,
            }
        status: JsonObject = {
            "status_str": "success" if success else "error",
            "completed": success,
            "messages": run.messages,
        }
        return {"outputs": outputs, "status": status, "meta": meta}


def unfinished(image: Image.Image, *, left: float) -> Image.Image:
    """The picture as a sampler would show it with this share of its work `left`."""
    small = image.reduce(max(1, max(image.size) // PREVIEW_PIXELS)).convert("RGB")
    if left <= 0:
        return small
    blurred = small.filter(ImageFilter.GaussianBlur(radius=max(small.size) / 12 * left))
    noise = Image.effect_noise(small.size, 90).convert("RGB")
    return Image.blend(blurred, noise, min(0.85, left * left))


def _links(run: Run, node_id: str) -> list[tuple[str, str, int]]:
    return list(graphs.links(run.graph[node_id]))


def _of_node(run: Run, node_id: str, **more: object) -> JsonObject:
    return {"node": node_id, "display_node": node_id, **more, "prompt_id": run.prompt_id}


def _whereabouts(run: Run, node_id: str) -> JsonObject:
    return {
        "node_id": node_id,
        "prompt_id": run.prompt_id,
        "display_node_id": node_id,
        "parent_node_id": None,
        "real_node_id": node_id,
    }


def _told_error(failure: NodeFailed) -> JsonObject:
    return {
        "exception_message": failure.message,
        "exception_type": failure.kind,
        "traceback": failure.frames,
    }


def _failed(error: Exception) -> NodeFailed:
    if isinstance(error, OutOfMemory):
        frames = [_FRAME.format(1)]
        return NodeFailed(OUT_OF_MEMORY_TEXT, kind="torch.OutOfMemoryError", frames=frames)
    module = type(error).__module__
    name = type(error).__qualname__
    kind = name if module == "builtins" else f"{module}.{name}"
    return NodeFailed(f"{error}\n", kind=kind, frames=[_FRAME.format(2)])
