"""Pairs by what a vote on them would settle."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.domain.evidence import Node, Vote
from shortlist.domain.information import BIT, Closed, Contender, choose, gains
from shortlist.domain.pairing import Key, key_of
from shortlist.domain.posterior import Posterior, Spreads, fit

SPREADS = Spreads(base=300.0, step=150.0)
KEYS = st.sets(st.tuples(st.integers(0, 4), st.integers(5, 9)), max_size=8)


def flat(count: int, *log: Vote) -> Posterior:
    return fit([Node(id, None, 1) for id in range(count)], log, spreads=SPREADS)


def contenders(count: int, *, votes: int = 1) -> list[Contender]:
    return [Contender(id, votes) for id in range(count)]


def keys(
    posterior: Posterior,
    pool: list[Contender],
    *,
    top: int = 1,
    closed: Closed | None = None,
    count: int = 1,
) -> list[Key]:
    found = choose(posterior, pool, top=top, closed=closed or Closed(), count=count)
    return [key_of(worth.one, worth.other) for worth in found]


def test_the_pair_on_the_border_is_worth_more_than_one_that_is_settled() -> None:
    ladder = [Vote(a, b) for a in range(6) for b in range(a + 1, 6) for _ in range(3)]
    assert keys(flat(6, *ladder), contenders(6), top=2) == [(1, 2)]
    assert keys(flat(6, *ladder), contenders(6), top=4) == [(3, 4)]


def test_one_that_has_never_been_voted_on_comes_first() -> None:
    pool = [Contender(id, votes=0 if id == 5 else 3) for id in range(6)]
    (pair,) = keys(flat(6, Vote(0, 1), Vote(0, 2), Vote(3, 4)), pool)
    assert 5 in pair


def test_a_pair_voted_on_comes_only_when_no_other_is_left() -> None:
    voted = Closed(voted={(0, 1), (0, 2)})
    assert keys(flat(3), contenders(3), closed=voted, count=3)[0] == (1, 2)
    assert len(keys(flat(3), contenders(3), closed=voted, count=9)) == 3


def test_the_pair_just_shown_gives_way_to_another() -> None:
    posterior, pool = flat(4, Vote(0, 3), Vote(1, 3), Vote(0, 2), Vote(1, 2)), contenders(4)
    (first,) = keys(posterior, pool)
    assert keys(posterior, pool, closed=Closed(last=first)) != [first]


def test_pairs_given_together_share_no_image_with_their_neighbour() -> None:
    first, second, third = keys(flat(8, Vote(0, 1)), contenders(8), top=3, count=3)
    assert not set(first) & set(second)
    assert not set(second) & set(third)


@given(KEYS, st.integers(1, 12), st.integers(1, 9))
def test_a_pair_in_someones_hands_is_never_given_and_none_twice(
    taken: set[Key], count: int, top: int
) -> None:
    found = keys(flat(10), contenders(10), top=top, closed=Closed(taken=taken), count=count)
    assert len(found) == len(set(found)) == count
    assert not taken & set(found)


@given(st.integers(0, 3))
def test_fewer_than_two_candidates_make_no_pair(count: int) -> None:
    assert len(keys(flat(3), contenders(count), top=1, count=5)) == (0, 0, 1, 3)[count]


def test_where_all_advance_pairs_are_still_given() -> None:
    assert len(keys(flat(4), contenders(4), top=9, count=2)) == 2


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**16))
def test_nobody_starves_however_the_votes_fall(seed: int) -> None:
    """One judge, sixty votes on sixteen: everyone is seen early, and seen again."""
    rng, log, seen, voted = random.Random(seed), list[Vote](), Counter[int](), set[Key]()
    last: Key | None = None
    for _ in range(60):
        pool = [Contender(id, seen[id]) for id in range(16)]
        closed = Closed(voted=voted, last=last)
        ((one, other),) = keys(flat(16, *log), pool, top=3, closed=closed)
        assert key_of(one, other) != last
        last = key_of(one, other)
        voted.add(last)
        seen.update(last)
        log.append(Vote(*rng.sample(last, 2)))
        if len(log) == 16:
            assert all(seen[id] for id in range(16))
    assert all(seen[id] >= 2 for id in range(16))


def test_the_regret_and_doubt_a_vote_removes_are_what_the_exact_posterior_says() -> None:
    posterior = flat(5, Vote(0, 1), Vote(0, 2), Vote(1, 3), Vote(2, 4), Vote(1, 2))
    mean, covariance = posterior.joint(range(5))
    approximate = gains(mean, covariance, edge=0.2)[1, 2]
    exact = _gain_by_sampling(mean, covariance, edge=0.2)
    assert approximate == pytest.approx(exact, abs=0.05)
    assert approximate > 0.2


def _gain_by_sampling(mean: np.ndarray, covariance: np.ndarray, *, edge: float) -> float:
    """The same gain for the pair (1, 2), from many draws weighed by their likelihood."""
    draws = np.random.default_rng(1).multivariate_normal(mean, covariance, 400_000)
    wins = 1 / (1 + np.exp(draws[:, 2] - draws[:, 1]))
    later = 0.0
    for weight in (wins, 1 - wins):
        later += weight.mean() * _wrong_side(draws - edge, weight / weight.sum())
    return _wrong_side(draws - edge, np.full(len(draws), 1 / len(draws))) - later


def _wrong_side(beyond: np.ndarray, weight: np.ndarray) -> float:
    """Of each, how far it lies on the less likely side of the border on average, and the doubt."""
    regret = np.minimum(weight @ np.maximum(beyond, 0), weight @ np.maximum(-beyond, 0))
    inside = weight @ (beyond > 0)
    bits = -(inside * np.log2(inside) + (1 - inside) * np.log2(1 - inside))
    return float((regret + BIT * bits).sum())
