from __future__ import annotations

import json
from typing import Any

import pytest

from comfy.recorded import conversions, full_catalogue, small_catalogue
from comfy.test_bindings import face_fix, node, portrait
from shortlist.comfy.catalogue import Catalogue
from shortlist.comfy.graph import Graph, as_graph
from shortlist.comfy.workflow import (
    Bindings,
    Issue,
    IssueKind,
    Role,
    Target,
    check,
    find_bindings,
    outside_core,
)


def server(**models: list[str]) -> Catalogue:
    """The recorded server, holding these models."""
    raw = json.loads(json.dumps(dict(small_catalogue().raw)))
    raw["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0] = models.get(
        "checkpoints", ["a.safetensors"]
    )
    return Catalogue(raw)


def issues(
    graph: Graph, *, catalogue: Catalogue | None = None, parent: bool = False, **more: Any
) -> list[Issue]:
    bindings = more.get("bindings") or find_bindings(graph, full_catalogue()).bindings()
    return list(check(graph, bindings, catalogue or server(), takes_parent=parent))


def test_a_sound_workflow_has_no_issues() -> None:
    assert issues(portrait()) == []
    assert issues(face_fix(), parent=True) == []


def test_a_missing_model_is_named_with_the_node_and_a_hint() -> None:
    (held,) = issues(portrait(), catalogue=server(checkpoints=["SDXL\\A.safetensors", "b.ckpt"]))
    assert held == Issue(
        IssueKind.MISSING_MODEL,
        True,
        "\"CheckpointLoaderSimple\" #4: this server does not have the model 'a.safetensors' for"
        " ckpt_name; it has 'SDXL\\\\A.safetensors'.",
        "4",
        "ckpt_name",
    )


def test_a_missing_node_type_is_named_by_its_title() -> None:
    graph = portrait()
    graph["8"] = node("FancyDecode", "Decode it", samples=["3", 0], vae=["4", 2])
    (held,) = issues(graph)
    assert (held.kind, held.node) == (IssueKind.MISSING_NODE, "8")
    assert held.sentence.startswith('"Decode it" (FancyDecode) #8: ')


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("sampler_name", "magic", IssueKind.NOT_IN_LIST),
        ("steps", 0, IssueKind.OUT_OF_RANGE),
        ("steps", 20_000, IssueKind.OUT_OF_RANGE),
        ("cfg", "euler", IssueKind.WRONG_TYPE),
        ("sampler_name", 5, IssueKind.WRONG_TYPE),
        ("model", ["77", 0], IssueKind.BROKEN_LINK),
        ("model", ["4", 5], IssueKind.BROKEN_LINK),
    ],
)
def test_a_value_that_the_server_would_refuse_is_told(
    name: str, value: Any, kind: IssueKind
) -> None:
    graph = portrait()
    graph["3"]["inputs"][name] = value
    (held,) = issues(graph)
    assert (held.kind, held.blocks, held.node, held.input) == (kind, True, "3", name)


def test_a_missing_input_is_told() -> None:
    graph = portrait()
    del graph["3"]["inputs"]["positive"]
    assert [(i.kind, i.input) for i in issues(graph)] == [(IssueKind.MISSING_INPUT, "positive")]


def test_a_seed_beyond_the_server_is_no_issue_because_jobs_set_it() -> None:
    graph = portrait()
    graph["3"]["inputs"]["seed"] = -1
    assert issues(graph) == []


def test_a_batch_is_a_warning() -> None:
    graph = portrait()
    graph["5"]["inputs"]["batch_size"] = 4
    (held,) = issues(graph)
    assert (held.kind, held.blocks, held.input) == (IssueKind.BATCH, False, "batch_size")
    assert "is 4; set it to 1" in held.sentence


def test_a_step_after_the_first_needs_a_way_for_the_parent_image() -> None:
    (held,) = issues(portrait(), parent=True)
    assert (held.kind, held.blocks) == (IssueKind.NO_PARENT_IMAGE, True)
    assert "shortlist:image" in held.sentence


def test_a_workflow_without_a_seed_is_warned_about() -> None:
    graph: Graph = {
        "1": node("LoadImage", image="x.png"),
        "9": node("SaveImage", images=["1", 0], filename_prefix="x"),
    }
    (held,) = issues(graph, parent=True)
    assert (held.kind, held.blocks) == (IssueKind.NO_SEED, False)


def test_no_output_is_the_only_thing_said() -> None:
    (held,) = issues(portrait(), bindings=Bindings("", {}))
    assert held.kind is IssueKind.NO_OUTPUT


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("text_to_video_wan.json", "gives a video or an animation; only still images"),
        ("audio_ace_step_1_t2a_instrumentals.json", "gives a sound; only still images"),
        ("3d_hunyuan3d-v2.1.json", "gives a 3D model; only still images"),
    ],
)
def test_other_kinds_of_output_are_told_in_a_sentence(name: str, words: str) -> None:
    graph = as_graph(conversions()[name])
    output = next(i for i, n in graph.items() if n["class_type"].startswith("Save"))
    held = check(graph, Bindings(output, {}), None, takes_parent=False)
    assert held[0].kind is IssueKind.NOT_AN_IMAGE
    assert words in held[0].sentence


def test_a_preview_as_output_is_only_a_note() -> None:
    graph = portrait()
    graph["9"] = node("PreviewImage", images=["8", 0])
    (held,) = issues(graph)
    assert (held.kind, held.blocks) == (IssueKind.NOT_AN_IMAGE, False)


def test_an_image_input_that_the_output_does_not_use_blocks() -> None:
    graph = portrait()
    graph["10"] = node("LoadImage", image="x.png")
    bindings = Bindings("9", {Role.IMAGE: (Target("10", "image"),),
                              Role.SEED: (Target("3", "seed"),)})  # fmt: skip
    (held,) = issues(graph, bindings=bindings, parent=True)
    assert (held.kind, held.blocks) == (IssueKind.INPUT_NOT_USED, True)


def test_a_binding_to_nowhere_blocks() -> None:
    bindings = Bindings("9", {Role.SEED: (Target("88", "seed"),)})
    (held,) = issues(portrait(), bindings=bindings)
    assert held.sentence == "The seed is bound to #88, which has no input seed."


def test_a_reference_picture_must_be_given_to_the_hub() -> None:
    graph = face_fix()
    graph["11"] = node("LoadImage", "Style", image="style.png")
    graph["12"] = node("ImageBlend", image1=["10", 0], image2=["11", 0], blend_factor=0.5,
                       blend_mode="normal")  # fmt: skip
    graph["5"]["inputs"]["pixels"] = ["12", 0]
    (held,) = [i for i in issues(graph, parent=True) if i.kind is IssueKind.FOREIGN_FILE]
    assert (held.node, held.blocks) == ("11", True)
    assert held.sentence.startswith("\"Style\" (LoadImage) #11: image loads 'style.png'")


def test_a_key_in_the_workflow_is_pointed_out_and_not_repeated() -> None:
    graph = portrait()
    key = "sk-" + "a1" * 20
    graph["6"]["inputs"]["text"] = f"a cat {key}"
    (held,) = issues(graph)
    assert (held.kind, held.blocks) == (IssueKind.SECRET, False)
    assert key not in held.sentence


def test_a_misspelt_mark_is_pointed_out() -> None:
    graph = portrait()
    graph["6"]["_meta"] = {"title": "shortlist:postive"}
    (held,) = issues(graph)
    assert held.kind is IssueKind.UNKNOWN_MARK
    assert "shortlist:postive, which means nothing" in held.sentence


def test_without_a_server_only_the_workflow_is_checked() -> None:
    graph = portrait()
    graph["3"]["inputs"]["sampler_name"] = "magic"
    bindings = find_bindings(graph, None).bindings()
    assert check(graph, bindings, None, takes_parent=False) == ()


def test_node_types_of_installed_packs_are_listed() -> None:
    raw = {**small_catalogue().raw,
           "Fancy": {"python_module": "custom_nodes.fancy-pack", "input": {}}}  # fmt: skip
    graph = portrait()
    graph["30"] = node("Fancy")
    assert outside_core(graph, Catalogue(raw)) == {"fancy-pack": ("Fancy",)}
