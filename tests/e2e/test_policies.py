"""What chooses a run's next job is chosen, told and seen ahead, in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from e2e.demo import faults

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from e2e.conftest import Start

ODDS = re.compile(r"leads to one of the best \d+ so far with a chance of (under 1|\d+) %")


def test_an_adaptive_run_tells_its_odds_and_what_may_come_next(
    start_demo: Start, page: Page
) -> None:
    hub = start_demo()
    hub.post("/backends/1", {"enabled": False}, method="PATCH")  # nothing changes while we look
    page.goto(f"{hub.url}/#/run/1")
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Next job").select_option("Adaptive")
    page.get_by_label("Finished candidates wanted (T)").fill("30")
    page.get_by_role("button", name="Save").click()
    hub.until(lambda: hub.get("/runs/1")["policy"] == "adaptive", "it is saved", page=page)
    page.get_by_text("What may come next").click()
    planned = page.get_by_role("group").get_by_role("listitem")
    planned.filter(has_text=ODDS).first.wait_for()
    assert planned.count() == 20
    assert faults(page) == []
