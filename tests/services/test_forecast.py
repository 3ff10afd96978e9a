"""What a run that exists is told to make, with its caps and pins, and what it then makes."""

from __future__ import annotations

from itertools import count

import pytest

from builders import NOW
from services.test_gates import Studio
from shortlist.domain.model import Pin
from shortlist.services import branches, forecast, pipelines
from shortlist.services.acts import PinAct, ReopenAct
from shortlist.store.db import Database

ids = (f"pin-{number}" for number in count())


@pytest.fixture
def run(db: Database) -> Studio:
    """Three base images with three children each, at the first of two gates."""
    studio = Studio(db)
    studio.render()
    return studio


def planned(run: Studio) -> list[int]:
    with run.db.snapshot() as tx:
        view = run.view()
        steps = pipelines.view(tx, view.pipeline_id).steps
        return [step.images for step in forecast.plan(tx, steps, forecast.numbers_of(tx, view))]


def pin(run: Studio, order: int, pins: list[Pin | None]) -> None:
    """Pins the images of a step, which come as children of the first base image and so on."""
    for image, word in zip(run.images(order), pins, strict=True):
        run.act(PinAct(next(ids), image, word))


def test_a_cap_per_base_image_is_planned_with(run: Studio) -> None:
    run.approve(2, 9, per_base=2)
    assert planned(run) == [3, 9, 18, 9]
    run.render()
    run.approve(3, 50, per_base=1)
    assert planned(run) == [3, 9, 18, 9]
    run.approve(3, 2, per_base=1)
    assert planned(run) == [3, 9, 18, 6]
    run.render()
    assert run.made() == planned(run)


def test_a_cap_stays_planned_with_when_its_gate_is_reopened(run: Studio) -> None:
    run.approve(2, 9, per_base=1)
    run.act(ReopenAct(next(ids), run.run, run.steps[1]))
    assert planned(run) == [3, 9, 9, 9]


def test_pins_at_the_gates_are_planned_with_as_they_stand(run: Studio) -> None:
    yes, no = Pin.ALWAYS, Pin.NEVER
    pin(run, 2, [yes, yes, None, yes, yes, None, no, no, None])
    assert planned(run) == [3, 9, 12, 9]
    run.approve(2, 9)
    assert planned(run) == [3, 9, 21, 9]
    run.approve(2, 9, per_base=1)
    assert planned(run) == [3, 9, 15, 9]
    run.render()
    pin(run, 3, [yes] * 4 + [None] * 11)
    assert planned(run) == [3, 9, 15, 12]
    run.approve(3, 1)
    run.render()
    assert run.made() == planned(run)
    pin(run, 1, [no] * 3)
    pin(run, 4, [yes] * 12)
    assert planned(run) == run.made()


def test_pins_of_killed_images_are_not_planned_with(run: Studio) -> None:
    pin(run, 2, [Pin.ALWAYS] * 5 + [None] * 4)
    assert planned(run) == [3, 9, 15, 9]
    with run.db.transaction() as tx:
        branches.reject(tx, run.images(1)[0], now=NOW)
    assert planned(run) == [3, 9, 9, 9]


def test_pins_of_another_run_are_not_planned_with(run: Studio) -> None:
    other = Studio(run.db)
    other.render()
    pin(other, 2, [Pin.ALWAYS] * 9)
    assert (planned(run), planned(other)) == ([3, 9, 9, 9], [3, 9, 27, 9])
