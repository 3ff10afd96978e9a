"""From the key to the next pair: measured in the page, and no picture waited for."""

from __future__ import annotations

from statistics import quantiles
from typing import TYPE_CHECKING, cast

import pytest

from e2e.demo import on_stage

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from e2e.conftest import Start

VOTES = 60
LARGE = 1536
"""Pixels along the longer edge of what is judged."""
LIMIT_MS = 100
UNDER = 2
"""Pairs that lie ready below the one being judged."""
TWO_FRAMES_MS = 34
ROUNDS = 3
"""Other work on the machine can spoil a round; none of three is the page's own fault."""

# From the event of the key until both pictures of the next pair are decoded and two frames have
# passed: the browser's own event timing ends at the first frame, which may still lack them. Then,
# as a measure of how busy the machine is, how long two frames take in which nothing is to be done.
MEASURE = """() => {
  performance.setResourceTimingBufferSize(10_000);
  window.measured = [];
  const frame = () => new Promise(resolve => requestAnimationFrame(resolve));
  const current = () => document.querySelector('[data-place="current"]');
  addEventListener("keydown", async event => {
    const pressed = event.timeStamp;
    const before = current();
    while (current() === before) await frame();
    const images = [...current().querySelectorAll("img.tier")];
    await Promise.all(images.map(image => image.decode()));
    await frame();
    await frame();
    const took = performance.now() - pressed;
    const known = performance.getEntriesByType("resource");
    const late = images.map(image => known.find(entry => entry.name === image.src))
      .filter(entry => !entry || entry.responseEnd > pressed).map(entry => entry?.name ?? "?");
    const sizes = images.map(image => Math.max(image.naturalWidth, image.naturalHeight));
    const idle = performance.now();
    await frame();
    await frame();
    window.measured.push({ took, late, sizes, idle: performance.now() - idle });
  }, { capture: true });
}"""


def test_the_next_pair_is_painted_within_a_tenth_of_a_second(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.last_step)
    page.evaluate(MEASURE)
    rounds = []
    for _ in range(ROUNDS):
        votes = vote(page)
        took, idle = p95(votes, "took"), p95(votes, "idle")
        rounds.append({"p95": took, "two idle frames": idle})
        if took <= LIMIT_MS + max(0, idle - TWO_FRAMES_MS):
            break
    else:
        pytest.fail(f"slower than {LIMIT_MS} ms in each round: {rounds}")


def test_no_picture_is_asked_for_only_when_it_is_wanted(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.last_step)
    page.evaluate(MEASURE)
    votes = vote(page)
    assert [each["late"] for each in votes if each["late"]] == []
    assert min(size for each in votes for size in each["sizes"]) >= LARGE


def vote(page: Page) -> list[dict[str, object]]:
    """Votes sixty times, left and right in turn; gives what the page measured."""
    page.evaluate("() => { window.measured = [] }")
    for number in range(VOTES):
        on_stage(page)
        # Nobody judges faster than the deck is filled, but this test would.
        page.wait_for_selector(f'[data-place="under"] >> nth={UNDER - 1}', state="attached")
        page.keyboard.press("ArrowLeft" if number % 2 else "ArrowRight")
        page.wait_for_function("count => window.measured.length > count", arg=number, polling=20)
    return cast("list[dict[str, object]]", page.evaluate("window.measured"))


def p95(votes: list[dict[str, object]], name: str) -> float:
    return quantiles([cast("float", each[name]) for each in votes], n=20)[-1]
