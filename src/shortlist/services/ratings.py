"""What a run's images are rated by, beside the Elo that stands in their rows.

Numpy is imported only for a run that is not rated by Elo alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from shortlist.domain.model import Rating
from shortlist.store.db import Tx
from shortlist.store.schema import PipelineRun

if TYPE_CHECKING:
    from shortlist.domain.posterior import Belief

DIGITS: Final = 3
"""Means are ranked to a thousandth of a point: equal ones then are, however they were reached."""


def of_run(tx: Tx, run_id: int) -> str:
    """The name of the run's rating; that of a run that is not there is the literal one."""
    found = tx.execute(select(PipelineRun.rating).where(PipelineRun.id == run_id)).scalar()
    return found or Rating.ELO


def means(tx: Tx, run_id: int) -> Mapping[int, float] | None:
    """What the run's images are ranked by at a gate; null where that is their Elo."""
    if of_run(tx, run_id) == Rating.ELO:
        return None
    from shortlist.services import beliefs

    found = beliefs.posterior(tx, run_id).beliefs()
    return {id: round(belief.mean, DIGITS) for id, belief in found.items()}


def belief(tx: Tx, run_id: int, candidate_id: int) -> Belief | None:
    """What is believed of one image; null in a run that is rated by Elo alone."""
    if of_run(tx, run_id) == Rating.ELO:
        return None
    from shortlist.services import beliefs

    return beliefs.posterior(tx, run_id).belief(candidate_id)
