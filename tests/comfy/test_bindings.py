from __future__ import annotations

import copy
from typing import Any

import pytest

from comfy.recorded import conversions, full_catalogue
from shortlist.comfy.faults import WorkflowFault
from shortlist.comfy.graph import Graph, as_graph
from shortlist.comfy.workflow import Bindings, Found, Role, Sure, Target, find_bindings


def node(class_type: str, title: str = "", **inputs: Any) -> Any:
    made: dict[str, Any] = {"class_type": class_type, "inputs": inputs}
    return {**made, "_meta": {"title": title}} if title else made


def portrait() -> Graph:
    """A text-to-image workflow as most people have it."""
    return {
        "3": node("KSampler", seed=5, steps=20, cfg=8.0, sampler_name="euler", scheduler="normal",
                  denoise=1.0, model=["4", 0], positive=["6", 0], negative=["7", 0],
                  latent_image=["5", 0]),
        "4": node("CheckpointLoaderSimple", ckpt_name="a.safetensors"),
        "5": node("EmptyLatentImage", width=512, height=768, batch_size=1),
        "6": node("CLIPTextEncode", text="a cat", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="bad", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="x", images=["8", 0]),
    }  # fmt: skip


def face_fix() -> Graph:
    """An image-to-image workflow: the picture goes through VAEEncode."""
    graph = portrait()
    graph["10"] = node("LoadImage", image="author.png")
    graph["5"] = node("VAEEncode", pixels=["10", 0], vae=["4", 2])
    graph["3"]["inputs"]["denoise"] = 0.5
    return graph


def found(graph: Graph, *, known: bool = True) -> Found:
    return find_bindings(graph, full_catalogue() if known else None)


def where(held: Found, role: Role) -> list[tuple[str, str]]:
    return [(target.node, target.input) for target in held.of(role).targets]


@pytest.mark.parametrize("known", [True, False], ids=["with the server", "by names alone"])
def test_a_common_workflow_binds_itself(known: bool) -> None:
    held = found(portrait(), known=known)
    assert {role: where(held, role) for role in Role} == {
        Role.IMAGE: [],
        Role.SEED: [("3", "seed")],
        Role.POSITIVE: [("6", "text")],
        Role.NEGATIVE: [("7", "text")],
        Role.OUTPUT: [("9", "")],
        Role.WIDTH: [("5", "width")],
        Role.HEIGHT: [("5", "height")],
        Role.DENOISE: [("3", "denoise")],
        Role.BATCH: [("5", "batch_size")],
    }
    assert held.asks == ()
    assert held.of(Role.POSITIVE).why == 'goes to "positive" of KSampler #3'
    assert held.bindings().output == "9"


def test_a_seed_knows_the_servers_limit() -> None:
    assert found(portrait()).of(Role.SEED).targets == (Target("3", "seed", 2**64 - 1),)


@pytest.mark.parametrize("known", [True, False])
def test_the_only_loader_before_the_sampler_takes_the_parent_image(known: bool) -> None:
    held = found(face_fix(), known=known)
    assert where(held, Role.IMAGE) == [("10", "image")]
    assert held.of(Role.IMAGE).sure is Sure.CERTAIN
    assert "pixels of VAEEncode" in held.of(Role.IMAGE).why
    assert where(held, Role.WIDTH) == []


def test_a_reference_picture_is_not_taken_for_the_parent() -> None:
    graph = face_fix()
    graph["11"] = node("LoadImage", image="pose.png")
    graph["12"] = node("ControlNetApplyAdvanced", positive=["6", 0], negative=["7", 0],
                       image=["11", 0], control_net=["13", 0], strength=1.0)  # fmt: skip
    graph["13"] = node("ControlNetLoader", control_net_name="c.safetensors")
    graph["3"]["inputs"] |= {"positive": ["12", 0], "negative": ["12", 1]}
    held = found(graph)
    assert where(held, Role.IMAGE) == [("10", "image")]
    assert [(c.target.node, c.why) for c in held.of(Role.IMAGE).choices] == [
        ("10", "its picture is what the workflow works on: pixels of VAEEncode"),
        ("11", "its picture serves as a reference: image of ControlNetApplyAdvanced"),
    ]
    assert (where(held, Role.POSITIVE), where(held, Role.NEGATIVE)) == (
        [("6", "text")],
        [("7", "text")],
    )


def test_a_mask_loader_is_not_taken_for_the_parent() -> None:
    graph = face_fix()
    graph["11"] = node("LoadImageMask", image="mask.png", channel="alpha")
    graph["12"] = node("SetLatentNoiseMask", samples=["5", 0], mask=["11", 0])
    graph["3"]["inputs"]["latent_image"] = ["12", 0]
    assert where(found(graph), Role.IMAGE) == [("10", "image")]


def test_two_loaders_of_one_kind_are_asked_about() -> None:
    graph = face_fix()
    graph["11"] = node("LoadImage", image="b.png")
    graph["12"] = node("ImageBatch", image1=["10", 0], image2=["11", 0])
    graph["5"]["inputs"]["pixels"] = ["12", 0]
    finding = found(graph).of(Role.IMAGE)
    assert finding.sure is Sure.ASK
    assert finding.targets == (Target("10", "image"),)
    assert len(finding.choices) == 2


def test_a_zeroed_negative_is_no_negative_prompt() -> None:
    graph = portrait()
    graph["7"] = node("ConditioningZeroOut", conditioning=["6", 0])
    finding = found(graph).of(Role.NEGATIVE)
    assert (finding.targets, finding.sure) == ((), Sure.CERTAIN)
    assert "zeroed" in finding.why


def test_one_text_for_both_sides_is_asked_about() -> None:
    graph = portrait()
    graph["3"]["inputs"]["negative"] = ["6", 0]
    held = found(graph)
    assert where(held, Role.POSITIVE) == [("6", "text")]
    assert held.of(Role.NEGATIVE).sure is Sure.ASK
    assert held.of(Role.NEGATIVE).targets == ()


def test_both_texts_of_an_sdxl_encoder_are_the_prompt() -> None:
    graph = portrait()
    graph["6"] = node("CLIPTextEncodeSDXL", text_g="a cat", text_l="a cat", clip=["4", 1],
                      width=1024, height=1024, crop_w=0, crop_h=0, target_width=1024,
                      target_height=1024)  # fmt: skip
    finding = found(graph).of(Role.POSITIVE)
    assert {t.input for t in finding.targets} == {"text_g", "text_l"}
    assert finding.sure is Sure.CERTAIN


def test_a_prompt_is_followed_to_the_text_it_is_linked_to() -> None:
    graph = portrait()
    graph["6"]["inputs"]["text"] = ["20", 0]
    graph["20"] = node("PrimitiveStringMultiline", value="a cat")
    held = found(graph)
    assert where(held, Role.POSITIVE) == [("20", "value")]
    assert held.of(Role.POSITIVE).sure is Sure.CERTAIN


def test_a_prompt_of_two_joined_texts_is_asked_about() -> None:
    graph = portrait()
    graph["6"]["inputs"]["text"] = ["20", 0]
    graph["20"] = node("StringConcatenate", string_a="a cat", string_b="sharp", delimiter=", ")
    assert found(graph).of(Role.POSITIVE).sure is Sure.ASK


def test_a_seed_from_a_shared_node_is_set_there_once() -> None:
    graph = portrait()
    graph["3"]["inputs"]["seed"] = ["20", 0]
    graph["20"] = node("PrimitiveInt", value=7)
    assert where(found(graph), Role.SEED) == [("20", "value")]


def test_a_guider_with_one_conditioning_gives_the_positive_prompt() -> None:
    graph = {
        "1": node("SamplerCustomAdvanced", noise=["2", 0], guider=["3", 0], sampler=["4", 0],
                  sigmas=["5", 0], latent_image=["6", 0]),
        "2": node("RandomNoise", noise_seed=9),
        "3": node("BasicGuider", model=["7", 0], conditioning=["8", 0]),
        "4": node("KSamplerSelect", sampler_name="euler"),
        "5": node("BasicScheduler", model=["7", 0], scheduler="simple", steps=20, denoise=1.0),
        "6": node("EmptySD3LatentImage", width=1024, height=1024, batch_size=1),
        "7": node("UNETLoader", unet_name="flux.safetensors", weight_dtype="default"),
        "8": node("FluxGuidance", conditioning=["9", 0], guidance=3.5),
        "9": node("CLIPTextEncode", text="a cat", clip=["10", 0]),
        "10": node("DualCLIPLoader", clip_name1="a", clip_name2="b", type="flux"),
        "11": node("VAEDecode", samples=["1", 0], vae=["12", 0]),
        "12": node("VAELoader", vae_name="ae.safetensors"),
        "13": node("SaveImage", images=["11", 0], filename_prefix="x"),
    }  # fmt: skip
    held = found(graph)
    assert where(held, Role.POSITIVE) == [("9", "text")]
    assert where(held, Role.NEGATIVE) == []
    assert where(held, Role.SEED) == [("2", "noise_seed")]
    assert where(held, Role.DENOISE) == [("5", "denoise")]


def test_a_result_wins_over_a_preview_and_two_results_are_asked_about() -> None:
    graph = portrait()
    graph["10"] = node("PreviewImage", images=["8", 0])
    assert where(found(graph), Role.OUTPUT) == [("9", "")]
    graph["11"] = node("ImageInvert", image=["8", 0])
    graph["12"] = node("SaveImage", images=["11", 0], filename_prefix="y")
    finding = found(graph).of(Role.OUTPUT)
    assert finding.sure is Sure.ASK
    assert finding.targets == (Target("12", ""),)
    assert [c.target.node for c in finding.choices] == ["12", "9", "10"]


def test_a_preview_alone_will_be_saved_instead() -> None:
    graph = portrait()
    graph["9"] = node("PreviewImage", images=["8", 0])
    finding = found(graph).of(Role.OUTPUT)
    assert (finding.targets, finding.sure) == ((Target("9", ""),), Sure.LIKELY)
    assert "SaveImage takes its place" in finding.why


def test_a_video_is_no_output() -> None:
    finding = found(as_graph(conversions()["text_to_video_wan.json"])).of(Role.OUTPUT)
    assert finding.targets == ()
    assert finding.why == "its output SaveVideo is not a still image"


def test_titles_settle_every_role() -> None:
    graph = face_fix()
    graph["11"] = node("LoadImage", "shortlist:image", image="b.png")
    graph["12"] = node("ImageBatch", image1=["10", 0], image2=["11", 0])
    graph["5"]["inputs"]["pixels"] = ["12", 0]
    graph["7"]["_meta"] = {"title": "my prompt Shortlist: positive"}
    graph["6"]["_meta"] = {"title": "shortlist:negative"}
    graph["20"] = node("PrimitiveInt", "shortlist:seed", value=7)
    graph["3"]["inputs"]["steps"] = ["20", 0]
    graph["10"]["_meta"] = {"title": "not marked"}
    graph["30"] = node("PreviewImage", "shortlist:output", images=["8", 0])
    held = found(graph)
    assert where(held, Role.IMAGE) == [("11", "image")]
    assert where(held, Role.POSITIVE) == [("7", "text")]
    assert where(held, Role.NEGATIVE) == [("6", "text")]
    assert where(held, Role.SEED) == [("20", "value")]
    assert where(held, Role.OUTPUT) == [("30", "")]
    marked = (Role.IMAGE, Role.POSITIVE, Role.NEGATIVE, Role.SEED, Role.OUTPUT)
    assert {held.of(role).sure for role in marked} == {Sure.CERTAIN}


def test_every_plain_input_can_be_a_run_variable() -> None:
    inputs = {(c.target.node, c.target.input): c.value for c in found(portrait()).inputs}
    assert inputs["3", "steps"] == 20
    assert inputs["4", "ckpt_name"] == "a.safetensors"
    assert ("3", "model") not in inputs


def test_nodes_that_the_output_does_not_use_are_passed_over() -> None:
    graph = portrait()
    graph["20"] = node("KSampler", **portrait()["3"]["inputs"] | {"seed": 77})
    assert where(found(graph), Role.SEED) == [("3", "seed")]


def test_bindings_are_stored_and_read_back() -> None:
    held = found(face_fix()).bindings()
    stored = held.to_json()
    assert Bindings.from_json(copy.deepcopy(stored)) == held
    assert stored["image"] == [{"node": "10", "input": "image"}]


@pytest.mark.parametrize("stored", [{"imgae": []}, {"seed": [{"node": "3"}]}, {"seed": ["3"]}])
def test_malformed_bindings_are_refused(stored: Any) -> None:
    with pytest.raises(WorkflowFault):
        Bindings.from_json(stored)


@pytest.mark.parametrize("name", sorted(conversions()))
def test_the_templates_bind_without_an_error_and_only_to_what_is_there(name: str) -> None:
    graph = as_graph(conversions()[name])
    for known in (True, False):
        held = found(graph, known=known)
        for finding in held.findings:
            for target in finding.targets:
                assert finding.role is Role.OUTPUT or target.input in graph[target.node]["inputs"]
                assert finding.why


STILLS = [name for name in sorted(conversions()) if name.startswith(("flux", "image", "sd", "hid"))]


@pytest.mark.parametrize("name", STILLS)
def test_image_templates_bind_their_prompt_and_result_without_asking(name: str) -> None:
    held = found(as_graph(conversions()[name]))
    asked = {finding.role for finding in held.asks} & {Role.POSITIVE, Role.SEED}
    assert asked == set()
    assert held.of(Role.OUTPUT).targets
