"""How many images a run will make, were nobody to kill and no job to fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Pins:
    """How many images of one base image a person pinned at a gate."""

    always: int
    never: int


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step: `children` made of each image that goes on (0 at the last step), and its gate.

    `top_k`: null where every image goes on. `per_base`: at most so many from one base image, null
    for any number. `pins`: of each base image that has any.
    """

    children: int
    top_k: int | None
    per_base: int | None = None
    pins: Sequence[Pins] = ()


def images_per_step(
    steps: Sequence[StepPlan], *, base_count: int, target_leaves: int, gated: bool
) -> list[int]:
    """The images of each step, in step order.

    A gated run multiplies what each gate lets through by N. A run without gates fills the tree of
    one base image after the other until its last step holds `target_leaves`.

    Exact but for a cap per base image behind another gate: which base images are left there, and
    with how many images, is for ratings to say. It is then the most that `gates.top` can let
    through.
    """
    if not gated:
        base_count = ceil(target_leaves / _leaves_of_one(steps))
    planned = [base_count]
    bases, each = base_count, 1  # base images that may have images at the step; the most of one
    for step in steps[:-1]:
        through = _through(step, images=planned[-1], bases=bases, each=each)
        bases = min(bases, through)
        each = _most_of_one(step, each) * step.children
        planned.append(through * step.children)
    return planned


def _through(step: StepPlan, *, images: int, bases: int, each: int) -> int:
    """As many as `gates.top` lets through: the pinned ones, then others up to K in all."""
    if step.top_k is None:
        return images
    always = sum(pins.always for pins in step.pins)
    eligible = images - sum(pins.never for pins in step.pins)
    if step.per_base is not None:
        unpinned = max(0, bases - len(step.pins))
        capped = unpinned * min(step.per_base, each) + sum(
            max(pins.always, min(step.per_base, each - pins.never)) for pins in step.pins
        )
        eligible = min(eligible, capped)
    return max(always, min(step.top_k, eligible))


def _most_of_one(step: StepPlan, each: int) -> int:
    """The most images that one base image can get through, were it to have `each`."""
    if step.top_k is None or step.per_base is None:
        return each
    return min(each, max(step.per_base, *(pins.always for pins in step.pins), 0))


def _leaves_of_one(steps: Sequence[StepPlan]) -> int:
    leaves = 1
    for step in steps[:-1]:
        leaves *= step.children
    return leaves
