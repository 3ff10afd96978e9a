"""Which column of which run a person judges next: "triage right".

The right-most one that still holds images this person has not voted on comes first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, text

from shortlist.store.conditions import LIVE
from shortlist.store.db import Tx

MOST_COUNTED: Final = 500
"""`remaining` stops counting here; nobody votes that many in one sitting."""


@dataclass(frozen=True, slots=True)
class Column:
    """One step of one run, and how many of its images this person has not voted on (capped)."""

    run_id: int
    run_name: str
    step_id: int
    step_name: str
    step_order: int
    remaining: int


OF_COLUMN: Final = f"""
    {LIVE} AND candidate.pipeline_run_id = {{run}} AND candidate.step_order = {{step_order}}
"""
UNVOTED: Final = """
    NOT EXISTS (SELECT 1 FROM vote WHERE vote.winner_id = candidate.id
                AND vote.voter = :person AND NOT vote.void
                AND NOT vote.versus_parent)
    AND NOT EXISTS (SELECT 1 FROM vote WHERE vote.loser_id = candidate.id
                    AND vote.voter = :person AND NOT vote.void
                    AND NOT vote.versus_parent)
"""
HERE: Final = OF_COLUMN.format(run="gate.pipeline_run_id", step_order="gate.step_order")
_COLUMNS: Final = f"""
    SELECT gate.pipeline_run_id, run.name, gate.pipeline_step_id, gate.step_order, run.priority
    FROM pipeline_run_step AS gate
    JOIN pipeline_run AS run ON run.id = gate.pipeline_run_id
    WHERE (run.id = :run OR CAST(:run AS INTEGER) IS NULL AND run.status = 'active')
      AND (gate.step_order = :step_order OR CAST(:step_order AS INTEGER) IS NULL)
      AND EXISTS (SELECT 1 FROM candidate WHERE {HERE} LIMIT 1 OFFSET :others)
"""  # noqa: S608 made of this file's and the schema's own constants

FRESH_COLUMN: Final = text(
    f"""
    WITH fresh AS MATERIALIZED ({_COLUMNS}
      AND NOT (run.id = :not_run AND gate.step_order = :not_order)
      AND EXISTS (SELECT 1 FROM candidate
                  WHERE {HERE} AND candidate.id NOT IN :aside AND {UNVOTED}))
    SELECT gate.pipeline_run_id, gate.name, gate.pipeline_step_id, step.name, gate.step_order,
      (SELECT count(*) FROM (SELECT 1 FROM candidate
                             WHERE {HERE} AND {UNVOTED} LIMIT :most) AS unvoted) AS remaining
    FROM fresh AS gate
    JOIN pipeline_step AS step ON step.id = gate.pipeline_step_id
    WHERE gate.step_order = (SELECT max(step_order) FROM fresh)
    ORDER BY remaining DESC, gate.priority DESC, gate.pipeline_run_id
    LIMIT 1
    """  # noqa: S608 made of this file's and the schema's own constants
).bindparams(bindparam("aside", expanding=True))

RIGHT_MOST: Final = text(
    f"""
    SELECT gate.pipeline_run_id, gate.name, gate.pipeline_step_id, step.name, gate.step_order,
      (SELECT count(*) FROM (SELECT 1 FROM candidate
                             WHERE {HERE} AND {UNVOTED} LIMIT :most) AS unvoted) AS remaining
    FROM ({_COLUMNS} ORDER BY gate.step_order DESC, run.priority DESC, gate.pipeline_run_id DESC
          LIMIT 1) AS gate
    JOIN pipeline_step AS step ON step.id = gate.pipeline_step_id
    """  # noqa: S608 made of this file's and the schema's own constants
)


def scope_of(
    person: str, *, run_id: int | None, step_order: int | None, fewest: int
) -> dict[str, object]:
    """Where `person` looks for images, in columns of at least `fewest`."""
    return {"person": person, "run": run_id, "step_order": step_order, "others": fewest - 1}


def after(tx: Tx, person: str, *, run_id: int, step_order: int) -> Column | None:
    """Where `person` goes on after this column: in the same run where that has another."""
    for run in (run_id, None):
        scope = scope_of(person, run_id=run, step_order=None, fewest=2)
        found = fresh(tx, scope, aside=(), but=(run_id, step_order))
        if found is not None:
            return found
    return None


def fresh(
    tx: Tx, scope: Mapping[str, object], *, aside: Collection[int], but: tuple[int, int] = (0, 0)
) -> Column | None:
    """The right-most column with an image that this person has not voted on and not in `aside`.

    `but` is a run and the step order of a column that is passed over.
    """
    limits = {"aside": sorted(aside), "most": MOST_COUNTED, "not_run": but[0], "not_order": but[1]}
    row = tx.execute(FRESH_COLUMN, {**scope, **limits}).one_or_none()
    return None if row is None else Column(*row)


def right_most(tx: Tx, scope: Mapping[str, object]) -> Column | None:
    row = tx.execute(RIGHT_MOST, {**scope, "most": MOST_COUNTED}).one_or_none()
    return None if row is None else Column(*row)
