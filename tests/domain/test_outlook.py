"""The outlook of a gate: chances add up to the places there are, and follow the votes."""

from __future__ import annotations

import numpy as np
import pytest

from shortlist.domain.evidence import Evidence, Node, Vote
from shortlist.domain.outlook import Outlook, outlook
from shortlist.domain.posterior import Posterior, Spreads, fit
from shortlist.domain.settled import probability


def believed(count: int, *log: Evidence) -> Posterior:
    nodes = [Node(id, None, 1) for id in range(1, count + 1)]
    return fit(nodes, log, spreads=Spreads())


def looked(posterior: Posterior, *chosen: int, seed: int = 1) -> Outlook:
    rng = np.random.default_rng(seed)
    return outlook(posterior, posterior.tree.ids, chosen=chosen, rng=rng)


def test_without_a_vote_every_image_has_the_same_chance() -> None:
    found = looked(believed(4), 1, 2)
    assert found.settled == pytest.approx(1 / 6, abs=0.03)
    assert list(found.chances.values()) == pytest.approx([0.5] * 4, abs=0.04)


@pytest.mark.parametrize("count", [5, 80])
def test_chances_add_up_to_the_places_that_are_in_doubt(count: int) -> None:
    votes = [Vote(a, b) for a in range(1, count + 1) for b in range(a + 1, count + 1, 7)]
    found = looked(believed(count, *votes), 1, 2, 3)
    assert sum(found.chances.values()) == pytest.approx(3)
    assert len(found.chances) <= 60


def test_a_vote_raises_the_chance_of_its_winner_and_lowers_the_losers() -> None:
    before = looked(believed(6), 1, 2).chances
    after = looked(believed(6, Vote(1, 6), Vote(1, 6)), 1, 2).chances
    assert after[1] > before[1] + 0.1
    assert after[6] < before[6] - 0.1


def test_a_choice_against_the_votes_is_told_to_be_unsure() -> None:
    votes = [Vote(good, bad) for good in (1, 2) for bad in (3, 4, 5) for _ in range(9)]
    posterior = believed(5, *votes)
    assert looked(posterior, 1, 2).settled > 0.95
    assert looked(posterior, 4, 5).settled < 0.01


def test_it_agrees_with_the_finish_line_about_the_best() -> None:
    posterior = believed(12, *(Vote(1, id) for id in range(2, 13)), Vote(2, 3), Vote(2, 4))
    best = sorted(posterior.tree.ids, key=lambda id: -posterior.belief(id).mean)[:2]
    theirs = probability(posterior, posterior.tree.ids, top=2, rng=np.random.default_rng(7))
    assert looked(posterior, *best).settled == pytest.approx(theirs, abs=0.04)


def test_with_nothing_to_leave_out_it_is_settled() -> None:
    assert looked(believed(2), 1, 2) == Outlook(1.0, {})
    assert looked(believed(2)) == Outlook(1.0, {})
