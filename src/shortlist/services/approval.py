"""What the approval dialog shows: a gate, its images in ranking order, and what each would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, func, select, text

from shortlist.domain import gates
from shortlist.domain.gates import Ranked
from shortlist.domain.model import GateKind, GateState
from shortlist.errors import NotFound
from shortlist.services import forecast, overview, ratings, runs, standing
from shortlist.services.forecast import Measured
from shortlist.services.overview import ColumnView, RunView
from shortlist.store.conditions import LIVE
from shortlist.store.db import Tx
from shortlist.store.schema import (
    Backend,
    GateDecision,
    ImageCandidate,
    ImageFile,
    PipelineRunStep,
    PipelineStep,
)


@dataclass(frozen=True, slots=True)
class RankedTable:
    """The live images of a step in ranking order, one list a field. `below`: images made of it.

    `elo` is what they are ranked by: in a run rated by the tree what is believed of them.
    """

    id: Sequence[int]
    base_id: Sequence[int]
    elo: Sequence[float]
    votes: Sequence[int]
    below: Sequence[int]
    advances: Sequence[bool]
    pin: Sequence[str | None]
    hash: Sequence[str]
    width: Sequence[int]
    height: Sequence[int]
    thumbhash: Sequence[str]


@dataclass(frozen=True, slots=True)
class NextStep:
    """The step behind the gate; `max_children` images are made there of each that advances."""

    id: int
    name: str
    max_children: int
    measured: Measured


@dataclass(frozen=True, slots=True)
class GateView:
    """One gate. `missing` says why an approval now would be early, null when the step is complete.

    `empty_places`: images let through and killed since. `starts_at`: when a decision made a
    moment ago takes effect. `few_votes`: below so many a rating is close to a guess.
    """

    run_id: int
    step_id: int
    step_order: int
    step_name: str
    kind: GateKind
    state: GateState
    approved_at: datetime | None
    approved_by: str | None
    provisional: bool
    assumed: str | None
    top_k: int | None
    per_base: int | None
    default_top_k: int | None
    decisions: int
    starts_at: datetime | None
    missing: str | None
    in_flight: int
    empty_places: int
    servers: int
    few_votes: int
    next_step: NextStep | None
    images: RankedTable


def view(tx: Tx, run_id: int, step_id: int) -> GateView:
    """The gate of one step in one run. Raises `NotFound`."""
    run = overview.view(tx, run_id)
    column = next((column for column in run.columns if column.step_id == step_id), None)
    if column is None:
        raise NotFound(f"Run {run_id} has no step {step_id}; look which steps it has.")
    row = tx.execute(
        select(
            PipelineRunStep.approved_at,
            PipelineRunStep.approved_by,
            PipelineRunStep.provisional,
            PipelineRunStep.assumed,
            PipelineRunStep.per_base,
            PipelineRunStep.decisions,
            PipelineStep.default_top_k,
        )
        .join(PipelineStep, PipelineStep.id == PipelineRunStep.pipeline_step_id)
        .where(
            PipelineRunStep.pipeline_run_id == run_id,
            PipelineRunStep.pipeline_step_id == step_id,
        )
    ).one()
    return GateView(
        run_id=run_id,
        step_id=step_id,
        step_order=column.step_order,
        step_name=column.name,
        kind=column.gate,
        state=column.state,
        approved_at=row.approved_at,
        approved_by=row.approved_by,
        provisional=row.provisional,
        assumed=row.assumed,
        top_k=column.top_k,
        per_base=row.per_base,
        default_top_k=row.default_top_k,
        decisions=row.decisions,
        starts_at=_starts_at(tx, run_id, step_order=column.step_order),
        missing=_missing(run, column),
        in_flight=column.in_flight,
        empty_places=_empty_places(tx, run_id, step_order=column.step_order),
        servers=tx.execute(select(func.count()).where(Backend.enabled)).scalar_one(),
        few_votes=gates.FEW_VOTES,
        next_step=_next_step(tx, run, column),
        images=_table(tx, run_id, step_order=column.step_order),
    )


def waiting(tx: Tx, run_id: int) -> list[int]:
    """The steps of a run whose decision waits for its moment, in order. Raises `NotFound`."""
    runs.status_of(tx, run_id)
    orders = select(GateDecision.step_order).where(
        text("NOT started AND NOT void"), GateDecision.pipeline_run_id == run_id
    )
    rows = tx.execute(
        select(PipelineRunStep.pipeline_step_id)
        .where(PipelineRunStep.pipeline_run_id == run_id, PipelineRunStep.step_order.in_(orders))
        .order_by(PipelineRunStep.step_order)
    )
    return list(rows.scalars())


def _starts_at(tx: Tx, run_id: int, *, step_order: int) -> datetime | None:
    return tx.execute(
        select(func.max(GateDecision.starts_at)).where(
            text("NOT started AND NOT void"),
            GateDecision.pipeline_run_id == run_id,
            GateDecision.step_order == step_order,
        )
    ).scalar()


def _missing(run: RunView, column: ColumnView) -> str | None:
    if column.state is GateState.BLOCKED:
        return "The step before is not approved yet."
    if column.in_flight:
        images = "image is" if column.in_flight == 1 else "images are"
        return f"{column.in_flight} {images} still being made."
    if column.state is not GateState.GENERATING:
        return None
    source = gates.source_order([each.gate for each in run.columns], column.step_order)
    for before in run.columns[source - 1 : column.step_order - 1]:
        if before.open_parents:
            return f"{before.name} still has images without all their children."
    if any(each.in_flight for each in run.columns[source - 1 : column.step_order]):
        return "Images on their way here are still being made."
    return f"Not all images of {run.columns[0].name} are there yet."


def _empty_places(tx: Tx, run_id: int, *, step_order: int) -> int:
    image = ImageCandidate
    dead = (image.status == "rejected") | (image.rejected_ancestors > 0)
    return tx.execute(
        select(func.count()).where(
            image.pipeline_run_id == run_id, image.step_order == step_order, image.advances, dead
        )
    ).scalar_one()


def _next_step(tx: Tx, run: RunView, column: ColumnView) -> NextStep | None:
    if column is run.columns[-1]:
        return None
    following = run.columns[column.step_order]
    limit = tx.execute(
        select(PipelineStep.max_children).where(PipelineStep.id == column.step_id)
    ).scalar()
    return NextStep(
        following.step_id,
        following.name,
        limit or run.max_children,
        forecast.measured(tx, [following.step_id])[following.step_id],
    )


def _table(tx: Tx, run_id: int, *, step_order: int) -> RankedTable:
    rows = tx.execute(_IMAGES, {"run": run_id, "step_order": step_order}).all()
    means = ratings.means(tx, run_id)
    rated: dict[int, float] = {}
    if means is not None:
        rated = {row.id: means.get(row.id, row.elo_score) for row in rows}
        rows = sorted(rows, key=lambda row: (-rated[row.id], -row.vote_count, row.id))
    columns = list(zip(*rows, strict=True))
    ids, elos, votes, paths, pins, *others = columns or [()] * len(_IMAGES.selected_columns)
    below, advances, hashes, widths, heights, thumbhashes = others
    ranked = map(Ranked._make, zip(ids, elos, votes, paths, pins, strict=True))
    return RankedTable(
        id=ids,
        base_id=[place.base_id for place in ranked],
        elo=elos if means is None else [rated[id] for id in ids],
        votes=votes,
        below=below,
        advances=advances,
        pin=[None if pin is None else pin.value for pin in pins],
        hash=hashes,
        width=widths,
        height=heights,
        thumbhash=thumbhashes,
    )


_IMAGES: Final = (
    select(
        ImageCandidate.id,
        ImageCandidate.elo_score,
        ImageCandidate.vote_count,
        ImageCandidate.path,
        ImageCandidate.pin,
        ImageCandidate.child_count,
        ImageCandidate.advances,
        ImageFile.content_hash,
        ImageFile.width,
        ImageFile.height,
        ImageFile.thumbhash,
    )
    .join(ImageFile, ImageFile.candidate_id == ImageCandidate.id)
    .where(
        text(LIVE),
        ImageCandidate.pipeline_run_id == bindparam("run"),
        ImageCandidate.step_order == bindparam("step_order"),
    )
    .order_by(*standing.BEST_FIRST)
)
"""As whole columns: ten thousand rows are turned into lists once, not field by field."""
