"""Gates in the database: approve, approve again, reopen, confirm.

A decision is written with the gates as they were and as it made them, so that undo and redo are
exact (`reversal.py`). What a person decides takes effect a moment later (`starts_at`), so that the
undo of a slip costs no GPU time; `nights.py` sets it in force.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import aliased

from shortlist.domain import gates
from shortlist.domain.model import GateKind, RunStatus
from shortlist.errors import BadInput, Conflict, NotFound
from shortlist.services import standing
from shortlist.services.acts import (
    Answer,
    ApproveAct,
    ConfirmAct,
    Doing,
    Outcome,
    ReopenAct,
)
from shortlist.services.branches import News
from shortlist.services.journal import EventKind
from shortlist.store.db import Tx
from shortlist.store.schema import (
    GateDecision,
    ImageCandidate,
    PipelineRun,
    PipelineRunStep,
    PipelineStep,
)

MOST: Final = 1_000_000
"""Above it a typing error is likelier than a wish."""


@dataclass(frozen=True, slots=True)
class Place:
    """A gate a decision is about, with what decides whether it may be made."""

    run_id: int
    run_status: RunStatus
    step_id: int
    step_order: int
    step_name: str
    next_name: str | None
    kind: GateKind
    last: bool
    decisions: int
    approved_before: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """What a decision asks for, by whom (null: by itself, for the reason `why`).

    `sure` (0 to 1): how surely those let through are known to be the best, where it is known.
    """

    count: int
    per_base: int | None
    by: str | None
    act_id: int | None
    why: str | None
    sure: float | None = None


def approve(tx: Tx, act: ApproveAct, doing: Doing) -> Outcome:
    """Lets the top K of a step through; at the last step they are the winners, the run completes.

    Raises `Conflict` when the step before is not approved, the run is archived, the gate opens by
    itself, nothing is there yet, or someone decided since `act.seen`.
    """
    tx.lock_tree()
    place = place_of(tx, act.run_id, act.step_id)
    for field, words, value in (
        ("top_k", "K", act.top_k),
        ("per_base", "The most per base image", act.per_base),
    ):
        if value is not None and value < 1:
            raise BadInput(f"{words} must be at least 1, not {value}.", field=field)
        if value is not None and value > MOST:
            raise BadInput(f"{words} must be at most {MOST}, not {value}.", field=field)
    _check(tx, place, seen=act.seen)
    wish = Wish(act.top_k, act.per_base, doing.person, doing.act_id, None)
    starts_at = doing.now + timedelta(seconds=act.hold_seconds)
    before, after = decide(tx, place, wish, starts_at=starts_at, now=doing.now)
    through = len(after.gates[0].advancing)
    images = f"{through} image{'' if through == 1 else 's'}"
    where = "won; the run is complete" if place.last else f"on to {place.next_name}"
    return _told(place, f"{place.step_name}: {images} {where}.", before, after)


def reopen(tx: Tx, act: ReopenAct, doing: Doing) -> Outcome:
    """Closes a gate again: no new jobs from it; images already made stay."""

    def closed(gates: Sequence[standing.Gate]) -> tuple[standing.Gate, ...]:
        gate, *later = gates
        if not gate.approved:
            raise Conflict("The gate is not approved; there is nothing to reopen.")
        if gate.provisional:
            later = [*_revised(tx, later, was=gate.advancing, now_is=())]
        return _closed(gate, advancing=()), *later

    return _alter(tx, act, doing, change=closed, verb="is open again; what was made stays")


def confirm(tx: Tx, act: ConfirmAct, doing: Doing) -> Outcome:
    """Takes a gate that passed provisionally as it is."""

    def confirmed(gates: Sequence[standing.Gate]) -> tuple[standing.Gate, ...]:
        gate, *later = gates
        if not gate.provisional:
            raise Conflict("The gate did not pass by itself; there is nothing to confirm.")
        gate = replace(gate, provisional=False, approved_by=doing.person, approved_at=doing.now)
        return gate, *later

    return _alter(tx, act, doing, change=confirmed, verb="is confirmed")


def _alter(
    tx: Tx,
    act: ReopenAct | ConfirmAct,
    doing: Doing,
    *,
    change: Callable[[Sequence[standing.Gate]], tuple[standing.Gate, ...]],
    verb: str,
) -> Outcome:
    tx.lock_tree()
    place = place_of(tx, act.run_id, act.step_id)
    _check(tx, place, seen=act.seen)
    standing.start_waiting(tx, GateDecision.pipeline_run_id == place.run_id, now=doing.now)
    before = standing.read(tx, place.run_id, from_order=place.step_order, auto=True)
    changed = change(before.gates)
    reopened = before.run_status is RunStatus.COMPLETED and not changed[0].approved
    status = RunStatus.ACTIVE if reopened else before.run_status
    after = standing.Standing(status, changed)
    standing.record(
        tx,
        place.run_id,
        step_order=place.step_order,
        before=before,
        after=after,
        by=doing.person,
        act_id=doing.act_id,
        ranked=(),
        starts_at=doing.now,
        now=doing.now,
    )
    return _told(place, f"{place.step_name} {verb}.", before, after)


def start(tx: Tx, run_id: int, *, now: datetime) -> bool:
    """Sets the waiting decisions of a run in force now; whether there were any."""
    tx.lock_tree()
    return standing.start_waiting(tx, GateDecision.pipeline_run_id == run_id, now=now)


def place_of(tx: Tx, run_id: int, step_id: int) -> Place:
    following = aliased(PipelineStep)
    earlier = aliased(PipelineRunStep)
    row = tx.execute(
        select(
            PipelineRun.status,
            PipelineRun.last_order,
            PipelineStep.name,
            PipelineStep.gate,
            PipelineRunStep.step_order,
            PipelineRunStep.decisions,
            earlier.approved,
            following.name,
        )
        .select_from(PipelineRunStep)
        .join(PipelineRun, PipelineRun.id == PipelineRunStep.pipeline_run_id)
        .join(PipelineStep, PipelineStep.id == PipelineRunStep.pipeline_step_id)
        .outerjoin(
            earlier,
            (earlier.pipeline_run_id == run_id)
            & (earlier.step_order == PipelineRunStep.step_order - 1),
        )
        .outerjoin(
            following,
            (following.pipeline_id == PipelineRun.pipeline_id)
            & (following.order == PipelineRunStep.step_order + 1),
        )
        .where(
            PipelineRunStep.pipeline_run_id == run_id,
            PipelineRunStep.pipeline_step_id == step_id,
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"Run {run_id} has no step {step_id}; look which steps it has.")
    status, last_order, name, kind, order, decisions, before, next_name = row
    return Place(
        run_id=run_id,
        run_status=status,
        step_id=step_id,
        step_order=order,
        step_name=name,
        next_name=next_name,
        kind=kind,
        last=order == last_order,
        decisions=decisions,
        approved_before=before is not False,
    )


def _check(tx: Tx, place: Place, *, seen: int | None) -> None:
    """Raises `Conflict` when this gate can't be decided, or was since the person looked."""
    if place.run_status is RunStatus.ARCHIVED:
        raise Conflict("The run is archived; make it active again first.")
    if not place.approved_before:
        raise Conflict(f"{place.step_name} is blocked: approve the step before it first.")
    if not place.last and place.step_order == 1:
        raise Conflict(f"{place.step_name} is the first step; all of its images advance.")
    if not place.last and place.kind is GateKind.AUTO:
        raise Conflict(f"{place.step_name} has no gate; all of its images advance.")
    if seen is not None and seen != place.decisions:
        raise Conflict(_overtaken(tx, place))


def _overtaken(tx: Tx, place: Place) -> str:
    latest = tx.execute(
        select(GateDecision.decided_by, GateDecision.created_at)
        .where(
            GateDecision.pipeline_run_id == place.run_id,
            GateDecision.step_order == place.step_order,
        )
        .order_by(GateDecision.id.desc())
        .limit(1)
    ).one_or_none()
    who = latest.decided_by if latest and latest.decided_by else "the gate itself"
    when = f" at {latest.created_at:%H:%M:%S} UTC" if latest else ""
    return f"{place.step_name} was decided meanwhile by {who}{when}; look again and decide anew."


def decide(
    tx: Tx, place: Place, wish: Wish, *, starts_at: datetime, now: datetime
) -> tuple[standing.Standing, standing.Standing]:
    """Lets the top of a step through; the gates as they were, and as they are decided now."""
    standing.start_waiting(tx, GateDecision.pipeline_run_id == place.run_id, now=now)
    ranked = standing.ranked(tx, place.run_id, place.step_order)
    if not ranked:
        raise Conflict(f"{place.step_name} holds no live image yet; there is nothing to approve.")
    chosen = tuple(gates.top(ranked, count=wish.count, per_base=wish.per_base))
    before = standing.read(tx, place.run_id, from_order=place.step_order)
    if before.gates[0].provisional:
        before = standing.read(tx, place.run_id, from_order=place.step_order, auto=True)
    gate = replace(
        before.gates[0],
        approved=True,
        approved_at=now,
        approved_by=wish.by,
        top_k_count=wish.count,
        per_base=wish.per_base,
        provisional=wish.by is None,
        assumed=wish.why
        and gates.assumed(wish.why, through=len(chosen), ranked=ranked, sure=wish.sure),
        advancing=chosen,
    )
    later = before.gates[1:]
    if before.gates[0].provisional:
        later = _revised(tx, later, was=before.gates[0].advancing, now_is=chosen)
    status = _status(place, entered=set(chosen) - set(before.gates[0].advancing))
    after = standing.Standing(status, (gate, *later))
    standing.record(
        tx,
        place.run_id,
        step_order=place.step_order,
        before=before,
        after=after,
        by=wish.by,
        act_id=wish.act_id,
        ranked=ranked,
        starts_at=starts_at,
        now=now,
    )
    return before, after


def _status(place: Place, *, entered: Collection[int]) -> RunStatus:
    """A run completes with its last step, and goes on when images enter an earlier one."""
    if place.last:
        return RunStatus.COMPLETED
    if place.run_status is RunStatus.COMPLETED and entered:
        return RunStatus.ACTIVE
    return place.run_status


def _revised(
    tx: Tx, later: Sequence[standing.Gate], *, was: Collection[int], now_is: Collection[int]
) -> tuple[standing.Gate, ...]:
    """The later gates once a provisional one is revised: branches that left no longer advance,
    and a gate that itself passed provisionally on top of it waits again when it is touched.
    """
    left = set(was) - set(now_is)
    entered = set(now_is) - set(was)
    return tuple(_without(tx, gate, left=left, entered=bool(entered)) for gate in later)


def _without(tx: Tx, gate: standing.Gate, *, left: set[int], entered: bool) -> standing.Gate:
    kept = []
    for ids in standing.batches(gate.advancing):
        rows = tx.execute(
            select(ImageCandidate.id, ImageCandidate.path).where(ImageCandidate.id.in_(ids))
        )
        kept += [id for id, path in rows if not left.intersection(standing.ancestors(path))]
    touched = entered or len(kept) < len(gate.advancing)
    gate = replace(gate, advancing=tuple(kept))
    return _closed(gate, advancing=tuple(kept)) if gate.provisional and touched else gate


def _closed(gate: standing.Gate, *, advancing: tuple[int, ...]) -> standing.Gate:
    return replace(
        gate,
        approved=False,
        approved_at=None,
        approved_by=None,
        top_k_count=None,
        provisional=False,
        assumed=None,
        advancing=advancing,
    )


def _told(place: Place, label: str, was: standing.Standing, to: standing.Standing) -> Outcome:
    news = standing.news(place.run_id, was, to) or [
        News(EventKind.GATE_CHANGED, place.run_id, {"step_id": place.step_id})
    ]
    return Outcome(Answer(label, run_id=place.run_id), news=news)
