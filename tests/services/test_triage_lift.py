"""A child against its parent: dealt rarely, kept apart from ratings, counted for the step."""

from __future__ import annotations

import pytest

from judging import Studio, an_id
from shortlist.errors import Conflict
from shortlist.services import lifts
from shortlist.services.acts import Act, KillAct, SkipAct, TieAct, VoteAct
from shortlist.services.lifts import StepLift
from shortlist.store.db import Database


@pytest.fixture
def studio(db: Database) -> Studio:
    return Studio(db)


def lift(studio: Studio, order: int = 2) -> StepLift:
    with studio.database.snapshot() as tx:
        (found,) = [each for each in lifts.lifts(tx, studio.run) if each.step_order == order]
        return found


def against(winner: int, loser: int) -> VoteAct:
    return VoteAct(an_id(), winner, loser, loser, versus_parent=True)


def test_a_child_that_wins_lifts_its_step_and_moves_no_rating(studio: Studio) -> None:
    base, face, _, _ = studio.line()
    before = studio.states()
    studio.does(against(face, base))
    assert studio.states() == before
    found = lift(studio)
    assert (found.better, found.same, found.worse) == (1, 0, 0)
    assert found.share == 1
    assert lift(studio, 3).share is None


def test_wins_ties_and_losses_of_all_people_are_counted_once(studio: Studio) -> None:
    base, face, _, _ = studio.line()
    other = studio.image(base)
    studio.does(against(face, base))
    studio.does(against(base, face), "ben")
    tie = TieAct(an_id(), base, other, base, versus_parent=True)
    studio.does(tie)
    studio.does(tie)
    found = lift(studio)
    assert (found.better, found.same, found.worse) == (1, 1, 1)
    assert found.share == 0.5
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.5 < found.high


def test_an_undo_takes_the_vote_out_and_a_redo_puts_it_back(studio: Studio) -> None:
    base, face, _, _ = studio.line()
    before = studio.states()
    studio.does(against(face, base))
    undone = studio.undoes().undone
    assert lift(studio).better == 0
    assert undone is not None
    assert undone.pair is not None
    assert undone.pair.parent_id == base
    studio.redoes()
    assert lift(studio).better == 1
    assert studio.states() == before


def test_two_steps_are_compared_only_where_that_is_said_and_one_made_the_other(
    studio: Studio,
) -> None:
    base, face, hand, _ = studio.line()
    stranger = studio.image()
    refused: list[Act] = [
        VoteAct(an_id(), face, base, base),
        TieAct(an_id(), face, base, base),
        SkipAct(an_id(), face, base),
        KillAct(an_id(), face, base),
        against(hand, base),
        against(face, stranger),
        against(base, stranger),
    ]
    before = studio.states()
    for act in refused:
        with pytest.raises(Conflict):
            studio.does(act)
    assert studio.states() == before
    assert lift(studio).share is None


def test_such_a_pair_is_skipped_and_killed_like_any(studio: Studio) -> None:
    base, face, _, _ = studio.line()
    studio.does(SkipAct(an_id(), base, face, versus_parent=True))
    done = studio.does(KillAct(an_id(), face, base, base, versus_parent=True))
    assert done.walk is not None
    assert not studio.live(face)
    assert studio.live(base)


@pytest.mark.slow
def test_about_one_pair_in_twenty_is_a_child_against_its_parent_where_wanted(
    studio: Studio,
) -> None:
    bases = studio.images(20)
    children = {studio.image(base): base for base in bases}
    pairs = [pair for seed in range(100) for pair in studio.deck(seed=seed, parents=True).pairs]
    mixed = [pair for pair in pairs if pair.parent_id is not None]
    assert 0.02 < len(mixed) / len(pairs) < 0.09
    assert all({pair.left.id, pair.right.id} & set(children) for pair in mixed)
    assert {pair.step_order for pair in mixed} == {2}
    for pair in mixed:
        child = ({pair.left.id, pair.right.id} - {pair.parent_id}).pop()
        assert children[child] == pair.parent_id
    on_the_left = sum(pair.left.id == pair.parent_id for pair in mixed)
    assert 0 < on_the_left < len(mixed)


def test_nobody_who_does_not_want_them_gets_one(studio: Studio) -> None:
    for base in studio.images(8):
        studio.image(base)
    for seed in range(50):
        assert all(pair.parent_id is None for pair in studio.deck(seed=seed).pairs)


def test_a_child_seen_only_beside_its_parent_is_still_to_be_voted_on(studio: Studio) -> None:
    base = studio.image()
    children = studio.images(2, base)
    studio.does(against(children[0], base))
    found = studio.deck()
    assert found.remaining == 2
    assert {found.pairs[0].left.id, found.pairs[0].right.id} == set(children)


def test_what_was_compared_is_not_mixed_in_again(studio: Studio) -> None:
    base = studio.image()
    for child in studio.images(6, base):
        studio.does(against(child, base))
    for seed in range(60):
        pairs = studio.deck(seed=seed, parents=True).pairs
        assert all(pair.parent_id is None for pair in pairs)
