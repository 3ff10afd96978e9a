"""What to do about a job when something is heard of it: (what is known, event) → (known, effects).

Pure: the driver of a server asks, does what it is told, and reports back. History and queue are
the truth about a job; what the socket says only makes the driver look earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeAlias

MOST_ATTEMPTS: Final = 3
"""How often a job is put to a server before it counts as lost."""


class Where(StrEnum):
    """Where a job is, as far as the hub knows."""

    HERE = "here"  # written down, and surely not at the server yet
    UNSURE = "unsure"  # perhaps at the server: no answer came, or the hub has just started
    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"  # over at the server; its result is on the way in
    OVER = "over"  # nothing is left to do


class Cause(StrEnum):
    """Why a job fails; the words a failed job is stored with."""

    REFUSED = "refused"
    RAISED = "raised"
    OUT_OF_MEMORY = "out of memory"
    INTERRUPTED = "stopped from outside"
    LOST = "lost"
    BAD_OUTPUT = "bad output"
    TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True)
class Known:
    """A job as its driver knows it.

    `attempts` counts from 1. A `recalled` job was cancelled in the hub and holds no place any more;
    the server is to let go of it. `missed` counts looks in a row that found nothing of it.
    """

    where: Where
    attempts: int
    recalled: bool = False
    missed: int = 0


class Heard(StrEnum):
    """Events that carry nothing but their name."""

    CLAIMED = "claimed"
    ACCEPTED = "accepted"
    UNANSWERED = "unanswered"  # the submit may or may not have arrived
    NOT_SENT = "not sent"  # the submit surely never left
    QUEUED = "found waiting"
    RUNNING = "found running"
    SUCCEEDED = "succeeded"
    INTERRUPTED = "interrupted"
    ABSENT = "absent"  # neither queued nor in history
    ABSENT_AFTER_RESTART = "absent, and the server was restarted since"
    NO_FILES = "no files of its own at the server"
    FILES_GONE = "the files it made are gone"
    TAKEN_IN = "taken in"
    LOST_TOUCH = "lost touch with the server"
    RECALL = "recall wished"
    GOES_FIRST = "wished before all that waits there"
    WITHDRAWN = "taken out of the queue, to be put there anew"


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt came to a bad end that a person should read about."""

    cause: Cause
    sentence: str


Event: TypeAlias = Heard | Failed


class Do(StrEnum):
    """Effects that carry nothing but their name."""

    SUBMIT = "submit"
    NOTE_SUBMITTED = "note that it is submitted"
    NOTE_RUNNING = "note that it is running"
    TAKE_IN = "fetch its files and make them candidates"
    ADOPT = "look for files that only it can have made"
    RESUBMIT = "put it up again under a new id"
    CANCEL = "cancel it at the server"
    PUT_FIRST = "put it before all that waits at the server"
    SETTLE_RECALL = "note that the server has let go of it"
    FORGET = "forget its history at the server"
    FREE = "ask the server to free its memory"


@dataclass(frozen=True, slots=True)
class Fail:
    """End the job as failed."""

    cause: Cause
    sentence: str


Effect: TypeAlias = Do | Fail
Step: TypeAlias = tuple[Known, tuple[Effect, ...]]

_LOST: Final = (
    f"The server lost the job {MOST_ATTEMPTS} times; look at ComfyUI's console, then retry."
)
_STOPPED: Final = "Somebody stopped this job in ComfyUI, or a node stopped it from inside."


def step(known: Known, event: Event) -> Step:
    """What is known after `event`, and what to do about it, in order. No effect means wait."""
    if known.where is Where.OVER:
        return known, ()
    if isinstance(event, Failed):
        return _failed(known, event)
    return _RULES[event](known)


def _queued(known: Known) -> Step:
    return _at_server(known, Where.QUEUED, note=Do.NOTE_SUBMITTED)


def _running(known: Known) -> Step:
    return _at_server(known, Where.RUNNING, note=Do.NOTE_RUNNING)


def _at_server(known: Known, where: Where, *, note: Do) -> Step:
    """It is there. A recall that was wished meanwhile is told, again if the first was in vain."""
    now = replace(known, where=where, missed=0)
    if known.recalled:
        return now, (Do.CANCEL,)
    return now, () if known.where is where else (note,)


def _unanswered(known: Known) -> Step:
    return replace(known, where=Where.UNSURE, missed=0), ()


def _lost_touch(known: Known) -> Step:
    """Nothing can be said of it until the server has been asked. A job never sent stays here."""
    return (known, ()) if known.where is Where.HERE else _unanswered(known)


def _absent_after_restart(known: Known) -> Step:
    return _absent(known, certain=True)


def _absent(known: Known, *, certain: bool = False) -> Step:
    """Once may be a submit still under way, twice is an answer; so is once after a restart."""
    if known.where in (Where.HERE, Where.ENDED):
        return known, ()
    taken_back = known.recalled and known.where is not Where.UNSURE
    if not certain and not taken_back and known.missed == 0:
        return replace(known, missed=1), ()
    if known.recalled:
        return replace(known, where=Where.OVER), (Do.SETTLE_RECALL,)
    return replace(known, where=Where.ENDED, missed=0), (Do.ADOPT,)


def _once_more(known: Known) -> Step:
    """Nothing of this attempt can be had: a new one under a new id, or an end."""
    if known.recalled:
        return replace(known, where=Where.OVER), (Do.SETTLE_RECALL,)
    if known.attempts >= MOST_ATTEMPTS:
        return replace(known, where=Where.OVER), (Fail(Cause.LOST, _LOST), Do.FORGET)
    again = Known(Where.HERE, known.attempts + 1)
    return again, (Do.FORGET, Do.RESUBMIT, Do.SUBMIT)


def _failed(known: Known, event: Failed) -> Step:
    """The attempt ended badly; for a recalled job that is as good as any end."""
    over = replace(known, where=Where.OVER)
    if known.recalled:
        return over, (Do.SETTLE_RECALL, Do.FORGET)
    fail = Fail(event.cause, event.sentence)
    if event.cause is Cause.TIMED_OUT:
        return over, (fail, Do.CANCEL)
    if event.cause is Cause.REFUSED:
        return over, (fail,)
    if event.cause is Cause.OUT_OF_MEMORY:
        return over, (fail, Do.FORGET, Do.FREE)
    return over, (fail, Do.FORGET)


def _interrupted(known: Known) -> Step:
    return _failed(known, Failed(Cause.INTERRUPTED, _STOPPED))


def _recalled(known: Known) -> Step:
    """Cancelled in the hub: the server is told, unless the result is on its way in already."""
    now = replace(known, recalled=True)
    if known.where is Where.HERE:
        return replace(now, where=Where.OVER), (Do.SETTLE_RECALL,)
    if known.where is Where.ENDED:
        return now, ()
    return now, (Do.CANCEL,)


def _goes_first(known: Known) -> Step:
    """Only what waits can change its place; what is not there yet is put first when it is sent."""
    waits = known.where is Where.QUEUED and not known.recalled
    return known, (Do.PUT_FIRST,) if waits else ()


def _withdrawn(known: Known) -> Step:
    if known.where is not Where.QUEUED:
        return known, ()
    if known.recalled:
        return replace(known, where=Where.OVER), (Do.SETTLE_RECALL,)
    return replace(known, where=Where.HERE), (Do.SUBMIT,)


_RULES: Final[Mapping[Heard, Callable[[Known], Step]]] = {
    Heard.CLAIMED: lambda known: (known, (Do.SUBMIT,)),
    Heard.NOT_SENT: lambda known: (replace(known, where=Where.HERE), ()),
    Heard.UNANSWERED: _unanswered,
    Heard.LOST_TOUCH: _lost_touch,
    Heard.ACCEPTED: _queued,
    Heard.QUEUED: _queued,
    Heard.RUNNING: _running,
    Heard.SUCCEEDED: lambda known: (replace(known, where=Where.ENDED, missed=0), (Do.TAKE_IN,)),
    Heard.INTERRUPTED: _interrupted,
    Heard.ABSENT: _absent,
    Heard.ABSENT_AFTER_RESTART: _absent_after_restart,
    Heard.NO_FILES: _once_more,
    Heard.FILES_GONE: _once_more,
    Heard.TAKEN_IN: lambda known: (replace(known, where=Where.OVER), (Do.FORGET,)),
    Heard.RECALL: _recalled,
    Heard.GOES_FIRST: _goes_first,
    Heard.WITHDRAWN: _withdrawn,
}
