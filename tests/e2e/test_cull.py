"""Culling and autopsies in a real browser: keyboard alone, one at a time and a page at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from e2e.demo import Hub

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from e2e.conftest import Start


def at_first_sight(page: Page) -> None:
    """Waits for an image that is decoded and on top."""
    page.get_by_alt_text("The picture to judge").wait_for()


def verdicts(hub: Hub) -> list[tuple[object, object]]:
    """Stars and state of the last step's images in the order they were made."""
    rows = [row for row in hub.candidates().values() if row["step_order"] == 4]
    return [(row["stars"], row["status"]) for row in rows]


def test_keys_keep_star_and_reject_and_undo_brings_each_back(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(f"{hub.url}/#/cull?run=1&step=4")
    fresh = (None, "active")
    images = len(verdicts(hub))
    for key in ("p", "4", "x"):
        at_first_sight(page)
        page.keyboard.press(key)
    judged = [(0, "active"), (4, "active"), (None, "rejected")]
    hub.until(lambda: verdicts(hub)[:3] == judged, "three judged", page=page)
    for stand in (2, 1, 0):
        page.keyboard.press("z")
        wanted = [*judged[:stand], *[fresh] * (images - stand)]
        hub.until(lambda wanted=wanted: verdicts(hub) == wanted, "one back", page=page)
    page.reload()
    at_first_sight(page)
    page.keyboard.press("Shift+z")
    hub.until(lambda: verdicts(hub)[0] == (0, "active"), "done again after a reload", page=page)


def test_digits_mark_the_broken_ones_of_a_page(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(f"{hub.url}/#/cull?run=1&step=4")
    at_first_sight(page)
    page.keyboard.press("n")
    page.get_by_role("button", name="Picture 6").wait_for()
    for key in ("2", "5", "5"):
        page.keyboard.press(key)
    page.get_by_role("button", name="Picture 2, marked as broken").wait_for()
    page.get_by_role("button", name="Reject 1, keep 5").wait_for()
    page.keyboard.press("Enter")
    kept, rejected = (0, "active"), (None, "rejected")
    page_of_six = [kept, rejected, kept, kept, kept, kept]
    hub.until(lambda: verdicts(hub)[:6] == page_of_six, "the page judged", page=page)
    page.locator(".toast", has_text="kept 5").get_by_role("button", name="Undo").click()
    hub.until(lambda: {*verdicts(hub)} == {(None, "active")}, "the page is back", page=page)


def test_a_reject_waits_in_autopsies_until_its_walk_is_done(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(f"{hub.url}/#/cull?run=1&step=4")
    at_first_sight(page)
    page.keyboard.press("x")
    page.get_by_role("button", name="Where did it go wrong?").wait_for()
    hub.until(lambda: hub.get("/autopsies")["total"] == 1, "it waits", page=page)
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.get_by_text("1 of 1 rejected comes from this Hand Fix image").wait_for()
    page.get_by_role("button", name="Where did this Upscale image go wrong?").click()
    page.get_by_role("button", name="Hand Fix did it").wait_for()
    page.keyboard.press("ArrowDown")
    page.get_by_role("heading", name="Nothing to find out").wait_for()
    assert hub.get("/autopsies")["total"] == 0
