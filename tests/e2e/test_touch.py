"""A phone held upright, without a keyboard: voting, culling and naming the worst of four."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from e2e.demo import on_stage, pictures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

    from e2e.conftest import Start


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    yield context.new_page()
    context.close()


def button(page: Page, name: str) -> Locator:
    return page.locator("main").get_by_role("button", name=name, exact=True)


def test_a_tap_shows_the_other_picture_and_both_must_be_seen(
    start_demo: Start, phone: Page
) -> None:
    hub = start_demo()
    phone.goto(hub.last_step)
    pair = on_stage(phone)
    stage = phone.get_by_role("group", name=re.compile("Which is better"))
    in_front = phone.locator("[data-place=current] .pane:not(.behind) img.tier")
    assert button(phone, "B").is_disabled()
    assert pair[0] in str(in_front.get_attribute("src"))
    stage.tap()
    assert pair[1] in str(in_front.get_attribute("src"))
    stage.tap()
    assert pair[0] in str(in_front.get_attribute("src"))
    assert pictures(phone) == pair
    button(phone, "B").tap()
    hub.until(lambda: [act["chosen"] for act in hub.acts()] == ["right"], "a vote", page=phone)
    assert on_stage(phone) != pair
    button(phone, "Undo").tap()
    assert on_stage(phone) == pair


def test_culling_by_touch(start_demo: Start, phone: Page) -> None:
    hub = start_demo()
    phone.goto(f"{hub.url}/#/cull?run=1&step=4")
    for name in ("Keep", "4 stars", "Reject"):
        phone.get_by_alt_text("The picture to judge").wait_for()
        button(phone, name).tap()
    hub.until(lambda: len(hub.acts()) == 3, "three acts", page=phone)
    assert [act["kind"] for act in hub.acts()] == ["kill", "keep", "keep"]
    button(phone, "Undo").tap()
    hub.until(lambda: hub.acts()[0]["undone"], "the reject is undone", page=phone)
    button(phone, "6").tap()
    tile = phone.get_by_role("button", name="Picture 3")
    tile.tap()
    phone.get_by_role("button", name="Picture 3, marked as broken").wait_for()
    button(phone, "Reject 1, keep 5").tap()
    hub.until(lambda: len(hub.acts()) == 9, "six more acts", page=phone)
