"""The vocabulary of bindings: which input of which node plays which part in a step. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from shortlist.comfy.faults import WorkflowFault
from shortlist.comfy.plain import JSON, a_dict, a_list, a_text, is_whole


class Role(StrEnum):
    """The parts a step needs or may set."""

    IMAGE = "image"
    SEED = "seed"
    POSITIVE = "positive"
    NEGATIVE = "negative"
    OUTPUT = "output"
    WIDTH = "width"
    HEIGHT = "height"
    DENOISE = "denoise"
    BATCH = "batch"


class Sure(StrEnum):
    """How much a finding may be relied on; `ASK` wants a person's look."""

    CERTAIN = "certain"
    LIKELY = "likely"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Target:
    """One input of one node; for the output role `input` is empty.

    `top` is the largest number the server takes there, None where it told none.
    """

    node: str
    input: str
    top: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A target a person may choose, with what helps to recognise it."""

    target: Target
    title: str
    class_type: str
    value: JSON
    why: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found for one role: the targets taken, why, how sure, and all that could be meant.

    No target means the workflow has no such part; `why` says so. With `ASK` the targets are the
    best guess.
    """

    role: Role
    targets: tuple[Target, ...]
    why: str
    sure: Sure
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Bindings:
    """Where a step's values go. A role that a workflow lacks has no targets."""

    output: str
    targets: Mapping[Role, tuple[Target, ...]]
    variables: Mapping[str, Target] = field(default_factory=dict)

    def of(self, role: Role) -> tuple[Target, ...]:
        """The targets of a role."""
        return self.targets.get(role, ())

    def to_json(self) -> dict[str, JSON]:
        """As stored with a step."""
        made: dict[str, JSON] = {"output": self.output}
        for role, targets in self.targets.items():
            made[role.value] = [_target_json(target) for target in targets]
        made["variables"] = {name: _target_json(t) for name, t in self.variables.items()}
        return made

    @classmethod
    def from_json(cls, stored: JSON) -> Bindings:
        """From what `to_json` made or a person wrote; `WorkflowFault` names what is malformed."""
        held = a_dict(stored)
        known = {role.value for role in Role} | {"variables"}
        strange = sorted(set(held) - known)
        if strange:
            raise WorkflowFault(f"Bindings know no role {strange[0][:80]!r}.")
        targets: dict[Role, tuple[Target, ...]] = {
            role: tuple(_target(role.value, item) for item in a_list(held.get(role.value)))
            for role in Role
            if role is not Role.OUTPUT and held.get(role.value)
        }
        named = a_dict(held.get("variables"))
        variables = {name: _target(name, item) for name, item in named.items()}
        return cls(a_text(held.get("output"), limit=200), targets, variables)


@dataclass(frozen=True, slots=True)
class Found:
    """All findings, one a role in the order of `Role`, and every input that may vary by run."""

    findings: tuple[Finding, ...]
    inputs: tuple[Choice, ...]

    def of(self, role: Role) -> Finding:
        """The finding of a role."""
        return next(finding for finding in self.findings if finding.role is role)

    @property
    def asks(self) -> tuple[Finding, ...]:
        """The findings a person should look at."""
        return tuple(finding for finding in self.findings if finding.sure is Sure.ASK)

    def bindings(self) -> Bindings:
        """The findings as bindings, best guesses included."""
        output = self.of(Role.OUTPUT).targets
        targets = {f.role: f.targets for f in self.findings if f.role is not Role.OUTPUT}
        return Bindings(
            output=output[0].node if output else "",
            targets={role: held for role, held in targets.items() if held},
        )


def _target_json(target: Target) -> JSON:
    made: dict[str, JSON] = {"node": target.node, "input": target.input}
    if target.top is not None:
        made["top"] = target.top
    return made


LARGEST_SEED: Final = 2**64 - 1
"""No server takes more; a browser, which counts in floats, sends back a little more."""


def _target(role: str, stored: JSON) -> Target:
    held = a_dict(stored)
    node, name = a_text(held.get("node"), limit=200), a_text(held.get("input"), limit=200)
    if not node or not name:
        raise WorkflowFault(f"The binding {role!r} names no node and input.")
    top = held.get("top")
    if not (isinstance(top, int) and is_whole(top)):
        return Target(node, name, None)
    return Target(node, name, min(top, LARGEST_SEED))
