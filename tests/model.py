"""The contract as a toy: the next job, places, branches and gates, straight from the text.

Deliberately naive: lists, loops and sums, no index and no cached count. Property tests run random
histories through this and the product, and compare every decision and every image.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass
class Run:
    id: int
    last: int
    n: int
    target: int
    base_count: int
    priority: int
    step_n: dict[int, int]  # a step's own N
    auto: dict[int, bool]  # by step order: is the gate `auto`
    active: bool = True
    base_failures: int = 0
    held: set[int] = field(default_factory=set)
    streaks: dict[int, int] = field(default_factory=dict)  # failures in a row, by step order

    @property
    def gated(self) -> bool:
        return any(not auto for order, auto in self.auto.items() if order > 1)

    def closed(self, order: int) -> bool:
        """Five failures in a row: the one server gets no more of the step."""
        return self.streaks.get(order, 0) >= 5

    def limit(self, order: int) -> int:
        return 0 if order == self.last else self.step_n.get(order, self.n)


@dataclass
class Image:
    id: int
    run: Run
    order: int
    parent: Image | None
    advances: bool
    elo: float = 1000.0
    rejected: bool = False
    failures: int = 0

    def ancestors(self) -> list[Image]:
        return [] if self.parent is None else [self.parent, *self.parent.ancestors()]

    @property
    def live(self) -> bool:
        return not self.rejected and not any(a.rejected for a in self.ancestors())


@dataclass
class Job:
    id: int
    run: Run
    order: int
    parent: Image | None
    in_flight: bool = True
    answered: bool = False


@dataclass
class World:
    runs: list[Run] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)

    def children(self, image: Image) -> list[Image]:
        return [child for child in self.images if child.parent is image]

    def flying(self, image: Image) -> list[Job]:
        return [job for job in self.jobs if job.in_flight and job.parent is image]

    def open(self, image: Image, *, held: bool = False) -> bool:
        """Rule 1: an eligible parent, but for its run's state; `held`: also before a held step."""
        return (
            image.live
            and image.advances
            and image.failures < 3
            and image.order < image.run.last
            and (held or image.order + 1 not in image.run.held)
            and len(self.children(image)) + len(self.flying(image)) < image.run.limit(image.order)
        )

    def decide(self, seed: int) -> tuple[Run, int, Image | None] | None:
        """Rules 1 to 6: the run, the target step's order and the parent."""
        eligible = [
            image
            for image in self.images
            if image.run.active and self.open(image) and not image.run.closed(image.order + 1)
        ]
        if eligible:
            top = max((i.run.priority, i.order) for i in eligible)
            column = [i for i in eligible if (i.run.priority, i.order) == top]
            winner = raffle(sorted(column, key=lambda i: i.id), seed)
            return winner.run, winner.order + 1, winner
        lacking = [run for run in self.runs if self.lacks(run) > 0]
        if not lacking:
            return None
        neediest = min(lacking, key=lambda run: (-run.priority, -self.lacks(run), run.id))
        return neediest, 1, None

    def lacks(self, run: Run, *, though_open: bool = False) -> int:
        """Rule 5: how many images a run that may start base images lacks; `though_open`: even while
        it has open parents, for a policy that may begin one any time."""
        if not run.active or run.base_failures >= 3 or 1 in run.held or run.closed(1):
            return 0
        flying = [job for job in self.jobs if job.in_flight and job.run is run]
        live = [image for image in self.images if image.run is run and image.live]
        waits = not run.gated and not though_open
        if waits and any(i.run is run and self.open(i, held=True) for i in self.images):
            return 0
        if run.gated:
            bases = [image for image in live if image.order == 1]
            return run.base_count - len(bases) - len([j for j in flying if j.parent is None])
        leaves = [image for image in live if image.order == run.last]
        return run.target - len(leaves) - len(flying)

    def result(self, job: Job, first_id: int, count: int) -> list[Image]:
        """What a job's `count` images become, with ids from `first_id`."""
        if job.answered:
            return []
        places = count
        if job.parent is not None:
            others = [j for j in self.flying(job.parent) if j is not job]
            taken = len(self.children(job.parent)) + len(others)
            places = max(0, job.run.limit(job.parent.order) - taken)
        made = [
            Image(
                first_id + index,
                job.run,
                job.order,
                job.parent,
                advances=job.order == 1 or job.run.auto[job.order],
            )
            for index in range(min(count, places))
        ]
        self.images += made
        job.run.streaks[job.order] = 0
        job.answered = True
        job.in_flight = False
        return made

    def reject(self, image: Image) -> None:
        """Rejects and stops the branch: jobs below or at the image are cancelled."""
        image.rejected = True
        for job in self.jobs:
            if job.parent is not None and not job.parent.live:
                job.in_flight = False


def raffle(parents: list[Image], seed: int) -> Image:
    """Rule 4: one ticket a rating point, at least one; the ticket drawn names its holder."""
    tickets = [max(1.0, parent.elo) for parent in parents]
    drawn = random.Random(seed).random() * sum(tickets)
    for parent, share in zip(parents, tickets, strict=True):
        drawn -= share
        if drawn < 0:
            return parent
    return parents[-1]
