"""What a run will make: never less than its gates let through, and mostly exactly that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.domain.forecast import Pins, StepPlan, images_per_step
from shortlist.domain.gates import Ranked, ranking, top
from shortlist.domain.model import Pin

ELOS = st.sampled_from([900.0, 1000.0, 1100.0])
PINS = st.sampled_from([None, None, None, Pin.ALWAYS, Pin.NEVER])


@dataclass(frozen=True, slots=True)
class Made:
    """A tree as gates let it grow: its steps with the pins they held, and the images of each."""

    steps: list[StepPlan]
    images: list[int]

    @property
    def planned(self) -> list[int]:
        return images_per_step(self.steps, base_count=self.images[0], target_leaves=1, gated=True)


def plans(caps: st.SearchStrategy[int | None]) -> st.SearchStrategy[list[StepPlan]]:
    """Steps behind the first, where all images go on, with gates of every kind and the last."""
    gate = st.builds(StepPlan, st.integers(1, 3), st.none() | st.integers(1, 7), caps)
    return st.tuples(
        st.builds(StepPlan, st.integers(1, 3), st.none()),
        st.lists(gate, min_size=1, max_size=3),
    ).map(lambda steps: [steps[0], *steps[1], StepPlan(0, 3)])


@st.composite
def trees(draw: st.DrawFn, caps: st.SearchStrategy[int | None]) -> Made:
    """`gates.top` at each gate in turn, on images rated and pinned as it happens."""
    ids = count(1)
    steps = draw(plans(caps))
    images = [_image(draw, next(ids), "/") for _ in range(draw(st.integers(1, 4)))]
    made, held = [len(images)], []
    for step in steps[:-1]:
        held.append(replace(step, pins=_pins(images)))
        through = {image.id for image in images}
        if step.top_k is not None:
            through = set(top(ranking(images), count=step.top_k, per_base=step.per_base))
        images = [
            _image(draw, next(ids), f"{parent.path}{parent.id}/")
            for parent in images
            if parent.id in through
            for _ in range(step.children)
        ]
        made.append(len(images))
    return Made([*held, steps[-1]], made)


def _image(draw: st.DrawFn, id: int, path: str) -> Ranked:
    return Ranked(id, draw(ELOS), 0, path, draw(PINS))


def _pins(images: Sequence[Ranked]) -> list[Pins]:
    counts = Counter((image.base_id, image.pin) for image in images)
    bases = sorted({image.base_id for image in images if image.pin})
    return [Pins(counts[base, Pin.ALWAYS], counts[base, Pin.NEVER]) for base in bases]


@given(tree=trees(st.none() | st.integers(1, 3)))
def test_gates_never_let_more_through_than_planned(tree: Made) -> None:
    assert all(made <= planned for made, planned in zip(tree.images, tree.planned, strict=True))


@given(tree=trees(st.none()))
def test_without_caps_gates_let_exactly_the_planned_through(tree: Made) -> None:
    assert tree.images == tree.planned


@given(tree=trees(st.integers(1, 3)))
def test_the_first_gate_lets_exactly_the_planned_through(tree: Made) -> None:
    first = next((at for at, step in enumerate(tree.steps[:-1]) if step.top_k), 0)
    assert tree.images[: first + 2] == tree.planned[: first + 2]


@pytest.mark.parametrize(
    ("gates", "images"),
    [
        ([(5, 1, ())], [3, 9, 9]),
        ([(2, 1, ())], [3, 9, 6]),
        ([(9, 9, ())], [3, 9, 27]),
        ([(1, None, (Pins(2, 0), Pins(2, 0)))], [3, 9, 12]),
        ([(9, None, (Pins(0, 3), Pins(0, 1)))], [3, 9, 15]),
        # One base image has two pins and the cap leaves one of each of the others.
        ([(9, 1, (Pins(2, 0),))], [3, 9, 12]),
        ([(9, 2, (Pins(0, 2),))], [3, 9, 15]),
        # Two images went through, so at most two base images are left to be capped.
        ([(2, None, ()), (9, 1, ())], [3, 9, 6, 6]),
        # The one that was capped has three images behind it, so a cap of four changes nothing.
        ([(9, 1, ()), (9, 4, ())], [3, 9, 9, 27]),
    ],
)
def test_caps_and_pins_at_the_gates_of_three_trees_of_three(
    gates: list[tuple[int, int | None, Sequence[Pins]]], images: list[int]
) -> None:
    steps = [StepPlan(3, None), *(StepPlan(3, *gate) for gate in gates), StepPlan(0, 1)]
    assert images_per_step(steps, base_count=3, target_leaves=1, gated=True) == images


def test_without_gates_trees_are_filled_until_the_target() -> None:
    steps = [StepPlan(3, None), StepPlan(2, None), StepPlan(0, None)]
    assert images_per_step(steps, base_count=9, target_leaves=7, gated=False) == [2, 6, 12]
