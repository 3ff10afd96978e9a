"""A walk as it stands: the lineage, the question now open, and what each answer would do.

Read from the log and the tree; nothing about a walk is stored but its acts and its kills.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from sqlalchemy import bindparam, select, text

from shortlist.domain import walk as rule
from shortlist.domain.model import WalkAnswer
from shortlist.domain.walk import Relation
from shortlist.errors import BadInput
from shortlist.services import branches, history
from shortlist.services.acts import KillAct, KillBothAct, WalkAct
from shortlist.services.history import Entry
from shortlist.services.showing import Placed, Shown, placed
from shortlist.store.conditions import LIVE
from shortlist.store.db import Tx
from shortlist.store.schema import ImageCandidate, Kill, PipelineStep


@dataclass(frozen=True, slots=True)
class Stage:
    """One image of the lineage."""

    candidate: Shown
    step_name: str
    step_order: int
    rejected: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """The image that the open question is about."""

    candidate: Shown
    step_name: str
    step_order: int


@dataclass(frozen=True, slots=True)
class Beside:
    """The image that stands beside it."""

    candidate: Shown
    relation: Relation


@dataclass(frozen=True, slots=True)
class Consequence:
    """What an answer would do: `rejects` images and cancel `jobs`.

    `allowed` is false where the answer makes no sense; it is taken nonetheless.
    """

    sentence: str
    rejects: int
    jobs: int
    allowed: bool


@dataclass(frozen=True, slots=True)
class Walk:
    """`asked` is null when the walk is over; `note` then says why, where nobody answered.

    `also_killed` is the other image of a kill of both, when they share the parent. `others` counts
    the images that could stand beside instead.
    """

    id: str
    killed: Shown
    also_killed: Shown | None
    strip: Sequence[Stage]
    asked: Asked | None
    beside: Beside | None
    others: int
    answers: Mapping[WalkAnswer, Consequence]
    blamed_step: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class State:
    """Where a walk is. `lineage` goes from the base to the killed image; `at` is the asked one.

    `at` is null when the walk is over; `ended` says why when it was not by an answer.
    """

    opening: Entry
    acts: Sequence[Entry]
    killed: Sequence[int]
    lineage: Sequence[int]
    at: int | None
    ended: str | None


def state(tx: Tx, person: str, id: str) -> State:
    """The walk that the kill `id` of `person` began. Raises `NotFound` or `BadInput`."""
    opening = history.get(tx, person, id)
    if not isinstance(opening.act, KillAct | KillBothAct) or opening.walk != id:
        raise BadInput("This act began no walk; name the kill that did.")
    acts = history.unit(tx, opening)
    killed = _killed(tx, opening)
    lineage = _lineage(tx, killed[0])
    if opening.undone_by is not None:
        return State(opening, acts, killed, lineage, None, "This kill was taken back.")
    at = rule.opening(len(lineage))
    for entry in acts:
        if isinstance(entry.act, WalkAct):
            at = rule.turn(entry.act.answer, at=lineage.index(entry.act.candidate)).asks
    return State(opening, acts, killed, lineage, at, None)


def walk_view(tx: Tx, person: str, kill_act_id: str, *, turn: int = 0) -> Walk:
    """The walk as a person sees it now. `turn` counts through the images that may stand beside."""
    now = state(tx, person, kill_act_id)
    images = placed(tx, (*now.lineage, *now.killed))
    note = now.ended or _overtaken(tx, now, images=images)
    at = None if note else now.at
    stands, others = (None, 0) if at is None else _beside(tx, now.lineage[at], turn=turn)
    also = now.killed[1] if len(now.killed) > 1 else None
    return Walk(
        id=kill_act_id,
        killed=images[now.killed[0]].shown,
        also_killed=None if also is None else images[also].shown,
        strip=[_stage(images[id]) for id in now.lineage],
        asked=None if at is None else _asked(images[now.lineage[at]]),
        beside=stands,
        others=others,
        answers={} if at is None else _consequences(tx, now.lineage, at=at, images=images),
        blamed_step=_blamed(tx, now),
        note=note,
    )


def rejected_by(tx: Tx, candidate_id: int) -> str | None:
    """Who made the rejection of an image that stands."""
    return tx.execute(
        select(Kill.killed_by).where(Kill.candidate_id == candidate_id, Kill.void.is_(False))
    ).scalar()


def by_whom(killer: str | None, person: str) -> str:
    """` by ann`, or nothing where that is the reader or not known."""
    return "" if killer in {None, person} else f" by {killer}"


_KILLED: Final = (
    select(Kill.candidate_id, ImageCandidate.parent_id)
    .join(ImageCandidate, ImageCandidate.id == Kill.candidate_id)
    .where(Kill.act_id == bindparam("act"))
    .order_by(Kill.id)
)


def _killed(tx: Tx, opening: Entry) -> list[int]:
    """The killed image; of two killed at once both, when one walk can explain them."""
    rows = tx.execute(_KILLED, {"act": opening.row_id}).all()
    return [id for id, parent_id in rows if parent_id == rows[0].parent_id]


def _lineage(tx: Tx, candidate_id: int) -> list[int]:
    path = tx.execute(
        select(ImageCandidate.path).where(ImageCandidate.id == candidate_id)
    ).scalar_one()
    return [*map(int, path.split("/")[1:-1]), candidate_id]


def _overtaken(tx: Tx, now: State, *, images: Mapping[int, Placed]) -> str | None:
    """Why the question is settled already, when someone rejected the asked image or one before."""
    if now.at is None:
        return None
    dead = [images[id] for id in now.lineage[: now.at + 1] if not images[id].active]
    if not dead:
        return None
    killer = by_whom(rejected_by(tx, dead[-1].shown.id), now.opening.person)
    return f"The {dead[-1].step_name} image was already rejected{killer}."


def _stage(image: Placed) -> Stage:
    return Stage(image.shown, image.step_name, image.step_order, not image.active)


def _asked(image: Placed) -> Asked:
    return Asked(image.shown, image.step_name, image.step_order)


def _blamed(tx: Tx, now: State) -> str | None:
    return tx.execute(
        select(PipelineStep.name)
        .join(Kill, Kill.blamed_step_id == PipelineStep.id)
        .where(
            Kill.act_id == now.opening.row_id,
            Kill.candidate_id == now.killed[0],
            Kill.void.is_(False),
        )
    ).scalar()


_PLACE: Final = select(
    ImageCandidate.pipeline_run_id,
    ImageCandidate.step_order,
    ImageCandidate.path,
    ImageCandidate.parent_id,
).where(ImageCandidate.id == bindparam("id"))
# Siblings have equal paths; base images have no parent and are all siblings of their run.
_SIBLINGS: Final = text(
    f"""
    SELECT candidate.id FROM candidate
    WHERE {LIVE} AND candidate.path = :path AND candidate.id <> :id
    ORDER BY candidate.elo_score DESC, candidate.vote_count DESC, candidate.id
    """  # noqa: S608 the text is the schema's own constant
)
_BEST: Final = text(
    f"""
    SELECT candidate.id FROM candidate
    WHERE {LIVE} AND candidate.pipeline_run_id = :run AND candidate.step_order = :step_order
      AND candidate.id <> :id
    ORDER BY candidate.elo_score DESC, candidate.vote_count DESC, candidate.id
    LIMIT :limit
    """  # noqa: S608 the text is the schema's own constant
)
MOST_BESIDE: Final = 50
"""Images that may take turns beside the asked one; a column can hold a hundred thousand."""


def _beside(tx: Tx, candidate_id: int, *, turn: int) -> tuple[Beside | None, int]:
    """The image that stands beside, best rated first, and how many others could."""
    place = tx.execute(_PLACE, {"id": candidate_id}).one()
    of_step = {"run": place.pipeline_run_id, "step_order": place.step_order, "id": candidate_id}
    siblings: Sequence[int] = ()
    if place.parent_id is not None:
        siblings = tx.execute(_SIBLINGS, {"path": place.path, "id": candidate_id}).scalars().all()
    ids = siblings or tx.execute(_BEST, of_step | {"limit": MOST_BESIDE}).scalars().all()
    if not ids:
        return None, 0
    chosen = ids[turn % len(ids)]
    is_sibling = bool(siblings) or place.parent_id is None
    relation = Relation.SIBLING if is_sibling else Relation.BEST_OF_STEP
    return Beside(placed(tx, [chosen])[chosen].shown, relation), len(ids) - 1


def _consequences(
    tx: Tx, lineage: Sequence[int], *, at: int, images: Mapping[int, Placed]
) -> dict[WalkAnswer, Consequence]:
    size = branches.size(tx, lineage[at])
    names = [images[id].step_name for id in lineage]
    return {answer: _consequence(answer, names=names, at=at, size=size) for answer in WalkAnswer}


def _consequence(
    answer: WalkAnswer, *, names: Sequence[str], at: int, size: branches.Size
) -> Consequence:
    ends = f"rejects this {names[at]} image{size.in_words()}"
    all_of_it = size.branch + 1
    match answer:
        case WalkAnswer.ALREADY_WRONG if at == 0:
            return Consequence(f"{names[0]} is the first step.", all_of_it, size.jobs, False)
        case WalkAnswer.ALREADY_WRONG:
            sentence = f"{_capital(ends)}, then asks about the {names[at - 1]} image."
            return Consequence(sentence, all_of_it, size.jobs, True)
        case WalkAnswer.THIS_STEP:
            return Consequence(f"Blames {names[at]} and {ends}.", all_of_it, size.jobs, True)
        case WalkAnswer.STILL_FINE:
            return Consequence(f"Blames {names[at + 1]} and rejects nothing more.", 0, 0, True)
        case WalkAnswer.DONT_KNOW:
            return Consequence("Leaves the cause open and rejects nothing more.", 0, 0, True)
        case _:
            assert_never(answer)


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
