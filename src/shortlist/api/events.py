"""The shapes of the event stream: a number, a kind and its data, as `EventSource` hands them out.

Numbered events come from the journal and can be replayed; `progress` has no number and is lost
with the connection. `resync` says that the hub no longer has what was missed: load everything anew.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, RootModel

from shortlist.api.models import Card, Shape
from shortlist.domain.model import CandidateStatus, JobStatus
from shortlist.services.journal import EventKind


class Told(Shape):
    """What every numbered event says: the run it is about, if it is about one, and when."""

    run_id: int | None
    at: datetime


class CandidateMade(Told):
    candidate: Card


class CandidateRejected(Told):
    """`branch` images below `root_id` are dead with it."""

    root_id: int
    branch: int
    status: CandidateStatus


class CandidateRestored(Told):
    root_id: int
    branch: int


class Rating(Shape):
    elo: float
    votes: int


class Rated(Told):
    """Ratings as they stand now, and the `pairs` (as in a deck) that the act `act` has judged;
    none where votes were taken back or counted again."""

    ratings: dict[str, Rating]
    act: str | None = None
    pairs: list[str] = Field(default_factory=list)


class JobChanged(Told):
    job: int
    status: JobStatus
    step_order: int
    parent_id: int | None
    backend_id: int
    error: str | None = None


class Kept(Told):
    """A person kept an image, with so many `stars`; null: not after all."""

    candidate: int
    stars: int | None


class RunChanged(Told):
    pass


class GateChanged(Told):
    step_id: int


class Settled(Told):
    """How surely (0 to 1) the best `top` of a step are known, and about how many votes are to go;
    null where that is not known. `steady`: it is sure enough."""

    step_id: int
    step_order: int
    top: int
    settled: float
    steady: bool = False
    votes: int | None


class BackendChanged(Told):
    backend_id: int


class Resync(Shape):
    pass


class Progress(Shape):
    """How far a running job is: `value` of `max` steps of its present node.

    `preview` is the number of its newest picture on the way, null while there is none.
    """

    job: int
    value: float
    max: float
    node: str | None
    preview: int | None


class CandidateMadeEvent(Shape):
    id: int
    event: Literal[EventKind.CANDIDATE_MADE]
    data: CandidateMade


class CandidateRejectedEvent(Shape):
    id: int
    event: Literal[EventKind.CANDIDATE_REJECTED]
    data: CandidateRejected


class CandidateRestoredEvent(Shape):
    id: int
    event: Literal[EventKind.CANDIDATE_RESTORED]
    data: CandidateRestored


class KeptEvent(Shape):
    id: int
    event: Literal[EventKind.KEPT]
    data: Kept


class RatedEvent(Shape):
    id: int
    event: Literal[EventKind.RATED]
    data: Rated


class JobChangedEvent(Shape):
    id: int
    event: Literal[EventKind.JOB_CHANGED]
    data: JobChanged


class RunChangedEvent(Shape):
    id: int
    event: Literal[EventKind.RUN_CHANGED]
    data: RunChanged


class GateChangedEvent(Shape):
    id: int
    event: Literal[EventKind.GATE_CHANGED]
    data: GateChanged


class SettledEvent(Shape):
    id: int
    event: Literal[EventKind.SETTLED]
    data: Settled


class BackendChangedEvent(Shape):
    id: int
    event: Literal[EventKind.BACKEND_CHANGED]
    data: BackendChanged


class ResyncEvent(Shape):
    id: int
    event: Literal["resync"]
    data: Resync


class ProgressEvent(Shape):
    event: Literal["progress"]
    data: Progress


AnyEvent = Annotated[
    CandidateMadeEvent
    | CandidateRejectedEvent
    | CandidateRestoredEvent
    | RatedEvent
    | KeptEvent
    | JobChangedEvent
    | RunChangedEvent
    | GateChangedEvent
    | SettledEvent
    | BackendChangedEvent
    | ResyncEvent
    | ProgressEvent,
    Field(discriminator="event"),
]


class StreamEvent(RootModel[AnyEvent]):
    """One event of the stream."""
