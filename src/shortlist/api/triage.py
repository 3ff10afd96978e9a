"""Judging over HTTP: the deck, the acts, the person's log, and the open question of a walk."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath

from shortlist.api import problems
from shortlist.api.deps import (
    LARGEST_ID,
    MOST_AT_HAND,
    PERSON,
    IdInQuery,
    InRooms,
    Now,
    StepInQuery,
)
from shortlist.api.edge import StrictRoute
from shortlist.api.judging import (
    ActResult,
    ActResults,
    Deck,
    FinishLine,
    NextColumn,
    Pair,
    PastAct,
    Rejection,
    Undone,
    Waiting,
    Walk,
)
from shortlist.api.models import Card, NamedRef, Problem, Shape, Step
from shortlist.api.requests import CLIENT_ID, Act, Acts
from shortlist.domain.model import ActKind
from shortlist.domain.pairing import Key, parse
from shortlist.errors import BadInput
from shortlist.errors import Problem as Fault
from shortlist.services import acts, columns, finish, images, pipelines, triage
from shortlist.services import deck as decks
from shortlist.services.walks import walk_view
from shortlist.store.db import Database, Tx

S = TypeVar("S", bound=Shape)

MOST_PAIRS: Final = 50
_KEYS: Final = r"^([0-9]+-[0-9]+(,[0-9]+-[0-9]+)*)?$"

router = APIRouter(tags=["triage"], route_class=StrictRoute)

ACTS: Final[dict[ActKind, type[acts.Act]]] = {
    ActKind.VOTE: acts.VoteAct,
    ActKind.TIE: acts.TieAct,
    ActKind.WORST: acts.WorstAct,
    ActKind.SKIP: acts.SkipAct,
    ActKind.KILL: acts.KillAct,
    ActKind.KILL_BOTH: acts.KillBothAct,
    ActKind.WALK: acts.WalkAct,
    ActKind.APPROVE: acts.ApproveAct,
    ActKind.REOPEN: acts.ReopenAct,
    ActKind.CONFIRM: acts.ConfirmAct,
    ActKind.PIN: acts.PinAct,
    ActKind.KEEP: acts.KeepAct,
    ActKind.UNDO: acts.UndoAct,
    ActKind.REDO: acts.RedoAct,
}


@router.get("/deck", operation_id="get_deck")
def get_deck(
    rooms: InRooms,
    *,
    run: IdInQuery = None,
    step: StepInQuery = None,
    count: Annotated[int, Query(ge=1, le=MOST_PAIRS)] = 8,
    exclude: Annotated[
        str, Query(pattern=_KEYS, max_length=4_000, description="keys at hand: 7-9,12-40")
    ] = "",
    parents: Annotated[
        bool, Query(description="mix in about one child against its parent in twenty pairs")
    ] = False,
    top: Annotated[
        int | None, Query(ge=1, le=100_000, description="pairs that decide the best so many")
    ] = None,
    desk: Annotated[
        str, Query(max_length=64, description="which page asks: no two are given the same pairs")
    ] = "",
    now: Now,
) -> Deck:
    """The next pairs: the right-most column with images this person has not voted on.

    `run` and `step` pin a run and a column.
    """
    at_hand = _at_hand(exclude)
    with rooms.database.snapshot() as tx:
        found = decks.deck(
            tx,
            PERSON,
            run_id=run,
            step_order=step,
            count=count,
            exclude=at_hand,
            rng=random.Random(),
            now=now,
            parents=parents,
            top=top,
            desk=desk,
        )
        return _deck(tx, found, top=top, now=now)


@router.get("/deck/next", operation_id="get_next_column")
def get_next_column(
    rooms: InRooms,
    *,
    run: Annotated[int, Query(ge=1, le=LARGEST_ID)],
    step: Annotated[int, Query(ge=1, le=1000)],
) -> NextColumn | None:
    """Where to go on voting when `step` of `run` is done: the right-most other column with images
    this person has not voted on, of this run where there is one; null where there is none."""
    with rooms.database.snapshot() as tx:
        return _read(NextColumn, columns.after(tx, PERSON, run_id=run, step_order=step))


@router.post("/acts", operation_id="send_acts")
async def send_acts(body: Acts, request: Request, rooms: InRooms, now: Now) -> ActResults:
    """Does what a person did, act by act in order; a refused one does not stop the others.

    An act that is sent again under its id is not done again: its first answer is given.
    """
    number = problems.request_id(request.scope)
    return ActResults(
        results=[await _result(rooms.database, act, number=number, now=now) for act in body.acts]
    )


@router.get("/acts", operation_id="list_acts")
def list_acts(
    rooms: InRooms,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    before: Annotated[str | None, Query(pattern=CLIENT_ID)] = None,
) -> list[PastAct]:
    """This person's acts, newest first; `before` is the last id of the page before."""
    with rooms.database.snapshot() as tx:
        past = triage.past(tx, PERSON, limit=limit, before=before)
        return [PastAct.model_validate(item) for item in past]


@router.get("/walks/{act_id}", operation_id="get_walk")
def get_walk(
    act_id: Annotated[str, InPath(pattern=CLIENT_ID)],
    rooms: InRooms,
    turn: Annotated[int, Query(ge=0, le=10_000)] = 0,
) -> Walk:
    """The question of a walk that is open now; `turn` puts another image beside."""
    with rooms.database.snapshot() as tx:
        return Walk.model_validate(walk_view(tx, PERSON, act_id, turn=turn))


def _at_hand(exclude: str) -> list[Key]:
    keys = [parse(key) for key in exclude.split(",") if key]
    if len(keys) > MOST_AT_HAND or any(id > LARGEST_ID for key in keys for id in key):
        raise BadInput(f"Name at most {MOST_AT_HAND} pairs of real images.", field="exclude")
    return keys


async def _result(database: Database, sent: Act, *, number: str, now: datetime) -> ActResult:
    act = ACTS[sent.kind](**sent.model_dump(exclude={"kind"}))
    try:
        done = await asyncio.wrap_future(
            database.submit(lambda tx: triage.apply(tx, PERSON, act, now))
        )
    except Fault as fault:
        return _refused(sent, fault, number=number)
    return ActResult(
        id=done.id,
        ok=True,
        repeated=done.repeated,
        problem=None,
        kind=done.kind,
        label=done.label,
        ratings=dict(done.ratings) or None,
        rejected=_read(Rejection, done.rejected),
        walk=_read(Walk, done.walk),
        undone=_read(Undone, done.undone),
        strained=done.strained,
    )


def _read(shape: type[S], value: object) -> S | None:
    return None if value is None else shape.model_validate(value)


def _refused(sent: Act, fault: Fault, *, number: str) -> ActResult:
    return ActResult(
        id=sent.id,
        ok=False,
        repeated=False,
        problem=Problem.model_validate(problems.body_of(fault, id=number)),
        kind=sent.kind,
        label=fault.detail,
        ratings=None,
        rejected=None,
        walk=None,
        undone=None,
        strained=False,
    )


def _deck(tx: Tx, found: decks.Deck, *, top: int | None, now: datetime) -> Deck:
    column = found.column
    line = column and finish.line(tx, column.run_id, column.step_order, top=top, now=now)
    single = None if found.single is None else images.cards(tx, [found.single])[found.single]
    step = None if column is None else pipelines.step(tx, column.step_id)
    return Deck(
        pairs=[Pair.model_validate(pair) for pair in found.pairs],
        step=_read(Step, step),
        run=None if column is None else NamedRef(id=column.run_id, name=column.run_name),
        waiting=_read(Waiting, found.waiting),
        single=_read(Card, single),
        remaining=found.remaining,
        finish=_read(FinishLine, line),
    )
