"""The shapes of requests: what the page and scripts may send, each with its limits.

A field that is not listed is refused, so that a typing error is told and not ignored.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shortlist.domain.job_states import Cause
from shortlist.domain.model import (
    ActKind,
    GateKind,
    Pin,
    Policy,
    Rating,
    RunStatus,
    WalkAnswer,
)

MOST_ACTS = 50
"""Acts of one request: what a page piles up in a minute without a network."""

Number = Annotated[int, Field(strict=True)]
Id = Annotated[Number, Field(ge=1, le=2**53, description="an id")]
Count = Annotated[
    Number, Field(ge=-(2**31), le=2**31 - 1, json_schema_extra={"minimum": 1, "maximum": 100_000})
]
"""Only what the database can't hold is refused here: the services say what is too much of what."""

Positive = Annotated[Number, Field(ge=1, le=100_000)]
Milliseconds = Annotated[Number, Field(ge=0, le=2**31 - 1)]
"""As many as a column of PostgreSQL holds: 24 days."""

ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Priority = Annotated[Number, Field(ge=-1_000, le=1_000)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Method = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,32}$")]
"""The name of a rating or policy; installed packages may bring more than the literal ones."""

Words = Annotated[str, StringConstraints(max_length=100_000)]
CLIENT_ID = r"^[A-Za-z0-9_.:-]{1,64}$"
"""What a client may call its acts: a UUID and its like."""

ClientId = Annotated[str, StringConstraints(pattern=CLIENT_ID)]
Graph = dict[str, object]
Untried = Annotated[
    bool, Field(strict=True, description="start though a step has never made an image")
]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Base64 = Annotated[
    str,
    StringConstraints(max_length=16 * 2**20, pattern=r"^[A-Za-z0-9+/\s]*={0,2}\s*$"),
    Field(description="a file's bytes in base64"),
]


class NewStep(Body):
    """One step: a workflow as saved by ComfyUI's editor or in its API format, or a `picture` made
    by ComfyUI, which carries its workflow."""

    name: Words
    workflow: Graph | str | None = None
    picture: Base64 | None = None
    max_children: Count | None = None
    gate: GateKind = GateKind.MANUAL
    default_top_k: Count | None = None
    bindings: Graph | None = None


class NewPipeline(Body):
    name: Words
    description: Words = ""
    steps: Annotated[list[NewStep], Field(max_length=100, json_schema_extra={"minItems": 1})]


class WorkflowToInspect(Body):
    """A workflow, a `picture` made by ComfyUI, or the name of a workflow `saved` in the editor of
    `backend_id`; read with the node types of that server, or of any that answers."""

    workflow: Graph | str | None = None
    picture: Base64 | None = None
    saved: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    backend_id: Id | None = None


class NewBindings(Body):
    """Where the values of a step go, as an inspection and a pipeline show them."""

    bindings: Graph


class NewWorkflow(Body):
    """Another workflow for a step, or a `picture` made by ComfyUI; without `bindings` they are
    found."""

    workflow: Graph | str | None = None
    picture: Base64 | None = None
    bindings: Graph | None = None


class FailuresToRetry(Body):
    """A group of failures, by what they have in common. With `pipeline_id` their runs go over to
    that version of the pipeline, in which the step differs."""

    kind: Cause
    step_id: Id
    backend_id: Id
    pipeline_id: Id | None = None


class VersionOfRun(Body):
    """Another version of a run's pipeline."""

    pipeline_id: Id


class PromptToTry(Body):
    """A prompt with alternatives and wildcards; `seed` makes the samples the same again."""

    prompt: Words
    count: Annotated[Number, Field(ge=1, le=20)] = 5
    seed: Annotated[Number, Field(ge=0, le=2**53 - 1)] = 0


class TrialToStart(Body):
    """A test run of a step: on a candidate or on an own picture; a first step needs neither.

    Without `backend_id` the first server that answers and has it all makes it.
    """

    backend_id: Id | None = None
    candidate_id: Id | None = None
    picture: Base64 | None = None
    prompt: Words = ""
    negative_prompt: Words = ""
    parameters: Graph = {}
    seed: Annotated[Number, Field(ge=0, le=2**53 - 1)] = 1


class Waiting(Body):
    """How long provisional gates wait for a person: `minutes` (null: for ever), and not at all
    from `night_from` to `night_until` ("22:30") on the clock of `time_zone`.
    """

    minutes: Annotated[Number, Field(ge=0, le=100_000)] | None = 30
    night_from: ClockTime | None = None
    night_until: ClockTime | None = None
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=100)] = "UTC"


class ForecastToMake(Body):
    """The numbers of a run to be; what is left out is as in the settings. `top_k`: K by step."""

    max_children: Positive | None = None
    target_leaves: Positive | None = None
    base_count: Positive | None = None
    top_k: dict[int, Positive] = {}


class DraftedStep(Body):
    """A step that is still being written. `like`: the step whose workflow it has."""

    name: Words
    gate: GateKind = GateKind.AUTO
    max_children: Positive | None = None
    default_top_k: Positive | None = None
    like: Id | None = None


class DraftToForesee(Body):
    steps: Annotated[list[DraftedStep], Field(min_length=1, max_length=20)]


class NewRun(Body):
    """A run; N, T and the number of base images default to the hub's settings."""

    pipeline_id: Id
    name: Name
    prompt: Words
    negative_prompt: Words = ""
    parameters: Graph = {}
    max_children: Count | None = None
    target_leaves: Count | None = None
    base_count: Count | None = None
    priority: Priority = 0
    waiting: Waiting = Waiting()
    policy: Method = Policy.RIGHT_TO_LEFT
    rating: Method = Rating.ELO
    untried: Untried = False


class CopyOfRun(Body):
    """The name of a run that is like another one."""

    name: Name
    untried: Untried = False


class RunChange(Body):
    """What to change; a field that is left out or null stays."""

    name: Name | None = None
    prompt: Words | None = None
    negative_prompt: Words | None = None
    parameters: Graph | None = None
    max_children: Count | None = None
    target_leaves: Count | None = None
    base_count: Count | None = None
    priority: Priority | None = None
    waiting: Waiting | None = None
    policy: Method | None = None
    rating: Method | None = None
    status: Literal[RunStatus.ACTIVE, RunStatus.PAUSED, RunStatus.ARCHIVED] | None = None


class NewBackend(Body):
    url: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
    name: Name | None = None


class Address(Body):
    url: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]


class BackendChange(Body):
    name: Name | None = None
    enabled: Annotated[bool, Field(strict=True)] | None = None


class SignIn(Body):
    token: Annotated[str, StringConstraints(min_length=1, max_length=1_000)]


class _Act(Body):
    """`id` is made by the client and stays the same when the act is sent again."""

    id: ClientId


class VoteAct(_Act):
    """`left` is the image that stood on the left, `shown_ms` the time from paint to decision.

    `versus_parent` says that the deck gave the pair with a `parent_id`: the step between the two
    is judged, and no rating moves. `repeat` says that the deck gave it as a `repeat`.
    """

    kind: Literal[ActKind.VOTE]
    winner: Id
    loser: Id
    left: Id
    shown_ms: Milliseconds | None = None
    versus_parent: bool = False
    repeat: bool = False


class TieAct(_Act):
    kind: Literal[ActKind.TIE]
    a: Id
    b: Id
    left: Id
    shown_ms: Milliseconds | None = None
    versus_parent: bool = False
    repeat: bool = False


class WorstAct(_Act):
    """Of the four `images`, in reading order as they stood, `worst` loses to each of the others."""

    kind: Literal[ActKind.WORST]
    worst: Id
    images: tuple[Id, Id, Id, Id]
    shown_ms: Milliseconds | None = None


class SkipAct(_Act):
    kind: Literal[ActKind.SKIP]
    a: Id
    b: Id
    versus_parent: bool = False


class KillAct(_Act):
    """`other` stood beside the killed one, `left` is which of the two stood on the left.

    `walk` is the id of the kill whose walk showed them, where one did: this kill then belongs to
    that walk and its undo.
    """

    kind: Literal[ActKind.KILL]
    candidate: Id
    other: Id | None = None
    left: Id | None = None
    walk: ClientId | None = None
    versus_parent: bool = False


class KillBothAct(_Act):
    kind: Literal[ActKind.KILL_BOTH]
    a: Id
    b: Id


class WalkAct(_Act):
    """An answer of the walk that the kill `walk` began, about its `candidate`."""

    kind: Literal[ActKind.WALK]
    walk: ClientId
    candidate: Id
    answer: WalkAnswer


class ApproveAct(_Act):
    """Lets the top K through; `seen` is the gate's `decisions` as the person saw it."""

    kind: Literal[ActKind.APPROVE]
    run_id: Id
    step_id: Id
    top_k: Count
    per_base: Count | None = None
    seen: Annotated[Number, Field(ge=0, le=2**31)] | None = None
    hold_seconds: Annotated[Number, Field(ge=0, le=60)] = 0


class ReopenAct(_Act):
    kind: Literal[ActKind.REOPEN]
    run_id: Id
    step_id: Id
    seen: Annotated[Number, Field(ge=0, le=2**31)] | None = None


class ConfirmAct(_Act):
    """Takes a gate that passed provisionally as it is."""

    kind: Literal[ActKind.CONFIRM]
    run_id: Id
    step_id: Id
    seen: Annotated[Number, Field(ge=0, le=2**31)] | None = None


class PinAct(_Act):
    """`pin` null: the image goes by its rank again."""

    kind: Literal[ActKind.PIN]
    candidate: Id
    pin: Pin | None


class KeepAct(_Act):
    """Keeps an image at first sight, with 0 to 5 `stars`; null: not kept after all."""

    kind: Literal[ActKind.KEEP]
    candidate: Id
    stars: Annotated[Number, Field(ge=0, le=5)] | None = 0


class UndoAct(_Act):
    """Takes back `target`, or this person's last act that still stands."""

    kind: Literal[ActKind.UNDO]
    target: ClientId | None = None


class RedoAct(_Act):
    kind: Literal[ActKind.REDO]


Act = Annotated[
    VoteAct
    | TieAct
    | WorstAct
    | SkipAct
    | KillAct
    | KillBothAct
    | WalkAct
    | ApproveAct
    | ReopenAct
    | ConfirmAct
    | PinAct
    | KeepAct
    | UndoAct
    | RedoAct,
    Field(discriminator="kind"),
]


class Acts(Body):
    acts: Annotated[list[Act], Field(min_length=1, max_length=MOST_ACTS)]
