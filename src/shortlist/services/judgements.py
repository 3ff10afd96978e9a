"""What people said of a run's images, read from the rows as evidence.

Void rows were undone and say nothing. Importing this imports numpy: do it where beliefs are asked
for, not where a program starts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from sqlalchemy import bindparam, select, text

from shortlist.domain.evidence import Evidence, Kill, Node, Vote
from shortlist.services.journal import EventKind
from shortlist.store.db import Tx
from shortlist.store.schema import Event, ImageCandidate
from shortlist.store.schema import Vote as VoteRow

Key: TypeAlias = tuple[int, int, int]
"""Where an entry stands in the log: its act, votes before kills, its row."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What the journal tells of a run: images that were `made`, and whose votes (`judged`) or
    kills may read otherwise now."""

    made: Sequence[int]
    judged: Collection[int]
    kills: bool


def changes(tx: Tx, run_id: int, *, after: int, upto: int) -> Changes:
    """What happened in a run after event `after`, up to `upto`."""
    rows = tx.execute(
        select(Event.kind, Event.data).where(
            Event.id > after,
            Event.id <= upto,
            Event.pipeline_run_id == run_id,
            Event.kind.in_([EventKind.CANDIDATE_MADE.value, *_JUDGED]),
        )
    ).all()
    judged: set[int] = set()
    for _, data in rows:
        judged.update(map(int, _list(data.get("ratings"))), map(int, _list(data.get("judged"))))
    return Changes(
        made=[int(str(data["candidate"])) for kind, data in rows if kind not in _JUDGED],
        judged=judged,
        kills=any(kind in _KILLED or "judged" in data for kind, data in rows),
    )


_KILLED: Final = (EventKind.CANDIDATE_REJECTED.value, EventKind.CANDIDATE_RESTORED.value)
_JUDGED: Final = (EventKind.RATED.value, *_KILLED)


def _list(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | dict) else []


def nodes(tx: Tx, run_id: int, *, only: Sequence[int] | None = None) -> list[Node]:
    """The run's images, dead or alive, in their trees; or `only` some of them."""
    image = ImageCandidate
    asked = select(image.id, image.parent_id, image.step_order).where(
        image.pipeline_run_id == run_id
    )
    if only is not None:
        asked = asked.where(image.id.in_(only))
    return [Node(id, parent, step) for id, parent, step in tx.execute(asked)]


def votes(tx: Tx, run_id: int) -> dict[Key, Evidence]:
    """Every vote of a run that stands."""
    asked = _VOTES.where(VoteRow.pipeline_run_id == run_id, VoteRow.void.is_(False))
    return {
        (act, 0, id): Vote(winner, loser, bool(tie))
        for act, id, winner, loser, tie, _ in tx.execute(asked)
    }


def votes_among(tx: Tx, ids: Iterable[int]) -> dict[Key, Evidence | None]:
    """The votes whose two images are both among `ids`; null for one that does not stand."""
    among = sorted(ids)
    asked = _VOTES.where(VoteRow.winner_id.in_(among), VoteRow.loser_id.in_(among))
    return {
        (act, 0, id): None if void else Vote(winner, loser, bool(tie))
        for act, id, winner, loser, tie, void in tx.execute(asked)
    }


_VOTES: Final = select(
    VoteRow.act_id, VoteRow.id, VoteRow.winner_id, VoteRow.loser_id, VoteRow.tie, VoteRow.void
)


def kills(tx: Tx, run_id: int) -> dict[Key, Evidence]:
    """Every kill of a run that stands; of a walk that found its cause, the deepest one alone.

    A walk leaves a kill for each image it rejected. The deepest with the image to blame says all
    that they say together.
    """
    rows = [_Killed(*row) for row in tx.execute(_KILLS, {"run": run_id})]
    passed = {
        (row.person, row.walk, ancestor)
        for row in rows
        if row.blamed_order is not None
        for ancestor in row.ancestors
    }
    return {
        (row.act, 1, row.row): Kill(row.image, row.blamed)
        for row in rows
        if row.blamed_order is None or (row.person, row.walk, row.image) not in passed
    }


@dataclass(frozen=True, slots=True)
class _Killed:
    """One kill. `blamed_order`: the place in the pipeline of the step found to blame."""

    row: int
    act: int
    person: str
    walk: str | None
    image: int
    path: str
    blamed_order: int | None

    @property
    def ancestors(self) -> list[int]:
        """From the base image down; steps follow one another without a gap."""
        return [int(id) for id in self.path.split("/")[1:-1]]

    @property
    def blamed(self) -> int | None:
        lineage = [*self.ancestors, self.image]
        if self.blamed_order is None or self.blamed_order > len(lineage):
            return None
        return lineage[self.blamed_order - 1]


# Kills are few and images many: SQLite takes a cross join in the order in which it is written.
_KILLS: Final = text(
    """
    SELECT kill.id, kill.act_id, act.person, act.walk, candidate.id, candidate.path, step."order"
    FROM kill
    CROSS JOIN candidate
    JOIN act ON act.id = kill.act_id
    LEFT JOIN pipeline_step AS step ON step.id = kill.blamed_step_id
    WHERE NOT kill.void AND candidate.id = kill.candidate_id
      AND candidate.pipeline_run_id = :run
    """
).bindparams(bindparam("run"))
