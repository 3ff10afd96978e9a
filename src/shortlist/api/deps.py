"""What endpoints are handed: the opened rooms, the options of this hub, and who is asking."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Protocol

from fastapi import Depends, Query
from fastapi import Path as InPath
from starlette.requests import Request

from shortlist.comfy.workflow import Catalogue
from shortlist.domain.prompts import Wildcards
from shortlist.errors import BadInput, Unavailable
from shortlist.images.blobs import Blobs
from shortlist.images.renderer import RendererPool
from shortlist.services.trials import Trial, Wish
from shortlist.store.db import Database

LARGEST_ID: Final = 2**53
"""A browser's numbers are exact up to there."""

PERSON: Final = "me"
"""The one person of a hub without accounts; whoever has the token is that person."""


@dataclass(frozen=True, slots=True)
class Options:
    """The values of the settings that the interface needs.

    `hosts` are the names this hub answers to, without a port; `any_address` lets every IP address
    in, which no one can make to point elsewhere. `page` is the folder of the built web page.
    """

    hosts: frozenset[str] = frozenset(("localhost", "127.0.0.1", "[::1]"))
    any_address: bool = False
    token: str | None = None
    max_children: int = 3
    target_leaves: int = 10
    base_count: int = 3
    page: Path | None = None
    own: tuple[str, ...] = ()


class Preview(Protocol):
    """A picture on the way, as a server sent it: nobody has looked at it yet."""

    @property
    def number(self) -> int: ...
    @property
    def data(self) -> bytes: ...


class Tick(Protocol):
    """How far one running job is."""

    @property
    def job_id(self) -> int: ...
    @property
    def value(self) -> float: ...
    @property
    def max(self) -> float: ...
    @property
    def node(self) -> str: ...
    @property
    def preview(self) -> Preview | None: ...


class Ticks(Protocol):
    """A follower's queue of ticks."""

    async def get(self) -> Tick: ...


class ProgressFeed(Protocol):
    """Whoever knows how far running jobs are; the hub's dispatcher."""

    def subscribe(self) -> AbstractContextManager[Ticks]: ...

    def latest(self, job_id: int) -> Tick | None: ...


class Asked(Protocol):
    """A server's node types, or why they are not known."""

    @property
    def catalogue(self) -> Catalogue | None: ...
    @property
    def why(self) -> str: ...


class CatalogueSource(Protocol):
    """Whoever can ask servers what they have."""

    async def get(self) -> Catalogue | None:
        """Of the first server that answers; null while none does."""

    async def of(self, url: str) -> Asked:
        """Of the server at an address."""

    async def test(self, url: str) -> object:
        """What is found at an address, with the attributes of `workshop.ServerAnswer`."""

    async def saved(self, url: str) -> tuple[str, ...]:
        """Names of the workflows saved in the editor at an address. Raises `BackendFault`."""

    async def read(self, url: str, name: str) -> str:
        """The text of one of them. Raises `BackendFault`."""


class TrialRunner(Protocol):
    """Whoever makes test runs; the hub's own."""

    def start(self, wish: Wish) -> Trial: ...
    def get(self, id: str) -> Trial: ...
    async def cancel(self, id: str) -> Trial: ...


class WildcardSource(Protocol):
    """Whoever knows the person's wildcard files."""

    def read(self) -> Wildcards:
        """The lines of each. Blocks."""


class Streams:
    """The open event streams of one application: how many there are, and that they must end.

    Belongs to the event loop of the server.
    """

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._bells: set[asyncio.Event] = set()
        self.closing = False

    @contextmanager
    def seat(self) -> Iterator[asyncio.Event]:
        """A bell for one stream, rung by `close` too. Raises `Unavailable` when all are taken."""
        if self.closing or len(self._bells) >= self._most:
            raise Unavailable(
                f"{self._most} event streams are open; close another page of this hub."
            )
        bell = asyncio.Event()
        self._bells.add(bell)
        try:
            yield bell
        finally:
            self._bells.discard(bell)

    def close(self) -> None:
        """Lets every stream end by itself; new ones are refused."""
        self.closing = True
        for bell in self._bells:
            bell.set()


@dataclass(frozen=True, slots=True)
class Rooms:
    """What `create_app` was given, for the endpoints."""

    database: Database
    blobs: Blobs
    renderer: RendererPool
    options: Options
    progress: ProgressFeed
    catalogues: CatalogueSource
    trials: TrialRunner
    wildcards: WildcardSource
    streams: Streams = field(default_factory=Streams)


# Both are coroutines because FastAPI sends plain functions through the thread pool, each time.
async def rooms(request: Request) -> Rooms:
    found: Rooms = request.app.state.rooms
    return found


async def now() -> datetime:
    return datetime.now(UTC)


InRooms = Annotated[Rooms, Depends(rooms)]
Now = Annotated[datetime, Depends(now)]
MOST_AT_HAND: Final = 200
"""Images or pairs that a page may already hold."""

_Ids = Annotated[
    str,
    Query(pattern=r"^([0-9]+(,[0-9]+)*)?$", max_length=4_000, description="images: 7,12,40"),
]


def ids_at_hand(exclude: _Ids = "") -> list[int]:
    """The images that a page already holds; raises `BadInput` for what can't be such."""
    return _real_images(exclude, field="exclude")


def ids_asked(ids: _Ids) -> list[int]:
    """The images that a page asks about; raises `BadInput` for what can't be such."""
    return _real_images(ids, field="ids")


def _real_images(text: str, *, field: str) -> list[int]:
    ids = [int(id) for id in text.split(",") if id]
    if len(ids) > MOST_AT_HAND or any(id > LARGEST_ID for id in ids):
        raise BadInput(f"Name at most {MOST_AT_HAND} real images.", field=field)
    return ids


AtHand = Annotated[list[int], Depends(ids_at_hand)]
IdsAsked = Annotated[list[int], Depends(ids_asked)]
IdInPath = Annotated[int, InPath(ge=1, le=LARGEST_ID)]
IdInQuery = Annotated[int | None, Query(ge=1, le=LARGEST_ID)]
StepInQuery = Annotated[int | None, Query(ge=1, le=1000, description="the step's order")]
