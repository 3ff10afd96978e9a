"""Autopsies: rejected images whose cause nobody has looked for, grouped by what they share.

An image is here as long as its walk can still be walked. Nothing is stored for it but the kill:
the pile is read from the log and the tree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Text, bindparam, text

from shortlist.domain.model import WalkAnswer
from shortlist.services.showing import Placed, Shown, placed
from shortlist.store.db import Tx

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
    found = [part for each in waiting.values() for part in _parts(each, made=made)]
    ids = {id for part in found for id in (part.ancestor, *(each.id for each in part.images))}
    images = placed(tx, ids)
    groups = [_group(part, images=images, waiting=waiting) for part in found]
    groups.sort(key=lambda group: (-len(group.rejected), -group.step_order, group.ancestor.id))
    return Autopsies(len(open_ones), groups)


@dataclass(frozen=True, slots=True)
class _Open:
    """A rejected image whose cause is open; `above` are its ancestors, the base first."""

    id: int
    walk: str
    run_id: int
    run_name: str
    step_order: int
    above: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """What one ancestor explains."""

    ancestor: int
    images: Sequence[_Open]
    made: int


KILLS: Final = text(
    """
    SELECT act.id, candidate.id, act.client_id, run.id, run.name, candidate.step_order,
      candidate.path
    FROM act
    JOIN kill ON kill.act_id = act.id
    JOIN candidate ON candidate.id = kill.candidate_id
    JOIN pipeline_run AS run ON run.id = candidate.pipeline_run_id
    WHERE act.person = :person AND act.undone_by IS NULL AND act.walk = act.client_id
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
with different parents the walk is about the first."""

ANSWERS: Final = text(
    f"""
    SELECT walk, count(*),
      sum(CASE WHEN CAST(body AS TEXT) LIKE '%"{WalkAnswer.DONT_KNOW}"%' THEN 1 ELSE 0 END)
    FROM act
    WHERE person = :person AND id > :since AND kind = 'walk' AND undone_by IS NULL
      AND walk IN :walks
    GROUP BY walk
    """  # noqa: S608 made of the rules' own words
).bindparams(bindparam("walks", expanding=True, type_=Text()))

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
        _Open(id, walk, run_id, run_name, order, tuple(map(int, path.split("/")[1:-1])))
        for _, id, walk, run_id, run_name, order, path in kills
    ]
    oldest = min((row[0] for row in kills), default=0)
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
    rows = tx.execute(ANSWERS, {"person": person, "since": since, "walks": sorted(walks)})
    return {walk: None if given_up else steps for walk, steps, given_up in rows}


def _made(tx: Tx, found: Sequence[_Open]) -> dict[tuple[int, int], int]:
    """The images below each ancestor of those found, by ancestor and step."""
    ids = sorted({id for each in found for id in each.above})
    orders = sorted({each.step_order for each in found})
    rows = tx.execute(MADE, {"ids": ids, "orders": orders})
    return {(ancestor, order): number for ancestor, order, number in rows}


def _parts(found: Sequence[_Open], *, made: Mapping[tuple[int, int], int]) -> list[_Part]:
    """Shares the images of one run out among their ancestors, the best explanation first.

    An ancestor explains the more, the more of the images come from it and the fewer good ones do;
    of two that explain as much, the closer one.
    """
    left, parts = list(found), list[_Part]()
    while left:
        below: defaultdict[int, list[_Open]] = defaultdict(list)
        depth: dict[int, int] = {}
        for each in left:
            for level, ancestor in enumerate(each.above):
                below[ancestor].append(each)
                depth[ancestor] = level
        candidates = [
            _Part(ancestor, images, _siblings(ancestor, images, made=made))
            for ancestor, images in below.items()
        ]
        best = max(
            candidates,
            key=lambda part: (
                len(part.images) ** 2 / part.made,
                depth[part.ancestor],
                -part.ancestor,
            ),
        )
        parts.append(best)
        left = [each for each in left if best.ancestor not in each.above]
    return parts


def _siblings(
    ancestor: int, images: Sequence[_Open], *, made: Mapping[tuple[int, int], int]
) -> int:
    return sum(made[ancestor, order] for order in {each.step_order for each in images})


def _group(
    part: _Part, *, images: Mapping[int, Placed], waiting: Mapping[int, Sequence[_Open]]
) -> Group:
    first, ancestor = part.images[0], images[part.ancestor]
    return Group(
        run_id=first.run_id,
        run_name=first.run_name,
        ancestor=ancestor.shown,
        step_name=ancestor.step_name,
        step_order=ancestor.step_order,
        rejected=[_rejected(each, images[each.id]) for each in part.images],
        made=part.made,
        waiting=len(waiting[first.run_id]),
    )


def _rejected(each: _Open, image: Placed) -> Rejected:
    return Rejected(each.walk, image.shown, image.step_name, image.step_order)
