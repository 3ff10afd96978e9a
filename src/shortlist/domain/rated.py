"""Ratings as functions: a tree and its log in, what is believed of each image out.

`tree` is ours, in the shape in which others plug in theirs. What a rating says is turned into a
posterior, so that pairs and chances are worked out from any of them alike. Importing this imports
numpy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from shortlist.domain.evidence import Evidence, Node, Tree, tally
from shortlist.domain.model import BIRTH_ELO
from shortlist.domain.posterior import POINTS, Belief, Posterior, Spreads, fit, learn
from shortlist.errors import BadInput

Rate: TypeAlias = Callable[[Sequence[Node], Sequence[Evidence]], Mapping[int, Belief]]
"""What a rating is: all images of a run and what was said of them, to Elo points by image."""


def tree(nodes: Sequence[Node], log: Sequence[Evidence]) -> Mapping[int, Belief]:
    """Bradley-Terry over the tree, with spreads learnt from the whole log."""
    known = Tree(nodes)
    return fit(known, log, spreads=learn(known, log, before=Spreads())).beliefs()


def independent(nodes: Tree, told: Mapping[int, Belief]) -> Posterior:
    """A posterior in which images know nothing of one another, with these means and spreads.

    Raises `BadInput` where one is missing, not a number, or has no spread.
    """
    for id in nodes.ids:
        belief = told.get(id)
        if belief is None:
            raise BadInput(f"Image {id} was given no rating.")
        if not (math.isfinite(belief[0]) and math.isfinite(belief[1]) and belief[1] > 0):
            raise BadInput(f"Image {id} was rated {belief[0]} ± {belief[1]}, which says nothing.")
    mean = np.array([(told[id][0] - BIRTH_ELO) / POINTS for id in nodes.ids])
    variance = np.array([(told[id][1] / POINTS) ** 2 for id in nodes.ids])
    every = np.arange(len(nodes.ids))
    counts = tally(nodes, ())
    return Posterior(nodes, Spreads(), counts, mean, variance, every, variance, None)
