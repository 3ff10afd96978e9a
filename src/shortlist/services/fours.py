"""Four images of one step at a time, among which a person names the worst.

Right for a column with many fresh images; pairs (`deck.py`) tell the good ones apart.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shortlist.domain import pairing
from shortlist.services import columns, deck, runs
from shortlist.services.columns import Column
from shortlist.services.showing import Shown, placed
from shortlist.services.votes import FOUR
from shortlist.store.db import Tx

if TYPE_CHECKING:
    import random

SPARE: Final = 2
"""Candidates in need fetched for each one wanted, so that the choice among them has room."""


@dataclass(frozen=True, slots=True)
class Fours:
    """Groups of four in the order to show them; `column` is null when nothing is left."""

    groups: Sequence[Sequence[Shown]]
    column: Column | None


def fours(
    tx: Tx,
    person: str,
    *,
    run_id: int | None,
    step_order: int | None,
    count: int,
    exclude: Collection[int],
    rng: random.Random,
) -> Fours:
    """Up to `count` groups for `person`, each with an image that has no vote of theirs.

    They come from the right-most column of four or more images that has such a one; no image of
    `exclude`, those at hand, is in them. Raises `NotFound` for an unknown run.
    """
    scope = columns.scope_of(person, run_id=run_id, step_order=step_order, fewest=FOUR)
    column = columns.fresh(tx, scope, aside=set(exclude))
    if column is None:
        if run_id is not None:
            runs.status_of(tx, run_id)
        return Fours((), None)
    people = deck.contestants(tx, column, person, aside=exclude, few=SPARE * FOUR * count)
    groups = pairing.fours(people, count=count, taken=exclude, rng=rng)
    images = placed(tx, (id for group in groups for id in group))
    return Fours([[images[id].shown for id in group] for group in groups], column)
