"""The worst of four: which four come, what the act counts, and what it refuses."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import select

from judging import Studio, an_id
from shortlist.errors import BadInput, Conflict, NotFound
from shortlist.services import fours
from shortlist.services.acts import KillAct, WorstAct
from shortlist.services.fours import Fours
from shortlist.store.db import Database
from shortlist.store.schema import Vote


@pytest.fixture
def studio(db: Database) -> Studio:
    return Studio(db)


def deal(
    studio: Studio, *, run: int | None = None, count: int = 6, exclude: tuple[int, ...] = ()
) -> Fours:
    rng = random.Random(1)
    with studio.database.snapshot() as tx:
        return fours.fours(
            tx, "ann", run_id=run, step_order=None, count=count, exclude=exclude, rng=rng
        )


def ids(found: Fours) -> list[list[int]]:
    return [[image.id for image in group] for group in found.groups]


def worst(studio: Studio, one: int, *four: int, person: str = "ann") -> str:
    return studio.does(WorstAct(an_id(), one, four), person).id


def test_the_worst_loses_to_each_of_the_others_as_in_three_pairs(studio: Studio) -> None:
    four = studio.images(4)
    a, b, c, d = four
    as_pairs = studio.images(4)
    for winner in (as_pairs[0], as_pairs[2], as_pairs[3]):
        studio.votes(winner, as_pairs[1])
    worst(studio, b, *four)
    states = studio.states()
    assert [states[id] for id in four] == [states[id] for id in as_pairs]
    with studio.database.snapshot() as tx:
        rows = tx.execute(
            select(Vote.winner_id, Vote.loser_id, Vote.left_id)
            .where(Vote.winner_id.in_(four))
            .order_by(Vote.id)
        ).all()
    assert rows == [(a, b, a), (c, b, b), (d, b, b)]


def test_one_undo_takes_all_three_back_and_hands_the_four_back_as_they_stood(
    studio: Studio,
) -> None:
    a, b, c, d = studio.images(4)
    before = studio.states()
    worst(studio, c, d, c, b, a)
    judged = studio.states()
    undone = studio.undoes().undone
    assert undone is not None
    assert [image.id for image in undone.four] == [d, c, b, a]
    assert studio.states() == pytest.approx(before)
    studio.redoes()
    assert studio.states() == judged


@pytest.mark.parametrize(
    ("places", "refusal", "why"),
    [
        ((0, 0, 1, 2, 2), BadInput, "four different images"),
        ((4, 0, 1, 2, 3), BadInput, "four different images"),
        ((0, 0, 1, 2), BadInput, "four different images"),
        ((0, 0, 1, 2, 5), Conflict, "different steps"),
        ((0, 0, 1, 2, 6), NotFound, "no image"),
    ],
)
def test_what_makes_no_sense_is_refused_and_counts_nothing(
    studio: Studio, places: tuple[int, ...], refusal: type[Exception], why: str
) -> None:
    images = [*studio.images(5)]
    images += [studio.image(images[0]), 999_999]
    before = studio.states()
    one, *four = [images[place] for place in places]
    with pytest.raises(refusal, match=why):
        worst(studio, one, *four)
    assert studio.states() == before


def test_a_group_with_a_rejected_image_counts_nothing(studio: Studio) -> None:
    four = studio.images(4)
    studio.does(KillAct(an_id(), four[0]), "ben")
    with pytest.raises(Conflict, match="rejected meanwhile"):
        worst(studio, four[1], *four)
    assert all(state.votes == 0 for state in studio.states().values())


def test_groups_hold_each_fresh_image_once_until_all_have_a_vote(studio: Studio) -> None:
    images = studio.images(10)
    first = ids(deal(studio))
    assert len(first) == 2
    seen = [id for group in first for id in group]
    assert len(set(seen)) == 8
    for group in first:
        worst(studio, group[0], *group)
    (last,) = ids(deal(studio))
    assert {*images} - {*seen} <= {*last}
    worst(studio, last[0], *last)
    assert deal(studio) == Fours((), None)


def test_images_at_hand_and_columns_of_three_give_no_group(studio: Studio) -> None:
    bases = studio.images(5)
    studio.images(3, bases[0])
    found = deal(studio)
    assert found.column is not None
    assert found.column.step_order == 1
    assert ids(deal(studio, exclude=(bases[0], bases[1]))) == []
    with pytest.raises(NotFound, match="no run"):
        deal(studio, run=studio.run + 1)
