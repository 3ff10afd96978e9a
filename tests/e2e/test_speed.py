"""From the key to the next pair: measured in the page, and no picture waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.browser import MEASURE, p95, vote

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from e2e.conftest import Start

VOTES = 60
LARGE = 1536
"""Pixels along the longer edge of what is judged."""
LIMIT_MS = 100
TWO_FRAMES_MS = 34
ROUNDS = 3
"""Other work on the machine can spoil a round; none of three is the page's own fault."""


def test_the_next_pair_is_painted_within_a_tenth_of_a_second(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.last_step)
    page.evaluate(MEASURE)
    rounds = []
    for _ in range(ROUNDS):
        paints = vote(page, VOTES)
        took, idle = p95([paint.took for paint in paints]), p95([paint.idle for paint in paints])
        rounds.append({"p95": took, "two idle frames": idle})
        if took <= LIMIT_MS + max(0, idle - TWO_FRAMES_MS):
            break
    else:
        pytest.fail(f"slower than {LIMIT_MS} ms in each round: {rounds}")


def test_no_picture_is_asked_for_only_when_it_is_wanted(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.last_step)
    page.evaluate(MEASURE)
    paints = vote(page, VOTES)
    assert [paint.late for paint in paints if paint.late] == []
    assert min(size for paint in paints for size in paint.sizes) >= LARGE
