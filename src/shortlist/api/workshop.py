"""The shapes of what a person learns of workflows and servers before and after the night."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from shortlist.api.models import NamedRef, Shape
from shortlist.comfy.workflow import IssueKind
from shortlist.domain.job_states import Cause
from shortlist.services.trials import State


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
    pipeline_name: str
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
