"""What each step of a run is worth to people, from the votes on a child against its parent."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Row, select, text

from shortlist.domain import lift as rule
from shortlist.errors import NotFound
from shortlist.store.db import Tx
from shortlist.store.schema import PipelineRun, PipelineRunStep, PipelineStep


@dataclass(frozen=True, slots=True)
class StepLift:
    """How images with a step fared against those they were made from.

    `share` is the part that the step won, ties half, and lies between `low` and `high` with 95
    percent; the three are null without a comparison.
    """

    step_id: int
    step_name: str
    step_order: int
    better: int
    same: int
    worse: int
    share: float | None
    low: float | None
    high: float | None


def lifts(tx: Tx, run_id: int) -> list[StepLift]:
    """Every step of a run that has one before it, in order. Raises `NotFound`."""
    if tx.execute(select(PipelineRun.id).where(PipelineRun.id == run_id)).first() is None:
        raise NotFound(f"There is no run {run_id}.")
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    for step_id, outcome, count in tx.execute(VERDICTS, {"run": run_id}):
        counts[step_id][outcome] = count
    steps = tx.execute(_STEPS.where(PipelineRunStep.pipeline_run_id == run_id))
    return [_lift(step, counts[step.id]) for step in steps]


_STEPS: Final = (
    select(PipelineStep.id, PipelineStep.name, PipelineRunStep.step_order)
    .join(PipelineRunStep, PipelineRunStep.pipeline_step_id == PipelineStep.id)
    .where(PipelineRunStep.step_order > 1)
    .order_by(PipelineRunStep.step_order)
)

VERDICTS: Final = text(
    """
    SELECT verdict.pipeline_step_id, verdict.outcome, count(*) AS count FROM (
      SELECT vote.pipeline_step_id, CASE
        WHEN vote.tie THEN 'same'
        WHEN winner.parent_id = vote.loser_id THEN 'better'
        ELSE 'worse' END AS outcome
      FROM vote JOIN candidate AS winner ON winner.id = vote.winner_id
      WHERE vote.pipeline_run_id = :run AND vote.versus_parent AND NOT vote.void) AS verdict
    GROUP BY verdict.pipeline_step_id, verdict.outcome
    """
)


def _lift(step: Row[int, str, int], counts: dict[str, int]) -> StepLift:
    better, same, worse = (counts.get(outcome, 0) for outcome in ("better", "same", "worse"))
    found = rule.lift(better=better, same=same, worse=worse)
    return StepLift(
        step_id=step.id,
        step_name=step.name,
        step_order=step.step_order,
        better=better,
        same=same,
        worse=worse,
        share=None if found is None else found.share,
        low=None if found is None else found.low,
        high=None if found is None else found.high,
    )
