"""The shapes of what a person learns of workflows and servers before and after the night."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from shortlist.api.models import NamedRef, PipelineRef, Shape
from shortlist.comfy.workflow import Form, IssueKind, Role, Sure
from shortlist.domain.job_states import Cause
from shortlist.services.trials import State


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


class BindingChoice(Shape):
    node_id: str
    node_title: str
    class_type: str
    input: str
    value: str | int | float | bool | None
    reason: str


class FoundBinding(BindingChoice):
    """Where a role of the workflow was found, why there, and how sure that is."""

    role: Role
    sure: Sure
    alternatives: list[BindingChoice]


class MissingPart(Shape):
    """A role that was not found, why, and how sure it is that there is none."""

    role: Role
    reason: str
    sure: Sure


class Finding(Shape):
    """Something a person should know of a workflow before using it; `role`: a part is missing."""

    severity: Severity
    role: Role | None
    node_id: str | None
    node_title: str | None
    detail: str


class Inspection(Shape):
    """What a workflow file holds; `graph` is it in API format, `notes` what was left out."""

    format: Form
    graph: dict[str, object]
    notes: list[str]
    bindings: list[FoundBinding]
    missing: list[MissingPart]
    proposal: dict[str, object] = Field(description="the bindings as a new step takes them")
    inputs: list[BindingChoice] = Field(description="what can be a variable of a run")
    packs: dict[str, list[str]] = Field(description="node types of installed packs, by pack")
    checked: bool = Field(description="whether a server was asked for its nodes")
    problems: list[Finding]


class StepIssue(Shape):
    """One thing wrong with a step. Only where it `blocks` can the step not run as it is."""

    kind: IssueKind
    blocks: bool
    detail: str
    node_id: str | None
    node_title: str | None
    input: str | None


class ServerCheck(Shape):
    """One step against one server; where it was not `checked`, `detail` says why."""

    backend: NamedRef
    checked: bool
    ready: bool
    detail: str
    issues: list[StepIssue]


class StepCheck(Shape):
    """One step: what is wrong with it anywhere (`issues`), and on each server in use."""

    step_id: int
    name: str
    order: int
    issues: list[StepIssue]
    servers: list[ServerCheck]
    packs: dict[str, list[str]] = Field(
        description="node types that come from installed packs, by pack: code of others"
    )


class PipelineChecks(Shape):
    """`ready`: every step can run on some server."""

    ready: bool
    steps: list[StepCheck]


class ServerAnswer(Shape):
    """What is found at an address, in plain words."""

    reachable: bool
    detail: str
    version: str | None
    devices: list[str]
    nodes: int | None


class FailureGroup(Shape):
    """Failures of one kind at one step on one server that nobody has dealt with yet.

    `sentence`, `node` and `log` are the newest one's. `parked`: images that wait for a retry.
    `held`: why no more of the step is tried there, or in its run; null where it is.
    """

    kind: Cause
    step_id: int
    step_name: str
    step_order: int
    pipeline: PipelineRef
    backend: NamedRef
    run_ids: list[int]
    count: int
    first_at: datetime | None
    last_at: datetime | None
    job_id: int
    node: str | None
    sentence: str
    log: str | None
    parked: int
    held: str | None


class RetriedFailures(Shape):
    """What a retry let go on: so many failures, images and runs."""

    failures: int
    images: int
    runs: int


class MovedRun(Shape):
    """What going over to a version of the pipeline changed in a run.

    `steps`: those that differ. `taken_back`: jobs of theirs that were under way. `failures` and
    `images`: what had failed at them and is tried again.
    """

    version: int
    steps: list[str]
    taken_back: int
    failures: int
    images: int


class WildcardFile(Shape):
    name: str
    lines: int


class PromptSamples(Shape):
    """What a prompt can become; `unknown` are wildcards without a file."""

    samples: list[str]
    unknown: list[str]


class Trial(Shape):
    """A test run of one step on a sample. Pictures are paths of this hub; they last a day.

    `value` of `max` is the progress of the node at work, 0 of 0 where it tells none.
    """

    id: str
    step_id: int
    backend: NamedRef
    state: State
    detail: str
    node: str | None
    value: float
    max: float
    before: str | None
    after: list[str]
    seconds: float | None
