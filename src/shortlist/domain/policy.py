"""The rule `adaptive`: the frontier action worth most for its cost, and why.

A run's tree, what is believed of its images and where more may be made go in, one action and its
reason come out. An action is a new base image, or one more image from a parent that has room. Who
has room is the caller's to say: gates, N, T and holds are not known here. Importing this module
imports numpy, like `posterior`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shortlist.domain.evidence import Node
from shortlist.domain.information import chance
from shortlist.domain.laplace import Floats, Integers
from shortlist.domain.model import DEFAULT_TOP_K
from shortlist.domain.posterior import POINTS, Posterior
from shortlist.errors import BadInput

Flags = NDArray[np.bool_]

DRAWS: Final = 16
"""Draws of all values that one decision looks at: enough to tell options apart, few enough that
luck still spreads the choices."""

HOPE: Final = 1.0
"""Spreads of the steps to come that an image is credited with, because of several children the
best goes on."""

SHARE: Final = 0.5
"""No base image's family is fed beyond this part of the run, so that variety stays."""

YOUNG: Final = 12
"""Images of a run from which shares are looked at."""

LEAST_SECONDS: Final = 0.01
"""No image is taken to cost less."""

IMAGINED: Final = 4.0
"""Imagined children, as often rejected as its step's are on average, that a parent begins with."""

HOPELESS: Final = 3
"""A parent is fed no more once it has so many children and all were rejected."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run. `seconds` for one image, null where not measured: then as much as the
    others; `made` and `rejected` images so far."""

    seconds: float | None = None
    made: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Frontier:
    """Where a run can grow.

    `room`: parents that may get another child. `base`: a base image may be begun. `finished`:
    images of the last step that are in play. `newer`: images the posterior does not know yet,
    those in flight among them, parents before children. `children`: how many children parents
    have, and how many of those were rejected; none where not named. `top`: how many of the best
    count. `fills`: parents with room are all fed in the end, as a gate asks for.
    """

    steps: Sequence[Step]
    room: Sequence[int]
    base: bool
    finished: Sequence[int] = ()
    newer: Sequence[Node] = ()
    children: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    top: int = DEFAULT_TOP_K
    fills: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """One frontier action. `parent` is null for a new base image. `odds`: the chance that what is
    begun ends as one of the best; `seconds` of rendering until then, null where not measured."""

    parent: int | None
    step: int
    odds: float
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and what came second, in another family: null where there is no other."""

    taken: Option
    second: Option | None
    options: int


def decide(posterior: Posterior, frontier: Frontier, *, seed: int) -> Decision | None:
    """The action worth most, or null where there is none. Equal arguments, equal decisions.

    Raises `BadInput` for an image with room, or finished, that is not in the tree.
    """
    family = _family(posterior, frontier)
    values = _drawn(posterior, family, rng=np.random.default_rng(seed))
    places = _options(family, frontier)
    if not len(places):
        return None
    worth = _worth(family, frontier, values=values, places=places)
    places = places[np.argsort(-worth, kind="stable")]
    roots = np.append(family.root, -1)[places]
    others = np.flatnonzero(roots != roots[0])
    second = int(places[others[0]]) if len(others) else None
    return Decision(
        taken=_option(family, frontier, int(places[0]), values=values),
        second=None if second is None else _option(family, frontier, second, values=values),
        options=len(places),
    )


def held(said: object, posterior: Posterior, frontier: Frontier) -> Decision | None:
    """What another policy said, if it is among what was offered; raises `BadInput` otherwise."""
    if said is None:
        return None
    if not isinstance(said, Decision):
        raise BadInput("It answered with something else than a Decision.")
    option, step = said.taken, 1
    if option.parent is None and not frontier.base:
        raise BadInput("It began a base image where none may be begun.")
    if option.parent is not None:
        if option.parent not in frontier.room:
            raise BadInput(f"It took image {option.parent}, which has no room.")
        family = _family(posterior, frontier)
        step = int(family.step[_at(family.index, option.parent)]) + 1
    return replace(said, taken=replace(option, step=step))


@dataclass(frozen=True, slots=True)
class _Family:
    """The run as arrays, in log odds: the posterior's tree, then what is newer.

    `parent` and `root` are places, -1 above a base image. `spread` and `shift`, by step: how far
    images stand apart from their parents, and above them on average. `mean` and `left`: the mean
    and the spread of what the steps after each one will add; from the first, index 0, all of it.
    """

    ids: Sequence[int]
    index: Mapping[int, int]
    parent: Integers
    step: Integers
    root: Integers
    finished: Integers
    spread: Floats
    shift: Floats
    mean: Floats
    left: Floats


def _family(posterior: Posterior, frontier: Frontier) -> _Family:
    tree, newer = posterior.tree, frontier.newer
    ids = [*tree.ids, *(node.id for node in newer)]
    index = {**tree.index, **{node.id: len(tree.ids) + n for n, node in enumerate(newer)}}
    above = [-1 if node.parent is None else _at(index, node.parent) for node in newer]
    parent = np.append(tree.parent, np.array(above, dtype=np.int64))
    step = np.append(tree.step, np.array([node.step for node in newer], dtype=np.int64))
    last, spreads = len(frontier.steps), posterior.spreads
    apart = [spreads.base, *(spreads.steps.get(n, spreads.step) for n in range(2, last + 1))]
    spread, shift = np.array(apart) / POINTS, _shifts(posterior, last=last)
    return _Family(
        ids=ids,
        index=index,
        parent=parent,
        step=step,
        root=_roots(parent, len(tree.ids), levels=tree.levels),
        finished=_places(index, frontier.finished),
        spread=spread,
        shift=shift,
        mean=_to_come(shift),
        left=np.sqrt(_to_come(spread**2)),
    )


def _at(index: Mapping[int, int], id: int) -> int:
    return int(_places(index, (id,))[0])


def _places(index: Mapping[int, int], ids: Collection[int]) -> Integers:
    try:
        return np.fromiter(map(index.__getitem__, ids), dtype=np.int64, count=len(ids))
    except KeyError as missing:
        raise BadInput(f"Image {missing} is not among the images of the run.") from None


def _roots(parent: Integers, known: int, *, levels: Sequence[Integers]) -> Integers:
    """The place of each one's base image."""
    root = np.arange(len(parent))
    for level in levels[1:]:
        root[level] = root[parent[level]]
    for place in range(known, len(parent)):
        if parent[place] >= 0:
            root[place] = root[parent[place]]
    return root


def _to_come(each: Floats) -> Floats:
    """For images of each step, from none made yet to the last one, the sum over later steps."""
    return np.append(np.cumsum(each[::-1])[::-1], 0.0)


def _shifts(posterior: Posterior, *, last: int) -> Floats:
    """How much better than its parent an image of each step is on average, as far as people said:
    drawn to 0 by a few imagined children. Base images are at 0 by definition."""
    tree, judged = posterior.tree, posterior.skeleton
    child = judged[tree.parent[judged] >= 0]
    gain = posterior.mean[child] - posterior.mean[tree.parent[child]]
    step = tree.step[child] - 1
    total = np.bincount(step, weights=gain, minlength=last)[:last]
    return np.asarray(total / (np.bincount(step, minlength=last)[:last] + IMAGINED))


def _drawn(posterior: Posterior, family: _Family, *, rng: np.random.Generator) -> Floats:
    """Values of all images, a row a draw: jointly for those with evidence, down the tree for the
    others."""
    tree, judged = posterior.tree, posterior.skeleton
    values = rng.standard_normal((DRAWS, len(family.ids))) * family.spread[family.step - 1]
    if posterior.covariance is not None:
        values[:, judged] = posterior.mean[judged] + _correlated(posterior.covariance, rng=rng)
    open_: Flags = np.ones(len(tree.ids), dtype=np.bool_)
    open_[judged] = False
    for depth, level in enumerate(tree.levels):
        if posterior.covariance is None:
            _follow(posterior, values, level=level[~open_[level]], rng=rng)
        here = level[open_[level]]
        if depth:
            values[:, here] += values[:, tree.parent[here]] + family.shift[family.step[here] - 1]
    for place in range(len(tree.ids), len(family.ids)):
        if (up := int(family.parent[place])) >= 0:
            values[:, place] += values[:, up] + family.shift[family.step[place] - 1]
    return values


def _correlated(covariance: Floats, *, rng: np.random.Generator) -> Floats:
    root = np.linalg.cholesky(covariance + np.eye(len(covariance)) * 1e-9)
    return np.asarray(rng.standard_normal((DRAWS, len(covariance))) @ root.T)


def _follow(
    posterior: Posterior, values: Floats, *, level: Integers, rng: np.random.Generator
) -> None:
    """Draws the values of judged images given their parents': exact along each edge of the tree,
    where the whole covariance was too large to write out."""
    up, own = posterior.tree.parent[level], posterior.variance[level]
    row = np.searchsorted(posterior.skeleton, level)
    above = np.where(up >= 0, posterior.variance[up], 1.0)
    shared = np.where(up >= 0, (own + above - posterior.gap[row]) / 2, 0.0)
    slope = shared / above
    rest = np.sqrt(np.maximum(own - slope * shared, 0.0))
    known = np.where(up >= 0, values[:, up] - posterior.mean[up], 0.0)
    noise = rng.standard_normal((DRAWS, len(level))) * rest
    values[:, level] = posterior.mean[level] + slope * known + noise


def _options(family: _Family, frontier: Frontier) -> Integers:
    """The places of the parents that may be fed, and -1 where a base image may be begun.

    Left out are parents without hope, and those of too large a family where there is other work.
    Until as many are finished as count, only what is furthest on and has no child yet.
    """
    fed = [id for id in frontier.room if _is_hopeful(frontier, id)]
    if frontier.fills and not fed:
        fed = list(frontier.room)
    room = _places(family.index, fed)
    fair = room[_fair(family)[family.root[room]]]
    room = fair if len(fair) or frontier.base else room
    if len(frontier.finished) < frontier.top:
        childless = [_children(frontier, family.ids[at])[0] == 0 for at in room.tolist()]
        first = room[np.array(childless, dtype=np.bool_)]
        if len(first):
            return np.asarray(first[family.step[first] == family.step[first].max()])
    return np.append(room, -1) if frontier.base else room


def _children(frontier: Frontier, id: int) -> tuple[int, int]:
    return frontier.children.get(id, (0, 0))


def _is_hopeful(frontier: Frontier, id: int) -> bool:
    made, rejected = _children(frontier, id)
    return made < HOPELESS or rejected < made


def _fair(family: _Family) -> Flags:
    """By place of a base image: whether its family is no larger than it may be."""
    sizes = np.bincount(family.root, minlength=len(family.ids))
    if len(family.ids) < YOUNG:
        return np.ones(len(family.ids), dtype=np.bool_)
    return np.asarray(sizes < SHARE * len(family.ids))


def _worth(family: _Family, frontier: Frontier, *, values: Floats, places: Integers) -> Floats:
    """What each option is expected to add to the promise of the best, by the second it takes.

    An image promises what it would end as, with luck: its value, what later steps add on
    average, and `HOPE` times their spread. The bar is the promise of the `top`-th best of all that
    can still grow or is finished, in the same draw. So what is already promised by others is worth
    nothing again, and a family that was drawn well in all its members is fed no more.
    """
    step = np.append(family.step, 0)[places]  # the last place stands for what is not begun
    value = np.pad(values, ((0, 0), (0, 1)))[:, places]
    ends = value + family.mean[step] + HOPE * family.left[step + 1]
    gain = _expected_gain(ends - _bar(family, frontier, values=values), family.spread[step])
    kept = _kept(family, frontier, places)
    return np.asarray(kept * gain.mean(axis=0) / _costs(frontier)[step])


def _bar(family: _Family, frontier: Frontier, *, values: Floats) -> Floats:
    """By draw, a column: the promise of the last of the best `top`; low while there are fewer."""
    newer = np.arange(len(family.ids) - len(frontier.newer), len(family.ids))
    room = _places(family.index, frontier.room)
    places = np.unique(np.concatenate([room, family.finished, newer]))
    step = family.step[places]
    promise = values[:, places] + family.mean[step] + HOPE * family.left[step]
    if len(places) < frontier.top:
        low = promise.min(axis=1, initial=0.0) - family.left[0]
        return np.asarray(low[:, None])
    at = len(places) - frontier.top
    return np.asarray(np.partition(promise, at, axis=1)[:, at, None])


def _expected_gain(ahead: Floats, spread: Floats) -> Floats:
    """How far a normal value, `ahead` of the bar on average, comes above it in expectation."""
    spread = np.maximum(spread, 1e-9)
    far = ahead / spread
    density = np.exp(-(far**2) / 2) / math.sqrt(2 * math.pi)
    return np.asarray(spread * (far * chance(far) + density))


def _costs(frontier: Frontier) -> Floats:
    """Seconds of each step, for comparison: one not measured costs what the others do."""
    measured = [step.seconds for step in frontier.steps if step.seconds is not None]
    usual = sum(measured) / len(measured) if measured else 1.0
    told = [usual if step.seconds is None else step.seconds for step in frontier.steps]
    return np.asarray(np.maximum(np.array(told), LEAST_SECONDS))


def _seconds(steps: Sequence[Step]) -> float | None:
    """Of all these steps together; null where one was not measured."""
    told = [step.seconds for step in steps if step.seconds is not None]
    return sum(told) if len(told) == len(steps) else None


def _kept(family: _Family, frontier: Frontier, places: Integers) -> Floats:
    """The chance that what is begun there is not rejected, nor what is made of it."""
    rates = np.array([(step.rejected + 0.5) / (step.made + IMAGINED) for step in frontier.steps])
    later = np.append(np.cumprod((1 - rates)[::-1])[::-1], 1.0)
    step = np.append(family.step, 0)[places]
    told = [(0, 0) if at < 0 else _children(frontier, family.ids[at]) for at in places.tolist()]
    made, rejected = np.array(told, dtype=np.float64).reshape(-1, 2).T
    own = (rejected + IMAGINED * rates[step]) / (made + IMAGINED)
    return np.asarray((1 - own) * later[step + 1])


def _option(family: _Family, frontier: Frontier, place: int, *, values: Floats) -> Option:
    step = 0 if place < 0 else int(family.step[place])
    value = np.zeros(len(values)) if place < 0 else values[:, place]
    finished = values[:, family.finished]
    odds = 1.0
    if finished.shape[1] >= frontier.top:
        at = finished.shape[1] - frontier.top
        ahead = value + family.mean[step] - np.partition(finished, at, axis=1)[:, at]
        odds = float(chance(ahead / max(float(family.left[step]), 1e-9)).mean())
    return Option(
        parent=None if place < 0 else family.ids[place],
        step=step + 1,
        odds=odds * float(_kept(family, frontier, np.array([place]))[0]),
        seconds=_seconds(frontier.steps[step:]),
    )
