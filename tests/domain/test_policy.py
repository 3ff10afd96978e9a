"""The rule `adaptive`: what it may never do, and what it prefers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.domain.evidence import Evidence, Kill, Node, Vote
from shortlist.domain.policy import HOPELESS, Decision, Frontier, Step, decide
from shortlist.domain.posterior import Posterior, Spreads, fit
from shortlist.errors import BadInput

STEPS = [Step(10.0), Step(10.0), Step(10.0)]


@st.composite
def runs(draw: st.DrawFn) -> tuple[Posterior, Frontier]:
    """A tree with any votes and kills, and any part of it with room, finished or newer."""
    nodes: list[Node] = []
    for id in range(1, draw(st.integers(0, 25)) + 1):
        above = [node for node in nodes if node.step < len(STEPS)]
        parent = draw(st.none() | st.sampled_from(above)) if above else None
        step = 1 if parent is None else parent.step + 1
        nodes.append(Node(id, None if parent is None else parent.id, step))
    known = nodes[: draw(st.integers(0, len(nodes)))]
    ids = [node.id for node in known]
    log: list[Evidence] = []
    if len(ids) > 1:
        pairs = st.lists(st.permutations(ids), max_size=30)
        log += [Vote(winner, loser) for winner, loser, *_ in draw(pairs)]
        log += [Kill(id) for id in draw(st.lists(st.sampled_from(ids), max_size=5))]
    inner = [node.id for node in nodes if node.step < len(STEPS)]
    ends = [node.id for node in nodes if node.step == len(STEPS)]
    children = {node.id: sum(other.parent == node.id for other in nodes) for node in nodes}
    frontier = Frontier(
        steps=draw(st.lists(st.builds(Step, st.floats(0, 1e6)), min_size=3, max_size=3)),
        room=draw(st.lists(st.sampled_from(inner), unique=True)) if inner else [],
        base=draw(st.booleans()),
        finished=ends,
        newer=nodes[len(known) :],
        children={id: (made, draw(st.integers(0, made))) for id, made in children.items()},
        fills=draw(st.booleans()),
    )
    return fit(known, log, spreads=Spreads()), frontier


def _hopeless(frontier: Frontier, id: int) -> bool:
    made, rejected = frontier.children[id]
    return made >= HOPELESS and made == rejected


@given(run=runs(), seed=st.integers(0, 2**53 - 1))
def test_it_takes_only_what_is_offered_and_always_something(
    run: tuple[Posterior, Frontier], seed: int
) -> None:
    posterior, frontier = run
    decision = decide(posterior, frontier, seed=seed)
    hopeful = [id for id in frontier.room if not _hopeless(frontier, id)]
    offered: set[int | None] = {*hopeful, *((None,) if frontier.base else ())}
    if frontier.fills and not hopeful:
        offered.update(frontier.room)
    if decision is None:
        assert not offered
        return
    assert decision.taken.parent in offered
    assert 0 <= decision.taken.odds <= 1
    assert decision == decide(posterior, frontier, seed=seed)
    if decision.second is not None:
        assert decision.second.parent != decision.taken.parent


def _grown(decisions: int, *, seed: int = 0) -> list[Node]:
    """The images that a run of nothing but decisions makes, with no vote."""
    posterior, nodes = fit([], [], spreads=Spreads()), list[Node]()
    for n in range(decisions):
        inner = [node.id for node in nodes if node.step < len(STEPS)]
        frontier = Frontier(
            steps=STEPS,
            room=inner,
            base=True,
            finished=[node.id for node in nodes if node.step == len(STEPS)],
            newer=nodes,
            children={id: (sum(node.parent == id for node in nodes), 0) for id in inner},
        )
        decision = decide(posterior, frontier, seed=seed + n)
        assert decision is not None
        nodes.append(Node(n + 1, decision.taken.parent, decision.taken.step))
    return nodes


def test_three_images_are_finished_before_anything_else() -> None:
    assert [node.step for node in _grown(9)] == [1, 2, 3] * 3


def test_no_family_takes_more_than_half_of_a_run() -> None:
    nodes = _grown(60)
    roots: dict[int, int] = {}
    for node in nodes:
        roots[node.id] = node.id if node.parent is None else roots[node.parent]
    sizes = [list(roots.values()).count(root) for root in set(roots.values())]
    assert max(sizes) <= 31


def _two_families(**told: object) -> Frontier:
    """Two base images, each with a child and a finished grandchild, and a third family of one."""
    frontier = Frontier(steps=STEPS, room=[1, 2, 11, 12], base=False, finished=[21, 22, 23])
    return replace(frontier, **told)


FAMILIES = [
    *(Node(id, None, 1) for id in (1, 2, 3)),
    *(Node(10 + id, id, 2) for id in (1, 2, 3)),
    *(Node(20 + id, 10 + id, 3) for id in (1, 2, 3)),
]


def _taken(log: list[Evidence], frontier: Frontier) -> list[int | None]:
    posterior = fit(FAMILIES, log, spreads=Spreads())
    decisions = [decide(posterior, frontier, seed=seed) for seed in range(60)]
    return [decision.taken.parent for decision in decisions if isinstance(decision, Decision)]


def test_the_family_that_wins_its_votes_is_fed() -> None:
    taken = _taken([Vote(21, 22)] * 6 + [Vote(11, 12)] * 6, _two_families())
    assert sum(parent in (1, 11) for parent in taken) >= 55


def test_a_parent_whose_children_are_often_rejected_is_fed_less() -> None:
    fair = _taken([], _two_families(room=[11, 12]))
    failing = _taken([], _two_families(room=[11, 12], children={11: (9, 8), 12: (9, 0)}))
    assert failing.count(11) < fair.count(11) / 2


def test_what_takes_long_is_begun_less() -> None:
    quick = [Step(1.0), Step(1.0), Step(1.0)]
    slow = [Step(500.0), Step(1.0), Step(1.0)]
    bases = [
        _taken([], _two_families(base=True, steps=steps)).count(None) for steps in (quick, slow)
    ]
    assert bases[1] < bases[0]


def test_a_thousand_images_with_votes_on_most_are_decided_upon() -> None:
    rng = np.random.default_rng(1)
    nodes = [Node(id, None if id <= 200 else id - 200, -(-id // 200)) for id in range(1, 601)]
    log = [Vote(*map(int, rng.choice(600, 2, replace=False) + 1)) for _ in range(600)]
    posterior = fit(nodes, log, spreads=Spreads())
    assert posterior.covariance is None
    frontier = Frontier(
        steps=STEPS, room=range(1, 401), base=True, finished=range(401, 601), top=10
    )
    taken = [decide(posterior, frontier, seed=seed) for seed in range(20)]
    means = posterior.beliefs()
    chosen = [means[d.taken.parent].mean for d in taken if d and d.taken.parent is not None]
    middle = float(np.median([means[id].mean for id in frontier.room]))
    assert chosen
    assert min(chosen) > middle


def test_an_image_that_is_not_in_the_run_is_refused() -> None:
    posterior = fit(FAMILIES, [], spreads=Spreads())
    with pytest.raises(BadInput, match="Image 99"):
        decide(posterior, _two_families(room=[99]), seed=1)
