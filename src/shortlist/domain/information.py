"""Which pair would settle most about the top K, by what the posterior knows.

A vote's worth is the regret it is expected to take away (how much value lies on the wrong side of
the border of the best K) and the doubt about who is on which side. The caller
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
from shortlist.domain.moments import Joint, refined
from shortlist.domain.pairing import Key
from shortlist.domain.posterior import POINTS, Posterior

CONTENDERS: Final = 40
"""Candidates whose place is most in doubt; all their pairs are weighed. More would cost
milliseconds for pairs that no one needs."""

NOISE: Final = 8 / math.pi
"""Variance of the normal distribution that stands in for the logistic one of a single vote."""

WIDE: Final = 120
"""Candidates near the border whose posterior is worked out closely, to find the contenders."""

BIT: Final = 2.0
"""Log odds of regret that a bit of doubt counts for. Regret alone finds a good top soonest, and
then has no view of votes that can't turn it alone; doubt alone begins slower and ends better."""

FAIR: Final = 4
"""Whoever has less than this part (a quarter) of the average's votes comes first."""

SEEN: Final = 1e3
VOTED: Final = 1e6
"""Points put on a pair's account for what should rather not be: far more than a vote is worth."""

Chances: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]


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
    """A pair, and the regret and doubt, in Elo points, that a vote is expected to take away."""

    one: int
    other: int
    points: float


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
    first would change what the second is worth. While someone has not been voted on, or has had
    few votes beside the others (`FAIR`), the pair holds one of those with the fewest, and two while
    there are two without a vote: nobody waits for ever.
    """
    among, edge, joint = _drawn(posterior, sorted(contenders), top=top)
    worth = gains(joint.mean, joint.covariance, edge=edge)
    ids = [contender.id for contender in among]
    open_ = _open(worth, ids, closed=closed)
    votes = np.array([contender.votes for contender in among])
    given, everyone = sum(contender.votes for contender in contenders), max(1, len(contenders))
    last: Sequence[int] = ()
    found: list[Worth] = []
    while len(found) < count and (pair := _best(open_, votes, last=last, usual=given / everyone)):
        one, other = last = pair
        found.append(Worth(ids[one], ids[other], POINTS * float(worth[one, other])))
        open_[one, other] = open_[other, one] = -np.inf
        votes[[one, other]] += 1
        given += 2
    return found


def _best(open_: Floats, votes: Integers, *, last: Sequence[int], usual: float) -> list[int] | None:
    """The open pair worth most after what is put off; null where none is open."""
    points = open_.copy()
    for place in last:
        points[place] -= SEEN
        points[:, place] -= SEEN
    for due in _due(votes, usual=usual):
        if np.isfinite(points[due]).any():
            points = np.where(due, points, -np.inf)
            break
    if not np.isfinite(points).any():
        return None
    return [int(place) for place in np.unravel_index(int(np.argmax(points)), points.shape)]


def _due(votes: Integers, *, usual: float) -> list[Flags]:
    """The pairs that come before all others, n × n, the most pressing first: two without a vote,
    then one of those with the fewest."""
    least = int(votes.min(initial=int(usual) + 1))
    fewest = votes == least
    if least == 0:
        return [fewest[:, None] & fewest, fewest[:, None] | fewest]
    return [fewest[:, None] | fewest] if least * FAIR < usual else []


def _open(worth: Floats, ids: Sequence[int], *, closed: Closed) -> Floats:
    """The worth of pairs, far lower where voted on and without bound where not to be shown."""
    points = worth.copy()
    place = {id: row for row, id in enumerate(ids)}
    last = () if closed.last is None else (closed.last,)
    for keys, less in ((closed.voted, VOTED), (last, VOTED), (closed.taken, np.inf)):
        for one, other in keys:
            if one in place and other in place:
                pair = ([place[one], place[other]], [place[other], place[one]])
                points[pair] -= less
    np.fill_diagonal(points, -np.inf)
    return points


def _drawn(
    posterior: Posterior, contenders: Sequence[Contender], *, top: int
) -> tuple[list[Contender], float, Joint]:
    """Those most in doubt and those seen least, the border, and what is known of them."""
    at = [posterior.tree.at(contender.id) for contender in contenders]
    mean, spread = posterior.mean[at], np.sqrt(posterior.variance[at])
    votes = np.array([contender.votes for contender in contenders], dtype=np.int64)
    # The border is by rank: among the nearest alone it has as many above it as are not there.
    edge = border(mean, top=top)
    near = _doubtful(mean, spread, votes, edge=edge, count=WIDE)
    joint = refined(posterior, [contenders[place].id for place in near])
    above = top - int((np.delete(mean, near) > edge).sum())
    edge = border(joint.mean, top=above)
    own = np.sqrt(np.diagonal(joint.covariance))
    kept = _doubtful(joint.mean, own, votes[near], edge=edge, count=CONTENDERS)
    among = Joint(joint.mean[kept], joint.covariance[np.ix_(kept, kept)], joint.evidence)
    return [contenders[near[place]] for place in kept], edge, among


def _doubtful(
    mean: Floats, spread: Floats, votes: Integers, *, edge: float, count: int
) -> list[int]:
    """The places of those likeliest to be on the wrong side, and of some that are seen least."""
    distance = np.abs(mean - edge) / spread
    fewest = np.lexsort((distance, votes))[: count // 4].tolist()
    doubtful = np.argsort(distance, kind="stable")[:count].tolist()
    return sorted(list(dict.fromkeys([*fewest, *doubtful]))[:count])


def border(mean: Floats, *, top: int) -> float:
    """Halfway between the worst of the best `top` and the best of the others."""
    if not 0 < top < len(mean):
        return float(mean.min(initial=0.0)) - 1
    high = np.partition(mean, [len(mean) - top - 1, len(mean) - top])
    return float(high[len(mean) - top - 1] + high[len(mean) - top]) / 2


def gains(mean: Floats, covariance: Floats, *, edge: float) -> Floats:
    """How much of `burden` a vote on each pair is expected to take away, in log odds.

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
    now = burden(mean - edge, np.sqrt(own)).sum()
    later = np.zeros(len(one))
    for sign in (1.0, -1.0):
        wins = chance(sign * ahead)
        shift = _density(ahead) / np.maximum(wins, 1e-12)
        lean = shift * (shift + sign * ahead)
        moved = mean + (sign * shift / scale)[:, None] * along
        left = np.maximum(own - (lean / scale**2)[:, None] * along**2, 1e-12)
        later += wins * burden(moved - edge, np.sqrt(left)).sum(axis=1)
    worth = np.zeros_like(covariance)
    worth[one, other] = worth[other, one] = np.maximum(now - later, 0.0)
    return worth


def burden(distance: Floats, spread: Floats) -> Floats:
    """How far each is expected to lie beyond the border, on the side where it is not taken to be,
    and `BIT` for each bit of doubt about its side; `distance` is its mean's from the border."""
    far = np.abs(distance) / spread
    wrong = chance(-far)
    return np.asarray(spread * np.maximum(_density(far) - far * wrong, 0.0) + BIT * entropy(wrong))


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
