"""Bradley-Terry over the tree: what the votes so far say each image is worth, and how surely.

A base image's value comes from a normal distribution around the run's middle, a child's from one
around its parent's value; votes and kills are logistic comparisons. The tree and the log go in,
means and spreads on the Elo scale come out (docs/ratings.md has the formulas). Importing this
module imports numpy: do it where ratings are asked for, not where a program starts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.domain.evidence import Evidence, Node, Tally, Tree, tally
from shortlist.domain.laplace import DENSE, Floats, Integers, System, dense, sparse
from shortlist.domain.model import BIRTH_ELO
from shortlist.domain.moments import refined
from shortlist.domain.rating import SCALE

POINTS: Final = SCALE / math.log(10)
"""Elo points in one unit of log odds."""

PATIENCE: Final = 4.0
"""How many imagined children hold a step's spread near the one assumed before any vote."""

CLOSELY: Final = 120
"""Candidates with evidence up to which spreads are learnt from means, not modes. Beyond, each has
some votes or learning would take seconds; the mode would call spreads too small after few votes."""

LEARN_ROUNDS: Final = 40
SMALL_CHANGE: Final = 0.01
"""Spreads are learnt once no one moves by more than this part of itself."""


@dataclass(frozen=True, slots=True)
class Spreads:
    """How far values lie apart, in Elo points: standard deviations.

    `base`: of base images around 1000. `steps`: of a step's children around their parents;
    `step` for those not in it.
    """

    base: float = 500.0
    step: float = 300.0
    steps: Mapping[int, float] = field(default_factory=dict)


class Belief(NamedTuple):
    """What is known of one candidate, in Elo points: mean and standard deviation."""

    mean: float
    spread: float


@dataclass(frozen=True, slots=True)
class Posterior:
    """Means and spreads given the tree, the log and the spreads; made by `fit`.

    Arrays are in the order of `tree.ids` and in log odds, 0 being the Elo of birth. `skeleton`
    holds those that evidence touches and their ancestors. Over them alone go `gap`, the variance
    of the distance to the parent, and `covariance`, null where they are too many and taken as
    independent.
    """

    tree: Tree
    spreads: Spreads
    counts: Tally
    mean: Floats
    variance: Floats
    skeleton: Integers
    gap: Floats
    covariance: Floats | None

    def belief(self, id: int) -> Belief:
        """The Elo mean and spread of one candidate."""
        at = self.tree.at(id)
        return Belief(
            BIRTH_ELO + POINTS * float(self.mean[at]),
            POINTS * math.sqrt(float(self.variance[at])),
        )

    def beliefs(self) -> dict[int, Belief]:
        """The Elo mean and spread of every candidate, by id."""
        means = (BIRTH_ELO + POINTS * self.mean).tolist()
        spreads = (POINTS * np.sqrt(self.variance)).tolist()
        return {
            id: Belief(mean, spread)
            for id, mean, spread in zip(self.tree.ids, means, spreads, strict=True)
        }

    def after(self, *added: Evidence, undone: Iterable[Evidence] = ()) -> Posterior:
        """The posterior with more in the log, or with entries taken back.

        Starts at the present means, which makes it fast; what it finds is what `fit` finds from
        the whole log, to less than a millionth of a point.
        """
        counts = self.counts.plus(tally(self.tree, added), sign=1.0)
        if gone := tuple(undone):
            counts = counts.plus(tally(self.tree, gone), sign=-1.0)
        return _solved(self.tree, counts, spreads=self.spreads, start=self.mean)

    def rescaled(self, factor: float) -> Posterior:
        """The posterior had all spreads been so many times as wide."""
        steps = {step: factor * spread for step, spread in self.spreads.steps.items()}
        spreads = Spreads(factor * self.spreads.base, factor * self.spreads.step, steps)
        return _solved(self.tree, self.counts, spreads=spreads, start=self.mean)

    def joint(self, ids: Sequence[int]) -> tuple[Floats, Floats]:
        """Means and covariances of some candidates, in log odds. For tens of them, not all."""
        wanted = [self.tree.at(id) for id in ids]
        return self.mean[wanted], _covariance(self, wanted)


def fit(nodes: Iterable[Node] | Tree, log: Iterable[Evidence], *, spreads: Spreads) -> Posterior:
    """The posterior from nothing but its arguments: equal logs, in any order, give equal floats."""
    tree = nodes if isinstance(nodes, Tree) else Tree(nodes)
    return _solved(tree, tally(tree, log), spreads=spreads, start=np.zeros(len(tree.ids)))


def learn(nodes: Iterable[Node] | Tree, log: Iterable[Evidence], *, before: Spreads) -> Spreads:
    """The spreads that the log itself suggests (expectation-maximisation: Dempster, Laird and
    Rubin, 1977), held near `before` by a few imagined children."""
    tree = nodes if isinstance(nodes, Tree) else Tree(nodes)
    found, counts = before, tally(tree, log)
    start: Floats = np.zeros(len(tree.ids))
    for _ in range(LEARN_ROUNDS):
        posterior = _solved(tree, counts, spreads=found, start=start)
        start, improved = posterior.mean, _improved(posterior, before=before)
        settled = _moved(found, improved) < SMALL_CHANGE
        found = improved
        if settled:
            break
    return found


def _moved(old: Spreads, new: Spreads) -> float:
    pairs = [(old.base, new.base)]
    pairs += [(old.steps.get(step, old.step), value) for step, value in new.steps.items()]
    return max(abs(now / then - 1) for then, now in pairs)


def _improved(posterior: Posterior, *, before: Spreads) -> Spreads:
    """One round of expectation and maximisation."""
    tree, skeleton = posterior.tree, posterior.skeleton
    square = POINTS**2 * _squares(posterior)
    is_base = tree.parent[skeleton] < 0
    steps = {
        int(step): _blend(square[~is_base & (tree.step[skeleton] == step)], _step(before, step))
        for step in np.unique(tree.step[skeleton][~is_base]).tolist()
    }
    return replace(
        before, base=_blend(square[is_base], before.base), steps={**before.steps, **steps}
    )


def _step(spreads: Spreads, step: int) -> float:
    return spreads.steps.get(step, spreads.step)


def _blend(squares: Floats, assumed: float) -> float:
    return math.sqrt((squares.sum() + PATIENCE * assumed**2) / (len(squares) + PATIENCE))


def _squares(posterior: Posterior) -> Floats:
    """Expected squared distance of each in the skeleton to its parent, of a base to the middle."""
    tree, skeleton = posterior.tree, posterior.skeleton
    up = tree.parent[skeleton]
    if len(skeleton) > CLOSELY:
        above = np.where(up >= 0, posterior.mean[up], 0.0)
        return np.asarray((posterior.mean[skeleton] - above) ** 2 + posterior.gap)
    joint = refined(posterior, [tree.ids[at] for at in skeleton.tolist()])
    # The second moments, with the middle, that base images lie around, as a last one of 0.
    square = np.pad(joint.covariance + np.outer(joint.mean, joint.mean), (0, 1))
    place = np.arange(len(skeleton))
    parent = np.where(up >= 0, np.searchsorted(skeleton, up), len(skeleton))
    own = np.diagonal(square)
    return np.asarray(own[place] + own[parent] - 2 * square[place, parent])


def _prior(tree: Tree, spreads: Spreads) -> Floats:
    """Each candidate's precision around its parent, or of a base image around the middle."""
    steps, row = np.unique(tree.step, return_inverse=True)
    spread = np.array([_step(spreads, step) for step in steps.tolist()])[row]
    spread = np.where(tree.parent < 0, spreads.base, spread)
    return np.asarray((POINTS / spread) ** 2)


def _solved(tree: Tree, counts: Tally, *, spreads: Spreads, start: Floats) -> Posterior:
    prior = _prior(tree, spreads)
    skeleton = _skeleton(tree, counts)
    system = _system(tree, counts, skeleton=skeleton, prior=prior)
    solve = dense if len(skeleton) <= DENSE else sparse
    solution = solve(system, start[skeleton])
    mean, variance = np.zeros(len(tree.ids)), np.zeros(len(tree.ids))
    mean[skeleton], variance[skeleton] = solution.mean, solution.variance
    _inherit(tree, mean, variance, known=skeleton, prior=prior)
    return Posterior(
        tree, spreads, counts, mean, variance, skeleton, solution.gap, solution.covariance
    )


def _skeleton(tree: Tree, counts: Tally) -> Integers:
    """Those with evidence of their own and their ancestors; all others only inherit."""
    marked: NDArray[np.bool_] = np.zeros(len(tree.ids) + 1, dtype=np.bool_)
    marked[counts.one] = True
    marked[counts.other] = True
    marked[-1] = False
    for level in reversed(tree.levels[1:]):
        marked[tree.parent[level[marked[level]]]] = True
    return np.flatnonzero(marked[:-1])


def _system(tree: Tree, counts: Tally, *, skeleton: Integers, prior: Floats) -> System:
    place = np.full(len(tree.ids) + 1, len(skeleton))  # the standard keeps the last place
    place[skeleton] = np.arange(len(skeleton))
    up = tree.parent[skeleton]
    levels = [place[level[place[level] < len(skeleton)]] for level in tree.levels]
    return System(
        parent=np.where(up >= 0, place[up], len(skeleton)),
        prior=prior[skeleton],
        levels=[level for level in levels if len(level)],
        one=place[counts.one],
        other=place[counts.other],
        won=counts.won,
        lost=counts.lost,
    )


def _inherit(tree: Tree, mean: Floats, variance: Floats, *, known: Integers, prior: Floats) -> None:
    """Fills in all that no evidence touches: the parent's mean, and its variance and the step's."""
    open_: NDArray[np.bool_] = np.ones(len(tree.ids), dtype=np.bool_)
    open_[known] = False
    for depth, level in enumerate(tree.levels):
        here = level[open_[level]]
        if depth:
            mean[here] = mean[tree.parent[here]]
            variance[here] = variance[tree.parent[here]]
        variance[here] += 1 / prior[here]


def _covariance(posterior: Posterior, wanted: Sequence[int]) -> Floats:
    """Covariances of `wanted`: the skeleton's, and down from it along the tree."""
    tree = posterior.tree
    known = {at: place for place, at in enumerate(posterior.skeleton.tolist())}
    needed = set(wanted)
    for at in wanted:
        up = at
        while up not in known and (up := int(tree.parent[up])) >= 0:
            needed.add(up)
    order = sorted(needed)  # parents come first in the tree's order
    place = {at: row for row, at in enumerate(order)}
    touched = [at for at in order if at in known]
    rows, among = [place[at] for at in touched], [known[at] for at in touched]
    full = np.zeros((len(order), len(order)))
    full[rows, rows] = posterior.variance[touched]
    if posterior.covariance is not None:
        full[np.ix_(rows, rows)] = posterior.covariance[np.ix_(among, among)]
    for at in order:
        if at in known:
            continue
        row, up = place[at], int(tree.parent[at])
        if up >= 0:
            full[row], full[:, row] = full[place[up]], full[:, place[up]]
        full[row, row] = posterior.variance[at]
    picked = [place[at] for at in wanted]
    return full[np.ix_(picked, picked)]
