"""What a run costs: images and minutes planned, from its numbers and from measured jobs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import func, select, text

from shortlist.domain import forecast, gates
from shortlist.domain.forecast import Pins
from shortlist.domain.model import DEFAULT_TOP_K, GateKind, JobStatus, Pin
from shortlist.services import standing
from shortlist.services.overview import RunView
from shortlist.services.pipelines import StepView
from shortlist.store.conditions import LIVE
from shortlist.store.db import Tx
from shortlist.store.schema import BackendStep, ImageCandidate, ImageFile, Job

SAMPLE: Final = 30
"""Newest jobs of a step that its time and size are measured on: enough to even out, few enough to
follow a change of workflow."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One step's cost for one image; null before the first. `seconds` of rendering, `bytes` of
    the original.
    """

    seconds: float | None
    bytes: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """One step's planned images and what they cost in all; null where nothing was measured."""

    step_id: int
    name: str
    images: int
    seconds: float | None
    bytes: float | None


@dataclass(frozen=True, slots=True)
class Sketch:
    """The same of a step that is still being written."""

    name: str
    images: int
    seconds: float | None
    bytes: float | None


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of a run, made or about to be. By step order: `top_k`, K of approved gates;
    `per_base`, the caps that are set; `pins`, of each base image that has any there.
    """

    max_children: int
    target_leaves: int
    base_count: int
    top_k: Mapping[int, int]
    per_base: Mapping[int, int] = field(default_factory=dict)
    pins: Mapping[int, Sequence[Pins]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """A step that is no row yet. `like`: the step whose workflow it has, null for a new one."""

    name: str
    order: int
    gate: GateKind
    max_children: int | None
    default_top_k: int | None
    like: int | None


def sketch(tx: Tx, steps: Sequence[Draft], numbers: Numbers) -> list[Sketch]:
    """What steps that are still being written would make, in their order."""
    measures = measured(tx, [step.like for step in steps if step.like is not None])
    unknown = Measured(None, None)
    costs = [unknown if step.like is None else measures[step.like] for step in steps]
    return [
        Sketch(step.name, count, _times(cost.seconds, count), _times(cost.bytes, count))
        for step, count, cost in zip(steps, _images(steps, numbers), costs, strict=True)
    ]


def plan(tx: Tx, steps: Sequence[StepView], numbers: Numbers) -> list[Plan]:
    """What the steps would make with these numbers, in step order."""
    measures = measured(tx, [step.id for step in steps])
    images = _images(steps, numbers)
    return [
        Plan(
            step.id,
            step.name,
            count,
            _times(measures[step.id].seconds, count),
            _times(measures[step.id].bytes, count),
        )
        for step, count in zip(steps, images, strict=True)
    ]


def numbers_of(tx: Tx, run: RunView) -> Numbers:
    """The numbers of a run that exists; pins as they stand, decided on or not yet."""
    top_k = {column.step_order: column.top_k for column in run.columns if column.top_k is not None}
    per_base = {column.step_order: column.per_base for column in run.columns if column.per_base}
    return Numbers(
        run.max_children, run.target_leaves, run.base_count, top_k, per_base, _pins(tx, run)
    )


def _pins(tx: Tx, run: RunView) -> dict[int, list[Pins]]:
    """The pinned live images of each step, counted by base image."""
    image = ImageCandidate
    # A pin at a step without a gate, or at the last one, changes nothing that is made.
    gated = [each.step_order for each in run.columns[1:-1] if each.gate is not GateKind.AUTO]
    rows = tx.execute(
        select(image.id, image.step_order, image.path, image.pin).where(
            text(LIVE),
            image.pipeline_run_id == run.id,
            image.step_order.in_(gated),
            image.pin.is_not(None),
        )
    )
    counts = Counter(
        (row.step_order, (*standing.ancestors(row.path), row.id)[0], row.pin) for row in rows
    )
    found = defaultdict[int, list[Pins]](list)
    for order, base in sorted({(order, base) for order, base, _ in counts}):
        always, never = counts[order, base, Pin.ALWAYS], counts[order, base, Pin.NEVER]
        found[order].append(Pins(always, never))
    return dict(found)


def measured(tx: Tx, step_ids: Sequence[int]) -> dict[int, Measured]:
    """Mean seconds and bytes of one image, by step, from its newest jobs."""
    return {step_id: _measured(tx, step_id) for step_id in step_ids}


def _measured(tx: Tx, step_id: int) -> Measured:
    jobs = tx.execute(
        select(Job.started_at, Job.finished_at)
        .where(
            Job.pipeline_step_id == step_id,
            Job.status == JobStatus.SUCCEEDED,
            Job.started_at.is_not(None),
        )
        .order_by(Job.id.desc())
        .limit(SAMPLE)
    ).all()
    newest = (
        select(ImageFile.size_bytes)
        .join(ImageCandidate, ImageCandidate.id == ImageFile.candidate_id)
        .where(ImageCandidate.pipeline_step_id == step_id)
        .order_by(ImageCandidate.id.desc())
        .limit(SAMPLE)
        .subquery()
    )
    size = tx.execute(select(func.avg(newest.c.size_bytes))).scalar()
    times = [
        (job.finished_at - job.started_at).total_seconds()
        for job in jobs
        if job.started_at is not None and job.finished_at is not None
    ]
    seconds = sum(times) / len(times) if times else _told(tx, step_id)
    return Measured(seconds, None if size is None else float(size))


def _told(tx: Tx, step_id: int) -> float | None:
    """What servers say that the step takes: jobs so short that nobody saw them run."""
    usual = func.coalesce(BackendStep.warm_seconds, BackendStep.cold_seconds)
    return tx.execute(
        select(func.avg(usual)).where(BackendStep.pipeline_step_id == step_id)
    ).scalar()


def _images(steps: Sequence[StepView] | Sequence[Draft], numbers: Numbers) -> list[int]:
    return forecast.images_per_step(
        [_planned(step, numbers, last=step is steps[-1]) for step in steps],
        base_count=numbers.base_count,
        target_leaves=numbers.target_leaves,
        gated=gates.is_gated([step.gate for step in steps]),
    )


def _planned(step: StepView | Draft, numbers: Numbers, *, last: bool) -> forecast.StepPlan:
    free = step.order == 1 or step.gate is GateKind.AUTO
    top_k = numbers.top_k.get(step.order, step.default_top_k or DEFAULT_TOP_K)
    return forecast.StepPlan(
        children=0 if last else step.max_children or numbers.max_children,
        top_k=None if free else top_k,
        per_base=numbers.per_base.get(step.order),
        pins=numbers.pins.get(step.order, ()),
    )


def _times(each: float | None, count: int) -> float | None:
    return None if each is None else each * count
