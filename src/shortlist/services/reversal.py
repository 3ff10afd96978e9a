"""Decisions on gates taken back and put back: exactly, or not at all.

A decision keeps the gates before and after it; both ways they are set as kept, unless someone has
decided anew since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select, update

from shortlist.domain.model import RunStatus
from shortlist.errors import Conflict
from shortlist.services import standing
from shortlist.services.acts import Answer, Outcome
from shortlist.services.history import Entry
from shortlist.store.db import Tx
from shortlist.store.schema import GateDecision


def take_back(tx: Tx, entries: Sequence[Entry], *, now: datetime) -> Outcome:
    """Puts the gates back as they were before the decision of an act.

    Raises `Conflict` when one of them was decided again since, by whomever.
    """
    return _turn(tx, entries[0], void=True)


def put_back(tx: Tx, entries: Sequence[Entry], *, now: datetime) -> Outcome:
    """Sets the gates again as the act had made them."""
    return _turn(tx, entries[0], void=False)


def _turn(tx: Tx, entry: Entry, *, void: bool) -> Outcome:
    tx.lock_tree()
    id, run_id, before, after = tx.execute(
        select(
            GateDecision.id, GateDecision.pipeline_run_id, GateDecision.before, GateDecision.after
        ).where(GateDecision.act_id == entry.row_id)
    ).one()
    was, to = standing.recorded(before), standing.recorded(after)
    if void:
        was, to = to, was
    _check_untouched(tx, run_id, was=was, to=to, decision=id)
    standing.set_rows(tx, run_id, was=was, to=to)
    standing.set_advancing(tx, run_id, was=was, to=to)
    tx.execute(update(GateDecision).where(GateDecision.id == id).values(void=void, started=True))
    answer = Answer(entry.answer.label, run_id=run_id)
    return Outcome(answer, news=standing.news(run_id, was, to))


def _check_untouched(
    tx: Tx, run_id: int, *, was: standing.Standing, to: standing.Standing, decision: int
) -> None:
    """Raises `Conflict` when the gates that a decision touches do not stand as `was`."""
    touched = {gate.step_order for gate in standing.changed(was, to)}
    present = standing.read(tx, run_id, from_order=was.gates[0].step_order, auto=True)
    if present.run_status is RunStatus.ARCHIVED:
        raise Conflict("The run is archived; make it active again first.")
    moved = {gate.step_order for gate in standing.changed(_rows(was), _rows(present))}
    if touched & (moved | _decided_since(tx, run_id, decision=decision)):
        raise Conflict("The gate was decided again since; decide anew instead of taking this back.")


def _rows(gates: standing.Standing) -> standing.Standing:
    """Without who advances: a decision that still waits has not let anyone through."""
    return replace(gates, gates=tuple(replace(gate, advancing=()) for gate in gates.gates))


def _decided_since(tx: Tx, run_id: int, *, decision: int) -> set[int]:
    """The gates that later decisions, those that stand, are about."""
    later = tx.execute(
        select(GateDecision.before, GateDecision.after).where(
            GateDecision.pipeline_run_id == run_id,
            GateDecision.id > decision,
            ~GateDecision.void,
        )
    )
    return {
        gate.step_order
        for before, after in later
        for gate in standing.changed(standing.recorded(before), standing.recorded(after))
    }
