"""What a simulator can be told: where its files live, how fast it is, which ComfyUI it resembles
and what goes wrong with it. Only values and the small counter that spends faults live here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shortlist.simulator.nodes import NodeClass


class Version(Enum):
    """The ComfyUI a simulator resembles; the value is the version it reports."""

    OLD = "0.3.64"
    """The measured one: no job routes, ids of any form."""
    MID = "0.24.1"
    """Job routes without cancel; a cached run without `client_id` lists no outputs."""
    NEW = "0.38.1"
    """Job routes with cancel; ids must be UUIDs; file entries carry `metadata` and `id`."""


class FaultKind(Enum):
    """One thing that goes wrong. The first group happens when a node starts."""

    RAISE = "a node raises an ordinary error"
    OUT_OF_MEMORY = "a node runs out of memory"
    INTERRUPT = "a node raises the interrupt that nobody asked for"
    BLOCK = "a node blocks its branch and the job goes on without it"
    HANG = "a node never ends, and no interrupt reaches it"
    SLOW = "a node takes `seconds` longer and reports nothing meanwhile"
    KILL_WORKER = "the worker dies with the job in its hands; HTTP goes on"
    DROP_SOCKETS = "all sockets are closed"
    SILENCE_SOCKETS = "all sockets stay open and never hear anything again"

    LATE_HISTORY = "the history entry comes `seconds` after execution_success"
    LOSE_HISTORY = "the history entry is evicted at once"
    LOSE_ANSWER = "POST /prompt is applied, but its answer is cut off"
    TRUNCATE_VIEW = "a download is cut off in the middle"
    SLOW_VIEW = "a download's second half comes after `seconds`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault and when it strikes; `None` matches every node class or prompt."""

    kind: FaultKind
    node_class: str | None = None
    prompt_id: str | None = None
    seconds: float = 0.0
    text: str = "boom: bad tensor"
    skip: int = 0
    """How many matching occasions pass unharmed first."""
    times: int = 1
    """How many occasions are struck after those."""


@dataclass(slots=True)
class FaultScript:
    """The faults that are still to come; tests add to it while the simulator runs."""

    faults: list[Fault] = field(default_factory=list)
    _seen: dict[int, int] = field(default_factory=dict)

    def add(self, fault: Fault) -> None:
        self.faults.append(fault)

    def strike(
        self, kinds: frozenset[FaultKind], *, node_class: str = "", prompt_id: str = ""
    ) -> Fault | None:
        """The fault that strikes on this occasion, which uses up one of its times."""
        for place, fault in enumerate(self.faults):
            fits = fault.node_class in (None, node_class) and fault.prompt_id in (None, prompt_id)
            if fault.kind not in kinds or not fits:
                continue
            self._seen[place] = self._seen.get(place, 0) + 1
            if fault.skip < self._seen[place] <= fault.skip + fault.times:
                return fault
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorOptions:
    """How one simulator is set up."""

    folder: Path
    """Holds `input`, `output` and `temp`, made when missing."""
    version: Version = Version.OLD
    seconds_per_image: float = 0.5
    """Time a sampling pass takes; the drawing itself is part of it."""
    load_seconds: float = 0.0
    """Charged when a pass needs another model than the pass before it."""
    faults: tuple[Fault, ...] = ()
    extra_nodes: Mapping[str, NodeClass] = field(default_factory=dict)
    max_upload_bytes: int = 100 * 1024 * 1024
    max_history: int = 10_000
