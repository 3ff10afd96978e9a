from __future__ import annotations

import hashlib
import json
from collections import Counter
from importlib.resources import files
from itertools import pairwise
from typing import Any

import pytest

from comfy.recorded import conversions, full_catalogue, small_catalogue
from shortlist.comfy.catalogue import Catalogue
from shortlist.comfy.faults import WorkflowFault
from shortlist.comfy.graph import Graph, as_graph, link_of
from shortlist.comfy.workflow import Form, Imported, parse

TEMPLATES = files("comfyui_workflow_templates_json") / "templates"
NAMES = sorted(item.name for item in TEMPLATES.iterdir() if item.name.endswith(".json"))

# Newer frontends give clashing ids of subgraph nodes new numbers when they load a file.
RENUMBERED = {"templates-photo_to_product_vid.json", "video_wan2_2_14B_s2v.json"}
# The frontend read the promoted fields of these in the wrong order: a sampler named 5, a seed of 8.
MISREAD = {"3d_hunyuan3d-v2.1.json": "19:7", "3d_hunyuan3d_image_to_model.json": "91:3"}
# The frontend lets nodes of a bypassed subgraph through that nothing reads.
LEAKED = {
    "flux1_dev_uso_reference_image_gen.json": {
        "112:55:117", "112:55:118", "112:56:119", "112:56:120",
    }
}  # fmt: skip


def text_of(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8")


def converted(name: str) -> Graph:
    return parse(text_of(name), full_catalogue()).graph


def plain(graph: Graph, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Types and inputs, without the pictures that the frontend draws on 3D savers."""
    return {
        node_id: (node["class_type"], {name: value for name, value in node["inputs"].items()
                  if (node["class_type"], name) != ("SaveGLB", "image")})
        for node_id, node in graph.items() if node_id not in without
    }  # fmt: skip


def shape(graph: Graph) -> Counter[str]:
    """The graph without its ids: each node as its type, its values and all that feeds it."""
    known: dict[str, str] = {}

    def told(node_id: str) -> str:
        if node_id not in known:
            node = graph[node_id]
            held = {}
            for name, value in node["inputs"].items():
                link = link_of(value)
                held[name] = f"{told(link.node)}/{link.slot}" if link else json.dumps(value)
            said = f"{node['class_type']}{sorted(held.items())}"
            known[node_id] = hashlib.sha256(said.encode()).hexdigest()
        return known[node_id]

    return Counter(told(node_id) for node_id in graph)


@pytest.mark.parametrize("name", sorted(set(conversions()) - RENUMBERED - set(MISREAD)))
def test_a_template_becomes_what_the_frontend_makes_of_it(name: str) -> None:
    leaked = frozenset(LEAKED.get(name, ()))
    expected = plain(as_graph(conversions()[name]), without=leaked)
    assert plain(converted(name)) == expected


@pytest.mark.parametrize("name", sorted(RENUMBERED))
def test_a_template_becomes_the_same_graph_under_other_ids(name: str) -> None:
    assert shape(converted(name)) == shape(as_graph(conversions()[name]))


@pytest.mark.parametrize(("name", "sampler"), MISREAD.items())
def test_promoted_fields_go_where_they_belong(name: str, sampler: str) -> None:
    expected, made = as_graph(conversions()[name]), converted(name)
    assert {i: n["class_type"] for i, n in made.items()} == {
        i: n["class_type"] for i, n in expected.items()
    }
    inputs = made[sampler]["inputs"]
    assert (inputs["sampler_name"], inputs["scheduler"]) == ("euler", "normal")
    assert isinstance(inputs["steps"], int)


def test_the_templates_are_all_there() -> None:
    assert len(NAMES) > 600


def outcome(name: str) -> Imported | WorkflowFault:
    try:
        return parse(text_of(name), full_catalogue())
    except WorkflowFault as fault:
        return fault


@pytest.mark.parametrize("start", range(0, len(NAMES), 100))
def test_every_template_is_converted_or_refused_with_its_reasons(start: int) -> None:
    for name in NAMES[start : start + 100]:
        made = outcome(name)
        if isinstance(made, Imported):
            assert made.form is Form.EDITOR
            assert all(node["class_type"] in full_catalogue() for node in made.graph.values())
        else:
            assert made.sentence.endswith("."), name
            assert made.items or "no ComfyUI workflow" in made.sentence, name


def test_a_good_part_of_the_templates_runs_on_a_server_of_a_year_ago() -> None:
    done = [name for name in NAMES if isinstance(outcome(name), Imported)]
    assert len(done) >= 120


# A small workflow of our own, to bend as the tests need.


def node(node_id: int, kind: str, **more: Any) -> dict[str, Any]:
    return {"id": node_id, "type": kind, "mode": 0, "inputs": [], "outputs": [], **more}


def slot(name: str, kind: str, link: int | None, *, widget: bool = False) -> dict[str, Any]:
    held: dict[str, Any] = {"name": name, "type": kind, "link": link}
    return {**held, "widget": {"name": name}} if widget else held


IMAGE_OUT = [{"name": "IMAGE", "type": "IMAGE"}]


def chain(*middle: dict[str, Any], links: list[Any] | None = None) -> dict[str, Any]:
    """EmptyImage 1 through the middle nodes to SaveImage 9, linked 1, 2, … in order."""
    first = node(1, "EmptyImage", widgets_values=[64, 64, 1, 12], outputs=IMAGE_OUT)
    last = node(9, "SaveImage", inputs=[slot("images", "IMAGE", len(middle) + 1)],
                widgets_values=["x"], title="Result")  # fmt: skip
    nodes = [first, *middle, last]
    made = [
        [index + 1, one["id"], 0, two["id"], 0, "IMAGE"]
        for index, (one, two) in enumerate(pairwise(nodes))
    ]
    return {"nodes": nodes, "links": made + (links or []), "version": 0.4}


def graph_of(document: dict[str, Any], catalogue: Catalogue | None = None) -> Graph:
    return parse(json.dumps(document), catalogue or full_catalogue()).graph


def invert(**more: Any) -> dict[str, Any]:
    held = {"inputs": [slot("image", "IMAGE", 1)], "outputs": IMAGE_OUT, **more}
    return node(2, "ImageInvert", **held)


def test_a_plain_chain_is_converted_with_its_titles() -> None:
    graph = graph_of(chain(invert(title="Negative")))
    assert graph["1"]["inputs"] == {"width": 64, "height": 64, "batch_size": 1, "color": 12}
    assert graph["2"] == {
        "class_type": "ImageInvert", "inputs": {"image": ["1", 0]}, "_meta": {"title": "Negative"},
    }  # fmt: skip
    assert graph["9"]["inputs"] == {"images": ["2", 0], "filename_prefix": "x"}


def test_links_and_nodes_of_version_1_are_read() -> None:
    document = chain(invert())
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    document["links"] = [dict(zip(keys, link, strict=True)) for link in document["links"]]
    document["version"] = 1
    assert graph_of(document) == graph_of(chain(invert()))


def test_a_bypassed_node_hands_its_input_on() -> None:
    graph = graph_of(chain(invert(mode=4)))
    assert "2" not in graph
    assert graph["9"]["inputs"]["images"] == ["1", 0]


def test_a_bypassed_node_hands_on_the_first_input_of_a_fitting_type() -> None:
    inputs = [slot("model", "MODEL", None), slot("image", "IMAGE", 1)]
    middle = node(2, "ImageInvert", mode=4, inputs=inputs, outputs=IMAGE_OUT)
    assert graph_of(chain(middle))["9"]["inputs"]["images"] == ["1", 0]


def test_a_bypassed_node_with_no_fitting_input_leaves_its_user_without() -> None:
    inputs = [slot("mask", "MASK", 1)]
    middle = node(2, "MaskToImage", mode=4, inputs=inputs, outputs=IMAGE_OUT)
    with pytest.raises(WorkflowFault, match="its input images leads to"):
        graph_of(chain(middle))


def test_a_muted_node_that_a_result_needs_is_refused_by_name() -> None:
    with pytest.raises(WorkflowFault) as caught:
        graph_of(chain(invert(mode=2)))
    assert caught.value.items == (
        '"Result" (SaveImage) #9: its input images leads to a muted or missing node; unmute that'
        " or bypass this one.",
    )


def test_reroutes_are_looked_through_and_notes_dropped() -> None:
    middle = node(2, "Reroute", inputs=[slot("", "*", 1)], outputs=[{"type": "IMAGE"}])
    document = chain(middle)
    document["nodes"].append(node(30, "MarkdownNote", widgets_values=["hello"]))
    graph = graph_of(document)
    assert sorted(graph) == ["1", "9"]
    assert graph["9"]["inputs"]["images"] == ["1", 0]


def test_a_primitive_gives_its_value() -> None:
    document = chain(links=[[7, 20, 0, 1, 0, "INT"]])
    document["nodes"][0]["inputs"] = [slot("width", "INT", 7, widget=True)]
    document["nodes"].append(node(20, "PrimitiveNode", widgets_values=[512, "fixed"]))
    graph = graph_of(document)
    assert graph["1"]["inputs"]["width"] == 512
    assert "20" not in graph


SAMPLER = {"seed": 5, "steps": 20, "cfg": 8, "sampler_name": "euler", "scheduler": "normal",
           "denoise": 1}  # fmt: skip


def sampled(**more: Any) -> dict[str, Any]:
    """The chain with a KSampler and a VAEDecode before the SaveImage; its inputs are not linked."""
    sampler = node(3, "KSampler", outputs=[{"name": "LATENT", "type": "LATENT"}], **more)
    wanted = [("model", "MODEL", 11), ("positive", "CONDITIONING", 12),
              ("negative", "CONDITIONING", 12), ("latent_image", "LATENT", 13)]  # fmt: skip
    sampler["inputs"] = [slot(name, kind, link) for name, kind, link in wanted]
    nodes = [
        node(4, "CheckpointLoaderSimple", widgets_values=["a.safetensors"]),
        node(5, "CLIPTextEncode", inputs=[slot("clip", "CLIP", 14)], widgets_values=["a cat"]),
        node(6, "EmptyLatentImage", widgets_values=[512, 512, 1]),
        sampler,
        node(7, "VAEDecode", inputs=[slot("samples", "LATENT", 15), slot("vae", "VAE", 16)]),
        node(9, "SaveImage", inputs=[slot("images", "IMAGE", 17)], widgets_values=["x"]),
    ]
    ends = {11: (4, 0, 3), 12: (5, 0, 3), 13: (6, 0, 3), 14: (4, 1, 5), 15: (3, 0, 7),
            16: (4, 2, 7), 17: (7, 0, 9)}  # fmt: skip
    links = [[i, origin, out, target, 0, "*"] for i, (origin, out, target) in ends.items()]
    return {"nodes": nodes, "links": links}


def sampler_of(document: dict[str, Any]) -> dict[str, Any]:
    inputs = graph_of(document)["3"]["inputs"]
    return {name: inputs[name] for name in SAMPLER}


@pytest.mark.parametrize(
    "saved",
    [
        {"widgets_values": [5, "randomize", 20, 8, "euler", "normal", 1]},
        {"widgets_values": [5, "fixed", 20, 8, "euler", "normal", 1]},
        {"widgets_values": [5, 20, 8, "euler", "normal", 1]},
        {"widgets_values": SAMPLER},
        {"widgets_values": [0], "widgets_values_named": {**SAMPLER, "control_after_generate": "x"}},
        {"widgets_values": [5, "fixed", 20, 8, "euler", "normal", 1],
         "widgets_values_named": {**SAMPLER, "steps": "euler"}},
    ],
    ids=["after run", "fixed", "none", "as an object", "named", "named but shifted"],
)  # fmt: skip
def test_saved_values_are_read_in_each_of_their_forms(saved: dict[str, Any]) -> None:
    assert sampler_of(sampled(**saved)) == SAMPLER


def test_values_that_are_not_saved_take_the_servers_defaults() -> None:
    assert sampler_of(sampled(widgets_values=[5, "fixed"])) == {
        "seed": 5, "steps": 20, "cfg": 8.0, "sampler_name": "euler", "scheduler": "simple",
        "denoise": 1.0,
    }  # fmt: skip


def test_values_that_can_not_be_this_nodes_are_refused() -> None:
    with pytest.raises(WorkflowFault, match="do not fit this server's version") as caught:
        graph_of(sampled(widgets_values=[5, "fixed", "euler", 8, 20, "normal", 1]))
    assert caught.value.items[0].startswith('"KSampler" #3: its saved values do not fit')


def test_a_list_is_wrapped_so_that_it_is_no_link() -> None:
    raw = {"Pick": {"input": {"required": {"sizes": ["COMBO", {"options": [1, 2]}]}},
                    "output": ["IMAGE"], "output_node": True}}  # fmt: skip
    document = {"nodes": [node(1, "Pick", widgets_values=[["1", 2]])], "links": []}
    graph = graph_of(document, Catalogue(raw))
    assert graph["1"]["inputs"]["sizes"] == {"__value__": ["1", 2]}


RESIZE = {
    "input": {
        "required": {
            "image": ["IMAGE", {}],
            "resize_type": ["COMFY_DYNAMICCOMBO_V3", {"options": [
                {"key": "by factor", "inputs": {"required": {"factor": ["FLOAT", {"default": 2}]}}},
                {"key": "longer side", "inputs": {"required": {"size": ["INT", {"default": 512}]},
                                                  "optional": {"crop": ["BOOLEAN", {}]}}},
            ]}],
            "method": [["area", "lanczos"], {}],
        }
    },
    "output": ["IMAGE"],
}  # fmt: skip


@pytest.mark.parametrize(
    "saved",
    [
        {"widgets_values": ["longer side", 2048, True, "lanczos"]},
        {"widgets_values_named": {
            "resize_type": "longer side", "resize_type.size": 2048, "resize_type.crop": True,
            "method": "lanczos",
        }},
    ],
)  # fmt: skip
def test_the_fields_of_a_dynamic_choice_follow_it(saved: dict[str, Any]) -> None:
    catalogue = Catalogue({**small_catalogue().raw, "Resize": RESIZE})
    middle = invert(type="Resize", **saved)
    assert graph_of(chain(middle), catalogue)["2"]["inputs"] == {
        "image": ["1", 0],
        "resize_type": "longer side",
        "resize_type.size": 2048,
        "resize_type.crop": True,
        "method": "lanczos",
    }


def test_the_inputs_of_a_growing_group_keep_their_dotted_names() -> None:
    raw = {"input": {"required": {"images": ["COMFY_AUTOGROW_V3", {"template": {}}]}},
           "output": ["IMAGE"]}  # fmt: skip
    catalogue = Catalogue({**small_catalogue().raw, "Gather": raw})
    inputs = [slot("images.image0", "IMAGE", 1), slot("images.image1", "IMAGE", None)]
    graph = graph_of(chain(invert(type="Gather", inputs=inputs)), catalogue)
    assert graph["2"]["inputs"] == {"images.image0": ["1", 0]}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("workflow>My group", "a group node; right-click it and choose Convert to nodes"),
        ("GetNode", "links nodes without drawn links"),
        ("FancyNode", "this server does not have the node type FancyNode (pack fancy-pack)"),
    ],
)
def test_what_only_the_editor_can_resolve_is_refused_by_name(kind: str, words: str) -> None:
    middle = invert(type=kind, title="Mine", properties={"cnr_id": "fancy-pack"})
    with pytest.raises(WorkflowFault) as caught:
        graph_of(chain(middle))
    (item,) = caught.value.items
    assert item.startswith(f'"Mine" ({kind}) #2: ')
    assert words in item


def test_every_node_in_the_way_is_named() -> None:
    document = chain(invert(type="A"))
    document["nodes"].append(
        node(10, "SaveB", inputs=[slot("x", "IMAGE", 1)], title="second result")
    )
    with pytest.raises(WorkflowFault) as caught:
        graph_of(document)
    assert len(caught.value.items) == 2
    assert caught.value.sentence.startswith("2 nodes stand in the way")


def test_a_comparison_that_the_server_lacks_is_left_out_with_a_note() -> None:
    document = chain(invert())
    document["nodes"].append(node(10, "Image Compare", inputs=[slot("a", "IMAGE", 1)]))
    made = parse(json.dumps(document), full_catalogue())
    assert sorted(made.graph) == ["1", "2", "9"]
    assert made.notes == (
        'Left out: "Image Compare" #10: this server does not have the node type Image Compare;'
        " install it there.",
    )


def subgraph(*, given: list[Any], proxies: list[Any] | None = None, mode: int = 0) -> Any:
    """The chain with ImageScaleBy inside a subgraph, its factor promoted."""
    inner = node(5, "ImageScaleBy", outputs=IMAGE_OUT, widgets_values=["area", 2.0])
    inner["inputs"] = [slot("image", "IMAGE", 1), slot("scale_by", "FLOAT", 2, widget=True)]
    link = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    sheet = {
        "id": "aaaa-bbbb",
        "name": "Bigger",
        "inputs": [{"name": "image", "type": "IMAGE"}, {"name": "factor", "type": "FLOAT"}],
        "outputs": [{"name": "IMAGE", "type": "IMAGE"}],
        "nodes": [inner],
        "links": [
            dict(zip(link, ends, strict=True))
            for ends in ((1, -10, 0, 5, 0), (2, -10, 1, 5, 1), (3, 5, 0, -20, 0))
        ],
    }
    properties = {"proxyWidgets": proxies} if proxies else {}
    document = chain(invert(type="aaaa-bbbb", widgets_values=given, properties=properties,
                            mode=mode))  # fmt: skip
    return {**document, "definitions": {"subgraphs": [sheet]}}


@pytest.mark.parametrize(
    ("given", "proxies", "factor"),
    [([3.5], None, 3.5), ([], None, 2.0), ([4.0], [["5", "scale_by"]], 4.0),
     ([1.5], [["-1", "factor"]], 1.5), ([], [["5", "scale_by"]], 2.0)],
)  # fmt: skip
def test_a_subgraphs_own_value_wins_over_the_inner_one(
    given: list[Any], proxies: list[Any] | None, factor: float
) -> None:
    graph = graph_of(subgraph(given=given, proxies=proxies))
    assert graph["2:5"]["inputs"] == {
        "image": ["1", 0], "upscale_method": "area", "scale_by": factor,
    }  # fmt: skip
    assert graph["9"]["inputs"]["images"] == ["2:5", 0]


def test_a_bypassed_subgraph_hands_its_input_on_and_leaks_nothing() -> None:
    graph = graph_of(subgraph(given=[], mode=4))
    assert sorted(graph) == ["1", "9"]
    assert graph["9"]["inputs"]["images"] == ["1", 0]


def test_values_that_match_no_field_of_the_subgraph_are_refused() -> None:
    with pytest.raises(WorkflowFault, match="do not match the fields of its subgraph"):
        graph_of(subgraph(given=[1, 2, 3]))


def test_a_subgraph_that_holds_itself_is_refused() -> None:
    document = subgraph(given=[])
    document["definitions"]["subgraphs"][0]["nodes"].append(node(6, "aaaa-bbbb"))
    with pytest.raises(WorkflowFault, match="nested without end"):
        graph_of(document)


def test_reroutes_in_a_circle_are_refused() -> None:
    middle = node(2, "Reroute", inputs=[slot("", "*", 8)], outputs=[{"type": "*"}])
    with pytest.raises(WorkflowFault, match="circle"):
        graph_of(chain(middle, links=[[8, 2, 0, 2, 0, "*"]]))
