"""Gates (spec section 4): the state of a step in a run, who is let through, and when by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from statistics import median
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shortlist.domain.model import DEFAULT_WAIT_MINUTES, GateKind, GateState, Pin

FEW_VOTES: Final = 5
"""Below so many votes a rating is close to a guess, and a dialog says so."""


@dataclass(frozen=True, slots=True)
class Column:
    """What the state of one step in one run depends on: all that still comes to it with no other
    decision between (see `source_order`).

    `open_parents`: advancing images that still lack children. `lacking_bases`: base images that a
    gated run still makes. `in_flight`: jobs on their way.
    """

    approved: bool
    approved_before: bool
    open_parents: int
    lacking_bases: int
    in_flight: int


def state(column: Column) -> GateState:
    """The state shown for a step: approved, blocked, generating or awaiting approval."""
    if column.approved:
        return GateState.APPROVED
    if not column.approved_before:
        return GateState.BLOCKED
    if column.open_parents or column.lacking_bases or column.in_flight:
        return GateState.GENERATING
    return GateState.AWAITING


def approved_at_birth(*, order: int, gate: GateKind) -> bool:
    """Whether a run begins with this step's gate open: the first step, and every `auto` gate."""
    return order == 1 or gate is GateKind.AUTO


def is_gated(gates: Sequence[GateKind]) -> bool:
    """Whether a run waits for a person anywhere; `gates` in step order, the first never counts."""
    return any(gate is not GateKind.AUTO for gate in gates[1:])


def source_order(kinds: Sequence[GateKind], order: int) -> int:
    """The step whose images reach the gate of step `order` with no other decision between.

    That is the step before, or where that has no gate of its own the one before it, and so on:
    with images of those still to come, a ranking at this gate would be one of a few.
    """
    source = order - 1
    while source > 1 and kinds[source - 1] is GateKind.AUTO:
        source -= 1
    return source


class Ranked(NamedTuple):
    """A live image at a gate; `path` holds the ids of its ancestors, as `/3/17/`.

    A tuple, because ten thousand of them are made at once and it takes a fifth of the time.
    """

    id: int
    elo: float
    votes: int
    path: str
    pin: Pin | None

    @property
    def base_id(self) -> int:
        """The base image of its tree: the first of the path, or itself."""
        return int(self.path[1 : self.path.index("/", 1)]) if self.path != "/" else self.id


def ranking(images: Sequence[Ranked]) -> list[Ranked]:
    """Best first: rating, then more votes, then the lower id."""
    return sorted(images, key=lambda image: (-image.elo, -image.votes, image.id))


def top(ranked: Sequence[Ranked], *, count: int, per_base: int | None) -> list[int]:
    """The ids let through, best first: the pinned ones, then the best up to `count` in all.

    `ranked` is best first: rating, then more votes, then the lower id. With `per_base` at most so
    many come from one base image, the pinned ones counted. More pins than `count` all go through.
    """
    pinned = [image for image in ranked if image.pin]
    chosen = {image.id for image in pinned if image.pin is Pin.ALWAYS}
    never = {image.id for image in pinned if image.pin is Pin.NEVER}
    of_base = Counter[int]()
    if per_base is not None:
        of_base.update(image.base_id for image in pinned if image.id in chosen)
    for image in ranked:
        if len(chosen) >= count:
            break
        if image.id in chosen or image.id in never:
            continue
        if per_base is not None:
            if of_base[image.base_id] >= per_base:
                continue
            of_base[image.base_id] += 1
        chosen.add(image.id)
    return [image.id for image in ranked if image.id in chosen]


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long a provisional gate waits for a person: `minutes` (null: for ever), and not at all
    between `night_from` and `night_until` (as "22:30"; null: no night) on the clock of
    `time_zone`, an IANA name.
    """

    minutes: int | None = DEFAULT_WAIT_MINUTES
    night_from: str | None = None
    night_until: str | None = None
    time_zone: str = "UTC"

    def fault(self) -> str | None:
        """What is wrong with these values, in one sentence; null when nothing is."""
        if self.minutes is not None and self.minutes < 0:
            return "The wait is given in minutes, 0 or more."
        if (self.night_from is None) != (self.night_until is None):
            return "A night needs both ends, such as 22:30 and 07:00."
        try:
            _clock(self.night_from or "00:00")
            _clock(self.night_until or "00:00")
        except ValueError:
            return "Write the ends of the night as hours and minutes, such as 22:30."
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones is an OSError
            return f"There is no time zone {self.time_zone!r}; write one such as Europe/Berlin."
        return None

    def in_night(self, now: datetime) -> bool:
        """Whether `now` lies in the night; one that ends before it begins passes midnight."""
        if self.night_from is None or self.night_until is None:
            return False
        begin, end = _clock(self.night_from), _clock(self.night_until)
        try:
            clock = now.astimezone(ZoneInfo(self.time_zone)).time()
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return (
                False  # a machine that knows the zone no longer has no night, and the rest goes on
            )
        if begin <= end:
            return begin <= clock < end
        return clock >= begin or clock < end


def assumption(
    waiting: Waiting, *, complete_since: datetime, last_act: datetime | None, now: datetime
) -> str | None:
    """Why a complete provisional gate opens by itself at `now`; null when it still waits."""
    if waiting.in_night(now):
        return "It was night"
    if waiting.minutes is None:
        return None
    since = max(complete_since, last_act or complete_since)
    if now - since < timedelta(minutes=waiting.minutes):
        return None
    unit = "minute" if waiting.minutes == 1 else "minutes"
    return f"Nobody acted for {waiting.minutes} {unit}"


def assumed(why: str, *, through: int, ranked: Sequence[Ranked], sure: float | None = None) -> str:
    """What a gate that opened by itself assumed, for the person who confirms or revises it."""
    votes = median(image.votes for image in ranked)
    settled = "" if sure is None else f"; that they are the best was about {sure:.0%} sure"
    return (
        f"{why}, so the best {through} of {len(ranked)} went on by rating, "
        f"with {votes:g} votes each in the middle{settled}."
    )


def _clock(text: str) -> time:
    """A time of day; `ValueError` where it is none, or has a time zone of its own."""
    clock = time.fromisoformat(text)
    if clock.tzinfo is not None:
        raise ValueError(text)
    return clock
