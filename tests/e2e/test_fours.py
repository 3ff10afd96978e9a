"""The worst of four in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from uuid import uuid4

from benchmarks.browser import BOUNCE_MS

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from e2e.conftest import Start

FOUR = "[...document.querySelectorAll('.pane:not(.behind) img.tier')].map(image => image.src)"


def four(page: Page) -> list[str]:
    """The four pictures on the stage, once a key counts."""
    page.wait_for_function(
        """bounce => {
          const shown = document.querySelector(".strips")?.dataset.shown;
          return shown && performance.now() - Number(shown) > bounce;
        }""",
        arg=BOUNCE_MS,
        polling=20,
    )
    return [src.split("/images/")[1][:64] for src in cast("list[str]", page.evaluate(FOUR))]


def test_one_key_names_the_worst_and_one_undo_brings_the_four_back(
    start_demo: Start, page: Page
) -> None:
    hub = start_demo()
    page.goto(f"{hub.url}/#/settings")
    page.get_by_role("checkbox", name="The worst of four").check()
    page.goto(hub.last_step)
    first = four(page)
    page.keyboard.press("3")
    second = four(page)
    assert not set(first) & set(second)
    hub.until(lambda: [act["kind"] for act in hub.acts()] == ["worst"], "one act", page=page)
    rows = {str(row["hash"]): row for row in hub.candidates().values() if row["step_order"] == 4}
    assert [rows[hash]["votes"] for hash in first] == [1, 1, 3, 1]
    assert cast("float", rows[first[2]]["elo"]) < 960
    page.keyboard.press("z")
    assert four(page) == first
    hub.until(lambda: hub.acts()[0]["undone"], "undone", page=page)
    page.keyboard.press("1")
    page.reload()
    four(page)
    page.keyboard.press("z")
    hub.until(lambda: [act["undone"] for act in hub.acts()] == [True, True], "undone", page=page)
    assert four(page) == first


def test_four_of_which_one_was_judged_on_another_device_leave_with_a_word(
    start_demo: Start, page: Page
) -> None:
    hub = start_demo()
    page.goto(f"{hub.url}/#/settings")
    page.get_by_role("checkbox", name="The worst of four").check()
    page.goto(hub.last_step)
    first = four(page)
    ids = {row["hash"]: id for id, row in hub.candidates().items() if row["step_order"] == 4}
    elsewhere = {"id": str(uuid4()), "kind": "worst", "worst": ids[first[0]]}
    others = [id for hash, id in ids.items() if hash not in first]
    hub.post("/acts", {"acts": [{**elsewhere, "images": [ids[first[0]], *others[:3]]}]})
    page.get_by_text("Those four went: you have judged one of them elsewhere.").first.wait_for()
    judged = {hash for hash, id in ids.items() if id == ids[first[0]] or id in others[:3]}
    assert not judged & set(four(page))
    page.keyboard.press("2")
    hub.until(lambda: len(hub.acts()) == 2, "the next four are judged here", page=page)


def test_shift_and_a_digit_kill_and_w_walks(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(f"{hub.url}/#/settings")
    page.get_by_role("checkbox", name="The worst of four").check()
    page.goto(hub.last_step)
    killed = four(page)[1]
    on_their_way: list[Route] = []

    def hold(route: Route) -> None:
        on_their_way.append(route)

    page.route("**/api/acts", hold)
    page.keyboard.press("Shift+Digit2")
    assert killed not in four(page)
    # The hub has not heard of the kill yet when the walk is asked for.
    hub.until(lambda: on_their_way, "the kill is sent", page=page)
    page.keyboard.press("w")
    page.get_by_role("heading", name="Where did it go wrong?").wait_for()
    on_their_way[0].continue_()
    page.unroute("**/api/acts")
    page.get_by_role("button", name="Hand Fix did it").and_(page.locator(":enabled")).wait_for()
    page.keyboard.press("ArrowRight")
    page.get_by_text("Blamed: Upscale").first.wait_for()
    rows = hub.candidates().values()
    assert [row["hash"] for row in rows if row["status"] == "rejected"] == [killed]
    page.get_by_role("button", name="Vote on pairs").click()
    page.get_by_role("group", name="Which is better? Upscale").wait_for()
