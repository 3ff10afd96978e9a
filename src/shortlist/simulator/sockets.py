"""Who hears what: the registry of WebSocket clients and the one serial loop that sends to them,
with the two ways it goes silent for good that the real server has."""

from __future__ import annotations

import asyncio
import json
import struct
import uuid
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from shortlist.simulator.nodes import JsonObject

PREVIEW_IMAGE = 1
PREVIEW_IMAGE_WITH_METADATA = 4
JPEG = 1
WITH_METADATA = "supports_preview_metadata"


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture on its way, and the node it belongs to."""

    image: Image.Image
    metadata: JsonObject


@dataclass(slots=True)
class Sockets:
    """The sockets by client id, their feature flags and what waits to be sent."""

    features: JsonObject
    _by_id: dict[str, WebSocket] = field(default_factory=dict)
    _open: set[WebSocket] = field(default_factory=set)
    _flags: dict[str, JsonObject] = field(default_factory=dict)
    _outbox: asyncio.Queue[tuple[str | bytes, str | None]] = field(default_factory=asyncio.Queue)

    def tell(self, kind: str, data: JsonObject, *, to: str | None) -> None:
        """Queues a message for one client, or for everybody when `to` is None."""
        self._outbox.put_nowait((_text(kind, data), to))

    def show(self, preview: Preview, *, to: str | None) -> None:
        """Queues a preview in the form each client can read."""
        picture = BytesIO()
        preview.image.save(picture, "JPEG", quality=85)
        for client in [to] if to is not None else list(self._by_id):
            if client in self._by_id:
                self._outbox.put_nowait((self._frame(client, preview, picture.getvalue()), client))

    def reads_metadata(self, client: str | None) -> bool:
        return bool(self._flags.get(client or "", {}).get(WITH_METADATA))

    def anyone(self, client: str | None) -> bool:
        """Whether a preview for `client` would reach somebody."""
        return bool(self._by_id) if client is None else client in self._by_id

    async def publish(self) -> None:
        """Sends one message after the other: a client that does not read holds up all."""
        while True:
            message, to = await self._outbox.get()
            targets = list(self._by_id.values()) if to is None else [self._by_id.get(to)]
            for socket in targets:
                if socket is not None:
                    await _send(socket, message)

    async def serve(self, socket: WebSocket, *, remaining: int, running_node: str | None) -> None:
        """Greets one client and listens until it goes."""
        await socket.accept()
        client = socket.query_params.get("clientId") or uuid.uuid4().hex
        self._by_id[client] = socket
        self._flags.pop(client, None)
        self._open.add(socket)
        status: JsonObject = {"status": {"exec_info": {"queue_remaining": remaining}}}
        await _send(socket, _text("status", {**status, "sid": client}))
        if running_node is not None:
            await _send(socket, _text("executing", {"node": running_node}))
        try:
            await self._listen(socket, client)
        finally:
            # The id is dropped whoever holds it now: a newer socket of the same id goes deaf.
            self._by_id.pop(client, None)
            self._flags.pop(client, None)
            self._open.discard(socket)

    async def _listen(self, socket: WebSocket, client: str) -> None:
        first = True
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            try:
                content = json.loads(message.get("text") or "")
            except ValueError:
                continue
            if first and isinstance(content, dict) and content.get("type") == "feature_flags":
                data = content.get("data")
                self._flags[client] = data if isinstance(data, dict) else {}
                await _send(socket, _text("feature_flags", self.features))
            first = False

    def silence(self) -> None:
        """Forgets every registration; the sockets stay open."""
        self._by_id.clear()

    async def drop_all(self) -> None:
        """Closes every socket, registered or not."""
        for socket in list(self._open):
            if socket.application_state is WebSocketState.CONNECTED:
                await socket.close(code=1012)

    def _frame(self, client: str, preview: Preview, jpeg: bytes) -> bytes:
        if not self.reads_metadata(client):
            return struct.pack(">II", PREVIEW_IMAGE, JPEG) + jpeg
        metadata = json.dumps({**preview.metadata, "image_type": "image/jpeg"}).encode()
        head = struct.pack(">II", PREVIEW_IMAGE_WITH_METADATA, len(metadata))
        return head + metadata + jpeg


def _text(kind: str, data: JsonObject) -> str:
    return json.dumps({"type": kind, "data": data})


async def _send(socket: WebSocket, message: str | bytes) -> None:
    try:
        if isinstance(message, str):
            await socket.send_text(message)
        else:
            await socket.send_bytes(message)
    except (WebSocketDisconnect, RuntimeError):
        return  # gone between two messages; its own handler cleans up
