"""The habits of a real server that a hub must survive: queue order, cache, file names, sockets
that go deaf, versions that differ, and things that go wrong on demand."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import uuid
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from importlib import resources
from pathlib import Path
from typing import TypeVar

import httpx2
import pytest
from PIL import Image

from shortlist.simulator.about import DEVICE_NAME
from shortlist.simulator.options import Fault, FaultKind, Version
from shortlist.simulator.painter import read_traits
from simulator.talk import Frame, Talk, plain, slow, talking

T = TypeVar("T")


def play(scenario: Coroutine[object, object, T]) -> T:
    return asyncio.run(scenario)


def filename(entry: dict, node: str = "9") -> str:
    return entry["outputs"][node]["images"][0]["filename"]


def last_message(entry: dict) -> tuple[str, dict]:
    kind, data = entry["status"]["messages"][-1]
    return kind, data


async def busy(talk: Talk, prompt_id: str = "busy", **more: object) -> None:
    """Keeps the worker with a job that lasts, and returns once it runs."""
    await talk.post(slow(seconds=60, steps=600, prefix=prompt_id), prompt_id=prompt_id, **more)
    while not (await queue(talk))["queue_running"]:
        await asyncio.sleep(0.005)


async def queue(talk: Talk) -> dict:
    return (await talk.http.get("/api/queue")).json()


def test_the_front_of_the_queue_is_a_stack_and_pending_comes_in_heap_order(tmp_path: Path) -> None:
    async def scenario() -> list[list[object]]:
        async with talking(tmp_path) as talk:
            await busy(talk, "a")
            for name in "bcd":
                await talk.post(plain(prefix=name), prompt_id=name)
            for name in "ef":
                await talk.post(plain(prefix=name), prompt_id=name, front=True)
            await talk.post(plain(prefix="g"), prompt_id="g", number=-0.5)
            return [item[:2] for item in (await queue(talk))["queue_pending"]]

    pending = play(scenario())
    assert pending == [[-5, "f"], [-4, "e"], [-0.5, "g"], [2, "c"], [1, "b"], [3, "d"]]


def test_two_items_equal_in_number_and_id_kill_the_worker_for_good(tmp_path: Path) -> None:
    async def scenario() -> tuple[list[int], dict]:
        async with talking(tmp_path) as talk:
            await busy(talk)
            twins = [await talk.post(plain(color=c), prompt_id="twin", number=5) for c in (1, 2, 3)]
            await talk.http.post("/api/interrupt", json={})
            await talk.history("busy")
            await talk.post(plain(), prompt_id="later")
            return [twin.status_code for twin in twins], await queue(talk)

    statuses, left = play(scenario())
    assert statuses[0] == 200
    assert 500 in statuses
    assert left["queue_running"] == []
    assert {item[1] for item in left["queue_pending"]} >= {"later"}


def test_only_the_named_running_job_is_interrupted_and_a_late_one_hits_nobody(
    tmp_path: Path,
) -> None:
    async def scenario() -> tuple[str, str]:
        async with talking(tmp_path) as talk:
            await talk.http.post("/api/interrupt")
            done = await talk.run(plain(), "first")
            await busy(talk)
            await talk.http.post("/api/queue", json={"delete": ["busy"]})
            await talk.http.post("/api/interrupt", json={"prompt_id": "busy"})
            return last_message(done)[0], last_message(await talk.history("busy"))[0]

    assert play(scenario()) == ("execution_success", "execution_interrupted")


def test_an_interrupt_waits_for_the_end_of_a_node_that_reports_nothing(tmp_path: Path) -> None:
    async def scenario() -> tuple[str, dict]:
        async with talking(tmp_path) as talk, talk.ear("me") as ear:
            graph = slow(seconds=1, interruptible=False)
            await talk.post(graph, prompt_id="deaf", client_id="me")
            await ear.until_heard("executing", node="2")
            await talk.http.post("/api/interrupt", json={"prompt_id": "deaf"})
            return last_message(await talk.history("deaf"))

    kind, data = play(scenario())
    assert (kind, data["node_id"]) == ("execution_interrupted", "9")


def test_an_equal_graph_is_answered_with_the_old_file_even_if_it_is_gone(tmp_path: Path) -> None:
    async def scenario() -> tuple[str, str, int, str]:
        async with talking(tmp_path) as talk:
            first = await talk.run(plain(), "one", extra_data={"extra_pnginfo": {"hub": 1}})
            second = await talk.run(plain(), "two", extra_data={"extra_pnginfo": {"hub": 2}})
            (tmp_path / "output" / filename(first)).unlink()
            third = await talk.run(plain(), "three")
            gone = await talk.http.get("/api/view", params=third["outputs"]["9"]["images"][0])
            await talk.http.post("/api/free", json={"free_memory": True})
            fresh = await talk.run(plain(), "four")
            reused = (tmp_path / "output" / filename(fresh)).exists()
            return filename(first), filename(second), gone.status_code, reused

    assert play(scenario()) == ("plain_00001_.png", "plain_00001_.png", 404, True)


def test_a_different_job_in_between_empties_the_cache_of_the_measured_version(
    tmp_path: Path,
) -> None:
    async def scenario(version: Version) -> str:
        async with talking(tmp_path / version.name, version=version) as talk:
            ids = [str(uuid.uuid4()) for _ in range(3)]
            await talk.run(plain(), ids[0])
            await talk.run(plain(prefix="other", color=7), ids[1])
            return filename(await talk.run(plain(), ids[2]))

    assert play(scenario(Version.OLD)) == "plain_00002_.png"
    assert play(scenario(Version.NEW)) == "plain_00001_.png"


def test_a_loaded_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    async def scenario() -> tuple[list[str], list[str]]:
        graph = plain(prefix="copy")
        graph["1"] = {"class_type": "LoadImage", "inputs": {"image": "hub/p.png"}}
        async with talking(tmp_path) as talk:
            cached = []
            for color in ("red", "red", "blue"):
                out = io.BytesIO()
                Image.new("RGB", (32, 32), color).save(out, "PNG")
                files = {"image": ("p.png", out.getvalue())}
                form = {"subfolder": "hub", "overwrite": "true"}
                await talk.http.post("/api/upload/image", files=files, data=form)
                entry = await talk.run(graph, f"{color}{len(cached)}")
                cached.append(entry["status"]["messages"][1][1]["nodes"])
            names = (await talk.http.get("/api/object_info/LoadImage")).json()
            return cached, names["LoadImage"]["input"]["required"]["image"][0]

    cached, listed = play(scenario())
    assert cached == [[], ["1", "9"], []]
    assert listed == []  # the list names the top level only, and the file is found all the same


def test_a_saved_picture_carries_the_graph_and_every_key_of_extra_pnginfo(tmp_path: Path) -> None:
    extra = {"extra_pnginfo": {"workflow": {"nodes": ["Ü"]}, "hub": {"job": 7}}}

    async def scenario() -> bytes:
        async with talking(tmp_path) as talk:
            entry = await talk.run(plain(prefix="deep/er"), "one", extra_data=extra)
            return await talk.image(entry["outputs"]["9"]["images"][0])

    data = play(scenario())
    with Image.open(io.BytesIO(data)) as image:
        info = dict(image.info)
    assert json.loads(info["prompt"])["9"]["inputs"]["filename_prefix"] == "deep/er"
    assert json.loads(info["workflow"]) == {"nodes": ["Ü"]}
    assert json.loads(info["hub"]) == {"job": 7}
    assert 0 < data.index(b"tEXthub") < data.index(b"IDAT")


@pytest.mark.parametrize(
    ("prefix", "name"),
    [
        ("%width%x%height%", "64x64_00001_.png"),
        ("%date:yyyy%/x", "x_00001_.png"),
        ("%batch_num%b", "0b_00001_.png"),
    ],
)
def test_names_are_filled_in_the_way_the_server_does(
    prefix: str, name: str, tmp_path: Path
) -> None:
    async def scenario() -> dict:
        async with talking(tmp_path) as talk:
            entry = await talk.run(plain(prefix=prefix), "one")
            return entry["outputs"]["9"]["images"][0]

    saved = play(scenario())
    assert saved["filename"] == name
    assert saved["subfolder"] == prefix.rpartition("/")[0]


def test_a_prefix_that_leaves_the_output_folder_fails_when_it_runs(tmp_path: Path) -> None:
    async def scenario() -> dict:
        async with talking(tmp_path) as talk:
            return await talk.run(plain(prefix="../../elsewhere/x"), "one")

    kind, data = last_message(play(scenario()))
    assert kind == "execution_error"
    assert "outside the output folder" in data["exception_message"]
    assert not (tmp_path.parent / "elsewhere").exists()


def test_a_download_knows_heads_ranges_etags_and_the_trap_of_a_path_in_the_name(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with talking(tmp_path) as talk:
            await talk.run(plain(prefix="a", color=1), "one")
            await talk.run(plain(prefix="sub/a", color=2), "two")
            root = {"filename": "a_00001_.png", "type": "output"}
            whole = await talk.http.get("/api/view", params=root)
            part = await talk.http.get("/api/view", params=root, headers={"range": "bytes=0-7"})
            same = await talk.http.get(
                "/api/view", params=root, headers={"if-none-match": whole.headers["etag"]}
            )
            trap = await talk.http.get(
                "/api/view", params={"filename": "sub/a_00001_.png", "type": "output"}
            )
            noted = await talk.http.get(
                "/api/view", params={"filename": "a_00001_.png [output]", "type": "input"}
            )
            assert (part.status_code, part.content) == (206, whole.content[:8])
            assert same.status_code == 304
            assert trap.content == whole.content
            assert noted.content == whole.content

    play(scenario())


def test_an_upload_over_the_limit_or_without_a_picture_is_refused(tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        async with talking(tmp_path, max_upload_bytes=1000) as talk:
            post = talk.http.post
            return [
                (
                    await post("/api/upload/image", files={"image": ("a.png", b"x" * 2000)})
                ).status_code,
                (await post("/api/upload/image", files={"file": ("a.png", b"x")})).status_code,
                (await post("/api/upload/image", json={"image": "a"})).status_code,
                (await post("/api/upload/image", files={"image": ("no/a.png", b"x")})).status_code,
            ]

    assert play(scenario()) == [413, 400, 400, 500]


def test_a_socket_that_comes_late_hears_the_running_node_and_no_past(tmp_path: Path) -> None:
    async def scenario() -> list[dict]:
        async with talking(tmp_path) as talk:
            async with talk.ear("me") as ear:
                await busy(talk, client_id="me")
                await ear.until_heard("progress")
            async with talk.ear("me") as late:
                await late.until(lambda e: len(e.heard) >= 3)
                return late.heard

    heard = play(scenario())
    assert heard[0]["data"]["status"] == {"exec_info": {"queue_remaining": 1}}
    assert heard[1] == {"type": "executing", "data": {"node": "2"}}
    assert heard[2]["type"] == "progress_state"


def test_closing_the_old_socket_of_an_id_makes_the_new_one_deaf(tmp_path: Path) -> None:
    async def scenario() -> tuple[list[str], bool]:
        async with talking(tmp_path) as talk, AsyncExitStack() as second:
            async with talk.ear("me"):
                new = await second.enter_async_context(talk.ear("me"))
            witness = await second.enter_async_context(talk.ear("witness"))
            await talk.run(plain(), "one")
            await witness.until(lambda e: len(e.heard) >= 4)
            return new.kinds(), new.closed

    assert play(scenario()) == (["status"], False)


def test_one_client_that_does_not_read_holds_up_all_others(tmp_path: Path) -> None:
    chain = plain()
    for number in range(100, 260):
        source = "1" if number == 100 else str(number - 1)
        inputs = {"image": [source, 0]}
        chain[str(number)] = {"class_type": "ImageInvert", "inputs": inputs}
    chain["9"]["inputs"]["images"] = ["259", 0]

    async def scenario() -> tuple[list[int], dict]:
        async with talking(tmp_path) as talk, talk.ear("witness") as witness:
            stalled = await deaf_socket(talk.server.url, "stalled")
            # Megabytes of progress for a client that takes none of it.
            await talk.run(chain, "long", client_id="stalled")
            await talk.run(plain(color=2), "short", client_id="other")
            counts = [one["data"]["status"]["exec_info"] for one in witness.heard]
            stalled.close()
            await witness.until(lambda e: e.kinds().count("status") >= 7)
            return [count["queue_remaining"] for count in counts], witness.heard[-1]

    early, last = play(scenario())
    assert early == [0, 1, 1]
    assert last["data"]["status"]["exec_info"]["queue_remaining"] == 0


async def deaf_socket(url: str, client_id: str) -> socket.socket:
    """A WebSocket connection that never reads after its handshake."""
    host, port = url.removeprefix("http://").split(":")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, (host, int(port)))
    lines = [
        f"GET /ws?clientId={client_id} HTTP/1.1",
        f"Host: {host}:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: c2hvcnRsaXN0c2hvcnRsaQ==",
    ]
    await loop.sock_sendall(raw, "\r\n".join([*lines, "", ""]).encode())
    assert b"101" in await loop.sock_recv(raw, 64)
    return raw


def test_a_client_may_leave_at_the_moment_the_server_does(tmp_path: Path) -> None:
    farewell = b"\x88\x80\x00\x00\x00\x00"  # a frame that closes, masked with nothing

    async def scenario(turns: int) -> None:
        async with talking(tmp_path / str(turns)) as talk:
            leaving = await deaf_socket(talk.server.url, "leaving")
            leaving.send(farewell)
            for _ in range(turns):
                await asyncio.sleep(0)
        leaving.close()

    # One of them stops the server while the farewell is half said.
    for turns in range(8):
        play(scenario(turns))


def test_a_job_without_a_client_shows_its_progress_to_everybody_and_its_end_to_nobody(
    tmp_path: Path,
) -> None:
    async def scenario() -> set[str]:
        async with talking(tmp_path) as talk, talk.ear("me") as ear:
            await talk.post(plain(), prompt_id="one")
            await talk.history("one")
            await ear.until(lambda e: e.kinds().count("status") == 4)
            return set(ear.kinds())

    assert play(scenario()) == {"status", "progress_state"}


def test_feature_flags_count_only_in_the_first_message(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        async with talking(tmp_path) as talk, talk.ear("me") as ear:
            await ear.say({"type": "hello", "data": {}})
            await ear.say({"type": "feature_flags", "data": {}})
            await talk.run(plain(), "one")
            await ear.until_heard("executing", node=None)
            return ear.kinds()

    assert "feature_flags" not in play(scenario())


def test_foreign_pages_are_turned_away_and_callers_without_an_origin_are_not(
    tmp_path: Path,
) -> None:
    async def scenario() -> list[int]:
        async with talking(tmp_path) as talk:
            origins = ["http://evil.example", "null", talk.server.url]
            headers = [{"origin": origin} for origin in origins] + [{}]
            return [
                (await talk.http.get("/api/queue", headers=each)).status_code for each in headers
            ]

    assert play(scenario()) == [403, 200, 200, 200]


def test_unknown_routes_answer_as_the_real_server_does(tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        async with talking(tmp_path) as talk:
            return [
                (await talk.http.request(method, path)).status_code
                for method, path in [
                    ("GET", "/nothing"),
                    ("POST", "/nothing"),
                    ("DELETE", "/api/queue"),
                    ("GET", "/api/interrupt"),
                    ("GET", "/queue"),
                ]
            ]

    assert play(scenario()) == [404, 405, 405, 404, 200]


def test_it_says_that_it_is_a_simulator(tmp_path: Path) -> None:
    async def scenario() -> tuple[str, dict]:
        async with talking(tmp_path) as talk:
            stats = (await talk.http.get("/api/system_stats")).json()
            return (await talk.http.get("/")).text, stats

    page, stats = play(scenario())
    assert "draws" in page
    assert stats["devices"][0]["name"] == DEVICE_NAME


# -- versions ------------------------------------------------------------------------------------


def test_the_newest_version_wants_uuids_and_names_a_missing_node(tmp_path: Path) -> None:
    async def scenario() -> list[dict]:
        async with talking(tmp_path, version=Version.NEW) as talk:
            graph = plain()
            graph["2"] = {"class_type": "Nope", "inputs": {}, "_meta": {"title": "My node"}}
            return [
                (await talk.post(plain(), prompt_id="x")).json(),
                (await talk.post(graph, prompt_id=str(uuid.uuid4()))).json(),
            ]

    bad_id, missing = (answer["error"] for answer in play(scenario()))
    assert bad_id["type"] == "invalid_prompt_id"
    assert missing["type"] == "missing_node_type"
    assert missing["extra_info"] == {
        "node_id": "2",
        "class_type": "Nope",
        "node_title": "My node",
    }


def test_the_newest_version_cancels_exactly_one_job(tmp_path: Path) -> None:
    async def scenario() -> tuple[list[bool], dict, list[str]]:
        running, waiting, other = (str(uuid.uuid4()) for _ in range(3))
        async with talking(tmp_path, version=Version.NEW) as talk:
            await busy(talk, running)
            for job_id in (waiting, other):
                await talk.post(plain(prefix=job_id), prompt_id=job_id)
            answers = [
                (await talk.http.post(f"/api/jobs/{job_id}/cancel")).json()["cancelled"]
                for job_id in (waiting, running, waiting)
            ]
            await talk.history(other)
            jobs = (await talk.http.get("/api/jobs")).json()
            one = (await talk.http.get(f"/api/jobs/{running}")).json()
            return answers, one, [job["status"] for job in jobs["jobs"]]

    answers, one, states = play(scenario())
    assert answers == [True, True, False]
    assert one["status"] == "cancelled"
    assert states == ["completed", "cancelled"]


def test_newer_file_entries_say_more(tmp_path: Path) -> None:
    async def scenario() -> dict:
        async with talking(tmp_path, version=Version.NEW) as talk:
            entry = await talk.run(plain(), str(uuid.uuid4()))
            return entry["outputs"]["9"]["images"][0]

    entry = play(scenario())
    assert entry["metadata"] == {"kind": "image", "width": 64, "height": 64}
    assert entry["id"]


def test_the_middle_version_forgets_the_outputs_of_a_cached_run_without_a_client(
    tmp_path: Path,
) -> None:
    async def scenario() -> list[dict]:
        async with talking(tmp_path, version=Version.MID) as talk:
            return [
                (await talk.run(plain(), str(number), client_id=client))["outputs"]
                for number, client in enumerate(("me", "me", None))
            ]

    with_client, again, without = play(scenario())
    assert with_client == again != {}
    assert without == {}


# -- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "ends", "says"),
    [
        (FaultKind.RAISE, "execution_error", "ValueError"),
        (FaultKind.OUT_OF_MEMORY, "execution_error", "torch.OutOfMemoryError"),
        (FaultKind.INTERRUPT, "execution_interrupted", None),
    ],
)
def test_a_scripted_failure_strikes_once_at_its_node(
    kind: FaultKind, ends: str, says: str | None, tmp_path: Path
) -> None:
    async def scenario() -> tuple[tuple[str, dict], str]:
        fault = Fault(kind=kind, node_class="SaveImage")
        async with talking(tmp_path, fault) as talk:
            first = last_message(await talk.run(plain(), "one"))
            return first, last_message(await talk.run(plain(), "two"))[0]

    (first, data), second = play(scenario())
    assert (first, data["node_id"], data.get("exception_type")) == (ends, "9", says)
    assert second == "execution_success"


def test_a_blocked_branch_is_no_end(tmp_path: Path) -> None:
    async def scenario() -> tuple[dict, dict]:
        graph = plain(prefix="kept") | {
            "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
            "8": {
                "class_type": "SaveImage",
                "inputs": {"images": ["2", 0], "filename_prefix": "lost"},
            },
        }
        fault = Fault(kind=FaultKind.BLOCK, node_class="ImageInvert", text="nothing to do")
        async with talking(tmp_path, fault) as talk, talk.ear("me") as ear:
            entry = await talk.run(graph, "one")
            await ear.until_heard("executing", node=None)
            told = ear.find("execution_error")
            assert told is not None
            return entry, told["data"]

    entry, told = play(scenario())
    assert last_message(entry)[0] == "execution_success"
    assert list(entry["outputs"]) == ["9"]
    assert told["exception_type"] == "ExecutionBlocked"


def test_a_dead_worker_takes_jobs_and_never_runs_them(tmp_path: Path) -> None:
    async def scenario() -> dict:
        fault = Fault(kind=FaultKind.KILL_WORKER, prompt_id="fatal")
        async with talking(tmp_path, fault) as talk, talk.ear("me") as ear:
            await talk.post(plain(), prompt_id="fatal", client_id="me")
            await ear.until_heard("executing", node="1")
            answer = await talk.post(plain(), prompt_id="later")
            assert answer.status_code == 200
            return await queue(talk)

    left = play(scenario())
    assert [item[1] for item in left["queue_running"]] == ["fatal"]
    assert [item[1] for item in left["queue_pending"]] == ["later"]


def test_success_can_be_told_long_before_the_history_entry(tmp_path: Path) -> None:
    async def scenario() -> tuple[dict | None, dict]:
        fault = Fault(kind=FaultKind.LATE_HISTORY, seconds=0.3)
        async with talking(tmp_path, fault) as talk, talk.ear("me") as ear:
            await talk.post(plain(), prompt_id="one", client_id="me")
            await ear.until_heard("execution_success")
            early = await talk.entry("one")
            await ear.until_heard("executing", node=None)
            late = await talk.entry("one")
            assert late is not None
            return early, late

    early, late = play(scenario())
    assert early is None
    assert late["status"]["completed"] is True


def test_an_evicted_entry_leaves_the_job_in_neither_place(tmp_path: Path) -> None:
    async def scenario() -> tuple[dict, dict | None]:
        async with talking(tmp_path, Fault(kind=FaultKind.LOSE_HISTORY)) as talk:
            async with talk.ear("me") as ear:
                await talk.post(plain(), prompt_id="one", client_id="me")
                await ear.until_heard("executing", node=None)
            return await queue(talk), await talk.entry("one")

    assert play(scenario()) == ({"queue_running": [], "queue_pending": []}, None)


def test_a_post_can_be_applied_although_its_answer_is_lost(tmp_path: Path) -> None:
    async def scenario() -> dict:
        async with talking(tmp_path, Fault(kind=FaultKind.LOSE_ANSWER)) as talk:
            with pytest.raises(httpx2.TransportError):
                await talk.post(plain(), prompt_id="one", client_id="me")
            return await talk.history("one")

    assert play(scenario())["status"]["completed"] is True


def test_a_download_can_break_off_in_the_middle(tmp_path: Path) -> None:
    async def scenario() -> int:
        async with talking(tmp_path, Fault(kind=FaultKind.TRUNCATE_VIEW)) as talk:
            entry = (await talk.run(plain(), "one"))["outputs"]["9"]["images"][0]
            with pytest.raises(httpx2.TransportError):
                await talk.image(entry)
            return len(await talk.image(entry))

    assert play(scenario()) > 0


def test_sockets_can_be_closed_or_silenced_in_the_middle_of_a_job(tmp_path: Path) -> None:
    async def scenario(kind: FaultKind) -> tuple[bool, bool]:
        fault = Fault(kind=kind, node_class="SaveImage")
        async with talking(tmp_path / kind.name, fault) as talk, talk.ear("me") as ear:
            await talk.run(plain(), "one")
            if kind is FaultKind.DROP_SOCKETS:
                await ear.until(lambda e: e.closed)
            return ear.closed, ear.find("execution_success") is not None

    assert play(scenario(FaultKind.DROP_SOCKETS)) == (True, False)
    assert play(scenario(FaultKind.SILENCE_SOCKETS)) == (False, False)


def test_a_restart_keeps_the_files_and_nothing_else(tmp_path: Path) -> None:
    graph = plain() | {"8": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}}

    async def scenario() -> None:
        async with talking(tmp_path) as talk:
            entry = await talk.run(graph, "one")
            temp = entry["outputs"]["8"]["images"][0]
            assert (await talk.image(temp)).startswith(b"\x89PNG")
        async with talking(tmp_path) as talk:
            assert await talk.entry("one") is None
            assert (await talk.http.get("/api/view", params=temp)).status_code == 404
            answer = (await talk.post(graph, prompt_id="one", client_id="me")).json()
            assert answer["number"] == 0
            assert filename(await talk.history("one")) == "plain_00002_.png"

    play(scenario())


# -- what is refused and what is not ---------------------------------------------------------------


def test_numbers_as_text_and_unknown_inputs_are_taken(tmp_path: Path) -> None:
    async def scenario() -> dict:
        async with talking(tmp_path) as talk:
            return await talk.run(plain(width="48", surprise=[1, 2, 3]), "one")

    graph = play(scenario())["prompt"][2]
    assert graph["1"]["inputs"]["width"] == 48
    assert graph["1"]["inputs"]["surprise"] == [1, 2, 3]


def test_a_graph_that_feeds_itself_or_mixes_types_is_refused(tmp_path: Path) -> None:
    circle = plain() | {
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["3", 0]}},
        "3": {"class_type": "ImageInvert", "inputs": {"image": ["2", 0]}},
    }
    circle["9"]["inputs"]["images"] = ["3", 0]
    mixed = plain() | {"2": {"class_type": "UpscaleModelLoader", "inputs": {}}}
    mixed["2"]["inputs"] = {"model_name": "sketch-x2.pth"}
    mixed["9"]["inputs"]["images"] = ["2", 0]

    async def scenario() -> list[tuple[int, dict]]:
        async with talking(tmp_path) as talk:
            answers = [await talk.post(circle), await talk.post(mixed)]
            return [(answer.status_code, answer.json()) for answer in answers]

    (first, told), (second, types) = play(scenario())
    assert (first, told["node_errors"]) == (400, {})
    reason = types["node_errors"]["9"]["errors"][0]
    assert (second, reason["type"]) == (400, "return_type_mismatch")
    assert reason["extra_info"]["received_type"] == "UPSCALE_MODEL"


def test_a_long_list_is_named_by_its_length(tmp_path: Path) -> None:
    async def scenario() -> dict:
        workflow = sample("base")
        workflow["5"]["inputs"]["sampler_name"] = "wishful"
        async with talking(tmp_path) as talk:
            return (await talk.post(workflow)).json()["node_errors"]["5"]["errors"][0]

    reason = play(scenario())
    assert "(list of length 4" in reason["details"]
    assert reason["extra_info"]["input_config"] is None


# -- the sample workflows --------------------------------------------------------------------------


def sample(name: str) -> dict:
    text = resources.files("shortlist.simulator").joinpath(f"workflows/{name}.json").read_text()
    return json.loads(text)


def test_the_sample_workflows_run_one_after_the_other_and_double_the_size(tmp_path: Path) -> None:
    async def scenario() -> tuple[list[bytes], set[str]]:
        pictures: list[bytes] = []
        async with talking(tmp_path) as talk, talk.ear("me") as ear:
            for name in ("base", "face-fix", "hand-fix", "upscale"):
                graph = sample(name)
                if pictures:
                    files = {"image": (f"{name}.png", pictures[-1])}
                    await talk.http.post("/api/upload/image", files=files)
                    graph["1"]["inputs"]["image"] = f"{name}.png"
                entry = await talk.run(graph, name)
                (output,) = entry["outputs"].values()
                pictures.append(await talk.image(output["images"][0]))
            await ear.until_heard("executing", node=None, prompt_id="upscale")
            frames = [one for one in ear.heard if isinstance(one, Frame)]
            return pictures, {type(frame).__name__ for frame in frames}

    pictures, frames = play(scenario())
    sizes = [Image.open(io.BytesIO(data)).size for data in pictures]
    assert sizes == [(768, 1024)] * 3 + [(1536, 2048)]
    traits = [read_traits(data) for data in pictures]
    assert all(traits)
    assert len({repr(each) for each in traits}) == 4
    assert frames == {"Frame"}


@pytest.mark.slow
def test_a_change_of_models_costs_its_load_time_and_staying_costs_nothing(tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        spans = []
        async with talking(tmp_path, load_seconds=1.5) as talk:
            out = io.BytesIO()
            Image.new("RGB", (64, 64)).save(out, "PNG")
            files = {"image": ("parent.png", out.getvalue())}
            await talk.http.post("/api/upload/image", files=files)
            for number, name in enumerate(("face-fix", "face-fix", "hand-fix")):
                graph = sample(name)
                graph["6"]["inputs"]["seed"] = number
                entry = await talk.run(graph, str(number))
                stamps = [data["timestamp"] for _, data in entry["status"]["messages"]]
                spans.append(stamps[-1] - stamps[0])
        return spans

    first, same, other = play(scenario())
    assert min(first, other) >= 1500
    assert same < 1500
