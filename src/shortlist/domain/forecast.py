"""How many images a run will make, were nobody to kill and no job to fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step: `children` made of each image that goes on (0 at the last step), and `top_k` of
    its gate, null where every image goes on.
    """

    children: int
    top_k: int | None


def images_per_step(
    steps: Sequence[StepPlan], *, base_count: int, target_leaves: int, gated: bool
) -> list[int]:
    """The images of each step, in step order.

    A gated run multiplies what each gate lets through by N. A run without gates fills the tree of
    one base image after the other until its last step holds `target_leaves`.
    """
    if not gated:
        base_count = ceil(target_leaves / _leaves_of_one(steps))
    planned = [base_count]
    for step in steps[:-1]:
        images = planned[-1]
        through = images if step.top_k is None else min(step.top_k, images)
        planned.append(through * step.children)
    return planned


def _leaves_of_one(steps: Sequence[StepPlan]) -> int:
    leaves = 1
    for step in steps[:-1]:
        leaves *= step.children
    return leaves
