from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from comfy.recorded import http_steps, serving
from shortlist.comfy.client import ComfyClient
from shortlist.comfy.faults import BadAnswer, ComfyError, Reason, RefusalKind, Refused, ServerFault
from shortlist.comfy.graph import Graph
from shortlist.comfy.refusal import read_refusal

pytestmark = pytest.mark.anyio
STEPS = {step["note"]: step for step in http_steps("refused")}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def fault_of(answer: Response, graph: Graph) -> tuple[ComfyError, list[tuple[str, Any]]]:
    """What a submit raises when the server answers so, and what else the client asked."""
    asked: list[tuple[str, Any]] = []

    async def take(request: Request) -> Response:
        if request.url.path == "/api/prompt":
            return answer
        asked.append((request.url.path, await request.json()))
        return Response(status_code=405 if "/jobs/" in request.url.path else 200)

    app = Starlette(routes=[Route("/{path:path}", take, methods=["POST"])])
    async with serving(app) as url, ComfyClient(url, client_id="c") as client:
        with pytest.raises(ComfyError) as caught:
            await client.submit(str(uuid4()), graph, extra_pnginfo={})
    return caught.value, asked


def recorded(note: str) -> tuple[Response, Graph]:
    step = STEPS[note]
    answer = step["answer"]
    body = answer if isinstance(answer, str) else json.dumps(answer)
    kind = {"content-type": step["headers"]["content-type"]}
    sent = step["http"].get("body") or {}
    graph = sent.get("prompt", {}) if "nodes" not in sent.get("prompt", {}) else {}
    return Response(body, step["status"], headers=kind), graph


EXPECTED = {
    "unknown class": Reason(
        RefusalKind.MISSING_NODE_TYPE,
        '"NoSuchNode" #2: this server does not have the node type NoSuchNode.',
        node="2",
        class_type="NoSuchNode",
    ),
    "missing input": Reason(
        RefusalKind.REQUIRED_INPUT_MISSING,
        '"Canvas" (EmptyImage) #1: the input width is missing.',
        node="1",
        class_type="EmptyImage",
        input="width",
    ),
    "below minimum": Reason(
        RefusalKind.VALUE_OUT_OF_RANGE,
        '"Canvas" (EmptyImage) #1: Value 0 smaller than min of 1 (width).',
        node="1",
        class_type="EmptyImage",
        input="width",
    ),
    "above maximum": Reason(
        RefusalKind.VALUE_OUT_OF_RANGE,
        '"Canvas" (EmptyImage) #1: Value 1000000000 bigger than max of 16384 (width).',
        node="1",
        class_type="EmptyImage",
        input="width",
    ),
    "wrong type": Reason(
        RefusalKind.INVALID_INPUT_TYPE,
        '"Canvas" (EmptyImage) #1: Failed to convert an input value to a INT value (width).',
        node="1",
        class_type="EmptyImage",
        input="width",
    ),
    "broken link": Reason(
        RefusalKind.BAD_LINK,
        "\"Result\" (SaveImage) #9: a link into this node is broken ('77').",
        node="9",
        class_type="SaveImage",
    ),
    "wrong slot": Reason(
        RefusalKind.BAD_LINK,
        '"Result" (SaveImage) #9: a link into this node is broken (tuple index out of range).',
        node="9",
        class_type="SaveImage",
    ),
    "bad link form": Reason(
        RefusalKind.BAD_LINK,
        '"Result" (SaveImage) #9: Bad linked input, must be a length-2 list of'
        " [node_id, slot_index] (images).",
        node="9",
        class_type="SaveImage",
        input="images",
    ),
    "no outputs": Reason(RefusalKind.NO_OUTPUT, "The workflow has no output node that can run."),
    "empty": Reason(RefusalKind.NO_OUTPUT, "The workflow has no output node that can run."),
    "editor format": Reason(
        RefusalKind.OTHER,
        "Cannot execute because a node is missing the class_type property.",
        node="nodes",
    ),
    "no prompt key": Reason(RefusalKind.OTHER, "No prompt provided."),
}


@pytest.mark.parametrize("note", EXPECTED)
async def test_a_refusal_says_which_node_and_why(note: str) -> None:
    fault, asked = await fault_of(*recorded(note))
    assert isinstance(fault, Refused)
    assert fault.reasons == (EXPECTED[note],)
    assert fault.sentence == EXPECTED[note].sentence
    assert asked == []


async def test_a_missing_model_is_named_with_its_value() -> None:
    fault, _ = await fault_of(*recorded("value not in list"))
    assert isinstance(fault, Refused)
    (reason,) = fault.reasons
    assert reason.kind is RefusalKind.VALUE_NOT_IN_LIST
    assert reason.input == "upscale_method"
    assert "upscale_method is 'magic', which this server does not have" in reason.sentence


async def test_a_missing_picture_is_told_without_the_servers_words() -> None:
    fault, _ = await fault_of(*recorded("missing file"))
    assert isinstance(fault, Refused)
    assert fault.kinds == {RefusalKind.FILE_NOT_FOUND}
    assert "the file of input image is not on this server" in fault.sentence


async def test_half_an_acceptance_is_a_refusal_and_leaves_nothing_queued() -> None:
    note = "one good and one broken output: 200 with node_errors"
    fault, asked = await fault_of(*recorded(note))
    assert isinstance(fault, Refused)
    assert [reason.node for reason in fault.reasons] == ["8"]
    prompt_id = STEPS[note]["answer"]["prompt_id"]
    assert asked == [
        (f"/api/jobs/{prompt_id}/cancel", {}),
        ("/api/queue", {"delete": [prompt_id]}),
        ("/api/interrupt", {"prompt_id": prompt_id}),
    ]


async def test_a_server_that_breaks_over_a_body_is_a_server_fault() -> None:
    fault, _ = await fault_of(*recorded("malformed body"))
    assert isinstance(fault, ServerFault)
    assert fault.status == 500


async def test_a_server_too_old_for_our_ids_is_named_and_its_job_withdrawn() -> None:
    answer = JSONResponse({"prompt_id": "its-own", "number": 1, "node_errors": {}})
    fault, asked = await fault_of(answer, {})
    assert isinstance(fault, BadAnswer)
    assert "0.3.45" in fault.sentence
    assert ("/api/queue", {"delete": ["its-own"]}) in asked


@pytest.mark.parametrize("note", STEPS)
def test_no_refusal_shows_a_path_of_the_server(note: str) -> None:
    answer = STEPS[note]["answer"]
    refused = read_refusal(answer if isinstance(answer, dict) else None, {})
    assert "/opt" not in refused.sentence
    assert "File" not in refused.sentence


def test_a_newer_server_names_the_missing_node_type_itself() -> None:
    error = {
        "type": "missing_node_type",
        "message": "Node 'X' not found.",
        "details": "Node ID '#4'",
        "extra_info": {"node_id": "4", "class_type": "X", "node_title": "My X"},
    }
    graph: Graph = {"4": {"class_type": "X", "inputs": {}, "_meta": {"title": "My X"}}}
    (reason,) = read_refusal({"error": error, "node_errors": {}}, graph).reasons
    assert (reason.kind, reason.class_type) == (RefusalKind.MISSING_NODE_TYPE, "X")
    assert reason.sentence == '"My X" (X) #4: this server does not have the node type X.'
