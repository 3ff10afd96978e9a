"""Simulated people and candidates for the benchmarks of ratings, and the ways to rate them.

Each method plays all seeds side by side, one vote each per step. Qualities have standard deviation
1; a judge prefers by a logistic law of `clarity` times the difference, ties or slips at random.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import choix
import numpy as np
from numpy.typing import NDArray
from openskill.models import ThurstoneMostellerFull

from shortlist.domain.evidence import Node, Tree, Vote
from shortlist.domain.information import Closed, Contender, choose
from shortlist.domain.pairing import Key, key_of
from shortlist.domain.posterior import Posterior, Spreads, fit, learn
from shortlist.domain.rating import K_FACTOR, SCALE
from shortlist.domain.settled import probability

Table = NDArray[np.float64]
Places = NDArray[np.int64]

AHEAD: Final = 256
"""Rolls of the dice made at once, for each seed."""

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
    """Some seeds of one kind of people: true qualities, and votes on request.

    Each seed has dice of its own, so that it plays the same whoever plays beside it.
    """

    def __init__(self, people: People, *, seeds: range) -> None:
        self.people = people
        self.seeds = len(seeds)
        self.first = seeds.start
        families = -(-people.count // people.family)
        dice = [np.random.default_rng([7, seed]) for seed in seeds]
        own = np.array([each.standard_normal(people.count) for each in dice])
        parents = np.array([each.standard_normal(families) for each in dice])
        parents = np.repeat(parents, people.family, axis=1)[:, : people.count]
        shared = 0.0 if people.family == 1 else 0.5
        self.truth: Table = shared**0.5 * parents + (1 - shared) ** 0.5 * own
        self.best = np.sort(self.truth, axis=1)[:, -people.top :].mean(axis=1)
        self.dice = dice
        self.rolls = np.empty((self.seeds, 3, 0))

    def score(self, one: Places, other: Places) -> Table:
        """For each seed 1 where `one` won, 0 where `other` did, one half for a tie."""
        people, row = self.people, np.arange(self.seeds)
        if not self.rolls.shape[2]:
            self.rolls = np.array([each.random((3, AHEAD)) for each in self.dice])
        judged, slipped, even = self.rolls[:, :, 0].T
        self.rolls = self.rolls[:, :, 1:]
        ahead = people.clarity * (self.truth[row, one] - self.truth[row, other])
        won = judged < 1 / (1 + np.exp(-ahead))
        won ^= slipped < people.slips
        return np.where(even < people.ties, 0.5, won.astype(float))

    def regret(self, ratings: Table) -> Table:
        """How far the mean quality of the best-rated stays behind that of the best, by seed."""
        chosen = np.argpartition(-ratings, self.people.top - 1, axis=1)[:, : self.people.top]
        return np.asarray(self.best - np.take_along_axis(self.truth, chosen, axis=1).mean(axis=1))


Curve = Iterator[tuple[int, Table]]
"""Votes so far and the regret of each seed."""


def elo_random(room: Room) -> Curve:
    """(a) Elo over random pairs."""
    dice, ratings = np.random.default_rng([3, room.first]), np.full(room.truth.shape, 1000.0)
    for votes in range(1, 1_000_000):
        one, other = _random_pairs(room, dice)
        _elo(ratings, one, other, score=room.score(one, other))
        yield votes, room.regret(ratings)


def elo_close(room: Room) -> Curve:
    """(b) Elo over close pairs: the one with the fewest votes beside the nearest rating that it
    has met least."""
    dice, ratings = np.random.default_rng([3, room.first]), np.full(room.truth.shape, 1000.0)
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
    dice = np.random.default_rng([3, room.first])
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


def openskill(room: Room) -> Curve:
    """(d) OpenSkill's Thurstone-Mosteller model (Weng and Lin, 2011) with its match quality: the
    least known beside the opponent with whom a draw is likeliest."""
    players = [_Skilled(room.people.count, room.first + at) for at in range(room.seeds)]
    for votes in range(1, 1_000_000):
        pairs = np.array([player.pair() for player in players])
        scores = room.score(pairs[:, 0], pairs[:, 1])
        for player, (one, other), score in zip(players, pairs.tolist(), scores, strict=True):
            player.hear(one, other, score=float(score))
        yield votes, room.regret(np.array([player.means() for player in players]))


class _Skilled:
    """One seed of OpenSkill's method, at the library's own settings."""

    def __init__(self, count: int, seed: int) -> None:
        self.model = ThurstoneMostellerFull()
        self.ratings = [self.model.rating() for _ in range(count)]
        self.dice = random.Random(seed)
        self.last = -1

    def pair(self) -> tuple[int, int]:
        ids = [id for id in range(len(self.ratings)) if id != self.last]
        one = max(ids, key=lambda id: (self.ratings[id].sigma, self.dice.random()))
        others = [id for id in range(len(self.ratings)) if id != one]
        return one, max(others, key=lambda id: (self._quality(one, id), self.dice.random()))

    def _quality(self, one: int, other: int) -> float:
        return self.model.predict_draw([[self.ratings[one]], [self.ratings[other]]])

    def hear(self, one: int, other: int, *, score: float) -> None:
        teams = [[self.ratings[one]], [self.ratings[other]]]
        (first,), (second,) = self.model.rate(teams, scores=[score, 1 - score])
        self.ratings[one], self.ratings[other], self.last = first, second, other

    def means(self) -> list[float]:
        return [rating.mu for rating in self.ratings]


def ours(room: Room) -> Curve:
    """(e) The posterior over the tree, with pairs by information."""
    players = [Player(room.people) for _ in range(room.seeds)]
    for votes in range(1, 1_000_000):
        pairs = np.array([player.pair() for player in players])
        scores = room.score(pairs[:, 0], pairs[:, 1])
        for player, score in zip(players, scores, strict=True):
            player.hear(float(score))
        yield votes, room.regret(np.array([player.means() for player in players]))


class Player:
    """One seed of ours: what it has heard so far. Parents of families are numbered from 1000.

    With `again` a pair may come again, as it does where several people vote.
    """

    def __init__(self, people: People, *, again: bool = False) -> None:
        step = 1 if people.family == 1 else 2
        parents = [None if step == 1 else 1000 + id // people.family for id in range(people.count)]
        nodes = [Node(id, parent, step) for id, parent in enumerate(parents)]
        nodes += [Node(parent, None, 1) for parent in dict.fromkeys(parents) if parent is not None]
        self.tree = Tree(nodes)
        self.top = people.top
        self.again = again
        self.shown = [0] * people.count
        self.voted: set[Key] = set()
        self.log: list[Vote] = []
        self.last: Key | None = None
        self.posterior: Posterior = fit(self.tree, [], spreads=Spreads())
        self.rows = [self.tree.at(id) for id in range(people.count)]

    def pair(self) -> Key:
        pool = [Contender(id, shown) for id, shown in enumerate(self.shown)]
        closed = Closed(voted=() if self.again else self.voted, last=self.last)
        (worth,) = choose(self.posterior, pool, top=self.top, closed=closed)
        self.last = key_of(worth.one, worth.other)
        return self.last

    def hear(self, score: float) -> None:
        assert self.last is not None
        one, other = self.last if score >= 0.5 else self.last[::-1]
        vote = Vote(one, other, score == 0.5)
        self.log.append(vote)
        self.voted.add(self.last)
        for id in self.last:
            self.shown[id] += 1
        if len(self.log) in LEARN_AT:
            spreads = learn(self.tree, self.log, before=Spreads())
            self.posterior = fit(self.tree, self.log, spreads=spreads)
            return
        self.posterior = self.posterior.after(vote)

    def means(self) -> Table:
        return self.posterior.mean[self.rows]

    def claim(self, dice: np.random.Generator) -> float:
        """The probability that its top K is the true one."""
        return probability(self.posterior, range(len(self.rows)), top=self.top, rng=dice)


def _random_pairs(room: Room, dice: np.random.Generator) -> tuple[Places, ...]:
    one = dice.integers(room.people.count, size=room.seeds)
    step = dice.integers(1, room.people.count, size=room.seeds)
    return one, (one + step) % room.people.count


def _elo(ratings: Table, one: Places, other: Places, *, score: Table) -> None:
    row = np.arange(len(ratings))
    hope = 1 / (1 + 10 ** ((ratings[row, other] - ratings[row, one]) / SCALE))
    ratings[row, one] += K_FACTOR * (score - hope)
    ratings[row, other] -= K_FACTOR * (score - hope)
