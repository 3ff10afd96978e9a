"""The literal rule `right_to_left` (spec section 2): the raffle, the deficit, and the reason.

SQL gives the sets (`services/selection.py`); what is decided from them is decided here, so that
equal sets and an equal seed give the same job.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Final, NamedTuple

SEED_LIMIT: Final = 2**53
"""Seeds stay below it, because a browser's numbers are exact only up to there."""


class Rule(StrEnum):
    PARENT = "parent"
    BASE = "base"
    GATED_BASE = "gated base"
    ADAPTIVE = "adaptive"


class Parent(NamedTuple):
    """An eligible parent: a ticket holder of the raffle. A tuple, as they are made by the dozen."""

    id: int
    elo: float


@dataclass(frozen=True, slots=True)
class Need:
    """A run that may start base images, and how many finished or base images it lacks."""

    run_id: int
    priority: int
    lacking: int
    gated: bool


@dataclass(frozen=True, slots=True)
class Prospect:
    """What one action promises: from `parent_id`, or a new base image where that is null. `chance`
    of ending among the best finished images, `seconds` of rendering until then, null before they
    were measured."""

    parent_id: int | None
    chance: float
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Odds:
    """What was weighed by `adaptive`. `few`: less than `top` images were finished, so that going
    on came first. `second`: the best action in another family, null where there was none."""

    top: int
    few: bool
    taken: Prospect
    second: Prospect | None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a job was chosen, as stored with it. `ticket` is the number drawn of `tickets`; `odds`
    are those of `adaptive`, which draws no tickets."""

    rule: Rule
    priority: int
    step_order: int
    eligible: int
    tickets: float
    ticket: float
    seed: int
    parent_id: int | None
    elo: float | None
    lacking: int | None
    odds: Odds | None = None

    def sentence(self) -> str:
        """The choice in words, for a person."""
        if self.odds is not None:
            return _weighed(self.odds)
        if self.rule is Rule.PARENT:
            others = "the only parent" if self.eligible == 1 else f"one of {self.eligible} parents"
            return (
                f"{_start(_of(self.parent_id))} is {others} in the right-most column with work "
                f"(step {self.step_order - 1}), with {self.elo:.0f} of {self.tickets:.0f} tickets."
            )
        images = "base images" if self.rule is Rule.GATED_BASE else "finished images"
        return f"No image waits for a next step, and the run lacks {self.lacking} {images}."


def _weighed(odds: Odds) -> str:
    what = _of(odds.taken.parent_id)
    if odds.few:
        return f"Fewer than {odds.top} images are finished: {what} goes on towards the end."
    best = f"one of the best {odds.top} so far"
    told = f"{_start(what)} leads to {best} with {_chance(odds.taken)}"
    if odds.second is None:
        return f"{told}; there was no other family to work on."
    return f"{told}; next best: {_of(odds.second.parent_id)} with {_chance(odds.second)}."


def _of(parent_id: int | None) -> str:
    """What a job begins from; numbers below 0 are images that are not made yet."""
    if parent_id is None:
        return "a new base image"
    return f"image {parent_id}" if parent_id > 0 else "an image not made yet"


def _start(text: str) -> str:
    return text[0].upper() + text[1:]


def _chance(prospect: Prospect) -> str:
    """Such as "a chance of 12 %, in 40 seconds"; the time is that of rendering."""
    percent = 100 * prospect.chance
    chance = f"a chance of {'under 1' if percent < 1 else f'{percent:.0f}'} %"
    if prospect.seconds is None:
        return chance
    seconds = max(1, round(prospect.seconds))
    return f"{chance}, in {seconds} second{'' if seconds == 1 else 's'}"


def tickets(elo: float) -> float:
    """How many raffle tickets a rating buys: the rating itself, at least 1."""
    return max(1.0, elo)


def raffle(parents: Sequence[Parent], *, priority: int, step_order: int, seed: int) -> Reason:
    """Draws one of `parents` (in id order, at least one), each with `elo` tickets.

    `step_order` is the column of the parents; the job is one step to its right.
    """
    ends = list(accumulate(tickets(elo) for _, elo in parents))
    ticket = random.Random(seed).random() * ends[-1]
    winner = parents[min(bisect_right(ends, ticket), len(parents) - 1)]
    return Reason(
        rule=Rule.PARENT,
        priority=priority,
        step_order=step_order + 1,
        eligible=len(parents),
        tickets=ends[-1],
        ticket=ticket,
        seed=seed,
        parent_id=winner.id,
        elo=winner.elo,
        lacking=None,
    )


def neediest(needs: Sequence[Need]) -> Need | None:
    """The run to start a base image in: highest priority, then most lacking, then oldest."""
    lacking = [need for need in needs if need.lacking > 0]
    return min(lacking, key=lambda n: (-n.priority, -n.lacking, n.run_id), default=None)


def base_reason(need: Need, *, seed: int) -> Reason:
    """The reason of a base job in the run of `need`."""
    return Reason(
        rule=Rule.GATED_BASE if need.gated else Rule.BASE,
        priority=need.priority,
        step_order=1,
        eligible=0,
        tickets=0.0,
        ticket=0.0,
        seed=seed,
        parent_id=None,
        elo=None,
        lacking=need.lacking,
    )


def workflow_seed(seed: int) -> int:
    """The seed the workflow gets, from the seed of the decision: 0 to 2^53 - 1."""
    rng = random.Random(seed)
    rng.random()
    return rng.randrange(SEED_LIMIT)
