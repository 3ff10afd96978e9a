"""The Pipelines screen in a real browser: import, correction, check and test run."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import uuid4

import httpx2
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from e2e.demo import FINISHED
from e2e.gated import WORKFLOWS

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from e2e.demo import Hub, Json

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
SIZES = {"desk": {"width": 1280, "height": 720}, "phone": {"width": 390, "height": 844}}
# Of the editor's format, with a node type that nobody has on the way to the result.
STRANGE = {
    "version": 0.4,
    "links": [[1, 7, 0, 9, 0, "IMAGE"]],
    "nodes": [
        {
            "id": 7,
            "type": "NoSuchNode",
            "title": "My odd node",
            "mode": 0,
            "inputs": [],
            "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [1]}],
        },
        {
            "id": 9,
            "type": "SaveImage",
            "mode": 0,
            "inputs": [{"name": "images", "type": "IMAGE", "link": 1}],
            "outputs": [],
            "widgets_values": ["ComfyUI"],
        },
    ],
}
DROP = """([name, text]) => {
  const files = new DataTransfer();
  files.items.add(new File([text], name, { type: "application/json" }));
  const event = new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true });
  document.querySelector("main [role=region]").dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def hub(idle: tuple[Hub, Path]) -> Hub:
    return idle[0]


def workflow(name: str) -> str:
    return (WORKFLOWS / f"{name}.json").read_text("utf-8")


def picture_made_with(name: str) -> bytes:
    """A picture as ComfyUI saves it: the workflow that made it is inside."""
    inside = PngInfo()
    inside.add_text("prompt", workflow(name))
    data = io.BytesIO()
    Image.new("RGB", (64, 96), (90, 120, 160)).save(data, "PNG", pnginfo=inside)
    return data.getvalue()


def made_pipeline(hub: Hub) -> Json:
    """One of two steps: base images, then their hands."""
    files = {"Base": "base", "Hand Fix": "hand-fix"}
    steps = [
        {"name": name, "workflow": json.loads(workflow(file)), "gate": "auto"}
        for name, file in files.items()
    ]
    return hub.post("/pipelines", {"name": f"Two steps {uuid4()}", "steps": steps})


def steps_of(pipeline: Json) -> list[Json]:
    return cast("list[Json]", pipeline["steps"])


def at(hub: Hub, pipeline: Json, *, step: int) -> str:
    return f"{hub.url}/#/pipelines/{pipeline['id']}?step={step}"


def newest(hub: Hub, name: object) -> Json:
    found = cast("list[Json]", hub.get("/pipelines"))
    return next(each for each in found if each["name"] == name and each["newest"])


def test_a_dropped_file_and_a_picture_become_the_steps_of_a_pipeline(hub: Hub, page: Page) -> None:
    page.goto(f"{hub.url}/#/pipelines")
    page.get_by_role("heading", name="Import workflows").wait_for()
    page.evaluate(DROP, ["01_first-look.json", workflow("base")])
    page.get_by_role("button", name="Remove First look").wait_for()
    picture = {
        "name": "hands.png",
        "mimeType": "image/png",
        "buffer": picture_made_with("hand-fix"),
    }
    page.locator("input[type=file]").set_input_files([picture])
    page.get_by_role("button", name="Remove Hands").wait_for()
    page.get_by_text("picture made by ComfyUI").wait_for()
    name = f"From files {uuid4()}"
    page.get_by_label("Name of the pipeline").fill(name)
    page.get_by_role("button", name="Save the pipeline").click()
    page.get_by_role("heading", name=name).wait_for()
    assert [step["name"] for step in steps_of(newest(hub, name))] == ["First look", "Hands"]


def test_a_workflow_saved_in_the_servers_editor_becomes_a_step(hub: Hub, page: Page) -> None:
    (server,) = cast("list[Json]", hub.get("/backends"))
    path = f"{server['url']}/api/userdata/workflows%2Fportraits%2Ffix%20hands.json"
    assert httpx2.post(path, content=workflow("hand-fix")).is_success
    page.goto(f"{hub.url}/#/pipelines")
    page.get_by_text("Saved in ComfyUI's editor").click()
    page.get_by_role("button", name="portraits/fix hands").click()
    page.get_by_role("button", name="Remove Fix hands").wait_for()


def test_pasted_text_becomes_a_step_and_steps_can_change_places(hub: Hub, page: Page) -> None:
    page.goto(f"{hub.url}/#/pipelines?make=1")
    for name, file in (("Second", "hand-fix"), ("First", "base")):
        page.get_by_label("Text of a workflow").fill(workflow(file))
        page.get_by_role("button", name="Read it").click()
        page.get_by_role("button", name="Remove Pasted step").wait_for()
        page.get_by_label("Name of the step").last.fill(name)
    page.get_by_role("button", name="Move First up").click()
    named = page.get_by_label("Name of the step")
    assert [named.nth(place).input_value() for place in (0, 1)] == ["First", "Second"]
    page.get_by_title("Drag to another place").last.drag_to(named.first)
    assert [named.nth(place).input_value() for place in (0, 1)] == ["Second", "First"]


def test_what_cant_be_imported_is_named_node_by_node_with_a_way_out(hub: Hub, page: Page) -> None:
    page.goto(f"{hub.url}/#/pipelines")
    page.get_by_role("heading", name="Import workflows").wait_for()
    page.evaluate(DROP, ["odd.json", json.dumps(STRANGE)])
    told = page.get_by_role("alert").filter(has_text="odd.json can't be imported")
    told.get_by_text("NoSuchNode").first.wait_for()
    told.get_by_text("Choose Export (API)").wait_for()
    assert told.locator("svg text", has_text="Export (API)").count() == 1
    page.get_by_role("button", name="Dismiss odd.json").click()
    told.wait_for(state="detached")


def test_a_binding_is_corrected_in_the_page_and_the_correction_taken_back(
    hub: Hub, page: Page
) -> None:
    pipeline = made_pipeline(hub)
    page.goto(at(hub, pipeline, step=2))
    table = page.get_by_role("table", name="Where values go, Hand Fix")
    prompt = table.get_by_role("row").filter(has_text='goes to "positive"')
    prompt.get_by_text("certain").wait_for()
    table.get_by_label("Prompt", exact=True).select_option("4\ntext")
    page.get_by_text("Prompt: Positive Prompt #3, text → Negative Prompt #4, text").wait_for()
    page.get_by_role("button", name="Save as the next version").click()
    page.get_by_text("Saved as version 2.").first.wait_for()
    bound = _bindings(hub, newest(hub, pipeline["name"]))
    assert bound["positive"] == [{"node": "4", "input": "text"}]
    page.get_by_role("button", name="Undo").first.click()
    page.get_by_text("version 3").first.wait_for()
    again = _bindings(hub, newest(hub, pipeline["name"]))
    assert again == _bindings(hub, pipeline)


def _bindings(hub: Hub, pipeline: Json) -> Json:
    return cast("Json", steps_of(hub.get(f"/pipelines/{pipeline['id']}"))[1]["bindings"])


def test_a_step_is_checked_and_tried_on_a_sample(hub: Hub, page: Page) -> None:
    page.goto(at(hub, made_pipeline(hub), step=2))
    page.get_by_text("Every step can run on some server.").wait_for()
    start = page.get_by_role("button", name="Make one image")
    sample = {"name": "me.png", "mimeType": "image/png", "buffer": picture_made_with("base")}
    page.get_by_label("Choose a picture").set_input_files([sample])
    page.get_by_text("me.png is the sample").wait_for()
    start.click()
    for side in ("Before", "After"):
        shown = page.get_by_role("img", name=side, exact=True)
        shown.wait_for()
        page.wait_for_function("image => image.naturalWidth > 0", arg=shown.element_handle())
    page.get_by_role("button", name="Make another one").wait_for()


def test_what_a_run_costs_is_told_while_its_steps_are_changed(hub: Hub, page: Page) -> None:
    pipeline = made_pipeline(hub)
    page.goto(at(hub, pipeline, step=1))
    usual = page.get_by_text("A run with the usual numbers:")
    told(usual, f"4 → {FINISHED}. {4 + FINISHED} images, time not measured yet")
    page.get_by_role("button", name="Change steps").click()
    told(usual, f"4 → {FINISHED}.")
    page.get_by_label("Images per parent (N)").fill("6")
    told(usual, f"2 → {FINISHED}.")
    page.get_by_label("After this step").select_option("manual")
    told(usual, "3 → 18.")
    page.get_by_role("button", name="Save the pipeline").click()
    page.get_by_text("version 2").wait_for()
    told(usual, "3 → 18. 21 images")
    first, second = steps_of(newest(hub, pipeline["name"]))
    assert (first["max_children"], second["max_children"]) == (6, None)


def test_a_pipeline_that_has_made_images_says_how_long_a_run_takes(
    shared_demo: Hub, page: Page
) -> None:
    page.goto(f"{shared_demo.url}/#/pipelines")
    planned = cast("list[Json]", shared_demo.post("/pipelines/1/forecast", {}))
    images = " → ".join(str(step["images"]) for step in planned)
    usual = page.get_by_text("A run with the usual numbers:")
    told(usual, images)
    assert re.search(r" images, about .* on 1 server, about .* [KM]B\.", usual.inner_text())


def told(line: Locator, words: str) -> None:
    """Waits until a line of the page says so."""
    line.filter(has_text=words).wait_for()


def test_a_new_run_says_which_step_was_never_tried_and_can_start_all_the_same(
    hub: Hub, page: Page
) -> None:
    pipeline = untried_pipeline(hub)
    page.goto(f"{hub.url}/#/new?pipeline={pipeline['id']}")
    told = page.get_by_role("group", name="Never tried")
    told.get_by_role("link", name="Try Hand Fix").wait_for()
    page.get_by_label("Name", exact=True).fill("Hasty")
    page.get_by_label("Prompt", exact=True).fill("a hand")
    page.get_by_role("button", name="Start the run").click()
    page.get_by_role("alert").filter(has_text="Make a test run of each").wait_for()
    told.get_by_label("Start without test runs").check()
    page.get_by_role("button", name="Start the run").click()
    page.get_by_role("heading", name="Hasty").wait_for()


def untried_pipeline(hub: Hub) -> Json:
    """Its second step is like none that has ever made an image."""
    hands = json.loads(workflow("hand-fix"))
    hands["3"]["inputs"]["text"] = f"hands {uuid4()}"
    steps = [
        {"name": "Base", "workflow": json.loads(workflow("base")), "gate": "auto"},
        {"name": "Hand Fix", "workflow": hands, "gate": "auto"},
    ]
    return hub.post("/pipelines", {"name": f"Untried {uuid4()}", "steps": steps})


@pytest.mark.parametrize("size", list(SIZES))
@pytest.mark.parametrize("place", ["list", "draft", "step"])
def test_axe_finds_nothing(hub: Hub, page: Page, size: str, place: str) -> None:
    page.set_viewport_size({"width": SIZES[size]["width"], "height": SIZES[size]["height"]})
    if place == "step":
        page.goto(at(hub, made_pipeline(hub), step=2))
        page.get_by_role("table").wait_for()
    else:
        page.goto(f"{hub.url}/#/pipelines")
        page.get_by_role("heading", name="Import workflows").wait_for()
    if place == "draft":
        page.evaluate(DROP, ["first.json", workflow("base")])
        page.get_by_text("What was found").click()
        page.get_by_role("table").wait_for()
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run().then(told => told.violations)")
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
