"""How a run is rated; runs that are there keep the literal rating."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Plain ADD COLUMN on both databases, so that SQLite need not rewrite a large table."""
    op.execute("ALTER TABLE pipeline_run ADD COLUMN rating VARCHAR(32) NOT NULL DEFAULT 'elo'")
