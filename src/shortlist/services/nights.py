"""Gates that open by themselves: decisions that waited for their moment, and provisional gates.

Called every few seconds; nearly always finds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Row,
    column,
    text,
    update,
)

from shortlist.domain import gates
from shortlist.domain.model import DEFAULT_TOP_K
from shortlist.services import finish, standing
from shortlist.services.gates import Wish, decide, place_of
from shortlist.services.journal import append
from shortlist.store.conditions import IN_FLIGHT, LIVE, OPEN_PARENT
from shortlist.store.db import Tx
from shortlist.store.schema import GateDecision, PipelineRun, PipelineRunStep, PipelineStep
from shortlist.store.types import UtcDateTime

_PROVISIONAL: Final = text(
    f"""
    WITH waiting AS (
      SELECT gate.id, gate.pipeline_run_id, gate.pipeline_step_id, gate.step_order,
        gate.complete_since, run.wait_minutes, run.night_from, run.night_until, run.time_zone,
        step.default_top_k, run.base_failures, run.base_count,
        COALESCE((SELECT max(source."order") FROM pipeline_step AS source
          WHERE source.pipeline_id = run.pipeline_id AND source."order" < gate.step_order
            AND source.gate <> 'auto'), 1) AS source_order,
        COALESCE((SELECT decision.decided_by IS NOT NULL FROM gate_decision AS decision
          WHERE decision.pipeline_run_id = run.id AND decision.step_order = gate.step_order
            AND NOT decision.void
          ORDER BY decision.id DESC LIMIT 1), FALSE) AS reopened
      FROM pipeline_run_step AS gate
      JOIN pipeline_step AS step ON step.id = gate.pipeline_step_id AND step.gate = 'provisional'
      JOIN pipeline_run AS run ON run.id = gate.pipeline_run_id AND run.status = 'active'
      JOIN pipeline_run_step AS earlier ON earlier.pipeline_run_id = run.id
        AND earlier.step_order = gate.step_order - 1 AND earlier.approved
      WHERE NOT gate.approved AND gate.step_order < run.last_order)
    SELECT waiting.id, waiting.pipeline_run_id, waiting.pipeline_step_id, waiting.complete_since,
      waiting.wait_minutes, waiting.night_from, waiting.night_until, waiting.time_zone,
      waiting.default_top_k,
      (SELECT act.created_at FROM act WHERE act.pipeline_run_id = waiting.pipeline_run_id
        ORDER BY act.id DESC LIMIT 1) AS last_act,
      EXISTS (SELECT 1 FROM candidate
        WHERE {LIVE} AND candidate.pipeline_run_id = waiting.pipeline_run_id
          AND candidate.step_order = waiting.step_order)
      AND NOT EXISTS (SELECT 1 FROM candidate
        WHERE {OPEN_PARENT} AND candidate.pipeline_run_id = waiting.pipeline_run_id
          AND candidate.step_order >= waiting.source_order
          AND candidate.step_order < waiting.step_order)
      AND NOT EXISTS (SELECT 1 FROM job
        JOIN pipeline_step AS target ON target.id = job.pipeline_step_id
        WHERE {IN_FLIGHT} AND job.pipeline_run_id = waiting.pipeline_run_id
          AND target."order" > waiting.source_order AND target."order" <= waiting.step_order)
      AND (waiting.source_order > 1 OR waiting.base_failures >= 3 OR waiting.base_count <= (
        SELECT count(*) FROM candidate
        WHERE {LIVE} AND candidate.pipeline_run_id = waiting.pipeline_run_id
          AND candidate.step_order = 1)) AS complete
    FROM waiting
    WHERE NOT waiting.reopened
    ORDER BY waiting.pipeline_run_id, waiting.step_order
    """  # noqa: S608 the text is the schema's own constants
).columns(
    PipelineRunStep.id,
    PipelineRunStep.pipeline_run_id,
    PipelineRunStep.pipeline_step_id,
    PipelineRunStep.complete_since,
    PipelineRun.wait_minutes,
    PipelineRun.night_from,
    PipelineRun.night_until,
    PipelineRun.time_zone,
    PipelineStep.default_top_k,
    column("last_act", UtcDateTime),
    column("complete", Boolean),
)
"""Provisional gates that wait, and whether their step is complete. The last step's never opens by
itself: naming winners is a person's word. Nor does one that a person reopened: an unapproved gate
whose last decision of its own was a person's. `source_order`: the step whose images reach this
gate with no other decision between; until they are all there, the ranking would be of a few."""


def certainty(tx: Tx, *, now: datetime) -> dict[int, float]:
    """How surely (0 to 1) the best of each gate that is about to open by itself are known, by the
    gate's row; asked before the transaction that opens it, as it may take a while."""
    found = {}
    for row in tx.execute(_PROVISIONAL).all():
        if row.complete and _why(row, now=now) is not None:
            place = place_of(tx, row.pipeline_run_id, row.pipeline_step_id)
            top = row.default_top_k or DEFAULT_TOP_K
            sure = finish.settled(tx, place.run_id, place.step_order, top=top)
            if sure is not None:
                found[row.id] = sure
    return found


def _why(row: Row[*tuple[Any, ...]], *, now: datetime) -> str | None:
    return gates.assumption(
        gates.Waiting(row.wait_minutes, row.night_from, row.night_until, row.time_zone),
        complete_since=row.complete_since or now,
        last_act=row.last_act,
        now=now,
    )


def _open_by_itself(
    tx: Tx, row: Row[*tuple[Any, ...]], *, sure: float | None, now: datetime
) -> bool:
    if bool(row.complete) is (row.complete_since is None):
        tx.execute(
            update(PipelineRunStep)
            .where(PipelineRunStep.id == row.id)
            .values(complete_since=now if row.complete else None)
        )
    if not row.complete:
        return False
    why = _why(row, now=now)
    if why is None:
        return False
    place = place_of(tx, row.pipeline_run_id, row.pipeline_step_id)
    wish = Wish(row.default_top_k or DEFAULT_TOP_K, None, None, None, why, sure)
    before, after = decide(tx, place, wish, starts_at=now, now=now)
    for told in standing.news(row.pipeline_run_id, before, after):
        append(tx, told.kind, run_id=told.run_id, data=told.data, now=now)
    return True


def tick(tx: Tx, *, now: datetime, certainty: Mapping[int, float] | None = None) -> bool:
    """Sets due decisions in force, and opens provisional gates that waited long enough.

    Where `certainty` knows of a gate, that is noted with what the gate assumed. Returns whether it
    changed anything. Called every few seconds; nearly always finds nothing.
    """
    tx.lock_tree()
    started = standing.start_waiting(tx, GateDecision.starts_at <= now, now=now)
    known = certainty or {}
    opened = [
        row
        for row in tx.execute(_PROVISIONAL).all()
        if _open_by_itself(tx, row, sure=known.get(row.id), now=now)
    ]
    return started or bool(opened)
