"""Images as a judging person sees them: the picture and nothing that could sway the eye."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from shortlist.domain.model import CandidateStatus
from shortlist.domain.pairing import Sides, key_of, written
from shortlist.store.db import Tx
from shortlist.store.schema import ImageCandidate, ImageFile, PipelineStep


@dataclass(frozen=True, slots=True)
class Picture:
    """Where the bytes are (`hash` names them) and what to draw before they come."""

    hash: str
    width: int
    height: int
    thumbhash: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One image, blind. `regions` are boxes its step changed: x, y, width, height as fractions."""

    id: int
    picture: Picture
    regions: list[object]


@dataclass(frozen=True, slots=True)
class Placed:
    """A shown image with its place in the tree."""

    shown: Shown
    run_id: int
    step_id: int
    step_name: str
    step_order: int
    active: bool
    rooted: bool  # no ancestor is rejected

    @property
    def live(self) -> bool:
        return self.active and self.rooted


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images of one step of one run, side by side.

    Or a child and its parent: `parent_id` is then which of the two is the parent, and the step is
    the child's. `repeat`: this person has judged the two before and is not told.
    """

    key: str
    run_id: int
    step_id: int
    step_name: str
    step_order: int
    left: Shown
    right: Shown
    parent_id: int | None
    repeat: bool = False


_COLUMNS = (
    select(
        ImageCandidate.id,
        ImageFile.content_hash,
        ImageFile.width,
        ImageFile.height,
        ImageFile.thumbhash,
        ImageFile.media_type,
        ImageFile.regions,
        ImageCandidate.pipeline_run_id,
        ImageCandidate.pipeline_step_id,
        PipelineStep.name,
        ImageCandidate.step_order,
        ImageCandidate.status,
        ImageCandidate.rejected_ancestors,
    )
    .join(ImageFile, ImageFile.candidate_id == ImageCandidate.id)
    .join(PipelineStep, PipelineStep.id == ImageCandidate.pipeline_step_id)
    .where(ImageCandidate.id.in_(bindparam("ids", expanding=True)))
)


def placed(tx: Tx, ids: Iterable[int]) -> dict[int, Placed]:
    """The images of `ids`; an unknown one is left out."""
    return {
        row.id: Placed(
            Shown(
                row.id,
                Picture(row.content_hash, row.width, row.height, row.thumbhash, row.media_type),
                row.regions,
            ),
            row.pipeline_run_id,
            row.pipeline_step_id,
            row.name,
            row.step_order,
            row.status is CandidateStatus.ACTIVE,
            row.rejected_ancestors == 0,
        )
        for row in tx.execute(_COLUMNS, {"ids": sorted(set(ids))})
    }


def pairs(tx: Tx, sides: Sequence[Sides]) -> list[Pair]:
    """The pairs of `sides` in their order; one with an image that is not live is left out."""
    images = placed(tx, (id for pair in sides for id in (pair.left, pair.right)))
    return [
        _pair(images[pair.left], images[pair.right])
        for pair in sides
        if images[pair.left].live and images[pair.right].live
    ]


def _pair(left: Placed, right: Placed) -> Pair:
    earlier, later = sorted((left, right), key=lambda image: image.step_order)
    return Pair(
        key=written(key_of(left.shown.id, right.shown.id)),
        run_id=later.run_id,
        step_id=later.step_id,
        step_name=later.step_name,
        step_order=later.step_order,
        left=left.shown,
        right=right.shown,
        parent_id=earlier.shown.id if earlier.step_order < later.step_order else None,
    )
