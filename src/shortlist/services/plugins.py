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
from shortlist.errors import BadInput, Unavailable


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


def load(kind: Kind, name: str) -> object:
    """What a package brings under that name. Raises `Unavailable` where it can't be had."""
    points = entry_points(group=kind, name=name)
    if not points:
        raise Unavailable(
            f'The {_WORD[kind]} "{name}" is not installed here any more; install its package, or '
            f"choose another for the run."
        )
    point = next(iter(points))
    try:
        return point.load()
    except Exception as error:  # a stranger's module may fail in any way
        raise broken(kind, name, str(error) or type(error).__name__) from error


def broken(kind: Kind, name: str, why: str) -> Unavailable:
    """What to raise when something plugged in does not do its part."""
    return Unavailable(
        f'The {_WORD[kind]} "{name}" does not work: {why.rstrip(".")}. Mend its package, or choose '
        f"another for the run."
    )


def check(kind: Kind, name: str) -> None:
    """Raises `BadInput` where there is none of that name."""
    if name in _OURS[kind]:
        return
    if name not in (known := names(kind)):
        listed = ", ".join(known)
        word = _WORD[kind]
        raise BadInput(f'There is no {word} "{name}" here; choose one of {listed}.', field=word)
