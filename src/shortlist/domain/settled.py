"""The finish line: how likely the present top K is the true one, and how many votes until it is.

Both come from draws of the posterior; the generator is an argument, so equal states and seeds give
equal answers. How far apart values lie is not known either: the probability is averaged over
narrower and wider spreads, each weighed by how well it foretells the votes. Importing this imports
numpy, like `posterior`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from shortlist.domain.information import NOISE, border, chance
from shortlist.domain.laplace import Floats
from shortlist.domain.model import SETTLED
from shortlist.domain.moments import draws, refined
from shortlist.domain.posterior import Posterior

CONTENDERS: Final = 60
"""Candidates on both sides of the border whose order is drawn; the others' places are safe."""

DRAWS: Final = 4000
"""A probability near 0.9 is then known to half a percent."""

ROUGH: Final = 400
"""Draws within an imagined course of votes, which only has to notice the end."""

COURSES: Final = 5
"""Imagined courses of votes; the middle one is told."""

NEAR: Final = 20
"""Contenders in an imagined course."""

LOOK_EVERY: Final = 3
"""Votes between two looks whether a course has ended."""

FARTHEST: Final = 100
"""Votes after which an imagined course is given up."""


@dataclass(frozen=True, slots=True)
class FinishLine:
    """`probability` that the present top K is the true one, and about how many `votes` until that
    is `SETTLED`: 0 where it is, `FARTHEST` for that many or more."""

    probability: float
    votes: int


def finish_line(
    posterior: Posterior, ids: Sequence[int], *, top: int, rng: np.random.Generator
) -> FinishLine:
    """Where the top `top` of `ids` stands. With nothing to leave out it is settled."""
    if not 0 < top < len(ids):
        return FinishLine(1.0, 0)
    sure = probability(posterior, ids, top=top, rng=rng)
    if sure >= SETTLED:
        return FinishLine(sure, 0)
    near, inside = _border(posterior, ids, top=top, count=NEAR)
    joint = refined(posterior, near)
    courses = [_course(joint.mean, joint.covariance, top=inside, rng=rng) for _ in range(COURSES)]
    return FinishLine(sure, max(1, sorted(courses)[COURSES // 2]))


def probability(
    posterior: Posterior, ids: Sequence[int], *, top: int, rng: np.random.Generator
) -> float:
    """The chance (0 to 1) that the `top` with the highest means are truly the best, as a set."""
    if not 0 < top < len(ids):
        return 1.0
    near, inside = _border(posterior, ids, top=top, count=CONTENDERS)
    drawn = draws(posterior, near, count=DRAWS, rng=rng)
    return _unchanged(drawn, top=inside)


def _border(
    posterior: Posterior, ids: Sequence[int], *, top: int, count: int
) -> tuple[list[int], int]:
    """Those whose place is most in doubt, best first, and how many of them are in the top. The
    one above and the one below the border are always among them."""
    at = np.array([posterior.tree.at(id) for id in ids])
    mean, spread = posterior.mean[at], np.sqrt(posterior.variance[at])
    order = np.lexsort((np.array(ids), -mean))
    distance = np.abs(mean - border(mean, top=top)) / spread
    distance[order[top - 1 : top + 1]] = 0.0
    nearest = set(np.argsort(distance, kind="stable")[:count].tolist())
    kept = [place for place in order.tolist() if place in nearest]
    inside = sum(place in nearest for place in order[:top].tolist())
    return [ids[place] for place in kept], inside


def _unchanged(drawn: Floats, *, top: int) -> float:
    """The share of draws in which the first `top` are all above the others."""
    return float(np.mean(drawn[:, :top].min(axis=1) > drawn[:, top:].max(axis=1)))


def _course(mean: Floats, covariance: Floats, *, top: int, rng: np.random.Generator) -> int:
    """Votes until settled in one imagined course: the truth is drawn, votes follow from it.

    Each goes to the pair across the border that has the most doubt to lose, which is quicker to
    find than what `information` shows and needs about as many votes.
    """
    truth = rng.multivariate_normal(mean, covariance, check_valid="ignore", method="eigh")
    for votes in range(1, FARTHEST):
        order = np.argsort(-mean, kind="stable")
        inside, outside = order[:top, None], order[None, top:]
        own = np.diagonal(covariance)
        variance = np.maximum(own[inside] + own[outside] - 2 * covariance[inside, outside], 1e-12)
        wrong = chance((mean[outside] - mean[inside]) / np.sqrt(variance))
        row, column = np.unravel_index(int(np.argmax(wrong * variance)), wrong.shape)
        one, other = int(order[row]), int(order[top + column])
        wins = rng.random() < 1 / (1 + np.exp(truth[other] - truth[one]))
        winner, loser = (one, other) if wins else (other, one)
        mean, covariance = _heard(mean, covariance, winner=winner, loser=loser)
        # No set is surer than its least sure pair, and that is known without a draw.
        if votes % LOOK_EVERY == 0 and float(wrong.max()) <= 1 - SETTLED:
            drawn = rng.multivariate_normal(
                mean, covariance, ROUGH, check_valid="ignore", method="eigh"
            )
            if _unchanged(drawn[:, order], top=top) >= SETTLED:
                return votes
    return FARTHEST


def _heard(mean: Floats, covariance: Floats, *, winner: int, loser: int) -> tuple[Floats, Floats]:
    """Mean and covariance after one vote, by moment matching as in `information.gains`."""
    along = covariance[winner] - covariance[loser]
    total = float(along[winner] - along[loser]) + NOISE
    ahead = float(mean[winner] - mean[loser]) / total**0.5
    density = float(np.exp(-(ahead**2) / 2) / np.sqrt(2 * np.pi))
    shift = density / max(float(chance(np.array(ahead))), 1e-9)
    lean = shift * (shift + ahead) / total
    return mean + shift / total**0.5 * along, covariance - lean * np.outer(along, along)
