"""The choice of pairs from candidates at hand."""

from __future__ import annotations

import random
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.domain.pairing import (
    Contestant,
    Key,
    Sides,
    choose,
    fours,
    key_of,
    parse,
    written,
)
from shortlist.errors import BadInput

CONTESTANTS = st.lists(
    st.builds(
        Contestant,
        id=st.integers(1, 40),
        elo=st.sampled_from([900.0, 984.0, 1000.0, 1016.0, 1200.0]),
        votes=st.integers(0, 3),
        fresh=st.booleans(),
    ),
    unique_by=lambda c: c.id,
    max_size=12,
)
KEYS = st.sets(st.tuples(st.integers(1, 12), st.integers(13, 40)), max_size=6)
SEEDS = st.integers(0, 2**32)


def fresh(id: int, elo: float = 1000.0, votes: int = 0) -> Contestant:
    return Contestant(id, elo, votes, fresh=True)


def voted(id: int, elo: float = 1000.0, votes: int = 1) -> Contestant:
    return Contestant(id, elo, votes, fresh=False)


def chosen(
    *contestants: Contestant,
    count: int = 8,
    taken: Collection[Key] = (),
    tired: Collection[Key] = (),
    last: Collection[int] = (),
    seed: int = 1,
) -> list[Key]:
    rng = random.Random(seed)
    pairs = choose(contestants, count=count, taken=taken, tired=tired, last=last, rng=rng)
    return [key_of(pair.left, pair.right) for pair in pairs]


def test_the_partner_is_the_closest_rating() -> None:
    pool = [fresh(1, 1100.0), voted(2, 1000.0), voted(3, 1090.0), voted(4, 1300.0)]
    assert chosen(*pool) == [(1, 3)]


def test_candidates_without_this_persons_vote_come_before_others() -> None:
    pool = [voted(1, votes=0), voted(2, votes=0), fresh(3, votes=9), fresh(4, votes=9)]
    assert chosen(*pool) == [(3, 4)]


def test_the_fewest_votes_come_first() -> None:
    pool = [fresh(1, 900.0, 5), fresh(2, 901.0, 5), fresh(3, 1100.0, 1), fresh(4, 1101.0, 2)]
    assert chosen(*pool) == [(3, 4), (1, 2)]


def test_among_fresh_equals_every_pair_is_new_to_both() -> None:
    keys = chosen(*[fresh(id) for id in range(1, 17)])
    assert len(keys) == 8
    assert len({id for key in keys for id in key}) == 16


def test_when_everything_is_voted_on_close_ratings_go_on() -> None:
    pool = [voted(1, 1000.0, 1), voted(2, 1200.0, 4), voted(3, 1010.0, 4), voted(4, 1210.0, 4)]
    assert chosen(*pool, count=2) == [(1, 3), (2, 4)]


def test_a_pair_at_hand_is_never_given_again() -> None:
    assert chosen(voted(1), voted(2), taken=[(1, 2)]) == []


def test_an_image_of_the_pair_before_waits_where_it_can() -> None:
    pool = [fresh(1), fresh(2), fresh(3, 1500.0), fresh(4, 1500.0)]
    assert chosen(*pool, last=[1, 2]) == [(3, 4), (1, 2)]


def test_an_image_of_the_pair_before_is_shown_where_nothing_else_is_left() -> None:
    assert chosen(fresh(1), fresh(2), last=[1, 2]) == [(1, 2)]


def test_a_tired_pair_comes_behind_any_other() -> None:
    assert chosen(fresh(1), voted(2), voted(3, 1300.0), tired=[(1, 2)]) == [(1, 3)]
    assert chosen(fresh(1), voted(2), tired=[(1, 2)]) == [(1, 2)]


def test_one_candidate_makes_no_pair() -> None:
    assert chosen(fresh(1)) == []


def test_sides_are_even_over_two_thousand_pairs() -> None:
    rng = random.Random(7)
    pool = [fresh(1), fresh(2)]
    left = sum(
        choose(pool, count=1, taken=(), tired=(), last=(), rng=rng)[0].left == 1
        for _ in range(2000)
    )
    assert abs(left / 2000 - 0.5) < 0.03


@given(CONTESTANTS, KEYS, KEYS, SEEDS)
def test_pairs_are_real_and_new_and_of_two_images(
    pool: list[Contestant], taken: set[Key], tired: set[Key], seed: int
) -> None:
    keys = chosen(*pool, taken=taken, tired=tired, seed=seed)
    assert len(keys) == len(set(keys))
    assert not set(keys) & taken
    assert all(one < other for one, other in keys)
    assert {id for key in keys for id in key} <= {c.id for c in pool}


@given(CONTESTANTS, SEEDS)
def test_every_fresh_candidate_gets_its_pair(pool: list[Contestant], seed: int) -> None:
    keys = chosen(*pool, count=50, seed=seed)
    if len(pool) > 1:
        assert {c.id for c in pool if c.fresh} <= {id for key in keys for id in key}


@given(CONTESTANTS, SEEDS)
def test_equal_candidates_and_equal_dice_give_equal_pairs(
    pool: list[Contestant], seed: int
) -> None:
    def pairs(order: list[Contestant]) -> list[Sides]:
        rng = random.Random(seed)
        return choose(order, count=8, taken=(), tired=(), last=(), rng=rng)

    assert pairs(pool) == pairs(pool[::-1])


@given(CONTESTANTS, st.sets(st.integers(1, 40), max_size=6), SEEDS)
def test_fours_are_of_different_images_with_a_fresh_one_in_each(
    pool: list[Contestant], taken: set[int], seed: int
) -> None:
    groups = fours(pool, count=8, taken=taken, rng=random.Random(seed))
    shown = [id for group in groups for id in group]
    assert len(shown) == len(set(shown)) == 4 * len(groups)
    assert set(shown) <= {c.id for c in pool} - taken
    new = {c.id for c in pool if c.fresh}
    assert all(new & set(group) for group in groups)
    left = {c.id for c in pool} - taken - set(shown)
    assert len(groups) == 8 or len(left) < 4 or not left & new


def test_the_four_have_close_ratings() -> None:
    pool = [fresh(id, elo) for id, elo in enumerate([1000.0, 1300.0] * 4, start=1)]
    groups = fours(pool, count=2, taken=(), rng=random.Random(1))
    assert sorted(map(sorted, groups)) == [[1, 3, 5, 7], [2, 4, 6, 8]]


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_a_key_reads_as_it_was_written(one: int, other: int) -> None:
    assert parse(written(key_of(one, other))) == key_of(other, one)


@pytest.mark.parametrize("text", ["", "7", "7-", "-7", "a-b", "7-9-11", "٧-٩", "7 - 9"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="no pair"):
        parse(text)
