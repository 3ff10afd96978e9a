"""The event stream: replay from the journal, then follow.

A stream keeps nothing but the number it has reached: each time the bell rings, or every few
seconds without it, it reads what came after. A slow reader is therefore never queued for, and one
that fell too far behind is told to load anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Annotated, Final

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from shortlist.api import events
from shortlist.api.deps import LARGEST_ID, InRooms, Rooms, Tick, Ticks
from shortlist.api.edge import StrictRoute
from shortlist.api.models import Card
from shortlist.services import feed, journal
from shortlist.services.feed import News
from shortlist.services.journal import Entry, EventKind

LOOK_SECONDS: Final = 5.0
"""How long a lost ring can delay an event."""

GATHER_SECONDS: Final = 0.02
"""How long events pile up before one reading tells of them all."""

RETRY_MS: Final = 1_000

router = APIRouter(tags=["live"], route_class=StrictRoute)


async def _seat(rooms: InRooms) -> AsyncIterator[asyncio.Event]:
    with rooms.streams.seat() as bell:
        yield bell


@router.get(
    "/events",
    operation_id="follow_events",
    response_class=EventSourceResponse,
    responses={200: {"model": events.StreamEvent}},
)
async def follow_events(
    rooms: InRooms,
    bell: Annotated[asyncio.Event, Depends(_seat)],
    after: Annotated[int | None, Query(ge=0, le=LARGEST_ID)] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Everything that changes, from `after` or the browser's last event on, or from now."""
    reached = await to_thread.run_sync(_start, rooms, _number(last_event_id, otherwise=after))
    with _rung(rooms, bell), rooms.progress.subscribe() as ticks:
        yield ServerSentEvent(comment="Shortlist", retry=RETRY_MS)
        while not rooms.streams.closing:
            bell.clear()
            news = await to_thread.run_sync(_read, rooms, reached)
            for event in _told(news):
                yield event
            if news.upto > reached or news.missed:
                reached = news.upto
                continue
            async with aclosing(_ticking(bell, ticks)) as ticking:
                async for event in ticking:
                    yield event
            await asyncio.sleep(GATHER_SECONDS)


def _number(header: str | None, *, otherwise: int | None) -> int | None:
    """The browser's last event; a header that is no number of ours replays nothing."""
    if header and header.isascii() and header.isdecimal() and len(header) <= 16:
        return int(header)
    return otherwise


def _start(rooms: Rooms, after: int | None) -> int:
    if after is not None:
        return after
    with rooms.database.snapshot() as tx:
        return journal.last(tx)


def _read(rooms: Rooms, after: int) -> News:
    with rooms.database.snapshot() as tx:
        return feed.after(tx, after)


@contextmanager
def _rung(rooms: Rooms, bell: asyncio.Event) -> Iterator[None]:
    """Rings `bell` for each commit, whose thread is not this loop's."""
    loop = asyncio.get_running_loop()

    def ring() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(bell.set)

    end = rooms.database.wake.subscribe(ring)
    try:
        yield
    finally:
        end()


async def _ticking(bell: asyncio.Event, ticks: Ticks) -> AsyncGenerator[ServerSentEvent]:
    """The progress of jobs until the bell rings, or until it is time to look without."""
    rung = asyncio.create_task(_within(bell, LOOK_SECONDS))
    tick = asyncio.create_task(ticks.get())
    try:
        while not rung.done():
            await asyncio.wait((rung, tick), return_when=asyncio.FIRST_COMPLETED)
            if tick.done():
                yield _progress(tick.result())
                tick = asyncio.create_task(ticks.get())
    finally:
        rung.cancel()
        tick.cancel()


async def _within(bell: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        return


def _told(news: News) -> Iterator[ServerSentEvent]:
    if news.missed:
        yield ServerSentEvent(id=str(news.upto), event="resync", data=events.Resync())
        return
    for entry in news.events:
        data = _DATA[entry.kind](entry, news)
        if data is not None:
            yield ServerSentEvent(id=str(entry.id), event=entry.kind.value, data=data)


def _made(entry: Entry, news: News) -> events.Told | None:
    card = news.cards.get(int(str(entry.data["candidate"])))
    if card is None:
        return None
    return events.CandidateMade(
        run_id=entry.run_id, at=entry.at, candidate=Card.model_validate(card)
    )


def _plain(shape: type[events.Told]) -> Callable[[Entry, News], events.Told | None]:
    def told(entry: Entry, _: News) -> events.Told:
        return shape.model_validate({"run_id": entry.run_id, "at": entry.at, **entry.data})

    return told


_DATA: Final[dict[EventKind, Callable[[Entry, News], events.Told | None]]] = {
    EventKind.CANDIDATE_MADE: _made,
    EventKind.CANDIDATE_REJECTED: _plain(events.CandidateRejected),
    EventKind.CANDIDATE_RESTORED: _plain(events.CandidateRestored),
    EventKind.RATED: _plain(events.Rated),
    EventKind.KEPT: _plain(events.Kept),
    EventKind.JOB_CHANGED: _plain(events.JobChanged),
    EventKind.RUN_CHANGED: _plain(events.RunChanged),
    EventKind.GATE_CHANGED: _plain(events.GateChanged),
    EventKind.SETTLED: _plain(events.Settled),
    EventKind.BACKEND_CHANGED: _plain(events.BackendChanged),
}


def _progress(tick: Tick) -> ServerSentEvent:
    data = events.Progress(
        job=tick.job_id,
        value=tick.value,
        max=tick.max,
        node=tick.node or None,
        preview=tick.preview.number if tick.preview else None,
    )
    return ServerSentEvent(event="progress", data=data)
