"""What a failed job counts against: its parent, or its run's base step, until a person looks.

Out of memory is counted apart from the other failures, because it says more of the server than of
the image: the server frees its memory and rests, and the image is tried once more, elsewhere where
there is an elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, text, update

from shortlist.domain.job_states import Cause
from shortlist.domain.model import PARK_AFTER_FAILURES
from shortlist.services import assignments
from shortlist.store.conditions import OPEN_FAILURE
from shortlist.store.db import Tx
from shortlist.store.schema import ImageCandidate, Job, PipelineRun


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that has just been written down as failed, under the tree lock."""

    run_id: int
    step_id: int
    parent_id: int | None
    backend_id: int
    kind: Cause


def count(tx: Tx, failure: Failure) -> None:
    """Counts a failure; the one too many parks the image, or the run's base step."""
    if failure.kind is not Cause.OUT_OF_MEMORY:
        _add(tx, failure, 1)
    elif _ran_out_too_often(tx, failure):
        _add(tx, failure, PARK_AFTER_FAILURES)


def _ran_out_too_often(tx: Tx, failure: Failure) -> bool:
    """Whether servers have run out of memory for it that often that no other try is worth it."""
    servers = tx.execute(
        select(Job.backend_id).where(
            text(OPEN_FAILURE),
            Job.error_kind == Cause.OUT_OF_MEMORY,
            Job.pipeline_run_id == failure.run_id,
            Job.pipeline_step_id == failure.step_id,
            Job.parent_id == failure.parent_id,
        )
    ).scalars()
    found = list(servers)
    if len(found) >= PARK_AFTER_FAILURES:
        return True
    # A run's base images differ from each other: two of them prove nothing yet.
    if failure.parent_id is None or len(found) < 2:
        return False
    untried = assignments.is_open_elsewhere(tx, failure.backend_id, failure.step_id)
    return len(set(found)) > 1 or not untried


def _add(tx: Tx, failure: Failure, failures: int) -> None:
    if failure.parent_id is None:
        tx.execute(
            update(PipelineRun)
            .where(PipelineRun.id == failure.run_id)
            .values(base_failures=PipelineRun.base_failures + failures)
        )
        return
    tx.execute(
        update(ImageCandidate)
        .where(ImageCandidate.id == failure.parent_id)
        .values(failures=ImageCandidate.failures + failures)
    )
