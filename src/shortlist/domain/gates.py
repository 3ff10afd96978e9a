"""Gates (spec section 4): the state of a step in a run, and who is let through."""

from __future__ import annotations

from dataclasses import dataclass

from shortlist.domain.model import GateKind, GateState


@dataclass(frozen=True, slots=True)
class Column:
    """What the state of one step in one run depends on.

    `open_parents`: advancing images of the step before that still lack children.
    """

    approved: bool
    approved_before: bool
    open_parents: int
    in_flight: int


def state(column: Column) -> GateState:
    """The state shown for a step: approved, blocked, generating or awaiting approval."""
    if column.approved:
        return GateState.APPROVED
    if not column.approved_before:
        return GateState.BLOCKED
    if column.open_parents or column.in_flight:
        return GateState.GENERATING
    return GateState.AWAITING


def approved_at_birth(*, order: int, gate: GateKind) -> bool:
    """Whether a run begins with this step's gate open: the first step, and every `auto` gate."""
    return order == 1 or gate is GateKind.AUTO


def is_gated(gates: list[GateKind]) -> bool:
    """Whether a run waits for a person anywhere; `gates` in step order, the first never counts."""
    return any(gate is not GateKind.AUTO for gate in gates[1:])
