"""The shapes of answers, under the product's own names; no rule lives here.

They are read from the services' results by attribute, and `docs/openapi.json` is made of them.
What a judging person gets is in `judging.py`, the event stream in `events.py`, and the shapes of
requests are in `requests.py`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shortlist.domain.model import (
    BackendKind,
    CandidateStatus,
    GateKind,
    GateState,
    Health,
    JobStatus,
    RunStatus,
)
from shortlist.domain.next_job import Rule

Region = Annotated[
    list[float],
    Field(min_length=4, max_length=4, description="x, y, width, height as fractions"),
]


class Shape(BaseModel):
    """An answer; made from any object that has these attributes."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Problem(Shape):
    """What is wrong and what to do about it (RFC 9457)."""

    model_config = ConfigDict(from_attributes=True, frozen=True, extra="allow")

    type: str
    title: str
    status: int
    detail: str
    request_id: str


class Alive(Shape):
    status: str


class Picture(Shape):
    """Served at `/api/images/{hash}/320`, `/2048` and `/original`."""

    hash: str
    width: int
    height: int
    thumbhash: str = Field(description="base64")
    media_type: str


class Shown(Shape):
    """An image as a judge sees it: nothing that could sway."""

    id: int
    picture: Picture
    regions: list[Region]


class Card(Shown):
    """A candidate in lists. `dead`: an ancestor is rejected."""

    run_id: int
    step_id: int
    step_order: int
    parent_id: int | None
    status: CandidateStatus
    dead: bool
    advances: bool
    elo: float
    votes: int
    stars: int | None
    children: int
    child_limit: int
    in_flight: int
    parked: bool
    seed: int | None
    created_at: datetime


class Step(Shape):
    id: int
    name: str
    order: int
    max_children: int | None
    gate: GateKind
    default_top_k: int | None
    tried_at: datetime | None = Field(description="when it was first known to make an image")


class StepDetail(Step):
    bindings: dict[str, object]
    workflow: dict[str, object]


class Pipeline(Shape):
    id: int
    name: str
    version: int
    description: str
    steps: list[Step]
    created_at: datetime
    newest: bool


class PipelineDetail(Shape):
    id: int
    name: str
    version: int
    description: str
    steps: list[StepDetail]
    created_at: datetime
    newest: bool


class NamedRef(Shape):
    id: int
    name: str


class PipelineRef(Shape):
    id: int
    name: str
    version: int


class Column(Shape):
    """One step of a run in numbers; `held_reason` waits for a person to release it.

    `open_parents` still lack children, `parked` ones wait for a person after failed jobs.
    `ready`: jobs of this step that can begin without a person. `provisional`: the gate passed by
    itself, for the reason in `assumed`.
    """

    step_id: int
    step_order: int
    name: str
    live: int
    rejected: int
    made: int
    in_flight: int
    ready: int
    advancing: int
    open_parents: int
    parked: int
    state: GateState
    gate: GateKind
    provisional: bool
    assumed: str | None
    held_reason: str | None
    top_k: int | None


class WaitingTime(Shape):
    """How long provisional gates wait for a person, and the night in which they do not."""

    minutes: int | None
    night_from: str | None
    night_until: str | None
    time_zone: str


class RunSummary(Shape):
    id: int
    name: str
    status: RunStatus
    priority: int
    pipeline: PipelineRef
    max_children: int
    target_leaves: int
    base_count: int
    policy: str
    rating: str
    gated: bool
    waiting: WaitingTime
    finished: int
    created_at: datetime
    columns: list[Column]


class Prospect(Shape):
    """What an action promised: `chance` to end among the best, `seconds` of rendering until then,
    null before they were measured; without `parent_id` a new base image."""

    parent_id: int | None
    chance: float
    seconds: float | None


class Odds(Shape):
    """What the policy `adaptive` weighed: the action taken and the best one in another family.
    `few`: less than `top` images were finished, so that going on came first."""

    top: int
    few: bool
    taken: Prospect
    second: Prospect | None


class Reason(Shape):
    """Why a job was chosen: the rule, the column, the tickets and the seed of the raffle."""

    rule: Rule
    sentence: str
    step_order: int
    priority: int
    eligible: int
    tickets: float
    ticket: float
    seed: int
    parent_id: int | None
    elo: float | None
    lacking: int | None
    odds: Odds | None = None


class JobSummary(Shape):
    id: int
    run_id: int
    step_id: int
    step_order: int
    step_name: str
    parent_id: int | None
    status: JobStatus
    backend: NamedRef
    prompt_id: str
    attempts: int
    error_kind: str | None
    error: str | None
    seed: int
    reason: Reason
    goes_first: bool = Field(description="a person wished it before all that waits there")
    created_at: datetime
    submitted_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    candidates: list[int]


class Job(JobSummary):
    """`error_node`: the title of the node that failed; `error_log`: what the server wrote."""

    prompt: str | None
    negative_prompt: str | None
    error_node: str | None
    error_log: str | None
    workflow: dict[str, object]


class NextUp(Shape):
    """What this run's next job from an image would be, were it the only run."""

    sentence: str
    eligible: int
    step_order: int


class PlannedJob(Shape):
    """One job of a dry run. The parent is the image `parent_id`, or what the job at place `after`
    of the list, from 1, will make; without both, the job makes a base image."""

    step_order: int
    step_name: str
    parent_id: int | None
    after: int | None
    sentence: str


class Run(RunSummary):
    prompt: str
    negative_prompt: str
    parameters: dict[str, object]
    jobs_in_flight: list[JobSummary]
    recent_jobs: list[JobSummary]
    why: str
    next_up: NextUp | None


class CandidateColumns(Shape):
    """All images of a run, one list a field, in id order."""

    id: list[int]
    parent_id: list[int | None]
    step_order: list[int]
    status: list[CandidateStatus]
    dead: list[bool]
    advances: list[bool]
    elo: list[float]
    votes: list[int]
    stars: list[int | None]
    children: list[int]
    in_flight: list[int]
    hash: list[str]
    width: list[int]
    height: list[int]
    thumbhash: list[str]


class CandidateTable(Shape):
    """The board of a run; follow the events after `event` to keep it true."""

    steps: list[Step]
    columns: CandidateColumns
    event: int


class KillRecord(Shape):
    by: str
    blamed_step: str | None
    at: datetime
    void: bool


class Belief(Shape):
    """What the votes say an image is worth, on the scale of Elo: mean and standard deviation."""

    mean: float
    spread: float


class Candidate(Card):
    """One image with its family, `lineage` from the base image to itself. `belief` is what a run
    that is not rated by Elo alone goes by, else null."""

    belief: Belief | None

    lineage: list[Card]
    children_cards: list[Card]
    siblings: list[Card]
    job: JobSummary | None
    kills: list[KillRecord]


class StepThere(Shape):
    """One step on one server. `lacks`, `held_reason` and `rests_until` each keep it from there.

    `load_seconds`: what it costs to begin with it there after another step, `usual_seconds`: how
    long a job of it last took there; null: not measured.
    """

    step_id: int
    step_name: str
    pipeline_name: str
    lacks: str | None
    held_reason: str | None
    rests_until: datetime | None
    load_seconds: float | None
    usual_seconds: float | None


class Backend(Shape):
    id: int
    name: str
    kind: BackendKind
    url: str
    enabled: bool
    health: Health
    health_detail: str
    version: str
    simulator: bool
    heard_at: datetime | None
    retry_at: datetime | None = Field(description="a lost server is tried again then")
    in_flight: list[JobSummary]
    last_hour: int = Field(description="jobs that ended well within the last hour")
    steps: list[StepThere]


class Status(Shape):
    version: str
    simulator: bool = Field(description="whether any backend is a simulator")
    database: str
    runs: list[RunSummary]
    backends: list[Backend]
    failures: int = Field(description="groups of failures that wait for a person")
    why: str
    next_job: Reason | None
    autopsies: int = Field(description="rejected images whose cause is open")
    last_event: int
