"""The next job from the database alone, and its claim.

SQL finds the sets, `domain.next_job` decides. A claim takes the tree lock first, so that one
decision at a time sees the tree, and reserves the parent's place in the same transaction. Policies
that take their time say beforehand, in a look, what they would do; a claim then only sees to it
that this still may be done.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from sqlalchemy import Row, TextClause, bindparam, insert, select, text, update

from shortlist.domain.model import PARK_AFTER_FAILURES, JobStatus
from shortlist.domain.next_job import (
    Need,
    Parent,
    Reason,
    base_reason,
    neediest,
    raffle,
    workflow_seed,
)
from shortlist.domain.prompts import Wildcards
from shortlist.services import assignments, graphs, journal, wording
from shortlist.services.assignments import Places
from shortlist.services.journal import EventKind, append, job_changed
from shortlist.services.wording import NO_WILDCARDS
from shortlist.store.conditions import IN_FLIGHT, LIVE, OPEN_PARENT
from shortlist.store.db import Tx
from shortlist.store.schema import ImageCandidate, Job, PipelineRun, PipelineStep

if TYPE_CHECKING:
    from shortlist.services import adaptive


@dataclass(frozen=True, slots=True)
class Choice:
    """What should run next: the run, the target step, the parent (null: a base image), and why."""

    run_id: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Said:
    """What a run's policy chose, null for nothing, as of event `version`."""

    reason: Reason | None
    version: int


@dataclass(frozen=True, slots=True)
class Look:
    """What should run next, and what the policies asked on the way there `said`, by run."""

    choice: Choice | None
    said: Mapping[int, Said]


class Overtaken(Exception):
    """What a look found is not to be had any more, or something else comes first now."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that is written down, its place taken, and not yet known to any server."""

    job_id: int
    prompt_id: str
    workflow: str


LEVELS: Final = text(
    """
    SELECT policy = 'right_to_left', priority, max(target_leaves), max(base_count)
    FROM pipeline_run WHERE status = 'active'
    GROUP BY policy = 'right_to_left', priority ORDER BY priority DESC
    """
)
"""Of the runs under the literal rule, and of all others."""

_OPEN_PARENTS: Final = f"""
    WITH run AS MATERIALIZED (
      SELECT growing.id, growing.priority, (
        SELECT candidate.step_order FROM candidate {{hint}}
        WHERE {OPEN_PARENT} AND candidate.pipeline_run_id = growing.id
          AND candidate.step_order < growing.last_order {{elsewhere}}
          AND NOT EXISTS (
            SELECT 1 FROM pipeline_run_step AS held
            WHERE held.pipeline_run_id = candidate.pipeline_run_id
              AND held.step_order = candidate.step_order + 1 AND held.held_reason IS NOT NULL)
        ORDER BY candidate.step_order DESC LIMIT 1) AS step_order
      FROM pipeline_run AS growing
      WHERE growing.status = 'active' AND growing.policy = 'right_to_left'),
    best AS (
      SELECT priority, step_order FROM run WHERE step_order IS NOT NULL
      ORDER BY priority DESC, step_order DESC LIMIT 1)
    SELECT candidate.id, candidate.elo_score, candidate.pipeline_run_id,
      best.priority, best.step_order,
      EXISTS (
        SELECT 1 FROM pipeline_run AS other
        WHERE other.status = 'active' AND other.policy <> 'right_to_left') AS shared
    FROM best CROSS JOIN run CROSS JOIN candidate {{hint}}
    WHERE run.priority = best.priority AND run.step_order = best.step_order
      AND candidate.pipeline_run_id = run.id AND candidate.step_order = best.step_order
      AND {OPEN_PARENT}
    """  # noqa: S608 the text is the schema's own constant


def open_parents(*, postgresql: bool, some_closed: bool) -> TextClause:
    """The statement that finds the ticket holders: the open parents of the right-most column with
    work among the runs of the highest priority that have any.

    Each run is asked first for its own right-most column, one look into the index. SQLite's planner
    can't count a partial index: it is told which one to take, and by CROSS JOIN in which order.
    """
    hint = "" if postgresql else "INDEXED BY ix_candidate_open"
    if not some_closed:
        return text(_OPEN_PARENTS.format(hint=hint, elsewhere=""))
    elsewhere = "AND (candidate.pipeline_run_id, candidate.step_order + 1) NOT IN :closed"
    statement = text(_OPEN_PARENTS.format(hint=hint, elsewhere=elsewhere))
    return statement.bindparams(bindparam("closed", expanding=True))


_STATEMENTS: Final = {
    (postgresql, some_closed): open_parents(postgresql=postgresql, some_closed=some_closed)
    for postgresql in (False, True)
    for some_closed in (False, True)
}

NEEDS: Final = text(
    f"""
    SELECT run.id, run.gated, run.target_leaves, run.base_count,
      (SELECT count(*) FROM (
        SELECT 1 FROM candidate
        WHERE {LIVE} AND candidate.pipeline_run_id = run.id
          AND candidate.step_order = CASE WHEN run.gated THEN 1 ELSE run.last_order END
        LIMIT :cap) AS live),
      (SELECT count(*) FROM job
       WHERE {IN_FLIGHT} AND job.pipeline_run_id = run.id
         AND (NOT run.gated OR job.parent_id IS NULL))
    FROM pipeline_run AS run
    WHERE run.status = 'active' AND run.policy = 'right_to_left' AND run.priority = :priority
      AND run.base_failures < :parked
      AND NOT EXISTS (
        SELECT 1 FROM pipeline_run_step AS held
        WHERE held.pipeline_run_id = run.id AND held.step_order = 1
          AND held.held_reason IS NOT NULL)
      AND (run.gated OR NOT EXISTS (
        SELECT 1 FROM candidate
        WHERE {OPEN_PARENT} AND candidate.pipeline_run_id = run.id
          AND candidate.step_order < run.last_order))
    """  # noqa: S608 the text is the schema's own constant
)
"""A run without gates whose images wait for a held step gets no base image: they would never end.
Live images are counted up to the largest target: a huge finished run costs no more than a small
one. Jobs in flight of an ungated run are all on their way to its last step."""

WAITING: Final = text(
    f"""
    SELECT sum(places) FROM (
      SELECT child_limit - child_count - reserved AS places FROM candidate
      WHERE {OPEN_PARENT} AND pipeline_run_id = :run AND step_order = :step_order
      LIMIT :most) AS waiting
    """  # noqa: S608 the text is the schema's own constant
)

MOST_COUNTED: Final = 1000

NOWHERE: Final[Places] = frozenset()


Ask: TypeAlias = "Callable[[adaptive.Growing, set[int]], Reason | None]"
"""What a run's policy takes next, where the steps of these orders are closed."""


def choose(tx: Tx, *, seed: int, closed: Places = NOWHERE) -> Choice | None:
    """The one job that should run next, or null when there is nothing to do. Changes nothing.

    `seed` (0 to 2^53 - 1) decides the raffle: the same database and seed give the same job.
    `closed` are the steps that the asking server can't be given: it is as if they had no work.
    """
    return look(tx, seed=seed, closed=closed).choice


def look(tx: Tx, *, seed: int, closed: Places = NOWHERE) -> Look:
    """The choice, and all that a claim needs to come to it without asking a policy again."""
    said: dict[int, Said] = {}

    def ask(run: adaptive.Growing, barred: set[int]) -> Reason | None:
        from shortlist.services import adaptive  # imports numpy

        version = journal.last(tx)
        reason = adaptive.choose(tx, run, seed=seed, closed=barred)
        said[run.id] = Said(reason, version)
        return reason

    return Look(_choice(tx, ask, seed=seed, closed=closed), said)


def waiting(tx: Tx, choice: Choice) -> int:
    """How many jobs could be had now of the chosen step in the chosen run; of images that wait for
    it only the first thousand are counted."""
    reason = choice.reason
    if reason.parent_id is None:
        return reason.lacking or 0
    column = {"run": choice.run_id, "step_order": reason.step_order - 1, "most": MOST_COUNTED}
    return tx.execute(WAITING, column).scalar_one() or 0


def _as_seen(tx: Tx, seen: Look) -> Ask:
    """What policies said in a look, as far as it holds. Asking raises `Overtaken` where not."""

    def ask(run: adaptive.Growing, barred: set[int]) -> Reason | None:
        said = seen.said.get(run.id)
        if said is None or not _holds(tx, run, said, barred=barred):
            raise Overtaken
        return said.reason

    return ask


def _holds(tx: Tx, run: adaptive.Growing, said: Said, *, barred: set[int]) -> bool:
    from shortlist.services import adaptive

    if said.reason is None:
        return journal.last(tx) == said.version
    return adaptive.holds(tx, run, said.reason, closed=barred)


def _choice(tx: Tx, ask: Ask, *, seed: int, closed: Places) -> Choice | None:
    literal, alone = _literal(tx, seed=seed, closed=closed)
    return literal if alone else _shared(tx, literal, ask=ask, seed=seed, closed=closed)


def _shared(
    tx: Tx, literal: Choice | None, *, ask: Ask, seed: int, closed: Places
) -> Choice | None:
    """Between the literal rule's choice and runs with another policy: the higher priority, and
    among equals a draw in which each of these runs, and the literal rule, has one chance."""
    from shortlist.services import adaptive  # imports numpy

    lots: list[adaptive.Growing | Choice] = [*adaptive.growing(tx)]
    if literal is not None:
        lots.append(literal)
    random.Random(seed).shuffle(lots)
    for lot in sorted(lots, key=_priority, reverse=True):
        if isinstance(lot, Choice):
            return lot
        reason = ask(lot, {order for run_id, order in closed if run_id == lot.id})
        if reason is not None:
            return Choice(lot.id, reason)
    return None


def _priority(lot: adaptive.Growing | Choice) -> int:
    return lot.reason.priority if isinstance(lot, Choice) else lot.priority


class _Level(NamedTuple):
    """The active runs of one priority, and the most that one of them wants."""

    literal: bool
    priority: int
    target_leaves: int
    base_count: int


def _literal(tx: Tx, *, seed: int, closed: Places) -> tuple[Choice | None, bool]:
    """The literal rule's choice, and whether all active runs are under that rule."""
    statement = _STATEMENTS[tx.postgresql, bool(closed)]
    rows = tx.execute(statement, {"closed": list(closed)} if closed else None).all()
    if rows:
        return _drawn(rows, seed=seed), not rows[0].shared
    levels = [_Level(*row) for row in tx.execute(LEVELS)]
    literal = [level for level in levels if level.literal]
    for _, priority, target_leaves, base_count in literal:
        needs = _needs(tx, priority=priority, cap=max(target_leaves, base_count))
        need = neediest([need for need in needs if (need.run_id, 1) not in closed])
        if need is not None:
            return Choice(need.run_id, base_reason(need, seed=seed)), literal == levels
    return None, literal == levels


def _drawn(rows: Sequence[Row[*tuple[Any, ...]]], *, seed: int) -> Choice:
    parents = sorted([Parent(id, elo) for id, elo, *_ in rows])  # sooner than a database sorts them
    reason = raffle(parents, priority=rows[0].priority, step_order=rows[0].step_order, seed=seed)
    run_id = next(run_id for id, _, run_id, *_ in rows if id == reason.parent_id)
    return Choice(run_id, reason)


def claim(
    tx: Tx,
    *,
    backend_id: int,
    seed: int,
    prompt_id: str,
    now: datetime,
    wildcards: Wildcards = NO_WILDCARDS,
    seen: Look | None = None,
) -> Claimed | None:
    """Chooses the next job, takes its place and writes it down for `backend_id`.

    Null when there is nothing to do. `prompt_id` must be new; it is committed with the job, before
    any server hears of it. With what a look with this seed has `seen`, no policy is asked in here,
    while everyone who wants to write waits; raises `Overtaken` where that does not hold any more.
    """
    tx.lock_tree()
    closed = assignments.closed(tx, backend_id, now=now)
    if seen is None:
        choice = choose(tx, seed=seed, closed=closed)
    else:
        choice = _choice(tx, _as_seen(tx, seen), seed=seed, closed=closed)
    if choice is None:
        return None
    parent_id = choice.reason.parent_id
    if parent_id is not None:
        tx.execute(_RESERVE, {"parent": parent_id})
    return _write(
        tx, choice, backend_id=backend_id, prompt_id=prompt_id, now=now, wildcards=wildcards
    )


def _needs(tx: Tx, *, priority: int, cap: int) -> list[Need]:
    rows = tx.execute(
        NEEDS, {"priority": priority, "cap": cap, "parked": PARK_AFTER_FAILURES}
    ).all()
    return [
        Need(run_id, priority, (bases if gated else target) - live - in_flight, bool(gated))
        for run_id, gated, target, bases, live, in_flight in rows
    ]


_RESERVE = (
    update(ImageCandidate)
    .where(ImageCandidate.id == bindparam("parent"))
    .values(reserved=ImageCandidate.reserved + 1)
)
_TARGET_STEP = (
    select(PipelineStep.id)
    .join(PipelineRun, PipelineRun.pipeline_id == PipelineStep.pipeline_id)
    .where(PipelineRun.id == bindparam("run"), PipelineStep.order == bindparam("step_order"))
)


def _write(
    tx: Tx,
    choice: Choice,
    *,
    backend_id: int,
    prompt_id: str,
    now: datetime,
    wildcards: Wildcards,
) -> Claimed:
    reason = choice.reason
    target = {"run": choice.run_id, "step_order": reason.step_order}
    step_id = tx.execute(_TARGET_STEP, target).scalar_one()
    seed = workflow_seed(reason.seed)
    words = wording.of_job(
        tx, run_id=choice.run_id, parent_id=reason.parent_id, seed=seed, wildcards=wildcards
    )
    workflow = graphs.build(
        tx,
        run_id=choice.run_id,
        step_id=step_id,
        parent_id=reason.parent_id,
        words=words,
        seed=seed,
        prompt_id=prompt_id,
        now=now,
    )
    job_id = tx.execute(
        insert(Job).returning(Job.id),
        {
            "pipeline_run_id": choice.run_id,
            "pipeline_step_id": step_id,
            "parent_id": reason.parent_id,
            "backend_id": backend_id,
            "status": JobStatus.PENDING,
            "prompt_id": prompt_id,
            "attempts": 1,
            "recall": False,
            "seed": seed,
            "prompt": words.prompt,
            "negative_prompt": words.negative,
            "reason": asdict(reason) | {"sentence": reason.sentence()},
            "workflow": workflow,
            "kept": [],
            "created_at": now,
        },
    ).scalar_one()
    data = job_changed(job_id, JobStatus.PENDING, step_id, reason.parent_id, backend_id)
    append(tx, EventKind.JOB_CHANGED, run_id=choice.run_id, data=data, now=now)
    return Claimed(job_id, prompt_id, workflow)
