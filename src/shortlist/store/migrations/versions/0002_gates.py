"""Gates: one row a run and step. What exists is approved and grows on as before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shortlist.store.types import UtcDateTime

revision = "0002"
down_revision = "0001"

OPEN_PARENT = (
    "candidate.status = 'active' AND candidate.rejected_ancestors = 0 AND candidate.advances "
    "AND candidate.failures < 3 "
    "AND candidate.child_limit > candidate.child_count + candidate.reserved"
)


def upgrade() -> None:
    _columns()
    _decisions()
    op.create_table(
        "pipeline_run_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pipeline_run_id", sa.Integer(), nullable=False),
        sa.Column("pipeline_step_id", sa.Integer(), nullable=False),
        sa.Column("step_order", sa.Integer(), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("approved_at", UtcDateTime(), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("top_k_count", sa.Integer(), nullable=True),
        sa.Column("per_base", sa.Integer(), nullable=True),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        sa.Column("assumed", sa.Text(), nullable=True),
        sa.Column("complete_since", UtcDateTime(), nullable=True),
        sa.Column("decisions", sa.Integer(), nullable=False),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("top_k_count >= 1", name="ck_pipeline_run_step_top_k_count_positive"),
        sa.ForeignKeyConstraint(
            ["pipeline_run_id"],
            ["pipeline_run.id"],
            name="fk_pipeline_run_step_pipeline_run_id_pipeline_run",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_step_id"],
            ["pipeline_step.id"],
            name="fk_pipeline_run_step_pipeline_step_id_pipeline_step",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pipeline_run_step"),
        sa.UniqueConstraint(
            "pipeline_run_id",
            "pipeline_step_id",
            name="uq_pipeline_run_step_pipeline_run_id_pipeline_step_id",
        ),
    )
    op.create_index(
        "ix_pipeline_run_step_held",
        "pipeline_run_step",
        ["pipeline_run_id", "step_order"],
        unique=False,
        sqlite_where=sa.text("held_reason IS NOT NULL"),
        postgresql_where=sa.text("held_reason IS NOT NULL"),
    )
    op.execute(
        "INSERT INTO pipeline_run_step (pipeline_run_id, pipeline_step_id, step_order, approved, "
        "approved_at, provisional, decisions) "
        'SELECT r.id, s.id, s."order", TRUE, CURRENT_TIMESTAMP, FALSE, 0 '
        "FROM pipeline_run r JOIN pipeline_step s ON s.pipeline_id = r.pipeline_id"
    )
    op.drop_index("ix_candidate_open", table_name="candidate")
    op.create_index(
        "ix_candidate_open",
        "candidate",
        ["pipeline_run_id", "step_order", "id"],
        sqlite_where=sa.text(OPEN_PARENT),
        postgresql_where=sa.text(OPEN_PARENT),
    )


def _columns() -> None:
    """Plain ADD COLUMN on both databases, so that SQLite need not rewrite a large table."""
    for table, column in (
        ("pipeline_step", "gate VARCHAR(32) NOT NULL DEFAULT 'auto'"),
        ("pipeline_step", "default_top_k INTEGER"),
        (
            "pipeline_run",
            "base_count INTEGER NOT NULL DEFAULT 3 "
            "CONSTRAINT ck_pipeline_run_base_count_positive CHECK (base_count >= 1)",
        ),
        ("pipeline_run", "gated BOOLEAN NOT NULL DEFAULT FALSE"),
        ("pipeline_run", "wait_minutes INTEGER"),
        ("pipeline_run", "night_from TEXT"),
        ("pipeline_run", "night_until TEXT"),
        ("pipeline_run", "time_zone TEXT NOT NULL DEFAULT 'UTC'"),
        ("candidate", "advances BOOLEAN NOT NULL DEFAULT TRUE"),
        ("candidate", "pin VARCHAR(32)"),
    ):
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column}")


def _decisions() -> None:
    op.create_table(
        "gate_decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("act_id", sa.Integer(), nullable=True),
        sa.Column("pipeline_run_id", sa.Integer(), nullable=False),
        sa.Column("step_order", sa.Integer(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("ranking", sa.JSON(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("started", sa.Boolean(), nullable=False),
        sa.Column("void", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["act_id"], ["act.id"], name="fk_gate_decision_act_id_act"),
        sa.ForeignKeyConstraint(
            ["pipeline_run_id"],
            ["pipeline_run.id"],
            name="fk_gate_decision_pipeline_run_id_pipeline_run",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_gate_decision"),
    )
    op.create_index("ix_gate_decision_act_id", "gate_decision", ["act_id"])
    op.create_index(
        "ix_gate_decision_pipeline_run_id_step_order_id",
        "gate_decision",
        ["pipeline_run_id", "step_order", "id"],
    )
    op.create_index(
        "ix_gate_decision_waiting",
        "gate_decision",
        ["starts_at"],
        sqlite_where=sa.text("NOT started AND NOT void"),
        postgresql_where=sa.text("NOT started AND NOT void"),
    )
