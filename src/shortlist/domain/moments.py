"""A closer normal distribution for tens of candidates than the one around the mode.

After few and one-sided votes the posterior leans: its mean lies beyond its mode, and Laplace's
approximation takes the leader for less of a leader than the votes say. Expectation propagation
(Minka, 2001) fits mean and covariance instead. Votes among the candidates given are weighed anew;
what all others say stays as Laplace's approximation has it. Numbers are log odds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from shortlist.domain.laplace import Floats, Integers

if TYPE_CHECKING:
    from shortlist.domain.posterior import Posterior

SHARES: Final = np.array([0.16104756, 0.58312613, 0.2558263])
SLOPES: Final = np.array([0.36360802, 0.5763498, 0.90539744])
"""The logistic function is within 5e-5 of the normal distribution functions of so many slopes,
mixed in such shares (fitted by least squares), and a normal one can be averaged in closed form."""

ROUNDS: Final = 12

STILL: Final = 0.02
"""A round that moves no mean by more than this part of its spread is the last."""

DAMPING: Final = 0.8
"""Part of a round's change that is made: all at once may swing where votes close loops."""

LEAST: Final = 1e-9

SCALES: Final = (0.4, 0.63, 1.0, 1.6, 2.5)
"""How far apart values lie is not known either: the spreads may be so many times those assumed."""

DOUBT: Final = 0.7
"""Standard deviation of the logarithm of the scale, before any vote: a factor of two."""


@dataclass(frozen=True, slots=True)
class Votes:
    """Votes among candidates 0 to n - 1: `winner` beat `loser`, `count` times; halves are ties."""

    winner: Integers
    loser: Integers
    count: Floats


@dataclass(frozen=True, slots=True)
class Field:
    """A normal distribution by its precision matrix, and that times its mean."""

    precision: Floats
    pull: Floats

    def solved(self) -> tuple[Floats, Floats]:
        """Mean and covariance."""
        covariance = np.linalg.inv(self.precision)
        covariance = (covariance + covariance.T) / 2
        return covariance @ self.pull, covariance


@dataclass(frozen=True, slots=True)
class Joint:
    """Means and covariance of some candidates, and the log of how likely the votes among them
    were, given all else that is known; 0 where they were not weighed anew."""

    mean: Floats
    covariance: Floats
    evidence: float


def refined(posterior: Posterior, ids: Sequence[int]) -> Joint:
    """Some candidates as `Posterior.joint` has them, but closer.

    Where the run is so large that candidates are taken as independent, it is `joint` itself.
    """
    mean, covariance = posterior.joint(ids)
    votes = among(posterior, ids)
    if posterior.covariance is None or not len(votes.count):
        return Joint(mean, covariance, 0.0)
    return propagated(_outside(mean, covariance, votes=votes), votes)


def draws(
    posterior: Posterior, ids: Sequence[int], *, count: int, rng: np.random.Generator
) -> Floats:
    """Values of some candidates, `count` rows, from all scales that the votes leave believable.

    Each scale has its part of the rows by how well it foretells the votes. Where the run is so
    large that candidates are taken as independent, there is one.
    """
    if posterior.covariance is None:
        return _drawn(refined(posterior, ids), count=count, rng=rng)
    scaled = [refined(posterior.rescaled(scale), ids) for scale in SCALES]
    evidence = np.array([joint.evidence for joint in scaled])
    height = evidence - (np.log(SCALES) / DOUBT) ** 2 / 2
    weight = np.exp(height - height.max())
    ends = np.rint(np.cumsum(weight / weight.sum()) * count).astype(int)
    rows = np.diff(ends, prepend=0).tolist()
    return np.concatenate(
        [_drawn(joint, count=each, rng=rng) for joint, each in zip(scaled, rows, strict=True)]
    )


def _drawn(joint: Joint, *, count: int, rng: np.random.Generator) -> Floats:
    """Draws by row. The eigenvalues may be 0 but for rounding, where Cholesky's factor fails."""
    values, vectors = np.linalg.eigh(joint.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(joint.mean + rng.standard_normal((count, len(joint.mean))) @ root.T)


def among(posterior: Posterior, ids: Sequence[int]) -> Votes:
    """The votes whose two sides are both in `ids`, by their places there."""
    place = np.full(len(posterior.tree.ids) + 1, -1)
    place[[posterior.tree.at(id) for id in ids]] = np.arange(len(ids))
    counts = posterior.counts
    one, other = place[counts.one], place[counts.other]
    inside = (one >= 0) & (other >= 0)
    count = np.concatenate([counts.won[inside], counts.lost[inside]])
    winner = np.concatenate([one[inside], other[inside]])
    loser = np.concatenate([other[inside], one[inside]])
    return Votes(winner[count > 0], loser[count > 0], count[count > 0])


def _outside(mean: Floats, covariance: Floats, *, votes: Votes) -> Field:
    """What is known but for `votes`: Laplace's approximation less its view of them."""
    ahead = mean[votes.winner] - mean[votes.loser]
    wrong = (1 - np.tanh(ahead / 2)) / 2
    bend = wrong * (1 - wrong)
    precision = np.asarray(np.linalg.inv(covariance), dtype=np.float64)
    whole = Field(precision, precision @ mean)
    return _with(whole, votes, precision=-bend, pull=-(bend * ahead + wrong))


def propagated(outside: Field, votes: Votes) -> Joint:
    """`outside` and `votes` together, by expectation propagation."""
    precision, pull = np.zeros(len(votes.count)), np.zeros(len(votes.count))
    field = outside
    mean, covariance = field.solved()
    for _ in range(ROUNDS):
        middle, left = _without(mean, covariance, votes=votes, precision=precision, pull=pull)
        _, slope, bend = _lean(middle, left)
        scale = 1 - bend * left
        precision = precision + DAMPING * (bend / scale - precision)
        pull = pull + DAMPING * ((slope + middle * bend) / scale - pull)
        field = _with(outside, votes, precision=precision, pull=pull)
        before = mean
        mean, covariance = field.solved()
        if float(np.max(np.abs(mean - before) / np.sqrt(np.diagonal(covariance)))) < STILL:
            break
    middle, left = _without(mean, covariance, votes=votes, precision=precision, pull=pull)
    more = np.log(_lean(middle, left)[0])
    more -= _site_mass(middle, left, precision=precision, pull=pull)
    evidence = _mass(field) - _mass(outside) + float(votes.count @ more)
    return Joint(mean, covariance, evidence)


def _without(
    mean: Floats, covariance: Floats, *, votes: Votes, precision: Floats, pull: Floats
) -> tuple[Floats, Floats]:
    """Mean and variance of each vote's difference, as they were without one such vote."""
    own = np.diagonal(covariance)
    ahead = mean[votes.winner] - mean[votes.loser]
    variance = own[votes.winner] + own[votes.loser]
    variance = variance - 2 * covariance[votes.winner, votes.loser]
    left = 1 / np.maximum(1 / variance - precision, LEAST)
    return left * (ahead / variance - pull), left


def _mass(field: Field) -> float:
    """The log of the integral of the field's bell, but for a constant."""
    middle = np.linalg.solve(field.precision, field.pull)
    return float(field.pull @ middle - np.linalg.slogdet(field.precision)[1]) / 2


def _site_mass(middle: Floats, left: Floats, *, precision: Floats, pull: Floats) -> Floats:
    """The log of what a vote's bell integrates to over its difference."""
    drawn = (pull + middle / left) ** 2 / (precision + 1 / left) - middle**2 / left
    return np.asarray((drawn - np.log1p(precision * left)) / 2)


def _lean(mean: Floats, variance: Floats) -> tuple[Floats, Floats, Floats]:
    """The chance that a difference with this mean and variance wins a vote, and its logarithm's
    first and negated second derivative by the mean."""
    steep = SLOPES[:, None] / np.sqrt(1 + SLOPES[:, None] ** 2 * variance)
    far = steep * mean
    density = SHARES[:, None] * steep * np.exp(-(far**2) / 2) / math.sqrt(2 * math.pi)
    wins = np.maximum(SHARES @ below(far), 1e-300)
    slope = density.sum(axis=0) / wins
    bend = slope**2 + (density * steep * far).sum(axis=0) / wins
    return wins, slope, np.clip(bend, LEAST, 0.999 / variance)


def below(distance: Floats) -> Floats:
    """The normal distribution function, exact in its tails too."""
    tails = [math.erfc(each) for each in (-distance / math.sqrt(2)).ravel().tolist()]
    return np.array(tails).reshape(distance.shape) / 2


def _with(field: Field, votes: Votes, *, precision: Floats, pull: Floats) -> Field:
    """The field and each vote's part, by its precision and pull on the difference."""
    size = len(field.pull)
    amount, push = votes.count * precision, votes.count * pull
    one, other = votes.winner, votes.loser
    places = np.concatenate(
        [one * size + one, other * size + other, one * size + other, other * size + one]
    )
    more = np.bincount(
        places, weights=np.concatenate([amount, amount, -amount, -amount]), minlength=size * size
    )
    shift = np.bincount(one, weights=push, minlength=size)
    shift = shift - np.bincount(other, weights=push, minlength=size)
    return Field(field.precision + more.reshape(size, size), field.pull + shift)
