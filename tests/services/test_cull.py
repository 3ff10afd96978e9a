"""Culling: images come one by one, are kept with stars or rejected, and every act undoes."""

from __future__ import annotations

import pytest

from judging import Studio, an_id
from shortlist.errors import Conflict, NotFound
from shortlist.services import cull
from shortlist.services.acts import KeepAct
from shortlist.services.cull import Fresh
from shortlist.services.images import cards
from shortlist.store.db import Database


@pytest.fixture
def studio(db: Database) -> Studio:
    return Studio(db)


def fresh(
    studio: Studio,
    *,
    run: int | None = None,
    step: int | None = None,
    count: int = 60,
    exclude: tuple[int, ...] = (),
) -> Fresh:
    with studio.database.snapshot() as tx:
        return cull.fresh(tx, run_id=run, step_order=step, count=count, exclude=exclude)


def ids(found: Fresh) -> list[int]:
    return [image.id for image in found.images]


def keeps(studio: Studio, id: int, stars: int | None = 0, person: str = "ann") -> str:
    return studio.does(KeepAct(an_id(), id, stars), person).id


def stars(studio: Studio, id: int) -> int | None:
    with studio.database.snapshot() as tx:
        return cards(tx, [id])[id].stars


def test_the_column_with_most_unjudged_images_comes_oldest_image_first(studio: Studio) -> None:
    bases = studio.images(3)
    faces = studio.images(4, bases[0])
    found = fresh(studio, count=3)
    assert ids(found) == faces[:3]
    assert found.column is not None
    assert (found.column.step_name, found.column.remaining) == ("Face Fix", 4)
    assert ids(fresh(studio, step=1)) == bases
    assert ids(fresh(studio, exclude=tuple(faces[:2]))) == bases


def test_what_was_voted_on_kept_or_rejected_is_not_shown_again(studio: Studio) -> None:
    a, b, c, d, e = studio.images(5)
    studio.votes(a, b)
    keeps(studio, c, 4)
    studio.kills(d)
    found = fresh(studio)
    assert (ids(found), found.kept) == ([e], 1)
    keeps(studio, e)
    assert fresh(studio) == Fresh((), None, 0)


def test_keeping_changes_stars_and_nothing_else(studio: Studio) -> None:
    a, b = studio.images(2)
    studio.votes(a, b)
    before = studio.states()
    keeps(studio, a, 5)
    keeps(studio, b)
    assert studio.states() == before
    assert (stars(studio, a), stars(studio, b)) == (5, 0)


def test_undo_and_redo_go_back_and_forth_over_keeps_and_rejects(studio: Studio) -> None:
    a, b = studio.images(2)
    keeps(studio, a)
    keeps(studio, a, 3)
    studio.kills(b)
    studio.undoes()
    assert ids(fresh(studio)) == [b]
    studio.undoes()
    assert stars(studio, a) == 0
    undone = studio.undoes()
    assert undone.label == "Took back: Kept."
    assert stars(studio, a) is None
    assert ids(fresh(studio)) == [a, b]
    for expected in (0, 3):
        studio.redoes()
        assert stars(studio, a) == expected
    studio.redoes()
    assert studio.rejected() == {b}


def test_the_same_act_sent_twice_counts_once(studio: Studio) -> None:
    image = studio.image()
    act = KeepAct("same", image, 2)
    assert not studio.does(act).repeated
    keeps(studio, image, 4)
    assert studio.does(act).repeated
    assert stars(studio, image) == 4
    with pytest.raises(Conflict, match="new id"):
        studio.does(KeepAct("same", image, 3))


def test_an_undo_does_not_overwrite_what_another_person_set_since(studio: Studio) -> None:
    image = studio.image()
    keeps(studio, image, 2)
    keeps(studio, image, 5, "bob")
    with pytest.raises(Conflict, match="otherwise since"):
        studio.undoes()
    assert stars(studio, image) == 5
    studio.undoes("bob")
    assert stars(studio, image) == 2


def test_a_rejected_or_unknown_image_is_not_kept(studio: Studio) -> None:
    base, face = studio.line(2)
    studio.kills(base)
    for id in (base, face):
        with pytest.raises(Conflict, match="already rejected"):
            keeps(studio, id)
    with pytest.raises(NotFound):
        keeps(studio, 9_999)
    with pytest.raises(NotFound):
        fresh(studio, run=9_999)
