"""The rule `adaptive` over rows: where a run can grow, and what is worth most there.

The limits are those of the literal rule: the same open parents, the same lack of base images, the
same holds. Only which of them comes next is another. Importing this imports numpy: do it for a run
that has this policy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from sqlalchemy import text

from shortlist import logs
from shortlist.domain import policy
from shortlist.domain.ahead import Chosen, Grown, Rule
from shortlist.domain.evidence import Node
from shortlist.domain.model import DEFAULT_TOP_K, Policy
from shortlist.domain.model import PARK_AFTER_FAILURES as PARKED
from shortlist.domain.next_job import Odds, Prospect, Reason
from shortlist.domain.next_job import Rule as NextRule
from shortlist.domain.policy import Decision, Frontier, Option, Step
from shortlist.domain.posterior import Posterior
from shortlist.errors import Unavailable
from shortlist.services import beliefs, plugins
from shortlist.services.ahead import FINISHED, FLYING
from shortlist.store.conditions import IN_FLIGHT, LIVE, OPEN_PARENT
from shortlist.store.db import Tx

log = logs.get("policies")


@dataclass(frozen=True, slots=True)
class Growing:
    """An active run with another policy than the literal one. `lacking`: base images it may still
    begin."""

    id: int
    policy: str
    priority: int
    gated: bool
    last_order: int
    lacking: int


RUNS: Final = text(
    f"""
    SELECT run.id, run.policy, run.priority, run.gated, run.last_order, run.base_failures,
      run.target_leaves, run.base_count,
      (SELECT count(*) FROM candidate
       WHERE {LIVE} AND candidate.pipeline_run_id = run.id
         AND candidate.step_order = CASE WHEN run.gated THEN 1 ELSE run.last_order END),
      (SELECT count(*) FROM job
       WHERE {IN_FLIGHT} AND job.pipeline_run_id = run.id
         AND (NOT run.gated OR job.parent_id IS NULL))
    FROM pipeline_run AS run
    WHERE run.status = 'active' AND run.policy <> 'right_to_left'
    ORDER BY run.priority DESC, run.id
    """  # noqa: S608 the text is the schema's own constant
)

OPEN: Final = text(
    f"""
    SELECT candidate.id, candidate.step_order, candidate.child_count + candidate.reserved
    FROM candidate
    WHERE {OPEN_PARENT} AND candidate.pipeline_run_id = :run
    ORDER BY candidate.id
    """  # noqa: S608 the text is the schema's own constant
)

REJECTED: Final = text(
    """
    SELECT parent_id, step_order, count(*) FROM candidate
    WHERE pipeline_run_id = :run AND status = 'rejected' GROUP BY parent_id, step_order
    """
)

STEPS: Final = text(
    """
    SELECT gate.held_reason IS NOT NULL AS held, step.default_top_k,
      (SELECT avg(COALESCE(warm_seconds, cold_seconds)) FROM backend_step
       WHERE backend_step.pipeline_step_id = gate.pipeline_step_id) AS seconds
    FROM pipeline_run_step AS gate JOIN pipeline_step AS step ON step.id = gate.pipeline_step_id
    WHERE gate.pipeline_run_id = :run ORDER BY gate.step_order
    """
)


def growing(tx: Tx) -> list[Growing]:
    """Active runs that the literal rule leaves alone, highest priority first; nearly always few."""
    rows = tx.execute(RUNS)
    return [
        Growing(
            id=id,
            policy=policy,
            priority=priority,
            gated=bool(gated),
            last_order=last,
            lacking=(base if gated else target) - live - flying if failures < PARKED else 0,
        )
        for id, policy, priority, gated, last, failures, target, base, live, flying in rows
    ]


def choose(tx: Tx, run: Growing, *, seed: int, closed: Collection[int]) -> Reason | None:
    """The run's next job and why, or null where it has none. `closed`: step orders that the asking
    server can't be given."""
    posterior = beliefs.posterior(tx, run.id)
    frontier = _frontier(tx, run, posterior=posterior, closed=closed)
    if not frontier.room and not frontier.base:
        return None
    try:
        decision = _decided(run, posterior, frontier, seed=seed)
    except Unavailable as fault:  # the other runs go on
        log.warning("policy_failed", run=run.id, policy=run.policy, reason=fault.detail)
        return None
    return None if decision is None else _reason(run, frontier, decision, seed=seed)


STILL_OPEN: Final = text(
    f"""
    SELECT 1 FROM candidate
    WHERE {OPEN_PARENT} AND candidate.pipeline_run_id = :run AND candidate.id = :parent
    """  # noqa: S608 the text is the schema's own constant
)

HELD: Final = text(
    """
    SELECT 1 FROM pipeline_run_step
    WHERE pipeline_run_id = :run AND step_order = :step_order AND held_reason IS NOT NULL
    """
)


def holds(tx: Tx, run: Growing, reason: Reason, *, closed: Collection[int]) -> bool:
    """Whether what the run's policy chose a moment ago may still be begun."""
    which = {"run": run.id, "step_order": reason.step_order, "parent": reason.parent_id}
    if reason.step_order in closed or tx.execute(HELD, which).first():
        return False
    if reason.parent_id is None:
        return run.lacking > 0
    return tx.execute(STILL_OPEN, which).first() is not None


def _decided(
    run: Growing, posterior: Posterior, frontier: Frontier, *, seed: int
) -> Decision | None:
    """By our rule, or by one that an installed package brings, which is held to what is offered.

    Raises `Unavailable` where that one fails.
    """
    if run.policy == Policy.ADAPTIVE:
        return policy.decide(posterior, frontier, seed=seed)
    rule: object = plugins.load(plugins.Kind.POLICY, run.policy)
    if not callable(rule):
        raise plugins.broken(plugins.Kind.POLICY, run.policy, "it is no function")
    try:
        return policy.held(rule(posterior, frontier, seed=seed), posterior, frontier)
    except Exception as error:  # a stranger's function may fail in any way
        why = str(error) or type(error).__name__
        raise plugins.broken(plugins.Kind.POLICY, run.policy, why) from error


def looking_ahead(tx: Tx, run_id: int, *, seed: int) -> Rule:
    """The rule for a dry run of one run."""
    (run,) = (run for run in growing(tx) if run.id == run_id)
    posterior = beliefs.posterior(tx, run_id)
    now = _frontier(tx, run, posterior=posterior, closed=())

    def choose(grown: Grown, at: int) -> Chosen | None:
        fed = grown.children.items()
        more = {id: (now.children.get(id, (0, 0))[0] + n, _lost(now, id)) for id, n in fed}
        frontier = replace(
            now,
            room=sorted(grown.places),
            base=grown.lacking > 0,
            finished=grown.finished,
            newer=[Node(*sprout) for sprout in grown.newer],
            children={**now.children, **more},
        )
        decision = _decided(run, posterior, frontier, seed=seed + at)
        if decision is None:
            return None
        return decision.taken.parent, _reason(run, frontier, decision, seed=seed).sentence()

    return choose


def _lost(frontier: Frontier, id: int) -> int:
    return frontier.children.get(id, (0, 0))[1]


def _frontier(tx: Tx, run: Growing, *, posterior: Posterior, closed: Collection[int]) -> Frontier:
    """Jobs in flight are images not known yet; they go by the negative of their number."""
    which = {"run": run.id}
    steps = tx.execute(STEPS, which).all()
    barred = {order for order, (held, _, _) in enumerate(steps, start=1) if held}.union(closed)
    parents = tx.execute(OPEN, which).all()
    lost, rejected = dict[int, int](), Counter[int]()
    for parent, order, count in tx.execute(REJECTED, which):
        rejected[order] += count
        if parent is not None:
            lost[parent] = count
    finished = tx.execute(FINISHED, which | {"last_order": run.last_order}).all()
    return Frontier(
        steps=_steps(posterior, [step.seconds for step in steps], rejected=rejected),
        room=[id for id, order, _ in parents if order + 1 not in barred],
        base=run.lacking > 0 and 1 not in barred,
        finished=[id for (id,) in finished],
        newer=[Node(-id, parent, order) for id, parent, order in tx.execute(FLYING, which)],
        children={id: (made, lost.get(id, 0)) for id, _, made in parents},
        top=steps[-1].default_top_k or DEFAULT_TOP_K,
        fills=run.gated,
    )


def _steps(
    posterior: Posterior, seconds: Sequence[float | None], *, rejected: Counter[int]
) -> list[Step]:
    """Each step's cost, as its servers last measured it, and its fate so far."""
    made = np.bincount(posterior.tree.step, minlength=len(seconds) + 1)
    return [Step(took, int(made[n]), rejected[n]) for n, took in enumerate(seconds, start=1)]


def _reason(run: Growing, frontier: Frontier, decision: Decision, *, seed: int) -> Reason:
    taken = decision.taken
    return Reason(
        rule=NextRule.ADAPTIVE,
        priority=run.priority,
        step_order=taken.step,
        eligible=decision.options,
        tickets=0.0,
        ticket=0.0,
        seed=seed,
        parent_id=taken.parent,
        elo=None,
        lacking=run.lacking if taken.parent is None else None,
        odds=Odds(
            top=frontier.top,
            few=len(frontier.finished) < frontier.top,
            taken=_prospect(taken),
            second=None if decision.second is None else _prospect(decision.second),
        ),
    )


def _prospect(option: Option) -> Prospect:
    return Prospect(option.parent, option.odds, option.seconds)
