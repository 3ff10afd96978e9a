"""What the ratings are made from: a run's tree, and its log of votes and kills as counts of pairs.

Counts forget the order of the log, so whatever is computed from them does too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from shortlist.domain.laplace import Floats, Integers
from shortlist.errors import BadInput


class Node(NamedTuple):
    """A candidate in its tree; `parent` is null for a base image. A tuple: thousands at once."""

    id: int
    parent: int | None
    step: int


class Vote(NamedTuple):
    """One comparison, of any two candidates, a child and its parent included."""

    winner: int
    loser: int
    tie: bool = False


class Kill(NamedTuple):
    """A kill. `blamed` is the candidate at which it went wrong: the killed one or an ancestor of
    it; null where the person did not say."""

    killed: int
    blamed: int | None = None


Evidence: TypeAlias = Vote | Kill


class Tree:
    """The candidates of a run, parents before children. Raises `BadInput` for an orphan."""

    __slots__ = ("ids", "index", "levels", "parent", "step")

    def __init__(self, nodes: Iterable[Node]) -> None:
        ordered = _by_depth({node.id: node for node in nodes})
        self.index = {node.id: at for at, (_, node) in enumerate(ordered)}
        self.ids = [node.id for _, node in ordered]
        self.step: Integers = np.array([node.step for _, node in ordered], dtype=np.int64)
        self.parent: Integers = np.array(
            [-1 if node.parent is None else self.index[node.parent] for _, node in ordered],
            dtype=np.int64,
        )
        depths = np.array([depth for depth, _ in ordered], dtype=np.int64)
        cuts = np.flatnonzero(np.diff(depths)) + 1
        self.levels: Sequence[Integers] = np.split(np.arange(len(ordered)), cuts)

    def at(self, id: int) -> int:
        try:
            return self.index[id]
        except KeyError:
            raise BadInput(f"Image {id} is not among the candidates that are rated.") from None


def _by_depth(nodes: Mapping[int, Node]) -> list[tuple[int, Node]]:
    """Each node with its depth, by depth and id."""
    depths: dict[int, int] = {}
    for node in nodes.values():
        path = [node]
        while path[-1].id not in depths and (up := path[-1].parent) is not None:
            if up not in nodes:
                raise BadInput(f"Image {path[-1].id} has a parent, {up}, that is not given.")
            if len(path) > len(nodes):
                raise BadInput(f"Image {node.id} is its own ancestor.")
            path.append(nodes[up])
        for each in reversed(path):
            depths[each.id] = 0 if each.parent is None else depths[each.parent] + 1
    return sorted((depths[node.id], node) for node in nodes.values())


@dataclass(frozen=True, slots=True)
class Tally:
    """The log as counts: `won` times `one` beat `other`, `lost` times the reverse, one row a pair.

    Sorted by pair, so that the order of the log leaves no trace; halves (ties) add up exactly.
    `other` is the number of candidates where it stands for the standard that a kill fails.
    """

    one: Integers
    other: Integers
    won: Floats
    lost: Floats

    def plus(self, more: Tally, *, sign: float) -> Tally:
        return _summed(
            np.concatenate([self.one, more.one]),
            np.concatenate([self.other, more.other]),
            np.concatenate([self.won, sign * more.won]),
            np.concatenate([self.lost, sign * more.lost]),
        )


def tally(tree: Tree, log: Iterable[Evidence]) -> Tally:
    """The counts of a log. Raises `BadInput` for an image that is not in the tree."""
    rows = [row for entry in log for row in _rows(tree, entry)]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 3)
    winner, loser = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    flip, weight = winner > loser, table[:, 2]
    return _summed(
        np.minimum(winner, loser),
        np.maximum(winner, loser),
        np.where(flip, 0.0, weight),
        np.where(flip, weight, 0.0),
    )


def _rows(tree: Tree, entry: Evidence) -> list[tuple[int, int, float]]:
    """Winner, loser and weight of all that an entry says."""
    if isinstance(entry, Kill):
        return _failures(tree, entry)
    winner, loser = tree.at(entry.winner), tree.at(entry.loser)
    if winner == loser:
        raise BadInput(f"Image {entry.winner} can't be compared with itself.")
    if entry.tie:
        return [(winner, loser, 0.5), (loser, winner, 0.5)]
    return [(winner, loser, 1.0)]


def _failures(tree: Tree, kill: Kill) -> list[tuple[int, int, float]]:
    """All from the killed one up to the blamed one fall short of the standard, and the blamed
    one of its own parent, which was found fine."""
    standard, at = len(tree.ids), tree.at(kill.killed)
    rows = [(standard, at, 1.0)]
    if kill.blamed is None:
        return rows
    blamed = tree.at(kill.blamed)
    while at != blamed:
        at = int(tree.parent[at])
        if at < 0:
            raise BadInput(f"Image {kill.blamed} is no ancestor of image {kill.killed}.")
        rows.append((standard, at, 1.0))
    if (parent := int(tree.parent[blamed])) >= 0:
        rows.append((parent, blamed, 1.0))
    return rows


def _summed(one: Integers, other: Integers, won: Floats, lost: Floats) -> Tally:
    width = int(other.max(initial=0)) + 1
    keys, row = np.unique(one * width + other, return_inverse=True)
    # Halves add up exactly in any order.
    won = np.bincount(row, weights=won, minlength=len(keys)).astype(np.float64)
    lost = np.bincount(row, weights=lost, minlength=len(keys)).astype(np.float64)
    if won.min(initial=0.0) < 0 or lost.min(initial=0.0) < 0:
        raise BadInput("A vote that was never counted can't be taken back.")
    kept = (won + lost) > 0
    keys = keys[kept]
    return Tally(keys // width, keys % width, won[kept], lost[kept])
