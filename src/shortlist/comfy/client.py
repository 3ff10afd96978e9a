"""The client of one ComfyUI server: submit, look, cancel, files, events, with typed errors.

Works with every version from 0.3.45 on and asks for routes, not for versions. It retries nothing
but looks without effect: whether a lost submit is sent again is the dispatcher's decision.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx2

from shortlist.comfy.catalogue import Catalogue
from shortlist.comfy.faults import (
    BadAnswer,
    FileMissing,
    ServerFault,
    TooLarge,
    Unreachable,
)
from shortlist.comfy.graph import Graph, as_json
from shortlist.comfy.inbox import Inbox
from shortlist.comfy.messages import Message, Outcome, OutputFile, read_binary, read_history
from shortlist.comfy.messages import read_text as read_frame
from shortlist.comfy.plain import JSON, a_dict, a_list, a_number, a_text
from shortlist.comfy.refusal import read_refusal
from shortlist.comfy.wire import MAX_JSON_BYTES, SLOW_SECONDS, Answer, Wire

MAX_FILE_BYTES = 256 * 2**20
"""An original image: a 16-bit PNG of 64 megapixels stays below it."""

DOWNLOAD_SECONDS = 600.0
DEFAULT_UPLOAD_BYTES = 100 * 2**20
SAVED_IN = "workflows"
"""Where the editor keeps what a person saves, below the person's folder."""

INPUT_FOLDER = "shortlist"
"""The subfolder of the server's input folder that holds the parent images."""

_NOT_THERE = (404, 405)
"""What a server answers for a route it lacks: GET 404, POST 405."""
_HASH = re.compile(r"[0-9a-f]{64}")
_MIMES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp"}


@dataclass(frozen=True, slots=True)
class Device:
    """One card of a server; memory in bytes."""

    name: str
    type: str
    vram_total: int
    vram_free: int


@dataclass(frozen=True, slots=True)
class Server:
    """What a server says of itself."""

    version: str
    os: str
    python: str
    pytorch: str
    devices: tuple[Device, ...]
    max_upload_bytes: int


@dataclass(frozen=True, slots=True)
class Queue:
    """Ids of all clients' jobs: running, and pending in the order they will run."""

    running: tuple[str, ...]
    pending: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job is: running, pending, over with an outcome, or (all three false) unknown here."""

    running: bool
    pending: bool
    outcome: Outcome | None

    @property
    def absent(self) -> bool:
        """Neither queued nor in history: lost, deleted or never accepted."""
        return not self.running and not self.pending and self.outcome is None


class ComfyClient:
    """One ComfyUI server. `client_id` names the socket that jobs submitted from now on report to;
    it may be replaced when a socket went silent. Use as an async context manager, or `close`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        client_id: str,
        headers: Mapping[str, str] | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.client_id = client_id
        self.max_upload_bytes = DEFAULT_UPLOAD_BYTES
        self._wire = Wire(base_url, headers=headers, transport=transport)
        self._reader: asyncio.Task[None] | None = None

    @property
    def base_url(self) -> str:
        """The server's address as it is called."""
        return self._wire.base_url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the socket and all connections."""
        await self._hang_up()
        await self._wire.close()

    async def probe(self) -> Server:
        """What the server is; the upload limit it tells is kept for later uploads."""
        await self._wire.check_name()
        stats = a_dict(await _json(await self._wire.look("/api/system_stats")))
        system = a_dict(stats.get("system"))
        if not system:
            raise BadAnswer("The address answers, but not as ComfyUI does.")
        limit = await self._upload_limit()
        self.max_upload_bytes = limit
        return Server(
            version=a_text(system.get("comfyui_version"), limit=50) or "unknown",
            os=a_text(system.get("os"), limit=50),
            python=a_text(system.get("python_version"), limit=200),
            pytorch=a_text(system.get("pytorch_version"), limit=50),
            devices=tuple(_device(a_dict(item)) for item in a_list(stats.get("devices"))),
            max_upload_bytes=limit,
        )

    async def catalogue(self) -> Catalogue:
        """The server's node types with their inputs and lists of models; some hundred kilobytes."""
        answer = await self._wire.look("/api/object_info")
        return Catalogue(a_dict(await _json(answer)))

    async def saved_workflows(self) -> tuple[str, ...]:
        """Names of the workflows saved in the server's editor, folders included; none where it
        keeps none."""
        answer = await self._wire.look(f"/api/userdata?dir={SAVED_IN}&recurse=true")
        if answer.status in _NOT_THERE:
            return ()
        names = (a_text(name, limit=500) for name in a_list(await _json(answer)))
        return tuple(sorted(n for n in names if n.endswith(".json") and not n.startswith(".")))

    async def saved_workflow(self, name: str) -> str:
        """The text of one of them. Raises `FileMissing` where there is none of that name."""
        missing = FileMissing(f"The server has no saved workflow {name[:200]!r}.")
        if "\\" in name or ".." in name.split("/"):
            raise missing  # it would lead out of the folder
        path = f"/api/userdata/{quote(f'{SAVED_IN}/{name}', safe='')}"
        answer = await self._wire.download(
            path, params={}, limit=MAX_JSON_BYTES, total_seconds=SLOW_SECONDS
        )
        if 400 <= answer.status < 500:
            raise missing
        _ok(answer)
        return answer.body.decode("utf-8", "replace")

    async def submit(
        self,
        prompt_id: str,
        graph: Graph,
        *,
        extra_pnginfo: Mapping[str, JSON],
        front: bool = False,
    ) -> float:
        """Queues a graph under our own id, at the `front` if told; gives its number. Sends once.

        `Refused` if the server will not run all of it; then nothing of it stays queued.
        `Unreachable.maybe_applied` says that the job may be there all the same.
        """
        body: dict[str, JSON] = {
            "prompt": as_json(graph),
            "prompt_id": prompt_id,
            "client_id": self.client_id,
            "extra_data": {"extra_pnginfo": dict(extra_pnginfo)},
            "front": front,
        }
        answer = await self._wire.ask("POST", "/api/prompt", json=body, read_seconds=SLOW_SECONDS)
        if answer.status == 400:
            raise read_refusal(await answer.json(), graph)
        said = a_dict(await _json(answer))
        await self._check_accepted(prompt_id, said, graph)
        return a_number(said.get("number"))

    async def queue(self) -> Queue:
        """All jobs of the server, other people's among them."""
        said = a_dict(await _json(await self._wire.look("/api/queue")))
        if "queue_running" not in said or "queue_pending" not in said:
            raise BadAnswer("The server's queue has a form the hub does not know.")
        return Queue(_ids(said["queue_running"]), _ids(said["queue_pending"]))

    async def history(self, prompt_id: str) -> Outcome | None:
        """How a job ended; None while it waits or runs, and when the server knows nothing of it."""
        answer = await self._wire.look(f"/api/history/{quote(prompt_id, safe='')}")
        return read_history(prompt_id, await _json(answer))

    async def locate(self, prompt_id: str) -> Place:
        """Where a job is. Queue first, then history: jobs move that way, so none slips through."""
        queue = await self.queue()
        if prompt_id in queue.running:
            return Place(running=True, pending=False, outcome=None)
        if prompt_id in queue.pending:
            return Place(running=False, pending=True, outcome=None)
        return Place(running=False, pending=False, outcome=await self.history(prompt_id))

    async def cancel(self, prompt_id: str) -> None:
        """Dequeues or interrupts exactly this job; no effect where it is over or unknown.

        A running node that reports no progress ends first: look at history for the outcome.
        """
        path = f"/api/jobs/{quote(prompt_id, safe='')}/cancel"
        answer = await self._wire.ask("POST", path, json={})
        if answer.status not in _NOT_THERE:
            _ok(answer)
            return
        # In this order: a job may start between the two.
        await self.withdraw(prompt_id)
        _ok(await self._wire.ask("POST", "/api/interrupt", json={"prompt_id": prompt_id}))

    async def withdraw(self, prompt_id: str) -> None:
        """Takes a job out of the queue; no effect where it does not wait there."""
        _ok(await self._wire.ask("POST", "/api/queue", json={"delete": [prompt_id]}))

    async def upload(self, data: bytes, sha256: str, ext: str) -> str:
        """Stores an image in the server's input folder and gives the reference LoadImage takes.

        Named by its content, so that sending it again writes nothing and two never collide.
        """
        if not _HASH.fullmatch(sha256) or ext not in _MIMES:
            raise ValueError("an upload needs a SHA-256 in hex and a still image's extension")
        if len(data) > self.max_upload_bytes:
            limit = self.max_upload_bytes // 2**20
            raise TooLarge(f"The parent image is over the server's upload limit of {limit} MB.")
        answer = await self._wire.post_file(
            "/api/upload/image",
            name=f"{sha256}.{ext}",
            mime=_MIMES[ext],
            data=data,
            fields={"subfolder": INPUT_FOLDER, "type": "input"},
        )
        if answer.status == 413:
            raise TooLarge("The parent image is over the server's upload limit.")
        return _reference(a_dict(await _json(answer)))

    async def view(self, file: OutputFile) -> bytes:
        """The bytes of a file, whole. They are untrusted: decode them before keeping them."""
        answer = await self._wire.download(
            "/api/view",
            params=_address(file),
            limit=MAX_FILE_BYTES,
            total_seconds=DOWNLOAD_SECONDS,
        )
        if 400 <= answer.status < 500:
            raise FileMissing(f"The server no longer has the file {file.filename[:200]!r}.")
        _ok(answer)
        return answer.body

    async def exists(self, file: OutputFile) -> bool:
        """Whether the server has the file."""
        answer = await self._wire.ask("HEAD", "/api/view", params=_address(file))
        if 400 <= answer.status < 500:
            return False
        _ok(answer)
        return True

    async def forget(self, prompt_id: str) -> None:
        """Deletes a history entry; a no-op where there is none. The files stay."""
        _ok(await self._wire.ask("POST", "/api/history", json={"delete": [prompt_id]}))

    async def free(self) -> None:
        """Asks the server to unload its models when it is next idle."""
        wishes: JSON = {"unload_models": True, "free_memory": True}
        _ok(await self._wire.ask("POST", "/api/free", json=wishes))

    async def events(self) -> AsyncIterator[Message]:
        """The server's messages over one long-lived socket, until that ends: then `ComfyError`.

        Opens no second socket: an earlier one of this client is closed first, because the server
        would take the new one's registration away when the old one goes. When to come back, and
        whether under a new `client_id`, is the caller's decision. A slow reader loses previews
        first, then progress.
        """
        await self._hang_up()
        inbox = Inbox()
        reader = asyncio.create_task(self._listen(inbox), name="comfy-socket")
        reader.add_done_callback(lambda task: inbox.finish(_why_over(task)))
        self._reader = reader
        try:
            while True:
                yield await inbox.take()
        finally:
            reader.cancel()
            await asyncio.wait([reader])

    async def _listen(self, inbox: Inbox) -> None:
        async with self._wire.socket("/api/ws", params={"clientId": self.client_id}) as socket:
            # Flags count in the first message only.
            flags = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
            await socket.say(json.dumps(flags))
            while True:
                frame = await socket.hear()
                inbox.put(read_frame(frame) if isinstance(frame, str) else read_binary(frame))

    async def _hang_up(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
            await asyncio.wait([reader])

    async def _upload_limit(self) -> int:
        answer = await self._wire.look("/api/features")
        if answer.status in _NOT_THERE:
            return DEFAULT_UPLOAD_BYTES
        told = int(a_number(a_dict(await _json(answer)).get("max_upload_size")))
        return told if told > 0 else DEFAULT_UPLOAD_BYTES

    async def _check_accepted(self, prompt_id: str, said: dict[str, JSON], graph: Graph) -> None:
        minted = a_text(said.get("prompt_id"), limit=200)
        if a_dict(said.get("node_errors")):
            # Half of the graph would run: a server accepts it if one output is sound.
            await self.cancel(minted or prompt_id)
            raise read_refusal(said, graph)
        if minted != prompt_id:
            if minted:
                await self.cancel(minted)
            raise BadAnswer(
                "The server takes no job ids of ours; update ComfyUI to 0.3.45 or newer."
            )


def _why_over(reader: asyncio.Task[None]) -> BaseException:
    """What the reader of events is told once there are no more."""
    error = None if reader.cancelled() else reader.exception()
    return error or Unreachable("The hub closed the socket.")


def _ok(answer: Answer) -> None:
    if answer.status >= 500:
        fault = f"The server failed inside (status {answer.status})."
        raise ServerFault(fault, status=answer.status)
    if answer.status >= 400:
        fault = f"The server does not take this request (status {answer.status})."
        raise ServerFault(fault, status=answer.status)


async def _json(answer: Answer) -> JSON:
    _ok(answer)
    return await answer.json()


def _device(said: dict[str, JSON]) -> Device:
    return Device(
        name=a_text(said.get("name"), limit=200),
        type=a_text(said.get("type"), limit=50),
        vram_total=int(a_number(said.get("vram_total"))),
        vram_free=int(a_number(said.get("vram_free"))),
    )


def _ids(items: JSON) -> tuple[str, ...]:
    # The server lists its heap as it lies in memory; it runs the smallest (number, id) first.
    pairs = [
        (a_number(item[0]), a_text(item[1])) for item in map(a_list, a_list(items)) if len(item) > 1
    ]
    return tuple(prompt_id for _, prompt_id in sorted(pairs))


def _address(file: OutputFile) -> dict[str, str]:
    return {"filename": file.filename, "subfolder": file.subfolder, "type": file.type}


def _reference(said: dict[str, JSON]) -> str:
    name, folder = a_text(said.get("name"), limit=300), a_text(said.get("subfolder"), limit=300)
    if not name or "/" in name or "\\" in name or folder not in ("", INPUT_FOLDER):
        raise BadAnswer("The server's answer to an upload names no usable file.")
    return f"{folder}/{name}" if folder else name
