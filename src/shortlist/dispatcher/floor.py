"""Who stands where: the servers of one dispatcher, as each sees the others."""

from __future__ import annotations

from typing import Protocol

from shortlist.domain.affinity import Server


class Hand(Server, Protocol):
    """One server, as the others see it."""

    @property
    def backend_id(self) -> int: ...

    @property
    def in_use(self) -> bool:
        """Whether it takes jobs at all, now or when it has done one."""

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
