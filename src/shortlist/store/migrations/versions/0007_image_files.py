"""What a candidate is born with moves to a table of its own: votes and kills write short rows."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from shortlist.store.types import PathText, UtcDateTime

revision = "0007"
down_revision = "0006"

MOVED: Final = (
    "image_path, content_hash, media_type, width, height, size_bytes, thumbhash, regions, seed, "
    "job_id, output_index, created_at"
)
STAYING: Final = (
    "id, pipeline_run_id, pipeline_step_id, step_order, parent_id, path, status, "
    "rejected_ancestors, elo_score, vote_count, child_count, reserved, child_limit, failures, "
    "advances, pin, stars"
)
OPEN_PARENT: Final = (
    "candidate.status = 'active' AND candidate.rejected_ancestors = 0 AND candidate.advances "
    "AND candidate.failures < 3 "
    "AND candidate.child_limit > candidate.child_count + candidate.reserved"
)
LIVE: Final = "candidate.status = 'active' AND candidate.rejected_ancestors = 0"


def upgrade() -> None:
    op.create_table(
        "image_file",
        sa.Column("candidate_id", sa.Integer(), nullable=False),
        sa.Column("image_path", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("thumbhash", sa.Text(), nullable=False),
        sa.Column("regions", sa.JSON(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("output_index", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidate.id"], name="fk_image_file_candidate_id_candidate"
        ),
        sa.PrimaryKeyConstraint("candidate_id", name="pk_image_file"),
        sa.UniqueConstraint("job_id", "output_index", name="uq_image_file_job_id_output_index"),
    )
    op.execute(
        f"INSERT INTO image_file (candidate_id, {MOVED}) SELECT id, {MOVED} FROM candidate"  # noqa: S608
    )
    op.create_index("ix_image_file_content_hash", "image_file", ["content_hash"])
    if op.get_bind().dialect.name == "postgresql":
        for column in MOVED.split(", "):
            op.drop_column("candidate", column)
        op.execute("CLUSTER candidate USING pk_candidate")  # or old rows stay as long as they were
    else:
        _write_anew()


def _write_anew() -> None:
    """SQLite can't drop columns that a constraint names."""
    op.create_table(
        "candidate_anew",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pipeline_run_id", sa.Integer(), nullable=False),
        sa.Column("pipeline_step_id", sa.Integer(), nullable=False),
        sa.Column("step_order", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("path", PathText, nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("rejected_ancestors", sa.Integer(), nullable=False),
        sa.Column("elo_score", sa.Float(precision=53), nullable=False),
        sa.Column("vote_count", sa.Integer(), nullable=False),
        sa.Column("child_count", sa.Integer(), nullable=False),
        sa.Column("reserved", sa.Integer(), nullable=False),
        sa.Column("child_limit", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("advances", sa.Boolean(), nullable=False),
        sa.Column("pin", sa.String(32), nullable=True),
        sa.Column("stars", sa.Integer(), nullable=True),
        sa.CheckConstraint("child_count >= 0", name="ck_candidate_child_count_natural"),
        sa.CheckConstraint("reserved >= 0", name="ck_candidate_reserved_natural"),
        sa.CheckConstraint(
            "rejected_ancestors >= 0", name="ck_candidate_rejected_ancestors_natural"
        ),
        sa.CheckConstraint("stars BETWEEN 0 AND 5", name="ck_candidate_stars_to_five"),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["candidate.id"], name="fk_candidate_parent_id_candidate"
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_run_id"],
            ["pipeline_run.id"],
            name="fk_candidate_pipeline_run_id_pipeline_run",
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_step_id"],
            ["pipeline_step.id"],
            name="fk_candidate_pipeline_step_id_pipeline_step",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_candidate"),
    )
    op.execute(
        f"INSERT INTO candidate_anew ({STAYING}) SELECT {STAYING} FROM candidate"  # noqa: S608
    )
    op.drop_table("candidate")
    op.rename_table("candidate_anew", "candidate")
    op.create_index("ix_candidate_path", "candidate", ["path"])
    op.create_index("ix_candidate_pipeline_run_id_id", "candidate", ["pipeline_run_id", "id"])
    op.create_index(
        "ix_candidate_open",
        "candidate",
        ["pipeline_run_id", "step_order", "id"],
        sqlite_where=sa.text(OPEN_PARENT),
    )
    op.create_index(
        "ix_candidate_ranking",
        "candidate",
        [
            "pipeline_run_id",
            "step_order",
            sa.text("elo_score DESC"),
            sa.text("vote_count DESC"),
            "id",
        ],
        sqlite_where=sa.text(LIVE),
    )
