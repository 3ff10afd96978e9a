"""How the simulator's tests talk to one: a client with its socket, the recorded test nodes, and
small graphs. Everything goes over a real port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from httpx2.websockets import AsyncWebSocketSession, WebSocketDisconnect, WebSocketNetworkError

from shortlist.simulator.nodes import Call, Done, NodeClass, OutOfMemory, Pace
from shortlist.simulator.options import Fault, SimulatorOptions, Version
from shortlist.simulator.server import Running, running

RECORDED = Path(__file__).parent.parent / "data" / "transcripts"
PATIENCE_SECONDS = 20.0
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading them is half a test's time


def recorded(name: str) -> dict:
    return json.loads((RECORDED / f"{name}.json").read_text())


@dataclass(frozen=True, slots=True)
class Frame:
    """One binary frame."""

    data: bytes

    @property
    def words(self) -> tuple[int, int]:
        return struct.unpack(">II", self.data[:8])

    @property
    def picture(self) -> bytes:
        kind, second = self.words
        return self.data[8 + second :] if kind == 4 else self.data[8:]


@dataclass(slots=True)
class Ear:
    """What one socket has heard so far."""

    heard: list[dict | Frame] = field(default_factory=list)
    closed: bool = False
    _session: AsyncWebSocketSession | None = None
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def listen(self, http: httpx2.AsyncClient, url: str) -> None:
        """Holds the connection in a task of its own, so that ears may close in any order."""
        async with http.websocket(url, max_message_size_bytes=1 << 24) as self._session:
            with contextlib.suppress(WebSocketDisconnect, WebSocketNetworkError):
                while True:
                    data = (await self._session.receive()).data
                    await self._keep(json.loads(data) if isinstance(data, str) else Frame(data))
        self.closed = True
        await self._keep()

    async def _keep(self, *messages: dict | Frame) -> None:
        async with self._more:
            self.heard += messages
            self._more.notify_all()

    async def say(self, message: object) -> None:
        assert self._session is not None
        await self._session.send_text(json.dumps(message))

    async def until(self, condition: Callable[[Ear], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), self._more:
            await self._more.wait_for(lambda: condition(self))

    async def until_heard(self, kind: str, **data: object) -> dict:
        """The first message of that type whose data holds these values."""
        await self.until(lambda ear: ear.find(kind, **data) is not None)
        found = self.find(kind, **data)
        assert found is not None
        return found

    def find(self, kind: str, **data: object) -> dict | None:
        for one in self.heard:
            if (
                isinstance(one, dict)
                and one["type"] == kind
                and data.items() <= one["data"].items()
            ):
                return one
        return None

    def kinds(self) -> list[str]:
        return [one["type"] if isinstance(one, dict) else "frame" for one in self.heard]


@dataclass(frozen=True, slots=True)
class Talk:
    """A running simulator and a client of it."""

    http: httpx2.AsyncClient
    server: Running

    @contextlib.asynccontextmanager
    async def ear(self, client_id: str) -> AsyncIterator[Ear]:
        ear = Ear()
        url = f"{self.server.url.replace('http', 'ws', 1)}/ws?clientId={client_id}"
        task = asyncio.create_task(ear.listen(self.http, url))
        await ear.until(lambda e: bool(e.heard))
        try:
            yield ear
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def post(self, graph: dict, **more: object) -> httpx2.Response:
        return await self.http.post("/api/prompt", json={"prompt": graph, **more})

    async def history(self, prompt_id: str) -> dict:
        """The entry of a job, once it is there."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (entry := (await self.entry(prompt_id))):
                await asyncio.sleep(0.005)
        return entry

    async def entry(self, prompt_id: str) -> dict | None:
        return (await self.http.get(f"/api/history/{prompt_id}")).json().get(prompt_id)

    async def run(self, graph: dict, prompt_id: str, **more: object) -> dict:
        answer = await self.post(graph, prompt_id=prompt_id, **{"client_id": "me", **more})
        assert answer.status_code == 200, answer.text
        return await self.history(prompt_id)

    async def image(self, entry: Mapping[str, str]) -> bytes:
        return (await self.http.get("/api/view", params=dict(entry))).content


@contextlib.asynccontextmanager
async def talking(
    folder: Path,
    *faults: Fault,
    version: Version = Version.OLD,
    seconds_per_image: float = 0.0,
    load_seconds: float = 0.0,
    port: int = 0,
    max_upload_bytes: int = 104857600,
) -> AsyncIterator[Talk]:
    options = SimulatorOptions(
        folder=folder,
        version=version,
        seconds_per_image=seconds_per_image,
        load_seconds=load_seconds,
        faults=faults,
        extra_nodes=RECORDED_NODES,
        max_upload_bytes=max_upload_bytes,
    )
    async with (
        running(options, port=port) as server,
        httpx2.AsyncClient(
            base_url=server.url, timeout=PATIENCE_SECONDS, verify=NO_CERTIFICATES
        ) as http,
    ):
        yield Talk(http, server)


def plain(*, color: int = 1, prefix: str = "plain", size: int = 64, **inputs: object) -> dict:
    """EmptyImage → SaveImage."""
    canvas = {"width": size, "height": size, "batch_size": 1, "color": color, **inputs}
    return {
        "1": {"class_type": "EmptyImage", "inputs": canvas},
        "9": {
            "class_type": "SaveImage",
            "inputs": {"images": ["1", 0], "filename_prefix": prefix},
            "_meta": {"title": "Result"},
        },
    }


def slow(*, seconds: float, steps: int = 4, interruptible: bool = True, **more: object) -> dict:
    """EmptyImage → RxSleep → SaveImage."""
    graph = plain(**more)
    graph["2"] = {
        "class_type": "RxSleep",
        "inputs": {
            "image": ["1", 0],
            "seconds": seconds,
            "steps": steps,
            "preview": False,
            "interruptible": interruptible,
            "seed": 1,
        },
    }
    graph["9"]["inputs"]["images"] = ["2", 0]
    return graph


def _sleep_pace(inputs: Mapping[str, object], seconds: float) -> Pace:
    ticks = inputs["steps"] if inputs["interruptible"] else 0
    assert isinstance(ticks, int)
    return Pace(ticks, float(str(inputs["seconds"])) / 4, bool(inputs["preview"]))


def _fail(call: Call) -> Done:
    if call.text("kind") == "oom":
        raise OutOfMemory
    raise ValueError("boom: bad tensor")


def _video(call: Call) -> Done:
    entry = {"filename": "a.mp4", "subfolder": "", "type": "output"}
    return Done(shown={"gifs": [{**entry, "format": "video/h264-mp4", "frame_rate": 8.0}]})


def _info(name: str, inputs: dict, *, output: list[str], shows: bool = False) -> dict:
    return {
        "input": {"required": inputs},
        "output": output,
        "name": name,
        "output_node": shows,
    }


_INFOS = recorded("object_info")
RECORDED_NODES = {
    "RxSleep": NodeClass(
        info=_INFOS["RxSleep"], run=lambda call: Done((call.inputs["image"],)), pace=_sleep_pace
    ),
    "RxFail": NodeClass(info=_INFOS["RxFail"], run=_fail),
    "RxText": NodeClass(
        info=_info("RxText", {"text": ["STRING"]}, output=[], shows=True),
        run=lambda call: Done(shown={"text": [call.text("text")]}),
    ),
    "RxVideoUi": NodeClass(
        info=_info("RxVideoUi", {"image": ["IMAGE"]}, output=[], shows=True), run=_video
    ),
}
