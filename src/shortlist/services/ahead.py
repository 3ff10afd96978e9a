"""What a run's next jobs would be, were it the only run, nobody to judge and no job to fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import text

from shortlist.domain.ahead import Chosen, Grown, Planned, Rule, Shape, Sprout, ahead
from shortlist.domain.gates import approved_at_birth
from shortlist.domain.model import BIRTH_ELO, PARK_AFTER_FAILURES, Policy, RunStatus
from shortlist.domain.next_job import Need, Parent, base_reason, raffle
from shortlist.services import overview
from shortlist.services.overview import RunView
from shortlist.store.conditions import IN_FLIGHT, LIVE, OPEN_PARENT
from shortlist.store.db import Tx

UNBORN: Final = -(2**52)
"""Images not made yet count down from here, far below the numbers of jobs in flight."""

OPEN: Final = text(
    f"""
    SELECT candidate.id, candidate.step_order, candidate.elo_score,
      candidate.child_limit - candidate.child_count - candidate.reserved
    FROM candidate
    WHERE {OPEN_PARENT} AND candidate.pipeline_run_id = :run ORDER BY candidate.id
    """  # noqa: S608 the text is the schema's own constant
)

FLYING: Final = text(
    f"""
    SELECT job.id, job.parent_id, step."order"
    FROM job JOIN pipeline_step AS step ON step.id = job.pipeline_step_id
    WHERE {IN_FLIGHT} AND job.pipeline_run_id = :run ORDER BY job.id
    """  # noqa: S608 the text is the schema's own constant
)

FINISHED: Final = text(
    f"""
    SELECT candidate.id FROM candidate
    WHERE {LIVE} AND candidate.pipeline_run_id = :run AND candidate.step_order = :last_order
    ORDER BY candidate.id
    """  # noqa: S608 the text is the schema's own constant
)

LIMITS: Final = text(
    'SELECT max_children FROM pipeline_step WHERE pipeline_id = :pipeline ORDER BY "order"'
)


class _Parent(NamedTuple):
    """An open parent; `room`: how many children it may still get."""

    id: int
    order: int
    elo: float
    room: int


def next_jobs(tx: Tx, run_id: int, *, count: int, seed: int) -> list[Planned]:
    """Up to `count` jobs, in order; what is in flight is taken as made. Raises `NotFound`."""
    run = overview.view(tx, run_id)
    if run.status is not RunStatus.ACTIVE:
        return []
    parents = [_Parent(*row) for row in tx.execute(OPEN, {"run": run_id})]
    if run.policy == Policy.RIGHT_TO_LEFT:
        rule = _literal(run, {parent.id: parent.elo for parent in parents}, seed=seed)
    else:
        from shortlist.services import adaptive  # imports numpy

        rule = adaptive.looking_ahead(tx, run_id, seed=seed)
    return ahead(_grown(tx, run, parents), count=count, rule=rule, unborn=UNBORN)


def _literal(run: RunView, elos: Mapping[int, float], *, seed: int) -> Rule:
    def choose(grown: Grown, at: int) -> Chosen | None:
        orders = [grown.steps[id] for id in grown.places]
        if orders:
            column = [id for id in sorted(grown.places) if grown.steps[id] == max(orders)]
            parents = [Parent(id, elos.get(id, BIRTH_ELO)) for id in column]
            reason = raffle(parents, priority=run.priority, step_order=max(orders), seed=seed + at)
            return reason.parent_id, reason.sentence()
        if grown.lacking <= 0:
            return None
        need = Need(run.id, run.priority, grown.lacking, run.gated)
        return None, base_reason(need, seed=seed + at).sentence()

    return choose


def _grown(tx: Tx, run: RunView, parents: Sequence[_Parent]) -> Grown:
    """The run as it stands, with what is in flight."""
    held = {column.step_order for column in run.columns if column.held_reason}
    first, last = run.columns[0], run.columns[-1]
    barred = first.step_order in held or run.base_failures >= PARK_AFTER_FAILURES
    wanted = run.base_count - first.live if run.gated else run.target_leaves - last.live
    which = {"run": run.id, "last_order": last.step_order}
    grown = Grown(
        shape=_shape(tx, run),
        gated=run.gated,
        lacking=0 if barred else wanted,
        steps={id: order for id, order, _, _ in parents},
        places={id: room for id, order, _, room in parents if order + 1 not in held},
        finished=list(tx.execute(FINISHED, which).scalars()),
    )
    for id, parent, order in tx.execute(FLYING, which):
        grown.add(Sprout(-id, parent, order))
    return grown


def _shape(tx: Tx, run: RunView) -> Shape:
    own = tx.execute(LIMITS, {"pipeline": run.pipeline_id}).scalars()
    limits = [run.max_children if limit is None else limit for limit in own]
    kinds = enumerate((column.gate for column in run.columns), start=1)
    return Shape(
        limits=[*limits[:-1], 0],
        passes=[approved_at_birth(order=order, gate=gate) for order, gate in kinds],
    )
