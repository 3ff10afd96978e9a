"""Every answer at every level of a lineage of four."""

from __future__ import annotations

import pytest

from shortlist.domain.model import WalkAnswer
from shortlist.domain.walk import Turn, opening, turn


def test_a_walk_opens_at_the_parent_and_a_base_has_none() -> None:
    assert [opening(length) for length in (1, 2, 4)] == [None, 0, 2]


@pytest.mark.parametrize("at", [1, 2])
def test_already_wrong_rejects_and_asks_one_step_to_the_left(at: int) -> None:
    assert turn(WalkAnswer.ALREADY_WRONG, at=at) == Turn(True, at - 1, None)


def test_already_wrong_at_the_base_ends_and_blames_the_base() -> None:
    assert turn(WalkAnswer.ALREADY_WRONG, at=0) == Turn(True, None, 0)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_this_step_rejects_ends_and_blames_it(at: int) -> None:
    assert turn(WalkAnswer.THIS_STEP, at=at) == Turn(True, None, at)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_still_fine_ends_and_blames_the_step_after(at: int) -> None:
    assert turn(WalkAnswer.STILL_FINE, at=at) == Turn(False, None, at + 1)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_dont_know_ends_and_blames_nothing(at: int) -> None:
    assert turn(WalkAnswer.DONT_KNOW, at=at) == Turn(False, None, None)
