"""The words of test runs: one step on one sample, outside any run. Nothing of them is stored but
pictures, which a sweep removes after a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shortlist.comfy.plain import JSON
from shortlist.comfy.workflow import Bindings, Graph


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OVER = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be tried. `sample` is the key of the picture to work on; null for a first step."""

    step_id: int
    backend_id: int
    backend_name: str
    url: str
    graph: Graph
    bindings: Bindings
    sample: str | None
    seed: int
    prompt: str
    negative: str
    variables: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Trial:
    """How far a test run is. `after` are keys of pictures; `seconds` how long it took."""

    id: str
    wish: Wish
    state: State
    detail: str
    node: str | None
    value: float
    max: float
    after: tuple[str, ...]
    seconds: float | None
