"""The finish line: what it says must come true as often as it says."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from shortlist.domain.evidence import Kill, Node, Vote
from shortlist.domain.information import Closed, Contender, choose
from shortlist.domain.pairing import key_of
from shortlist.domain.posterior import Posterior, Spreads, fit
from shortlist.domain.settled import FARTHEST, SETTLED, FinishLine, finish_line, probability

SPREADS = Spreads(base=300.0, step=200.0)
CLEAR = Spreads(base=800.0, step=500.0)
"""So wide that a judge is mostly sure, and a claim of 90 % comes within some dozens of votes."""


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
@pytest.mark.parametrize(("count", "top", "family"), [(12, 2, 1), (24, 3, 3)])
def test_ninety_percent_is_right_in_nine_of_ten_cases(count: int, top: int, family: int) -> None:
    """Simulated people vote on the pairs the product picks, until it claims about 90 %."""
    claims = [_claim(count=count, top=top, family=family, seed=seed) for seed in range(250)]
    right = [is_right for is_right in claims if is_right is not None]
    assert len(right) > 150
    assert 0.85 <= sum(right) / len(right) <= 0.95


def _claim(*, count: int, top: int, family: int, seed: int) -> bool | None:
    """Whether the first claim between 87 and 93 % is right; null where there is none."""
    rng, draws = random.Random(seed), np.random.default_rng(seed)
    nodes, truth = _world(count=count, family=family, rng=rng)
    ids = [id for id in truth if id < 1000]
    best = set(sorted(ids, key=lambda id: -truth[id])[:top])
    posterior = fit(nodes, [], spreads=CLEAR)
    shown, last = dict.fromkeys(ids, 0), None
    for votes in range(4 * count):
        closed = Closed(last=last)  # many people vote, so only the last pair is closed
        pool = [Contender(id, shown[id]) for id in ids]
        (worth,) = choose(posterior, pool, top=top, closed=closed)
        one, other = worth.one, worth.other
        last = key_of(one, other)
        for id in (one, other):
            shown[id] += 1
        wins = rng.random() < 1 / (1 + 10 ** ((truth[other] - truth[one]) / 400))
        posterior = posterior.after(Vote(one, other) if wins else Vote(other, one))
        if votes >= count and votes % 2 == 0:
            sure = probability(posterior, ids, top=top, rng=draws)
            if 0.87 <= sure <= 0.93:
                return best == set(sorted(ids, key=lambda id: -posterior.belief(id).mean)[:top])
    return None


def _world(*, count: int, family: int, rng: random.Random) -> tuple[list[Node], dict[int, float]]:
    """Candidates that follow the model: base images, or children of some numbered from 1000."""
    if family == 1:
        return [Node(id, None, 1) for id in range(count)], {
            id: rng.gauss(1000, CLEAR.base) for id in range(count)
        }
    parents = range(1000, 1000 + count // family)
    truth = {id: rng.gauss(1000, CLEAR.base) for id in parents}
    nodes = [Node(id, None, 1) for id in parents]
    for id in range(count):
        parent = 1000 + id // family
        nodes.append(Node(id, parent, 2))
        truth[id] = rng.gauss(truth[parent], CLEAR.step)
    return nodes, truth
