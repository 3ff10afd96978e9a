"""The finish line moves while someone votes, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from e2e.demo import AXE, on_stage
from e2e.gated import GatedRun, gated_run
from e2e.test_gates import opened

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from e2e.demo import Hub

SURE = re.compile(r"Top (\d+) (?:still open|about (\d+) % sure)(?:, about (\d+) votes? to go)?")


@pytest.fixture(scope="module")
def hub(idle: tuple[Hub, Path]) -> Hub:
    return idle[0]


@pytest.fixture
def run(hub: Hub) -> GatedRun:
    """Nine images behind three base images, waiting to be decided, rated by the tree."""
    made = gated_run(hub)
    hub.post(f"/runs/{made.id}", {"rating": "tree"}, method="PATCH")
    return made


def line(page: Page) -> tuple[int, int, int | None]:
    """K, percent and votes to go, as the Vote screen tells them."""
    found = SURE.search(page.get_by_role("banner").inner_text())
    if found is None:
        return (0, 0, None)
    top, sure, votes = found.groups()
    return int(top), int(sure or 0), None if votes is None else int(votes)


def pair(page: Page, run: GatedRun) -> tuple[int, int]:
    """The ids of the images on the stage, left then right."""
    columns = cast("dict[str, list[object]]", run.hub.get(f"/runs/{run.id}/candidates")["columns"])
    ids = dict(zip(columns["hash"], columns["id"], strict=True))
    left, right = on_stage(page)
    return cast("int", ids[left]), cast("int", ids[right])


def test_the_finish_line_comes_nearer_with_every_clear_vote(
    hub: Hub, run: GatedRun, page: Page
) -> None:
    page.goto(f"{hub.url}/#/vote?run={run.id}&step=2")
    hub.until(lambda: line(page)[2] is not None, "the votes to go", page=page)
    top, sure, togo = line(page)
    assert top == 3
    assert sure < 30

    def nearer() -> bool:
        now = line(page)
        return now[1] > sure + 20 and (now[2] or 0) < (togo or 0)

    for _ in range(80):  # how many there still are is a guess, and may grow for a while
        if nearer():
            break
        left, right = pair(page, run)
        before = page.locator("[data-place=current]").get_attribute("data-shown")
        page.keyboard.press("ArrowLeft" if left < right else "ArrowRight")
        page.wait_for_function(
            "old => document.querySelector('[data-place=current]')?.dataset.shown !== old",
            arg=before,
        )
    hub.until(nearer, "the line has come nearer", page=page)


def test_the_gate_tells_how_sure_its_choice_is_and_leads_to_the_pairs_that_decide(
    hub: Hub, run: GatedRun, page: Page
) -> None:
    last = run.ranking(2)[-1]
    for image in run.ranking(2)[:2]:
        for _ in range(4):
            run.act({"kind": "vote", "winner": image, "loser": last, "left": image})
    dialog = opened(page, run)
    dialog.get_by_role("slider").fill("2")
    dialog.get_by_text(
        re.compile(r"That these are the best 2 is \d+ % sure by the votes")
    ).wait_for()
    cards = dialog.locator("[data-at] [aria-label*='chance to be among them']")
    hub.until(lambda: cards.count() >= 3, "chances on the cards", page=page)
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run().then(told => told.violations)")
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
    dialog.get_by_role("button", name="Vote the pairs that decide").click()
    page.get_by_role("group", name="Which is better? Face Fix").wait_for()
    hub.until(lambda: line(page)[0] == 2, "the line of the K of the dialog", page=page)


def test_how_sure_it_is_is_told_for_a_run_rated_by_elo_as_well(hub: Hub, page: Page) -> None:
    run = gated_run(hub)
    page.goto(f"{hub.url}/#/vote?run={run.id}&step=2")
    hub.until(lambda: line(page)[0] == 3, "the line of the best three", page=page)
    assert line(page)[2] is None


def test_an_image_of_such_a_run_tells_what_is_believed_of_it(run: GatedRun, page: Page) -> None:
    image = run.ranking(2)[0]
    page.goto(f"{run.hub.url}/#/board/{run.id}")
    page.locator(f"[data-card='{image}']").click()
    page.get_by_text(re.compile(r"^\d+ ± \d+$")).wait_for()
