"""The log of what people did while judging: each act once, in order, with its answer.

An act is written in the transaction of its effect. The client's own id makes a repeat harmless:
it gets the stored answer. What an act does, and its inverse, live with the kinds of acts
(`votes.py`, `kills.py`); `triage.py` puts them together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeAlias, get_args

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Row, bindparam, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from shortlist.domain.model import ActKind
from shortlist.errors import Conflict, NotFound
from shortlist.services import journal
from shortlist.services.acts import Act, Answer, Doing, Outcome, UndoAct
from shortlist.store.db import Tx
from shortlist.store.schema import Act as Log


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the log."""

    row_id: int
    person: str
    act: Act
    walk: str | None
    answer: Answer
    undone_by: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Done:
    """An act's answer, and whether it is told again to a client that sent the act twice."""

    answer: Answer
    repeated: bool


ORDINARY: Final = tuple(kind for kind in ActKind if kind not in {ActKind.UNDO, ActKind.REDO})
"""The acts that can be taken back; undo and redo only move along them."""


def once(
    tx: Tx, person: str, *, act: Act, now: datetime, perform: Callable[[Doing], Outcome]
) -> Done:
    """Performs `act` unless this person's log has it already; then gives the stored answer.

    Raises `Conflict` when the same id came with other content. A refused act (any `Problem` of
    `perform`) leaves nothing behind, once the transaction is rolled back.
    """
    _wait_turn(tx, person)
    row = {"person": person, "client_id": act.id, "kind": act.kind, "body": _body(act)}
    new = _NEW_POSTGRESQL if tx.postgresql else _NEW_SQLITE
    row_id = tx.execute(new, row | {"created_at": now, "answer": {}}).scalar_one_or_none()
    if row_id is None:
        known = get(tx, person, act.id)
        if known.act != act:
            raise Conflict("Another act was already sent under this id; send a new id.")
        return Done(known.answer, repeated=True)
    outcome = perform(Doing(person, row_id, now))
    _finish(tx, row_id, answer=outcome.answer)
    for news in outcome.news:
        journal.append(tx, news.kind, run_id=news.run_id, data=news.data, now=now)
    return Done(outcome.answer, repeated=False)


def find(tx: Tx, person: str, id: str) -> Entry | None:
    """The act `id` of `person`."""
    return _first(_entries(tx.execute(_BY_CLIENT_ID, {"person": person, "client_id": id})))


def get(tx: Tx, person: str, id: str) -> Entry:
    """The act `id` of `person`; raises `NotFound`."""
    found = find(tx, person, id)
    if found is None:
        raise NotFound("There is no such act in your history.")
    return found


def last_done(tx: Tx, person: str) -> Entry | None:
    """The newest act of `person` that is not undone."""
    ordinary = Log.kind.in_(ORDINARY)
    return _first(_newest(tx, person, ordinary, Log.undone_by.is_(None), limit=1))


def last_undo(tx: Tx, person: str) -> Entry | None:
    """The newest undo of `person` that stands, unless something was done since."""
    standing = (Log.kind == ActKind.UNDO) & Log.undone_by.is_(None)
    found = _first(_newest(tx, person, standing | Log.kind.in_(ORDINARY), limit=1))
    return found if found is not None and isinstance(found.act, UndoAct) else None


def unit(tx: Tx, entry: Entry) -> list[Entry]:
    """The acts that are taken back and put back together with `entry`, oldest first.

    That is the act alone, or its whole walk: the kill that began it and every answer since.
    """
    if entry.walk is None:
        return [entry]
    opening = get(tx, entry.person, entry.walk)
    return [opening, *_later(tx, [opening])]


def mark(tx: Tx, rows: Sequence[int], *, undone_by: int | None) -> None:
    """Notes which act took the acts of `rows` back; null: they stand again."""
    tx.execute(update(Log).where(Log.id.in_(rows)).values(undone_by=undone_by))


def recent(tx: Tx, person: str, *, limit: int, before: str | None = None) -> list[Entry]:
    """Up to `limit` acts, newest first, a walk being one; only those before the act `before`."""
    wanted: list[ColumnElement[bool]] = [
        Log.kind.in_(ORDINARY),
        Log.walk.is_(None) | (Log.walk == Log.client_id),
    ]
    if before is not None:
        wanted.append(Log.id < get(tx, person, before).row_id)
    return _newest(tx, person, *wanted, limit=limit)


def went_on(tx: Tx, openings: Sequence[Entry]) -> dict[str, list[Entry]]:
    """The later acts of the walks that `openings` began, by the walk's id, oldest first."""
    walks = {entry.walk: list[Entry]() for entry in openings if entry.walk is not None}
    for entry in _later(tx, openings):
        walks[str(entry.walk)].append(entry)
    return walks


_TURN = text("SELECT pg_advisory_xact_lock(7203, hashtext(:person))")
# Gives no row where the client's id is known: a look beforehand would cost every act a statement.
_NEW_SQLITE = sqlite.insert(Log).on_conflict_do_nothing().returning(Log.id)
_NEW_POSTGRESQL = postgresql.insert(Log).on_conflict_do_nothing().returning(Log.id)
_ENTRIES = select(
    Log.id,
    Log.person,
    Log.kind,
    Log.client_id,
    Log.walk,
    Log.body,
    Log.answer,
    Log.undone_by,
    Log.created_at,
)
# Built once: with the vote's own, most of its time goes into building statements otherwise.
_BY_CLIENT_ID = _ENTRIES.where(
    Log.person == bindparam("person"), Log.client_id == bindparam("client_id")
)
_FINISH = (
    update(Log)
    .where(Log.id == bindparam("row"))
    .values(
        answer=bindparam("answer"),
        pipeline_run_id=bindparam("pipeline_run_id"),
        walk=bindparam("walk"),
    )
)
_Columns: TypeAlias = Row[
    int,
    str,
    ActKind,
    str,
    str | None,
    dict[str, object],
    dict[str, object],
    int | None,
    datetime,
]
_ACTS: Final[Mapping[ActKind, TypeAdapter[Act]]] = MappingProxyType(
    {kind.kind: TypeAdapter(kind) for kind in get_args(Act)}
)
_ANSWERS: Final = TypeAdapter(Answer)


def _wait_turn(tx: Tx, person: str) -> None:
    """Lets one act of a person at a time through, so that a doubled request and an undo see it.

    Taken before every other lock.
    """
    if tx.postgresql:
        tx.execute(_TURN, {"person": person})


def _finish(tx: Tx, row_id: int, *, answer: Answer) -> None:
    said = {"answer": _ANSWERS.dump_python(answer, mode="json")}
    tx.execute(
        _FINISH, {"row": row_id, **said, "pipeline_run_id": answer.run_id, "walk": answer.walk}
    )


def _body(act: Act) -> dict[str, object]:
    return {field.name: getattr(act, field.name) for field in fields(act) if field.name != "id"}


def _first(entries: Sequence[Entry]) -> Entry | None:
    return entries[0] if entries else None


def _later(tx: Tx, openings: Sequence[Entry]) -> list[Entry]:
    """The acts that went on with the walks of `openings`, oldest first.

    They are looked for after the first of them, so that the index of a person's log is enough.
    """
    walks = [entry.walk for entry in openings if entry.walk is not None]
    if not walks:
        return []
    first = min(openings, key=lambda entry: entry.row_id)
    rows = tx.execute(
        _ENTRIES.where(
            Log.person == first.person,
            Log.id > first.row_id,
            Log.walk.in_(walks),
            Log.walk != Log.client_id,
            Log.kind.in_(ORDINARY),
        ).order_by(Log.id)
    )
    return _entries(rows)


def _newest(tx: Tx, person: str, *where: ColumnElement[bool], limit: int) -> list[Entry]:
    wanted = _ENTRIES.where(Log.person == person, *where)
    return _entries(tx.execute(wanted.order_by(Log.id.desc()).limit(limit)))


def _entries(rows: Iterable[_Columns]) -> list[Entry]:
    return [
        Entry(
            row_id,
            person,
            _ACTS[kind].validate_python({**body, "id": id}),
            walk,
            _ANSWERS.validate_python(answer),
            undone_by,
            at,
        )
        for row_id, person, kind, id, walk, body, answer, undone_by, at in rows
        if answer  # an act being done has none yet, and must not find itself
    ]
