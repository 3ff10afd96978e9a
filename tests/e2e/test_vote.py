"""The Vote screen in a real browser: keys, blindness, undo across a reload."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import uuid4

from e2e.demo import Hub, on_stage, pictures, press

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from e2e.conftest import Start


def kinds(hub: Hub) -> list[object]:
    return [act["kind"] for act in hub.acts()]


def test_votes_by_keyboard_reach_the_hub_as_they_were_meant(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.url)
    left, right = press(page, "ArrowLeft")
    press(page, "2")
    press(page, "ArrowDown")
    press(page, "ArrowUp")
    hub.until(lambda: len(hub.acts()) == 4, "four acts")
    assert kinds(hub) == ["skip", "tie", "vote", "vote"]
    first = hub.acts()[-1]
    assert first["chosen"] == "left"
    assert (first["left"]["picture"]["hash"], first["right"]["picture"]["hash"]) == (left, right)
    elo = {row["hash"]: row["elo"] for row in hub.candidates().values()}
    assert elo[left] > 1000


def test_the_page_shows_nothing_that_could_sway(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.url)
    for _ in range(3):
        press(page, "ArrowLeft")
    on_stage(page)
    stage = page.get_by_role("group", name=re.compile("Which is better"))
    spoken = stage.evaluate("element => element.parentElement.parentElement.outerHTML")
    read = re.sub(r'src="[^"]*"|style="[^"]*"|data-\w+="[^"]*"|class="[^"]*"', "", spoken)
    for row in hub.candidates().values():
        assert str(row["hash"])[:8] not in read
    assert not re.search(r"\b(1000|1016|984|elo|rank|rating|votes?)\b", read, re.IGNORECASE)
    assert not re.search(r"\.png|\.webp|-\d+\b", page.inner_text("main"))


BOUNCE = """() => {
  for (const type of ["keydown", "keyup", "keydown", "keyup", "keydown", "keyup"])
    document.body.dispatchEvent(new KeyboardEvent(type, { key: "ArrowLeft", bubbles: true }));
}"""
"""Three presses within a millisecond: sent one by one, a busy machine makes them slow presses."""


def test_a_bouncing_key_votes_once(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.url)
    on_stage(page)
    page.evaluate(BOUNCE)
    press(page, "ArrowUp")
    hub.until(lambda: len(hub.acts()) == 2, "a vote and a skip")
    assert kinds(hub) == ["skip", "vote"]


def test_a_key_that_is_held_down_votes_once(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.url)
    on_stage(page)
    for _ in range(5):
        page.keyboard.down("ArrowLeft")
        on_stage(page)
    page.keyboard.up("ArrowLeft")
    press(page, "ArrowUp")
    hub.until(lambda: len(hub.acts()) == 2, "a vote and a skip")
    assert kinds(hub) == ["skip", "vote"]


def test_undo_brings_back_the_pair_with_its_sides_also_after_a_reload(
    start_demo: Start, page: Page
) -> None:
    hub = start_demo()
    page.goto(hub.url)
    first = press(page, "ArrowLeft")
    second = press(page, "ArrowRight")
    on_stage(page)
    page.keyboard.press("z")
    assert pictures(page) == second
    hub.until(lambda: [act["undone"] for act in hub.acts()[:1]] == [True], "the second vote undone")
    page.reload()
    on_stage(page)
    hub.until(lambda: not page.locator(".unsent").count(), "nothing unsent")
    page.keyboard.press("h")
    page.get_by_role("list", name="History").get_by_role("button").first.wait_for()
    page.keyboard.press("Backspace")
    page.wait_for_function(
        "hash => document.querySelector('[data-place=current] img.tier')?.src.includes(hash)",
        arg=first[0],
    )
    assert pictures(page) == first
    hub.until(lambda: all(act["undone"] for act in hub.acts()), "both votes undone")
    assert all(row["elo"] == 1000 for row in hub.candidates().values())


def test_redo_does_again_what_was_undone(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.url)
    judged = press(page, "ArrowLeft")
    following = on_stage(page)
    page.keyboard.press("z")
    assert pictures(page) == judged
    page.keyboard.press("Shift+Z")
    assert pictures(page) == following
    hub.until(lambda: [act["undone"] for act in hub.acts()[:1]] == [False], "the vote stands")
    ratings = {row["hash"]: row["elo"] for row in hub.candidates().values()}
    hub.until(
        lambda: {r["hash"]: r["elo"] for r in hub.candidates().values()}[judged[0]] == 1016,
        f"the winner's rating of {ratings}",
    )


def test_undo_and_redo_show_the_same_pair_as_the_mouse_buttons_do(
    start_demo: Start, page: Page
) -> None:
    hub = start_demo()
    page.goto(hub.url)
    judged = on_stage(page)
    page.get_by_role("button", name="Left", exact=True).click()
    following = on_stage(page)
    assert following != judged
    # A click leaves the keys with the stage: Space looks closer and does not vote again.
    page.keyboard.press("Space")
    assert pictures(page) == following
    page.get_by_role("button", name="Undo").click()
    assert pictures(page) == judged


def test_the_help_sheet_lists_the_keys_and_closes_with_escape(
    start_demo: Start, page: Page
) -> None:
    hub = start_demo()
    page.goto(hub.url)
    on_stage(page)
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    before = pictures(page)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    page.get_by_role("dialog", name="Keys").wait_for(state="detached")
    assert pictures(page) == before
    assert hub.acts() == []


def test_v_shows_the_pair_side_by_side_then_one_at_a_time_then_split(
    start_demo: Start, page: Page
) -> None:
    hub = start_demo()
    page.goto(hub.url)
    pair = on_stage(page)
    page.keyboard.press("v")
    flip = page.get_by_role("button", name="Show the other picture")
    flip.wait_for()
    assert pictures(page) == pair
    page.keyboard.press("ArrowLeft")
    assert pictures(page) == pair  # both must have been seen
    page.keyboard.press(".")
    press(page, "ArrowLeft")
    hub.until(lambda: len(hub.acts()) == 1, "one vote")
    page.keyboard.press("v")
    line = page.get_by_role("slider", name="Where the line stands")
    line.fill("0.25")
    assert line.input_value() == "0.25"
    page.keyboard.press("Tab")
    press(page, "ArrowRight")
    hub.until(lambda: len(hub.acts()) == 2, "a second vote")
    assert [act["chosen"] for act in hub.acts()] == ["right", "left"]
    page.keyboard.press("v")
    line.wait_for(state="detached")
    flip.wait_for(state="detached")


def test_a_pair_judged_a_while_ago_comes_again_unsaid_and_moves_no_rating(
    start_demo: Start, page: Page
) -> None:
    hub = start_demo()
    ids = [id for id, row in hub.candidates().items() if row["step_order"] == 4]
    judged_a_while_ago(hub, ids)
    before = standing(hub)
    go_on_to_a_repeat(hub, page)
    press(page, "ArrowDown")
    hub.until(lambda: hub.acts()[0]["kind"] == "tie", "it is answered", page=page)
    assert standing(hub) == before
    assert page.get_by_text("A good place for a break").count() == 0


def test_ten_repeats_answered_otherwise_than_before_suggest_a_break(
    start_demo: Start, page: Page
) -> None:
    hub = start_demo()
    ids = [id for id, row in hub.candidates().items() if row["step_order"] == 4]
    a, b = ids[:2]
    judged_a_while_ago(hub, ids)
    otherwise = {"kind": "vote", "winner": b, "loser": a, "left": a, "repeat": True}
    hub.post("/acts", {"acts": [{"id": str(uuid4()), **otherwise} for _ in range(9)]})
    go_on_to_a_repeat(hub, page)
    press(page, "ArrowDown")
    page.locator("p", has_text="pairs you had judged before got other answers").wait_for()
    page.reload()
    on_stage(page)
    assert page.get_by_text("A good place for a break").count() == 0


def judged_a_while_ago(hub: Hub, ids: list[int]) -> None:
    """Votes on three pairs, with so many acts behind them that the pairs may come again."""
    votes = [{"kind": "vote", "winner": a, "loser": b, "left": a} for a, b in batched(ids[:6])]
    skips = [{"kind": "skip", "a": ids[-1], "b": ids[-2]} for _ in range(30)]
    hub.post("/acts", {"acts": [{"id": str(uuid4()), **act} for act in (*votes, *skips)]})


def go_on_to_a_repeat(hub: Hub, page: Page) -> None:
    """Opens the Vote screen and skips until a pair stands there that was judged before."""
    again: list[set[str]] = []

    def until_one_comes_again(route: Route) -> None:
        """The hub's own answers, until its dice give one that the test waits for."""
        while not again:
            answer = route.fetch()
            pairs = [pair for pair in answer.json()["pairs"] if pair["repeat"]]
            again.extend(
                {pair[side]["picture"]["hash"] for side in ("left", "right")} for pair in pairs
            )
        route.fulfill(response=answer)

    page.route("**/api/deck?*", until_one_comes_again, times=1)
    page.goto(hub.last_step)
    while set(on_stage(page)) != again[0]:
        press(page, "ArrowUp")


def standing(hub: Hub) -> list[tuple[object, object]]:
    rows = hub.candidates().values()
    return [(row["elo"], row["votes"]) for row in rows if row["step_order"] == 4]


def batched(ids: list[int]) -> list[tuple[int, int]]:
    return list(zip(ids[::2], ids[1::2], strict=True))
