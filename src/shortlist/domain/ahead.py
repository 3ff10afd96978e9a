"""A dry run: the next jobs of one run, were nobody to judge and no job to fail.

Each job imagined here becomes an image at once, which may be a parent of the next ones. The rule
that chooses is handed in, so that this holds for any policy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias


class Sprout(NamedTuple):
    """An image that is not made yet; `parent` is null for a base image."""

    id: int
    parent: int | None
    step: int


@dataclass(frozen=True, slots=True)
class Shape:
    """What the run's steps do with new images, by place: `limits`, how many children each gets (0
    at the last step); `passes`, whether they may be parents before a person has looked."""

    limits: Sequence[int]
    passes: Sequence[bool]


@dataclass(slots=True)
class Grown:
    """A run as it grows. `places`: parents with room and how much; `lacking`: base images that may
    be begun, where a gate is (`gated`), else finished images; `newer`: what is not made yet."""

    shape: Shape
    gated: bool
    lacking: int
    steps: dict[int, int]
    places: dict[int, int]
    finished: list[int]
    newer: list[Sprout] = field(default_factory=list)
    children: dict[int, int] = field(default_factory=dict)

    def add(self, sprout: Sprout) -> None:
        """One more image, which is not made yet."""
        self.newer.append(sprout)
        self.steps[sprout.id] = sprout.step
        limit = self.shape.limits[sprout.step - 1]
        if limit and self.shape.passes[sprout.step - 1]:
            self.places[sprout.id] = limit
        is_last = sprout.step == len(self.shape.limits)
        if is_last:
            self.finished.append(sprout.id)
        self.lacking -= sprout.parent is None if self.gated else is_last

    def feed(self, parent: int) -> None:
        """Takes a place at a parent."""
        self.children[parent] = self.children.get(parent, 0) + 1
        self.places[parent] -= 1
        if self.places[parent] == 0:
            del self.places[parent]


@dataclass(frozen=True, slots=True)
class Planned:
    """One job to come. `parent_id` is an image there is; `after` the place in the list, from 1, of
    the job whose image is the parent; both null for a base image."""

    step: int
    parent_id: int | None
    after: int | None
    sentence: str


Chosen: TypeAlias = tuple[int | None, str]
"""The parent, null for a base image, and why in one sentence."""

Rule: TypeAlias = Callable[[Grown, int], Chosen | None]
"""What chooses, given the run as it is and how many jobs were chosen before."""


def ahead(run: Grown, *, count: int, rule: Rule, unborn: int) -> list[Planned]:
    """Up to `count` jobs in order. Images not made yet are numbered down from `unborn`."""
    planned: list[Planned] = []
    while len(planned) < count and (chosen := rule(run, len(planned))) is not None:
        parent, sentence = chosen
        step = 1 if parent is None else run.steps[parent] + 1
        after = unborn - parent + 1 if parent is not None and parent <= unborn else None
        born = parent if parent is not None and after is None and parent > 0 else None
        planned.append(Planned(step, born, after, sentence))
        if parent is not None:
            run.feed(parent)
        run.add(Sprout(unborn - len(planned) + 1, parent, step))
    return planned
