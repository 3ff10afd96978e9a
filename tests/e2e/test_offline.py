"""Voting goes on without the hub; what was done counts exactly once when it is back."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from e2e.demo import FINISHED, on_stage, press

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from e2e.conftest import Start

import pytest

VOTES = 20
ALL_THERE = """images => performance.getEntriesByType("resource")
  .filter(entry => entry.name.endsWith("/2048") && entry.responseEnd > 0).length >= images"""


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    """A phone held sideways: it takes thirty pairs along."""
    context = browser.new_context(viewport={"width": 844, "height": 390}, has_touch=True)
    yield context.new_page()
    context.close()


def test_twenty_votes_in_a_tunnel_count_exactly_once(start_demo: Start, phone: Page) -> None:
    hub = start_demo()
    phone.goto(hub.last_step)
    on_stage(phone)
    phone.wait_for_function(ALL_THERE, arg=FINISHED)
    phone.context.set_offline(True)
    for number in range(VOTES):
        press(phone, "ArrowLeft" if number % 3 else "ArrowRight")
    chip = phone.get_by_role("link", name=f"{VOTES} unsent")
    chip.wait_for()
    assert hub.acts() == []
    phone.context.set_offline(False)
    hub.until(lambda: len(hub.acts()) >= VOTES, "the votes of the tunnel", page=phone)
    chip.wait_for(state="detached")
    acts = hub.acts()
    assert [act["kind"] for act in acts] == ["vote"] * VOTES
    rows = hub.candidates().values()
    assert sum(cast("int", row["votes"]) for row in rows) == 2 * VOTES


def test_an_answer_that_got_lost_is_asked_for_again_and_counts_once(
    start_demo: Start, page: Page
) -> None:
    hub = start_demo()
    page.goto(hub.url)
    on_stage(page)
    lost = {"left": 2}

    def lose(route, request) -> None:  # type: ignore[no-untyped-def]
        if request.method != "POST" or lost["left"] == 0:
            route.continue_()
            return
        lost["left"] -= 1
        # The hub gets it and does it; its answer never arrives.
        route.fetch()
        route.abort()

    page.route("**/api/acts", lose)
    for _ in range(3):
        press(page, "ArrowRight")
    hub.until(lambda: lost["left"] == 0 and len(hub.acts()) == 3, "three acts", page=page)
    page.get_by_role("link", name="unsent").wait_for(state="detached")
    assert sum(cast("int", row["votes"]) for row in hub.candidates().values()) == 6


def test_acts_of_an_earlier_visit_are_sent_by_the_next_one(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.url)
    on_stage(page)
    page.route("**/api/acts", lambda route: route.abort())
    for _ in range(3):
        press(page, "ArrowLeft")
    page.get_by_role("link", name="3 unsent").wait_for()
    page.unroute("**/api/acts")
    page.reload()
    hub.until(lambda: len(hub.acts()) == 3, "three acts")


def test_a_kill_without_the_hub_is_kept_and_voting_goes_on(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.url)
    pair = on_stage(page)
    page.route("**/api/acts", lambda route: route.abort())
    page.keyboard.press("Shift+ArrowLeft")
    page.get_by_text("The kill stands").first.wait_for()
    assert pair[0] not in on_stage(page)
    page.unroute("**/api/acts")
    hub.until(lambda: [act["kind"] for act in hub.acts()] == ["kill"], "the kill")


def test_an_act_that_the_hub_refuses_is_told_in_the_history(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.url)
    pair = on_stage(page)
    page.route("**/api/acts", lambda route: route.abort())
    page.keyboard.press("ArrowLeft")
    on_stage(page)
    loser = next(id for id, row in hub.candidates().items() if row["hash"] == pair[1])
    hub.post("/acts", {"acts": [{"id": "elsewhere-1", "kind": "kill", "candidate": loser}]})
    page.unroute("**/api/acts")
    page.keyboard.press("h")
    page.get_by_text("not counted").wait_for()
