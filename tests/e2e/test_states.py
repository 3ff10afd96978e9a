"""Each state of the judging screens, open to everybody: axe finds nothing wrong in any colours.

One test goes through all states, because each begins where the one before it ends, in an order in
which the kills that some of them need spoil no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from e2e.demo import COMES_WITHIN, Hub, faults, on_stage, press

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from e2e.conftest import Start

State = Callable[["Page", Hub], None]
COLOURS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "dark": {"color_scheme": "dark", "forced_colors": "none"},
        "light": {"color_scheme": "light", "forced_colors": "none"},
        "forced": {"color_scheme": "dark", "forced_colors": "active"},
    }
)


def autopsies_empty(page: Page, hub: Hub) -> None:
    page.goto(f"{hub.url}/#/autopsies")
    page.get_by_role("heading", name="Nothing to find out").wait_for()


def vote(page: Page, hub: Hub) -> None:
    page.goto(hub.last_step)
    on_stage(page)


def vote_one_at_a_time(page: Page, hub: Hub) -> None:
    page.keyboard.press("v")
    page.get_by_role("button", name="Show the other picture").wait_for()


def vote_split(page: Page, hub: Hub) -> None:
    page.keyboard.press("v")
    page.get_by_role("slider", name="Where the line stands").wait_for()


def help_sheet(page: Page, hub: Hub) -> None:
    page.keyboard.press("v")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()


def history(page: Page, hub: Hub) -> None:
    page.keyboard.press("Escape")
    page.get_by_role("dialog", name="Keys").wait_for(state="detached")
    press(page, "ArrowLeft")
    press(page, "ArrowDown")
    page.keyboard.press("h")
    page.get_by_role("list", name="History").get_by_role("button").nth(1).wait_for()


def walk(page: Page, hub: Hub) -> None:
    page.keyboard.press("h")
    press(page, "Shift+ArrowLeft")
    page.get_by_role("button", name="Hand Fix did it").wait_for()


def walk_over(page: Page, hub: Hub) -> None:
    page.keyboard.press("ArrowRight")
    page.get_by_text("Blamed: Upscale").first.wait_for()
    on_stage(page)


def autopsies(page: Page, hub: Hub) -> None:
    press(page, "Shift+ArrowLeft")
    page.get_by_role("button", name="Hand Fix did it").wait_for()
    page.keyboard.press("l")
    page.goto(f"{hub.url}/#/autopsies")
    page.get_by_role("heading", name="rejected").first.wait_for()


def vote_empty(page: Page, hub: Hub) -> None:
    page.goto(f"{hub.url}/#/vote?{nothing_yet(hub)}")
    page.get_by_text("nothing new is made for it").wait_for()


def cull_empty(page: Page, hub: Hub) -> None:
    page.goto(f"{hub.url}/#/cull?{nothing_yet(hub)}")
    page.get_by_role("heading", name="Nothing left to cull").wait_for()


def cull_single(page: Page, hub: Hub) -> None:
    page.goto(f"{hub.url}/#/cull?run=1&step=4")
    page.get_by_alt_text("The picture to judge").wait_for()


def cull_grid(page: Page, hub: Hub) -> None:
    page.keyboard.press("n")
    page.keyboard.press("2")
    page.get_by_role("button", name="Picture 2, marked as broken").wait_for()


def settings(page: Page, hub: Hub) -> None:
    page.goto(f"{hub.url}/#/settings")
    page.get_by_role("heading", name="Settings").wait_for()


def worst_of_four(page: Page, hub: Hub) -> None:
    page.get_by_role("checkbox", name="The worst of four").check()
    page.goto(hub.last_step)
    page.get_by_role("button", name="Picture 4 is the worst").wait_for()


def worst_of_four_empty(page: Page, hub: Hub) -> None:
    page.goto(f"{hub.url}/#/vote?{nothing_yet(hub)}")
    page.get_by_role("heading", name="No four images are left").wait_for()


def nothing_yet(hub: Hub) -> str:
    """The last step of a run that was paused before it got there, as a part of an address."""
    runs = cast("list[dict[str, object]]", hub.get("/status")["runs"])
    found = [run for run in runs if run["name"] == "Pier"]
    run = found[0] if found else hub.post("/runs/1/copy", {"name": "Pier"})
    if run["status"] == "active":
        hub.post(f"/runs/{run['id']}", {"status": "paused"}, method="PATCH")
    return f"run={run['id']}&step=4"


STATES: Final[tuple[State, ...]] = (
    autopsies_empty,
    vote,
    vote_one_at_a_time,
    vote_split,
    help_sheet,
    history,
    walk,
    walk_over,
    autopsies,
    vote_empty,
    cull_empty,
    cull_single,
    cull_grid,
    settings,
    worst_of_four,
    worst_of_four_empty,
)


def faults_in_all_colours(page: Page) -> dict[str, list[tuple[str, list[str]]]]:
    """What axe finds in each of the colours; those without a fault are left out."""
    found = {}
    for name, colours in COLOURS.items():
        page.emulate_media(**colours)
        page.wait_for_function(
            "theme => document.documentElement.dataset.theme === theme", arg=colours["color_scheme"]
        )
        found[name] = faults(page)
    return {name: wrong for name, wrong in found.items() if wrong}


def test_axe_finds_nothing_in_dark_light_and_forced_colours(
    start_demo: Start, browser: Browser
) -> None:
    hub = start_demo()
    found = {}
    # Nothing moves: a colour on its way from one to another can be hard to read for a moment.
    with browser.new_context(
        viewport={"width": 1280, "height": 800}, reduced_motion="reduce"
    ) as context:
        context.set_default_timeout(COMES_WITHIN * 1000)
        page = context.new_page()
        for state in STATES:
            state(page, hub)
            found[state.__name__] = faults_in_all_colours(page)
    assert found == {state.__name__: {} for state in STATES}
