"""Simulated people and candidates for the benchmarks of ratings, and the ways to rate them.

Each method plays all seeds side by side, one vote each per step. Qualities have standard deviation
1; a judge prefers by a logistic law of `clarity` times the difference, ties or slips at random.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import choix
import numpy as np
from numpy.typing import NDArray

from shortlist.domain.evidence import Node, Tree, Vote
from shortlist.domain.information import Closed, Contender, choose
from shortlist.domain.pairing import Key, key_of
from shortlist.domain.posterior import Posterior, Spreads, fit, learn
from shortlist.domain.rating import K_FACTOR, SCALE

Table = NDArray[np.float64]

LEARN_AT: Final = (8, 16, 32, 64, 128, 256)
"""Votes after which the spreads are learnt anew."""


@dataclass(frozen=True, slots=True)
class People:
    """A kind of candidates and judge. With `family` siblings share half of their variance."""

    name: str
    count: int
    top: int
    clarity: float
    family: int = 1
    ties: float = 0.0
    slips: float = 0.0


class Room:
    """All seeds of one kind of people: true qualities, and votes on request."""

    def __init__(self, people: People, *, seeds: int) -> None:
        self.people = people
        self.seeds = seeds
        dice = np.random.default_rng(7)
        own = dice.standard_normal((seeds, people.count))
        families = -(-people.count // people.family)
        parents = np.repeat(dice.standard_normal((seeds, families)), people.family, axis=1)
        shared = 0.0 if people.family == 1 else 0.5
        self.truth: Table = shared**0.5 * parents[:, : people.count] + (1 - shared) ** 0.5 * own
        self.best = np.sort(self.truth, axis=1)[:, -people.top :].mean(axis=1)
        self.dice = np.random.default_rng(11)

    def score(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> Table:
        """For each seed 1 where `one` won, 0 where `other` did, one half for a tie."""
        people, row = self.people, np.arange(self.seeds)
        ahead = people.clarity * (self.truth[row, one] - self.truth[row, other])
        won = self.dice.random(self.seeds) < 1 / (1 + np.exp(-ahead))
        won ^= self.dice.random(self.seeds) < people.slips
        tied = self.dice.random(self.seeds) < people.ties
        return np.where(tied, 0.5, won.astype(float))

    def regret(self, ratings: Table) -> Table:
        """How far the mean quality of the best-rated stays behind that of the best, by seed."""
        chosen = np.argpartition(-ratings, self.people.top - 1, axis=1)[:, : self.people.top]
        return np.asarray(self.best - np.take_along_axis(self.truth, chosen, axis=1).mean(axis=1))


Curve = Iterator[tuple[int, Table]]
"""Votes so far and the regret of each seed."""


def elo_random(room: Room) -> Curve:
    """(a) Elo over random pairs."""
    dice, ratings = np.random.default_rng(3), np.full(room.truth.shape, 1000.0)
    for votes in range(1, 1_000_000):
        one, other = _random_pairs(room, dice)
        _elo(ratings, one, other, score=room.score(one, other))
        yield votes, room.regret(ratings)


def elo_close(room: Room) -> Curve:
    """(b) Elo over close pairs: the one with the fewest votes beside the nearest rating that it
    has met least."""
    dice, ratings = np.random.default_rng(3), np.full(room.truth.shape, 1000.0)
    shown, row = np.zeros(room.truth.shape), np.arange(room.seeds)
    met = np.zeros((*room.truth.shape, room.people.count))
    for votes in range(1, 1_000_000):
        noise = dice.random(room.truth.shape) / 2
        one = np.argmin(shown + noise, axis=1)
        far = np.abs(ratings - ratings[row, one][:, None]) + noise + 1e6 * met[row, one]
        far[row, one] = np.inf
        other = np.argmin(far, axis=1)
        _elo(ratings, one, other, score=room.score(one, other))
        for here, there in ((one, other), (other, one)):
            shown[row, here] += 1
            met[row, here, there] += 1
        yield votes, room.regret(ratings)


def choix_random(room: Room) -> Curve:
    """(c) Bradley-Terry by choix over random pairs, looked at in growing intervals."""
    dice = np.random.default_rng(3)
    logs: list[list[tuple[int, int]]] = [[] for _ in range(room.seeds)]
    look = float(room.people.count)
    for votes in range(1, 1_000_000):
        one, other = _random_pairs(room, dice)
        score = room.score(one, other)
        for seed, log in enumerate(logs):
            pair = (int(one[seed]), int(other[seed]))
            # choix knows no ties: a coin decides which of the two it hears of.
            heads = score[seed] == 1 or (score[seed] == 0.5 and dice.random() < 0.5)
            log.append(pair if heads else pair[::-1])
        if votes >= look:
            look *= 1.25
            found = [choix.ilsr_pairwise(room.people.count, log, alpha=0.01) for log in logs]
            yield votes, room.regret(np.array(found))


def trueskill(room: Room) -> Curve:
    """(d) TrueSkill (Herbrich, Minka and Graepel, 2006) with its match quality: the least known
    beside the opponent of the best quality. A tie counts as half of each."""
    mean, spread = np.zeros(room.truth.shape), np.full(room.truth.shape, 25 / 3)
    noise, row, last = (25 / 6) ** 2, np.arange(room.seeds), np.full(room.seeds, -1)
    dice = np.random.default_rng(3)
    for votes in range(1, 1_000_000):
        unsure = spread + 1e-3 * dice.random(spread.shape)
        unsure[row, last] -= 1e3 * (last >= 0)
        one = np.argmax(unsure, axis=1)
        total = 2 * noise + spread**2 + (spread[row, one] ** 2)[:, None]
        gap = mean - mean[row, one][:, None]
        quality = np.sqrt(2 * noise / total) * np.exp(-(gap**2) / 2 / total)
        quality[row, one] = -1
        other = np.argmax(quality, axis=1)
        _skill(mean, spread, one, other, score=room.score(one, other))
        last = other
        yield votes, room.regret(mean)


def ours(room: Room) -> Curve:
    """(e) The posterior over the tree, with pairs by information."""
    players = [_Player(room) for _ in range(room.seeds)]
    for votes in range(1, 1_000_000):
        pairs = np.array([player.pair() for player in players])
        scores = room.score(pairs[:, 0], pairs[:, 1])
        for player, score in zip(players, scores, strict=True):
            player.hear(float(score))
        ratings = np.array([player.posterior.mean[player.rows] for player in players])
        yield votes, room.regret(ratings)


class _Player:
    """One seed of ours: what it has heard so far. Parents of families are numbered from 1000."""

    def __init__(self, room: Room) -> None:
        people = room.people
        step = 1 if people.family == 1 else 2
        parents = [None if step == 1 else 1000 + id // people.family for id in range(people.count)]
        nodes = [Node(id, parent, step) for id, parent in enumerate(parents)]
        nodes += [Node(parent, None, 1) for parent in dict.fromkeys(parents) if parent is not None]
        self.tree = Tree(nodes)
        self.top = people.top
        self.shown = [0] * people.count
        self.voted: set[Key] = set()
        self.log: list[Vote] = []
        self.last: tuple[int, ...] = ()
        self.posterior: Posterior = fit(self.tree, [], spreads=Spreads())
        self.rows = [self.tree.at(id) for id in range(people.count)]

    def pair(self) -> tuple[int, ...]:
        pool = [Contender(id, shown) for id, shown in enumerate(self.shown)]
        closed = Closed(voted=self.voted)
        (worth,) = choose(self.posterior, pool, top=self.top, closed=closed)
        self.last = (worth.one, worth.other)
        return self.last

    def hear(self, score: float) -> None:
        one, other = self.last if score >= 0.5 else self.last[::-1]
        vote = Vote(one, other, score == 0.5)
        self.log.append(vote)
        self.voted.add(key_of(one, other))
        for id in self.last:
            self.shown[id] += 1
        if len(self.log) in LEARN_AT:
            spreads = learn(self.tree, self.log, before=Spreads())
            self.posterior = fit(self.tree, self.log, spreads=spreads)
            return
        self.posterior = self.posterior.after(vote)


def _random_pairs(room: Room, dice: np.random.Generator) -> tuple[NDArray[np.int64], ...]:
    one = dice.integers(room.people.count, size=room.seeds)
    step = dice.integers(1, room.people.count, size=room.seeds)
    return one, (one + step) % room.people.count


def _elo(ratings: Table, one: NDArray[np.int64], other: NDArray[np.int64], *, score: Table) -> None:
    row = np.arange(len(ratings))
    hope = 1 / (1 + 10 ** ((ratings[row, other] - ratings[row, one]) / SCALE))
    ratings[row, one] += K_FACTOR * (score - hope)
    ratings[row, other] -= K_FACTOR * (score - hope)


def _skill(
    mean: Table, spread: Table, one: NDArray[np.int64], other: NDArray[np.int64], *, score: Table
) -> None:
    row = np.arange(len(mean))
    total = 2 * (25 / 6) ** 2 + spread[row, one] ** 2 + spread[row, other] ** 2
    sign = np.where(score >= 0.5, 1.0, -1.0)
    ahead = sign * (mean[row, one] - mean[row, other]) / np.sqrt(total)
    shift = np.where(score == 0.5, 0.0, _hazard(ahead))
    lean = np.where(score == 0.5, 0.5, shift * (shift + ahead))
    for here, side in ((one, sign), (other, -sign)):
        variance = spread[row, here] ** 2
        mean[row, here] += side * variance / np.sqrt(total) * shift
        spread[row, here] = np.sqrt(variance * np.maximum(1 - variance / total * lean, 1e-4))


def _hazard(ahead: Table) -> Table:
    """The normal density over its distribution function."""
    below = (1 + np.tanh(ahead * (0.7988 + 0.03557 * ahead**2))) / 2
    usual = np.exp(-(ahead**2) / 2) / np.sqrt(2 * np.pi) / np.maximum(below, 1e-9)
    return np.asarray(np.where(ahead < -4, -ahead, usual))
