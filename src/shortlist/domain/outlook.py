"""The outlook of a gate: each candidate's chance to be truly among the best K, and the chance that
those who would go on are exactly the best.

Both come from the same draws of the posterior; the generator is an argument, so equal states and
seeds give equal answers. Importing this imports numpy, like `posterior`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from shortlist.domain.information import border
from shortlist.domain.laplace import Floats, Integers
from shortlist.domain.moments import draws
from shortlist.domain.posterior import Posterior

Flags: TypeAlias = NDArray[np.bool_]

NEAREST: Final = 60
"""Candidates whose order is drawn, those nearest to the border; the others' places are safe."""

DRAWS: Final = 4000
"""A chance near one half is then known to a percent."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """`settled` is the chance that the chosen are truly the best. `chances` holds each one's to be
    among them, 0 to 1, of those whose place is in doubt at all."""

    settled: float
    chances: Mapping[int, float]


def outlook(
    posterior: Posterior,
    ids: Sequence[int],
    *,
    chosen: Collection[int],
    rng: np.random.Generator,
) -> Outlook:
    """The outlook of `ids` for as many places as there are `chosen`, who are some of them."""
    top = len(chosen)
    if not 0 < top < len(ids):
        return Outlook(1.0, {})
    at = np.array([posterior.tree.at(id) for id in ids])
    mean, spread = posterior.mean[at], np.sqrt(posterior.variance[at])
    order = np.lexsort((np.array(ids), -mean))
    picked = np.isin(ids, list(chosen))
    near = _near(mean, spread, order=order, picked=picked, top=top)
    safe = int(np.isin(order[:top], near, invert=True).sum())
    drawn = draws(posterior, [ids[place] for place in near.tolist()], count=DRAWS, rng=rng)
    inside = _best(drawn, count=top - safe)
    settled = float(np.mean((inside == picked[near]).all(axis=1)))
    shares = inside.mean(axis=0).tolist()
    return Outlook(settled, {ids[n]: share for n, share in zip(near.tolist(), shares, strict=True)})


def _near(mean: Floats, spread: Floats, *, order: Integers, picked: Flags, top: int) -> Integers:
    """The places of those nearest to the border by their spread, and of all chosen against it."""
    distance = np.abs(mean - border(mean, top=top)) / spread
    believed: Flags = np.zeros(len(mean), dtype=np.bool_)
    believed[order[:top]] = True
    distance[believed != picked] = 0.0
    distance[order[top - 1 : top + 1]] = 0.0
    count = max(NEAREST, int((distance == 0.0).sum()))
    return np.sort(np.argsort(distance, kind="stable")[:count])


def _best(drawn: Floats, *, count: int) -> Flags:
    """Whether each is among the best `count` of its row."""
    least = np.partition(drawn, -count, axis=1)[:, -count]
    return np.asarray(drawn >= least[:, None])
