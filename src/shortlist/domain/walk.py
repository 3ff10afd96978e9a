"""Kill-left: what an answer to "where did it go wrong?" means.

A walk goes along a lineage, the base image first and the killed image last, and asks about one
ancestor at a time. Positions are indexes in the lineage.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from shortlist.domain.model import WalkAnswer


class Relation(StrEnum):
    """Why the image beside the asked one stands there."""

    SIBLING = "sibling"
    BEST_OF_STEP = "best of the step"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Turn:
    """What an answer does: whether the asked image is rejected, and where the walk goes.

    `asks` is the position asked about next, null when the walk is over. `blames` is the position
    whose step is to blame, null while that is open and for good when nobody knows.
    """

    rejects: bool
    asks: int | None
    blames: int | None


def opening(length: int) -> int | None:
    """The position asked about first in a lineage of `length`: the parent; none for a base."""
    return length - 2 if length > 1 else None


def turn(answer: WalkAnswer, *, at: int) -> Turn:
    """What `answer` about the image at position `at` does; at the base there is nothing before."""
    match answer:
        case WalkAnswer.ALREADY_WRONG:
            if at == 0:
                return Turn(rejects=True, asks=None, blames=0)
            return Turn(rejects=True, asks=at - 1, blames=None)
        case WalkAnswer.THIS_STEP:
            return Turn(rejects=True, asks=None, blames=at)
        case WalkAnswer.STILL_FINE:
            return Turn(rejects=False, asks=None, blames=at + 1)
        case WalkAnswer.DONT_KNOW:
            return Turn(rejects=False, asks=None, blames=None)
        case _:
            assert_never(answer)
