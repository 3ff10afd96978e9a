"""Which pair would settle most about the top K, by what the posterior knows.

A vote's worth is the doubt it is expected to take away about who belongs to the best K. The caller
gives candidates of one step, the right-most that has something to vote on (spec section 3).
Importing this module imports numpy, like `posterior`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from shortlist.domain.laplace import Floats, Integers
from shortlist.domain.pairing import Key
from shortlist.domain.posterior import Posterior

CONTENDERS: Final = 40
"""Candidates whose place is most in doubt; all their pairs are weighed. More would cost
milliseconds for pairs that no one needs."""

NOISE: Final = 8 / math.pi
"""Variance of the normal distribution that stands in for the logistic one of a single vote."""

FAIR: Final = 4
"""Of so many pairs one holds a candidate that has been seen least."""

SEEN: Final = 1e3
VOTED: Final = 1e6
"""Bits put on a pair's account for what should rather not be: far more than any vote is worth."""

Chances: TypeAlias = NDArray[np.float64]


class Contender(NamedTuple):
    """A candidate that may be shown, and how often this person has voted on it."""

    id: int
    votes: int


@dataclass(frozen=True, slots=True)
class Closed:
    """What may not be shown now: `taken`, pairs in anyone's hands; `voted`, pairs this person has
    voted on; `last`, the pair shown just before."""

    taken: Collection[Key] = ()
    voted: Collection[Key] = ()
    last: Key | None = None


@dataclass(frozen=True, slots=True)
class Worth:
    """A pair, and the bits of doubt about the top K that a vote on it is expected to remove."""

    one: int
    other: int
    bits: float


def choose(
    posterior: Posterior,
    contenders: Sequence[Contender],
    *,
    top: int,
    closed: Closed,
    count: int = 1,
) -> list[Worth]:
    """Up to `count` pairs, none twice, in the order to show them.

    `taken` pairs never come, `voted` ones and the `last` only when no other is left. One image may
    stand in pair after pair, but not in two neighbours of those given here, where a vote on the
    first would change what the second is worth. While someone has not been voted on, and once in
    `FAIR` pairs after that, the pair holds one of those with the fewest votes, so that nobody
    waits for ever.
    """
    among, edge = _drawn(posterior, sorted(contenders), top=top)
    mean, covariance = posterior.joint([contender.id for contender in among])
    worth = gains(mean, covariance, edge=edge)
    ids = [contender.id for contender in among]
    open_ = _open(worth, ids, closed=closed)
    votes = np.array([contender.votes for contender in among])
    given = sum(contender.votes for contender in contenders) // 2
    last: Sequence[int] = ()
    found: list[Worth] = []
    while len(found) < count and (pair := _best(open_, votes, last=last, given=given)):
        one, other = last = pair
        found.append(Worth(ids[one], ids[other], float(worth[one, other])))
        open_[one, other] = open_[other, one] = -np.inf
        votes[[one, other]] += 1
        given += 1
    return found


def _best(open_: Floats, votes: Integers, *, last: Sequence[int], given: int) -> list[int] | None:
    """The open pair worth most after what is put off; null where none is open."""
    bits = open_.copy()
    for place in last:
        bits[place] -= SEEN
        bits[:, place] -= SEEN
    if len(votes) and (votes.min() == 0 or given % FAIR == 0):
        fewest = votes == votes.min()
        fair = np.where(fewest[:, None] | fewest, bits, -np.inf)
        bits = fair if np.isfinite(fair).any() else bits
    if not np.isfinite(bits).any():
        return None
    return [int(place) for place in np.unravel_index(int(np.argmax(bits)), bits.shape)]


def _open(worth: Floats, ids: Sequence[int], *, closed: Closed) -> Floats:
    """The worth of pairs, far lower where voted on and without bound where not to be shown."""
    bits = worth.copy()
    place = {id: row for row, id in enumerate(ids)}
    last = () if closed.last is None else (closed.last,)
    for keys, less in ((closed.voted, VOTED), (last, VOTED), (closed.taken, np.inf)):
        for one, other in keys:
            if one in place and other in place:
                pair = ([place[one], place[other]], [place[other], place[one]])
                bits[pair] -= less
    np.fill_diagonal(bits, -np.inf)
    return bits


def _drawn(
    posterior: Posterior, contenders: Sequence[Contender], *, top: int
) -> tuple[list[Contender], float]:
    """Those most in doubt and those seen least, and the value on the border of the top."""
    at = [posterior.tree.at(contender.id) for contender in contenders]
    mean, spread = posterior.mean[at], np.sqrt(posterior.variance[at])
    edge = border(mean, top=top)
    doubt = entropy(chance((mean - edge) / spread))
    votes = np.array([contender.votes for contender in contenders], dtype=np.int64)
    fewest = np.lexsort((-doubt, votes))[: CONTENDERS // 4].tolist()
    doubtful = np.argsort(-doubt, kind="stable")[:CONTENDERS].tolist()
    kept = list(dict.fromkeys([*fewest, *doubtful]))[:CONTENDERS]
    return [contenders[place] for place in sorted(kept)], edge


def border(mean: Floats, *, top: int) -> float:
    """Halfway between the worst of the best `top` and the best of the others."""
    if not 0 < top < len(mean):
        return float(mean.min(initial=0.0)) - 1
    high = np.partition(mean, [len(mean) - top - 1, len(mean) - top])
    return float(high[len(mean) - top - 1] + high[len(mean) - top]) / 2


def gains(mean: Floats, covariance: Floats, *, edge: float) -> Floats:
    """Bits of doubt about who lies above `edge` that a vote on each pair is expected to remove.

    A vote on i and j shifts every mean along its covariance with their difference, by moment
    matching (Herbrich, Minka and Graepel, TrueSkill, 2006, with a normal for the logistic).
    Returned for all pairs, n × n and symmetric.
    """
    one, other = np.triu_indices(len(mean), 1)
    along = covariance[one] - covariance[other]
    variance = along[np.arange(len(one)), one] - along[np.arange(len(one)), other]
    scale = np.sqrt(variance + NOISE)
    ahead = (mean[one] - mean[other]) / scale
    own = np.diagonal(covariance)
    now = entropy(chance((mean - edge) / np.sqrt(own))).sum()
    later = np.zeros(len(one))
    for sign in (1.0, -1.0):
        wins = chance(sign * ahead)
        shift = _density(ahead) / np.maximum(wins, 1e-12)
        lean = shift * (shift + sign * ahead)
        moved = mean + (sign * shift / scale)[:, None] * along
        left = np.maximum(own - (lean / scale**2)[:, None] * along**2, 1e-12)
        later += wins * entropy(chance((moved - edge) / np.sqrt(left))).sum(axis=1)
    worth = np.zeros_like(covariance)
    worth[one, other] = worth[other, one] = np.maximum(now - later, 0.0)
    return worth


def entropy(chances: Chances) -> Floats:
    """Bits of doubt about something that is so with a given chance."""
    inside = np.clip(chances, 1e-12, 1 - 1e-12)
    return np.asarray(-(inside * np.log2(inside) + (1 - inside) * np.log2(1 - inside)))


def chance(distance: Floats) -> Chances:
    """The standard normal distribution function, to 7e-5 (Page, 1977: a logistic of a cubic)."""
    curved = distance * (0.7988 + 0.03557 * distance**2)
    return np.asarray((1 + np.tanh(curved)) / 2)


def _density(distance: Floats) -> Floats:
    return np.asarray(np.exp(-(distance**2) / 2) / math.sqrt(2 * math.pi))
