"""The tables: every entity of the contract, its constraints, and its indexes.

Each index names the query it serves. No relationships: nothing loads by itself. Denormalised
columns say who keeps them right.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shortlist.domain.model import (
    ActKind,
    BackendKind,
    CandidateStatus,
    GateKind,
    Health,
    JobStatus,
    Pin,
    RunStatus,
)
from shortlist.store.conditions import IN_FLIGHT, IN_SIGHT, OPEN, OPEN_FAILURE, UNBURIED
from shortlist.store.types import PathText, UtcDateTime, enum_of


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Pipeline(Base):
    """One version of a template. Editing makes a new row; runs keep the one they were made with."""

    __tablename__ = "pipeline"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    description: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PipelineStep(Base):
    __tablename__ = "pipeline_step"
    __table_args__ = (
        UniqueConstraint("pipeline_id", "order"),
        CheckConstraint('"order" >= 1', name="order_from_1"),
        CheckConstraint("max_children >= 1", name="max_children_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    pipeline_id: Mapped[int] = mapped_column(ForeignKey("pipeline.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Text)
    order: Mapped[int]
    comfy_workflow_json: Mapped[str] = mapped_column(Text)
    bindings: Mapped[dict[str, object]] = mapped_column(JSON)
    max_children: Mapped[int | None]
    gate: Mapped[GateKind] = mapped_column(enum_of(GateKind))
    default_top_k: Mapped[int | None]
    tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # first known to make an image


class PipelineRun(Base):
    __tablename__ = "pipeline_run"
    __table_args__ = (
        CheckConstraint("max_children >= 1", name="max_children_positive"),
        CheckConstraint("target_leaves >= 1", name="target_leaves_positive"),
        CheckConstraint("base_count >= 1", name="base_count_positive"),
        # the next job: active runs, highest priority first
        Index(None, "status", "priority"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    pipeline_id: Mapped[int] = mapped_column(ForeignKey("pipeline.id"))
    name: Mapped[str] = mapped_column(Text)
    prompt: Mapped[str] = mapped_column(Text)
    negative_prompt: Mapped[str] = mapped_column(Text)
    parameters: Mapped[dict[str, object]] = mapped_column(JSON)
    max_children: Mapped[int]
    target_leaves: Mapped[int]
    base_count: Mapped[int]
    policy: Mapped[str] = mapped_column(String(32))  # by name: ours, or an installed package's
    rating: Mapped[str] = mapped_column(String(32))
    priority: Mapped[int]
    status: Mapped[RunStatus] = mapped_column(enum_of(RunStatus))
    last_order: Mapped[int]  # the highest step order of its pipeline, set at creation
    gated: Mapped[bool]  # any step after the first has a gate other than auto, set at creation
    base_failures: Mapped[int]  # failed base jobs since a person last retried
    wait_minutes: Mapped[int | None]  # a provisional gate waits so long for a person
    night_from: Mapped[str | None] = mapped_column(Text)  # "22:30", on the clock of time_zone;
    night_until: Mapped[str | None] = mapped_column(Text)  # between the two it does not wait
    time_zone: Mapped[str] = mapped_column(Text)  # an IANA name
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PipelineRunStep(Base):
    """The gate of one step in one run, and what holds that step there.

    `decisions` counts how often the gate was decided, so that a decision made in sight of an older
    one can be refused. `provisional`: it was passed without a person, on what `assumed` says.
    `complete_since`: when the step last became complete, for gates that wait a while.
    """

    __tablename__ = "pipeline_run_step"
    __table_args__ = (
        UniqueConstraint("pipeline_run_id", "pipeline_step_id"),
        CheckConstraint("top_k_count >= 1", name="top_k_count_positive"),
        # the next job: steps that wait for a person after a refusal; nearly always empty
        Index(
            "ix_pipeline_run_step_held",
            "pipeline_run_id",
            "step_order",
            sqlite_where=text("held_reason IS NOT NULL"),
            postgresql_where=text("held_reason IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    pipeline_run_id: Mapped[int] = mapped_column(ForeignKey("pipeline_run.id", ondelete="CASCADE"))
    pipeline_step_id: Mapped[int] = mapped_column(ForeignKey("pipeline_step.id"))
    step_order: Mapped[int]
    approved: Mapped[bool]
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved_by: Mapped[str | None] = mapped_column(Text)
    top_k_count: Mapped[int | None]
    per_base: Mapped[int | None]  # at most so many of the top K from one base image
    provisional: Mapped[bool]
    assumed: Mapped[str | None] = mapped_column(Text)
    complete_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decisions: Mapped[int]
    held_reason: Mapped[str | None] = mapped_column(Text)


class ImageCandidate(Base):
    """One image, one node of a tree.

    `path` lists the ancestors, `/` for a base image and `/7/31/` for a child of 31, so that the
    branch below X is the range that begins with X's path, X's id and a slash.
    `rejected_ancestors` counts the rejected of them, so that undoing one kill of two leaves the
    other's branch dead; no index knows it, so that a kill writes rows alone. `buried` takes the
    dead out of the indexes later. `reserved` counts jobs in flight from this parent, `failures`
    those that failed since the last retry. `child_limit` is N for this parent: 0 at the last step.
    `advances` is the gate's word.
    """

    __tablename__ = "candidate"
    __table_args__ = (
        CheckConstraint("child_count >= 0", name="child_count_natural"),
        CheckConstraint("reserved >= 0", name="reserved_natural"),
        CheckConstraint("rejected_ancestors >= 0", name="rejected_ancestors_natural"),
        CheckConstraint("stars BETWEEN 0 AND 5", name="stars_to_five"),
        CheckConstraint(
            "NOT buried OR rejected_ancestors > 0 OR status = 'rejected'", name="buried_dead"
        ),
        # the next job: open parents of a column
        Index(
            "ix_candidate_open",
            "pipeline_run_id",
            "step_order",
            "id",
            sqlite_where=text(OPEN),
            postgresql_where=text(OPEN),
        ),
        # ranking of a step: top K, the deck's neighbours, finished leaves
        Index(
            "ix_candidate_ranking",
            "pipeline_run_id",
            "step_order",
            text("elo_score DESC"),
            text("vote_count DESC"),
            "id",
            sqlite_where=text(IN_SIGHT),
            postgresql_where=text(IN_SIGHT),
        ),
        # kills whose branch is still in sight of the indexes
        Index(
            "ix_candidate_unburied",
            "id",
            sqlite_where=text(UNBURIED),
            postgresql_where=text(UNBURIED),
        ),
        # a branch: kill, undo, jobs below a candidate; siblings have equal paths
        Index(None, "path"),
        # the board: all rows of a run
        Index(None, "pipeline_run_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    pipeline_run_id: Mapped[int] = mapped_column(ForeignKey("pipeline_run.id"))
    pipeline_step_id: Mapped[int] = mapped_column(ForeignKey("pipeline_step.id"))
    step_order: Mapped[int]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("candidate.id"))
    path: Mapped[str] = mapped_column(PathText)
    status: Mapped[CandidateStatus] = mapped_column(enum_of(CandidateStatus))
    rejected_ancestors: Mapped[int]
    buried: Mapped[bool] = mapped_column(server_default=false())
    elo_score: Mapped[float] = mapped_column(Float(53))
    vote_count: Mapped[int]
    child_count: Mapped[int]
    reserved: Mapped[int]
    child_limit: Mapped[int]
    failures: Mapped[int]
    advances: Mapped[bool]
    pin: Mapped[Pin | None] = mapped_column(enum_of(Pin))  # a person's word on its gate
    stars: Mapped[int | None]  # a person kept it, 0 without stars; no part of its rating


class ImageFile(Base):
    """What a candidate was born with and keeps: its file, and where that came from. A row of its
    own, since a change writes a whole row anew, and a kill changes candidates by the thousand."""

    __tablename__ = "image_file"
    __table_args__ = (
        UniqueConstraint("job_id", "output_index"),
        # the sweep of image files, and an image asked for by its content
        Index(None, "content_hash"),
    )

    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"), primary_key=True)
    image_path: Mapped[str] = mapped_column(Text)
    content_hash: Mapped[str] = mapped_column(Text)
    media_type: Mapped[str] = mapped_column(Text)
    width: Mapped[int]
    height: Mapped[int]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    thumbhash: Mapped[str] = mapped_column(Text)  # base64
    regions: Mapped[list[object]] = mapped_column(JSON)  # boxes its step changed, fractions
    seed: Mapped[int | None] = mapped_column(BigInteger)
    job_id: Mapped[int | None]  # no foreign key: job and candidate would need each other first
    output_index: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Job(Base):
    """One unit of GPU work. `prompt_id` is committed before the backend hears of it."""

    __tablename__ = "job"
    __table_args__ = (
        UniqueConstraint("prompt_id"),
        # what a backend is doing, what a branch has in flight, what must be recalled
        Index(
            "ix_job_in_flight",
            "backend_id",
            "id",
            sqlite_where=text(IN_FLIGHT + " OR job.recall"),
            postgresql_where=text(IN_FLIGHT + " OR job.recall"),
        ),
        # a run's jobs in flight: deficits, the run page
        Index(
            "ix_job_run_in_flight",
            "pipeline_run_id",
            "parent_id",
            sqlite_where=text(IN_FLIGHT),
            postgresql_where=text(IN_FLIGHT),
        ),
        # a run's history, newest first
        Index(None, "pipeline_run_id", "id"),
        # failures that wait for a person, by step
        Index(
            "ix_job_failed",
            "pipeline_step_id",
            "id",
            sqlite_where=text(OPEN_FAILURE),
            postgresql_where=text(OPEN_FAILURE),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    pipeline_run_id: Mapped[int] = mapped_column(ForeignKey("pipeline_run.id"))
    pipeline_step_id: Mapped[int] = mapped_column(ForeignKey("pipeline_step.id"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("candidate.id"))
    backend_id: Mapped[int] = mapped_column(ForeignKey("backend.id"))
    status: Mapped[JobStatus] = mapped_column(enum_of(JobStatus))
    prompt_id: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int]  # how often it was put to a server, from 1
    recall: Mapped[bool]  # cancelled here, and the backend must still be told
    goes_first: Mapped[bool] = mapped_column(default=False)  # before all that waits at its server
    error_kind: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    error_node: Mapped[str | None] = mapped_column(Text)  # the title of the node that failed
    error_log: Mapped[str | None] = mapped_column(Text)  # what the server wrote, cut to its end
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # a person retried a failure
    prompt: Mapped[str | None] = mapped_column(Text)  # resolved; a child has its base image's
    negative_prompt: Mapped[str | None] = mapped_column(Text)
    seed: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[dict[str, object]] = mapped_column(JSON)
    workflow: Mapped[str] = mapped_column(Text)  # the exact graph sent, as JSON text
    kept: Mapped[list[object]] = mapped_column(JSON)  # results without a place: image keys
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class GateDecision(Base):
    """One decision on a gate: who was let through, by what ranking, and how it was before.

    `before` and `after` hold the gates that the decision touched as they were and as it made them,
    so that undo and redo are exact. A decision takes effect at `starts_at`, once.
    """

    __tablename__ = "gate_decision"
    __table_args__ = (
        # undo finds the decision of an act
        Index(None, "act_id"),
        # a gate's history, newest first
        Index(None, "pipeline_run_id", "step_order", "id"),
        # decisions that wait for their moment; nearly always none
        Index(
            "ix_gate_decision_waiting",
            "starts_at",
            sqlite_where=text("NOT started AND NOT void"),
            postgresql_where=text("NOT started AND NOT void"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    act_id: Mapped[int | None] = mapped_column(ForeignKey("act.id"))
    pipeline_run_id: Mapped[int] = mapped_column(ForeignKey("pipeline_run.id"))
    step_order: Mapped[int]
    decided_by: Mapped[str | None] = mapped_column(Text)  # null: by itself
    ranking: Mapped[list[object]] = mapped_column(JSON)  # [id, elo, votes], best first
    before: Mapped[dict[str, object]] = mapped_column(JSON)
    after: Mapped[dict[str, object]] = mapped_column(JSON)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started: Mapped[bool]
    void: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Vote(Base):
    """One comparison. A void vote was undone: its deltas are taken back, its row stays.

    Where `versus_parent` is true a child stood against its parent: its step is judged then, both
    deltas are 0, and it is no part of any rating.
    """

    __tablename__ = "vote"
    __table_args__ = (
        CheckConstraint("winner_id <> loser_id", name="two_images"),
        # has this person voted on this candidate
        Index(None, "winner_id", "voter"),
        Index(None, "loser_id", "voter"),
        # undo finds the vote of an act
        Index(None, "act_id"),
        # what the steps of a run are worth
        Index(
            "ix_vote_versus_parent",
            "pipeline_run_id",
            sqlite_where=text("vote.versus_parent"),
            postgresql_where=text("vote.versus_parent"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    act_id: Mapped[int] = mapped_column(ForeignKey("act.id"))
    pipeline_run_id: Mapped[int] = mapped_column(ForeignKey("pipeline_run.id"))
    pipeline_step_id: Mapped[int] = mapped_column(ForeignKey("pipeline_step.id"))
    winner_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"))
    loser_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"))
    tie: Mapped[bool]
    voter: Mapped[str] = mapped_column(Text)
    client_id: Mapped[str] = mapped_column(Text)
    left_id: Mapped[int | None]  # which of the two stood on the left
    winner_before: Mapped[float] = mapped_column(Float(53))
    loser_before: Mapped[float] = mapped_column(Float(53))
    winner_delta: Mapped[float] = mapped_column(Float(53))
    loser_delta: Mapped[float] = mapped_column(Float(53))
    shown_ms: Mapped[int | None]  # milliseconds from paint to decision
    versus_parent: Mapped[bool] = mapped_column(default=False)
    void: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Kill(Base):
    """One rejection a person made, and the step found to blame for it (null: not known)."""

    __tablename__ = "kill"
    __table_args__ = (Index(None, "act_id"), Index(None, "candidate_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    act_id: Mapped[int] = mapped_column(ForeignKey("act.id"))
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidate.id"))
    killed_by: Mapped[str] = mapped_column(Text)
    blamed_step_id: Mapped[int | None] = mapped_column(ForeignKey("pipeline_step.id"))
    void: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Act(Base):
    """One thing a person did, with the client's own id, so that a repeat is harmless.

    Acts of one walk share `walk` (the client id of the kill that began it) and are one undo.
    `undone_by` is the undo that voids it; a redo sets it back to null.
    """

    __tablename__ = "act"
    __table_args__ = (
        UniqueConstraint("person", "client_id"),
        # the person's log, newest first
        Index(None, "person", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(Text)
    client_id: Mapped[str] = mapped_column(Text)
    kind: Mapped[ActKind] = mapped_column(enum_of(ActKind))
    pipeline_run_id: Mapped[int | None] = mapped_column(ForeignKey("pipeline_run.id"))
    walk: Mapped[str | None] = mapped_column(Text)
    body: Mapped[dict[str, object]] = mapped_column(JSON)
    answer: Mapped[dict[str, object]] = mapped_column(JSON)
    undone_by: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Backend(Base):
    __tablename__ = "backend"
    __table_args__ = (UniqueConstraint("url"), UniqueConstraint("name"))

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[BackendKind] = mapped_column(enum_of(BackendKind))
    url: Mapped[str] = mapped_column(Text)
    enabled: Mapped[bool]
    health: Mapped[Health] = mapped_column(enum_of(Health))
    health_detail: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(Text)
    simulator: Mapped[bool]
    heard_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    retry_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # a lost one is tried again then
    lease_owner: Mapped[str | None] = mapped_column(Text)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class BackendStep(Base):
    """What is known of one step on one server, and what keeps the step from it.

    `lacks`: what the server does not have for it. `held_reason`: too many failures of one kind in a
    row, `streak` of `streak_kind` so far. `rests_until`: not before then, after it ran out of
    memory. Any of the three closes the step to the server. `warm_seconds` and `cold_seconds` are
    the last times it took after a job of its own kind, and after another that needed other models.
    """

    __tablename__ = "backend_step"
    __table_args__ = (UniqueConstraint("backend_id", "pipeline_step_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    backend_id: Mapped[int] = mapped_column(ForeignKey("backend.id", ondelete="CASCADE"))
    pipeline_step_id: Mapped[int] = mapped_column(
        ForeignKey("pipeline_step.id", ondelete="CASCADE")
    )
    lacks: Mapped[str | None] = mapped_column(Text)
    held_reason: Mapped[str | None] = mapped_column(Text)
    streak_kind: Mapped[str | None] = mapped_column(Text)
    streak: Mapped[int]
    rests_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    warm_seconds: Mapped[float | None] = mapped_column(Float(53))
    cold_seconds: Mapped[float | None] = mapped_column(Float(53))


class Event(Base):
    """The journal: what changed, numbered in commit order, written with the change."""

    __tablename__ = "event"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    pipeline_run_id: Mapped[int | None]
    data: Mapped[dict[str, object]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
