"""Simulated nights: worlds in which steps do this or that, runs that grow in them, and a judge.

Qualities have standard deviation 1 among base images; a judge prefers by a logistic law of
`CLARITY` times the difference, as in `benchmarks.people`. A run's pictures and its judge have dice
of their own, so that every method meets the same luck as far as it makes the same images.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shortlist.domain import information, pairing
from shortlist.domain.evidence import Node, Tree, Vote
from shortlist.domain.information import Closed, Contender
from shortlist.domain.model import BIRTH_ELO
from shortlist.domain.next_job import SEED_LIMIT, Parent, raffle
from shortlist.domain.pairing import Contestant, Key, key_of
from shortlist.domain.policy import Frontier, Step, decide
from shortlist.domain.posterior import POINTS, Posterior, Spreads, fit, learn
from shortlist.domain.rating import update

Table = NDArray[np.float64]

LAST: Final = 4
NIGHTS: Final = 3
JOBS: Final = 60
VOTES: Final = 40
BASES: Final = 3
CLARITY: Final = 5.0
"""A clear judge: sees one standard deviation in 99 of 100 pairs."""

BEST: Final = 3
AT_ONCE: Final = 8
"""Pairs that a person is handed together; what they say counts for the next ones."""


@dataclass(frozen=True, slots=True)
class World:
    """What each step after the first does: an image is its parent, better by `shift`, give or take
    `spread`, and with a chance of `rare` by `jump` more.

    With `wrong` the model is given the true spreads times that and may not learn better ones.
    """

    name: str
    shift: float = 0.0
    spread: float = 0.0
    rare: float = 0.0
    jump: float = 0.0
    wrong: float | None = None

    def gain(self, dice: np.random.Generator) -> float:
        gain = self.shift + self.spread * dice.standard_normal()
        return gain + self.jump * (dice.random() < self.rare)

    def assumed(self) -> Spreads:
        """The spreads that the model begins with."""
        if self.wrong is None:
            return Spreads()
        unit = CLARITY * POINTS * self.wrong
        return Spreads(unit, unit * math.hypot(self.spread, self.jump * _deviation(self.rare)))


def _deviation(share: float) -> float:
    return math.sqrt(share * (1 - share))


WORLDS: Final = (
    World("improve", shift=0.5, spread=0.5),
    World("ruin at random", spread=0.2, rare=0.3, jump=-2.0),
    World("change at random", spread=1.0),
    World("rarely rescue", spread=0.2, rare=0.1, jump=2.0),
    World("do nothing"),
    World("spreads assumed twice", spread=0.7, wrong=2.0),
    World("spreads assumed half", spread=0.7, wrong=0.5),
)


class Garden:
    """One run of one seed in a world: its images, their votes, and what is believed of them."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.truth: list[float] = []
        self.parent: list[int | None] = []
        self.step: list[int] = []
        self.children: list[int] = []
        self.elo: list[float] = []
        self.votes: list[int] = []
        self.log: list[Vote] = []
        self.voted: set[Key] = set()
        self.last: tuple[int, ...] = ()
        self.learnt = (0, world.assumed())
        self.rng = random.Random(seed)
        self._luck = np.random.default_rng([1, seed])
        self._judge = np.random.default_rng([2, seed])

    def make(self, parent: int | None) -> int:
        """One more image; its number."""
        if parent is None:
            quality, step = float(self._luck.standard_normal()), 1
        else:
            quality = self.truth[parent] + self.world.gain(self._luck)
            step = self.step[parent] + 1
            self.children[parent] += 1
        self.truth.append(quality)
        self.parent.append(parent)
        self.step.append(step)
        self.children.append(0)
        self.elo.append(BIRTH_ELO)
        self.votes.append(0)
        return len(self.truth) - 1

    def of_step(self, step: int) -> list[int]:
        return [image for image, its in enumerate(self.step) if its == step]

    def column(self) -> list[int]:
        """The right-most step with images nobody has voted on, else the right-most."""
        columns = [self.of_step(step) for step in range(LAST, 0, -1)]
        pairs = [column for column in columns if len(column) > 1]
        fresh = [column for column in pairs if any(self.votes[image] == 0 for image in column)]
        return (fresh or pairs)[0]

    def hear(self, one: int, other: int) -> Vote:
        """The judge's word on a pair."""
        ahead = CLARITY * (self.truth[one] - self.truth[other])
        wins = self._judge.random() < 1 / (1 + math.exp(-ahead))
        winner, loser = (one, other) if wins else (other, one)
        change = update(self.elo[winner], self.elo[loser], tie=False)
        self.elo[winner] += change.winner
        self.elo[loser] += change.loser
        for image in (one, other):
            self.votes[image] += 1
        self.last = (one, other)
        self.voted.add(key_of(one, other))
        self.log.append(Vote(winner, loser))
        return self.log[-1]

    def nodes(self) -> list[Node]:
        links = zip(self.parent, self.step, strict=True)
        return [Node(image, parent, step) for image, (parent, step) in enumerate(links)]

    def posterior(self) -> Posterior:
        """What the model believes after all votes so far."""
        tree, (count, spreads) = Tree(self.nodes()), self.learnt
        if self.world.wrong is None and len(self.log) > count:
            spreads = learn(tree, self.log, before=self.world.assumed())
            self.learnt = (len(self.log), spreads)
        return fit(tree, self.log, spreads=spreads)


class Judging(Enum):
    """Who is asked about which pairs, and by what the answer is taken."""

    ELO = "Elo and its pairs"
    TREE = "the posterior and pairs by information"


def vote(garden: Garden, judging: Judging, *, votes: int = VOTES) -> None:
    """A morning: the right-most step with images nobody has voted on comes first."""
    if judging is Judging.TREE:
        _vote_by_information(garden, votes)
        return
    for _ in range(votes):
        _vote_by_elo(garden, garden.column())


def _vote_by_elo(garden: Garden, column: Sequence[int]) -> None:
    pool = [
        Contestant(image, garden.elo[image], garden.votes[image], garden.votes[image] == 0)
        for image in column
    ]
    (pair,) = pairing.choose(
        pool, count=1, taken=(), tired=garden.voted, last=garden.last, rng=garden.rng
    )
    garden.hear(pair.left, pair.right)


def _vote_by_information(garden: Garden, votes: int) -> None:
    posterior, left = garden.posterior(), votes
    while left:
        column = garden.column()
        fresh = sum(garden.votes[image] == 0 for image in column)
        pairs = information.choose(
            posterior,
            [Contender(image, garden.votes[image]) for image in column],
            top=min(BEST, len(column) - 1),
            closed=Closed(voted=garden.voted),
            # no more than show all that is new here, then it is the next column's turn
            count=min(left, AT_ONCE, -(-fresh // 2) or AT_ONCE),
        )
        posterior = posterior.after(*(garden.hear(pair.one, pair.other) for pair in pairs))
        left -= len(pairs)


def literal(garden: Garden, *, children: int) -> None:
    """Three nights of `right_to_left` without gates, with N `children` and no end to T."""
    for _ in range(NIGHTS):
        for _ in range(JOBS):
            garden.make(_right_to_left(garden, children=children, advancing={}))
        vote(garden, Judging.ELO)


def gated(garden: Garden, *, children: int, top: int) -> None:
    """Three nights with a gate at each step, opened each morning for the `top` by Elo."""
    advancing: dict[int, Sequence[int]] = dict.fromkeys(range(2, LAST), ())
    for _ in range(NIGHTS):
        for _ in range(JOBS):
            parent = _right_to_left(garden, children=children, advancing=advancing)
            if parent is None and len(garden.of_step(1)) >= BASES:
                break
            garden.make(parent)
        vote(garden, Judging.ELO)
        last = max(garden.step)
        advancing[last] = ranked(garden)[:top]


def funnel(garden: Garden) -> None:
    """Each evening by hand: 30 base images, the best 5, 3 and 2 sent on, with the night's votes
    shared out among the three choices."""
    for _ in range(NIGHTS):
        column = [garden.make(None) for _ in range(30)]
        for chosen, votes in ((5, 28), (3, 7), (2, 5)):
            for _ in range(votes):
                _vote_by_elo(garden, column)
            best = [image for image in ranked(garden, garden.step[column[0]]) if image in column]
            column = [garden.make(image) for image in best[:chosen]]


def adaptive(garden: Garden, *, children: int = 10) -> None:
    """Three nights of `adaptive`, in which all steps take as long."""
    for _ in range(NIGHTS):
        posterior, known = garden.posterior(), len(garden.truth)
        for _ in range(JOBS):
            decision = decide(
                posterior,
                _frontier(garden, known=known, children=children),
                seed=garden.rng.randrange(SEED_LIMIT),
            )
            garden.make(None if decision is None else decision.taken.parent)
        vote(garden, Judging.TREE)


def _frontier(garden: Garden, *, known: int, children: int) -> Frontier:
    images = range(len(garden.truth))
    return Frontier(
        steps=[Step(1.0)] * LAST,
        room=[n for n in images if garden.step[n] < LAST and garden.children[n] < children],
        base=True,
        finished=garden.of_step(LAST),
        newer=garden.nodes()[known:],
        children={n: (garden.children[n], 0) for n in images if garden.children[n]},
        top=BEST,
    )


def _right_to_left(
    garden: Garden, *, children: int, advancing: Mapping[int, Sequence[int]]
) -> int | None:
    """The parent that the literal rule takes; `advancing`: who passed, of steps with a gate."""
    for step in range(LAST - 1, 0, -1):
        eligible = [
            Parent(image, garden.elo[image])
            for image in garden.of_step(step)
            if garden.children[image] < children
            and (step not in advancing or image in advancing[step])
        ]
        if eligible:
            seed = garden.rng.randrange(SEED_LIMIT)
            return raffle(eligible, priority=0, step_order=step, seed=seed).parent_id
    return None


def ranked(garden: Garden, step: int | None = None) -> list[int]:
    """The images of a step, of the right-most by default, best Elo first."""
    among = garden.of_step(max(garden.step) if step is None else step)
    return sorted(among, key=lambda image: (-garden.elo[image], -garden.votes[image], image))


def quality(garden: Garden, judging: Judging) -> float:
    """The mean true quality of the best-rated finished images."""
    finished = garden.of_step(LAST)
    if judging is Judging.ELO:
        best = ranked(garden, LAST)[:BEST]
    else:
        posterior = garden.posterior()
        best = sorted(finished, key=lambda image: -posterior.mean[posterior.tree.at(image)])[:BEST]
    return float(np.mean([garden.truth[image] for image in best]))
