"""The hot questions go through the index made for them, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from builders import NOW, a_pipeline
from shortlist.domain.model import GateKind
from shortlist.services import autopsies, branches, runs, selection
from shortlist.store.db import Database, Tx

ROWS = 3_000
FILL = """
    INSERT INTO candidate (pipeline_run_id, pipeline_step_id, step_order, path, status,
      rejected_ancestors, elo_score, vote_count, child_count, reserved, child_limit, failures,
      advances)
    SELECT 1, 1, 1, '/' || (i % 60) || '/', 'active', 0, 1000, 0, 3, 0,
      CASE WHEN i % 300 = 0 THEN 4 ELSE 3 END, 0, TRUE
    FROM ({series}) AS numbers
"""
SERIES = {
    True: f"SELECT i FROM generate_series(1, {ROWS}) AS s(i)",
    False: f"WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {ROWS}) "
    "SELECT i FROM s",
}


def _fill(db: Database) -> None:
    """A run of many images, few of them open parents."""
    with db.transaction() as tx:
        pipeline = a_pipeline(tx, gates=[GateKind.AUTO] * 4)
        runs.create(tx, runs.NewRun(pipeline, "Run", "", "", {}, 3, 10, 3, 0), now=NOW)
        tx.execute(text(FILL.format(series=SERIES[tx.postgresql])))
        tx.execute(text("ANALYZE"))


def _plan(tx: Tx, statement: str, values: dict[str, object]) -> str:
    explain = "EXPLAIN" if tx.postgresql else "EXPLAIN QUERY PLAN"
    return "\n".join(
        " ".join(map(str, row)) for row in tx.execute(text(f"{explain} {statement}"), values)
    )


def test_the_next_job_reads_open_parents_alone(db: Database) -> None:
    _fill(db)
    with db.snapshot() as tx:
        statement = selection.open_parents(postgresql=tx.postgresql, some_closed=False)
        plan = _plan(tx, statement.text, {})
        choice = selection.choose(tx, seed=1)
    assert "ix_candidate_open" in plan
    assert choice is not None
    assert choice.reason.eligible == ROWS // 300


def test_a_branch_is_found_by_its_path(db: Database) -> None:
    _fill(db)
    low, high = branches.branch_range("/", 7)
    with db.snapshot() as tx:
        plan = _plan(
            tx,
            "SELECT count(*) FROM candidate WHERE candidate.path >= :low "
            "AND candidate.path < :high",
            {"low": low, "high": high},
        )
    assert "ix_candidate_path" in plan


@pytest.mark.sqlite_only
def test_the_pile_of_autopsies_is_found_from_the_kills_and_not_from_all_acts(db: Database) -> None:
    with db.snapshot() as tx:
        plan = _plan(tx, autopsies.KILLS.text, {"person": "me", "most": 9})
    assert "SEARCH act USING INTEGER PRIMARY KEY" in plan
