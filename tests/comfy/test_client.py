from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from comfy.recorded import graph_of, http_steps, replaying, scenario, serving, socket_texts
from shortlist.comfy.client import ComfyClient
from shortlist.comfy.faults import (
    BadAnswer,
    FileMissing,
    TooLarge,
    Unreachable,
)
from shortlist.comfy.messages import End, Message, OutputFile, Over, Preview, Unknown, read_text

pytestmark = pytest.mark.anyio
FILE = OutputFile("9", "0f55fa3c_00001_.png", "rec", "output")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def client_for(url: str, name: str = "") -> ComfyClient:
    return ComfyClient(url, client_id=scenario(name)["client_id"] if name else str(uuid4()))


def submitted(name: str) -> str:
    post = next(s for s in http_steps(name) if s["http"]["path"] == "/api/prompt")
    return str(post["http"]["body"]["prompt_id"])


async def until_over(events: AsyncIterator[Message]) -> list[Message]:
    told = []
    async for message in events:
        told.append(message)
        if isinstance(message, Over):
            return told
    raise AssertionError("the socket ended before the job")


async def test_a_server_tells_its_version_cards_and_upload_limit() -> None:
    async with replaying("server") as (url, _), client_for(url) as client:
        server = await client.probe()
    assert (server.version, server.max_upload_bytes) == ("0.3.64", 104857600)
    assert [(d.name, d.type) for d in server.devices] == [("cpu", "cpu")]


async def test_a_job_is_followed_from_submit_to_file() -> None:
    prompt_id = submitted("success")
    async with replaying("success") as (url, replay), client_for(url, "success") as client:
        events = client.events()
        first = await anext(events)
        number = await client.submit(prompt_id, graph_of("success"), extra_pnginfo={"hub": 1})
        place = await client.locate(prompt_id)
        assert await client.history(prompt_id) is None
        told = [first, *await until_over(events)]
        done = await client.history(prompt_id)
        assert done is not None
        data = await client.view(done.stills("9")[0])
        assert await client.exists(FILE)
        await events.aclose()
    assert (number, place.running, place.absent) == (0, True, False)
    assert told == [read_text(frame) for frame in socket_texts("success")]
    assert done.end is End.SUCCEEDED
    assert (len(data), data[:4]) == (612, b"\x89PNG")
    sent = json.loads(replay.asked[0]["body"])
    assert sent["client_id"] == client.client_id
    assert sent["extra_data"] == {"extra_pnginfo": {"hub": 1}}
    assert "origin" not in replay.asked[0]["headers"]
    assert "number" not in sent


async def test_previews_come_with_their_job_once_flags_were_sent() -> None:
    name = "feature_flags_previews"
    async with replaying(name) as (url, _), client_for(url, name) as client:
        events = client.events()
        await anext(events)
        await client.submit(submitted(name), graph_of(name), extra_pnginfo={})
        told = await until_over(events)
        await events.aclose()
    previews = [m for m in told if isinstance(m, Preview)]
    assert previews
    assert all(preview.node == "2" for preview in previews)
    assert not any(isinstance(m, Unknown) for m in told)


async def test_a_cancelled_job_on_an_old_server_is_dequeued_then_interrupted() -> None:
    asked: list[tuple[str, Any]] = []

    async def old(request: Request) -> Response:
        body = await request.body()
        asked.append((request.url.path, json.loads(body)))
        return (
            Response("405: Method Not Allowed", 405) if "jobs" in request.url.path else Response()
        )

    routes = [Route("/{path:path}", old, methods=["POST"])]
    async with serving(Starlette(routes=routes)) as url, client_for(url) as client:
        await client.cancel("abc")
    assert asked == [
        ("/api/jobs/abc/cancel", {}),
        ("/api/queue", {"delete": ["abc"]}),
        ("/api/interrupt", {"prompt_id": "abc"}),
    ]


async def test_a_cancelled_job_on_a_new_server_takes_one_request() -> None:
    asked: list[str] = []

    async def new(request: Request) -> Response:
        asked.append(request.url.path)
        return JSONResponse({"cancelled": False})

    routes = [Route("/{path:path}", new, methods=["POST"])]
    async with serving(Starlette(routes=routes)) as url, client_for(url) as client:
        await client.cancel("abc")
    assert asked == ["/api/jobs/abc/cancel"]


async def test_only_the_cancelled_job_is_interrupted() -> None:
    name, prompt_id = "interrupt", submitted("interrupt")
    async with replaying(name) as (url, replay), client_for(url, name) as client:
        events = client.events()
        await anext(events)
        await client.submit(prompt_id, graph_of(name), extra_pnginfo={})
        await client.cancel("another")
        await client.cancel(prompt_id)
        await until_over(events)
        done = await client.history(prompt_id)
        await events.aclose()
    assert done is not None
    assert done.end is End.INTERRUPTED
    ids = [json.loads(a["body"])["prompt_id"] for a in replay.asked if "interrupt" in a["path"]]
    assert ids == ["another", prompt_id]


async def test_pending_jobs_are_listed_in_the_order_they_will_run() -> None:
    heap = [[-5, "f"], [-4, "e"], [-0.5, "g"], [2, "c"], [1, "b"], [3, "d"], "?", []]

    async def queue(request: Request) -> Response:
        return JSONResponse({"queue_running": [[0, "a", {}, {}, []]], "queue_pending": heap})

    app = Starlette(routes=[Route("/api/queue", queue)])
    async with serving(app) as url, client_for(url) as client:
        held = await client.queue()
        place = await client.locate("c")
    assert held.running == ("a",)
    assert held.pending == ("f", "e", "g", "b", "c", "d")
    assert (place.running, place.pending, place.outcome) == (False, True, None)


async def test_a_recorded_queue_with_a_job_moved_to_the_front_reads_in_order() -> None:
    name = "queue_delete"
    async with replaying(name) as (url, _), client_for(url, name) as client:
        held = await client.queue()
    posts = [s["http"]["body"]["prompt_id"] for s in http_steps(name)
             if s["http"]["path"] == "/api/prompt"]  # fmt: skip
    assert held.running == (posts[0],)
    assert held.pending == (posts[2], posts[1])


async def test_a_job_deleted_while_queued_is_absent() -> None:
    name = "queue_delete"
    gone = next(s for s in http_steps(name) if s.get("note") == "deleted while queued")
    prompt_id = gone["http"]["path"].rpartition("/")[2]
    async with replaying(name) as (url, _), client_for(url, name) as client:
        assert await client.history(prompt_id) is None


async def test_a_parent_image_is_stored_under_its_hash_in_the_hubs_folder() -> None:
    stored: dict[str, Any] = {}

    async def upload(request: Request) -> Response:
        async with request.form() as form:
            file = form["image"]
            assert not isinstance(file, str)
            stored.update(form, image=await file.read(), name=file.filename)
        return JSONResponse({"name": stored["name"], "subfolder": "shortlist", "type": "input"})

    data = b"\x89PNG parent"
    digest = hashlib.sha256(data).hexdigest()
    app = Starlette(routes=[Route("/api/upload/image", upload, methods=["POST"])])
    async with serving(app) as url, client_for(url) as client:
        reference = await client.upload(data, digest, "png")
    assert reference == f"shortlist/{digest}.png"
    assert stored == {
        "name": f"{digest}.png", "image": data,
        "subfolder": "shortlist", "type": "input",
    }  # fmt: skip


async def test_the_name_the_server_answers_is_the_one_that_is_used() -> None:
    async with replaying("upload") as (url, _), client_for(url) as client:
        names = [await client.upload(b"x", "0" * 64, "png") for _ in range(5)]
    assert names == [
        "rec_up.png", "rec_up.png", "rec_up (1).png", "rec_up.png", "shortlist/rec_up.png",
    ]  # fmt: skip


async def test_an_upload_over_the_servers_limit_is_not_sent() -> None:
    async with replaying("upload") as (url, replay), client_for(url) as client:
        client.max_upload_bytes = 3
        with pytest.raises(TooLarge):
            await client.upload(b"1234", "0" * 64, "png")
    assert replay.asked == []


@pytest.mark.parametrize("name", ["../x.png", "a/b.png", "..\\x", ""])
async def test_an_upload_answer_that_leaves_the_folder_is_refused(name: str) -> None:
    async def upload(request: Request) -> Response:
        return JSONResponse({"name": name, "subfolder": "shortlist", "type": "input"})

    app = Starlette(routes=[Route("/api/upload/image", upload, methods=["POST"])])
    async with serving(app) as url, client_for(url) as client:
        with pytest.raises(BadAnswer):
            await client.upload(b"x", "0" * 64, "png")


async def test_a_file_the_server_lost_is_missing() -> None:
    async with replaying("server") as (url, _), client_for(url) as client:
        gone = OutputFile("9", "none.png", "", "output")
        assert not await client.exists(gone)
        with pytest.raises(FileMissing):
            await client.view(gone)
        with pytest.raises(FileMissing):
            await client.view(OutputFile("9", "a.png", "../..", "output"))


async def test_housekeeping_sends_what_comfyui_wants() -> None:
    asked: list[tuple[str, Any]] = []

    async def take(request: Request) -> Response:
        asked.append((request.url.path, await request.json()))
        return Response()

    routes = [Route("/{path:path}", take, methods=["POST"])]
    async with serving(Starlette(routes=routes)) as url, client_for(url) as client:
        await client.forget("abc")
        await client.free()
    assert asked == [
        ("/api/history", {"delete": ["abc"]}),
        ("/api/free", {"unload_models": True, "free_memory": True}),
    ]


async def test_events_end_with_an_error_when_the_server_closes_the_socket() -> None:
    async with replaying("two_clients_other") as (url, _), client_for(url) as client:
        with pytest.raises(Unreachable):
            async for _ in client.events():
                pass


async def test_a_second_socket_of_a_client_closes_its_first() -> None:
    async with replaying("success") as (url, _), client_for(url) as client:
        first = client.events()
        await anext(first)
        second = client.events()
        await anext(second)
        with pytest.raises((Unreachable, StopAsyncIteration)):
            await asyncio.wait_for(anext(first), 5)
        await second.aclose()
