"""What a ComfyUI server says over its socket, as typed messages.

Pure, and tolerant of every version: unknown messages and keys are passed over, and a malformed one
becomes `Unknown`, never an error. History (outcomes.py) is the truth about a job, this is a hint.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from shortlist.comfy.outcomes import (
    End,
    Failure,
    Kind,
    Outcome,
    OutputFile,
    read_failure,
    read_files,
    read_history,
)
from shortlist.comfy.plain import (
    JSON,
    a_dict,
    a_list,
    a_number,
    a_text,
    an_id,
    loads,
)

__all__ = [
    "Cached",
    "End",
    "Executed",
    "Executing",
    "Failed",
    "Failure",
    "Features",
    "Interrupted",
    "Kind",
    "Message",
    "Outcome",
    "OutputFile",
    "Over",
    "Preview",
    "Progress",
    "ProgressState",
    "Started",
    "Status",
    "Succeeded",
    "Unknown",
    "read_binary",
    "read_history",
    "read_text",
]


@dataclass(frozen=True, slots=True)
class Status:
    """How much the server has to do, everybody's jobs counted; `sid` only in the first one."""

    remaining: int
    sid: str


@dataclass(frozen=True, slots=True)
class Started:
    """A job began."""

    prompt_id: str


@dataclass(frozen=True, slots=True)
class Cached:
    """These nodes will not run: the server still has their results."""

    prompt_id: str
    nodes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Executing:
    """A node begins. Just after a reconnect the server leaves `prompt_id` out: then it is empty."""

    prompt_id: str
    node: str


@dataclass(frozen=True, slots=True)
class Over:
    """The job is over and its history entry is there."""

    prompt_id: str


@dataclass(frozen=True, slots=True)
class Progress:
    """A node's progress, `value` of `max`."""

    prompt_id: str
    node: str
    value: float
    max: float


@dataclass(frozen=True, slots=True)
class ProgressState:
    """All nodes that began: (node, value, max, finished), in the server's order."""

    prompt_id: str
    nodes: tuple[tuple[str, float, float, bool], ...]


@dataclass(frozen=True, slots=True)
class Executed:
    """A node wrote files; the job may still fail."""

    prompt_id: str
    node: str
    files: tuple[OutputFile, ...]


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The job succeeded; its history entry follows some milliseconds later."""

    prompt_id: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A node raised. Not `terminal` where only a branch was blocked and the job goes on."""

    prompt_id: str
    failure: Failure
    terminal: bool


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Somebody stopped the job, or a node did so from inside."""

    prompt_id: str
    node: str


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture on the way. Old servers say neither job nor node: both are empty then."""

    prompt_id: str
    node: str
    mime: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Features:
    """The server's answer to our feature flags."""

    metadata_previews: bool
    max_upload_bytes: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of a custom node, of a newer server, or a malformed one."""

    type: str


Message: TypeAlias = (
    Status
    | Started
    | Cached
    | Executing
    | Over
    | Progress
    | ProgressState
    | Executed
    | Succeeded
    | Failed
    | Interrupted
    | Preview
    | Features
    | Unknown
)


def read_text(frame: str) -> Message:
    """A text frame as a message."""
    try:
        parsed = a_dict(loads(frame))
    except ValueError:
        return Unknown("")
    kind, data = a_text(parsed.get("type"), limit=100), a_dict(parsed.get("data"))
    if kind in _READERS:
        return _READERS[kind](data)
    return Unknown(kind)


def read_binary(frame: bytes) -> Message:
    """A binary frame as a message: previews, with or without their metadata."""
    if len(frame) < 8:
        return Unknown("binary")
    event, second = struct.unpack_from(">II", frame)
    if event == 1:
        mime = "image/png" if second == 2 else "image/jpeg"
        return Preview("", "", mime, frame[8:])
    if event == 4 and second <= len(frame) - 8:
        return _preview_with_metadata(frame[8 : 8 + second], frame[8 + second :])
    return Unknown(f"binary {event}")


def _preview_with_metadata(metadata: bytes, data: bytes) -> Message:
    try:
        said = a_dict(loads(metadata))
    except ValueError:
        return Unknown("binary 4")
    node = an_id(said.get("display_node_id")) or an_id(said.get("node_id"))
    mime = "image/png" if said.get("image_type") == "image/png" else "image/jpeg"
    return Preview(_prompt(said), node, mime, data)


def _prompt(data: dict[str, JSON]) -> str:
    return a_text(data.get("prompt_id"), limit=200)


def _status(data: dict[str, JSON]) -> Message:
    info = a_dict(a_dict(data.get("status")).get("exec_info"))
    return Status(int(a_number(info.get("queue_remaining"))), a_text(data.get("sid"), limit=200))


def _executing(data: dict[str, JSON]) -> Message:
    node = an_id(data.get("display_node")) or an_id(data.get("node"))
    if node:
        return Executing(_prompt(data), node)
    return Over(_prompt(data))


def _progress(data: dict[str, JSON]) -> Message:
    value, top = a_number(data.get("value")), a_number(data.get("max"))
    return Progress(_prompt(data), an_id(data.get("node")), value, top)


def _progress_state(data: dict[str, JSON]) -> Message:
    nodes = tuple(
        (
            an_id(said.get("display_node_id")) or node,
            a_number(said.get("value")),
            a_number(said.get("max")),
            said.get("state") == "finished",
        )
        for node, said in ((i, a_dict(n)) for i, n in a_dict(data.get("nodes")).items())
    )
    return ProgressState(_prompt(data), nodes)


def _executed(data: dict[str, JSON]) -> Message:
    node = an_id(data.get("display_node")) or an_id(data.get("node"))
    return Executed(_prompt(data), node, read_files(node, data.get("output")))


def _features(data: dict[str, JSON]) -> Message:
    known = data.get("supports_preview_metadata") is True
    return Features(known, int(a_number(data.get("max_upload_size"))))


def _failed(data: dict[str, JSON]) -> Message:
    failure = read_failure(data, {})
    return Failed(_prompt(data), failure, not failure.exception.endswith("ExecutionBlocked"))


def _cached(data: dict[str, JSON]) -> Message:
    return Cached(_prompt(data), frozenset(map(an_id, a_list(data.get("nodes")))))


_READERS: Mapping[str, Callable[[dict[str, JSON]], Message]] = {
    "status": _status,
    "execution_start": lambda data: Started(_prompt(data)),
    "execution_cached": _cached,
    "executing": _executing,
    "progress": _progress,
    "progress_state": _progress_state,
    "executed": _executed,
    "execution_success": lambda data: Succeeded(_prompt(data)),
    "execution_error": _failed,
    "execution_interrupted": lambda data: Interrupted(_prompt(data), an_id(data.get("node_id"))),
    "feature_flags": _features,
}
