"""When a step was tried, when a lost server is tried again, and jobs that go first."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Plain ADD COLUMN on both databases, so that SQLite need not rewrite a large table."""
    moment = (
        "TIMESTAMP WITH TIME ZONE" if op.get_bind().dialect.name == "postgresql" else "DATETIME"
    )
    op.execute(f"ALTER TABLE pipeline_step ADD COLUMN tried_at {moment}")
    op.execute(f"ALTER TABLE backend ADD COLUMN retry_at {moment}")
    op.execute("ALTER TABLE job ADD COLUMN goes_first BOOLEAN NOT NULL DEFAULT false")
    op.execute(  # a step that has made an image needs no test run
        "UPDATE pipeline_step SET tried_at = (SELECT max(job.finished_at) FROM job "
        "WHERE job.pipeline_step_id = pipeline_step.id AND job.status = 'succeeded')"
    )
