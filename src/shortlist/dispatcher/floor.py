"""Who stands where: which of the free servers a chosen job is for. Which job is next is decided
elsewhere and never changes for it.

A job goes to the server that last ran its step, because loading other models takes as long as many
a job. A server leaves a job to a better one for a moment, never for good: nobody idles for it.
"""

from __future__ import annotations

from typing import Final, Protocol

COURTESY_SECONDS: Final = 0.5
"""How long an idle server waits for the better one to take the job."""

WORTH_SECONDS: Final = 1.0
"""A load above it is worth a pause: a server that still has a job at work leaves the next one to
the server that has its models, until it would run dry."""


class Hand(Protocol):
    """One server, as the others see it."""

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

    def load_seconds(self, step_id: int) -> float:
        """What it costs there to begin with the step, as far as it was measured."""

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

    def better(self, hand: Hand, step_id: int) -> Hand | None:
        """The server that a job of the step should rather go to."""
        if not self._affinity or hand.last_step == step_id:
            return None
        others = [each for each in self._hands if each is not hand and each.last_step == step_id]
        free = [each for each in others if each.is_free and each.taken <= hand.taken]
        if free:
            return free[0]
        if hand.taken and hand.load_seconds(step_id) >= WORTH_SECONDS:
            return next((each for each in others if each.in_use), None)
        return None
