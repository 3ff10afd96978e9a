"""The shapes of answers while judging: pairs, walks, what came of an act. No rule lives here."""

from __future__ import annotations

from datetime import datetime

from shortlist.api.models import Card, NamedRef, Problem, Shape, Shown, Step
from shortlist.domain.model import ActKind, WalkAnswer
from shortlist.domain.walk import Relation
from shortlist.services.triage import Chosen


class Pair(Shape):
    """Two images to choose from; `key` is their ids, the lower first.

    `parent_id` is null for two images of one step. Else it is that one of the two from which the
    other was made; send `versus_parent` with what is decided on such a pair. `repeat`: you have
    judged the two before; send `repeat` with the answer, which is kept and moves no rating.
    """

    key: str
    run_id: int
    step_id: int
    step_name: str
    step_order: int
    left: Shown
    right: Shown
    parent_id: int | None
    repeat: bool


class StepLift(Shape):
    """What a step is worth: how images with it fared, blind, against those without.

    `share` is the part that the step won, ties half; 0.5 is no difference. It lies between `low`
    and `high` with 95 percent; the three are null without a comparison.
    """

    step_id: int
    step_name: str
    step_order: int
    better: int
    same: int
    worse: int
    share: float | None
    low: float | None
    high: float | None


class Waiting(Shape):
    sentence: str
    made: int
    planned: int


class FinishLine(Shape):
    """How surely (0 to 1) the `top` images of a step that would go on now are the best, and about
    how many votes make it sure; null where that is not known. `steady`: it is sure enough."""

    run_id: int
    step_id: int
    step_order: int
    top: int
    settled: float
    steady: bool
    votes: int | None


class Deck(Shape):
    """The next pairs for this person, or what there is instead.

    `finish`: where the step's finish line was last seen; `settled` events tell how it moves.
    """

    pairs: list[Pair]
    step: Step | None
    run: NamedRef | None
    waiting: Waiting | None
    single: Card | None
    remaining: int
    finish: FinishLine | None


class NextColumn(Shape):
    """A step of a run, and how many of its images have no vote of yours (500 for more)."""

    run_id: int
    run_name: str
    step_id: int
    step_name: str
    step_order: int
    remaining: int


class Placed(Shape):
    candidate: Shown
    step_name: str
    step_order: int


class StripPlace(Placed):
    rejected: bool


class Beside(Shape):
    candidate: Shown
    relation: Relation


class Consequence(Shape):
    """What an answer would do: images and jobs of the branch that it ends."""

    sentence: str
    rejects: int
    jobs: int
    allowed: bool


class Walk(Shape):
    """Kill-left: from the killed image to its base.

    `asked` is null when the walk is over; `note` then says why, where nobody answered.
    `also_killed` is the other image of a kill of both. `others` counts those that could stand
    beside instead.
    """

    id: str
    killed: Shown
    also_killed: Shown | None
    strip: list[StripPlace]
    asked: Placed | None
    beside: Beside | None
    others: int
    answers: dict[WalkAnswer, Consequence]
    blamed_step: str | None
    note: str | None


class Rejection(Shape):
    """What a kill ended: `branch` images below the root, `jobs` in flight."""

    root_id: int
    branch: int
    jobs: int


class Undone(Shape):
    act_id: str
    kind: ActKind
    label: str
    pair: Pair | None
    four: list[Shown]


class ActResult(Shape):
    """What came of one act. `repeated`: the act was stored before, and this is its answer.

    `strained`: of late pairs judged before were answered quite otherwise; a pause would do good.
    """

    id: str
    ok: bool
    repeated: bool
    problem: Problem | None
    kind: ActKind
    label: str
    ratings: dict[int, float] | None
    rejected: Rejection | None
    walk: Walk | None
    undone: Undone | None
    strained: bool


class ActResults(Shape):
    results: list[ActResult]


class PastAct(Shape):
    """One entry of this person's log."""

    id: str
    kind: ActKind
    label: str
    at: datetime
    undone: bool
    undoable: bool
    left: Shown | None
    right: Shown | None
    chosen: Chosen
