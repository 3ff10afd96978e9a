"""Autopsies: rejected images whose cause nobody has looked for, grouped by what they share.

An image is here as long as its walk can still be walked. Nothing is stored for it but the kill:
the pile is read from the log and the tree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, case, func, select, text

from shortlist.domain.autopsies import Open, Part, parts
from shortlist.domain.model import ActKind, WalkAnswer
from shortlist.services.showing import Placed, Shown, placed
from shortlist.store.db import Tx
from shortlist.store.schema import Act

MOST: Final = 500
"""Rejected images that are looked at, the newest; an evening's rejects are fewer."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A rejected image, and the walk that asks about it."""

    walk: str
    candidate: Shown
    step_name: str
    step_order: int


@dataclass(frozen=True, slots=True)
class Group:
    """Rejected images that come from one image, which has `made` of their steps below it.

    `waiting` counts all images of its run in the pile.
    """

    run_id: int
    run_name: str
    ancestor: Shown
    step_name: str
    step_order: int
    rejected: Sequence[Rejected]
    made: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Autopsies:
    """`total` is the number of images in all groups; the largest group comes first."""

    total: int
    groups: Sequence[Group]


def pile(tx: Tx, person: str) -> Autopsies:
    """The images that `person` rejected and whose cause is open."""
    open_ones = _open(tx, person)
    waiting: defaultdict[int, list[_Open]] = defaultdict(list)
    for each in open_ones:
        waiting[each.run_id].append(each)
    made = _made(tx, open_ones)
    found = [part for each in waiting.values() for part in parts(each, made=made)]
    ids = {id for part in found for id in (part.ancestor, *(each.id for each in part.images))}
    images = placed(tx, ids)
    rejections = {each.id: each for each in open_ones}
    groups = [_group(part, rejections, images=images, waiting=waiting) for part in found]
    groups.sort(key=lambda group: (-len(group.rejected), -group.step_order, group.ancestor.id))
    return Autopsies(len(open_ones), groups)


def waiting(tx: Tx, person: str) -> int:
    """How many images are in the pile of `person`."""
    return len(_open(tx, person))


@dataclass(frozen=True, slots=True)
class _Open(Open):
    walk: str
    run_id: int
    run_name: str


KILLS: Final = text(
    """
    SELECT act.id, candidate.id, act.client_id, run.id, run.name, candidate.step_order,
      candidate.path
    FROM kill
    CROSS JOIN act
    JOIN candidate ON candidate.id = kill.candidate_id
    JOIN pipeline_run AS run ON run.id = candidate.pipeline_run_id
    WHERE act.id = kill.act_id AND act.person = :person
      AND act.undone_by IS NULL AND act.walk = act.client_id
      AND NOT kill.void AND kill.blamed_step_id IS NULL AND candidate.path <> '/'
      AND run.status <> 'archived'
      AND candidate.path = (
        SELECT first.path FROM kill AS one JOIN candidate AS first ON first.id = one.candidate_id
        WHERE one.act_id = act.id ORDER BY one.id LIMIT 1)
    ORDER BY act.id DESC, kill.id
    LIMIT :most
    """
)
"""Rejections that stand, began a walk and have no step to blame, newest first. Of two at once
with different parents the walk is about the first. Kills are few and acts many: SQLite takes a
cross join in the order in which it is written."""

MADE: Final = text(
    """
    SELECT elder.id, below.step_order, count(*)
    FROM candidate AS elder
    JOIN candidate AS below
      ON below.path >= elder.path || CAST(elder.id AS TEXT) || '/'
     AND below.path < elder.path || CAST(elder.id AS TEXT) || '0'
    WHERE elder.id IN :ids AND below.step_order IN :orders
    GROUP BY elder.id, below.step_order
    """
).bindparams(bindparam("ids", expanding=True), bindparam("orders", expanding=True))


def _open(tx: Tx, person: str) -> list[_Open]:
    """The rejections whose walk would still ask: not given up, and no other kill came before."""
    kills = tx.execute(KILLS, {"person": person, "most": MOST}).all()
    found = [
        _Open(id, order, tuple(map(int, path.split("/")[1:-1])), walk, run_id, run_name)
        for _, id, walk, run_id, run_name, order, path in kills
    ]
    if not kills:
        return []
    oldest = min(row[0] for row in kills)
    answers = _answers(tx, person, since=oldest, walks={each.walk for each in found})
    elders = placed(tx, {id for each in found for id in each.above})
    return [each for each in found if _asks(each, elders=elders, answers=answers)]


def _asks(each: _Open, *, elders: Mapping[int, Placed], answers: Mapping[str, int | None]) -> bool:
    given = answers.get(each.walk, 0)
    if given is None:
        return False
    return all(elders[id].active for id in each.above[: len(each.above) - given])


def _answers(tx: Tx, person: str, *, since: int, walks: Collection[str]) -> dict[str, int | None]:
    """How many steps each walk went to the left; null for one that was given up."""
    given_up = Act.body["answer"].as_string() == WalkAnswer.DONT_KNOW
    rows = tx.execute(
        select(Act.walk, func.count(), func.sum(case((given_up, 1), else_=0)))
        .where(Act.person == person, Act.id > since, Act.kind == ActKind.WALK)
        .where(Act.undone_by.is_(None), Act.walk.in_(sorted(walks)))
        .group_by(Act.walk)
    )
    return {walk: None if given_up else steps for walk, steps, given_up in rows}


def _made(tx: Tx, found: Sequence[_Open]) -> dict[tuple[int, int], int]:
    """The images below each ancestor of those found, by ancestor and step."""
    ids = sorted({id for each in found for id in each.above})
    orders = sorted({each.step_order for each in found})
    rows = tx.execute(MADE, {"ids": ids, "orders": orders})
    return {(ancestor, order): number for ancestor, order, number in rows}


def _group(
    part: Part,
    rejections: Mapping[int, _Open],
    *,
    images: Mapping[int, Placed],
    waiting: Mapping[int, Sequence[_Open]],
) -> Group:
    first, ancestor = rejections[part.images[0].id], images[part.ancestor]
    return Group(
        run_id=first.run_id,
        run_name=first.run_name,
        ancestor=ancestor.shown,
        step_name=ancestor.step_name,
        step_order=ancestor.step_order,
        rejected=[_rejected(rejections[each.id], images[each.id]) for each in part.images],
        made=part.made,
        waiting=len(waiting[first.run_id]),
    )


def _rejected(each: _Open, image: Placed) -> Rejected:
    return Rejected(each.walk, image.shown, image.step_name, image.step_order)
