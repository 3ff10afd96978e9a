"""Comparisons: a vote, a tie, a skip, and taking them back to the last digit that others left.

A child against its parent is a comparison of the step between them: it stands in the same log,
marked, and moves no rating.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, case, func, insert, select, update

from shortlist.domain import rating
from shortlist.domain.model import CandidateStatus
from shortlist.domain.rating import Change
from shortlist.errors import BadInput, Conflict, NotFound
from shortlist.services.acts import Answer, Doing, Outcome, SkipAct, TieAct, VoteAct
from shortlist.services.branches import News
from shortlist.services.history import Entry
from shortlist.services.journal import EventKind
from shortlist.store.db import TREE_LOCK, Tx
from shortlist.store.schema import ImageCandidate, Vote


@dataclass(frozen=True, slots=True)
class Standing:
    """One image at the moment it is judged."""

    id: int
    run_id: int
    step_id: int
    parent_id: int | None
    status: CandidateStatus
    rejected_ancestors: int
    elo: float

    @property
    def live(self) -> bool:
        return self.status is CandidateStatus.ACTIVE and self.rejected_ancestors == 0

    def child_of(self, other: Standing) -> bool:
        return self.parent_id == other.id


def vote(tx: Tx, act: VoteAct, doing: Doing) -> Outcome:
    """Counts one image as better than another: both ratings move at once."""
    label = f"Chose the {_side(act.winner, act.left)} image."
    winner, loser = _live_pair(tx, act, act.winner, act.loser)
    return _compare(tx, act, doing, winner=winner, loser=loser, label=label)


def tie(tx: Tx, act: TieAct, doing: Doing) -> Outcome:
    """Counts half a win for each."""
    a, b = _live_pair(tx, act, act.a, act.b)
    return _compare(tx, act, doing, winner=a, loser=b, label="Called both images the same.")


def skip(tx: Tx, act: SkipAct) -> Outcome:
    """Stores that nothing was decided; the pair goes to the back."""
    a, _ = pair(tx, act.a, act.b, versus_parent=act.versus_parent)
    return Outcome(Answer("Skipped a pair.", run_id=a.run_id), news=())


def take_back(tx: Tx, entries: Sequence[Entry], *, now: datetime) -> Outcome:
    """Subtracts what the votes of `entries` added; votes by others since then stay counted."""
    return _move(tx, entries, void=True)


def put_back(tx: Tx, entries: Sequence[Entry], *, now: datetime) -> Outcome:
    """Adds what the votes of `entries` had added."""
    return _move(tx, entries, void=False)


def pair(tx: Tx, one: int, other: int, *, versus_parent: bool = False) -> tuple[Standing, Standing]:
    """Two images of one step of one run, or a child and its parent where that is meant, locked.

    Raises a `Problem` when they are not that.
    """
    if one == other:
        raise BadInput("An image can't be compared with itself; name two images.")
    rows = tx.execute(_STANDINGS, {"ids": sorted((one, other))})
    found = {row.id: Standing(*row) for row in rows}
    for id in (one, other):
        if id not in found:
            raise NotFound(f"There is no image {id}.")
    first, second = found[one], found[other]
    if first.run_id != second.run_id:
        raise Conflict("The two images are of different runs; compare images of one run.")
    if versus_parent:
        if not (first.child_of(second) or second.child_of(first)):
            raise Conflict("Neither of the two images was made from the other.")
    elif first.step_id != second.step_id:
        raise Conflict("The two images are of different steps; compare images of one step.")
    return first, second


def judged(run_id: int, *ids: int) -> News:
    """Tells of judgements that moved no rating: no page hears of them, but beliefs follow them."""
    return News(EventKind.RATED, run_id, {"ratings": {}, "judged": ids})


_STANDINGS: Final = (
    select(
        ImageCandidate.id,
        ImageCandidate.pipeline_run_id,
        ImageCandidate.pipeline_step_id,
        ImageCandidate.parent_id,
        ImageCandidate.status,
        ImageCandidate.rejected_ancestors,
        ImageCandidate.elo_score,
    )
    .where(ImageCandidate.id.in_(bindparam("ids", expanding=True)))
    .order_by(ImageCandidate.id)
    .with_for_update()
)
_VOTE: Final = insert(Vote)
_RATE: Final = (
    update(ImageCandidate)
    .where(ImageCandidate.id.in_([bindparam("winner"), bindparam("loser")]))
    .values(
        elo_score=ImageCandidate.elo_score
        + case(
            (ImageCandidate.id == bindparam("winner"), bindparam("winner_delta")),
            else_=bindparam("loser_delta"),
        ),
        vote_count=ImageCandidate.vote_count + bindparam("votes"),
    )
    .returning(ImageCandidate.id, ImageCandidate.elo_score, ImageCandidate.vote_count)
)


def _side(id: int, left: int) -> str:
    return "left" if id == left else "right"


def _live_pair(tx: Tx, act: VoteAct | TieAct, one: int, other: int) -> tuple[Standing, Standing]:
    if act.left not in {one, other}:
        raise BadInput("The image on the left is neither of the two; send which one it was.")
    if tx.postgresql:
        # Shared with other votes, never with a kill: a kill locks its branch in no set order, so
        # without this the two could wait for each other.
        tx.execute(select(func.pg_advisory_xact_lock_shared(TREE_LOCK)))
    first, second = pair(tx, one, other, versus_parent=act.versus_parent)
    dead = [image.id for image in (first, second) if not image.live]
    if dead:
        raise Conflict(
            "An image of this pair was rejected meanwhile; the vote was not counted.", rejected=dead
        )
    return first, second


def _compare(
    tx: Tx,
    act: VoteAct | TieAct,
    doing: Doing,
    *,
    winner: Standing,
    loser: Standing,
    label: str,
) -> Outcome:
    is_tie = isinstance(act, TieAct)
    change = rating.update(winner.elo, loser.elo, tie=is_tie)
    if act.versus_parent:
        change = Change(0.0, 0.0)
    row = {
        "act_id": doing.act_id,
        "pipeline_run_id": winner.run_id,
        "pipeline_step_id": loser.step_id if loser.child_of(winner) else winner.step_id,
        "winner_id": winner.id,
        "loser_id": loser.id,
        "tie": is_tie,
        "voter": doing.person,
        "client_id": act.id,
        "left_id": act.left,
        "winner_before": winner.elo,
        "loser_before": loser.elo,
        "winner_delta": change.winner,
        "loser_delta": change.loser,
        "shown_ms": act.shown_ms,
        "versus_parent": act.versus_parent,
        "void": False,
        "created_at": doing.now,
    }
    tx.execute(_VOTE, row)
    if act.versus_parent:
        told = judged(winner.run_id, winner.id, loser.id)
        return Outcome(Answer(label, run_id=winner.run_id), news=[told])
    rates = {
        "winner": winner.id,
        "loser": loser.id,
        "winner_delta": change.winner,
        "loser_delta": change.loser,
        "votes": 1,
    }
    ratings, news = _rate(tx, winner.run_id, rates=rates)
    return Outcome(Answer(label, run_id=winner.run_id, ratings=ratings), news=[news])


def _move(tx: Tx, entries: Sequence[Entry], *, void: bool) -> Outcome:
    (entry,) = entries
    tx.lock_tree()
    row = tx.execute(
        update(Vote)
        .where(Vote.act_id == entry.row_id)
        .values(void=void)
        .returning(
            Vote.pipeline_run_id,
            Vote.winner_id,
            Vote.loser_id,
            Vote.winner_delta,
            Vote.loser_delta,
            Vote.versus_parent,
        )
    ).one()
    if row.versus_parent:
        told = judged(row.pipeline_run_id, row.winner_id, row.loser_id)
        return Outcome(Answer(entry.answer.label, run_id=row.pipeline_run_id), news=[told])
    sign = -1 if void else 1
    rates = {
        "winner": row.winner_id,
        "loser": row.loser_id,
        "winner_delta": sign * row.winner_delta,
        "loser_delta": sign * row.loser_delta,
        "votes": sign,
    }
    ratings, news = _rate(tx, row.pipeline_run_id, rates=rates)
    return Outcome(
        Answer(entry.answer.label, run_id=row.pipeline_run_id, ratings=ratings), news=[news]
    )


def _rate(tx: Tx, run_id: int, *, rates: Mapping[str, float]) -> tuple[dict[int, float], News]:
    rows = tx.execute(_RATE, dict(rates)).all()
    ratings = {str(id): {"elo": elo, "votes": votes} for id, elo, votes in rows}
    told = News(EventKind.RATED, run_id, {"ratings": ratings})
    return {id: elo for id, elo, _ in rows}, told
