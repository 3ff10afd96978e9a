"""Files and answers that nobody would write by hand: whatever comes, a fault or a result."""

from __future__ import annotations

import json
import random
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy.recorded import conversions, full_catalogue
from shortlist.comfy.faults import WorkflowFault
from shortlist.comfy.graph import Graph, as_graph
from shortlist.comfy.workflow import (
    Bindings,
    Catalogue,
    Role,
    Values,
    check,
    find_bindings,
    parse,
    patch,
)

TEMPLATES = files("comfyui_workflow_templates_json") / "templates"
JUNK: list[Any] = [
    None, True, -1, 2**70, 1e308, "", "x", "../x", [], ["3", 0], ["3", -1], [1, 2], [[]],
    {}, {"a": []}, {"__value__": [1]}, ["nowhere", 99],
]  # fmt: skip


def bend(value: Any, rng: random.Random) -> Any:
    """The value with a piece of it replaced, removed or doubled somewhere."""
    if rng.random() < 0.02:
        return rng.choice(JUNK)
    if isinstance(value, dict):
        return {k: bend(v, rng) for k, v in value.items() if rng.random() > 0.01}
    if isinstance(value, list):
        kept = [bend(item, rng) for item in value if rng.random() > 0.01]
        return kept + kept[:1] if rng.random() < 0.02 else kept
    return value


def run_through(graph: Graph, catalogue: Catalogue | None) -> None:
    """All that is done with a graph; only a `WorkflowFault` may come of it."""
    found = find_bindings(graph, catalogue)
    bindings = found.bindings()
    assert Bindings.from_json(bindings.to_json()) == bindings
    check(graph, bindings, catalogue, takes_parent=True)
    values = Values(prefix="p/s", seed=1, image=f"shortlist/{'0' * 64}.png", positive="a")
    try:
        job = patch(graph, bindings, values)
    except WorkflowFault:
        return
    assert bindings.output in job
    json.dumps(job)


@given(st.sampled_from(sorted(conversions())), st.integers(0, 2**32), st.booleans())
def test_a_bent_graph_is_a_fault_or_a_job(name: str, seed: int, known: bool) -> None:
    text = json.dumps(bend(conversions()[name], random.Random(seed)))
    try:
        graph = parse(text).graph
    except WorkflowFault:
        return
    run_through(graph, full_catalogue() if known else None)


@given(st.sampled_from(sorted(conversions())), st.integers(0, 2**32))
def test_a_bent_editor_file_is_a_fault_or_a_graph(name: str, seed: int) -> None:
    document = json.loads((TEMPLATES / name).read_text("utf-8"))
    text = json.dumps(bend(document, random.Random(seed)))
    try:
        graph = parse(text, full_catalogue()).graph
    except WorkflowFault:
        return
    run_through(graph, full_catalogue())


@given(st.integers(0, 2**32))
def test_a_lying_catalogue_breaks_nothing(seed: int) -> None:
    catalogue = Catalogue(bend(dict(full_catalogue().raw), random.Random(seed)))
    document = (TEMPLATES / "image_z_image_turbo_int8.json").read_text("utf-8")
    try:
        graph = parse(document, catalogue).graph
    except WorkflowFault:
        graph = as_graph(conversions()["image_z_image_turbo_int8.json"])
    run_through(graph, catalogue)


@pytest.mark.parametrize("kind", ["KSampler", "LoadImage", "SaveImage", "StringConcatenate"])
def test_thousands_of_one_node_are_searched_without_a_long_wait(kind: str) -> None:
    inputs: dict[str, dict[str, Any]] = {
        "KSampler": {"positive": ["0", 0], "negative": ["0", 0], "seed": 1},
        "LoadImage": {"image": "x.png"},
        "SaveImage": {"images": ["0", 0], "filename_prefix": "x"},
        "StringConcatenate": {"string_a": "a", "string_b": "b"},
    }
    nodes: Any = {"0": {"class_type": "CLIPTextEncode", "inputs": {"text": "x"}}}
    for n in range(1, 4_000):
        held = dict(inputs[kind]) | {"before": [str(n - 1), 0]}
        nodes[str(n)] = {"class_type": kind, "inputs": held}
    nodes["9999"] = {"class_type": "SaveImage", "inputs": {"images": ["3999", 0]}}
    graph = as_graph(nodes)
    found = find_bindings(graph, full_catalogue())
    assert found.of(Role.OUTPUT).targets
    run_through(graph, full_catalogue())
