"""Failures that explain themselves, prompts resolved for each job, and steps kept from a server."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shortlist.store.types import UtcDateTime

revision = "0003"
down_revision = "0002"

OPEN_FAILURE = "job.status = 'failed' AND job.settled_at IS NULL"


def upgrade() -> None:
    _columns()
    op.create_index(
        "ix_job_failed",
        "job",
        ["pipeline_step_id", "id"],
        sqlite_where=sa.text(OPEN_FAILURE),
        postgresql_where=sa.text(OPEN_FAILURE),
    )
    op.create_table(
        "backend_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("backend_id", sa.Integer(), nullable=False),
        sa.Column("pipeline_step_id", sa.Integer(), nullable=False),
        sa.Column("lacks", sa.Text(), nullable=True),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.Column("streak_kind", sa.Text(), nullable=True),
        sa.Column("streak", sa.Integer(), nullable=False),
        sa.Column("rests_until", UtcDateTime(), nullable=True),
        sa.Column("warm_seconds", sa.Float(53), nullable=True),
        sa.Column("cold_seconds", sa.Float(53), nullable=True),
        sa.ForeignKeyConstraint(
            ["backend_id"],
            ["backend.id"],
            name="fk_backend_step_backend_id_backend",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_step_id"],
            ["pipeline_step.id"],
            name="fk_backend_step_pipeline_step_id_pipeline_step",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_backend_step"),
        sa.UniqueConstraint(
            "backend_id", "pipeline_step_id", name="uq_backend_step_backend_id_pipeline_step_id"
        ),
    )


def _columns() -> None:
    """Plain ADD COLUMN on both databases, so that SQLite need not rewrite a large table."""
    moment = (
        "TIMESTAMP WITH TIME ZONE" if op.get_bind().dialect.name == "postgresql" else "DATETIME"
    )
    for column in (
        "error_node TEXT",
        "error_log TEXT",
        f"settled_at {moment}",
        "prompt TEXT",
        "negative_prompt TEXT",
    ):
        op.execute(f"ALTER TABLE job ADD COLUMN {column}")
