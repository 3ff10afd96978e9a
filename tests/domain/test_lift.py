"""The lift of a step: a share with an interval that behaves as one."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shortlist.domain.lift import lift

counts = st.integers(0, 10_000)


def test_without_a_comparison_there_is_no_lift() -> None:
    assert lift(better=0, same=0, worse=0) is None


def test_ten_wins_of_ten_are_no_certainty() -> None:
    found = lift(better=10, same=0, worse=0)
    assert found is not None
    assert found.share == 1
    assert found.low == pytest.approx(0.722, abs=0.001)  # the published interval for 10 of 10
    assert found.high == 1


def test_a_tie_is_half_a_win() -> None:
    assert lift(better=3, same=4, worse=1) == lift(better=5, same=0, worse=3)


@given(counts, counts, counts)
def test_the_share_lies_within_its_interval_and_mirrors(better: int, same: int, worse: int) -> None:
    assume(better + same + worse > 0)
    found = lift(better=better, same=same, worse=worse)
    mirrored = lift(better=worse, same=same, worse=better)
    assert found is not None
    assert mirrored is not None
    assert 0 <= found.low <= found.share + 1e-12
    assert found.share - 1e-12 <= found.high <= 1
    assert found.low == pytest.approx(1 - mirrored.high, abs=1e-9)


@given(counts, counts, counts)
def test_more_of_the_same_narrows_the_interval(better: int, same: int, worse: int) -> None:
    assume(better + same + worse > 0)
    few = lift(better=better, same=same, worse=worse)
    many = lift(better=4 * better, same=4 * same, worse=4 * worse)
    assert few is not None
    assert many is not None
    assert many.high - many.low < few.high - few.low
