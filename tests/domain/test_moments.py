"""Means and covariances closer than around the mode, against draws weighed by the exact law."""

from __future__ import annotations

import numpy as np
import pytest

from shortlist.domain.evidence import Node, Vote
from shortlist.domain.moments import below, refined
from shortlist.domain.posterior import POINTS, Posterior, Spreads, fit

WIDE = Spreads(base=5 * POINTS, step=2 * POINTS)
ONE_SIDED = [Vote(0, 1), Vote(0, 2), Vote(1, 2), Vote(2, 3), Vote(0, 3, tie=True)]


def flat(count: int, *log: Vote) -> Posterior:
    return fit([Node(id, None, 1) for id in range(count)], log, spreads=WIDE)


def weighed(log: list[Vote], *, count: int, spread: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean, covariance and log evidence of plain draws, each weighed by how well it explains."""
    draws = np.random.default_rng(1).standard_normal((300_000, count)) * spread
    height = np.zeros(len(draws))
    for vote in log:
        ahead = draws[:, vote.winner] - draws[:, vote.loser]
        wins = -np.logaddexp(0, -ahead)
        height += (wins - np.logaddexp(0, ahead)) / 2 if vote.tie else wins
    weight = np.exp(height)
    share = weight / weight.sum()
    mean = share @ draws
    return mean, (draws - mean).T @ ((draws - mean) * share[:, None]), np.log(weight.mean())


def test_after_one_sided_votes_it_is_nearer_the_truth_than_the_mode() -> None:
    posterior = flat(4, *ONE_SIDED)
    mean, covariance, evidence = weighed(ONE_SIDED, count=4, spread=5.0)
    joint = refined(posterior, range(4))
    assert joint.mean == pytest.approx(mean, abs=0.1)
    assert np.diagonal(joint.covariance) == pytest.approx(np.diagonal(covariance), rel=0.05)
    assert joint.evidence == pytest.approx(evidence, abs=0.1)
    assert np.abs(posterior.mean - mean).max() > 0.5


def test_those_without_votes_keep_what_they_inherit() -> None:
    nodes = [Node(0, None, 1), Node(1, None, 1), Node(2, 0, 2)]
    posterior = fit(nodes, [Vote(0, 1)] * 3, spreads=WIDE)
    joint = refined(posterior, [0, 1, 2])
    assert joint.mean[2] == pytest.approx(joint.mean[0])
    assert joint.covariance[2, 2] == pytest.approx(joint.covariance[0, 0] + 4.0)


def test_where_no_votes_are_it_says_what_the_posterior_says() -> None:
    joint, (mean, covariance) = refined(flat(3), range(3)), flat(3).joint(range(3))
    assert joint.mean.tolist() == mean.tolist()
    assert joint.covariance.tolist() == covariance.tolist()


@pytest.mark.parametrize("times", [1, 30, 3000])
def test_thousands_of_votes_and_cycles_end_in_numbers(times: int) -> None:
    log = [Vote(0, 1), Vote(1, 2), Vote(2, 0), Vote(2, 3), Vote(2, 3, tie=True)] * times
    joint = refined(flat(5, *log), range(5))
    assert np.isfinite(joint.mean).all()
    assert np.linalg.eigvalsh(joint.covariance).min() > 0
    assert joint.mean[2] > joint.mean[4] > joint.mean[3]


def test_the_normal_distribution_is_exact_far_out() -> None:
    assert below(np.array([0.0, 1.96, -9.0])) == pytest.approx([0.5, 0.9750021, 1.1285884e-19])
