"""Self-agreement: whether a person answers a pair they have judged before as they did then.

Rarely such a pair is shown once more, its sides drawn anew. The answer moves no rating: nothing new
is learnt of the two images, only of the hand that judges them. A low share of like answers, over
enough of them, says that a pause would do good.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

REPEATS_SHARE: Final = 1 / 30
"""Of the pairs, those shown once more."""

RESTED: Final = 30
"""Acts after which a pair may come again: by then it is seen with fresh eyes."""

ENOUGH: Final = 10
"""Repeats that are looked at, the newest; of fewer nothing is said."""

LOW: Final = 0.7
"""A share of like answers below it is that of a tired hand."""


def likeness(before: int | None, now: int | None) -> float:
    """1 for the same answer, 0 for the opposite one; each names the better image, null for a tie.

    A tie beside a choice counts half, as it does in a rating.
    """
    if before == now:
        return 1.0
    return 0.5 if before is None or now is None else 0.0


def is_strained(likenesses: Sequence[float]) -> bool:
    """Whether the answers of late, newest first, are so unlike that a pause would do good."""
    last = likenesses[:ENOUGH]
    return len(last) == ENOUGH and sum(last) / ENOUGH < LOW
