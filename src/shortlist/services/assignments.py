"""Which steps a server gets: what it lacks for one, what it failed at too often, how long it took.

A step closed to a server is left out of that server's decisions alone; the others go on with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, insert, or_, select, update

from shortlist.domain.affinity import Load
from shortlist.domain.job_states import Cause
from shortlist.domain.model import Health, RunStatus
from shortlist.services.journal import EventKind, append
from shortlist.store.db import Tx
from shortlist.store.schema import (
    Backend,
    BackendStep,
    Pipeline,
    PipelineRun,
    PipelineRunStep,
    PipelineStep,
)

HOLD_AFTER: Final = 5
"""Failures of one kind in a row after which a server gets no more of a step."""

REST: Final = timedelta(seconds=20)
"""After it ran out of memory: time for the server to unload, and for another one to take over."""

_NO_FAULT_OF_ITS_OWN: Final = (Cause.INTERRUPTED, Cause.REFUSED)

Places = frozenset[tuple[int, int]]
"""Runs and step orders."""


@dataclass(frozen=True, slots=True)
class Took:
    """How long a job ran, and whether the one before it on that server was of another step."""

    seconds: float
    cold: bool


@dataclass(frozen=True, slots=True)
class Assignment:
    """One step on one server. `load_seconds`: what it costs to begin with it, null: not known."""

    backend_id: int
    step_id: int
    step_name: str
    pipeline_name: str
    lacks: str | None
    held_reason: str | None
    rests_until: datetime | None
    warm_seconds: float | None
    cold_seconds: float | None

    @property
    def usual_seconds(self) -> float | None:
        """How long the last job took, of those that came after one of the same step if there are
        any."""
        return self.cold_seconds if self.warm_seconds is None else self.warm_seconds

    @property
    def load_seconds(self) -> float | None:
        if self.warm_seconds is None or self.cold_seconds is None:
            return None
        return max(0.0, self.cold_seconds - self.warm_seconds)


@dataclass(frozen=True, slots=True)
class Blame:
    """What a driver knows of a failure beyond its sentence.

    `lacking`: the server has not what the step needs, another may. `rest`: how long the server is
    to be spared the step after it ran out of memory.
    """

    node: str | None = None
    log: str | None = None
    lacking: bool = False
    rest: timedelta = REST


NO_BLAME: Final = Blame()


def closed(tx: Tx, backend_id: int, *, now: datetime) -> Places:
    """What the server must not be given now: nothing, nearly always."""
    steps = list(tx.execute(_CLOSED, {"backend": backend_id, "now": now}).scalars())
    if not steps:
        return frozenset()
    rows = tx.execute(
        select(PipelineRunStep.pipeline_run_id, PipelineRunStep.step_order)
        .join(PipelineRun, PipelineRun.id == PipelineRunStep.pipeline_run_id)
        .where(PipelineRun.status == RunStatus.ACTIVE, PipelineRunStep.pipeline_step_id.in_(steps))
    )
    return frozenset((run, order) for run, order in rows)


def views(tx: Tx) -> list[Assignment]:
    """All that is known, by server and step."""
    rows = tx.execute(
        select(
            BackendStep.backend_id,
            BackendStep.pipeline_step_id,
            PipelineStep.name,
            Pipeline.name,
            BackendStep.lacks,
            BackendStep.held_reason,
            BackendStep.rests_until,
            BackendStep.warm_seconds,
            BackendStep.cold_seconds,
        )
        .join(PipelineStep, PipelineStep.id == BackendStep.pipeline_step_id)
        .join(Pipeline, Pipeline.id == PipelineStep.pipeline_id)
        .order_by(BackendStep.backend_id, BackendStep.pipeline_step_id)
    )
    return [Assignment(*row) for row in rows]


def load(tx: Tx, backend_id: int, step_id: int) -> Load | None:
    """What the step costs that server, or as far as it was not measured there, another one."""
    rows = tx.execute(
        select(BackendStep.cold_seconds, BackendStep.warm_seconds)
        .where(BackendStep.pipeline_step_id == step_id)
        .order_by(BackendStep.backend_id != backend_id, BackendStep.backend_id)
    )
    for cold, warm in rows:
        if cold is not None and warm is not None:
            return Load(max(0.0, cold - warm), warm)
    return None


def kept_from(tx: Tx, step_id: int, *, now: datetime) -> set[int]:
    """The servers that must not be given the step now."""
    kept = select(BackendStep.backend_id).where(BackendStep.pipeline_step_id == step_id, _KEPT_FROM)
    return set(tx.execute(kept, {"now": now}).scalars())


def is_open_elsewhere(tx: Tx, backend_id: int, step_id: int) -> bool:
    """Whether another server that is in use may be given the step."""
    kept_from = select(BackendStep.backend_id).where(
        BackendStep.pipeline_step_id == step_id,
        or_(BackendStep.lacks.is_not(None), BackendStep.held_reason.is_not(None)),
    )
    return (
        tx.execute(
            select(Backend.id)
            .where(
                Backend.id != backend_id,
                Backend.enabled,
                Backend.health.in_((Health.OK, Health.UNKNOWN)),
                Backend.id.not_in(kept_from),
            )
            .limit(1)
        ).first()
        is not None
    )


def lacks(tx: Tx, backend_id: int, step_id: int, *, sentence: str | None, now: datetime) -> None:
    """Notes what the server does not have for the step; null: it has all of it."""
    present = _row(tx, backend_id, step_id)
    if present is None and sentence is None:
        return
    _write(tx, backend_id, step_id, present=present, values={"lacks": sentence})
    _tell(tx, backend_id, now=now)


def forget_lacks(tx: Tx, backend_id: int, *, now: datetime) -> None:
    """The server was started anew: perhaps it has it all now."""
    changed = tx.execute(
        update(BackendStep)
        .where(BackendStep.backend_id == backend_id, BackendStep.lacks.is_not(None))
        .values(lacks=None)
    ).rowcount
    if changed:
        _tell(tx, backend_id, now=now)


def failed(
    tx: Tx, backend_id: int, step_id: int, *, kind: Cause, rest: timedelta, now: datetime
) -> None:
    """Counts a failure; the fifth of its kind in a row keeps the step from the server."""
    if kind in _NO_FAULT_OF_ITS_OWN:
        return
    present = _row(tx, backend_id, step_id)
    again = present is not None and present.streak_kind == kind
    streak = present.streak + 1 if present is not None and again else 1
    values: dict[str, object] = {"streak_kind": kind.value, "streak": streak}
    if kind is Cause.OUT_OF_MEMORY:
        # Each time longer: whoever else has the step takes the work meanwhile.
        values["rests_until"] = now + rest * 2 ** (streak - 1)
    if streak >= HOLD_AFTER:
        values["held_reason"] = _held(tx, backend_id, step_id, kind=kind, count=streak)
    _write(tx, backend_id, step_id, present=present, values=values)
    if streak >= HOLD_AFTER:
        _tell(tx, backend_id, now=now)


def succeeded(tx: Tx, backend_id: int, step_id: int, *, took: Took | None) -> None:
    """Ends the row of failures, and notes how long the job took."""
    present = _row(tx, backend_id, step_id)
    if took is None and (present is None or not present.streak):
        return
    values: dict[str, object] = {"streak": 0, "streak_kind": None, "held_reason": None}
    if took is not None:
        values["cold_seconds" if took.cold else "warm_seconds"] = took.seconds
    _write(tx, backend_id, step_id, present=present, values=values)


def release(tx: Tx, backend_id: int, step_id: int, *, now: datetime) -> bool:
    """Lets the server have the step again; false when nothing kept it from it."""
    changed = tx.execute(
        update(BackendStep)
        .where(BackendStep.backend_id == backend_id, BackendStep.pipeline_step_id == step_id)
        .where(
            or_(
                BackendStep.lacks.is_not(None),
                BackendStep.held_reason.is_not(None),
                BackendStep.rests_until.is_not(None),
                BackendStep.streak > 0,
            )
        )
        .values(lacks=None, held_reason=None, rests_until=None, streak=0, streak_kind=None)
    ).rowcount
    if changed:
        _tell(tx, backend_id, now=now)
    return bool(changed)


def release_everywhere(tx: Tx, step_id: int, *, now: datetime) -> None:
    """Lets every server have the step again."""
    kept = select(BackendStep.backend_id).where(BackendStep.pipeline_step_id == step_id)
    for backend_id in tx.execute(kept.order_by(BackendStep.backend_id)).scalars().all():
        release(tx, backend_id, step_id, now=now)


_KEPT_FROM: Final = or_(
    BackendStep.lacks.is_not(None),
    BackendStep.held_reason.is_not(None),
    BackendStep.rests_until > bindparam("now"),
)
_CLOSED: Final = select(BackendStep.pipeline_step_id).where(
    BackendStep.backend_id == bindparam("backend"), _KEPT_FROM
)


@dataclass(frozen=True, slots=True)
class _Present:
    id: int
    streak_kind: str | None
    streak: int


def _row(tx: Tx, backend_id: int, step_id: int) -> _Present | None:
    """The row as it is, under the tree lock: nobody else makes one meanwhile."""
    tx.lock_tree()
    row = tx.execute(
        select(BackendStep.id, BackendStep.streak_kind, BackendStep.streak).where(
            BackendStep.backend_id == backend_id, BackendStep.pipeline_step_id == step_id
        )
    ).one_or_none()
    return None if row is None else _Present(*row)


def _write(
    tx: Tx,
    backend_id: int,
    step_id: int,
    *,
    present: _Present | None,
    values: dict[str, object],
) -> None:
    if present is not None:
        tx.execute(update(BackendStep).where(BackendStep.id == present.id).values(values))
        return
    born: dict[str, object] = {"backend_id": backend_id, "pipeline_step_id": step_id, "streak": 0}
    tx.execute(insert(BackendStep), born | values)


def _held(tx: Tx, backend_id: int, step_id: int, *, kind: Cause, count: int) -> str:
    server = tx.execute(select(Backend.name).where(Backend.id == backend_id)).scalar_one()
    step = tx.execute(select(PipelineStep.name).where(PipelineStep.id == step_id)).scalar_one()
    words = {
        Cause.OUT_OF_MEMORY: "out-of-memory errors",
        Cause.RAISED: "errors",
        Cause.BAD_OUTPUT: "results that are no image",
        Cause.TIMED_OUT: "jobs that hung",
        Cause.LOST: "lost jobs",
    }.get(kind, "failures")
    return f"{step} paused on {server} after {count} {words} in a row."


def _tell(tx: Tx, backend_id: int, *, now: datetime) -> None:
    append(tx, EventKind.BACKEND_CHANGED, run_id=None, data={"backend_id": backend_id}, now=now)
