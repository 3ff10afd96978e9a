"""The loop: pipelines, runs, candidates, jobs, votes, acts and the journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shortlist.store.types import PathText, UtcDateTime

revision = "0001"
down_revision = None

OPEN_PARENT = (
    "candidate.status = 'active' AND candidate.rejected_ancestors = 0 "
    "AND candidate.failures < 3 "
    "AND candidate.child_limit > candidate.child_count + candidate.reserved"
)
LIVE = "candidate.status = 'active' AND candidate.rejected_ancestors = 0"
IN_FLIGHT = "job.status IN ('pending', 'submitted', 'running')"


def upgrade() -> None:
    _pipelines()
    _candidates()
    _acts()


def _pipelines() -> None:
    op.create_table(
        "pipeline",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pipeline"),
        sa.UniqueConstraint("name", "version", name="uq_pipeline_name_version"),
    )
    op.create_table(
        "pipeline_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pipeline_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("order", sa.Integer(), nullable=False),
        sa.Column("comfy_workflow_json", sa.Text(), nullable=False),
        sa.Column("bindings", sa.JSON(), nullable=False),
        sa.Column("max_children", sa.Integer(), nullable=True),
        sa.CheckConstraint('"order" >= 1', name="ck_pipeline_step_order_from_1"),
        sa.CheckConstraint("max_children >= 1", name="ck_pipeline_step_max_children_positive"),
        sa.ForeignKeyConstraint(
            ["pipeline_id"],
            ["pipeline.id"],
            name="fk_pipeline_step_pipeline_id_pipeline",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pipeline_step"),
        sa.UniqueConstraint("pipeline_id", "order", name="uq_pipeline_step_pipeline_id_order"),
    )
    op.create_table(
        "pipeline_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pipeline_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("negative_prompt", sa.Text(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("max_children", sa.Integer(), nullable=False),
        sa.Column("target_leaves", sa.Integer(), nullable=False),
        sa.Column("policy", sa.String(32), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("last_order", sa.Integer(), nullable=False),
        sa.Column("base_failures", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("max_children >= 1", name="ck_pipeline_run_max_children_positive"),
        sa.CheckConstraint("target_leaves >= 1", name="ck_pipeline_run_target_leaves_positive"),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipeline.id"], name="fk_pipeline_run_pipeline_id_pipeline"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pipeline_run"),
    )
    op.create_index(
        "ix_pipeline_run_status_priority", "pipeline_run", ["status", "priority"], unique=False
    )
    op.create_table(
        "backend",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("health", sa.String(32), nullable=False),
        sa.Column("health_detail", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("simulator", sa.Boolean(), nullable=False),
        sa.Column("heard_at", UtcDateTime(), nullable=True),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_backend"),
        sa.UniqueConstraint("name", name="uq_backend_name"),
        sa.UniqueConstraint("url", name="uq_backend_url"),
    )


def _candidates() -> None:
    op.create_table(
        "candidate",
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
        sa.CheckConstraint("child_count >= 0", name="ck_candidate_child_count_natural"),
        sa.CheckConstraint(
            "rejected_ancestors >= 0", name="ck_candidate_rejected_ancestors_natural"
        ),
        sa.CheckConstraint("reserved >= 0", name="ck_candidate_reserved_natural"),
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
        sa.UniqueConstraint("job_id", "output_index", name="uq_candidate_job_id_output_index"),
    )
    op.create_index("ix_candidate_content_hash", "candidate", ["content_hash"], unique=False)
    op.create_index("ix_candidate_path", "candidate", ["path"], unique=False)
    op.create_index(
        "ix_candidate_pipeline_run_id_id", "candidate", ["pipeline_run_id", "id"], unique=False
    )
    op.create_index(
        "ix_candidate_open",
        "candidate",
        ["pipeline_run_id", "step_order", "id"],
        sqlite_where=sa.text(OPEN_PARENT),
        postgresql_where=sa.text(OPEN_PARENT),
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
        postgresql_where=sa.text(LIVE),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pipeline_run_id", sa.Integer(), nullable=False),
        sa.Column("pipeline_step_id", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("backend_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("prompt_id", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("recall", sa.Boolean(), nullable=False),
        sa.Column("error_kind", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.JSON(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("kept", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("submitted_at", UtcDateTime(), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["backend_id"], ["backend.id"], name="fk_job_backend_id_backend"),
        sa.ForeignKeyConstraint(["parent_id"], ["candidate.id"], name="fk_job_parent_id_candidate"),
        sa.ForeignKeyConstraint(
            ["pipeline_run_id"], ["pipeline_run.id"], name="fk_job_pipeline_run_id_pipeline_run"
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_step_id"], ["pipeline_step.id"], name="fk_job_pipeline_step_id_pipeline_step"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
        sa.UniqueConstraint("prompt_id", name="uq_job_prompt_id"),
    )
    op.create_index("ix_job_pipeline_run_id_id", "job", ["pipeline_run_id", "id"], unique=False)
    op.create_index(
        "ix_job_in_flight",
        "job",
        ["backend_id", "id"],
        sqlite_where=sa.text(IN_FLIGHT + " OR job.recall"),
        postgresql_where=sa.text(IN_FLIGHT + " OR job.recall"),
    )
    op.create_index(
        "ix_job_run_in_flight",
        "job",
        ["pipeline_run_id", "parent_id"],
        sqlite_where=sa.text(IN_FLIGHT),
        postgresql_where=sa.text(IN_FLIGHT),
    )


def _acts() -> None:
    op.create_table(
        "act",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("pipeline_run_id", sa.Integer(), nullable=True),
        sa.Column("walk", sa.Text(), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("undone_by", sa.Integer(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_run_id"], ["pipeline_run.id"], name="fk_act_pipeline_run_id_pipeline_run"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_act"),
        sa.UniqueConstraint("person", "client_id", name="uq_act_person_client_id"),
    )
    op.create_index("ix_act_person_id", "act", ["person", "id"], unique=False)
    op.create_table(
        "vote",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("act_id", sa.Integer(), nullable=False),
        sa.Column("pipeline_run_id", sa.Integer(), nullable=False),
        sa.Column("pipeline_step_id", sa.Integer(), nullable=False),
        sa.Column("winner_id", sa.Integer(), nullable=False),
        sa.Column("loser_id", sa.Integer(), nullable=False),
        sa.Column("tie", sa.Boolean(), nullable=False),
        sa.Column("voter", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("left_id", sa.Integer(), nullable=True),
        sa.Column("winner_before", sa.Float(precision=53), nullable=False),
        sa.Column("loser_before", sa.Float(precision=53), nullable=False),
        sa.Column("winner_delta", sa.Float(precision=53), nullable=False),
        sa.Column("loser_delta", sa.Float(precision=53), nullable=False),
        sa.Column("shown_ms", sa.Integer(), nullable=True),
        sa.Column("void", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("winner_id <> loser_id", name="ck_vote_two_images"),
        sa.ForeignKeyConstraint(["act_id"], ["act.id"], name="fk_vote_act_id_act"),
        sa.ForeignKeyConstraint(["loser_id"], ["candidate.id"], name="fk_vote_loser_id_candidate"),
        sa.ForeignKeyConstraint(
            ["pipeline_run_id"], ["pipeline_run.id"], name="fk_vote_pipeline_run_id_pipeline_run"
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_step_id"],
            ["pipeline_step.id"],
            name="fk_vote_pipeline_step_id_pipeline_step",
        ),
        sa.ForeignKeyConstraint(
            ["winner_id"], ["candidate.id"], name="fk_vote_winner_id_candidate"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_vote"),
    )
    op.create_index("ix_vote_act_id", "vote", ["act_id"], unique=False)
    op.create_index("ix_vote_loser_id_voter", "vote", ["loser_id", "voter"], unique=False)
    op.create_index("ix_vote_winner_id_voter", "vote", ["winner_id", "voter"], unique=False)
    op.create_table(
        "kill",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("act_id", sa.Integer(), nullable=False),
        sa.Column("candidate_id", sa.Integer(), nullable=False),
        sa.Column("killed_by", sa.Text(), nullable=False),
        sa.Column("blamed_step_id", sa.Integer(), nullable=True),
        sa.Column("void", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["act_id"], ["act.id"], name="fk_kill_act_id_act"),
        sa.ForeignKeyConstraint(
            ["blamed_step_id"], ["pipeline_step.id"], name="fk_kill_blamed_step_id_pipeline_step"
        ),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidate.id"], name="fk_kill_candidate_id_candidate"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_kill"),
    )
    op.create_index("ix_kill_act_id", "kill", ["act_id"], unique=False)
    op.create_index("ix_kill_candidate_id", "kill", ["candidate_id"], unique=False)
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("pipeline_run_id", sa.Integer(), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sqlite_autoincrement=True,
    )
