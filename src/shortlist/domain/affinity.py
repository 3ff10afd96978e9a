"""Which server a chosen job is for. Which job is next is decided elsewhere, whatever comes of it.

A job goes to a server that last ran its step, because loading other models takes as long as many
a job. Another one leaves it to those while they are through with all that waits for the step sooner
than it would have loaded and made one: of two servers each then keeps to its own step, and a long
column is still shared. It never waits longer than two loads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

COURTESY_SECONDS: Final = 0.5
"""How long a job is left to a better server that would take it now."""

WORTH_SECONDS: Final = 1.0
"""A load below it is no reason to wait for a server that is at work."""

MOST_LOADS: Final = 2.0
"""The longest wait, in loads: what is measured may be wrong, and the better server may hang."""


@dataclass(frozen=True, slots=True)
class Load:
    """What it costs a server to begin with a step, and a job of it once it has."""

    load_seconds: float
    warm_seconds: float


class Server(Protocol):
    """How busy a server is."""

    @property
    def is_free(self) -> bool:
        """Whether it would take a job now."""

    @property
    def taken(self) -> int:
        """How many jobs it has."""


def patience(asking: Server, warm: Sequence[Server], *, load: Load | None, waiting: int) -> float:
    """For how many seconds `asking` leaves a step's job to the servers that last ran it.

    `load` is what the step costs, null: not measured; `waiting` are the jobs to be had of it.
    """
    if not warm:
        return 0.0
    if load is not None and load.load_seconds >= WORTH_SECONDS:
        ahead = waiting + sum(each.taken for each in warm)
        theirs = ahead * load.warm_seconds / len(warm)
        # One that has a job at work has time: it decides when that is done.
        if asking.taken or theirs <= load.load_seconds + load.warm_seconds:
            return MOST_LOADS * load.load_seconds
    would_take = any(each.is_free and each.taken <= asking.taken for each in warm)
    return COURTESY_SECONDS if would_take else 0.0
