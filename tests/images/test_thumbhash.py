"""Hashes equal those of the reference in JavaScript, which the page decodes with."""

from __future__ import annotations

import pytest

from shortlist.images.thumbhash import thumbhash


def slope(width, height, *, opaque):
    """Colours that run in several directions; opacity too if not `opaque`."""
    return [
        (
            (x * 201 // width + y * 54 // height) % 256,
            (x * 13 // width + y * 180 // height + x * y) % 256,
            (240 - x * 99 // width - y * 35 // height) % 256,
            255 if opaque else (x * x + y * 3) % 256,
        )
        for y in range(height)
        for x in range(width)
    ]


REFERENCE = {
    # (width, height, opaque), from version 0.1.1 of the npm package
    (32, 32, True): "22060657127076776276776488589859989606476780980a",
    (32, 18, True): "221606549270777651668773999470740698b9",
    (18, 32, True): "220606541270176536979459798870740698b9",
    (32, 5, True): "e1250a599063788770796879707207e998",
    (32, 24, False): "e326821c8817c0998288822a094b69a0980a22677677788707",
    (20, 32, False): "e316821b0616b0a148084ba0a40799a900ab53a7877877",
}


@pytest.mark.parametrize(("case", "expected"), REFERENCE.items())
def test_the_hash_is_that_of_the_reference(case, expected):
    width, height, opaque = case

    assert (
        thumbhash(slope(width, height, opaque=opaque), width=width, height=height).hex() == expected
    )


def test_one_pixel_of_nothing_has_a_hash():
    assert len(thumbhash([(0, 0, 0, 0)], width=1, height=1)) > 5
