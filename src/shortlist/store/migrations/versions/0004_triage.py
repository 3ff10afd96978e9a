"""Images that a person keeps at first sight, and votes on a child against its parent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Plain ADD COLUMN on both databases, so that SQLite need not rewrite a large table."""
    op.execute(
        "ALTER TABLE candidate ADD COLUMN stars INTEGER "
        "CONSTRAINT ck_candidate_stars_to_five CHECK (stars BETWEEN 0 AND 5)"
    )
    op.execute("ALTER TABLE vote ADD COLUMN versus_parent BOOLEAN NOT NULL DEFAULT false")
    op.create_index(
        "ix_vote_versus_parent",
        "vote",
        ["pipeline_run_id"],
        sqlite_where=sa.text("vote.versus_parent"),
        postgresql_where=sa.text("vote.versus_parent"),
    )
