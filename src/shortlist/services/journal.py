"""The journal: numbered events, written in the transaction of the change they tell of.

A browser replays it after a gap. Rows are appended last in a transaction, because on PostgreSQL
the number is taken under a lock that is held until the commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import delete, func, insert, select

from shortlist.domain.model import JobStatus
from shortlist.store.db import Tx
from shortlist.store.schema import Event

KEEP: Final = timedelta(days=7)
"""How long events can be replayed; a browser away for longer reloads."""


class EventKind(StrEnum):
    CANDIDATE_MADE = "candidate_made"
    CANDIDATE_REJECTED = "candidate_rejected"
    CANDIDATE_RESTORED = "candidate_restored"
    RATED = "rated"
    KEPT = "kept"
    JOB_CHANGED = "job_changed"
    RUN_CHANGED = "run_changed"
    GATE_CHANGED = "gate_changed"
    SETTLED = "settled"
    BACKEND_CHANGED = "backend_changed"


@dataclass(frozen=True, slots=True)
class Entry:
    id: int
    kind: EventKind
    run_id: int | None
    data: dict[str, object]
    at: datetime


def append(
    tx: Tx, kind: EventKind, *, run_id: int | None, data: dict[str, object], now: datetime
) -> None:
    """Writes one event; the streams hear of it once the transaction has committed."""
    tx.announce()
    tx.execute(
        _APPEND,
        {"kind": kind.value, "pipeline_run_id": run_id, "data": data, "created_at": now},
    )


def job_changed(
    job_id: int,
    status: JobStatus,
    step_id: int,
    parent_id: int | None,
    backend_id: int,
    *,
    error: str | None = None,
) -> dict[str, object]:
    """What a `JOB_CHANGED` event tells."""
    return {
        "job": job_id,
        "status": status.value,
        "step_id": step_id,
        "parent_id": parent_id,
        "backend_id": backend_id,
        "error": error,
    }


_APPEND: Final = insert(Event)


def last(tx: Tx) -> int:
    """The number of the newest event; 0 when there is none."""
    return tx.execute(select(func.coalesce(func.max(Event.id), 0))).scalar_one()


def oldest(tx: Tx) -> int:
    """The number of the oldest event still kept; 0 when there is none."""
    return tx.execute(select(func.coalesce(func.min(Event.id), 0))).scalar_one()


def after(tx: Tx, number: int, *, limit: int) -> list[Entry]:
    """Up to `limit` events that follow `number`, oldest first."""
    rows = tx.execute(
        select(Event.id, Event.kind, Event.pipeline_run_id, Event.data, Event.created_at)
        .where(Event.id > number)
        .order_by(Event.id)
        .limit(limit)
    )
    return [Entry(row[0], EventKind(row[1]), row[2], row[3], row[4]) for row in rows]


def forget(tx: Tx, now: datetime) -> None:
    """Drops the events older than a week."""
    tx.execute(delete(Event).where(Event.created_at < now - KEEP))
