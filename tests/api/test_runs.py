"""Pipelines, runs, jobs and servers over HTTP: made, shown, changed, and refused with a reason."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from api.conftest import Started
from builders import NOW, WORKFLOWS, a_graph
from judging import Studio
from shortlist.domain.job_states import Cause
from shortlist.services import jobs, selection

Json = dict[str, Any]
EVERYTHING_AS_TEXT = "<img src=x onerror=alert(1)> {{7*7}} javascript:x =cmd|x \u202e \U0001f600"


def a_pipeline(client: httpx2.Client, name: str | None = None, **step: object) -> Json:
    steps = [
        {"name": "Base", "workflow": a_graph("Base")},
        {"name": "Face Fix", "workflow": a_graph("Face Fix"), "gate": "auto", **step},
    ]
    body = {"name": name or f"Pipeline {uuid4()}", "steps": steps}
    answer = client.post("/api/pipelines", json=body)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def a_run(client: httpx2.Client, **values: object) -> Json:
    body = {"pipeline_id": a_pipeline(client)["id"], "name": "Portrait", "prompt": "a"}
    answer = client.post("/api/runs", json=body | {"untried": True} | values)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def sentence(answer: httpx2.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["status"] == status
    told: str = body["detail"]
    return told


def test_a_pipeline_is_made_of_workflow_files(client: httpx2.Client) -> None:
    text = (WORKFLOWS / "face-fix.json").read_text("utf-8")
    made = a_pipeline(client, workflow=text, max_children=2, default_top_k=3)
    step = made["steps"][1]
    assert (step["order"], step["max_children"], step["default_top_k"]) == (2, 2, 3)
    assert step["workflow"] == json.loads(text)
    assert step["bindings"]["image"]
    assert client.get(f"/api/pipelines/{made['id']}").json() == made
    listed = next(p for p in client.get("/api/pipelines").json() if p["id"] == made["id"])
    assert "workflow" not in listed["steps"][0]


def test_a_pipeline_of_the_same_name_is_its_next_version(client: httpx2.Client) -> None:
    first = a_pipeline(client)
    second = a_pipeline(client, first["name"])
    assert (first["version"], second["version"]) == (1, 2)
    shown = {p["id"]: p["newest"] for p in client.get("/api/pipelines").json()}
    assert (shown[first["id"]], shown[second["id"]]) == (False, True)


NO_OUTPUT = {"1": {"class_type": "EmptyImage", "inputs": {}}}


@pytest.mark.parametrize(
    ("workflow", "said"),
    [
        ("", "Step 2, Fix"),
        ("{", "Step 2, Fix"),
        ("[]", "Step 2, Fix"),
        ({}, "Step 2, Fix"),
        ({"1": 5, "2": {"class_type": "X", "inputs": {}}}, "#1"),
        ({"1": {"inputs": {}}, "2": {"class_type": "X", "inputs": {}}}, "#1"),
        ({"1": {"class_type": "X", "inputs": {"a": ["1", 0]}}}, "loop"),
        (NO_OUTPUT, "Step 2, Fix"),
        ({"nodes": [], "links": []}, "editor's own format"),
        ({"a": {"b": 1}}, "no ComfyUI workflow"),
    ],
)
def test_a_workflow_that_can_not_be_used_is_told_with_its_step(
    workflow: object, said: str, client: httpx2.Client
) -> None:
    steps = [{"name": "Base", "workflow": a_graph("Base")}, {"name": "Fix", "workflow": workflow}]
    before = len(client.get("/api/pipelines").json())
    answer = client.post("/api/pipelines", json={"name": "P", "steps": steps})
    assert said in sentence(answer, 422)
    assert len(client.get("/api/pipelines").json()) == before


def test_a_second_step_must_take_the_parent_image(client: httpx2.Client) -> None:
    steps = [{"name": name, "workflow": a_graph("Base")} for name in ("Base", "Again")]
    told = sentence(client.post("/api/pipelines", json={"name": "P", "steps": steps}), 422)
    assert told.startswith("Step 2, Again: it has no way to take the parent image")


@pytest.mark.parametrize(
    "change", [{"steps": []}, {"name": " "}, {"steps": [{"name": "", "workflow": NO_OUTPUT}]}]
)
def test_a_pipeline_without_name_or_steps_is_refused(change: Json, client: httpx2.Client) -> None:
    body = {"name": "P", "steps": [{"name": "Base", "workflow": a_graph("Base")}]} | change
    sentence(client.post("/api/pipelines", json=body), 422)


def test_inspecting_a_workflow_says_where_everything_is(client: httpx2.Client) -> None:
    body = {"workflow": a_graph("Face Fix")}
    found = client.post("/api/workflows/inspect", json=body).json()
    assert found["format"] == "API format"
    roles = {binding["role"]: binding for binding in found["bindings"]}
    assert {"image", "seed", "positive", "output"} <= set(roles)
    assert roles["image"]["node_id"] == "1"
    assert roles["image"]["reason"]
    assert found["problems"] == []


def test_inspecting_tells_what_is_missing(client: httpx2.Client) -> None:
    found = client.post("/api/workflows/inspect", json={"workflow": NO_OUTPUT}).json()
    assert "error" in {problem["severity"] for problem in found["problems"]}


def test_a_run_takes_the_hubs_defaults_and_shows_its_columns(client: httpx2.Client) -> None:
    run = a_run(client)
    assert (run["max_children"], run["target_leaves"], run["base_count"]) == (3, 10, 3)
    assert (run["rating"], run["policy"]) == ("elo", "right_to_left")
    assert [column["name"] for column in run["columns"]] == ["Base", "Face Fix"]
    shown = client.get(f"/api/runs/{run['id']}").json()
    assert shown["prompt"] == "a"
    assert shown["why"]
    assert run["id"] in {each["id"] for each in client.get("/api/runs?status=active").json()}
    assert run["id"] not in {each["id"] for each in client.get("/api/runs?status=paused").json()}


def test_a_run_is_rated_as_chosen_and_otherwise_from_then_on(client: httpx2.Client) -> None:
    run = a_run(client, rating="tree")
    assert run["rating"] == "tree"
    changed = client.patch(f"/api/runs/{run['id']}", json={"rating": "elo"}).json()
    assert changed["rating"] == "elo"
    told = sentence(client.patch(f"/api/runs/{run['id']}", json={"rating": "chess"}), 422)
    assert told == 'There is no rating "chess" here; choose one of elo, tree.'
    assert client.get(f"/api/runs/{run['id']}").json()["rating"] == "elo"


@pytest.mark.parametrize("field", ["max_children", "target_leaves", "base_count"])
@pytest.mark.parametrize("value", [0, -1, 10**9])
def test_numbers_that_make_no_run_are_refused(
    field: str, value: int, client: httpx2.Client
) -> None:
    pipeline = a_pipeline(client)["id"]
    body = {"pipeline_id": pipeline, "name": "R", "prompt": "", field: value}
    answer = client.post("/api/runs", json=body)
    assert str(value) in sentence(answer, 422)
    assert answer.json()["field"] == field


def test_a_run_needs_a_pipeline_that_exists(client: httpx2.Client) -> None:
    body = {"pipeline_id": 2**40, "name": "R", "prompt": ""}
    assert "no pipeline" in sentence(client.post("/api/runs", json=body), 404)


def test_a_run_is_paused_resumed_and_changed(client: httpx2.Client) -> None:
    path = f"/api/runs/{a_run(client)['id']}"
    paused = client.patch(path, json={"status": "paused", "priority": 5}).json()
    assert (paused["status"], paused["priority"]) == ("paused", 5)
    assert "paused" in client.get(path).json()["why"]
    resumed = client.patch(path, json={"status": "active", "name": "Another"}).json()
    assert (resumed["status"], resumed["name"]) == ("active", "Another")


@pytest.mark.parametrize("status", ["completed", "gone", ""])
def test_a_run_is_not_put_into_any_state(status: str, client: httpx2.Client) -> None:
    path = f"/api/runs/{a_run(client)['id']}"
    sentence(client.patch(path, json={"status": status}), 422)


def test_hostile_words_are_kept_as_they_are(client: httpx2.Client) -> None:
    run = a_run(client, name=EVERYTHING_AS_TEXT, prompt=EVERYTHING_AS_TEXT)
    shown = client.get(f"/api/runs/{run['id']}")
    assert shown.headers["content-type"] == "application/json"
    assert shown.json()["name"] == shown.json()["prompt"] == EVERYTHING_AS_TEXT


def test_a_prompt_of_ten_megabytes_is_refused(client: httpx2.Client) -> None:
    path = f"/api/runs/{a_run(client)['id']}"
    sentence(client.patch(path, json={"prompt": "x" * 10_000_000}), 413)
    sentence(client.patch(path, json={"prompt": "x" * 100_001}), 422)


def test_the_board_is_one_table(client: httpx2.Client, studio: Studio) -> None:
    base, face, *_ = studio.line()
    table = client.get(f"/api/runs/{studio.run}/candidates").json()
    columns = table["columns"]
    assert columns["id"][:2] == [base, face]
    assert columns["parent_id"][:2] == [None, base]
    assert len({len(values) for values in columns.values()}) == 1
    assert [step["name"] for step in table["steps"]] == ["Base", "Face Fix", "Hand Fix", "Upscale"]
    assert table["event"] > 0


def test_an_image_is_shown_with_its_family(client: httpx2.Client, studio: Studio) -> None:
    base, face, hand, final = studio.line()
    sibling = studio.image(base)
    shown = client.get(f"/api/candidates/{face}").json()
    assert [card["id"] for card in shown["lineage"]] == [base, face]
    assert [card["id"] for card in shown["children_cards"]] == [hand]
    assert [card["id"] for card in shown["siblings"]] == [sibling]
    assert shown["job"]["candidates"] == [face]
    assert shown["children"] == 1
    assert client.get(f"/api/candidates/{final}").json()["children_cards"] == []


def test_how_some_images_stand_is_asked_at_once(client: httpx2.Client, studio: Studio) -> None:
    base, face, _, final = studio.line()
    kill = {"id": str(uuid4()), "kind": "kill", "candidate": face}
    assert client.post("/api/acts", json={"acts": [kill]}).json()["results"][0]["ok"]
    shown = client.get(f"/api/candidates?ids={final},{base},{face},9999").json()
    states = {card["id"]: (card["status"], card["dead"]) for card in shown}
    assert states == {base: ("active", False), face: ("rejected", False), final: ("active", True)}
    assert client.get("/api/candidates?ids=").json() == []
    refused = client.get(f"/api/candidates?ids={','.join(['1'] * 201)}")
    assert refused.status_code == 422
    assert refused.json()["detail"] == "Name at most 200 real images."


def test_jobs_are_listed_newest_first_and_one_can_be_stopped(
    running: Started, client: httpx2.Client, studio: Studio
) -> None:
    first, second = studio.job(None), studio.job(studio.image())
    listed = client.get("/api/jobs", params={"run": studio.run, "status": "running"}).json()
    assert [job["id"] for job in listed] == [second, first]
    assert listed[0]["reason"]["sentence"]
    page = client.get("/api/jobs", params={"run": studio.run, "before": second, "limit": 1})
    assert page.json()[0]["id"] < second
    assert client.get(f"/api/jobs/{first}").json()["workflow"] == {}
    stopped = client.post(f"/api/jobs/{first}/cancel")
    assert stopped.json()["status"] == "cancelled"
    assert "already ended" in sentence(client.post(f"/api/jobs/{first}/cancel"), 409)


def test_a_claimed_job_shows_why_it_was_chosen(fresh: Started) -> None:
    studio = Studio(fresh.database)
    claimed = fresh.database.run(
        lambda tx: selection.claim(
            tx, backend_id=studio.backend, seed=7, prompt_id=str(uuid4()), now=NOW
        )
    )
    assert claimed is not None
    job = fresh.client.get(f"/api/jobs/{claimed.job_id}").json()
    assert job["reason"]["rule"] == "base"
    assert job["reason"]["seed"] == 7
    assert job["workflow"]
    status = fresh.client.get("/api/status").json()
    assert status["next_job"]["sentence"]
    assert [each["id"] for each in status["backends"][0]["in_flight"]] == [claimed.job_id]


def test_a_parked_image_is_tried_again_when_a_person_says_so(
    running: Started, client: httpx2.Client, studio: Studio
) -> None:
    parent = studio.image()
    for _ in range(3):
        job = studio.job(parent)
        running.database.run(
            lambda tx, job=job: jobs.fail(tx, job, kind=Cause.RAISED, error="boom", now=NOW)
        )
    assert client.get(f"/api/candidates/{parent}").json()["parked"]
    assert not client.post(f"/api/candidates/{parent}/retry").json()["parked"]


def test_a_step_held_after_a_refusal_is_released(
    running: Started, client: httpx2.Client, studio: Studio
) -> None:
    job = studio.job(None)
    running.database.run(
        lambda tx: jobs.fail(tx, job, kind=Cause.REFUSED, error="no such node", now=NOW)
    )
    column = client.get(f"/api/runs/{studio.run}").json()["columns"][0]
    assert column["held_reason"] == "no such node"
    path = f"/api/runs/{studio.run}/steps/{column['step_id']}/release"
    assert client.post(path, json={}).json()["columns"][0]["held_reason"] is None
    sentence(client.post(f"/api/runs/{studio.run}/steps/{2**40}/release", json={}), 404)


def test_servers_are_added_renamed_drained_and_removed(client: httpx2.Client) -> None:
    body = {"url": "http://127.0.0.1:2/", "name": "Attic"}
    made = client.post("/api/backends", json=body).json()
    assert (made["url"], made["name"], made["enabled"]) == ("http://127.0.0.1:2", "Attic", True)
    path = f"/api/backends/{made['id']}"
    changed = client.patch(path, json={"name": "Cellar", "enabled": False}).json()
    assert (changed["name"], changed["enabled"]) == ("Cellar", False)
    assert "already" in sentence(client.post("/api/backends", json=body), 409)
    assert client.delete(path).status_code == 204
    assert made["id"] not in {each["id"] for each in client.get("/api/backends").json()}
    sentence(client.delete(path), 404)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1:1",
        "http://169.254.169.254/",
        "http://[fd00:ec2::254]/",
        "http://metadata.google.internal",
        "http://2852039166/",
        "http://0xA9FEA9FE/",
        "http://[::ffff:169.254.169.254]/",
        "http://user:secret@127.0.0.1:8188",
        "http://127.0.0.1:99999",
        "8188",
        "http://",
        " ",
    ],
)
def test_an_address_that_is_no_server_is_refused(url: str, client: httpx2.Client) -> None:
    answer = client.post("/api/backends", json={"url": url})
    assert "secret" not in sentence(answer, 422)
    assert answer.json()["field"] == "url"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST.", "[::1]"])
def test_the_hub_is_not_its_own_server(host: str, running: Started, client: httpx2.Client) -> None:
    port = running.host.rpartition(":")[2]
    answer = client.post("/api/backends", json={"url": f"http://{host}:{port}"})
    assert "own address" in sentence(answer, 422)
