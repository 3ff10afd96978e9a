"""A ComfyUI that draws: the HTTP and WebSocket routes of a real server over an engine whose
pictures a program paints. No model is involved, and it says so wherever it can."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from shortlist.simulator import transfers
from shortlist.simulator.about import HOME, system_stats
from shortlist.simulator.engine import Engine
from shortlist.simulator.files import Folders, Place
from shortlist.simulator.graph import Graph, Refusal, Validation
from shortlist.simulator.job_routes import JobRoutes
from shortlist.simulator.jobs import Jobs
from shortlist.simulator.nodes import JsonObject, catalogue, object_info
from shortlist.simulator.options import FaultKind, FaultScript, SimulatorOptions, Version
from shortlist.simulator.sockets import Sockets
from shortlist.simulator.transfers import answer
from shortlist.simulator.user_files import UserFiles

TROUBLE = "500 Internal Server Error\n\nServer got itself in trouble"
FAULTS_OF_A_HANDLER = (
    AttributeError,
    IndexError,
    KeyError,
    OSError,
    TypeError,
    ValueError,
)
"""What a bad request makes a handler raise; the real server answers all of it in the same way."""

Endpoint = Callable[[Request], Awaitable[Response]]


class Simulator:
    """One simulated server: everything between its routes and its files."""

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self.classes = {**catalogue(), **options.extra_nodes}
        self.folders = Folders(options.folder)
        self.faults = FaultScript(list(options.faults))
        self.features: JsonObject = {
            "supports_preview_metadata": True,
            "max_upload_size": options.max_upload_bytes,
        }
        self.sockets = Sockets(self.features)
        self.jobs = Jobs(self._tell_count, options.max_history)
        self.engine = Engine(
            options,
            classes=self.classes,
            folders=self.folders,
            jobs=self.jobs,
            sockets=self.sockets,
            faults=self.faults,
        )
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Empties `temp` and starts the worker, once."""
        if self._tasks:
            return
        self.folders.prepare()
        self._tasks = [
            asyncio.create_task(self.engine.work()),
            asyncio.create_task(self.sockets.publish()),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def _tell_count(self) -> None:
        self.sockets.tell("status", {"status": self.exec_info()}, to=None)

    def exec_info(self) -> JsonObject:
        return {"exec_info": {"queue_remaining": self.jobs.remaining()}}

    # -- prompts ---------------------------------------------------------------------------

    async def post_prompt(self, request: Request) -> Response:
        body = await body_of(request)
        number = float_or_int(body["number"]) if "number" in body else None
        if number is None:
            number = self.jobs.number(front=bool(body.get("front")))
        if "prompt" not in body:
            words = "No prompt provided"
            return answer(_refused("no_prompt", words, details=words), status=400)
        prompt_id = body.get("prompt_id")
        if prompt_id is not None and self.options.version is Version.NEW and not is_uuid(prompt_id):
            words = "prompt_id must be a canonical lowercase UUID"
            return answer(_refused("invalid_prompt_id", words), status=400)
        prompt = graph_of(body["prompt"])
        validation = Validation(prompt, self.classes, self.folders, self.options.version)
        judgement = validation.judge(targets=ids_of(body, "partial_execution_targets"))
        if isinstance(judgement, Refusal):
            told = {"error": judgement.error, "node_errors": judgement.node_errors}
            return answer(told, status=400)
        chosen = str(prompt_id or uuid.uuid4())
        self.jobs.put((number, chosen, prompt, self._extra(body), judgement.outputs))
        accepted: JsonObject = {
            "prompt_id": chosen,
            "number": number,
            "node_errors": judgement.node_errors,
        }
        lost = self.faults.strike(frozenset({FaultKind.LOSE_ANSWER}), prompt_id=chosen)
        return transfers.CutOff(json.dumps(accepted).encode()) if lost else answer(accepted)

    def _extra(self, body: JsonObject) -> JsonObject:
        given = body.get("extra_data")
        extra: JsonObject = dict(given) if isinstance(given, dict) else {}
        if "client_id" in body:
            extra["client_id"] = body["client_id"]
        if self.options.version is not Version.OLD:
            extra["create_time"] = int(time.time() * 1000)
        return extra

    async def get_prompt(self, request: Request) -> Response:
        return answer(self.exec_info())

    async def get_queue(self, request: Request) -> Response:
        running = [list(item) for item in self.jobs.running.values()]
        pending = [list(item) for item in self.jobs.pending]
        return answer({"queue_running": running, "queue_pending": pending})

    async def post_queue(self, request: Request) -> Response:
        body = await body_of(request)
        if body.get("clear"):
            self.jobs.clear()
        for prompt_id in ids_of(body, "delete") or []:
            self.jobs.delete(prompt_id)
        return Response()

    async def post_interrupt(self, request: Request) -> Response:
        try:
            body = await body_of(request)
        except ValueError:
            body = {}
        wanted = body.get("prompt_id")
        if wanted is None or self.jobs.is_running(str(wanted)):
            self.engine.interrupt()
        return Response()

    async def post_free(self, request: Request) -> Response:
        body = await body_of(request)
        if body.get("unload_models") or body.get("free_memory"):
            self.engine.free(forget=bool(body.get("free_memory")))
        return Response()

    # -- history ---------------------------------------------------------------------------

    async def get_history(self, request: Request) -> Response:
        query = request.query_params
        max_items = int(query["max_items"]) if "max_items" in query else None
        offset = int(query.get("offset", "-1"))
        return answer(self.jobs.page(max_items=max_items, offset=offset))

    async def get_history_entry(self, request: Request) -> Response:
        prompt_id = request.path_params["prompt_id"]
        entry = self.jobs.history.get(prompt_id)
        return answer({} if entry is None else {prompt_id: entry.told()})

    async def post_history(self, request: Request) -> Response:
        body = await body_of(request)
        if body.get("clear"):
            self.jobs.history.clear()
        for prompt_id in ids_of(body, "delete") or []:
            self.jobs.history.pop(prompt_id, None)
        return Response()

    # -- what the server is ----------------------------------------------------------------

    async def get_features(self, request: Request) -> Response:
        return answer(self.features)

    async def get_object_info(self, request: Request) -> Response:
        infos = object_info(self.classes, self.folders)
        wanted = request.path_params.get("node_class")
        if wanted is None:
            return answer(infos)
        return answer({wanted: infos[wanted]} if wanted in infos else {})

    async def get_models(self, request: Request) -> Response:
        folder = request.path_params["folder"]
        lists = {"checkpoints": "CheckpointLoaderSimple", "upscale_models": "UpscaleModelLoader"}
        if folder not in lists:
            return Response(status_code=404)
        inputs = self.classes[lists[folder]].info["input"]
        assert isinstance(inputs, dict)
        spec = next(iter(inputs["required"].values()))
        return answer(spec[0] if isinstance(spec[0], list) else spec[1]["options"])

    async def get_embeddings(self, request: Request) -> Response:
        return answer([])

    async def get_system_stats(self, request: Request) -> Response:
        return answer(system_stats(self.options.version))

    async def get_internal_files(self, request: Request) -> Response:
        return answer(self.folders.top_level(Place(request.path_params["place"])))

    async def home(self, request: Request) -> Response:
        return HTMLResponse(HOME)

    async def unknown(self, request: Request) -> Response:
        if request.method in ("GET", "HEAD"):
            return Response(status_code=404, media_type="application/octet-stream")
        return PlainTextResponse("405: Method Not Allowed", status_code=405)

    # -- wiring ----------------------------------------------------------------------------

    async def socket(self, websocket: WebSocket) -> None:
        self.start()
        if is_foreign(websocket.headers.get("origin"), websocket.headers.get("host", "")):
            await websocket.close(code=1008)
            return
        client = websocket.query_params.get("clientId")
        replay = self.engine.node if client and client == self.engine.client else None
        remaining = self.jobs.remaining()
        await self.sockets.serve(websocket, remaining=remaining, running_node=replay)

    def routes(self) -> list[BaseRoute]:
        moves = transfers.Transfers(self.folders, self.faults, self.options.max_upload_bytes)
        kept = UserFiles(self.options.folder.resolve() / "user" / "default")
        table: list[tuple[str, str, Endpoint]] = [
            ("POST", "/prompt", self.post_prompt),
            ("GET", "/prompt", self.get_prompt),
            ("GET", "/queue", self.get_queue),
            ("POST", "/queue", self.post_queue),
            ("POST", "/interrupt", self.post_interrupt),
            ("POST", "/free", self.post_free),
            ("GET", "/history", self.get_history),
            ("GET", "/history/{prompt_id}", self.get_history_entry),
            ("POST", "/history", self.post_history),
            ("GET", "/view", moves.view),
            ("POST", "/upload/image", moves.upload),
            ("GET", "/features", self.get_features),
            ("GET", "/object_info", self.get_object_info),
            ("GET", "/object_info/{node_class}", self.get_object_info),
            ("GET", "/models/{folder}", self.get_models),
            ("GET", "/embeddings", self.get_embeddings),
            ("GET", "/system_stats", self.get_system_stats),
            ("GET", "/internal/files/{place}", self.get_internal_files),
            ("GET", "/userdata", kept.page),
            ("GET", "/userdata/{file:path}", kept.one),
            ("POST", "/userdata/{file:path}", kept.save),
        ]
        routes: list[BaseRoute] = []
        for method, path, endpoint in table:
            guarded = self._guarded(endpoint)
            routes += [Route(p, guarded, methods=[method]) for p in (path, "/api" + path)]
        if self.options.version is not Version.OLD:
            routes += self._job_routes()
        routes += [WebSocketRoute(path, self.socket) for path in ("/ws", "/api/ws")]
        routes.append(Route("/", self._guarded(self.home), methods=["GET"]))
        anything = ["GET", "POST", "PUT", "DELETE", "PATCH"]
        routes.append(Route("/{path:path}", self._guarded(self.unknown), methods=anything))
        return routes

    def _job_routes(self) -> list[BaseRoute]:
        jobs = JobRoutes(self.jobs, self.engine)
        table: list[tuple[str, str, Endpoint]] = [
            ("GET", "/api/jobs", jobs.page),
            ("GET", "/api/jobs/{job_id}", jobs.one),
        ]
        if self.options.version is Version.NEW:
            table.append(("POST", "/api/jobs/cancel", jobs.cancel_many))
            table.append(("POST", "/api/jobs/{job_id}/cancel", jobs.cancel))
        return [Route(path, self._guarded(call), methods=[method]) for method, path, call in table]

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            self.start()
            if is_foreign(request.headers.get("origin"), request.headers.get("host", "")):
                return Response(status_code=403)
            try:
                return await endpoint(request)
            except FAULTS_OF_A_HANDLER:
                return PlainTextResponse(TROUBLE, status_code=500)

        return guarded


async def body_of(request: Request) -> JsonObject:
    """The JSON body, whatever its content type says; raises ValueError or TypeError otherwise."""
    body = json.loads(await request.body())
    if not isinstance(body, dict):
        raise TypeError("not an object")
    return body


def ids_of(body: JsonObject, key: str) -> list[str] | None:
    """The list of ids under `key`, or None without that key."""
    ids = body.get(key)
    if ids is None:
        return None
    if not isinstance(ids, list):
        raise TypeError(f"{key} is not a list")
    return [str(each) for each in ids]


def graph_of(value: object) -> Graph:
    """The posted graph as it came: what is in it is judged node by node."""
    if not isinstance(value, dict):
        raise TypeError("prompt is not an object")
    return value


def float_or_int(value: object) -> float:
    if isinstance(value, (int, float, str)):
        return float(value)
    raise TypeError("number is not a number")


def is_uuid(value: object) -> bool:
    try:
        return str(uuid.UUID(str(value))) == value
    except ValueError:
        return False


def is_foreign(origin: str | None, host: str) -> bool:
    """Whether a browser page of another origin asks; no origin and `null` pass, as measured."""
    return origin not in (None, "null") and urlsplit(str(origin)).netloc != host


def _refused(kind: str, message: str, *, details: str = "") -> JsonObject:
    error: JsonObject = {"type": kind, "message": message, "details": details, "extra_info": {}}
    return {"error": error, "node_errors": {}}
