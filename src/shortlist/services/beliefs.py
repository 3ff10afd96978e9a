"""What is believed of each image of a run: the posterior of all votes and kills that stand.

It is computed from the rows and kept in memory for the runs asked for last. The journal tells what
changed since, so that one more vote costs one more step and not the whole log; what comes out is
what a reading of the whole log gives. Importing this imports numpy: do it where beliefs are asked
for.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from shortlist.domain.evidence import Evidence, Node, Tree
from shortlist.domain.model import Rating
from shortlist.domain.posterior import Posterior, Spreads, fit, learn
from shortlist.domain.rated import independent
from shortlist.errors import BadInput
from shortlist.services import journal, judgements, plugins, ratings
from shortlist.services.judgements import Changes, Key
from shortlist.services.plugins import Kind
from shortlist.store.db import Tx

MOST_RUNS: Final = 8
"""Runs kept in memory; one of ten thousand images takes some ten megabytes."""

TOO_FAR: Final = 5_000
"""So many events behind, the whole log is read sooner than what changed."""

LEARN_AT: Final = (16, 32, 64, 128, 256, 512)
"""Spreads are learnt from the first so many entries of the log, the most that there are.

They move little from vote to vote and cost many solutions. Because the log alone says from what
they are learnt, every process comes to the same beliefs.
"""


def posterior(tx: Tx, run_id: int) -> Posterior:
    """What the log of a run says of its images, as of this transaction or a moment later."""
    kept = tx.memory.of(Runs).of(run_id)
    with kept.lock:
        state = _as_of_now(tx, run_id, kept.state)
        if not tx.announced:  # else it may know of rows that are never committed
            kept.state = state
    return state.posterior


@dataclass(frozen=True, slots=True)
class Learnt:
    """The spreads, and the part of the log they were learnt from: `count` entries up to `last`."""

    spreads: Spreads
    count: int
    last: Key | None


@dataclass(frozen=True, slots=True)
class State:
    """The beliefs of one run by its `rating`, and the log behind them as of event `version`."""

    rating: str
    version: int
    nodes: tuple[Node, ...]
    entries: Mapping[Key, Evidence]
    learnt: Learnt
    posterior: Posterior


class Kept:
    """The place of one run; whoever brings it up to date holds the lock."""

    __slots__ = ("lock", "state")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.state: State | None = None


class Runs:
    """The runs whose beliefs were asked for last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: OrderedDict[int, Kept] = OrderedDict()

    def of(self, run_id: int) -> Kept:
        with self._lock:
            kept = self._runs.setdefault(run_id, Kept())
            self._runs.move_to_end(run_id)
            while len(self._runs) > MOST_RUNS:
                self._runs.popitem(last=False)
        return kept


def _as_of_now(tx: Tx, run_id: int, state: State | None) -> State:
    last, rating = journal.last(tx), _rating(tx, run_id)
    if state is None or state.rating != rating or last - state.version > TOO_FAR:
        return _read(tx, run_id, rating=rating, version=last)
    if last <= state.version:
        return state
    if journal.oldest(tx) > state.version + 1:
        return _read(tx, run_id, rating=rating, version=last)
    changes = judgements.changes(tx, run_id, after=state.version, upto=last)
    return _followed(tx, run_id, state, changes=changes, version=last)


def _rating(tx: Tx, run_id: int) -> str:
    """The rating that beliefs come from: our own in a run that is rated by Elo."""
    name = ratings.of_run(tx, run_id)
    return Rating.TREE if name == Rating.ELO else name


def _read(tx: Tx, run_id: int, *, rating: str, version: int) -> State:
    """From the rows alone. Votes before images: whatever has a vote is then among the images."""
    entries = {**judgements.votes(tx, run_id), **judgements.kills(tx, run_id)}
    nodes = tuple(judgements.nodes(tx, run_id))
    tree = Tree(nodes)
    learnt = _learnt(tree, entries)
    found = _fitted(rating, tree, nodes=nodes, entries=entries, spreads=learnt.spreads)
    return State(rating, version, nodes, entries, learnt, found)


def _fitted(
    rating: str,
    tree: Tree,
    *,
    nodes: Sequence[Node],
    entries: Mapping[Key, Evidence],
    spreads: Spreads,
) -> Posterior:
    if rating == Rating.TREE:
        return fit(tree, entries.values(), spreads=spreads)
    return _foreign(rating, tree, nodes=nodes, entries=entries)


def _foreign(
    rating: str, tree: Tree, *, nodes: Sequence[Node], entries: Mapping[Key, Evidence]
) -> Posterior:
    """What an installed package makes of the log."""
    rate = plugins.load(Kind.RATING, rating)
    if not callable(rate):
        raise plugins.broken(Kind.RATING, rating, "it is no function")
    try:
        told = rate(nodes, [entries[key] for key in sorted(entries)])
        if not isinstance(told, Mapping):
            raise BadInput("it gave no ratings by image")
        return independent(tree, told)
    except Exception as error:  # a stranger's function may fail in any way
        raise plugins.broken(Kind.RATING, rating, str(error) or type(error).__name__) from error


def _followed(tx: Tx, run_id: int, state: State, *, changes: Changes, version: int) -> State:
    """The state once what changed is read and counted."""
    now = _entries(tx, run_id, state.entries, changes=changes)
    nodes = _nodes(tx, run_id, state, made=changes.made)
    tree = state.posterior.tree if nodes is state.nodes else Tree(nodes)
    differing = [key for key in {*now, *state.entries} if now.get(key) != state.entries.get(key)]
    if not differing and nodes is state.nodes:
        return replace(state, version=version)
    learnt = state.learnt
    if _count(now) != learnt.count or _touch(learnt, differing):
        learnt = _learnt(tree, now)
    grown = nodes is not state.nodes or learnt.spreads != state.learnt.spreads
    if grown or state.rating != Rating.TREE:
        found = _fitted(state.rating, tree, nodes=nodes, entries=now, spreads=learnt.spreads)
    else:
        found = state.posterior.after(*_of(now, differing), undone=_of(state.entries, differing))
    return State(state.rating, version, nodes, now, learnt, found)


def _entries(
    tx: Tx, run_id: int, entries: Mapping[Key, Evidence], *, changes: Changes
) -> dict[Key, Evidence]:
    now = dict(entries)
    if changes.kills:
        now = {key: entry for key, entry in now.items() if key[1] == 0}
        now |= judgements.kills(tx, run_id)
    for key, entry in judgements.votes_among(tx, changes.judged).items():
        if entry is None:
            now.pop(key, None)
        else:
            now[key] = entry
    return now


def _nodes(tx: Tx, run_id: int, state: State, *, made: Iterable[int]) -> tuple[Node, ...]:
    known = state.posterior.tree.index
    fresh = [id for id in made if id not in known]
    if not fresh:
        return state.nodes
    return (*state.nodes, *judgements.nodes(tx, run_id, only=fresh))


def _of(entries: Mapping[Key, Evidence], keys: Iterable[Key]) -> list[Evidence]:
    return [entries[key] for key in keys if key in entries]


def _count(entries: Collection[Key]) -> int:
    """How many entries the spreads are learnt from."""
    return max((count for count in LEARN_AT if count <= len(entries)), default=0)


def _touch(learnt: Learnt, keys: Iterable[Key]) -> bool:
    return learnt.last is not None and any(key <= learnt.last for key in keys)


def _learnt(tree: Tree, entries: Mapping[Key, Evidence]) -> Learnt:
    count = _count(entries)
    if count == 0:
        return Learnt(Spreads(), 0, None)
    first = sorted(entries)[:count]
    return Learnt(learn(tree, _of(entries, first), before=Spreads()), count, first[-1])
