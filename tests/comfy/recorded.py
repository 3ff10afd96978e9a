"""The recorded exchanges as data, and a server on loopback that plays one back over real HTTP."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from shortlist.comfy.catalogue import Catalogue
from shortlist.comfy.graph import Graph, as_graph

DATA = Path(__file__).parent.parent / "data"
TRANSCRIPTS = DATA / "transcripts"
SCENARIOS = sorted(
    path.stem for path in TRANSCRIPTS.glob("*.json") if not path.stem.startswith("object_info")
)


@cache
def scenario(name: str) -> dict[str, Any]:
    """One recorded scenario."""
    return json.loads((TRANSCRIPTS / f"{name}.json").read_text())


def http_steps(name: str) -> list[dict[str, Any]]:
    """The HTTP exchanges of a scenario in order."""
    return [step for step in scenario(name)["steps"] if "http" in step]


def answer_to(name: str, path: str, *, nth: int = 0) -> Any:
    """The answer to the nth request whose path starts so."""
    return [s for s in http_steps(name) if s["http"]["path"].startswith(path)][nth]["answer"]


def graph_of(name: str, *, nth: int = 0) -> Graph:
    """The graph of the nth submit of a scenario."""
    posts = [s for s in http_steps(name) if s["http"]["path"] == "/api/prompt"]
    return as_graph(posts[nth]["http"]["body"]["prompt"])


@cache
def full_catalogue() -> Catalogue:
    """The 492 node types of the recorded server."""
    return Catalogue(
        json.loads(gzip.decompress((TRANSCRIPTS / "object_info_full.json.gz").read_bytes()))
    )


@cache
def small_catalogue() -> Catalogue:
    """The node types that the recorded scenarios use, with the server's own texts."""
    return Catalogue(json.loads((TRANSCRIPTS / "object_info.json").read_text()))


@cache
def conversions() -> dict[str, Any]:
    """What the real frontend made of editor-format templates, by file name."""
    packed = (DATA / "workflows" / "conversions.json.gz").read_bytes()
    return json.loads(gzip.decompress(packed))


class Replay:
    """Answers as the recording does; a socket message waits for the requests recorded before it."""

    def __init__(self, name: str) -> None:
        self.steps = scenario(name)["steps"]
        self.asked: list[dict[str, Any]] = []
        self._used: set[int] = set()
        self._news = asyncio.Condition()

    def app(self) -> Starlette:
        """The replay as an ASGI application."""
        methods = ["GET", "POST", "HEAD", "DELETE"]
        return Starlette(
            routes=[
                WebSocketRoute("/api/ws", self._socket),
                Route("/{path:path}", self._http, methods=methods),
            ]
        )

    async def _http(self, request: Request) -> Response:
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        body = await request.body()
        async with self._news:
            self.asked.append(
                {
                    "method": request.method,
                    "path": path,
                    "body": body,
                    "headers": dict(request.headers),
                }
            )
            index = next(
                (
                    i
                    for i, step in enumerate(self.steps)
                    if i not in self._used and _matches(step, request.method, path)
                ),
                None,
            )
            if index is None and path == "/api/queue" and request.method == "POST":
                return Response()  # what a server answers whatever the id
            if index is None:
                status = 404 if request.method == "GET" else 405
                return Response(f"{status}: not recorded", status, media_type="text/plain")
            self._used.add(index)
            self._news.notify_all()
        return _recorded_answer(self.steps[index])

    async def _socket(self, websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            for index, step in enumerate(self.steps):
                if "http" in step:
                    await self._until_asked(index)
                elif "ws" in step:
                    await websocket.send_text(json.dumps(step["ws"]))
                elif "ws_binary" in step:
                    await websocket.send_bytes(frame_of(step["ws_binary"]))
            await websocket.close()
        except WebSocketDisconnect:
            return

    async def _until_asked(self, index: int) -> None:
        async with self._news:
            await self._news.wait_for(lambda: index in self._used)


def frame_of(recorded: dict[str, Any]) -> bytes:
    """A binary frame of the recorded length; only its first bytes were kept."""
    head = bytes.fromhex(recorded["head_hex"])
    if recorded["event"] == 4:
        told = {
            "node_id": "2",
            "prompt_id": "p",
            "display_node_id": "2",
            "parent_node_id": None,
            "real_node_id": "2",
            "image_type": "image/jpeg",
        }
        said = json.dumps(told).encode().ljust(recorded["second_uint32"])
        head = head[:8] + said + b"\xff\xd8"
    return head.ljust(recorded["bytes"], b"\0")


def _matches(step: dict[str, Any], method: str, path: str) -> bool:
    held = step.get("http", {})
    return bool(held.get("method") == method and held.get("path") == path)


def _recorded_answer(step: dict[str, Any]) -> Response:
    answer, headers = step.get("answer"), dict(step.get("headers", {}))
    if isinstance(answer, dict) and "head_hex" in answer:
        body = bytes.fromhex(answer["head_hex"]).ljust(answer["bytes"], b"\0")
        return Response(body, step["status"], headers=headers)
    headers.pop("content-length", None)
    body = answer if isinstance(answer, str) else json.dumps(answer)
    return Response(body, step["status"], headers=headers)


def free_socket() -> socket.socket:
    """A listening socket on a port of the system's choice."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """The URL of the application, served over real HTTP and WebSocket on loopback."""
    config = uvicorn.Config(app, log_level="critical", ws="wsproto", lifespan="off")
    server = uvicorn.Server(config)
    with free_socket() as listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            await task


@asynccontextmanager
async def replaying(name: str) -> AsyncIterator[tuple[str, Replay]]:
    """The URL of a server that plays a scenario back, and the replay."""
    replay = Replay(name)
    async with serving(replay.app()) as url:
        yield url, replay


def socket_texts(name: str) -> Iterator[str]:
    """The text frames of a scenario in order."""
    for step in scenario(name)["steps"]:
        if "ws" in step:
            yield json.dumps(step["ws"])
