"""Pairs that a person sees once more without being told."""

from __future__ import annotations

from itertools import combinations

import pytest

from judging import Studio, an_id
from shortlist.domain.agreement import ENOUGH, RESTED
from shortlist.domain.pairing import Key, parse
from shortlist.services.acts import SkipAct, VoteAct
from shortlist.services.triage import Result
from shortlist.store.db import Database

SEEDS = range(80)


@pytest.fixture
def studio(db: Database) -> Studio:
    return Studio(db)


def judged(studio: Studio, pairs: int = 1) -> list[Key]:
    """So many pairs that Ann chose the first image of, a while ago."""
    images = studio.batch(9)
    keys = list(combinations(images, 2))[:pairs]
    for one, other in keys:
        studio.votes(one, other)
    pass_time(studio, images[-2:])
    return keys


def pass_time(studio: Studio, images: list[int]) -> None:
    """Ann does so much else that what she judged before may come again."""
    studio.does_all([SkipAct(an_id(), images[0], images[1]) for _ in range(RESTED)])


def repeats(studio: Studio, person: str = "ann", seeds: range = SEEDS) -> tuple[set[Key], int, int]:
    """The repeats that these dice deal, how many, and the pairs there were in all."""
    dealt = [pair for seed in seeds for pair in studio.deck(person, seed=seed, count=8).pairs]
    again = [parse(pair.key) for pair in dealt if pair.repeat]
    return set(again), len(again), len(dealt)


def again(studio: Studio, winner: int, loser: int, person: str = "ann") -> Result:
    return studio.does(VoteAct(an_id(), winner, loser, loser, repeat=True), person)


def test_about_one_pair_in_thirty_is_one_that_the_person_judged_a_while_ago(studio: Studio) -> None:
    before = judged(studio, pairs=3)
    keys, number, dealt = repeats(studio)
    assert keys == set(before)
    assert 0.01 < number / dealt < 0.06


def test_nothing_judged_just_now_and_nothing_of_others_comes_again(studio: Studio) -> None:
    judged(studio)
    one, other, third = studio.batch(3)
    studio.votes(one, other, "bob")
    studio.votes(other, third)
    assert (one, other) not in repeats(studio)[0]
    assert (other, third) not in repeats(studio)[0]
    assert repeats(studio, "bob")[0] == set()


def test_a_pair_with_a_rejected_image_or_a_vote_taken_back_does_not_come_again(
    studio: Studio,
) -> None:
    images = studio.batch(12)
    studio.votes(images[0], images[1])
    taken_back = studio.votes(images[2], images[3])
    studio.votes(images[4], images[5])
    pass_time(studio, images[-3:])
    studio.kills(images[1])
    studio.undoes(target=taken_back)
    assert repeats(studio)[0] == {(images[4], images[5])}


def test_the_answer_to_a_repeat_moves_no_rating_and_can_be_taken_back(studio: Studio) -> None:
    ((one, other),) = judged(studio)
    before = studio.states()
    assert again(studio, other, one).label == "Chose the right image."
    assert studio.states() == before
    undone = studio.undoes().undone
    assert undone is not None
    assert undone.pair is not None
    assert undone.pair.repeat
    assert studio.states() == before
    studio.redoes()
    assert studio.states() == before


def test_an_answer_without_a_first_one_is_an_ordinary_vote(studio: Studio) -> None:
    one, other = studio.batch(2)
    again(studio, one, other)
    assert [studio.states()[id].votes for id in (one, other)] == [1, 1]


def test_ten_repeats_answered_otherwise_say_that_a_pause_would_do_good(studio: Studio) -> None:
    keys = judged(studio, pairs=ENOUGH)
    told = [again(studio, other, one).strained for one, other in keys]
    assert told == [False] * (ENOUGH - 1) + [True]


def test_ten_repeats_answered_alike_say_nothing(studio: Studio) -> None:
    keys = judged(studio, pairs=ENOUGH)
    assert not any(again(studio, one, other).strained for one, other in keys)
