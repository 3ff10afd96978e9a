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
from shortlist.domain.laplace import Floats, Integers
from shortlist.domain.model import SETTLED
from shortlist.domain.moments import draws, refined
from shortlist.domain.posterior import Posterior

CONTENDERS: Final = 60
"""Candidates on both sides of the border whose order is drawn; the others' places are safe."""

DRAWS: Final = 4000
"""A probability near 0.9 is then known to half a percent."""

ROUGH: Final = 400
"""Draws within an imagined course of votes, which only has to notice the end."""

COURSES: Final = 21
"""Imagined courses of votes; the middle one is told. They lie far apart: the middle one of five
would jump from vote to vote."""

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
    return FinishLine(sure, _middle_course(joint.mean, joint.covariance, top=inside, rng=rng))


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


def _middle_course(mean: Floats, covariance: Floats, *, top: int, rng: np.random.Generator) -> int:
    """Votes until more than half of the imagined courses are settled, all played side by side: in
    each the truth is drawn, and votes follow from it.

    A vote goes to the pair across the border that has the most doubt to lose, which is quicker to
    find than what `information` shows and needs about as many votes.
    """
    truth = rng.multivariate_normal(mean, covariance, COURSES, check_valid="ignore", method="eigh")
    means, covariances = np.tile(mean, (COURSES, 1)), np.tile(covariance, (COURSES, 1, 1))
    course, ended = np.arange(COURSES), np.zeros(COURSES, dtype=np.bool_)
    for votes in range(1, FARTHEST):
        order = np.argsort(-means, axis=1, kind="stable")
        one, other, doubt = _most_doubtful(means, covariances, order=order, top=top)
        wins = rng.random(COURSES) < 1 / (1 + np.exp(truth[course, other] - truth[course, one]))
        winner, loser = np.where(wins, one, other), np.where(wins, other, one)
        means, covariances = _heard(means, covariances, winner=winner, loser=loser)
        # No set is surer than its least sure pair, and that is known without a draw.
        look = np.flatnonzero((doubt <= 1 - SETTLED) & ~ended)
        if votes % LOOK_EVERY == 0 and len(look):
            drawn = _rough(means[look], covariances[look], rng=rng)
            ranked = np.take_along_axis(drawn, order[look, None], axis=2)
            same = ranked[:, :, :top].min(axis=2) > ranked[:, :, top:].max(axis=2)
            ended[look] = same.mean(axis=1) >= SETTLED
            if 2 * int(ended.sum()) > COURSES:
                return votes
    return FARTHEST


def _most_doubtful(
    means: Floats, covariances: Floats, *, order: Integers, top: int
) -> tuple[Integers, Integers, Floats]:
    """Of each course the pair across the border to vote on, and the largest chance that a pair
    across it stands the wrong way round."""
    course = np.arange(len(means))
    inside, outside = order[:, :top, None], order[:, None, top:]
    at = course[:, None, None]
    own = np.diagonal(covariances, axis1=1, axis2=2)
    variance = own[at, inside] + own[at, outside] - 2 * covariances[at, inside, outside]
    variance = np.maximum(variance, 1e-12)
    wrong = chance((means[at, outside] - means[at, inside]) / np.sqrt(variance))
    row, column = np.divmod(
        np.argmax((wrong * variance).reshape(len(means), -1), axis=1), outside.shape[2]
    )
    return order[course, row], order[course, top + column], wrong.max(axis=(1, 2))


def _rough(means: Floats, covariances: Floats, *, rng: np.random.Generator) -> Floats:
    """Draws of each course: courses × draws × candidates."""
    values, vectors = np.linalg.eigh(covariances)
    root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None]
    noise = rng.standard_normal((ROUGH, means.shape[1]))
    return np.asarray(means[:, None] + noise @ root.transpose(0, 2, 1))


def _heard(
    means: Floats, covariances: Floats, *, winner: Integers, loser: Integers
) -> tuple[Floats, Floats]:
    """Means and covariances of each course after one vote, by moment matching as in
    `information.gains`."""
    course = np.arange(len(means))
    along = covariances[course, winner] - covariances[course, loser]
    total = along[course, winner] - along[course, loser] + NOISE
    ahead = (means[course, winner] - means[course, loser]) / np.sqrt(total)
    density = np.exp(-(ahead**2) / 2) / np.sqrt(2 * np.pi)
    shift = density / np.maximum(chance(ahead), 1e-9)
    lean = shift * (shift + ahead) / total
    covariances = covariances - lean[:, None, None] * along[:, :, None] * along[:, None, :]
    return means + (shift / np.sqrt(total))[:, None] * along, covariances
