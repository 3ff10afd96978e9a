"""What stands in place of a pair when the best of a step are known, in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import uuid4

from e2e.demo import faults, on_stage, press
from e2e.gated import GatedRun, gated_run

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from e2e.demo import Hub

STEADY = re.compile(r"Top 3 about 9[1-9] % sure")
TITLE = "Top 3 of Face Fix is steady"
NEXT = "Base has 3 images without your vote."


def settle(hub: Hub, run: GatedRun) -> None:
    """Votes until nobody doubts which three images are the best."""
    ranking = run.ranking(2)
    acts = [
        {"id": str(uuid4()), "kind": "vote", "winner": best, "loser": other, "left": best}
        for _ in range(8)
        for best in ranking[:3]
        for other in ranking[3:]
    ]
    for start in range(0, len(acts), 18):
        hub.post("/acts", {"acts": acts[start : start + 18]})


def test_a_steady_step_offers_its_gate_the_next_step_or_more_of_the_same(
    idle: tuple[Hub, Path], page: Page
) -> None:
    hub = idle[0]
    run = gated_run(hub)
    settle(hub, run)
    address = f"{hub.url}/#/vote?run={run.id}&step=2"
    page.goto(address)
    title = told(page)
    page.get_by_text(NEXT).wait_for()
    assert faults(page) == []
    assert title.evaluate("heading => heading === document.activeElement")
    hub.until(lambda: hub.acts()[0]["kind"] == "skip", "the skip is stored", page=page)
    before = hub.acts()[0]["id"]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    title.wait_for(state="detached")
    press(page, "ArrowDown")
    hub.until(lambda: hub.acts()[0]["kind"] == "tie", "one more judged", page=page)
    assert hub.acts()[1]["id"] == before, "a key meant for a pair did nothing without one"
    page.reload()
    page.get_by_text(STEADY).wait_for()
    press(page, "ArrowUp")
    on_stage(page)
    assert title.count() == 0, "it is told once"

    forget(page)
    told(page)
    page.keyboard.press("z")
    title.wait_for(state="detached")
    forget(page)
    told(page)
    page.keyboard.press("a")
    page.get_by_role("dialog").get_by_role("slider").wait_for()
    page.goto(address)
    forget(page)
    told(page)
    page.get_by_text(NEXT).wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("group", name="Which is better? Base").wait_for()


def told(page: Page) -> Locator:
    """The title of the box, once a pair has been put away; a skip leaves the best as they are."""
    page.get_by_text(STEADY).wait_for()
    press(page, "ArrowUp")
    title = page.get_by_role("heading", name=TITLE)
    title.wait_for()
    return title


def forget(page: Page) -> None:
    """The page does not know any more that the box was shown."""
    page.evaluate("localStorage.removeItem('shortlist.steady')")
    page.reload()
