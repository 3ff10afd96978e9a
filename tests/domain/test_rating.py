"""Elo against worked values and the laws that any rating must keep."""

from __future__ import annotations

from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.domain.rating import Change, expected, update

RATINGS = st.floats(-1e6, 1e6)


def test_between_equals_a_win_moves_sixteen_points() -> None:
    assert update(1000.0, 1000.0, tie=False) == Change(16.0, -16.0)


def test_between_equals_a_tie_moves_nothing() -> None:
    assert update(1200.0, 1200.0, tie=True) == Change(0.0, 0.0)


def test_four_hundred_points_are_odds_of_ten_to_one() -> None:
    assert expected(1400.0, 1000.0) == pytest.approx(10 / 11)


@pytest.mark.parametrize(
    ("winner", "loser", "tie", "delta"),
    [
        (1200.0, 1000.0, False, 7.688),
        (1000.0, 1200.0, False, 24.312),
        (1000.0, 1200.0, True, 8.312),
        (1200.0, 1000.0, True, -8.312),
    ],
)
def test_worked_examples_come_out(winner: float, loser: float, tie: bool, delta: float) -> None:
    assert update(winner, loser, tie=tie).winner == pytest.approx(delta, abs=5e-4)


@given(RATINGS, RATINGS, st.booleans())
def test_points_are_only_passed_on(winner: float, loser: float, tie: bool) -> None:
    change = update(winner, loser, tie=tie)
    assert change.winner == -change.loser
    assert isfinite(change.winner)
    assert abs(change.winner) <= 32


@given(RATINGS, RATINGS)
def test_a_win_never_lowers_the_winner(winner: float, loser: float) -> None:
    assert update(winner, loser, tie=False).winner >= 0


@given(RATINGS, RATINGS)
def test_a_tie_is_the_same_from_both_sides(one: float, other: float) -> None:
    assert update(one, other, tie=True).winner == pytest.approx(
        update(other, one, tie=True).loser, abs=1e-9
    )
