"""Rejecting images: kill, kill both, the answers of a walk, and taking all of it back.

Each rejection stands when it is given and leaves a `kill` row; the step found to blame is written
to the kills of the walk when the walk ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, assert_never

from sqlalchemy import bindparam, insert, select, update

from shortlist.domain import walk as rule
from shortlist.domain.model import CandidateStatus, WalkAnswer
from shortlist.errors import BadInput, Conflict, NotFound
from shortlist.services import branches, votes, walks
from shortlist.services.acts import (
    Answer,
    Doing,
    KillAct,
    KillBothAct,
    Outcome,
    Rejection,
    WalkAct,
)
from shortlist.services.branches import Rejected, Size
from shortlist.services.history import Entry
from shortlist.store.db import Tx
from shortlist.store.schema import ImageCandidate, Kill, PipelineStep


def kill(tx: Tx, act: KillAct, doing: Doing) -> Outcome:
    """Rejects an image with its branch. A walk begins, unless it is a base image."""
    tx.lock_tree()
    if act.other is not None:
        votes.pair(tx, act.candidate, act.other, versus_parent=act.versus_parent)
    if act.left not in {None, act.candidate, act.other}:
        raise BadInput("The image on the left is neither of the two; send which one it was.")
    if act.walk is not None and walks.state(tx, doing.person, act.walk).at is None:
        raise Conflict("This walk is over; kill the image from the vote page or the board.")
    _refuse_dead(tx, act.candidate, doing)
    return _killed(tx, [act.candidate], doing, walk=act.walk or act.id)


def kill_both(tx: Tx, act: KillBothAct, doing: Doing) -> Outcome:
    """Rejects both images of a pair, or the one that is left when someone rejected the other."""
    tx.lock_tree()
    live = [image.id for image in votes.pair(tx, act.a, act.b) if image.live]
    if not live:
        _refuse_dead(tx, act.a, doing)
    return _killed(tx, live, doing, walk=act.id)


def answer(tx: Tx, act: WalkAct, doing: Doing) -> Outcome:
    """Takes the answer to a walk's open question.

    An image that someone else rejected meanwhile needs no second rejection; the answer counts for
    the blame all the same.
    """
    tx.lock_tree()
    now = walks.state(tx, doing.person, act.walk)
    if now.at is None:
        raise Conflict(now.ended or "This walk is over; nothing was changed.")
    if act.candidate != now.lineage[now.at]:
        raise Conflict("The walk asks about another image now; reload it and answer again.")
    turn = rule.turn(act.answer, at=now.at)
    images = _images(tx, now.lineage)
    asked = images[act.candidate]
    wanted = [asked] if turn.rejects and asked.status is CandidateStatus.ACTIVE else []
    rejected = _reject(tx, wanted, doing)
    label = _answered(act.answer, rejected, name=asked.step_name)
    if turn.blames is not None:
        blamed = images[now.lineage[turn.blames]]
        _blame(tx, now, doing, step_id=blamed.step_id)
        label += f" Blamed: {blamed.step_name}."
    told = _told(label, rejected, run_id=asked.run_id, walk=act.walk)
    return told if rejected else replace(told, news=[votes.judged(asked.run_id)])


def take_back(tx: Tx, entries: Sequence[Entry], *, now: datetime) -> Outcome:
    """Restores every image that the acts of one walk rejected; their kills are void."""
    tx.lock_tree()
    ids = _set_void(tx, entries, void=True)
    restored = [branches.restore(tx, id) for id in ids]
    news = [each for one in restored for each in one.news]
    return Outcome(Answer(entries[0].answer.label, run_id=_run_of(entries)), news=news)


def put_back(tx: Tx, entries: Sequence[Entry], *, now: datetime) -> Outcome:
    """Rejects again what `take_back` restored, with the blame that had been found.

    Raises `Conflict` when one of the images was rejected since, by someone else.
    """
    tx.lock_tree()
    ids = _set_void(tx, entries, void=False)
    rejected = [branches.reject(tx, id, now=now) for id in ids]
    return _told(entries[0].answer.label, rejected, run_id=_run_of(entries), walk=None)


@dataclass(frozen=True, slots=True)
class _Image:
    """One image as far as a rejection cares."""

    id: int
    run_id: int
    path: str
    status: CandidateStatus
    rejected_ancestors: int
    step_id: int
    step_name: str


_IMAGES: Final = (
    select(
        ImageCandidate.id,
        ImageCandidate.pipeline_run_id,
        ImageCandidate.path,
        ImageCandidate.status,
        ImageCandidate.rejected_ancestors,
        PipelineStep.id,
        PipelineStep.name,
    )
    .join(PipelineStep, PipelineStep.id == ImageCandidate.pipeline_step_id)
    .where(ImageCandidate.id.in_(bindparam("ids", expanding=True)))
)


def _images(tx: Tx, ids: Sequence[int]) -> dict[int, _Image]:
    images = {row[0]: _Image(*row) for row in tx.execute(_IMAGES, {"ids": sorted(ids)})}
    for id in ids:
        if id not in images:
            raise NotFound(f"There is no image {id}.")
    return images


def _killed(tx: Tx, ids: Sequence[int], doing: Doing, *, walk: str) -> Outcome:
    found = _images(tx, ids)
    images = [found[id] for id in ids]
    rejected = _reject(tx, images, doing)
    name = images[0].step_name
    subject = f"one {name} image" if len(images) == 1 else f"two {name} images"
    label = f"Rejected {subject}{_total(rejected).in_words()}."
    return _told(label, rejected, run_id=images[0].run_id, walk=walk)


def _refuse_dead(tx: Tx, id: int, doing: Doing) -> None:
    """Raises `Conflict` for an image that is rejected, or lies in a rejected branch."""
    image = _images(tx, [id])[id]
    if image.status is CandidateStatus.REJECTED:
        by = walks.by_whom(walks.rejected_by(tx, id), doing.person)
        raise Conflict(f"This {image.step_name} image was already rejected{by}.", rejected=[id])
    if image.rejected_ancestors:
        raise Conflict(
            f"This {image.step_name} image was already rejected with an image before it.",
            rejected=[id],
        )


def _reject(tx: Tx, images: Sequence[_Image], doing: Doing) -> list[Rejected]:
    """Rejects the images, one to a few, and writes a kill for each; a base is its own cause."""
    rejected = [branches.reject(tx, image.id, now=doing.now) for image in images]
    rows = [
        {
            "act_id": doing.act_id,
            "candidate_id": image.id,
            "killed_by": doing.person,
            "blamed_step_id": image.step_id if image.path == "/" else None,
            "void": False,
            "created_at": doing.now,
        }
        for image in images
    ]
    if rows:
        tx.execute(insert(Kill), rows)
    return rejected


def _blame(tx: Tx, now: walks.State, doing: Doing, *, step_id: int) -> None:
    """Writes the step to every kill of the walk's lineage; one beside it keeps its own."""
    tx.execute(
        update(Kill)
        .where(
            Kill.candidate_id.in_({*now.lineage, *now.killed}),
            Kill.act_id.in_([doing.act_id, *(entry.row_id for entry in now.acts)]),
            Kill.void.is_(False),
        )
        .values(blamed_step_id=step_id)
    )


def _set_void(tx: Tx, entries: Sequence[Entry], *, void: bool) -> list[int]:
    """Marks the kills of some acts and gives the images they rejected, in order."""
    rows = tx.execute(
        update(Kill)
        .where(Kill.act_id.in_([entry.row_id for entry in entries]))
        .values(void=void)
        .returning(Kill.id, Kill.candidate_id)
    )
    return [candidate_id for _, candidate_id in sorted((id, image) for id, image in rows)]


def _run_of(entries: Sequence[Entry]) -> int | None:
    return entries[0].answer.run_id


def _answered(answer: WalkAnswer, rejected: Sequence[Rejected], *, name: str) -> str:
    if rejected:
        return f"Rejected one {name} image{_total(rejected).in_words()}."
    match answer:
        case WalkAnswer.ALREADY_WRONG | WalkAnswer.THIS_STEP:
            return f"The {name} image had been rejected before."
        case WalkAnswer.STILL_FINE:
            return f"Kept the {name} image."
        case WalkAnswer.DONT_KNOW:
            return "Left the cause open."
        case _:
            assert_never(answer)


def _total(rejected: Sequence[Rejected]) -> Size:
    return Size(sum(each.branch for each in rejected), sum(each.jobs for each in rejected))


def _told(
    label: str, rejected: Sequence[Rejected], *, run_id: int | None, walk: str | None
) -> Outcome:
    total = _total(rejected)
    summary = Rejection(rejected[0].root_id, total.branch, total.jobs) if rejected else None
    news = [each for one in rejected for each in one.news]
    return Outcome(Answer(label, run_id=run_id, walk=walk, rejected=summary), news=news)
