"""What failures stop until a person lets it go on: a parked parent, a held step."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update

from shortlist.errors import NotFound
from shortlist.services import assignments, failures
from shortlist.services.journal import EventKind, append
from shortlist.store.db import Tx
from shortlist.store.schema import ImageCandidate, Job, PipelineRun, PipelineRunStep


def retry_parent(tx: Tx, candidate_id: int, *, now: datetime) -> None:
    """Lifts the parking of a parent whose jobs failed too often."""
    run_id = tx.execute(
        update(ImageCandidate)
        .where(ImageCandidate.id == candidate_id)
        .values(failures=0)
        .returning(ImageCandidate.pipeline_run_id)
    ).scalar()
    if run_id is None:
        raise NotFound(f"There is no image {candidate_id}.")
    failures.settle(tx, Job.parent_id == candidate_id, now=now)
    append(tx, EventKind.RUN_CHANGED, run_id=run_id, data={}, now=now)


def hold(tx: Tx, run_id: int, step_id: int, *, reason: str, now: datetime) -> None:
    """Holds a step of a run until a person has looked: no job of it can be made.

    Nothing where the run has gone over to another version of its pipeline meanwhile.
    """
    tx.lock_tree()
    tx.execute(
        update(PipelineRunStep)
        .where(
            PipelineRunStep.pipeline_run_id == run_id,
            PipelineRunStep.pipeline_step_id == step_id,
        )
        .values(held_reason=reason)
    )
    append(tx, EventKind.GATE_CHANGED, run_id=run_id, data={"step_id": step_id}, now=now)


def release(tx: Tx, run_id: int, step_id: int, *, now: datetime) -> None:
    """Lets a held step of a run go on, and forgives the failures that stopped its parents."""
    tx.lock_tree()
    order = tx.execute(
        update(PipelineRunStep)
        .where(
            PipelineRunStep.pipeline_run_id == run_id,
            PipelineRunStep.pipeline_step_id == step_id,
        )
        .values(held_reason=None)
        .returning(PipelineRunStep.step_order)
    ).scalar()
    if order is None:
        raise NotFound(f"Run {run_id} has no step {step_id}.")
    tx.execute(
        update(ImageCandidate)
        .where(
            ImageCandidate.pipeline_run_id == run_id,
            ImageCandidate.step_order == order - 1,
            ImageCandidate.failures > 0,
        )
        .values(failures=0)
    )
    failures.settle(tx, Job.pipeline_run_id == run_id, Job.pipeline_step_id == step_id, now=now)
    assignments.release_everywhere(tx, step_id, now=now)
    if order == 1:
        tx.execute(update(PipelineRun).where(PipelineRun.id == run_id).values(base_failures=0))
    append(tx, EventKind.GATE_CHANGED, run_id=run_id, data={"step_id": step_id}, now=now)
