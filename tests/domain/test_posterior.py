"""The posterior of values over a tree, against the laws it must keep and another implementation."""

from __future__ import annotations

import random

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.domain import laplace
from shortlist.domain.evidence import Evidence, Kill, Node, Tree, Vote
from shortlist.domain.posterior import POINTS, Posterior, Spreads, fit, learn
from shortlist.errors import BadInput

SPREADS = Spreads(base=250.0, step=120.0)

# Two families of three steps and a base image alone.
FAMILY = [
    Node(1, None, 1),
    Node(2, None, 1),
    Node(3, None, 1),
    Node(11, 1, 2),
    Node(12, 1, 2),
    Node(21, 2, 2),
    Node(111, 11, 3),
    Node(112, 11, 3),
    Node(211, 21, 3),
]
IDS = [node.id for node in FAMILY]
VOTES = st.builds(
    lambda pair, tie: Vote(pair[0], pair[1], tie),
    st.lists(st.sampled_from(IDS), min_size=2, max_size=2, unique=True),
    st.booleans(),
)
KILLS = st.sampled_from([Kill(111), Kill(111, 111), Kill(112, 1), Kill(211, 21), Kill(3, 3)])
LOGS = st.lists(VOTES | KILLS, max_size=25)


def posterior(*log: Evidence) -> Posterior:
    return fit(FAMILY, log, spreads=SPREADS)


def mean(id: int, *log: Evidence) -> float:
    return posterior(*log).belief(id).mean


def spread(id: int, *log: Evidence) -> float:
    return posterior(*log).belief(id).spread


@given(LOGS, st.randoms(use_true_random=False))
def test_the_order_of_the_log_changes_nothing(log: list[Evidence], rng: random.Random) -> None:
    shuffled = rng.sample(log, len(log))
    assert posterior(*shuffled).beliefs() == posterior(*log).beliefs()


@given(LOGS, LOGS)
def test_what_is_undone_was_never_voted(log: list[Evidence], gone: list[Evidence]) -> None:
    undone = posterior(*log).after(*gone).after(undone=gone)
    assert _apart(undone, posterior(*log)) < 1e-6


@given(LOGS, LOGS)
def test_vote_by_vote_ends_where_the_whole_log_does(
    log: list[Evidence], more: list[Evidence]
) -> None:
    now = posterior(*log)
    for entry in more:
        now = now.after(entry)
    assert _apart(now, posterior(*log, *more)) < 1e-6


@given(LOGS, st.lists(st.sampled_from(IDS), min_size=2, max_size=2, unique=True))
def test_a_win_never_lowers_the_winner(log: list[Evidence], pair: list[int]) -> None:
    before, after = posterior(*log), posterior(*log, Vote(pair[0], pair[1]))
    assert after.belief(pair[0]).mean >= before.belief(pair[0]).mean - 1e-6
    assert after.belief(pair[1]).mean <= before.belief(pair[1]).mean + 1e-6


@given(LOGS)
def test_every_candidate_has_a_finite_mean_and_a_positive_spread(log: list[Evidence]) -> None:
    for belief in posterior(*log).beliefs().values():
        assert np.isfinite(belief.mean)
        assert 0 < belief.spread < 1000


def test_without_votes_all_stand_at_1000_and_are_less_sure_down_the_tree() -> None:
    assert mean(111) == 1000.0
    assert spread(1) == pytest.approx(250.0)
    assert spread(11) == pytest.approx((250.0**2 + 120.0**2) ** 0.5)


def test_a_vote_moves_the_family_and_a_new_child_stands_with_its_parent() -> None:
    win = Vote(11, 21)
    assert mean(11, win) > mean(1, win) > 1000.0
    assert mean(12, win) == pytest.approx(mean(1, win))
    assert mean(111, win) == mean(11, win)
    assert mean(211, win) == mean(21, win) < 1000.0


def test_a_tie_draws_two_together() -> None:
    unequal = [Vote(1, 3), Vote(1, 3), Vote(2, 3)]
    apart = mean(1, *unequal) - mean(2, *unequal)
    tied = [*unequal, Vote(1, 2, tie=True)]
    assert 0 < mean(1, *tied) - mean(2, *tied) < apart


def test_a_child_may_be_compared_with_its_parent() -> None:
    better = [Vote(11, 1)] * 3
    assert mean(11, *better) > 1000.0
    assert mean(1, *better) < mean(11, *better)


def test_a_kill_blames_the_step_that_did_it_and_spares_the_parent() -> None:
    assert mean(111, Kill(111, 111)) < mean(111, Kill(111))
    assert mean(11, Kill(111, 111)) > mean(11, Kill(111))


def test_a_kill_blamed_on_the_base_pulls_down_the_whole_family() -> None:
    assert mean(1, Kill(111, 1)) < mean(1, Kill(111)) < 1000.0
    assert mean(12, Kill(111, 1)) < mean(12, Kill(111))
    assert mean(2, Kill(111, 1)) == pytest.approx(1000.0)


@pytest.mark.parametrize(
    "log",
    [
        [Vote(1, 2), Vote(2, 3), Vote(3, 1)] * 50,
        [Vote(1, 2)] * 5000,
        [Vote(1, 2), Vote(21, 3), Vote(12, 1)] * 3000,
        [Vote(111, 112, tie=True)] * 10_000,
        [Kill(111, 1)] * 2000,
    ],
    ids=["cycle", "thousands on one", "chain", "thousands of ties", "thousands of kills"],
)
def test_absurd_logs_end_in_finite_ratings(log: list[Evidence]) -> None:
    beliefs = posterior(*log).beliefs()
    assert all(abs(belief.mean) < 10_000 for belief in beliefs.values())
    assert all(0 < belief.spread < 500 for belief in beliefs.values())


def test_a_cycle_leaves_its_members_equal() -> None:
    cycle = [Vote(1, 2), Vote(2, 3), Vote(3, 1)]
    assert mean(1, *cycle) == pytest.approx(mean(2, *cycle)) == pytest.approx(mean(3, *cycle))


def test_a_judge_who_always_picks_left_is_believed_only_so_far() -> None:
    both_ways = [Vote(1, 2), Vote(2, 1)] * 200
    assert mean(1, *both_ways) == pytest.approx(mean(2, *both_ways))
    assert spread(1, *both_ways) < spread(3, *both_ways)


def test_groups_that_never_met_keep_to_themselves() -> None:
    lone = [Vote(1, 2)] * 4
    assert mean(3, *lone) == 1000.0
    assert spread(3, *lone) == pytest.approx(250.0)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=2, unique=True), min_size=1),
    st.sampled_from([0.05, 0.5, 2.0]),
)
def test_without_a_tree_it_agrees_with_choix(data: list[list[int]], alpha: float) -> None:
    theirs = choix.opt_pairwise(10, data, alpha=alpha, tol=1e-12)
    spreads = Spreads(base=POINTS * (1 / (2 * alpha)) ** 0.5)  # its penalty is alpha times squares
    ours = fit([Node(id, None, 1) for id in range(10)], [Vote(*p) for p in data], spreads=spreads)
    assert np.max(np.abs(ours.mean - theirs)) < 1e-6


def test_a_run_of_thousands_is_solved_as_a_small_one() -> None:
    tree = Tree(_nodes(bases=40))
    rng = random.Random(3)
    log = [Vote(*rng.sample(tree.ids, 2)) for _ in range(600)]
    large = fit(tree, log, spreads=SPREADS)
    assert large.covariance is None
    system = laplace.System(
        parent=np.where(tree.parent < 0, len(tree.ids), tree.parent),
        prior=np.array([(POINTS / (250.0 if p < 0 else 120.0)) ** 2 for p in tree.parent]),
        levels=tree.levels,
        one=large.counts.one,
        other=large.counts.other,
        won=large.counts.won,
        lost=large.counts.lost,
    )
    exact = laplace.dense(system, np.zeros(len(tree.ids)))
    assert np.max(np.abs(exact.mean - large.mean)) < 1e-6
    ratio = np.sqrt(large.variance / exact.variance)
    assert 0.75 < ratio.min() <= ratio.max() < 1.01


def test_a_large_run_updates_to_what_its_whole_log_gives() -> None:
    tree = Tree(_nodes(bases=40))
    rng = random.Random(4)
    log = [Vote(*rng.sample(tree.ids, 2)) for _ in range(500)]
    now = fit(tree, log[:490], spreads=SPREADS)
    for vote in log[490:]:
        now = now.after(vote)
    assert _apart(now, fit(tree, log, spreads=SPREADS)) < 1e-5


@pytest.mark.slow
def test_the_spread_of_a_step_is_learnt_from_votes() -> None:
    still, wild = _learnt(step_spread=40.0), _learnt(step_spread=300.0)
    assert still.steps[2] < 100
    assert 220 < wild.steps[2] < 400
    assert still.steps[3] < 100
    assert 220 < wild.steps[3] < 400


def test_learning_does_not_depend_on_the_order_of_the_log() -> None:
    log = [Vote(1, 2), Vote(11, 21), Vote(12, 11), Vote(2, 3, tie=True), Kill(111, 111)]
    assert learn(FAMILY, log, before=SPREADS) == learn(FAMILY, log[::-1], before=SPREADS)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ([Vote(1, 999)], "not among"),
        ([Vote(1, 1)], "with itself"),
        ([Kill(111, 21)], "no ancestor"),
    ],
)
def test_a_log_that_makes_no_sense_is_refused(log: list[Evidence], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        posterior(*log)


def test_an_undo_of_what_was_never_voted_is_refused() -> None:
    with pytest.raises(BadInput, match="never counted"):
        posterior(Vote(1, 2)).after(undone=[Vote(2, 1)])


def test_a_tree_with_an_orphan_or_a_ring_is_refused() -> None:
    with pytest.raises(BadInput, match="not given"):
        Tree([Node(1, 7, 2)])
    with pytest.raises(BadInput, match="own ancestor"):
        Tree([Node(1, 2, 2), Node(2, 1, 2)])


def _learnt(*, step_spread: float) -> Spreads:
    rng = random.Random(5)
    nodes = _nodes(bases=12)
    truth: dict[int, float] = {}
    for node in nodes:
        above = truth[node.parent] if node.parent is not None else 0.0
        truth[node.id] = rng.gauss(above, 250.0 if node.parent is None else step_spread)
    log = [_judged(*rng.sample(list(truth), 2), truth=truth, rng=rng) for _ in range(1500)]
    return learn(nodes, log, before=Spreads(base=200.0, step=120.0))


def _nodes(*, bases: int) -> list[Node]:
    """Base images with three children each, and three again for those."""
    nodes = [Node(id, None, 1) for id in range(bases)]
    nodes += [Node(1000 + 3 * id + k, id, 2) for id in range(bases) for k in range(3)]
    nodes += [Node(10_000 + 3 * n.id + k, n.id, 3) for n in nodes[bases:] for k in range(3)]
    return nodes


def _judged(one: int, other: int, *, truth: dict[int, float], rng: random.Random) -> Vote:
    chance = 1 / (1 + 10 ** ((truth[other] - truth[one]) / 400))
    return Vote(one, other) if rng.random() < chance else Vote(other, one)


def _apart(one: Posterior, other: Posterior) -> float:
    """The largest difference of any mean or spread, in Elo points."""
    ours, theirs = one.beliefs(), other.beliefs()
    return max(
        max(abs(ours[id].mean - theirs[id].mean), abs(ours[id].spread - theirs[id].spread))
        for id in ours
    )
