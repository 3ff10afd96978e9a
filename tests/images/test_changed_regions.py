"""The boxes that tell what a step changed, in spite of the noise that every step makes."""

from __future__ import annotations

import pytest

from images import pictures
from shortlist.images.model import Tier
from shortlist.images.renditions import changed_regions, render

FACE = (0.42, 0.10, 0.60, 0.30)
LEFT_HAND = (0.10, 0.60, 0.22, 0.74)
RIGHT_HAND = (0.75, 0.62, 0.88, 0.76)
FOOT = (0.45, 0.85, 0.6, 0.97)


def regions(before, after):
    return changed_regions(pictures.encoded(before), pictures.encoded(after))


def overlap(box, wanted):
    """Common area by joint area."""
    left, top, right, bottom = wanted
    across = min(box.x + box.width, right) - max(box.x, left)
    down = min(box.y + box.height, bottom) - max(box.y, top)
    common = max(0, across) * max(0, down)
    return common / (box.width * box.height + (right - left) * (bottom - top) - common)


@pytest.mark.parametrize("places", [[FACE], [FACE, LEFT_HAND], [FACE, LEFT_HAND, RIGHT_HAND]])
@pytest.mark.parametrize("noisy", [False, True], ids=["exact", "noisy"])
def test_each_changed_part_gets_a_box(places, noisy):
    before = pictures.photo(640, 768)
    after = pictures.like_decoded_again(before) if noisy else before
    for number, place in enumerate(places):
        after = pictures.pasted(after, place, seed=50 + number)

    boxes = regions(before, after)

    assert len(boxes) == len(places)
    for place in places:
        assert max(overlap(box, place) for box in boxes) > 0.45


def test_there_are_never_more_than_three_boxes():
    before = after = pictures.photo(640, 768)
    for number, place in enumerate([FACE, LEFT_HAND, RIGHT_HAND, FOOT]):
        after = pictures.pasted(after, place, seed=50 + number)

    assert len(regions(before, after)) == 3


def test_a_step_that_only_decodes_again_has_changed_nothing():
    before = pictures.photo(640, 768)

    assert regions(before, pictures.like_decoded_again(before)) == []
    assert regions(before, before) == []


def test_a_face_is_found_in_an_enlarged_child():
    before = pictures.photo(512, 640)
    after = pictures.pasted(before.resize((1024, 1280)), FACE)

    (box,) = regions(before, after)

    assert overlap(box, FACE) > 0.45


def test_a_child_that_changed_all_over_has_no_box():
    assert regions(pictures.photo(640, 768), pictures.photo(640, 768, seed=2)) == []


def test_a_child_of_another_shape_has_no_box():
    before = pictures.photo(640, 768)

    assert regions(before, before.crop((0, 0, 640, 600))) == []


def test_boxes_at_the_rim_stay_inside_the_picture():
    before = pictures.photo(640, 768)
    after = pictures.pasted(before, (0.0, 0.0, 0.2, 0.15))

    (box,) = regions(before, after)

    assert (box.x, box.y) == (0, 0)
    assert 0 < box.x + box.width <= 1


@pytest.mark.parametrize("tier", list(Tier))
def test_tiers_show_the_same_places_as_originals(tier):
    before = pictures.photo(1024, 1280)
    after = pictures.like_decoded_again(before)
    for number, place in enumerate([FACE, LEFT_HAND, RIGHT_HAND]):
        after = pictures.pasted(after, place, seed=50 + number)
    small = [render(pictures.encoded(picture)).tiers[tier] for picture in (before, after)]

    boxes = changed_regions(*small)

    assert len(boxes) == 3
    for place in (FACE, LEFT_HAND, RIGHT_HAND):
        assert max(overlap(box, place) for box in boxes) > 0.45


def test_tiers_of_a_step_that_only_decodes_again_show_nothing():
    before = pictures.photo(1024, 1280)
    after = pictures.like_decoded_again(before)
    small = [render(pictures.encoded(p)).tiers[Tier.SMALL] for p in (before, after)]

    assert changed_regions(*small) == []
