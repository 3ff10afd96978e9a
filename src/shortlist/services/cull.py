"""Culling: images at first sight, one by one, before they are compared.

To keep an image, with stars or without, is a signal of its own: it changes no rating, and nothing
is made or stopped for it. A reject is a kill like any other (`kills.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import BindParameter, bindparam, select, text, update

from shortlist.domain.model import CandidateStatus
from shortlist.errors import Conflict, NotFound
from shortlist.services import runs
from shortlist.services.acts import Answer, Doing, KeepAct, Outcome
from shortlist.services.branches import News
from shortlist.services.columns import MOST_COUNTED, Column
from shortlist.services.history import Entry
from shortlist.services.journal import EventKind
from shortlist.services.showing import Shown, placed
from shortlist.store.conditions import LIVE
from shortlist.store.db import Tx
from shortlist.store.schema import ImageCandidate


@dataclass(frozen=True, slots=True)
class Fresh:
    """Images that nobody has judged, in the order they were made, and how many were kept."""

    images: Sequence[Shown]
    column: Column | None
    kept: int


def keep(tx: Tx, act: KeepAct, doing: Doing) -> Outcome:
    """Notes that an image is kept, with how many stars. Raises `Conflict` for a rejected one."""
    image = _image(tx, act.candidate)
    if not image.live and act.stars is not None:
        raise Conflict("This image was already rejected.", rejected=[act.candidate])
    return _set(tx, act.candidate, to=act.stars, label=_in_words(act.stars), was=image.stars)


def take_back(tx: Tx, entries: Sequence[Entry], *, now: datetime) -> Outcome:
    """Sets the stars as they were before. Raises `Conflict` when someone set others since."""
    act = _act(entries[0])
    return _turn(tx, entries[0], was=act.stars, to=entries[0].answer.earlier_stars)


def put_back(tx: Tx, entries: Sequence[Entry], *, now: datetime) -> Outcome:
    """Sets stars again that were taken back. Raises `Conflict` when someone set others since."""
    act = _act(entries[0])
    return _turn(tx, entries[0], was=entries[0].answer.earlier_stars, to=act.stars)


def fresh(
    tx: Tx, *, run_id: int | None, step_order: int | None, count: int, exclude: Collection[int]
) -> Fresh:
    """Up to `count` images without a judgement, from the column that has most of them.

    Raises `NotFound` for a run that does not exist.
    """
    if run_id is not None:
        runs.status_of(tx, run_id)
    scope = {"run": run_id, "step_order": step_order}
    limits = {"aside": sorted(exclude), "most": MOST_COUNTED}
    row = tx.execute(FRESH_COLUMN, scope | limits).one_or_none()
    if row is None:
        return Fresh((), None, 0)
    column = Column(*row)
    place = {"run": column.run_id, "step_order": column.step_order}
    ids = tx.execute(FRESH, place | {"aside": sorted(exclude), "count": count}).scalars().all()
    images = placed(tx, ids)
    kept = tx.execute(KEPT, place).scalar_one()
    return Fresh([images[id].shown for id in ids], column, kept)


@dataclass(frozen=True, slots=True)
class _Image:
    stars: int | None
    live: bool


_UNJUDGED: Final = f"{LIVE} AND candidate.stars IS NULL AND candidate.vote_count = 0"
_ASIDE: Final[BindParameter[int]] = bindparam("aside", expanding=True)

FRESH_COLUMN: Final = text(
    f"""
    SELECT pipeline_run_id, name, pipeline_step_id, step_name, step_order, remaining
    FROM (
      SELECT gate.pipeline_run_id, run.name, gate.pipeline_step_id, step.name AS step_name,
        gate.step_order, run.priority,
        (SELECT count(*) FROM (
          SELECT 1 FROM candidate
          WHERE {_UNJUDGED} AND candidate.pipeline_run_id = gate.pipeline_run_id
            AND candidate.step_order = gate.step_order AND candidate.id NOT IN :aside
          LIMIT :most) AS unjudged) AS remaining
      FROM pipeline_run_step AS gate
      JOIN pipeline_run AS run ON run.id = gate.pipeline_run_id
      JOIN pipeline_step AS step ON step.id = gate.pipeline_step_id
      WHERE (run.id = :run OR CAST(:run AS INTEGER) IS NULL AND run.status = 'active')
        AND (gate.step_order = :step_order OR CAST(:step_order AS INTEGER) IS NULL)) AS place
    WHERE remaining > 0
    ORDER BY remaining DESC, priority DESC, step_order DESC, pipeline_run_id
    LIMIT 1
    """  # noqa: S608 made of this file's and the schema's own constants
).bindparams(_ASIDE)

FRESH: Final = text(
    f"""
    SELECT candidate.id FROM candidate
    WHERE {_UNJUDGED} AND candidate.pipeline_run_id = :run AND candidate.step_order = :step_order
      AND candidate.id NOT IN :aside
    ORDER BY candidate.id LIMIT :count
    """  # noqa: S608 made of this file's and the schema's own constants
).bindparams(_ASIDE)

KEPT: Final = text(
    f"""
    SELECT count(*) FROM candidate
    WHERE {LIVE} AND candidate.pipeline_run_id = :run AND candidate.step_order = :step_order
      AND candidate.stars IS NOT NULL
    """  # noqa: S608 the text is the schema's own constant
)


def _act(entry: Entry) -> KeepAct:
    assert isinstance(entry.act, KeepAct)
    return entry.act


def _in_words(stars: int | None) -> str:
    if stars is None:
        return "Not kept."
    return {0: "Kept.", 1: "Kept with 1 star."}.get(stars, f"Kept with {stars} stars.")


def _turn(tx: Tx, entry: Entry, *, was: int | None, to: int | None) -> Outcome:
    candidate = _act(entry).candidate
    if _image(tx, candidate).stars != was:
        raise Conflict("The image was kept otherwise since; keep it anew instead.")
    return _set(tx, candidate, to=to, label=entry.answer.label, was=entry.answer.earlier_stars)


def _image(tx: Tx, candidate_id: int) -> _Image:
    row = tx.execute(
        select(ImageCandidate.stars, ImageCandidate.status, ImageCandidate.rejected_ancestors)
        .where(ImageCandidate.id == candidate_id)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no image {candidate_id}.")
    live = row.status is CandidateStatus.ACTIVE and row.rejected_ancestors == 0
    return _Image(row.stars, live)


def _set(tx: Tx, candidate_id: int, *, to: int | None, label: str, was: int | None) -> Outcome:
    run_id = tx.execute(
        update(ImageCandidate)
        .where(ImageCandidate.id == candidate_id)
        .values(stars=to)
        .returning(ImageCandidate.pipeline_run_id)
    ).scalar_one()
    told = News(EventKind.KEPT, run_id, {"candidate": candidate_id, "stars": to})
    return Outcome(Answer(label, run_id=run_id, earlier_stars=was), news=[told])
