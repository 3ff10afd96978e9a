"""Which ancestor explains most of the rejected images whose cause nobody has looked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Open:
    """A rejected image whose cause is open; `above` are its ancestors' ids, the base first."""

    id: int
    step_order: int
    above: Sequence[int]


@dataclass(frozen=True, slots=True)
class Part:
    """The rejected images that one ancestor explains, and how many were `made` of their steps
    below it."""

    ancestor: int
    images: Sequence[Open]
    made: int


def parts(found: Sequence[Open], *, made: Mapping[tuple[int, int], int]) -> list[Part]:
    """Shares `found`, all with ancestors, out among those ancestors, the best explanation first.

    An ancestor explains the more, the more of the images come from it and the fewer others do: the
    square of the rejected over all of their steps below it. Of two that explain as much the closer
    one is taken, then the older. `made` counts the images below an ancestor, by ancestor and step.
    """
    left, shared = list(found), list[Part]()
    while left:
        best = max(_explanations(left, made=made), key=lambda each: each[0])[1]
        shared.append(best)
        left = [each for each in left if best.ancestor not in each.above]
    return shared


def _explanations(
    found: Sequence[Open], *, made: Mapping[tuple[int, int], int]
) -> list[tuple[tuple[Fraction, int, int], Part]]:
    """Every ancestor's part of `found`, and by what to compare it with the others'."""
    below: defaultdict[tuple[int, int], list[Open]] = defaultdict(list)
    for each in found:
        for depth, ancestor in enumerate(each.above):
            below[depth, ancestor].append(each)
    explanations = []
    for (depth, ancestor), images in below.items():
        siblings = sum(made[ancestor, order] for order in {each.step_order for each in images})
        explained = Fraction(len(images) ** 2, siblings)
        explanations.append(((explained, depth, -ancestor), Part(ancestor, images, siblings)))
    return explanations
