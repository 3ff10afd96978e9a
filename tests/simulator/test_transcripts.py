"""The simulator gives the answers and messages a real ComfyUI was recorded with: same status, same
keys in the same order, same order of messages; only times and a machine's texts may differ."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from simulator.talk import Ear, Frame, Talk, recorded, talking

# What a machine, a clock or a program's inside decides: only the type is compared.
MACHINE_WORDS = frozenset({"timestamp", "traceback", "current_inputs", "sid"})
# Sets on the real server: the order means nothing.
UNORDERED = frozenset({"executed", "current_outputs", "outputs", "meta"})


def alike(got: object, want: object, *, at: str = "answer", key: str = "") -> list[str]:
    """Where `got` differs from what was recorded."""
    if type(got) is not type(want):
        return [f"{at}: {got!r} is no {type(want).__name__}"]
    if key in MACHINE_WORDS:
        return alike_in_shape(got, want)
    if isinstance(want, dict) and isinstance(got, dict):
        names = (sorted(got), sorted(want)) if key in UNORDERED else (list(got), list(want))
        if names[0] != names[1]:
            return [f"{at}: keys {names[0]} are not {names[1]}"]
        inner = [alike(got[n], want[n], at=f"{at}.{n}", key=n) for n in want]
        return [line for lines in inner for line in lines]
    if isinstance(want, list) and isinstance(got, list) and len(got) == len(want):
        if key in UNORDERED or at.endswith("[4]"):
            got, want = sorted(got), sorted(want)
        pairs = enumerate(zip(got, want, strict=True))
        return [line for i, (g, w) in pairs for line in alike(g, w, at=f"{at}[{i}]")]
    return [] if got == want else [f"{at}: {got!r} is not {want!r}"]


def heard_alike(ear: Ear, steps: list[dict]) -> list[str]:
    """Where the messages differ from the recorded ones, one by one."""
    wanted = [step for step in steps if "http" not in step]
    heard = list(ear.heard)
    if sum(step.get("http", {}).get("path") == "/api/prompt" for step in steps) > 1:
        # Requests in the middle of a run: which tick their counts fall behind is chance.
        wanted.sort(key=lambda step: step.get("ws", {}).get("type") == "status")
        heard.sort(key=lambda one: isinstance(one, dict) and one["type"] == "status")
    differences = []
    for place, (got, step) in enumerate(zip(heard, wanted, strict=False)):
        at = f"message {place}"
        if "ws" in step:
            assert isinstance(got, dict), f"{at}: a frame instead of {step['ws']['type']}"
            differences += alike(got, step["ws"], at=at)
        else:
            assert isinstance(got, Frame), f"{at}: {got} instead of a frame"
            want = step["ws_binary"]
            assert got.words == (want["event"], want["second_uint32"])
            assert got.data.hex().startswith(want["head_hex"])
            assert got.picture.startswith(b"\xff\xd8")
    if len(ear.heard) != len(wanted):
        differences.append(f"{len(ear.heard)} messages, not {len(wanted)}")
    return differences


def answered_alike(response: object, step: dict) -> list[str]:
    """Where an HTTP answer differs from the recorded one."""
    want = step["answer"]
    at = f"{step['http']['method']} {step['http']['path']} ({step.get('note', '')})"
    if response.status_code != step["status"]:
        return [f"{at}: status {response.status_code}, not {step['status']}: {response.text}"]
    kinds = (response.headers.get("content-type"), step["headers"].get("content-type"))
    if kinds[0] != kinds[1]:
        return [f"{at}: {kinds[0]}, not {kinds[1]}"]
    if isinstance(want, str):
        return [] if response.text == want else [f"{at}: {response.text!r}"]
    if "head_hex" in want:
        return picture_alike(response, step, at=at)
    differences = alike(response.json(), want, at=at)
    whole = "traceback" not in response.text and "system" not in want
    if not differences and whole and "execution_" not in response.text:
        length = response.headers["content-length"]
        if length != step["headers"]["content-length"]:
            differences.append(f"{at}: {length} bytes")
    return differences


def picture_alike(response: object, step: dict, *, at: str) -> list[str]:
    head = bytes.fromhex(step["answer"]["head_hex"])
    wanted = step["headers"]
    assert response.headers["content-disposition"] == wanted["content-disposition"], at
    assert ("etag" in response.headers) == ("etag" in wanted), at
    assert re.fullmatch(r'"[0-9a-f]+-[0-9a-f]+"', response.headers.get("etag", '"0-0"')), at
    # The four bytes after RIFF are a length.
    return [] if response.content[:4] == head[:4] else [f"{at}: not the same kind of file"]


async def replay(talk: Talk, name: str, *, ear: Ear | None = None) -> list[str]:
    """Sends the recorded requests, each after the messages that came before it, and compares."""
    recording = recorded(name)
    differences: list[str] = []
    for place, step in enumerate(recording["steps"]):
        if "http" not in step:
            continue
        if ear is not None:
            before = len(heard_before(recording["steps"][:place], step["t_ms"]))
            await ear.until(lambda e, count=before: len(e.heard) >= count)
        response = await send(talk, step["http"])
        differences += answered_alike(response, step)
    if ear is not None:
        messages = [s for s in recording["steps"] if "http" not in s]
        await ear.until(lambda e: len(e.heard) >= len(messages))
        differences += heard_alike(ear, recording["steps"])
    return differences


def heard_before(steps: list[dict], t_ms: int) -> list[dict]:
    """The messages a request waited for: a count told in the same instant is its own effect."""
    messages = [step for step in steps if "http" not in step]
    while messages and "status" in str(messages[-1]) and messages[-1]["t_ms"] >= t_ms - 2:
        messages.pop()
    return messages


async def send(talk: Talk, request: dict) -> object:
    if request["method"] != "POST":
        return await talk.http.request(request["method"], request["path"])
    if "body" in request:
        return await talk.http.post(request["path"], json=request["body"])
    return await talk.http.post(request["path"], content=b"{not json")


def start_counting_at(talk: Talk, name: str) -> None:
    """The recordings are pieces of one long session: its counter goes on."""
    numbers = [
        step["answer"]["number"]
        for step in recorded(name)["steps"]
        if "http" in step and isinstance(step["answer"], dict) and "number" in step["answer"]
    ]
    talk.server.simulator.jobs.counter = numbers[0]


async def replay_with_socket(folder: Path, *names: str) -> list[str]:
    differences: list[str] = []
    async with talking(folder) as talk:
        for name in names:
            start_counting_at(talk, name)
            async with talk.ear(recorded(name)["client_id"]) as ear:
                if name == "feature_flags_previews":
                    flags = {"supports_preview_metadata": True}
                    await ear.say({"type": "feature_flags", "data": flags})
                differences += await replay(talk, name, ear=ear)
    return differences


@pytest.mark.parametrize(
    "names",
    [
        ("success",),
        ("batch",),
        ("cached",),
        ("previews",),
        ("feature_flags_previews",),
        ("duplicate_id",),
        ("fail_error", "fail_oom"),
        ("fail_after_output",),
        ("queue_delete",),
        ("other_outputs",),
    ],
    ids=lambda names: names[-1],
)
def test_a_recorded_session_is_answered_in_the_same_way(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    differences = asyncio.run(replay_with_socket(tmp_path, *names))
    assert differences == [], "\n".join(differences)


def test_refusals_are_those_of_a_real_server(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        steps = recorded("refused")["steps"]
        async with talking(tmp_path) as talk:
            # Refused posts use up numbers, but not the one whose body could not be read.
            accepted = steps[-1]["answer"]["number"]
            talk.server.simulator.jobs.counter = accepted - (len(steps) - 2)
            return await replay(talk, "refused")

    assert asyncio.run(scenario()) == []


def test_an_interrupt_stops_the_named_job_and_no_other(tmp_path: Path) -> None:
    async def scenario() -> tuple[list[str], list[str]]:
        recording = recorded("interrupt")
        async with talking(tmp_path) as talk, talk.ear(recording["client_id"]) as ear:
            start_counting_at(talk, "interrupt")
            differences = []
            for step in (s for s in recording["steps"] if "http" in s):
                if step.get("note") == "not ours":
                    await ear.until_heard("progress", value=4)
                elif step["http"]["path"] == "/api/interrupt":
                    await ear.until_heard("progress", value=8)
                elif step["http"]["method"] == "GET":
                    await ear.until_heard("executing", node=None)
                differences += answered_alike(await send(talk, step["http"]), step)
            return differences, ear.kinds()

    differences, kinds = asyncio.run(scenario())
    assert differences == []
    assert kinds[-3:] == ["execution_interrupted", "status", "executing"]


def test_a_second_client_sees_only_the_counts(tmp_path: Path) -> None:
    async def scenario() -> tuple[list[str], list[str]]:
        other = recorded("two_clients_other")
        async with talking(tmp_path) as talk, AsyncExitStack() as ears:
            start_counting_at(talk, "two_clients")
            first = recorded("two_clients")["client_id"]
            ear = await ears.enter_async_context(talk.ear(first))
            second = await ears.enter_async_context(talk.ear(other["client_id"]))
            differences = await replay(talk, "two_clients", ear=ear)
            await second.until(lambda e: len(e.heard) >= len(other["steps"]))
            return differences, heard_alike(second, other["steps"])

    assert asyncio.run(scenario()) == ([], [])


def test_the_newest_history_entry_looks_the_same(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        async with talking(tmp_path) as talk:
            start_counting_at(talk, "other_outputs")
            posted = next(s for s in recorded("other_outputs")["steps"] if "http" in s)
            await send(talk, posted["http"])
            await talk.history(posted["answer"]["prompt_id"])
            return await replay(talk, "history_list")

    assert asyncio.run(scenario()) == []


def test_identity_and_idle_state_have_the_recorded_shape(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        steps = recorded("server")["steps"]
        async with talking(tmp_path) as talk:
            stats = (await talk.http.get("/api/system_stats")).json()
            differences = alike_in_shape(stats, steps[0]["answer"])
            for step in steps[1:]:
                differences += answered_alike(await send(talk, step["http"]), step)
            return differences

    assert asyncio.run(scenario()) == []


def alike_in_shape(got: object, want: object) -> list[str]:
    if isinstance(want, dict) and isinstance(got, dict):
        if list(got) != list(want):
            return [f"keys {list(got)} are not {list(want)}"]
        return [line for name in want for line in alike_in_shape(got[name], want[name])]
    if isinstance(want, list) and isinstance(got, list) and want:
        return alike_in_shape(got[0], want[0])
    return [] if type(got) is type(want) else [f"{got!r} is no {type(want).__name__}"]


def test_uploads_step_aside_for_other_bytes(tmp_path: Path) -> None:
    uploads = [
        ("rec_up.png", b"one", {}),
        ("rec_up.png", b"one", {}),
        ("rec_up.png", b"two", {}),
        ("rec_up.png", b"three", {"overwrite": "true"}),
        ("rec_up.png", b"one", {"subfolder": "shortlist"}),
        ("rec_up.png", b"one", {"subfolder": "../.."}),
    ]

    async def scenario() -> list[str]:
        differences = []
        async with talking(tmp_path) as talk:
            for (name, data, form), step in zip(uploads, recorded("upload")["steps"], strict=True):
                response = await talk.http.post(
                    "/api/upload/image", files={"image": (name, data)}, data=form
                )
                differences += answered_alike(response, step)
        return differences

    assert asyncio.run(scenario()) == []


def test_node_definitions_equal_the_recorded_ones(tmp_path: Path) -> None:
    async def scenario() -> dict:
        async with talking(tmp_path) as talk:
            return (await talk.http.get("/api/object_info")).json()

    got, want = asyncio.run(scenario()), recorded("object_info")
    # The lists of files and models are the server's own, the help texts were left out.
    got["LoadImage"]["input"]["required"]["image"][0] = []
    want["LoadImage"]["input"]["required"]["image"][0] = []
    want["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0] = got[
        "CheckpointLoaderSimple"
    ]["input"]["required"]["ckpt_name"][0]
    want["UpscaleModelLoader"] = got["UpscaleModelLoader"]
    want["SaveImage"]["input"]["required"]["images"] = got["SaveImage"]["input"]["required"][
        "images"
    ]
    both = [name for name in got if name in want]
    assert len(both) > 12
    assert [line for name in both for line in alike(got[name], want[name], at=name)] == []
