"""Images with everything known of them: cards, the board's table, one image with its family.

What a judging person sees, blind, is `services/showing.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Final

from sqlalchemy import ColumnElement, Text, cast, select

from shortlist.domain.model import PARK_AFTER_FAILURES, CandidateStatus
from shortlist.errors import NotFound
from shortlist.services.showing import Picture
from shortlist.store.db import Tx
from shortlist.store.schema import ImageCandidate, ImageFile, Job, Kill, PipelineRun, PipelineStep


@dataclass(frozen=True, slots=True)
class Card:
    """A candidate in lists. `dead`: an ancestor is rejected; `parked`: its jobs fail too often."""

    id: int
    run_id: int
    step_id: int
    step_order: int
    parent_id: int | None
    status: CandidateStatus
    dead: bool
    advances: bool
    elo: float
    votes: int
    stars: int | None
    children: int
    child_limit: int
    in_flight: int
    parked: bool
    regions: list[object]
    seed: int | None
    created_at: datetime
    picture: Picture


@dataclass(frozen=True, slots=True)
class KillRecord:
    """One rejection of an image; a void one was undone."""

    by: str
    blamed_step: str | None
    at: datetime
    void: bool


@dataclass(frozen=True, slots=True)
class Family:
    """An image among its relatives. `lineage` begins with the base and ends with the image."""

    card: Card
    job_id: int | None
    lineage: list[Card]
    children: list[Card]
    siblings: list[Card]
    kills: list[KillRecord]


@dataclass(frozen=True, slots=True)
class Table:
    """All images of a run in id order, one sequence a field."""

    id: Sequence[int]
    parent_id: Sequence[int | None]
    step_order: Sequence[int]
    status: Sequence[CandidateStatus]
    dead: Sequence[bool]
    advances: Sequence[bool]
    elo: Sequence[float]
    votes: Sequence[int]
    stars: Sequence[int | None]
    children: Sequence[int]
    in_flight: Sequence[int]
    hash: Sequence[str]
    width: Sequence[int]
    height: Sequence[int]
    thumbhash: Sequence[str]


def cards(tx: Tx, ids: Sequence[int]) -> dict[int, Card]:
    """The cards of `ids`; an unknown one is left out."""
    return {card.id: card for card in _cards(tx, ImageCandidate.id.in_(ids))}


def family(tx: Tx, candidate_id: int) -> Family:
    """One image with its ancestors, children and siblings. Raises `NotFound`."""
    row = tx.execute(
        select(ImageCandidate.path, ImageFile.job_id)
        .join(ImageFile, ImageFile.candidate_id == ImageCandidate.id)
        .where(ImageCandidate.id == candidate_id)
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no image {candidate_id}.")
    above = [int(part) for part in row.path.split("/") if part]
    known = cards(tx, [*above, candidate_id])
    card = known[candidate_id]
    below = f"{row.path}{candidate_id}/"
    return Family(
        card=card,
        job_id=row.job_id,
        lineage=[known[id] for id in (*above, candidate_id)],
        children=_cards(tx, ImageCandidate.path == below),
        siblings=_siblings(tx, card, path=row.path),
        kills=_kills(tx, candidate_id),
    )


def table(tx: Tx, run_id: int) -> Table:
    """The board of a run. Raises `NotFound`."""
    if tx.execute(select(PipelineRun.id).where(PipelineRun.id == run_id)).first() is None:
        raise NotFound(f"There is no run {run_id}.")
    rows = tx.execute(
        select(
            ImageCandidate.id,
            ImageCandidate.parent_id,
            ImageCandidate.step_order,
            ImageCandidate.status,
            ImageCandidate.rejected_ancestors > 0,
            ImageCandidate.advances,
            ImageCandidate.elo_score,
            ImageCandidate.vote_count,
            ImageCandidate.stars,
            ImageCandidate.child_count,
            ImageCandidate.reserved,
            ImageFile.content_hash,
            ImageFile.width,
            ImageFile.height,
            ImageFile.thumbhash,
        )
        .join(ImageFile, ImageFile.candidate_id == ImageCandidate.id)
        .where(ImageCandidate.pipeline_run_id == run_id)
        .order_by(ImageCandidate.id)
    ).all()
    return Table(*(zip(*rows, strict=True) if rows else [()] * len(Table.__slots__)))


def original_key(tx: Tx, content_hash: str) -> str:
    """Where the image store keeps the original with this hash. Raises `NotFound`."""
    key = tx.execute(
        select(ImageFile.image_path).where(ImageFile.content_hash == content_hash).limit(1)
    ).scalar()
    if key is None:
        raise NotFound("There is no image with this hash.")
    return key


def known_hashes(tx: Tx, hashes: Sequence[str]) -> set[str]:
    """Which of `hashes` belong to a candidate; the others may be swept."""
    return set(
        tx.execute(
            select(ImageFile.content_hash).where(ImageFile.content_hash.in_(hashes))
        ).scalars()
    )


def kept_hashes(tx: Tx) -> set[str]:
    """The hashes of results that stay with their job because their parent had no place."""
    rows = tx.execute(select(Job.kept).where(cast(Job.kept, Text) != "[]")).scalars()
    return {PurePosixPath(str(key)).name.partition(".")[0] for keys in rows for key in keys}


MOST_SIBLINGS: Final = 200
"""A base image's siblings are all bases of the run; a page shows no more than this."""


def _siblings(tx: Tx, card: Card, *, path: str) -> list[Card]:
    same = (
        (ImageCandidate.path == path)
        & (ImageCandidate.pipeline_run_id == card.run_id)
        & (ImageCandidate.id != card.id)
    )
    return _cards(tx, same, limit=MOST_SIBLINGS)


def _kills(tx: Tx, candidate_id: int) -> list[KillRecord]:
    rows = tx.execute(
        select(Kill.killed_by, PipelineStep.name, Kill.created_at, Kill.void)
        .outerjoin(PipelineStep, PipelineStep.id == Kill.blamed_step_id)
        .where(Kill.candidate_id == candidate_id)
        .order_by(Kill.id)
    )
    return [KillRecord(*row) for row in rows]


_FACTS: Final = (
    ImageCandidate.id,
    ImageCandidate.pipeline_run_id.label("run_id"),
    ImageCandidate.pipeline_step_id.label("step_id"),
    ImageCandidate.step_order,
    ImageCandidate.parent_id,
    ImageCandidate.status,
    (ImageCandidate.rejected_ancestors > 0).label("dead"),
    ImageCandidate.advances,
    ImageCandidate.elo_score.label("elo"),
    ImageCandidate.vote_count.label("votes"),
    ImageCandidate.stars,
    ImageCandidate.child_count.label("children"),
    ImageCandidate.child_limit,
    ImageCandidate.reserved.label("in_flight"),
    (ImageCandidate.failures >= PARK_AFTER_FAILURES).label("parked"),
    ImageFile.regions,
    ImageFile.seed,
    ImageFile.created_at,
)
_PICTURE: Final = (
    ImageFile.content_hash.label("hash"),
    ImageFile.width,
    ImageFile.height,
    ImageFile.thumbhash,
    ImageFile.media_type,
)


def _cards(tx: Tx, condition: ColumnElement[bool], *, limit: int | None = None) -> list[Card]:
    rows = tx.execute(
        select(*_FACTS, *_PICTURE)
        .join(ImageFile, ImageFile.candidate_id == ImageCandidate.id)
        .where(condition)
        .order_by(ImageCandidate.id)
        .limit(limit)
    )
    return [
        Card(
            **{fact.key: row._mapping[fact.key] for fact in _FACTS},
            picture=Picture(**{fact.key: row._mapping[fact.key] for fact in _PICTURE}),
        )
        for row in rows
    ]
