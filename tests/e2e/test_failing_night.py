"""A night on a server that fails, as the Live screen tells it in the morning, and the way out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, cast
from uuid import uuid4

import pytest

from e2e.demo import Hub, faults
from e2e.gated import workflow
from programs import Program, ending
from rendering import a_simulator, inverted, plain_image
from shortlist.simulator.options import Fault, FaultKind

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from e2e.demo import Json

GIVES_UP = 3
"""After so many failures a first step, or an image, waits for a person."""
ABSENT, PRESENT = "nobody-has-this.pth", "sketch-x2.pth"
NIGHT = (
    Fault(kind=FaultKind.RAISE, node_class="KSampler", times=GIVES_UP),
    Fault(kind=FaultKind.RAISE, node_class="ImageInvert", times=GIVES_UP),
    Fault(kind=FaultKind.OUT_OF_MEMORY, node_class="EmptyImage"),
)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub whose one server has failed three runs until nothing was left to try.

    Owls can't make a first image; Herons need a model that is nowhere; of Storks one image waits
    and another was made in its place.
    """
    folder = tmp_path_factory.mktemp("failing")
    options = ("--data", str(folder / "hub"), "--port", "0", "--log-level", "WARNING")
    with (
        a_simulator(folder / "comfyui", *NIGHT, seconds=0.01) as url,
        ending(Program("serve", *options)) as program,
    ):
        hub = Hub(program.url)
        hub.post("/backends", {"url": url, "name": "night owl"})
        a_run(hub, "Owls", {"Base": workflow("base")})
        hub.until(lambda: failed(hub) >= GIVES_UP and not flying(hub), "all of Owls' tries failed")
        a_run(hub, "Herons", {"Base": workflow("base"), "Upscale": needs(ABSENT)})
        a_run(hub, "Storks", {"Base": workflow("base"), "Negative": inverted()})
        hub.until(lambda: run_of(hub, "Storks")["finished"] == 1, "Storks came through")
        yield hub


def needs(model: str) -> Json:
    """The sample upscale with another model."""
    text = json.dumps(workflow("upscale"))
    return cast("Json", json.loads(text.replace(PRESENT, model)))


def a_run(hub: Hub, name: str, steps: Mapping[str, object]) -> None:
    made = [{"name": step, "workflow": graph, "gate": "auto"} for step, graph in steps.items()]
    pipeline = hub.post("/pipelines", {"name": f"{name} {uuid4()}", "steps": made})
    numbers = {"target_leaves": 1, "max_children": 1, "untried": True}
    hub.post("/runs", {"pipeline_id": pipeline["id"], "name": name, "prompt": "a bird", **numbers})


def run_of(hub: Hub, name: str) -> Json:
    runs = cast("list[Json]", hub.get("/status")["runs"])
    return next(run for run in runs if run["name"] == name)


def backends(hub: Hub) -> list[Json]:
    return cast("list[Json]", hub.get("/backends"))


def flying(hub: Hub) -> list[object]:
    return [job for each in backends(hub) for job in cast("list[object]", each["in_flight"])]


def groups(hub: Hub) -> list[Json]:
    return cast("list[Json]", hub.get("/failures"))


def failed(hub: Hub) -> int:
    return sum(cast("int", group["count"]) for group in groups(hub))


def opened(page: Page, hub: Hub) -> Page:
    page.goto(f"{hub.url}/#/live")
    page.get_by_role("heading", name="Failures").wait_for()
    return page


def group_of(page: Page, step: str, kind: str) -> Locator:
    listed = page.get_by_role("region", name="Failures").get_by_role("listitem")
    return listed.filter(has_text=kind).filter(has_text=f"{step} of").first


def test_failures_are_grouped_and_say_node_log_and_what_waits(night: Hub, page: Page) -> None:
    group = group_of(opened(page, night), "Base", "error while running")
    group.get_by_text("×").first.wait_for()
    group.get_by_text("on night owl").wait_for()
    group.get_by_text("Draw the Figure").first.wait_for()
    group.get_by_text("boom: bad tensor").first.wait_for()
    group.get_by_text("Log of the server").click()
    assert "boom: bad tensor" in group.locator("pre").inner_text()
    held = group_of(page, "Upscale", "refused")
    held.get_by_text(ABSENT).first.wait_for()
    held.get_by_text("Kept back").wait_for()
    parked = group_of(page, "Negative", "error while running")
    parked.get_by_text("1 image waits for a retry").wait_for()


def test_why_nothing_runs_is_answered(night: Hub, page: Page) -> None:
    told = opened(page, night).get_by_role("region", name="What is happening")
    told.get_by_text("Owls: Base failed 3 times; look and retry it.").wait_for()
    a_run(night, "Swans", {"Base": plain_image()})
    told.get_by_text("Base rests on night owl for").wait_for()
    group_of(page, "Base", "out of memory").wait_for()


def test_axe_finds_nothing_on_a_bad_morning(night: Hub, page: Page) -> None:
    schemes: dict[int, Literal["dark", "light"]] = {1280: "dark", 390: "light"}
    opened(page, night).get_by_text("Log of the server").first.click()
    for width, scheme in schemes.items():
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        assert faults(page) == []


def test_a_server_is_tested_before_it_is_added_and_renamed_after(night: Hub, page: Page) -> None:
    opened(page, night)
    page.get_by_label("Address").fill("http://127.0.0.1:9")
    page.get_by_role("button", name="Test", exact=True).click()
    page.get_by_text("is ComfyUI running?").wait_for()
    page.get_by_role("button", name="Add generator").click()
    page.get_by_role("button", name="Add anyway").click()
    page.get_by_text("Trying again").wait_for()
    page.get_by_role("button", name="Remove 127.0.0.1:9").click()
    page.get_by_text("Trying again").wait_for(state="detached")
    page.get_by_role("button", name="Test night owl").click()
    page.get_by_text("node types").first.wait_for()
    page.get_by_role("button", name="Rename night owl").click()
    page.get_by_role("textbox", name="Name", exact=True).first.fill("early bird")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("heading", name="early bird").wait_for()
    assert "early bird" in {each["name"] for each in backends(night)}


def test_a_failed_step_is_changed_and_retried_with_the_new_version(night: Hub, page: Page) -> None:
    group_of(opened(page, night), "Upscale", "refused").get_by_role(
        "link", name="Change the step"
    ).click()
    page.get_by_role("heading", name="Failed at this step").wait_for()
    page.get_by_text(ABSENT).first.wait_for()
    page.get_by_role("button", name="Change a value").click()
    chosen = page.get_by_label("Input 1 to change")
    loader = chosen.locator("option", has_text="model_name").get_attribute("value")
    chosen.select_option(loader)
    page.get_by_role("textbox", name="New value of").fill(PRESENT)
    page.get_by_text(f"{ABSENT} → {PRESENT}").wait_for()
    page.get_by_role("button", name="Save as the next version").click()
    page.get_by_role("button", name="Retry 1 with version 2").click()
    page.get_by_text("went over to version 2").first.wait_for()
    finished = lambda: run_of(night, "Herons")["finished"] == 1  # noqa: E731
    night.until(finished, "Herons came through", page=page)
    assert cast("Json", run_of(night, "Herons")["pipeline"])["version"] == 2


def test_a_retry_lets_a_run_go_on_to_its_end(night: Hub, page: Page) -> None:
    opened(page, night)
    page.get_by_role("button", name="Retry 3 of Base: error while running").click()
    page.get_by_text("let go on with new seeds").first.wait_for()
    finished = lambda: run_of(night, "Owls")["finished"] == 1  # noqa: E731
    night.until(finished, "Owls came through", page=page)
