"""One job on its way: what it tells its client and what history will keep of it, in the recorded
order and spelling. The engine decides what happens; this says it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import Image, ImageFilter

from shortlist.simulator.graph import Graph
from shortlist.simulator.nodes import JsonObject, OutOfMemory
from shortlist.simulator.sockets import Preview, Sockets

OUT_OF_MEMORY_TEXT = (
    "CUDA out of memory. Tried to allocate 20.00 GiB\n"
    "This error means you ran out of memory on your GPU.\n\n"
    "TIPS: If the workflow worked before you might have accidentally set the batch_size to a "
    "large number."
)
PREVIEW_PIXELS = 256
"""Length of a preview's long side, about: small, since each tick sends one."""
LATENT_SCALE = 4
"""A preview is coarser than that until it is done, as what a sampler works on is."""

_FRAME = '  File "/simulator/execution.py", line 1, in execute\n    result = f(**inputs)\n'


class Interrupted(Exception):
    """The running job was told to stop, or a node says so."""


class NodeFailed(Exception):
    """A node raised: what ComfyUI reports of it."""

    def __init__(self, message: str, *, kind: str, frames: list[str] | None = None) -> None:
        super().__init__(message)
        self.message, self.kind = message, kind
        self.frames = [_FRAME] if frames is None else frames

    @classmethod
    def of(cls, error: Exception) -> NodeFailed:
        if isinstance(error, OutOfMemory):
            return cls(OUT_OF_MEMORY_TEXT, kind="torch.OutOfMemoryError")
        module, name = type(error).__module__, type(error).__qualname__
        return cls(f"{error}\n", kind=name if module == "builtins" else f"{module}.{name}")


@dataclass(slots=True)
class Run:
    """One job: what it has told, run and shown so far."""

    sockets: Sockets
    prompt_id: str
    graph: Graph
    extra: JsonObject
    outputs: list[str]
    client: str | None
    signatures: Mapping[str, str] = field(default_factory=dict)
    cached: set[str] = field(default_factory=set)
    executed: list[str] = field(default_factory=list)
    messages: list[tuple[str, JsonObject]] = field(default_factory=list)
    _progress: dict[str, JsonObject] = field(default_factory=dict)

    def tell(self, kind: str, data: JsonObject) -> None:
        """To the job's client; to everybody when it named none."""
        self.sockets.tell(kind, data, to=self.client)

    def tell_client(self, kind: str, data: JsonObject) -> None:
        """To the job's client; to nobody when it named none."""
        if self.client is not None:
            self.tell(kind, data)

    def started(self) -> None:
        self._keep("execution_start", {"prompt_id": self.prompt_id})

    def found_cached(self) -> None:
        nodes = [node_id for node_id in self.graph if node_id in self.cached]
        self._keep("execution_cached", {"nodes": nodes, "prompt_id": self.prompt_id})

    def succeeded(self) -> None:
        self._keep("execution_success", {"prompt_id": self.prompt_id})

    def interrupted(self, node_id: str) -> None:
        self._keep("execution_interrupted", self._at(node_id), broadcast=True)

    def failed(self, node_id: str, failure: NodeFailed, inputs: Mapping[str, object]) -> None:
        printed = {
            name: ["tensor([[[[...]]]])" if isinstance(value, tuple) else str(value)]
            for name, value in inputs.items()
        }
        about: JsonObject = {"current_inputs": printed, "current_outputs": list(self.graph)}
        self._keep("execution_error", self._at(node_id) | _error_of(failure) | about)

    def blocked(self, node_id: str, text: str) -> None:
        """An error that ends only its branch, and that history does not keep."""
        failure = NodeFailed(f"Execution Blocked: {text}", kind="ExecutionBlocked", frames=[])
        about: JsonObject = {"current_inputs": [], "current_outputs": []}
        self.tell_client("execution_error", self._at(node_id) | _error_of(failure) | about)

    def executing(self, node_id: str) -> None:
        told: JsonObject = {"node": node_id, "display_node": node_id}
        self.tell_client("executing", {**told, "prompt_id": self.prompt_id})

    def shown(self, node_id: str, output: JsonObject | None) -> None:
        told: JsonObject = {"node": node_id, "display_node": node_id, "output": output}
        self.tell_client("executed", {**told, "prompt_id": self.prompt_id})

    def over(self) -> None:
        self.tell_client("executing", {"node": None, "prompt_id": self.prompt_id})

    def progressed(self, node_id: str, value: float, top: float) -> None:
        self._tell_progress(node_id, value=value, top=top, state="running")

    def finished(self, node_id: str) -> None:
        # A cached node was never started: it counts in whole numbers, the others in fractions.
        top = self._progress.get(node_id, {"max": 1})["max"]
        self._tell_progress(node_id, value=top, top=top, state="finished")

    def ticked(self, node_id: str, tick: int, *, of: int, preview: Image.Image | None) -> None:
        """One step of a node's progress bar, with the picture so far where there is one."""
        self.progressed(node_id, tick, of)
        picture = preview and Preview(preview, self._place(node_id))
        # Clients that read metadata get the picture before the tick, older ones after it.
        early = self.sockets.reads_metadata(self.client)
        if picture and early:
            self.sockets.show(picture, to=self.client)
        bar: JsonObject = {"value": tick, "max": of}
        self.tell("progress", {**bar, "prompt_id": self.prompt_id, "node": node_id})
        if picture and not early:
            self.sockets.show(picture, to=self.client)

    def _keep(self, kind: str, data: JsonObject, *, broadcast: bool = False) -> None:
        whole = {**data, "timestamp": int(time.time() * 1000)}
        self.messages.append((kind, whole))
        if self.client is not None or broadcast:
            self.tell(kind, whole)

    def _tell_progress(self, node_id: str, *, value: object, top: object, state: str) -> None:
        bar: JsonObject = {"value": value, "max": top, "state": state}
        self._progress[node_id] = {**bar, **self._place(node_id)}
        self.tell("progress_state", {"prompt_id": self.prompt_id, "nodes": self._progress})

    def _place(self, node_id: str) -> JsonObject:
        return {
            "node_id": node_id,
            "prompt_id": self.prompt_id,
            "display_node_id": node_id,
            "parent_node_id": None,
            "real_node_id": node_id,
        }

    def _at(self, node_id: str) -> JsonObject:
        return {
            "prompt_id": self.prompt_id,
            "node_id": node_id,
            "node_type": self.graph[node_id]["class_type"],
            "executed": list(self.executed),
        }


def _error_of(failure: NodeFailed) -> JsonObject:
    return {
        "exception_message": failure.message,
        "exception_type": failure.kind,
        "traceback": failure.frames,
    }


def unfinished(image: Image.Image, *, left: float) -> Image.Image:
    """The picture as a sampler would show it with this share of its work `left`."""
    shown = image.reduce(max(1, max(image.size) // PREVIEW_PIXELS)).convert("RGB")
    if left <= 0:
        return shown
    latent = shown.reduce(LATENT_SCALE)
    blurred = latent.filter(ImageFilter.GaussianBlur(radius=max(latent.size) / 12 * left))
    noise = Image.effect_noise(latent.size, 90).convert("RGB")
    blend = Image.blend(blurred, noise, min(0.85, left * left))
    return blend.resize(shown.size, Image.Resampling.BILINEAR)
