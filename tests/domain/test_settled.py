"""The finish line: how sure the top K is, and how far it is to a settled one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from shortlist.domain.evidence import Kill, Node, Vote
from shortlist.domain.posterior import POINTS, Posterior, Spreads, fit
from shortlist.domain.settled import FARTHEST, SETTLED, FinishLine, finish_line, probability

SPREADS = Spreads(base=300.0, step=200.0)


def flat(count: int, *log: Vote | Kill) -> Posterior:
    return fit([Node(id, None, 1) for id in range(count)], log, spreads=SPREADS)


def line(posterior: Posterior, *, top: int, seed: int = 1) -> FinishLine:
    rng = np.random.default_rng(seed)
    return finish_line(posterior, posterior.tree.ids, top=top, rng=rng)


def test_where_all_advance_it_is_settled() -> None:
    assert line(flat(3), top=3) == FinishLine(1.0, 0)
    assert line(flat(3), top=9) == FinishLine(1.0, 0)


@pytest.mark.parametrize(("count", "top"), [(2, 1), (6, 3), (5, 1)])
def test_without_votes_every_set_is_as_likely(count: int, top: int) -> None:
    posterior = flat(count)
    sure = probability(posterior, posterior.tree.ids, top=top, rng=np.random.default_rng(1))
    assert sure == pytest.approx(1 / math.comb(count, top), abs=0.03)


def test_votes_move_the_finish_line_nearer() -> None:
    ladder = [Vote(a, b) for a in range(8) for b in range(a + 1, 8)]
    start, some = line(flat(8), top=2), line(flat(8, *ladder), top=2)
    many = line(flat(8, *ladder * 6), top=2)
    assert start.probability < some.probability < many.probability
    assert min(start.votes, some.votes) > many.votes == 0
    assert many.probability >= SETTLED


def test_equal_states_and_seeds_give_equal_answers() -> None:
    posterior = flat(8, Vote(0, 1), Vote(2, 3))
    assert line(posterior, top=2, seed=5) == line(posterior, top=2, seed=5)


def test_what_can_never_be_told_apart_is_not_promised() -> None:
    twins = Spreads(base=1.0, step=1.0)
    posterior = fit([Node(id, None, 1) for id in range(4)], [], spreads=twins)
    assert line(posterior, top=2).votes == FARTHEST


def test_siblings_move_together_and_are_not_taken_for_independent() -> None:
    """Two children of one parent: how good the parent is does not matter to their order."""
    nodes = [Node(1, None, 1), Node(11, 1, 2), Node(12, 1, 2)]
    alike = fit(nodes, [Vote(11, 12)] * 3, spreads=Spreads(base=3000.0, step=200.0))
    sure = probability(alike, [11, 12], top=1, rng=np.random.default_rng(1))
    assert sure > 0.85


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 2.0], ids=["as assumed", "farther"])
def test_what_it_says_is_how_often_it_is_right(scale: float) -> None:
    """Also where values lie farther apart than the spreads say."""
    runs = [_claimed(seed, spread=scale * 300.0 / POINTS) for seed in range(150)]
    said, right = (np.array(column) for column in zip(*runs, strict=True))
    sure = said > 0.6
    assert right.mean() == pytest.approx(said.mean(), abs=0.09)
    assert right[sure].mean() == pytest.approx(said[sure].mean(), abs=0.12)


def _claimed(seed: int, *, spread: float) -> tuple[float, bool]:
    """Forty votes on six candidates: how sure the top 2 is, and whether it is the true one."""
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal(6) * spread
    pairs = [rng.choice(6, 2, replace=False).tolist() for _ in range(40)]
    wins = [rng.random() < 1 / (1 + math.exp(truth[two] - truth[one])) for one, two in pairs]
    log = [Vote(*(pair if won else pair[::-1])) for pair, won in zip(pairs, wins, strict=True)]
    posterior = flat(6, *log)
    said = probability(posterior, range(6), top=2, rng=rng)
    return said, set(np.argsort(-posterior.mean)[:2]) == set(np.argsort(-truth)[:2])
