"""Who stands where: which of the servers a chosen job is for. Which job is next is decided
elsewhere and never changes for it.

A job goes to a server that last ran its step, because loading other models takes as long as many
a job. Another one leaves it to those while they are through with all that waits for the step sooner
than it would have loaded and made one: of two servers each then keeps to its own step, and a long
column is still shared. It never waits longer than two loads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from shortlist.services.assignments import Load

COURTESY_SECONDS: Final = 0.5
"""How long a job is left to a better server that would take it now."""

WORTH_SECONDS: Final = 1.0
"""A load below it is no reason to wait for a server that is at work."""

MOST_LOADS: Final = 2.0
"""The longest wait, in loads: what is measured may be wrong, and the better server may hang."""


class Hand(Protocol):
    """One server, as the others see it."""

    @property
    def backend_id(self) -> int: ...

    @property
    def is_free(self) -> bool:
        """Whether it would take a job now."""

    @property
    def in_use(self) -> bool:
        """Whether it takes jobs at all, now or when it has done one."""

    @property
    def taken(self) -> int:
        """How many jobs it has."""

    @property
    def last_step(self) -> int | None:
        """The step of the newest job it was given."""

    def ring(self) -> None:
        """Lets it look for work."""


class Floor:
    """The servers of one dispatcher. Belongs to one event loop."""

    def __init__(self, *, affinity: bool = True) -> None:
        self._affinity = affinity
        self._hands: list[Hand] = []

    def enter(self, hand: Hand) -> None:
        """A server begins to take jobs."""
        self._hands.append(hand)

    def leave(self, hand: Hand) -> None:
        """It takes none any more."""
        self._hands.remove(hand)

    def warm(self, hand: Hand, step_id: int) -> list[Hand]:
        """The other servers in use that last ran the step; none where `hand` did so itself."""
        if not self._affinity or hand.last_step == step_id:
            return []
        others = (each for each in self._hands if each is not hand and each.in_use)
        return [each for each in others if each.last_step == step_id]


def patience(hand: Hand, warm: Sequence[Hand], *, load: Load | None, waiting: int) -> float:
    """For how many seconds `hand` leaves a step's job to the servers that last ran it.

    `load` is what the step costs, null: not measured; `waiting` are the jobs to be had of it.
    """
    if not warm:
        return 0.0
    if load is not None and load.load_seconds >= WORTH_SECONDS:
        ahead = waiting + sum(each.taken for each in warm)
        theirs = ahead * load.warm_seconds / len(warm)
        # One that has a job at work has time: it decides when that is done.
        if hand.taken or theirs <= load.load_seconds + load.warm_seconds:
            return MOST_LOADS * load.load_seconds
    would_take = any(each.is_free and each.taken <= hand.taken for each in warm)
    return COURTESY_SECONDS if would_take else 0.0
