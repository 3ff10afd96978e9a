"""Dead rows leave the indexes after the kill: no index knows any more how many ancestors are rejected,
so that PostgreSQL changes that count without an entry in any of them."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0008"
down_revision = "0007"

IN_SIGHT: Final = "candidate.status = 'active' AND NOT candidate.buried"
OPEN: Final = (
    f"{IN_SIGHT} AND candidate.advances AND candidate.failures < 3 "
    "AND candidate.child_limit > candidate.child_count + candidate.reserved"
)
UNBURIED: Final = "candidate.status = 'rejected' AND NOT candidate.buried"


def upgrade() -> None:
    """Plain ADD COLUMN on both databases, so that SQLite need not rewrite a large table."""
    op.execute(
        "ALTER TABLE candidate ADD COLUMN buried BOOLEAN NOT NULL DEFAULT FALSE "
        "CONSTRAINT ck_candidate_buried_dead "
        "CHECK (NOT buried OR rejected_ancestors > 0 OR status = 'rejected')"
    )
    op.execute(
        "UPDATE candidate SET buried = TRUE WHERE rejected_ancestors > 0 OR status = 'rejected'"
    )
    op.drop_index("ix_candidate_open", "candidate")
    op.drop_index("ix_candidate_ranking", "candidate")
    for name, columns, where in (
        ("open", "pipeline_run_id, step_order, id", OPEN),
        ("ranking", "pipeline_run_id, step_order, elo_score DESC, vote_count DESC, id", IN_SIGHT),
        ("unburied", "id", UNBURIED),
    ):
        op.execute(f"CREATE INDEX ix_candidate_{name} ON candidate ({columns}) WHERE {where}")
    if op.get_bind().dialect.name == "postgresql":
        # a changed row stays on its page, beside the old one, or all indexes hear of it
        op.execute("ALTER TABLE candidate SET (fillfactor = 50)")
        op.execute("CLUSTER candidate USING pk_candidate")
