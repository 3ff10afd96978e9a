"""A night on a server that fails, as the Live screen tells it in the morning, and the way out."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import uuid4

import pytest

from e2e.gated import WORKFLOWS
from rendering import plain_image
from shortlist.simulator.options import Fault, FaultKind, SimulatorOptions
from shortlist.simulator.server import running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

    from e2e.demo import Hub, Json

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
GIVES_UP = 3
"""After so many failures a first step, or an image, waits for a person."""
ALL_TRIES = GIVES_UP + 1
"""One more, for the job that was under way meanwhile."""
ABSENT, PRESENT = "nobody-has-this.pth", "sketch-x2.pth"
NIGHT = (
    Fault(kind=FaultKind.RAISE, node_class="KSampler", times=ALL_TRIES),
    Fault(kind=FaultKind.RAISE, node_class="ImageInvert", times=GIVES_UP),
    Fault(kind=FaultKind.OUT_OF_MEMORY, node_class="EmptyImage"),
)


@contextmanager
def failing_server(folder: Path) -> Iterator[str]:
    """A simulator in a thread of its own, for which all of `NIGHT` is to come. Gives its URL."""
    options = SimulatorOptions(folder=folder, faults=NIGHT, seconds_per_image=0.01)
    ready, loop = threading.Event(), asyncio.new_event_loop()
    told: list[str] = []
    ended = asyncio.Event()

    async def serve() -> None:
        async with running(options) as server:
            told.append(server.url)
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(60)
        yield told[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(60)
        loop.close()


@pytest.fixture(scope="module")
def night(idle: tuple[Hub, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub whose one server in use has failed three runs until nothing was left to try.

    Owls can't make a first image; Herons need a model that is nowhere; of Storks one image waits
    and another was made in its place.
    """
    hub = idle[0]
    for backend in backends(hub):
        hub.post(f"/backends/{backend['id']}", {"enabled": False}, method="PATCH")
    with failing_server(tmp_path_factory.mktemp("failing")) as url:
        hub.post("/backends", {"url": url, "name": "night owl"})
        a_run(hub, "Owls", {"Base": workflow("base")})
        hub.until(lambda: failed(hub) >= GIVES_UP and not flying(hub), "all of Owls' tries failed")
        a_run(hub, "Herons", {"Base": workflow("base"), "Upscale": needs(ABSENT)})
        a_run(hub, "Storks", {"Base": workflow("base"), "Negative": inverted()})
        hub.until(lambda: run_of(hub, "Storks")["finished"] == 1, "Storks came through")
        a_run(hub, "Swans", {"Base": {**plain_image()}})
        hub.until(lambda: "out of memory" in kinds(hub) and not flying(hub), "all ran into trouble")
        yield hub


def workflow(name: str) -> Json:
    return cast("Json", json.loads((WORKFLOWS / f"{name}.json").read_text("utf-8")))


def needs(model: str) -> Json:
    """The sample upscale with another model."""
    text = (WORKFLOWS / "upscale.json").read_text("utf-8")
    return cast("Json", json.loads(text.replace(PRESENT, model)))


def inverted() -> Json:
    nodes = {
        "1": ("LoadImage", {"image": "parent.png"}),
        "2": ("ImageInvert", {"image": ["1", 0]}),
        "9": ("SaveImage", {"images": ["2", 0], "filename_prefix": "ComfyUI"}),
    }
    return {id: {"class_type": kind, "inputs": inputs} for id, (kind, inputs) in nodes.items()}


def a_run(hub: Hub, name: str, steps: dict[str, Json]) -> None:
    made = [{"name": step, "workflow": graph, "gate": "auto"} for step, graph in steps.items()]
    pipeline = hub.post("/pipelines", {"name": f"{name} {uuid4()}", "steps": made})
    numbers = {"target_leaves": 1, "max_children": 1}
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


def kinds(hub: Hub) -> list[object]:
    return [group["kind"] for group in groups(hub)]


def opened(page: Page, hub: Hub) -> Page:
    page.goto(f"{hub.url}/#/live")
    page.get_by_role("heading", name="Failures").wait_for()
    return page


def group_of(page: Page, step: str, kind: str) -> Locator:
    listed = page.get_by_role("region", name="Failures").get_by_role("listitem")
    return listed.filter(has_text=kind).filter(has_text=f"{step} of").first


def test_failures_are_grouped_and_say_node_sentence_and_log(night: Hub, page: Page) -> None:
    group = group_of(opened(page, night), "Base", "error while running")
    group.get_by_text("×").first.wait_for()
    group.get_by_text("on night owl").wait_for()
    group.get_by_text("Draw the Figure").first.wait_for()
    group.get_by_text("boom: bad tensor").first.wait_for()
    group.get_by_text("Log of the server").click()
    assert "boom" in group.locator("pre").inner_text()
    group_of(page, "Base", "out of memory").wait_for()


def test_a_held_step_and_a_parked_image_say_so(night: Hub, page: Page) -> None:
    held = group_of(opened(page, night), "Upscale", "refused")
    held.get_by_text(ABSENT).first.wait_for()
    held.get_by_text("Kept back").wait_for()
    parked = group_of(page, "Negative", "error while running")
    parked.get_by_text("1 image waits for a retry").wait_for()


def test_why_nothing_runs_is_answered(night: Hub, page: Page) -> None:
    opened(page, night)
    told = page.get_by_role("region", name="What is happening").locator("p").first.inner_text()
    assert told == night.get("/status")["why"]
    assert "Owls: Base failed" in told


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_on_a_bad_morning(
    night: Hub, browser: Browser, width: int, scheme: str
) -> None:
    page = browser.new_page(
        viewport={"width": width, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    opened(page, night).get_by_text("Log of the server").first.click()
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run().then(told => told.violations)")
    page.close()
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


def test_a_server_is_tested_before_it_is_added_and_renamed_after(night: Hub, page: Page) -> None:
    opened(page, night)
    page.get_by_label("Address").fill("http://127.0.0.1:9")
    page.get_by_role("button", name="Test", exact=True).click()
    page.get_by_text("is ComfyUI running?").wait_for()
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
    page.get_by_text("went over to version 2").wait_for()
    finished = lambda: run_of(night, "Herons")["finished"] == 1  # noqa: E731
    night.until(finished, "Herons came through", page=page)
    assert cast("Json", run_of(night, "Herons")["pipeline"])["version"] == 2


def test_a_retry_lets_a_run_go_on_to_its_end(night: Hub, page: Page) -> None:
    opened(page, night)
    page.get_by_role("button", name="Retry error while running at Base").click()
    page.get_by_text("let go on with new seeds").first.wait_for()
    finished = lambda: run_of(night, "Owls")["finished"] == 1  # noqa: E731
    night.until(finished, "Owls came through", page=page)
