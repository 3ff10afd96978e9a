"""What the hub relies on a ComfyUI server to do: asked of the simulator always, and of a real one.

Set COMFYUI_URL to run the suite against a server that is up; it needs no model and no GPU, leaves
small files in its `output`, `input` and `user` folders, and touches no job but its own. Set
COMFYUI_COMMAND instead (with `{port}` where the port goes) and the suite starts that server itself,
kills it in the middle of a job, and starts it again.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import shlex
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import httpx2
import pytest
from PIL import Image
from sqlalchemy import select

from dispatcher.watched import count, errors, images, settled, simulated, statuses, the_backend
from rendering import QUICK, a_hub, add_backend, inverted, make_run, now, plain_image
from shortlist.comfy.client import ComfyClient
from shortlist.comfy.faults import FileMissing, RefusalKind, Refused, Unreachable
from shortlist.comfy.graph import Graph, as_graph
from shortlist.comfy.messages import End, Executed, Executing, Message, Outcome, Over, Started
from shortlist.comfy.plain import JSON
from shortlist.comfy.workflow import Form, as_json, parse
from shortlist.domain.job_states import Cause
from shortlist.domain.model import Health, JobStatus, RunStatus
from shortlist.services import branches, failures, jobs, runs
from shortlist.services.runs import Change
from shortlist.simulator.options import Version
from shortlist.store.db import Database, Tx
from shortlist.store.schema import Job

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

PATIENT_SECONDS = 120.0
REAL_PACE = replace(
    QUICK,
    deaf=5.0,
    zombie=30.0,
    stall=300.0,
    shortest_stall=300.0,
    give_back=300.0,
    abandon=300.0,
    first_retry=0.5,
    last_retry=2.0,
)
"""A real server needs seconds where the simulator needs milliseconds."""

LONG_NODES = 20
"""Nodes of a long job; each takes a tenth of a second and more on a CPU."""

SIMULATED = [f"simulator {version.value}" for version in Version]
REAL = [name for name in ("COMFYUI_URL", "COMFYUI_COMMAND") if os.environ.get(name)]


@dataclass(slots=True)
class Server:
    """A server at `url`; one that the suite controls has a `port` to come back at."""

    url: str


def a_server(kind: str, folder: Path, *, port: int = 0) -> AbstractAsyncContextManager[Server]:
    if kind == "COMFYUI_URL":
        return _there(os.environ[kind])
    if kind == "COMFYUI_COMMAND":
        return _started(os.environ[kind], port or _free_port())
    return _simulator(Version(kind.removeprefix("simulator ")), folder, port=port)


@asynccontextmanager
async def _there(url: str) -> AsyncIterator[Server]:
    yield Server(url)


@asynccontextmanager
async def _simulator(version: Version, folder: Path, *, port: int) -> AsyncIterator[Server]:
    async with simulated(folder, version=version, port=port) as running:
        yield Server(running.url)


@asynccontextmanager
async def _started(command: str, port: int) -> AsyncIterator[Server]:
    words = shlex.split(command.replace("{port}", str(port)))
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*words, stdout=quiet, stderr=quiet)
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(PATIENT_SECONDS), ComfyClient(url, client_id="probe") as client:
            while not await _answers(client):
                await asyncio.sleep(0.3)
        yield Server(url)
    finally:
        process.kill()
        await process.wait()


async def _answers(client: ComfyClient) -> bool:
    try:
        await client.probe()
    except Unreachable:
        return False
    return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(params=[*SIMULATED, *REAL])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def server(kind: str, tmp_path: Path) -> AsyncIterator[Server]:
    async with a_server(kind, tmp_path) as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[ComfyClient]:
    async with ComfyClient(server.url, client_id=str(uuid4())) as client:
        yield client


class Jobs:
    """Fresh ids and graphs whose files nobody else's bear."""

    def __init__(self) -> None:
        self._colors = iter(range(int(uuid4().int % 2**23), 2**24))

    def plain(self) -> tuple[str, Graph]:
        prompt_id, graph = str(uuid4()), plain_image(color=next(self._colors))
        graph["9"]["inputs"]["filename_prefix"] = f"shortlist-test/{prompt_id}/s"
        return prompt_id, graph

    def long(self) -> tuple[str, Graph]:
        """Takes seconds without any model, and can be stopped between any two nodes."""
        prompt_id, graph = self.plain()
        above = "1"
        for number in range(LONG_NODES):
            side = 1500 + number
            node_id = str(100 + number)
            graph[node_id] = {
                "class_type": "ImageScale",
                "inputs": {
                    "image": [above, 0],
                    "upscale_method": "bicubic",
                    "width": side,
                    "height": side,
                    "crop": "disabled",
                },
            }
            above = node_id
        graph["9"]["inputs"]["images"] = [above, 0]
        return prompt_id, graph


@pytest.fixture
def fresh() -> Jobs:
    return Jobs()


async def submit(client: ComfyClient, job: tuple[str, Graph]) -> str:
    await client.submit(job[0], job[1], extra_pnginfo={"shortlist": {"attempt": job[0]}})
    return job[0]


async def outcome(client: ComfyClient, prompt_id: str) -> Outcome:
    async with asyncio.timeout(PATIENT_SECONDS):
        while (found := await client.history(prompt_id)) is None:
            await asyncio.sleep(0.05)
    return found


async def until_running(client: ComfyClient, prompt_id: str) -> None:
    async with asyncio.timeout(PATIENT_SECONDS):
        while not (await client.locate(prompt_id)).running:
            await asyncio.sleep(0.01)


def an_upload() -> tuple[bytes, str]:
    """A picture nobody has uploaded before, and its hash."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), tuple(uuid4().bytes[:3])).save(file, "PNG")
    return file.getvalue(), hashlib.sha256(file.getvalue()).hexdigest()


async def test_the_server_says_what_it_is(client: ComfyClient) -> None:
    told = await client.probe()
    assert told.version[0].isdecimal()
    assert told.devices
    assert "SaveImage" in await client.catalogue()


async def test_a_job_runs_and_its_file_can_be_had(client: ComfyClient, fresh: Jobs) -> None:
    prompt_id = await submit(client, fresh.plain())
    done = await outcome(client, prompt_id)
    (file,) = done.stills("9")
    data = await client.view(file)
    assert done.end is End.SUCCEEDED
    assert (file.subfolder, file.filename) == (f"shortlist-test/{prompt_id}", "s_00001_.png")
    assert await client.exists(file)
    assert not await client.exists(replace(file, filename="s_00002_.png"))
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.size == (64, 64)
        assert prompt_id in image.info["shortlist"]


async def test_the_socket_tells_of_a_job_from_start_to_end(
    client: ComfyClient, fresh: Jobs
) -> None:
    heard: list[Message] = []
    events = client.events()
    await anext(events)
    prompt_id = await submit(client, fresh.plain())
    async with asyncio.timeout(PATIENT_SECONDS):
        while not (heard and isinstance(heard[-1], Over)):
            heard.append(await anext(events))
    kinds = [
        type(message)
        for message in heard
        if isinstance(message, Started | Executing | Executed | Over)
        and message.prompt_id == prompt_id
    ]
    assert kinds == [Started, Executing, Executing, Executed, Over]
    assert await client.history(prompt_id) is not None


async def test_the_same_graph_again_names_the_old_file(client: ComfyClient, fresh: Jobs) -> None:
    first, graph = fresh.plain()
    await submit(client, (first, graph))
    before = await outcome(client, first)
    again = await outcome(client, await submit(client, (str(uuid4()), graph)))
    assert again.end is End.SUCCEEDED
    assert again.stills("9") == before.stills("9")
    assert "9" in again.cached


async def test_another_prefix_alone_makes_a_file_of_its_own(
    client: ComfyClient, fresh: Jobs
) -> None:
    first, graph = fresh.plain()
    await outcome(client, await submit(client, (first, graph)))
    second = str(uuid4())
    graph["9"]["inputs"]["filename_prefix"] = f"shortlist-test/{second}/s"
    done = await outcome(client, await submit(client, (second, graph)))
    assert [file.subfolder for file in done.stills("9")] == [f"shortlist-test/{second}"]
    assert "1" in done.cached


@pytest.mark.parametrize(
    ("change", "kind_of_refusal"),
    [
        ({"width": "wide"}, RefusalKind.INVALID_INPUT_TYPE),
        ({"width": -1}, RefusalKind.VALUE_OUT_OF_RANGE),
        ({"width": None}, RefusalKind.REQUIRED_INPUT_MISSING),
    ],
)
async def test_a_workflow_that_cannot_run_is_refused_by_node_and_stays_out_of_the_queue(
    client: ComfyClient, fresh: Jobs, change: dict[str, object], kind_of_refusal: RefusalKind
) -> None:
    prompt_id, graph = fresh.plain()
    inputs = {**graph["1"]["inputs"], **change}
    graph["1"]["inputs"] = {key: held for key, held in inputs.items() if held is not None}
    with pytest.raises(Refused) as refused:
        await submit(client, (prompt_id, graph))
    assert refused.value.kinds == {kind_of_refusal}
    assert '"The EmptyImage" (EmptyImage) #1' in refused.value.sentence
    assert (await client.locate(prompt_id)).absent


async def test_a_missing_node_type_is_named(client: ComfyClient, fresh: Jobs) -> None:
    prompt_id, graph = fresh.plain()
    graph["1"]["class_type"] = "NobodyHasThis"
    with pytest.raises(Refused, match="does not have the node type NobodyHasThis"):
        await submit(client, (prompt_id, graph))


async def test_a_node_that_fails_is_told_with_its_title(client: ComfyClient, fresh: Jobs) -> None:
    junk = uuid4().bytes * 10
    name = await client.upload(junk, hashlib.sha256(junk).hexdigest(), "png")
    prompt_id, graph = str(uuid4()), inverted()
    graph["1"]["inputs"]["image"] = name
    done = await outcome(client, await submit(client, (prompt_id, graph)))
    assert done.end is End.FAILED
    assert done.failure is not None
    assert (done.failure.node, done.failure.out_of_memory) == ("1", False)
    assert done.failure.sentence.startswith("The LoadImage: ")
    assert done.files == ()


async def test_a_running_job_can_be_stopped(client: ComfyClient, fresh: Jobs) -> None:
    prompt_id = await submit(client, fresh.long())
    await until_running(client, prompt_id)
    await client.cancel(prompt_id)
    done = await outcome(client, prompt_id)
    assert (done.end, done.files) == (End.INTERRUPTED, ())


async def test_a_waiting_job_can_be_withdrawn_and_the_running_one_goes_on(
    client: ComfyClient, fresh: Jobs
) -> None:
    running = await submit(client, fresh.long())
    waiting = await submit(client, fresh.plain())
    assert (await client.locate(waiting)).pending
    await client.cancel(waiting)
    assert (await client.locate(waiting)).absent
    assert (await outcome(client, running)).end is End.SUCCEEDED


async def test_cancelling_what_is_over_or_unknown_changes_nothing(
    client: ComfyClient, fresh: Jobs
) -> None:
    prompt_id = await submit(client, fresh.plain())
    await outcome(client, prompt_id)
    await client.cancel(prompt_id)
    await client.cancel(str(uuid4()))
    assert (await outcome(client, prompt_id)).end is End.SUCCEEDED


async def test_an_upload_is_stored_once_under_its_content(client: ComfyClient) -> None:
    data, sha256 = an_upload()
    first = await client.upload(data, sha256, "png")
    assert first == await client.upload(data, sha256, "png") == f"shortlist/{sha256}.png"


async def test_other_bytes_under_a_taken_name_get_another_name(client: ComfyClient) -> None:
    data, sha256 = an_upload()
    other, _ = an_upload()
    await client.upload(other, sha256, "png")
    assert await client.upload(data, sha256, "png") == f"shortlist/{sha256} (1).png"


async def test_a_forgotten_job_is_gone_from_history_and_its_file_stays(
    client: ComfyClient, fresh: Jobs
) -> None:
    prompt_id = await submit(client, fresh.plain())
    (file,) = (await outcome(client, prompt_id)).stills("9")
    await client.forget(prompt_id)
    assert await client.history(prompt_id) is None
    assert await client.exists(file)


async def test_a_file_that_is_not_there_is_missing(client: ComfyClient, fresh: Jobs) -> None:
    done = await outcome(client, await submit(client, fresh.plain()))
    with pytest.raises(FileMissing):
        await client.view(replace(done.stills("9")[0], filename="nobody_00001_.png"))


async def test_what_the_editor_saved_is_listed_and_read(server: Server, fresh: Jobs) -> None:
    prompt_id, graph = fresh.plain()
    name, text = f"shortlist test/{prompt_id}.json", json.dumps(as_json(graph))
    async with httpx2.AsyncClient(base_url=server.url) as editor:
        path = f"/api/userdata/{quote(f'workflows/{name}', safe='')}"
        (await editor.post(path, content=text)).raise_for_status()
    async with ComfyClient(server.url, client_id="saved") as client:
        assert name in await client.saved_workflows()
        assert parse(await client.saved_workflow(name), None).graph == graph
        for wrong in (f"{prompt_id}.json", "../../../../etc/passwd"):
            with pytest.raises(FileMissing):
                await client.saved_workflow(wrong)


async def test_a_two_step_pipeline_runs_through_the_hub(
    server: Server, database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image(color=uuid4().int % 2**24), inverted()], children=2, leaves=2)
    async with a_hub(database, tmp_path, pace=REAL_PACE) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx, step=2) >= 2 and settled(tx))
        assert hub.see(the_backend).health is Health.OK
        assert hub.see(errors) == []


@pytest.mark.parametrize("form", [Form.API, Form.EDITOR, Form.PICTURE])
async def test_a_workflow_of_each_form_is_imported_and_rendered(
    client: ComfyClient, database: Database, tmp_path: Path, fresh: Jobs, form: Form
) -> None:
    imported = parse(await _a_file(client, fresh, form), await client.catalogue())
    assert imported.form is form
    with database.transaction() as tx:
        make_run(tx, [imported.graph, inverted()], children=1, leaves=1)
    async with a_hub(database, tmp_path, pace=REAL_PACE) as hub:
        add_backend(database, client.base_url)
        await hub.until(lambda tx: images(tx, step=2) >= 1 and settled(tx))
        assert hub.see(errors) == []


async def _a_file(client: ComfyClient, fresh: Jobs, form: Form) -> bytes:
    """A workflow that needs no model, as a person would have it on disk."""
    if form is Form.EDITOR:
        return json.dumps(_editor_file(color=uuid4().int % 2**24)).encode()
    prompt_id, graph = fresh.plain()
    if form is Form.API:
        return json.dumps(graph).encode()
    done = await outcome(client, await submit(client, (prompt_id, graph)))
    return await client.view(done.stills("9")[0])


def _editor_file(*, color: int) -> dict[str, object]:
    made, saved = {"name": "IMAGE", "type": "IMAGE"}, {"name": "images", "type": "IMAGE"}
    empty = {"id": 1, "type": "EmptyImage", "mode": 0, "inputs": []}
    save = {"id": 9, "type": "SaveImage", "mode": 0, "outputs": []}
    return {
        "version": 0.4,
        "nodes": [
            {**empty, "outputs": [{**made, "links": [1]}], "widgets_values": [64, 64, 1, color]},
            {**save, "inputs": [{**saved, "link": 1}], "widgets_values": ["ComfyUI"]},
        ],
        "links": [[1, 1, 0, 9, 0, "IMAGE"]],
    }


def _shrunk_to_nothing() -> Graph:
    """Valid on every server; its second node fails as soon as it runs."""
    graph = plain_image(width=1, color=uuid4().int % 2**24)
    inputs = {"image": ["1", 0], "upscale_method": "nearest-exact", "scale_by": 0.01}
    node: JSON = {"class_type": "ImageScaleBy", "inputs": inputs, "_meta": {"title": "Shrink"}}
    return as_graph({**as_json(graph), "2": node, "9": _save_of("2")})


def _save_of(node: str) -> JSON:
    return {"class_type": "SaveImage", "inputs": {"images": [node, 0], "filename_prefix": "s"}}


async def test_a_job_that_fails_while_running_is_told_by_node_and_tried_no_more_than_thrice(
    server: Server, database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [_shrunk_to_nothing()], leaves=1)
    async with a_hub(database, tmp_path, pace=REAL_PACE, lookahead=1) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: len(errors(tx)) == 3 and settled(tx))
        (group,) = hub.see(failures.groups)
    assert (group.kind, group.count, group.node) == (Cause.RAISED, 3, "Shrink")
    assert group.sentence.startswith("Shrink: ")
    assert group.log


async def test_a_workflow_the_server_lacks_a_node_for_is_held_in_the_hub(
    server: Server, database: Database, tmp_path: Path
) -> None:
    graph = plain_image()
    graph["1"]["class_type"] = "NobodyHasThis"
    with database.transaction() as tx:
        make_run(tx, [graph])
    async with a_hub(database, tmp_path, pace=REAL_PACE) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: len(errors(tx)) == 1 and settled(tx))
        assert "does not have the node type NobodyHasThis" in str(hub.see(errors))


async def test_a_killed_branchs_running_and_waiting_jobs_are_taken_back(
    server: Server, database: Database, tmp_path: Path, fresh: Jobs
) -> None:
    _, chain = fresh.long()
    chain["1"] = inverted()["1"]
    with database.transaction() as tx:
        make_run(tx, [plain_image(color=uuid4().int % 2**24), chain], children=2, leaves=1)
    async with a_hub(database, tmp_path, pace=REAL_PACE) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: count(tx, JobStatus.RUNNING) and images(tx, step=1))
        await hub.until(lambda tx: count(tx, JobStatus.SUBMITTED))
        database.run(_end_it_all)
        await hub.until(settled)
        assert hub.see(lambda tx: count(tx, JobStatus.CANCELLED)) == 2
        assert hub.see(lambda tx: images(tx, step=2)) == 0
    async with ComfyClient(server.url, client_id="afterwards") as client:
        queue = await client.queue()
    assert queue.running == queue.pending == ()


async def test_a_job_put_first_is_made_before_what_waits_there(
    client: ComfyClient, database: Database, tmp_path: Path, fresh: Jobs
) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image(color=uuid4().int % 2**24)], leaves=3)
    await submit(client, fresh.long())
    async with a_hub(database, tmp_path, pace=REAL_PACE, lookahead=3) as hub:
        add_backend(database, client.base_url)
        await hub.until(lambda tx: count(tx, JobStatus.SUBMITTED) == 3)
        theirs = await submit(client, fresh.long())
        newest, prompt_id = hub.see(_newest_job)
        assert await _next_at(client) != prompt_id
        database.run(lambda tx: jobs.put_first(tx, newest, now=now()))
        async with asyncio.timeout(PATIENT_SECONDS):
            while await _next_at(client) != prompt_id:
                await asyncio.sleep(0.02)
        await hub.until(lambda tx: images(tx) == 3 and settled(tx))
        assert hub.see(errors) == []
    assert (await outcome(client, theirs)).end is End.SUCCEEDED


def _newest_job(tx: Tx) -> tuple[int, str]:
    job = tx.execute(select(Job.id, Job.prompt_id).order_by(Job.id.desc()).limit(1)).one()
    return job.id, job.prompt_id


async def _next_at(client: ComfyClient) -> str:
    """The job that the server takes up after the one it is at."""
    return (await client.queue()).pending[0]


def _end_it_all(tx: Tx) -> None:
    branches.reject(tx, 1, now=now())
    runs.change(tx, 1, Change(status=RunStatus.PAUSED), now=now())


async def test_a_server_killed_in_the_middle_of_a_job_renders_it_after_its_restart(
    kind: str, database: Database, tmp_path: Path, fresh: Jobs
) -> None:
    if kind == "COMFYUI_URL":
        pytest.skip("the suite did not start this server")
    _, graph = fresh.long()
    with database.transaction() as tx:
        make_run(tx, [graph], leaves=2)
    async with a_hub(database, tmp_path, pace=REAL_PACE) as hub:
        async with a_server(kind, tmp_path) as first:
            add_backend(database, first.url)
            await hub.until(lambda tx: count(tx, JobStatus.RUNNING))
        port = int(first.url.rpartition(":")[2])
        async with a_server(kind, tmp_path, port=port):
            await hub.until(lambda tx: images(tx) == 2 and settled(tx), seconds=PATIENT_SECONDS)
            assert set(hub.see(statuses)) == {JobStatus.SUCCEEDED}
