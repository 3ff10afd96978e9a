"""The most likely values of a tree with comparisons, and the normal distribution around them.

The log posterior is concave, so Newton steps find its one maximum; the inverse of its curvature
there is the covariance (Laplace's approximation). Up to `DENSE` values the matrix is written out.
Beyond, steps are conjugate gradients with the tree as preconditioner, which it solves exactly
level by level, and variances come from belief propagation. Numbers are log odds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

DENSE: Final = 300
"""Values up to which a matrix inverse stays within some 10 ms."""

STEPS: Final = 200
"""Newton needs under ten; thousands of one-sided votes need more, each a unit of log odds."""

STILL: Final = 1e-6
"""Newton ends with a step this short, in log odds: the next would be ten thousand times shorter."""

LEVEL: Final = 1e-5
"""With steps this short a change of height drowns in rounding, and is no longer asked for."""

HALVINGS: Final = 40
PRECISE: Final = 1e-4
"""Conjugate gradients end at this part of the first residual; the next Newton step goes on."""

LEAST: Final = 1e-18
"""No residual below this, the square of a billionth, is worth another round."""

ROUNDS: Final = 60
MESSAGE_CHANGE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class System:
    """Values 0 to n - 1 in a tree, with comparisons; place n stands for a value fixed at 0.

    `parent` is n for a base, `prior` the precision around the parent. `levels` are the places by
    depth. `one` beat `other` `won` times and lost `lost` times; no pair comes twice.
    """

    parent: Integers
    prior: Floats
    levels: Sequence[Integers]
    one: Integers
    other: Integers
    won: Floats
    lost: Floats


@dataclass(frozen=True, slots=True)
class Solution:
    """`gap` is the variance of each value's distance to its parent; `covariance` is null where
    it was not written out."""

    mean: Floats
    variance: Floats
    gap: Floats
    covariance: Floats | None


def dense(system: System, start: Floats) -> Solution:
    """The solution with its whole covariance."""

    def step(gradient: Floats, weight: Floats) -> Floats:
        return np.asarray(np.linalg.solve(_matrix(system, weight), gradient))

    mean = _climb(system, start, step=step)
    covariance = np.linalg.inv(_matrix(system, _weight(system, mean)))
    covariance = (covariance + covariance.T) / 2
    variance = np.diagonal(covariance).copy()
    bordered = np.pad(covariance, (0, 1))
    above = np.diagonal(bordered)[system.parent]
    gap = variance + above - 2 * bordered[np.arange(len(start)), system.parent]
    return Solution(mean, variance, gap, covariance)


def sparse(system: System, start: Floats) -> Solution:
    """The solution with variances alone, in time that grows with votes, not their square."""

    def step(gradient: Floats, weight: Floats) -> Floats:
        return _conjugate(system, gradient, weight=weight)

    mean = _climb(system, start, step=step)
    variance, gap = _propagated(system, _weight(system, mean))
    return Solution(mean, variance, gap, None)


def _climb(system: System, start: Floats, *, step: Callable[[Floats, Floats], Floats]) -> Floats:
    """Newton's method; a step that would lose height is halved until it does not."""
    value, height = start, _height(system, start)
    for _ in range(STEPS):
        move = step(_gradient(system, value), _weight(system, value))
        size = float(np.abs(move).max(initial=0.0))
        for _ in range(HALVINGS):
            there = _height(system, value + move)
            if there >= height or size < LEVEL:
                break
            move = move / 2
        value, height = value + move, there
        if size < STILL:
            break
    return value


def _distance(system: System, value: Floats) -> tuple[Floats, Floats]:
    """Each value less its parent's, and each pair's difference."""
    fixed = np.append(value, 0.0)
    return value - fixed[system.parent], fixed[system.one] - fixed[system.other]


def _height(system: System, value: Floats) -> float:
    """The log posterior but for a constant."""
    gap, ahead = _distance(system, value)
    likelihood = system.won @ np.logaddexp(0, -ahead) + system.lost @ np.logaddexp(0, ahead)
    return -float(system.prior @ gap**2 / 2 + likelihood)


def _chance(ahead: Floats) -> Floats:
    """The logistic function; `tanh` never overflows."""
    return np.asarray((1 + np.tanh(ahead / 2)) / 2)


def _gradient(system: System, value: Floats) -> Floats:
    gap, ahead = _distance(system, value)
    pull = system.prior * gap
    push = system.won * _chance(-ahead) - system.lost * _chance(ahead)
    places = np.concatenate([np.arange(len(value)), system.parent, system.one, system.other])
    return _gathered(places, np.concatenate([-pull, pull, push, -push]), len(value))


def _weight(system: System, value: Floats) -> Floats:
    """How sharply each pair's likelihood bends: count times p (1 - p)."""
    ahead = _distance(system, value)[1]
    return np.asarray((system.won + system.lost) * _chance(ahead) * _chance(-ahead))


def _gathered(places: Integers, amounts: Floats, count: int) -> Floats:
    """Sums by place; what falls to the fixed value is dropped."""
    return np.asarray(
        np.bincount(places, weights=amounts, minlength=count + 1)[:count], dtype=np.float64
    )


def _diagonal(system: System, weight: Floats) -> Floats:
    count = len(system.parent)
    places = np.concatenate([np.arange(count), system.parent, system.one, system.other])
    return _gathered(places, np.concatenate([system.prior, system.prior, weight, weight]), count)


def _matrix(system: System, weight: Floats) -> Floats:
    """The negated second derivative: a graph's Laplacian, grounded at the fixed value."""
    count = len(system.parent)
    whole = np.zeros((count + 1, count + 1))
    place = np.arange(count)
    whole[place, system.parent] -= system.prior
    whole[system.parent, place] -= system.prior
    whole[system.one, system.other] -= weight
    whole[system.other, system.one] -= weight
    whole[place, place] = _diagonal(system, weight)
    return whole[:count, :count]


@dataclass(frozen=True, slots=True)
class _Factor:
    """The tree with all weights on its diagonal, eliminated from the leaves upward."""

    system: System
    pivot: Floats
    share: Floats

    def solve(self, right: Floats) -> Floats:
        value = np.append(right, 0.0)
        for level in reversed(self.system.levels):
            np.add.at(value, self.system.parent[level], self.share[level] * value[level])
        value[-1] = 0.0
        value[:-1] /= self.pivot
        for level in self.system.levels:
            value[level] += self.share[level] * value[self.system.parent[level]]
        return value[:-1]


def _factor(system: System, diagonal: Floats) -> _Factor:
    pivot = np.append(diagonal, 1.0)
    share = np.zeros(len(diagonal))
    for level in reversed(system.levels[1:]):
        share[level] = system.prior[level] / pivot[level]
        np.subtract.at(pivot, system.parent[level], share[level] * system.prior[level])
    return _Factor(system, pivot[:-1], share)


def _conjugate(system: System, gradient: Floats, *, weight: Floats) -> Floats:
    """Solves the Newton system (Hestenes and Stiefel, 1952)."""
    count, diagonal = len(gradient), _diagonal(system, weight)
    factor = _factor(system, diagonal)
    up = np.append(system.prior, 0.0)

    def times(vector: Floats) -> Floats:
        fixed = np.append(vector, 0.0)
        places = np.concatenate([system.parent, system.one, system.other])
        flows = (up[:-1] * vector, weight * fixed[system.other], weight * fixed[system.one])
        down = up[:-1] * fixed[system.parent]
        across = _gathered(places, np.concatenate(flows), count)
        return np.asarray(diagonal * vector - down - across)

    found, rest = np.zeros(count), gradient
    ready = factor.solve(rest)
    direction, strength = ready, float(rest @ ready)
    enough = strength * PRECISE**2
    for _ in range(count):
        if strength <= max(enough, LEAST):
            break
        image = times(direction)
        far = strength / float(direction @ image)
        found, rest = found + far * direction, rest - far * image
        ready = factor.solve(rest)
        before, strength = strength, float(rest @ ready)
        direction = ready + strength / before * direction
    return found


def _propagated(system: System, weight: Floats) -> tuple[Floats, Floats]:
    """Variances by belief propagation (Weiss and Freeman, 2001): exact on a tree, slightly small
    where votes close loops. Each round all places tell their neighbours how sure they are."""
    count, diagonal = len(system.parent), _diagonal(system, weight)
    low, high, coupling, row = _edges(system, weight)
    source, target = np.concatenate([low, high]), np.concatenate([high, low])
    square = np.concatenate([coupling, coupling]) ** 2
    turned = np.roll(np.arange(len(source)), len(low))
    message = np.zeros(len(source))
    sure = diagonal
    for _ in range(ROUNDS):
        message = square / (sure[source] + message[turned])
        before, sure = sure, diagonal - np.bincount(target, weights=message, minlength=count)
        if float(np.max(np.abs(before - sure) / sure, initial=0.0)) < MESSAGE_CHANGE:
            break
    alone = sure[source] + message[turned]
    one, other = alone[: len(low)], alone[len(low) :]
    apart = (one + other - 2 * coupling) / (one * other - coupling**2)
    gap = 1 / sure
    is_child = system.parent < count
    gap[is_child] = apart[row[: int(is_child.sum())]]
    return 1 / sure, gap


def _edges(system: System, weight: Floats) -> tuple[Integers, Integers, Floats, Integers]:
    """Each pair that a tree edge, a vote or both tie together, once; and the row of each child."""
    count = len(system.parent)
    child = np.flatnonzero(system.parent < count)
    voted = system.other < count
    ends = np.stack(
        [
            np.concatenate([child, system.one[voted]]),
            np.concatenate([system.parent[child], system.other[voted]]),
        ]
    )
    strength = np.concatenate([system.prior[child], weight[voted]])
    keys, row = np.unique(ends.min(axis=0) * count + ends.max(axis=0), return_inverse=True)
    joined = np.bincount(row, weights=strength).astype(np.float64)
    return keys // count, keys % count, joined, row.astype(np.int64)
