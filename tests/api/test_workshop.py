"""Workflows and servers before the night: imports, checks, test runs, and failures after it."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image, PngImagePlugin

from api.conftest import Started
from builders import NOW, a_graph
from judging import Studio
from rendering import a_simulator
from shortlist.api.status import glance
from shortlist.domain.job_states import Cause
from shortlist.domain.model import Health
from shortlist.services import assignments, backends, jobs, work
from shortlist.services.assignments import Blame
from shortlist.services.backends import Report
from shortlist.simulator.options import Fault, FaultKind

Json = dict[str, Any]

pytestmark = pytest.mark.slow


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[str]:
    with a_simulator(tmp_path / "comfyui") as url:
        yield url


def until_over(client: httpx2.Client, trial: Json) -> Json:
    deadline = time.monotonic() + 60
    while trial["state"] in ("waiting", "running"):
        assert time.monotonic() < deadline, trial
        time.sleep(0.1)
        trial = client.get(f"/api/trials/{trial['id']}").json()
    return trial


def a_pipeline(client: httpx2.Client, *names: str) -> Json:
    steps = [{"name": name, "workflow": a_graph(name)} for name in names]
    answer = client.post("/api/pipelines", json={"name": "Portrait", "steps": steps})
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


def a_picture(**texts: object) -> str:
    """A PNG in base64 that carries these texts."""
    info = PngImagePlugin.PngInfo()
    for key, value in texts.items():
        info.add_text(key, json.dumps(value))
    out = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 30)).save(out, "PNG", pnginfo=info)
    return base64.b64encode(out.getvalue()).decode()


def test_a_picture_made_by_comfyui_is_a_workflow(client: httpx2.Client) -> None:
    picture = a_picture(prompt=a_graph("Base"))
    found = client.post("/api/workflows/inspect", json={"picture": picture}).json()
    assert found["format"] == "picture made by ComfyUI"
    assert found["graph"] == a_graph("Base")
    body = {"name": "P", "steps": [{"name": "Base", "picture": picture}]}
    assert client.post("/api/pipelines", json=body).status_code == 201


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"picture": a_picture()}, "carries no workflow"),
        ({"picture": "AAA"}, "base64"),
        ({}, "a workflow or a picture"),
    ],
)
def test_what_holds_no_workflow_is_told(body: Json, words: str, client: httpx2.Client) -> None:
    answer = client.post("/api/workflows/inspect", json=body)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_a_saved_workflow_is_asked_of_the_server_that_has_it(
    fresh: Started, simulator: str
) -> None:
    server = fresh.client.post("/api/backends", json={"url": simulator}).json()["id"]
    saved = f"/api/backends/{server}/workflows"
    assert fresh.client.get(saved).json() == []
    text = json.dumps(a_graph("Base"))
    assert httpx2.post(f"{simulator}/api/userdata/workflows%2Fmine.json", content=text).is_success
    assert fresh.client.get(saved).json() == ["mine.json"]
    inspect = lambda **body: fresh.client.post("/api/workflows/inspect", json=body)  # noqa: E731
    assert inspect(saved="mine.json", backend_id=server).json()["graph"] == a_graph("Base")
    assert inspect(saved="mine.json").status_code == 422
    gone = inspect(saved="gone.json", backend_id=server)
    assert (gone.status_code, "gone.json" in gone.json()["detail"]) == (502, True)


def test_bindings_show_values_and_what_may_vary(client: httpx2.Client) -> None:
    found = client.post("/api/workflows/inspect", json={"workflow": a_graph("Base")}).json()
    seed = next(each for each in found["bindings"] if each["role"] == "seed")
    assert seed["class_type"] == "KSampler"
    assert isinstance(seed["value"], int)
    inputs = {(each["class_type"], each["input"]) for each in found["inputs"]}
    assert ("KSampler", "steps") in inputs
    assert set(found["proposal"]) >= {"output", "seed", "positive"}


def test_correcting_bindings_makes_a_new_version_and_leaves_the_old_one(
    client: httpx2.Client,
) -> None:
    made = a_pipeline(client, "Base", "Face Fix")
    step = made["steps"][0]
    bindings = step["bindings"]
    sampler = bindings["seed"][0]["node"]
    bindings["variables"] = {"steps": {"node": sampler, "input": "steps"}}
    path = f"/api/pipelines/{made['id']}/steps/{step['id']}/bindings"
    newer = client.put(path, json={"bindings": bindings}).json()
    assert newer["version"] == made["version"] + 1
    assert newer["steps"][0]["bindings"]["variables"] == bindings["variables"]
    assert newer["steps"][1]["bindings"] == made["steps"][1]["bindings"]
    old = client.get(f"/api/pipelines/{made['id']}").json()
    assert old["steps"][0]["bindings"]["variables"] == {}


@pytest.mark.parametrize(
    ("bindings", "words"),
    [
        ({"nonsense": []}, "nonsense"),
        ({"output": "9999"}, "no output"),
        ({"output": "8", "seed": [{"node": "77", "input": "seed"}]}, ""),
    ],
)
def test_bindings_that_point_nowhere_are_refused(
    bindings: Json, words: str, client: httpx2.Client
) -> None:
    made = a_pipeline(client, "Base")
    path = f"/api/pipelines/{made['id']}/steps/{made['steps'][0]['id']}/bindings"
    answer = client.put(path, json={"bindings": bindings})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_a_file_of_the_server_is_refused_by_the_nodes_title(client: httpx2.Client) -> None:
    graph = a_graph("Face Fix")
    graph["99"] = {
        "class_type": "LoadImage",
        "inputs": {"image": "secret.png"},
        "_meta": {"title": "My reference"},
    }
    save = next(node for node in graph.values() if node["class_type"] == "SaveImage")
    save["inputs"]["extra"] = ["99", 0]
    steps = [
        {"name": "Base", "workflow": a_graph("Base")},
        {"name": "Fix", "workflow": graph, "bindings": _bound(client)},
    ]
    answer = client.post("/api/pipelines", json={"name": "P", "steps": steps})
    assert answer.status_code == 422
    assert "My reference" in answer.json()["detail"]


def _bound(client: httpx2.Client) -> Json:
    body = {"workflow": a_graph("Face Fix")}
    found: Json = client.post("/api/workflows/inspect", json=body).json()
    proposal: Json = found["proposal"]
    return proposal


def test_checks_name_what_each_server_lacks_and_which_was_not_asked(
    fresh: Started, simulator: str
) -> None:
    client = fresh.client
    graph = a_graph("Base")
    loader = next(n for n in graph.values() if n["class_type"] == "CheckpointLoaderSimple")
    loader["inputs"]["ckpt_name"] = "absent.safetensors"
    body = {"name": "P", "steps": [{"name": "Base", "workflow": graph}]}
    made = client.post("/api/pipelines", json=body).json()
    client.post("/api/backends", json={"url": simulator, "name": "here"})
    client.post("/api/backends", json={"url": "http://127.0.0.1:9", "name": "away"})
    checks = client.get(f"/api/pipelines/{made['id']}/checks").json()
    here, away = checks["steps"][0]["servers"]
    assert not checks["ready"]
    assert [(i["kind"], i["blocks"]) for i in here["issues"]] == [("missing model", True)]
    assert "Load Checkpoint" in here["issues"][0]["node_title"]
    assert (away["checked"], away["detail"].partition(":")[0]) == (False, "Not checked")


def test_an_address_is_tested_before_it_is_added(client: httpx2.Client, simulator: str) -> None:
    good = client.post("/api/backends/test", json={"url": simulator}).json()
    bad = client.post("/api/backends/test", json={"url": "http://127.0.0.1:9"}).json()
    assert good["reachable"]
    assert good["nodes"] > 5
    assert not bad["reachable"]
    assert "ComfyUI" in bad["detail"]


def test_a_step_is_tried_on_a_picture_and_a_run_may_start_once_all_were(
    fresh: Started, simulator: str
) -> None:
    client = fresh.client
    client.post("/api/backends", json={"url": simulator})
    made = a_pipeline(client, "Base", "Upscale")
    base = client.post(f"/api/pipelines/{made['id']}/steps/{made['steps'][0]['id']}/try", json={})
    first = until_over(client, base.json())
    assert (base.status_code, first["state"], first["before"]) == (202, "succeeded", None)
    drawn = client.get(first["after"][0])
    assert drawn.headers["content-type"] == "image/png"
    run = {"pipeline_id": made["id"], "name": "Night", "prompt": ""}
    refused = client.post("/api/runs", json=run)
    assert (refused.status_code, refused.json()["untried"]) == (409, ["Upscale"])

    body = {"picture": base64.b64encode(drawn.content).decode()}
    second = client.post(
        f"/api/pipelines/{made['id']}/steps/{made['steps'][1]['id']}/try", json=body
    ).json()
    second = until_over(client, second)
    assert second["state"] == "succeeded", second
    assert client.get(second["before"]).content == drawn.content
    assert client.get(second["after"][0]).content != drawn.content
    assert client.get("/api/jobs").json() == []
    again = a_pipeline(client, "Base", "Upscale")
    for version in (made, again):
        started = client.post("/api/runs", json=run | {"pipeline_id": version["id"]})
        assert started.status_code == 201, started.text


def test_a_step_that_needs_a_picture_asks_for_one(client: httpx2.Client, simulator: str) -> None:
    made = a_pipeline(client, "Base", "Upscale")
    server = client.post("/api/backends", json={"url": simulator, "name": "try"}).json()
    path = f"/api/pipelines/{made['id']}/steps/{made['steps'][1]['id']}/try"
    answer = client.post(path, json={"backend_id": server["id"]})
    client.delete(f"/api/backends/{server['id']}")
    assert answer.status_code == 422
    assert "picture" in answer.json()["detail"]


def test_a_test_run_that_fails_names_the_node_and_one_under_way_is_cancelled(
    fresh: Started, tmp_path: Path
) -> None:
    client = fresh.client
    boom = Fault(kind=FaultKind.RAISE, node_class="KSampler")
    slow = Fault(kind=FaultKind.SLOW, node_class="KSampler", seconds=2.0, skip=1)
    with a_simulator(tmp_path / "b", boom, slow) as url:
        client.post("/api/backends", json={"url": url})
        made = a_pipeline(client, "Base")
        path = f"/api/pipelines/{made['id']}/steps/{made['steps'][0]['id']}/try"
        failed = until_over(client, client.post(path, json={}).json())
        assert failed["state"] == "failed"
        assert "boom: bad tensor" in failed["detail"]
        running = client.post(path, json={"seed": 2}).json()
        stopped = client.post(f"/api/trials/{running['id']}/cancel").json()
        assert stopped["state"] == "cancelled"
        again = client.post(f"/api/trials/{running['id']}/cancel")
        assert again.status_code == 409


def test_failures_are_listed_with_node_and_log_and_retried(fresh: Started) -> None:
    studio = Studio(fresh.database)
    job = studio.job(None)
    with fresh.database.transaction() as tx:
        blame = Blame(node="My Sampler", log="Traceback: boom")
        jobs.fail(tx, job, kind=Cause.RAISED, error="My Sampler: boom", now=NOW, blame=blame)
    (group,) = fresh.client.get("/api/failures").json()
    assert (group["kind"], group["count"], group["node"]) == ("raised", 1, "My Sampler")
    assert (group["sentence"], group["log"]) == ("My Sampler: boom", "Traceback: boom")
    key = {
        "kind": group["kind"],
        "step_id": group["step_id"],
        "backend_id": group["backend"]["id"],
    }
    retried = fresh.client.post("/api/failures/retry", json=key).json()
    assert retried == {"failures": 1, "images": 0, "runs": 1}
    assert fresh.client.get("/api/failures").json() == []
    assert fresh.client.post("/api/failures/retry", json=key).status_code == 404


def test_failures_are_retried_with_another_workflow_of_their_step(fresh: Started) -> None:
    client, studio = fresh.client, Studio(fresh.database)
    job = studio.job(None)
    with fresh.database.transaction() as tx:
        jobs.fail(tx, job, kind=Cause.RAISED, error="My Sampler: boom", now=NOW)
    (group,) = client.get("/api/failures").json()
    at = f"/api/pipelines/{group['pipeline']['id']}/steps/{group['step_id']}/workflow"
    text = json.dumps(a_graph("Base")).replace('"euler"', '"heun"')
    made = client.put(at, json={"workflow": text})
    assert made.status_code == 200, made.text
    assert (made.json()["version"], group["pipeline"]["version"]) == (2, 1)
    version = {"pipeline_id": made.json()["id"]}
    key = {"kind": "raised", "step_id": group["step_id"], "backend_id": group["backend"]["id"]}
    retried = client.post("/api/failures/retry", json=key | version)
    assert retried.json() == {"failures": 1, "images": 0, "runs": 1}
    (run,) = group["run_ids"]
    (moved,) = (each for each in client.get("/api/runs").json() if each["id"] == run)
    assert moved["pipeline"]["version"] == 2
    assert client.put(f"/api/runs/{run}/pipeline", json=version).status_code == 409
    assert client.put(at, json={"workflow": "{}"}).status_code == 422


def test_a_prompt_is_tried_with_the_wildcards_of_the_data_folder(
    fresh: Started, tmp_path: Path
) -> None:
    folder = tmp_path / "wildcards" / "body"
    folder.mkdir(parents=True)
    (folder / "Hair.txt").write_text("# colours\n\nred hair\nblack hair\n", "utf-8")
    assert fresh.client.get("/api/wildcards").json() == [{"name": "body/hair", "lines": 2}]
    body = {"prompt": "a {cat|dog}, __body/hair__, __nope__", "count": 20}
    found = fresh.client.post("/api/prompts/try", json=body).json()
    assert found == fresh.client.post("/api/prompts/try", json=body).json()
    assert {sample.split(",")[1] for sample in found["samples"]} == {" red hair", " black hair"}
    assert found["unknown"] == ["nope"]


def test_the_hub_says_why_no_server_gets_the_next_step(fresh: Started) -> None:
    studio = Studio(fresh.database)
    job = studio.job(None)
    with fresh.database.transaction() as tx:
        jobs.fail(tx, job, kind=Cause.RAISED, error="boom", now=NOW)
        step = work.view(tx, job).step_id
        for server in backends.views(tx):
            assignments.lacks(tx, server.id, step, sentence="No such model.", now=NOW)
    with fresh.database.snapshot() as tx:
        status = glance(tx, now=NOW)
    assert status.why.startswith(("No server can do the next step. No such model.", "gpu does not"))
    (server,) = status.backends
    assert [(each.step_id, each.lacks) for each in server.steps] == [(step, "No such model.")]
    path = f"/api/backends/{server.id}/steps/{step}/release"
    assert fresh.client.post(path).json()["steps"][0]["lacks"] is None


def test_the_hub_says_that_its_only_server_rests_and_for_how_long(fresh: Started) -> None:
    job = Studio(fresh.database).job(None)
    with fresh.database.transaction() as tx:
        (server,) = backends.views(tx)
        backends.report(tx, server.id, Report(Health.OK, "", "0.3.64", simulator=True), now=NOW)
        jobs.fail(tx, job, kind=Cause.OUT_OF_MEMORY, error="Full.", now=NOW)
        why = [glance(tx, now=NOW + timedelta(seconds=later)).why for later in (5, 20)]
    assert why[0].endswith(f"rests on {server.name} for 15 s after it ran out of memory.")
    assert "rests" not in why[1]
