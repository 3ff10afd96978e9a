"""A run goes over to another version of its pipeline, and a failed step is retried with it.

What people made of the run moves along: images, votes and blame stand at the steps of the new
version. Jobs of a step that differs stay with the version that made them: that is the history.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, insert, select, update

from shortlist.errors import BadInput, Conflict, NotFound
from shortlist.services import failures, jobs, pipelines
from shortlist.services.failures import Key, Retried
from shortlist.services.journal import EventKind, append
from shortlist.services.pipelines import PipelineView, StepView
from shortlist.store.db import Tx
from shortlist.store.schema import (
    BackendStep,
    ImageCandidate,
    Job,
    Kill,
    PipelineRun,
    PipelineRunStep,
    Vote,
)


@dataclass(frozen=True, slots=True)
class Moved:
    """What going over to a version changed.

    `steps`: names of those that differ. `taken_back`: jobs of theirs that were under way.
    `failures` and `images`: what had failed at them and is tried again.
    """

    version: int
    steps: tuple[str, ...]
    taken_back: int
    failures: int
    images: int


@dataclass(frozen=True, slots=True)
class _Pair:
    """One step of a run as it is and as it is to be."""

    old: StepView
    new: StepView

    @property
    def differs(self) -> bool:
        return _content(self.old) != _content(self.new)


def move(tx: Tx, run_id: int, pipeline_id: int, *, now: datetime) -> Moved:
    """Lets a run go on with another version of its pipeline.

    Raises `BadInput` for another pipeline, and `Conflict` where steps or gates do not match.
    """
    tx.lock_tree()
    present = tx.execute(
        select(PipelineRun.pipeline_id).where(PipelineRun.id == run_id)
    ).scalar_one_or_none()
    if present is None:
        raise NotFound(f"There is no run {run_id}.")
    old, new = pipelines.view(tx, present), pipelines.view(tx, pipeline_id)
    pairs = _pairs(old, new)
    changed = [pair for pair in pairs if pair.differs]
    back = [jobs.take_back(tx, *_of_step(run_id, pair.old.id), now=now) for pair in changed]
    freed = [_forgive(tx, run_id, pair.old, now=now) for pair in changed]
    for pair in pairs:
        _carry(tx, run_id, pair)
    for pair in pairs[:-1]:
        if pair.old.max_children != pair.new.max_children:
            _limit_children(tx, run_id, pair.new)
    tx.execute(update(PipelineRun).where(PipelineRun.id == run_id).values(pipeline_id=pipeline_id))
    append(tx, EventKind.RUN_CHANGED, run_id=run_id, data={}, now=now)
    return Moved(
        version=new.version,
        steps=tuple(pair.new.name for pair in changed),
        taken_back=sum(back),
        failures=sum(settled for settled, _ in freed),
        images=sum(images for _, images in freed),
    )


def retry(tx: Tx, key: Key, pipeline_id: int, *, now: datetime) -> Retried:
    """Lets the runs of a group of failures go over to a version in which the step differs, so that
    all that failed at it is tried again.
    """
    tx.lock_tree()
    runs = failures.runs(tx, key)
    if not runs:
        raise NotFound(failures.GONE)
    step = pipelines.step(tx, key.step_id)
    version = pipelines.view(tx, pipeline_id)
    if any(_content(each) == _content(step) for each in version.steps if each.order == step.order):
        raise Conflict(
            f"{step.name} is the same in version {version.version}: change the step first, or "
            "retry without a version."
        )
    moved = [move(tx, run_id, pipeline_id, now=now) for run_id in sorted(runs)]
    return Retried(
        failures=sum(each.failures for each in moved),
        images=sum(each.images for each in moved),
        runs=len(moved),
    )


def _content(step: StepView) -> tuple[object, ...]:
    """What decides how a step works, without the row it stands in."""
    return step.name, step.workflow, step.bindings, step.max_children, step.default_top_k


def _pairs(old: PipelineView, new: PipelineView) -> list[_Pair]:
    if old.id == new.id:
        raise Conflict(f"The run has version {new.version} already; nothing was changed.")
    if old.name != new.name:
        raise BadInput(
            f"{new.name} is another pipeline than {old.name}: start a new run of it instead.",
            field="pipeline_id",
        )
    if [step.gate for step in old.steps] != [step.gate for step in new.steps]:
        raise Conflict(
            f"Version {new.version} has other steps or gates than version {old.version}: a run "
            "can't go over to it. Start a new run of it instead."
        )
    return [_Pair(*steps) for steps in zip(old.steps, new.steps, strict=True)]


def _of_step(run_id: int, step_id: int) -> tuple[ColumnElement[bool], ...]:
    """The jobs of a run at a step: those under way would still be made the old way."""
    return Job.pipeline_run_id == run_id, Job.pipeline_step_id == step_id


def _forgive(tx: Tx, run_id: int, step: StepView, *, now: datetime) -> tuple[int, int]:
    """Deals with the failures of a step that is no longer as it was; their number, and the number
    of images that had waited."""
    settled = failures.settle(tx, *_of_step(run_id, step.id), now=now)
    images = tx.execute(
        update(ImageCandidate)
        .where(
            ImageCandidate.pipeline_run_id == run_id,
            ImageCandidate.step_order == step.order - 1,
            ImageCandidate.failures > 0,
        )
        .values(failures=0)
    ).rowcount
    if step.order == 1:
        tx.execute(update(PipelineRun).where(PipelineRun.id == run_id).values(base_failures=0))
    return settled, images


def _carry(tx: Tx, run_id: int, pair: _Pair) -> None:
    """Puts what the run has at a step to the step of the new version."""
    stays = {"pipeline_step_id": pair.new.id}
    released = stays | ({"held_reason": None} if pair.differs else {})
    for table, values in ((PipelineRunStep, released), (ImageCandidate, stays)):
        tx.execute(
            update(table)
            .where(table.pipeline_run_id == run_id, table.pipeline_step_id == pair.old.id)
            .values(values)
        )
    _carry_votes(tx, run_id, pair)
    own = select(ImageCandidate.id).where(ImageCandidate.pipeline_run_id == run_id)
    tx.execute(
        update(Kill)
        .where(Kill.blamed_step_id == pair.old.id, Kill.candidate_id.in_(own))
        .values(blamed_step_id=pair.new.id)
    )
    if pair.differs:
        return
    tx.execute(
        update(Job)
        .where(Job.pipeline_run_id == run_id, Job.pipeline_step_id == pair.old.id)
        .values(stays)
    )
    _carry_servers(tx, pair)


def _limit_children(tx: Tx, run_id: int, step: StepView) -> None:
    """Gives the N of a step, or the run's where it has none of its own, to the images there."""
    own = select(PipelineRun.max_children).where(PipelineRun.id == run_id).scalar_subquery()
    tx.execute(
        update(ImageCandidate)
        .where(ImageCandidate.pipeline_run_id == run_id, ImageCandidate.pipeline_step_id == step.id)
        .values(child_limit=own if step.max_children is None else step.max_children)
    )


def _carry_votes(tx: Tx, run_id: int, pair: _Pair) -> None:
    """What a child against its parent said of a step was said of its old version alone."""
    votes = update(Vote).where(Vote.pipeline_run_id == run_id, Vote.pipeline_step_id == pair.old.id)
    if pair.differs:
        votes = votes.where(Vote.versus_parent.is_(False))
    tx.execute(votes.values(pipeline_step_id=pair.new.id))


_KNOWN: Final = (
    "backend_id",
    "lacks",
    "held_reason",
    "streak_kind",
    "streak",
    "rests_until",
    "warm_seconds",
    "cold_seconds",
)


def _carry_servers(tx: Tx, pair: _Pair) -> None:
    """What is known of an unchanged step on each server holds for its new row as well."""
    known = set(
        tx.execute(
            select(BackendStep.backend_id).where(BackendStep.pipeline_step_id == pair.new.id)
        ).scalars()
    )
    rows = tx.execute(
        select(*(getattr(BackendStep, name) for name in _KNOWN)).where(
            BackendStep.pipeline_step_id == pair.old.id
        )
    ).all()
    fresh = [
        {**row._mapping, "pipeline_step_id": pair.new.id}
        for row in rows
        if row.backend_id not in known
    ]
    if fresh:
        tx.execute(insert(BackendStep), fresh)
