"""What goes wrong outside the page: lost and damaged files, two tabs, wrong clocks, an update."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.error import HTTPError

import pytest

from e2e.demo import Hub, on_stage, pictures, press

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page, Route

    from e2e.conftest import Start

BROKEN = "This picture can't be shown"
HOURS = 6 * 3_600_000
# The device's clock, `hours` off from here on; the same in every page of the context.
CLOCK = """() => {
  const right = Date.now.bind(Date);
  Date.now = () => right() + Number(localStorage.getItem("off") ?? 0);
}"""


@pytest.fixture
def two_tabs(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1024, "height": 700})
    yield context
    context.close()


def remove(file: Path) -> None:
    file.unlink()


def damage(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def spoil(folder: Path, hash: str, how: Callable[[Path], None]) -> None:
    """Does it to the picture and to its smaller copies."""
    files = list(folder.rglob(f"{hash}*"))
    assert len(files) == 3
    for file in files:
        how(file)


def last_images(hub: Hub) -> dict[int, str]:
    """The hashes of the last step's images that nobody has rejected."""
    rows = hub.candidates()
    live = {id: row for id, row in rows.items() if row["step_order"] == 4 and not row["dead"]}
    return {id: str(row["hash"]) for id, row in live.items() if row["status"] == "active"}


@pytest.mark.parametrize("how", [remove, damage])
def test_a_picture_without_its_file_says_so_and_can_be_skipped_or_killed(
    start_demo: Start, page: Page, tmp_path: Path, how: Callable[[Path], None]
) -> None:
    hub = start_demo()
    images = last_images(hub)
    whole = dict(list(images.items())[:2])
    for hash in (hash for id, hash in images.items() if id not in whole):
        spoil(tmp_path, hash, how)
    page.goto(hub.last_step)
    page.get_by_role("heading", name=BROKEN).locator("visible=true").first.wait_for()
    first = pictures(page)
    page.keyboard.press("ArrowLeft")
    assert pictures(page) == first  # nobody votes on what they can't see
    page.keyboard.press("ArrowUp")
    page.wait_for_function(
        "pair => !document.querySelector('[data-place=current] img')?.src.includes(pair)",
        arg=first[0],
    )
    page.keyboard.press("Shift+ArrowRight")
    page.get_by_role("button", name="Still fine here").and_(page.locator(":enabled")).click()
    page.get_by_text("Blamed: Upscale").first.wait_for()
    hub.until(lambda: len(last_images(hub)) < len(images), "one is rejected")
    assert [act["kind"] for act in hub.acts()] == ["kill", "skip"]


def test_the_hub_names_a_lost_file(start_demo: Start, tmp_path: Path) -> None:
    hub = start_demo()
    hash = next(iter(last_images(hub).values()))
    spoil(tmp_path, hash, remove)
    for size in ("320", "2048", "original"):
        with pytest.raises(HTTPError) as lost:
            hub.get(f"/images/{hash}/{size}")
        assert lost.value.code == 404
        assert lost.value.headers["Content-Type"] == "application/problem+json"


def test_culling_goes_on_past_a_lost_picture(start_demo: Start, page: Page, tmp_path: Path) -> None:
    hub = start_demo()
    first, second = list(last_images(hub).items())[:2]
    spoil(tmp_path, first[1], remove)
    page.goto(f"{hub.url}/#/cull?run=1&step=4")
    page.get_by_role("heading", name=BROKEN).wait_for()
    page.keyboard.press("n")
    page.get_by_text(BROKEN).wait_for()
    page.keyboard.press("n")
    page.keyboard.press("n")
    page.get_by_role("heading", name=BROKEN).wait_for()
    page.keyboard.press("x")
    page.get_by_role("heading", name=BROKEN).wait_for(state="detached")
    hub.until(lambda: first[0] not in last_images(hub), "the lost one is rejected")
    assert second[0] in last_images(hub)


def test_a_pair_judged_in_one_tab_leaves_the_other_and_counts_once(
    start_demo: Start, two_tabs: BrowserContext
) -> None:
    hub = start_demo()
    one, other = two_tabs.new_page(), two_tabs.new_page()
    # The second tab is dealt what the first one has.
    dealt = one.request.get(f"{hub.url}/api/deck?run=1&step=4&count=8").json()
    for tab in (one, other):
        tab.route(
            "**/api/deck?*",
            lambda route: (
                route.fulfill(json=dealt) if "exclude=&" in route.request.url else route.continue_()
            ),
        )
        tab.goto(hub.last_step)
    assert on_stage(one) == on_stage(other)
    judged = press(one, "ArrowLeft")
    other.get_by_text("You have judged that pair elsewhere").first.wait_for()
    assert on_stage(other) != judged
    press(other, "ArrowRight")
    hub.until(lambda: len(hub.acts()) == 2, "two votes", page=one)
    assert sum(cast("int", row["votes"]) for row in hub.candidates().values()) == 4
    # Undo in either tab takes back what was done last, wherever that was.
    one.keyboard.press("h")
    one.get_by_role("list", name="History").get_by_role("button").nth(1).wait_for()
    one.keyboard.press("z")
    hub.until(
        lambda: [act["undone"] for act in hub.acts()] == [True, False], "one undone", page=one
    )


def test_a_pair_judged_on_another_device_leaves_this_one_with_a_word(
    start_demo: Start, page: Page
) -> None:
    hub = start_demo()
    page.goto(hub.last_step)
    pair = on_stage(page)
    ids = {hash: id for id, hash in last_images(hub).items()}
    left, right = (ids[hash] for hash in pair)
    there = {"id": "on-the-phone", "kind": "vote", "winner": right, "loser": left, "left": left}
    hub.post("/acts", {"acts": [there]})
    word = page.locator(".hint", has_text="You have judged that pair elsewhere")
    word.wait_for()
    after = on_stage(page)
    assert after != pair
    # What is judged here is no news here.
    word.wait_for(state="hidden")
    press(page, "ArrowLeft")
    hub.until(lambda: len(hub.acts()) == 2, "two votes", page=page)
    assert not word.is_visible()


def test_a_clock_that_is_set_back_changes_no_order(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.add_init_script(f"({CLOCK})()")
    page.goto(hub.last_step)
    page.evaluate(f"localStorage.setItem('off', {HOURS})")
    page.reload()
    on_stage(page)
    page.route("**/api/acts", lambda route: route.abort())
    press(page, "ArrowLeft")
    press(page, "ArrowDown")
    page.get_by_role("link", name="2 unsent").wait_for()
    page.evaluate(f"localStorage.setItem('off', {-HOURS})")
    page.reload()
    press(page, "ArrowUp")
    page.get_by_role("link", name="3 unsent").wait_for()
    page.goto(f"{hub.url}/#/settings")
    page.get_by_text("s ago").first.wait_for()
    page.unroute("**/api/acts")
    page.get_by_role("button", name="Send now").click()
    hub.until(lambda: len(hub.acts()) == 3, "three acts", page=page)
    assert [act["kind"] for act in hub.acts()] == ["skip", "tie", "vote"]
    page.keyboard.press("z")
    hub.until(lambda: hub.acts()[0]["undone"], "the last one undone", page=page)


def of_another_version(route: Route) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, headers={**answer.headers, "x-shortlist-version": "9.9.9"})


def test_after_an_update_the_page_offers_to_reload_and_loses_nothing(
    start_demo: Start, page: Page
) -> None:
    hub = start_demo()
    page.goto(hub.last_step)
    on_stage(page)
    page.route("**/api/acts", lambda route: route.abort())
    press(page, "ArrowLeft")
    press(page, "ArrowRight")
    page.get_by_role("link", name="2 unsent").wait_for()
    page.route("**/api/status", of_another_version)
    assert start_demo(in_place_of=hub) == hub
    page.get_by_text("A new version is ready").wait_for()
    again = page.get_by_role("button", name="Reload")
    assert again.is_disabled()
    page.unroute("**/api/acts")
    hub.until(again.is_enabled, "nothing is unsent", page=page)
    assert len(hub.acts()) == 2
    page.unroute_all(behavior="wait")  # an answer under way could not be given after the reload
    again.click()
    page.get_by_text("A new version is ready").wait_for(state="detached")
    on_stage(page)
