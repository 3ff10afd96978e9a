"""Autopsies: rejected images whose cause is open, under the image that explains most of them."""

from __future__ import annotations

import pytest

from judging import Studio, an_id
from shortlist.domain.model import WalkAnswer
from shortlist.services import autopsies
from shortlist.services.acts import KillAct, KillBothAct
from shortlist.services.autopsies import Autopsies
from shortlist.store.db import Database


@pytest.fixture
def studio(db: Database) -> Studio:
    return Studio(db)


def pile(studio: Studio, person: str = "ann") -> Autopsies:
    with studio.database.snapshot() as tx:
        return autopsies.pile(tx, person)


def grouped(studio: Studio) -> list[tuple[int, set[int]]]:
    """The ancestor of each group, and the rejected images in it."""
    return [
        (group.ancestor.id, {each.candidate.id for each in group.rejected})
        for group in pile(studio).groups
    ]


def test_images_are_grouped_by_the_ancestor_that_explains_most(studio: Studio) -> None:
    base, face, hand, one = studio.line()
    other_hand = studio.image(face)
    more = [*studio.images(2, hand), *studio.images(3, other_hand)]
    good = studio.image(base)
    goods = studio.images(4, studio.image(good))
    for id in (one, more[0], more[2], more[3], goods[0]):
        studio.kills(id)
    found = pile(studio)
    assert (found.total, [group.waiting for group in found.groups]) == (5, [5, 5])
    assert grouped(studio)[0] == (face, {one, more[0], more[2], more[3]})
    first = found.groups[0]
    assert (first.step_name, first.made, first.run_id) == ("Face Fix", 6, studio.run)
    assert grouped(studio)[1][1] == {goods[0]}


def test_of_two_that_explain_as_much_the_closer_one_is_named(studio: Studio) -> None:
    *_, hand, last = studio.line()
    studio.kills(last)
    assert grouped(studio) == [(hand, {last})]


@pytest.mark.parametrize(
    "answer", [WalkAnswer.THIS_STEP, WalkAnswer.STILL_FINE, WalkAnswer.DONT_KNOW]
)
def test_an_image_leaves_once_its_walk_is_over(studio: Studio, answer: WalkAnswer) -> None:
    _, _, hand, last = studio.line()
    kill = studio.kills(last)
    assert pile(studio).total == 1
    studio.answers(kill, hand, answer)
    assert pile(studio) == Autopsies(0, [])
    studio.undoes()
    studio.redoes()
    assert pile(studio).total == 0


def test_a_walk_that_was_left_half_way_waits_here(studio: Studio) -> None:
    _, face, hand, last = studio.line()
    kill = studio.kills(last)
    studio.answers(kill, hand, WalkAnswer.ALREADY_WRONG)
    (group,) = pile(studio).groups
    assert [each.walk for each in group.rejected] == [kill]
    asked = studio.walk(kill).asked
    assert asked is not None
    assert asked.candidate.id == face


def test_a_kill_that_was_taken_back_is_not_here(studio: Studio) -> None:
    *_, last = studio.line()
    studio.kills(last)
    studio.undoes()
    assert pile(studio).total == 0
    studio.redoes()
    assert pile(studio).total == 1


def test_base_images_and_other_peoples_are_not_here(studio: Studio) -> None:
    base, face = studio.line(2)
    studio.kills(studio.image())
    studio.kills(face, "bob")
    assert pile(studio).total == 0
    assert pile(studio, "bob").total == 1
    studio.kills(base)
    assert pile(studio, "bob").total == 0, "its base went, so there is nothing left to ask"


def test_every_image_here_can_be_walked(studio: Studio) -> None:
    base = studio.image()
    face, other_face = studio.images(2, base)
    twins, stranger = studio.images(2, face), studio.image(other_face)
    studio.does(KillBothAct(an_id(), *twins))
    studio.does(KillBothAct(an_id(), studio.image(face), stranger))
    kill = studio.kills(studio.image(other_face))
    studio.does(KillAct(an_id(), studio.image(base), walk=kill))
    found = [each for group in pile(studio).groups for each in group.rejected]
    assert len(found) == 4
    assert stranger not in {each.candidate.id for each in found}
    for each in found:
        assert studio.walk(each.walk).asked is not None
