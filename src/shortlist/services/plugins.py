"""Ratings and policies by name: the literal ones, and those that installed packages bring.

A package names them in the entry points of its metadata; only the one that a run uses is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Final

from shortlist.domain.model import Policy, Rating
from shortlist.errors import BadInput


class Kind(StrEnum):
    """What can be plugged in; each value is the group of its entry points."""

    RATING = "shortlist.ratings"
    POLICY = "shortlist.policies"


_OURS: Final[Mapping[Kind, tuple[str, ...]]] = MappingProxyType(
    {Kind.RATING: tuple(Rating), Kind.POLICY: tuple(Policy)}
)
_WORD: Final = MappingProxyType({Kind.RATING: "rating", Kind.POLICY: "policy"})


def names(kind: Kind) -> list[str]:
    """All that a run may choose from, ours first."""
    brought = {point.name for point in entry_points(group=kind)}
    return [*_OURS[kind], *sorted(brought.difference(_OURS[kind]))]


def check(kind: Kind, name: str) -> None:
    """Raises `BadInput` where there is none of that name."""
    if name in _OURS[kind]:
        return
    if name not in (known := names(kind)):
        listed = ", ".join(known)
        word = _WORD[kind]
        raise BadInput(f'There is no {word} "{name}" here; choose one of {listed}.', field=word)
