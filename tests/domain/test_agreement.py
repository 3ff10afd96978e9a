"""Like answers to a pair seen twice, and when they say that a pause would do good."""

from __future__ import annotations

import pytest

from shortlist.domain.agreement import ENOUGH, is_strained, likeness

ONE, OTHER, SAME = 7, 8, None


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (ONE, ONE, 1.0),
        (SAME, SAME, 1.0),
        (ONE, OTHER, 0.0),
        (ONE, SAME, 0.5),
        (SAME, OTHER, 0.5),
    ],
)
def test_the_same_answer_is_alike_and_a_tie_is_half_alike(
    before: int | None, now: int | None, told: float
) -> None:
    assert likeness(before, now) == told


def test_under_seven_of_the_last_ten_alike_is_a_tired_hand() -> None:
    assert is_strained([1.0] * 6 + [0.5, 0.0, 0.0, 0.0])
    assert not is_strained([1.0] * 7 + [0.0] * 3)


def test_nothing_is_said_of_fewer_than_ten() -> None:
    assert not is_strained([0.0] * (ENOUGH - 1))


def test_only_the_newest_ten_count() -> None:
    assert is_strained([0.0] * ENOUGH + [1.0] * 40)
    assert not is_strained([1.0] * ENOUGH + [0.0] * 40)
