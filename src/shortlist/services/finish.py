"""The finish line of a step: how surely its best K are known, and how many votes are to go.

Where someone looks, the hub works it out beside the votes, not on their way, and the journal tells
when it moved. Numpy is imported by what needs it, when it is needed.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from shortlist.domain.model import DEFAULT_TOP_K, SETTLED, GateKind, Pin, Rating, RunStatus
from shortlist.services import standing
from shortlist.services.journal import EventKind, append
from shortlist.store.db import Tx
from shortlist.store.memory import Memory
from shortlist.store.schema import PipelineRun, PipelineRunStep, PipelineStep

if TYPE_CHECKING:
    from shortlist.domain.outlook import Outlook
    from shortlist.domain.posterior import Posterior

WATCHED_FOR: Final = timedelta(minutes=5)
"""A step that no page has asked about for so long is not worked out any more."""

MOST_WATCHED: Final = 4
"""Each costs a second of one core after every vote, where thousands of images are in question."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What votes on a step decide: who its best `top` are. `open`: someone is still to decide it.

    `informed`: pairs are chosen for it, so that the votes to go can be told.
    """

    step_id: int
    step_order: int
    top: int
    open: bool
    informed: bool


@dataclass(frozen=True, slots=True)
class Line:
    """How surely (0 to 1) the `top` who would go on now are the best, and about how many votes
    make it sure; null where that is not known."""

    run_id: int
    step_id: int
    step_order: int
    top: int
    settled: float
    votes: int | None

    @property
    def steady(self) -> bool:
        """Further votes will hardly change who goes on."""
        return self.settled >= SETTLED


@dataclass(frozen=True, slots=True)
class Odds:
    """A step's line, and each image's chance (0 to 1) to be among the best K, where it is in
    doubt. `line` is null where there is nothing to settle."""

    line: Line | None
    chances: Mapping[int, float]


def informed_top(tx: Tx, run_id: int, step_order: int) -> int | None:
    """The K that pairs of a step are chosen for; null in a run that chooses them by Elo."""
    found = _decision(tx, run_id, step_order)
    return found.top if found.informed else None


def line(tx: Tx, run_id: int, step_order: int, *, top: int | None, now: datetime) -> Line | None:
    """The line as last worked out; it is worked out anew from now on, for this K or the gate's.

    Null before that, and where nothing is decided.
    """
    decision = _decision(tx, run_id, step_order)
    if not decision.open:
        return None
    spot = Spot(run_id, step_order, top or decision.top)
    return tx.memory.of(Watch).asked(spot, now=now)


def odds(tx: Tx, run_id: int, step_order: int, *, top: int, now: datetime) -> Odds:
    """The odds of a step for a K; the votes to go follow with the line, a moment later."""
    known = tx.memory.of(Watch).asked(Spot(run_id, step_order, top), now=now)
    basis = _basis(tx, run_id, step_order, top=top)
    if basis is None:
        return Odds(None, {})
    decision = _decision(tx, run_id, step_order)
    found = _outlook(basis)
    return Odds(
        Line(
            run_id,
            decision.step_id,
            step_order,
            top,
            found.settled,
            None if known is None else known.votes,
        ),
        found.chances,
    )


def settled(tx: Tx, run_id: int, step_order: int, *, top: int) -> float | None:
    """How surely the `top` who would go on now are the best; null with nothing to settle."""
    basis = _basis(tx, run_id, step_order, top=top)
    return None if basis is None else _outlook(basis).settled


def is_watched(memory: Memory) -> bool:
    """Whether anyone looks at a line at all."""
    return memory.of(Watch).any()


def moved(tx: Tx, *, now: datetime) -> list[Line]:
    """The lines that people look at and that have moved since the last call, worked out."""
    watch = tx.memory.of(Watch)
    found = []
    for spot, seen in watch.due(now):
        decision = _decision(tx, spot.run_id, spot.step_order)
        basis = _basis(tx, spot.run_id, spot.step_order, top=spot.top)
        if basis is None or _stands(seen, basis, decision):
            continue
        now_at = _line(basis, spot, decision)
        watch.worked_out(spot, basis, now_at)
        if now_at != seen.line:
            found.append(now_at)
    return found


def _stands(seen: Seen, basis: Basis, decision: Decision) -> bool:
    """Whether a line still tells all it can: the run may be rated in another way by now."""
    if seen.basis is None or seen.line is None or not basis.same(seen.basis):
        return False
    return decision.informed is (seen.line.votes is not None)


def tell(tx: Tx, lines: Sequence[Line], *, now: datetime) -> None:
    """Writes to the journal where lines stand."""
    for each in lines:
        data: dict[str, object] = {
            "step_id": each.step_id,
            "step_order": each.step_order,
            "top": each.top,
            "settled": each.settled,
            "steady": each.steady,
            "votes": each.votes,
        }
        append(tx, EventKind.SETTLED, run_id=each.run_id, data=data, now=now)


@dataclass(frozen=True, slots=True)
class Spot:
    """What someone looks at: the best `top` of a step."""

    run_id: int
    step_order: int
    top: int


@dataclass(frozen=True, slots=True)
class Basis:
    """All that a line depends on: the beliefs, who is in question, and who of them goes on."""

    posterior: Posterior
    ids: tuple[int, ...]
    chosen: frozenset[int]

    def same(self, other: Basis) -> bool:
        return self.posterior is other.posterior and (self.ids, self.chosen) == (
            other.ids,
            other.chosen,
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """A spot that is looked at: since when for the last time, and what was worked out."""

    asked_at: datetime
    basis: Basis | None = None
    line: Line | None = None


class Watch:
    """The lines that people look at, as last worked out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[Spot, Seen] = {}

    def asked(self, spot: Spot, *, now: datetime) -> Line | None:
        with self._lock:
            seen = replace(self._seen.pop(spot, Seen(now)), asked_at=now)
            self._seen[spot] = seen
            while len(self._seen) > MOST_WATCHED:
                self._seen.pop(next(iter(self._seen)))
            return seen.line

    def any(self) -> bool:
        with self._lock:
            return bool(self._seen)

    def due(self, now: datetime) -> list[tuple[Spot, Seen]]:
        with self._lock:
            kept = self._seen.items()
            self._seen = {spot: s for spot, s in kept if now - s.asked_at < WATCHED_FOR}
            return list(self._seen.items())

    def worked_out(self, spot: Spot, basis: Basis, line: Line) -> None:
        with self._lock:
            if spot in self._seen:
                self._seen[spot] = replace(self._seen[spot], basis=basis, line=line)


def _decision(tx: Tx, run_id: int, step_order: int) -> Decision:
    row = tx.execute(
        select(
            PipelineRunStep.pipeline_step_id,
            PipelineRunStep.approved,
            PipelineRunStep.provisional,
            PipelineRunStep.top_k_count,
            PipelineStep.default_top_k,
            PipelineStep.gate,
            PipelineRun.rating,
            PipelineRun.status,
            PipelineRun.last_order,
        )
        .join(PipelineStep, PipelineStep.id == PipelineRunStep.pipeline_step_id)
        .join(PipelineRun, PipelineRun.id == PipelineRunStep.pipeline_run_id)
        .where(PipelineRunStep.pipeline_run_id == run_id, PipelineRunStep.step_order == step_order)
    ).one()
    last = step_order == row.last_order
    waits = row.gate is not GateKind.AUTO and (not row.approved or row.provisional)
    return Decision(
        step_id=row.pipeline_step_id,
        step_order=step_order,
        top=row.top_k_count or row.default_top_k or DEFAULT_TOP_K,
        open=row.status is RunStatus.ACTIVE and (last or (step_order > 1 and waits)),
        informed=row.rating != Rating.ELO,
    )


def _basis(tx: Tx, run_id: int, step_order: int, *, top: int) -> Basis | None:
    """Pinned images are a person's word and in no doubt; the others compete for what they leave."""
    from shortlist.services import beliefs

    ranked = standing.ranked(tx, run_id, step_order)
    free = [image.id for image in ranked if image.pin is None]
    places = top - sum(image.pin is Pin.ALWAYS for image in ranked)
    if not 0 < places < len(free):
        return None
    return Basis(beliefs.posterior(tx, run_id), tuple(free), frozenset(free[:places]))


def _outlook(basis: Basis) -> Outlook:
    import numpy as np

    from shortlist.domain.outlook import outlook

    rng = np.random.default_rng(len(basis.ids))
    return outlook(basis.posterior, basis.ids, chosen=basis.chosen, rng=rng)


def _line(basis: Basis, spot: Spot, decision: Decision) -> Line:
    sure = _outlook(basis).settled
    votes = _votes_to_go(basis) if decision.informed else None
    return Line(spot.run_id, decision.step_id, spot.step_order, spot.top, sure, votes)


def _votes_to_go(basis: Basis) -> int:
    import numpy as np

    from shortlist.domain.settled import finish_line

    rng = np.random.default_rng(len(basis.ids))
    return finish_line(basis.posterior, basis.ids, top=len(basis.chosen), rng=rng).votes
