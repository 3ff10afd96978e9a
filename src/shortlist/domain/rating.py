"""Elo: what one comparison changes.

A change is given as deltas, so that taking a comparison back subtracts what it added and leaves
every later comparison counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

K_FACTOR: Final = 32.0
"""Most points that one comparison moves; spec section 3."""

SCALE: Final = 400.0
"""Points of difference that mean odds of ten to one (A. Elo, The Rating of Chessplayers, 1978;
the logistic form that FIDE and the USCF use)."""

FARTHEST: Final = 300.0
"""Powers of ten between two ratings beyond which a float would overflow; the odds are 0 there."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a comparison adds to both ratings. The two sum to 0."""

    winner: float
    loser: float


def expected(own: float, other: float) -> float:
    """The score (0 to 1) that `own` is expected to make against `other`."""
    exponent = (other - own) / SCALE
    if exponent > FARTHEST:
        return 0.0
    return float(1 / (1 + 10**exponent))


def update(winner: float, loser: float, *, tie: bool) -> Change:
    """The change from ratings before; for a tie, half a win each, the order does not matter."""
    score = 0.5 if tie else 1.0
    delta = K_FACTOR * (score - expected(winner, loser))
    return Change(delta, -delta)
