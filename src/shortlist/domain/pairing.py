"""Which two images to show, and on which side; or which four, to choose the worst of.

SQL hands in a handful of candidates around the ones that need a vote (`services/deck.py`); the
choice among them is made here, so that equal candidates and equal dice give equal pairs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from shortlist.errors import BadInput

if TYPE_CHECKING:
    import random

Key: TypeAlias = tuple[int, int]
"""A pair whatever its sides: the lower id first."""

REACH: Final = 20
"""Rating neighbours looked at on each side; more than a deck and a memory of pairs can use up."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A candidate that may be shown. `fresh`: this person has not voted on it."""

    id: int
    elo: float
    votes: int
    fresh: bool


@dataclass(frozen=True, slots=True)
class Sides:
    """Two candidates as they will stand."""

    left: int
    right: int


def key_of(one: int, other: int) -> Key:
    return (one, other) if one < other else (other, one)


def written(key: Key) -> str:
    """A key as it travels: `7-12`."""
    return f"{key[0]}-{key[1]}"


def parse(text: str) -> Key:
    """The key written as `7-12`. Raises `BadInput` for anything else."""
    one, dash, other = text.partition("-")
    if not (dash and one.isascii() and other.isascii() and one.isdigit() and other.isdigit()):
        raise BadInput(f'"{text[:40]}" is no pair; write two image ids like 7-12.')
    return key_of(int(one), int(other))


def choose(
    contestants: Collection[Contestant],
    *,
    count: int,
    taken: Collection[Key],
    tired: Collection[Key],
    last: Collection[int],
    rng: random.Random,
) -> list[Sides]:
    """Up to `count` pairs in the order to show them.

    Fresh candidates come first, those with the fewest votes before others, each beside the closest
    rating there is. While some are fresh, every pair holds one that no other pair holds; when none
    is, the fewest votes decide alone. A key in `taken` (the pairs this person has at hand) is never
    given, one in `tired` only when nothing else is left, and an id in `last` (the pair before)
    only where it can't be avoided.
    """
    held = Counter(id for key in taken for id in key)
    draft = _Draft(
        ranking=sorted(contestants, key=lambda c: (c.elo, c.id)),
        taken=set(taken),
        tired=frozenset(tired),
        last=frozenset(last),
        noise={c.id: rng.random() for c in sorted(contestants, key=lambda c: c.id)},
        uses=held,
        some_fresh=any(c.fresh and not held[c.id] for c in contestants),
    )
    pairs: list[Key] = []
    while len(pairs) < count and (pair := draft.next()):
        draft.take(*pair)
        pairs.append(pair)
    return [shuffled(*pair, rng=rng) for pair in pairs]


def fours(
    contestants: Collection[Contestant],
    *,
    count: int,
    taken: Collection[int],
    rng: random.Random,
) -> list[list[int]]:
    """Up to `count` groups of four in the order to show them, no image twice and none of `taken`.

    The first of each group is a fresh one with the fewest votes; the others have the closest
    ratings, fresh ones before others. Their places are shuffled.
    """
    noise = {c.id: rng.random() for c in sorted(contestants, key=lambda c: c.id)}
    pool = [c for c in contestants if c.id not in taken]
    groups: list[list[int]] = []
    while len(groups) < count and len(pool) >= 4 and any(c.fresh for c in pool):
        focus = min(pool, key=lambda c: (not c.fresh, c.votes, noise[c.id]))
        pool.remove(focus)
        near = sorted(
            pool, key=lambda c: (abs(c.elo - focus.elo), not c.fresh, c.votes, noise[c.id])
        )
        group = [focus.id, *(c.id for c in near[:3])]
        pool = near[3:]
        rng.shuffle(group)
        groups.append(group)
    return groups


def mix_in(
    pairs: Sequence[Sides], families: Sequence[Key], *, share: float, rng: random.Random
) -> list[Sides]:
    """`pairs` with a pair of `families` before about one in 1/`share` of them, at random.

    No family comes twice, nor beside a pair that shows one of its images.
    """
    left = list(families)
    mixed: list[Sides] = []
    for pair in pairs:
        if rng.random() < share:
            around = {id for one in (*mixed[-1:], pair) for id in (one.left, one.right)}
            apart = [key for key in left if around.isdisjoint(key)]
            if apart:
                family = rng.choice(apart)
                left.remove(family)
                mixed.append(shuffled(*family, rng=rng))
        mixed.append(pair)
    return mixed


def shuffled(one: int, other: int, *, rng: random.Random) -> Sides:
    """The two on sides that the dice choose."""
    return Sides(one, other) if rng.random() < 0.5 else Sides(other, one)


@dataclass(slots=True)
class _Draft:
    """The pairs so far, as far as they bear on the next one."""

    ranking: Sequence[Contestant]
    taken: set[Key]
    tired: frozenset[Key]
    last: frozenset[int]
    noise: dict[int, float]
    uses: Counter[int]
    some_fresh: bool

    def next(self) -> Key | None:
        """The best pair left: of the first candidate in line that can stand in a good one."""
        best: tuple[int, Key] | None = None
        for focus in self._line():
            found = self._partner(focus)
            if found is None:
                continue
            penalty, partner = found
            if best is None or penalty < best[0]:
                best = (penalty, (focus.id, partner.id))
            if penalty == 0:
                break
        return best[1] if best else None

    def take(self, one: int, other: int) -> None:
        self.taken.add(key_of(one, other))
        self.uses.update((one, other))
        self.last = frozenset((one, other))

    def _line(self) -> list[Contestant]:
        """Those who need a vote, in the order in which they need it."""
        line = [c for c in self.ranking if not self.some_fresh or (c.fresh and not self.uses[c.id])]
        return sorted(line, key=lambda c: (c.votes + self.uses[c.id], self.noise[c.id]))

    def _partner(self, focus: Contestant) -> tuple[int, Contestant] | None:
        """The closest partner, and its penalty: 2 for a tired pair, 1 for one shown just now."""
        options = [
            (self._penalty(focus.id, c.id), abs(c.elo - focus.elo), *self._need(c), c)
            for c in self._neighbours(focus)
            if c.id != focus.id and key_of(c.id, focus.id) not in self.taken
        ]
        if not options:
            return None
        best = min(options, key=lambda option: option[:-1])
        return best[0], best[-1]

    def _neighbours(self, focus: Contestant) -> Sequence[Contestant]:
        at = bisect_left(self.ranking, (focus.elo, focus.id), key=lambda c: (c.elo, c.id))
        return self.ranking[max(0, at - REACH) : at + REACH + 1]

    def _need(self, one: Contestant) -> tuple[bool, int, float]:
        used = self.uses[one.id]
        return (not one.fresh or used > 0, one.votes + used, self.noise[one.id])

    def _penalty(self, one: int, other: int) -> int:
        shown_just_now = one in self.last or other in self.last
        return 2 * (key_of(one, other) in self.tired) + shown_just_now
