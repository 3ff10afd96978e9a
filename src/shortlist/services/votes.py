"""Comparisons: a vote, a tie, a skip, and taking them back to the last digit that others left.

The worst of four is three votes of one act, each as if the two had been a pair of their own.

A child against its parent is a comparison of the step between them: it stands in the same log,
marked, and moves no rating. A pair seen once more (`repeats.py`) is in the log of acts alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, case, func, insert, select, update

from shortlist.domain import rating
from shortlist.domain.model import CandidateStatus
from shortlist.domain.pairing import key_of, written
from shortlist.domain.rating import Change
from shortlist.errors import BadInput, Conflict, NotFound
from shortlist.services import repeats
from shortlist.services.acts import Answer, Doing, Outcome, SkipAct, TieAct, VoteAct, WorstAct
from shortlist.services.branches import News
from shortlist.services.history import Entry
from shortlist.services.journal import EventKind
from shortlist.store.db import TREE_LOCK, Tx
from shortlist.store.schema import ImageCandidate, Vote

FOUR: Final = 4
"""Images among which the worst is looked for."""


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
    if again := _repeated(tx, act, doing, label=label, run_id=winner.run_id):
        return again
    seen = _Seen(act.id, act.left, act.shown_ms, versus_parent=act.versus_parent)
    after = _count(tx, doing, seen, winner=winner, loser=loser, tie=False)
    return _told(act, label, (winner, loser), after)


def tie(tx: Tx, act: TieAct, doing: Doing) -> Outcome:
    """Counts half a win for each."""
    label = "Called both images the same."
    a, b = _live_pair(tx, act, act.a, act.b)
    if again := _repeated(tx, act, doing, label=label, run_id=a.run_id):
        return again
    seen = _Seen(act.id, act.left, act.shown_ms, versus_parent=act.versus_parent)
    after = _count(tx, doing, seen, winner=a, loser=b, tie=True)
    return _told(act, label, (a, b), after)


def worst(tx: Tx, act: WorstAct, doing: Doing) -> Outcome:
    """Counts each of the others as better than the worst, one after the other as they stood.

    Each of the three votes starts from the ratings that the one before it left.
    """
    others = [id for id in act.images if id != act.worst]
    if len(set(act.images)) != FOUR or len(others) != FOUR - 1:
        raise BadInput("Name four different images, the worst among them.")
    images = {image.id: image for image in _live(tx, act.images)}
    loser, after = images[act.worst], dict[int, _After]()
    for winner in (images[id] for id in others):
        left = min(winner.id, loser.id, key=act.images.index)
        seen = _Seen(act.id, left, act.shown_ms, versus_parent=False)
        after |= _count(tx, doing, seen, winner=winner, loser=loser, tie=False)
        loser = replace(loser, elo=after[loser.id].elo)
    return _told(act, "Chose the worst of four.", list(images.values()), after)


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
    first, second = _of_one_step(tx, (one, other), family=versus_parent)
    if versus_parent and not (first.child_of(second) or second.child_of(first)):
        raise Conflict("Neither of the two images was made from the other.")
    return first, second


def _of_one_step(tx: Tx, ids: Sequence[int], *, family: bool = False) -> list[Standing]:
    """The two to four images of `ids` in that order, locked; a `family` may be of several steps."""
    wanted = dict.fromkeys(_PLACES, ids[-1]) | dict(zip(_PLACES, ids, strict=False))
    rows = tx.execute(_STANDINGS, wanted)
    found = {row.id: Standing(*row) for row in rows}
    for id in ids:
        if id not in found:
            raise NotFound(f"There is no image {id}.")
    images = [found[id] for id in ids]
    if len({image.run_id for image in images}) > 1:
        raise Conflict("The images are of different runs; compare images of one run.")
    if not family and len({image.step_id for image in images}) > 1:
        raise Conflict("The images are of different steps; compare images of one step.")
    return images


def judged(run_id: int, *ids: int) -> News:
    """Tells of judgements that moved no rating, which beliefs follow all the same."""
    return News(EventKind.RATED, run_id, {"ratings": {}, "judged": ids})


# Places of their own: to widen one for a list costs each vote more than all its statements.
_PLACES: Final = ("first", "second", "third", "fourth")
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
    .where(ImageCandidate.id.in_([bindparam(place) for place in _PLACES]))
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
    _hold_tree(tx)
    first, second = pair(tx, one, other, versus_parent=act.versus_parent)
    _all_live((first, second))
    return first, second


def _live(tx: Tx, ids: Sequence[int]) -> list[Standing]:
    _hold_tree(tx)
    images = _of_one_step(tx, ids)
    _all_live(images)
    return images


def _hold_tree(tx: Tx) -> None:
    """Shared with other votes, never with a kill.

    A kill locks its branch in no set order, so without this the two could wait for each other.
    """
    if tx.postgresql:
        tx.execute(select(func.pg_advisory_xact_lock_shared(TREE_LOCK)))


def _repeated(
    tx: Tx, act: VoteAct | TieAct, doing: Doing, *, label: str, run_id: int
) -> Outcome | None:
    """The outcome of an answer that says nothing new of the images; null where it does."""
    if not act.repeat or act.versus_parent:
        return None
    repeat = repeats.answered(tx, doing.person, act)
    if repeat is None:
        return None
    kept = Answer(label, run_id=run_id, likeness=repeat.likeness, strained=repeat.strained)
    return Outcome(kept, news=())


def _all_live(images: Sequence[Standing]) -> None:
    dead = [image.id for image in images if not image.live]
    if dead:
        raise Conflict(
            "An image of this pair was rejected meanwhile; the vote was not counted."
            if len(images) == 2
            else "One of these images was rejected meanwhile; the vote was not counted.",
            rejected=dead,
        )


@dataclass(frozen=True, slots=True)
class _Seen:
    """How a pair was seen, and under which id of the client it was judged."""

    client_id: str
    left: int
    shown_ms: int | None
    versus_parent: bool


@dataclass(frozen=True, slots=True)
class _After:
    """What an image's row says after a comparison."""

    elo: float
    votes: int


def _count(
    tx: Tx, doing: Doing, seen: _Seen, *, winner: Standing, loser: Standing, tie: bool
) -> dict[int, _After]:
    """Writes one comparison and moves both ratings, but for a child against its parent."""
    change = rating.update(winner.elo, loser.elo, tie=tie)
    if seen.versus_parent:
        change = Change(0.0, 0.0)
    row = {
        "act_id": doing.act_id,
        "pipeline_run_id": winner.run_id,
        "pipeline_step_id": loser.step_id if loser.child_of(winner) else winner.step_id,
        "winner_id": winner.id,
        "loser_id": loser.id,
        "tie": tie,
        "voter": doing.person,
        "client_id": seen.client_id,
        "left_id": seen.left,
        "winner_before": winner.elo,
        "loser_before": loser.elo,
        "winner_delta": change.winner,
        "loser_delta": change.loser,
        "shown_ms": seen.shown_ms,
        "versus_parent": seen.versus_parent,
        "void": False,
        "created_at": doing.now,
    }
    tx.execute(_VOTE, row)
    if seen.versus_parent:
        return {}
    return _rate(tx, winner.id, loser.id, change=change, votes=1)


def _move(tx: Tx, entries: Sequence[Entry], *, void: bool) -> Outcome:
    (entry,) = entries
    tx.lock_tree()
    rows = tx.execute(
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
    ).all()
    if not rows:  # a repeat moved nothing
        return Outcome(Answer(entry.answer.label, run_id=entry.answer.run_id), news=())
    sign, after = (-1 if void else 1), dict[int, _After]()
    for row in rows:
        if not row.versus_parent:
            change = Change(sign * row.winner_delta, sign * row.loser_delta)
            after |= _rate(tx, row.winner_id, row.loser_id, change=change, votes=sign)
    label, run_id = entry.answer.label, rows[0].pipeline_run_id
    if not after:
        told = judged(run_id, rows[0].winner_id, rows[0].loser_id)
        return Outcome(Answer(label, run_id=run_id), news=[told])
    return _rated(label, run_id, after)


def _rate(tx: Tx, winner: int, loser: int, *, change: Change, votes: int) -> dict[int, _After]:
    rates = {
        "winner": winner,
        "loser": loser,
        "winner_delta": change.winner,
        "loser_delta": change.loser,
        "votes": votes,
    }
    return {id: _After(elo, count) for id, elo, count in tx.execute(_RATE, rates)}


def _told(
    act: VoteAct | TieAct | WorstAct,
    label: str,
    images: Sequence[Standing],
    after: Mapping[int, _After],
) -> Outcome:
    """The answer to a comparison of `images` that left these ratings, and the news of it."""
    run_id = images[0].run_id
    if after:
        outcome = _rated(label, run_id, after)
    else:
        outcome = Outcome(Answer(label, run_id=run_id), news=[judged(run_id, *_ids(images))])
    decided = {"act": act.id, "pairs": _decided(act, images)}
    news = [replace(each, data={**each.data, **decided}) for each in outcome.news]
    return replace(outcome, news=news)


def _decided(act: VoteAct | TieAct | WorstAct, images: Sequence[Standing]) -> list[str]:
    """The pairs that need no vote of this person any more, as a deck names them."""
    one, *_ = [act.worst] if isinstance(act, WorstAct) else _ids(images)
    return [written(key_of(one, other)) for other in _ids(images) if other != one]


def _ids(images: Sequence[Standing]) -> list[int]:
    return [image.id for image in images]


def _rated(label: str, run_id: int, after: Mapping[int, _After]) -> Outcome:
    ratings = {id: state.elo for id, state in after.items()}
    told = {str(id): {"elo": state.elo, "votes": state.votes} for id, state in after.items()}
    news = News(EventKind.RATED, run_id, {"ratings": told})
    return Outcome(Answer(label, run_id=run_id, ratings=ratings), news=[news])
