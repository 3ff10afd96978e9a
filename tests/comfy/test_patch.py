from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy.recorded import full_catalogue, graph_of
from comfy.test_bindings import face_fix, node, portrait
from shortlist.comfy.faults import WorkflowFault
from shortlist.comfy.graph import Graph
from shortlist.comfy.patch import derived_seeds
from shortlist.comfy.workflow import (
    SEED_TOP,
    Bindings,
    Role,
    Target,
    Values,
    find_bindings,
    patch,
)

OURS = f"shortlist/{'ab' * 32}.png"
PREFIX = "shortlist/202611/0b5c7c1e-9b1f-4b57-8c43-1f1a7f3f2a11/s"


def bound(graph: Graph) -> Bindings:
    return find_bindings(graph, full_catalogue()).bindings()


def made(graph: Graph, **values: Any) -> Graph:
    return patch(graph, bound(graph), Values(prefix=PREFIX, **values))


def test_a_job_changes_what_it_sets_and_nothing_else() -> None:
    graph = portrait()
    expected = copy.deepcopy(graph)
    expected["3"]["inputs"] |= {"seed": 42, "denoise": 0.6}
    expected["6"]["inputs"]["text"] = "a dog"
    expected["7"]["inputs"]["text"] = "blurry"
    expected["5"]["inputs"] |= {"width": 832, "height": 1216, "batch_size": 1}
    expected["9"]["inputs"]["filename_prefix"] = PREFIX
    before = copy.deepcopy(graph)
    job = made(graph, seed=42, positive="a dog", negative="blurry", width=832, height=1216,
               denoise=0.6, batch=1)  # fmt: skip
    assert job == expected
    assert graph == before


def test_what_a_job_leaves_out_stays_as_the_workflow_has_it() -> None:
    graph = portrait()
    graph["9"]["inputs"]["filename_prefix"] = "%date:yyyy-MM-dd%/x"
    expected = portrait()
    expected["9"]["inputs"]["filename_prefix"] = PREFIX
    assert made(graph) == expected


def test_the_parent_image_takes_the_place_of_the_authors_file() -> None:
    assert made(face_fix(), image=OURS)["10"]["inputs"]["image"] == OURS


def test_a_file_of_the_author_is_never_sent() -> None:
    with pytest.raises(WorkflowFault, match="loads 'author"):
        made(face_fix())


def test_other_results_and_leftovers_are_not_sent() -> None:
    graph = portrait()
    graph["20"] = node("PreviewImage", images=["8", 0])
    graph["21"] = node("LoadImage", image="leftover.png")
    graph["22"] = node("SaveImage", images=["21", 0], filename_prefix="y")
    graph["9"]["_meta"] = {"title": "shortlist:output"}
    assert sorted(made(graph), key=int) == ["3", "4", "5", "6", "7", "8", "9"]


@pytest.mark.parametrize(
    "output",
    [
        node("PreviewImage", "My result", images=["8", 0]),
        node("SaveImageWebsocket", "My result", images=["8", 0]),
        node("Image Save", "My result", images=["8", 0], output_path="/home/you/x", quality=90),
        node("Image Comparer", "My result", image_a=["8", 0], image_b=["30", 0]),
    ],
    ids=lambda held: held["class_type"],
)
def test_an_output_that_keeps_no_file_of_ours_becomes_a_saver(output: Any) -> None:
    graph = portrait()
    graph["9"] = output
    graph["30"] = node("LoadImage", image="before.png")
    job = patch(graph, Bindings("9", {}), Values(prefix=PREFIX))
    assert job["9"] == {
        "class_type": "SaveImage",
        "inputs": {"images": ["8", 0], "filename_prefix": PREFIX},
        "_meta": {"title": "My result"},
    }
    assert "30" not in job


def test_a_newer_core_saver_keeps_its_format() -> None:
    graph = portrait()
    graph["9"] = node("SaveImageAdvanced", images=["8", 0], filename_prefix="x", format="png")
    job = patch(graph, Bindings("9", {}), Values(prefix=PREFIX))
    assert job["9"]["inputs"] == {"images": ["8", 0], "filename_prefix": PREFIX, "format": "png"}


@pytest.mark.parametrize(
    "loader",
    [
        node("ETN_LoadImageBase64", image="iVBORw0KGgo="),
        node("VHS_LoadImagePath", image="input/a.png", custom_width=0),
        node("LoadImageOutput", image="a.png [output]"),
        node("LoadImageFromUrl", image="http://example.com/a.png"),
    ],
    ids=lambda held: held["class_type"],
)
def test_a_loader_of_another_kind_becomes_load_image(loader: Any) -> None:
    graph = face_fix()
    graph["10"] = loader
    job = made(graph, image=OURS)
    assert job["10"] == {"class_type": "LoadImage", "inputs": {"image": OURS}}


def test_a_run_variable_reaches_its_input() -> None:
    graph = portrait()
    held = bound(graph)
    bindings = Bindings(held.output, held.targets, {"steps": Target("3", "steps")})
    job = patch(graph, bindings, Values(prefix=PREFIX, variables={"steps": 33}))
    assert job["3"]["inputs"]["steps"] == 33
    with pytest.raises(WorkflowFault, match="no variable 'cfg'"):
        patch(graph, bindings, Values(prefix=PREFIX, variables={"cfg": 33}))


def test_a_second_picture_can_be_given_as_a_variable() -> None:
    graph = face_fix()
    graph["11"] = node("LoadImage", image="style.png")
    graph["12"] = node("ImageBatch", image1=["10", 0], image2=["11", 0])
    graph["5"]["inputs"]["pixels"] = ["12", 0]
    bindings = Bindings("9", {Role.IMAGE: (Target("10", "image"),)},
                        {"style": Target("11", "image")})  # fmt: skip
    values = Values(prefix=PREFIX, image=OURS, variables={"style": OURS})
    assert patch(graph, bindings, values)["11"]["inputs"]["image"] == OURS
    with pytest.raises(WorkflowFault, match="loads 'style"):
        patch(graph, bindings, Values(prefix=PREFIX, image=OURS))


@pytest.mark.parametrize(
    "name",
    [
        "../x.png", "/etc/passwd", "C:\\x.png", "..\\..\\x.png", "sub/x.png", "x.png [output]",
        f"{OURS} [output]", f"{OURS} [temp]", f"../{OURS}", "shortlist/x.png", "", "\\\\host\\x",
        "shortlist\\" + "ab" * 32 + ".png", OURS + ".svg",
    ],
)  # fmt: skip
def test_no_other_file_name_reaches_a_loader(name: str) -> None:
    with pytest.raises(WorkflowFault, match="LoadImage") as caught:
        made(face_fix(), image=name)
    assert '"LoadImage" #10' in caught.value.sentence


@pytest.mark.parametrize(
    ("class_type", "name", "value"),
    [
        ("LoadTextFile", "file", "/etc/passwd"),
        ("LoadTextFile", "file", "C:\\Users\\x.txt"),
        ("LoadTextFile", "file", "../../x.txt"),
        ("LoadTextFile", "file", "\\\\host\\share"),
        ("LoadTextFile", "file", "~/.ssh/id_rsa"),
        ("LoadTextFile", "file", "file:///etc/passwd"),
        ("LoraLoaderFromPath", "lora", "models/../../x.safetensors"),
        ("LoadAudio", "audio", "song.mp3"),
        ("My Picture Loader", "picture", "holiday photo.jpg"),
        ("FolderReader", "folder", "/srv/pictures"),
    ],
)
def test_a_path_in_any_node_is_refused_with_its_title(
    class_type: str, name: str, value: str
) -> None:
    graph = portrait()
    graph["40"] = node(class_type, "Sneaky", **{name: value})
    graph["6"]["inputs"]["clip"] = ["40", 0]
    with pytest.raises(WorkflowFault) as caught:
        made(graph)
    assert caught.value.sentence.startswith(f'"Sneaky" ({class_type}) #40: {name} ')


@pytest.mark.parametrize(
    "text",
    [
        "a (cat \\(animal\\):1.2), best quality", "/imagine a cat by the sea", "and so on..",
        "either/or", "line one\n/etc/passwd", "a cat, 50mm f/1.8", "masterpiece.png style cat",
        "1:1 portrait", "embedding:bad\\hands", "C: a plan", "",
    ],
)  # fmt: skip
def test_a_prompt_may_hold_what_prompts_hold(text: str) -> None:
    assert made(portrait(), positive=text)["6"]["inputs"]["text"] == text


@pytest.mark.parametrize("model", ["SDXL\\a.safetensors", "sub/b.ckpt", "a v2.1.safetensors"])
def test_a_model_in_a_folder_is_no_path_out(model: str) -> None:
    graph = portrait()
    graph["4"]["inputs"]["ckpt_name"] = model
    assert made(graph)["4"]["inputs"]["ckpt_name"] == model


def test_a_file_name_from_another_node_is_refused() -> None:
    graph = face_fix()
    graph["10"]["inputs"]["image"] = ["41", 0]
    graph["41"] = node("PrimitiveString", value="x")
    bindings = Bindings("9", {})
    with pytest.raises(WorkflowFault, match="takes a file name from another node"):
        patch(graph, bindings, Values(prefix=PREFIX))


@pytest.mark.parametrize("prefix", ["", "/x", "a//b", "../x", "a b", "%date%", "x\n", "a\\b"])
def test_a_prefix_that_is_no_plain_path_is_refused(prefix: str) -> None:
    with pytest.raises(WorkflowFault, match="prefix"):
        patch(portrait(), bound(portrait()), Values(prefix=prefix))


@pytest.mark.parametrize(
    "bindings",
    [
        Bindings("", {}),
        Bindings("77", {}),
        Bindings("9", {Role.SEED: (Target("77", "seed"),)}),
        Bindings("9", {Role.SEED: (Target("3", "sede"),)}),
        Bindings("9", {}, {"x": Target("3", "nothing")}),
        Bindings("4", {}),
    ],
)
def test_bindings_that_lead_nowhere_are_refused(bindings: Bindings) -> None:
    with pytest.raises(WorkflowFault):
        patch(portrait(), bindings, Values(prefix=PREFIX, seed=1))


def two_samplers(first: int, second: int) -> tuple[Graph, tuple[Target, ...]]:
    graph = portrait()
    graph["3"]["inputs"]["seed"] = first
    graph["30"] = node("KSampler", **portrait()["3"]["inputs"] | {"latent_image": ["3", 0],
                                                                 "seed": second})  # fmt: skip
    graph["8"]["inputs"]["samples"] = ["30", 0]
    return graph, bound(graph).of(Role.SEED)


def test_one_seed_is_the_jobs_own() -> None:
    assert made(portrait(), seed=123)["3"]["inputs"]["seed"] == 123


def test_seeds_that_were_equal_stay_equal() -> None:
    graph, _ = two_samplers(5, 5)
    job = made(graph, seed=123)
    assert (job["3"]["inputs"]["seed"], job["30"]["inputs"]["seed"]) == (123, 123)


def test_seeds_that_differed_are_derived_and_differ() -> None:
    graph, targets = two_samplers(5, 6)
    one, again, other = (list(derived_seeds(graph, targets, n).values()) for n in (123, 123, 124))
    assert one == again
    assert len({*one, *other}) == 4


@given(st.integers(0, 2**64), st.sampled_from([None, 2**32 - 1, 2**64 - 1, 2147483647, 0]))
def test_a_seed_stays_within_a_browser_and_the_server(seed: int, top: int | None) -> None:
    targets = (Target("3", "seed", top), Target("30", "seed", top))
    for pair in ((5, 5), (5, 6)):
        graph, _ = two_samplers(*pair)
        for made_seed in derived_seeds(graph, targets, seed).values():
            assert 0 <= made_seed <= min(SEED_TOP, SEED_TOP if top is None else top)


def test_a_recorded_graph_is_sent_as_it_was_but_for_its_prefix() -> None:
    graph = graph_of("success")
    expected = copy.deepcopy(graph)
    expected["9"]["inputs"]["filename_prefix"] = PREFIX
    assert patch(graph, Bindings("9", {}), Values(prefix=PREFIX)) == expected
