"""The gates of a run as they stand, as a value: read, compared, written down and set.

A decision keeps the standing before and after it, so that undo and redo set exactly what it
changed and nothing else.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import (
    ColumnElement,
    String,
    bindparam,
    insert,
    select,
    text,
    type_coerce,
    update,
)

from shortlist.domain import gates
from shortlist.domain.model import GateKind, Pin, RunStatus
from shortlist.services import ratings
from shortlist.services.branches import News
from shortlist.services.journal import EventKind, append
from shortlist.store.conditions import LIVE
from shortlist.store.db import Tx
from shortlist.store.schema import (
    GateDecision,
    ImageCandidate,
    PipelineRun,
    PipelineRunStep,
    PipelineStep,
)

MOST_IDS: Final = 500
"""Ids in one statement: PostgreSQL and SQLite both take far more, but not without limit."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate as it stands. `advancing`: ids let through, of `auto` gates none are listed."""

    step_id: int
    step_order: int
    approved: bool
    approved_at: datetime | None
    approved_by: str | None
    top_k_count: int | None
    per_base: int | None
    provisional: bool
    assumed: str | None
    advancing: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """The gates of a run from one step on, and the run's status."""

    run_status: RunStatus
    gates: tuple[Gate, ...]


_STANDING: Final = TypeAdapter(Standing)


def ranked(tx: Tx, run_id: int, step_order: int) -> list[gates.Ranked]:
    """The live images of a step at its gate, best first, by what the run is rated by."""
    rows = tx.execute(_RANKED, {"run": run_id, "step_order": step_order}).all()
    images = [
        gates.Ranked(id, elo, votes, path, None if pin is None else Pin(pin))
        for id, elo, votes, path, pin in rows
    ]
    means = ratings.means(tx, run_id)
    if means is None:
        return images
    return gates.ranking([image._replace(elo=means.get(image.id, image.elo)) for image in images])


BEST_FIRST: Final = (
    ImageCandidate.elo_score.desc(),
    ImageCandidate.vote_count.desc(),
    ImageCandidate.id,
)
_RANKED: Final = (
    select(
        ImageCandidate.id,
        ImageCandidate.elo_score,
        ImageCandidate.vote_count,
        ImageCandidate.path,
        type_coerce(ImageCandidate.pin, String),  # few have one: only those are made a `Pin`
    )
    .where(
        text(LIVE),
        ImageCandidate.pipeline_run_id == bindparam("run"),
        ImageCandidate.step_order == bindparam("step_order"),
    )
    .order_by(*BEST_FIRST)
)


def read(tx: Tx, run_id: int, *, from_order: int, auto: bool = False) -> Standing:
    """The gates from `from_order` on; later `auto` gates only when asked for, as nothing but the
    revision of a gate before them touches them.
    """
    status = tx.execute(select(PipelineRun.status).where(PipelineRun.id == run_id)).scalar_one()
    rows = tx.execute(
        select(PipelineRunStep, PipelineStep.gate)
        .join(PipelineStep, PipelineStep.id == PipelineRunStep.pipeline_step_id)
        .where(PipelineRunStep.pipeline_run_id == run_id, PipelineRunStep.step_order >= from_order)
        .order_by(PipelineRunStep.step_order)
    ).all()
    kept = [
        row for row in rows if auto or row.step_order == from_order or row.gate is not GateKind.AUTO
    ]
    advancing = _advancing(tx, run_id, orders=[row.step_order for row in kept])
    return Standing(
        status,
        tuple(
            Gate(
                row.pipeline_step_id,
                row.step_order,
                row.approved,
                row.approved_at,
                row.approved_by,
                row.top_k_count,
                row.per_base,
                row.provisional,
                row.assumed,
                tuple(advancing[row.step_order]),
            )
            for row in kept
        ),
    )


def _advancing(tx: Tx, run_id: int, *, orders: Sequence[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    rows = tx.execute(
        select(ImageCandidate.step_order, ImageCandidate.id)
        .where(
            ImageCandidate.pipeline_run_id == run_id,
            ImageCandidate.step_order.in_(orders),
            ImageCandidate.advances,
        )
        .order_by(ImageCandidate.id)
    ).all()
    for order, id in rows:
        found[order].append(id)
    return found


def record(
    tx: Tx,
    run_id: int,
    *,
    step_order: int,
    before: Standing,
    after: Standing,
    by: str | None,
    act_id: int | None,
    ranked: Sequence[gates.Ranked],
    starts_at: datetime,
    now: datetime,
) -> None:
    """Writes a decision down and sets the gates; who advances follows when it starts."""
    waits = starts_at > now
    tx.execute(
        insert(GateDecision),
        {
            "act_id": act_id,
            "pipeline_run_id": run_id,
            "step_order": step_order,
            "decided_by": by,
            "ranking": [[image.id, image.elo, image.votes] for image in ranked],
            "before": _STANDING.dump_python(before, mode="json"),
            "after": _STANDING.dump_python(after, mode="json"),
            "starts_at": starts_at,
            "started": not waits,
            "void": False,
            "created_at": now,
        },
    )
    set_rows(tx, run_id, was=before, to=after)
    if not waits:
        set_advancing(tx, run_id, was=before, to=after)


def recorded(stored: dict[str, object]) -> Standing:
    """A standing as a decision keeps it."""
    return _STANDING.validate_python(stored)


def changed(was: Standing, to: Standing) -> list[Gate]:
    """The gates of `to` that differ from `was`: all that a decision may touch."""
    old = {gate.step_order: gate for gate in was.gates}
    return [gate for gate in to.gates if old.get(gate.step_order) != gate]


_SET: Final = (
    "approved",
    "approved_at",
    "approved_by",
    "top_k_count",
    "per_base",
    "provisional",
    "assumed",
)


def set_rows(tx: Tx, run_id: int, *, was: Standing, to: Standing) -> None:
    """Sets what differs between the two, but for who advances."""
    for gate in changed(was, to):
        values = {name: getattr(gate, name) for name in _SET}
        tx.execute(
            update(PipelineRunStep)
            .where(
                PipelineRunStep.pipeline_run_id == run_id,
                PipelineRunStep.step_order == gate.step_order,
            )
            .values(values | {"decisions": PipelineRunStep.decisions + 1, "complete_since": None})
        )
    if was.run_status is not to.run_status:
        tx.execute(
            update(PipelineRun)
            .where(PipelineRun.id == run_id, PipelineRun.status == was.run_status)
            .values(status=to.run_status)
        )


def set_advancing(tx: Tx, run_id: int, *, was: Standing, to: Standing) -> None:
    """Lets those through who are new in `to`, and stops those who are no longer in it."""
    old = {gate.step_order: gate.advancing for gate in was.gates}
    for gate in changed(was, to):
        before, after = set(old.get(gate.step_order, ())), set(gate.advancing)
        for ids, advances in ((before - after, False), (after - before, True)):
            if ids:
                _advance(tx, run_id, sorted(ids), advances=advances)


def _advance(tx: Tx, run_id: int, ids: list[int], *, advances: bool) -> None:
    values: dict[str, object] = {"run": run_id, "advances": advances}
    if tx.postgresql:
        tx.execute(_ADVANCE_POSTGRESQL, values | {"ids": ids})
    else:
        tx.execute(_ADVANCE_SQLITE, values | {"ids": json.dumps(ids)})


_ADVANCE: Final = (
    "UPDATE candidate SET advances = :advances WHERE pipeline_run_id = :run AND id {ids}"
)
_ADVANCE_SQLITE: Final = text(_ADVANCE.format(ids="IN (SELECT value FROM json_each(:ids))"))
_ADVANCE_POSTGRESQL: Final = text(_ADVANCE.format(ids="= ANY(CAST(:ids AS bigint[]))"))
"""All ids as one value: a list of ten thousand parameters takes longer to write than to run."""


def news(run_id: int, was: Standing, to: Standing) -> list[News]:
    """What the journal tells of a change from one to the other."""
    told = [
        News(EventKind.GATE_CHANGED, run_id, {"step_id": gate.step_id}) for gate in changed(was, to)
    ]
    if was.run_status is not to.run_status:
        told.append(News(EventKind.RUN_CHANGED, run_id, {}))
    return told


def start_waiting(tx: Tx, which: ColumnElement[bool], *, now: datetime) -> bool:
    """Sets the waiting decisions of `which` in force; whether there were any."""
    rows = tx.execute(
        select(
            GateDecision.id, GateDecision.pipeline_run_id, GateDecision.before, GateDecision.after
        )
        .where(text("NOT started AND NOT void"), which)
        .order_by(GateDecision.id)
    ).all()
    for row in rows:
        was, to = recorded(row.before), recorded(row.after)
        set_advancing(tx, row.pipeline_run_id, was=was, to=to)
        tx.execute(update(GateDecision).where(GateDecision.id == row.id).values(started=True))
        for told in news(row.pipeline_run_id, was, to):
            append(tx, told.kind, run_id=told.run_id, data=told.data, now=now)
    return bool(rows)


def ancestors(path: str) -> list[int]:
    """The ids of a path, base image first."""
    return [int(id) for id in path.strip("/").split("/") if id]


def batches(ids: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The ids in as many parts as one statement may hold."""
    remaining = iter(ids)
    while batch := tuple(islice(remaining, MOST_IDS)):
        yield batch
