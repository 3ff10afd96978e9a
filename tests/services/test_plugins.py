"""Ratings of others, brought by a distribution as a package manager would install it."""

from __future__ import annotations

import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from builders import NOW
from house.tree import ROOT
from judging import Studio
from shortlist.domain.evidence import Node, Vote
from shortlist.errors import BadInput, Unavailable
from shortlist.services import beliefs, runs
from shortlist.services.plugins import Kind, load, names
from shortlist.store.db import Database

WINS = '''
from shortlist.domain.evidence import Vote
from shortlist.domain.posterior import Belief


def rate(nodes, log):
    """Ten points a win."""
    wins = [entry.winner for entry in log if isinstance(entry, Vote)]
    return {node.id: Belief(1000 + 10 * wins.count(node.id), 100) for node in nodes}


def fail(nodes, log):
    raise RuntimeError("no weights found")


def forget(nodes, log):
    return {}


def overflow(nodes, log):
    return {node.id: Belief(float("inf"), 1) for node in nodes}


nothing = None
'''


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package `wins` with its metadata, on the path of this process."""
    metadata = tmp_path / "wins-1.0.dist-info"
    metadata.mkdir()
    (tmp_path / "wins_rating.py").write_text(WINS)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: wins\nVersion: 1.0\n")
    brought = ("rate", "fail", "forget", "overflow", "nothing", "missing")
    lines = [f"{name} = wins_rating:{name}" for name in brought]
    text = "\n".join(["[shortlist.ratings]", *lines, "gone = no_such_module:rate"])
    (metadata / "entry_points.txt").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.fixture
def studio(db: Database) -> Studio:
    return Studio(db)


def rated(studio: Studio, name: str) -> dict[int, float]:
    with studio.database.transaction() as tx:
        runs.change(tx, studio.run, runs.Change(rating=name), now=NOW)
    with studio.database.snapshot() as tx:
        found = beliefs.posterior(tx, studio.run).beliefs()
    return {id: belief.mean for id, belief in found.items()}


def test_a_run_can_be_rated_by_what_another_package_brings(studio: Studio) -> None:
    a, b, c = studio.images(3)
    studio.votes(a, b)
    assert rated(studio, "rate") == pytest.approx({a: 1010, b: 1000, c: 1000})
    studio.votes(a, c)
    assert rated(studio, "rate")[a] == pytest.approx(1020)
    assert rated(studio, "tree")[a] != pytest.approx(1020)


def test_its_pairs_are_chosen_and_its_odds_told_like_ours(studio: Studio) -> None:
    studio.images(4)
    rated(studio, "rate")
    assert len(studio.deck(run=studio.run, count=3).pairs) == 3


def test_ours_is_brought_in_the_same_way() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        ours = tomllib.load(file)["project"]["entry-points"]["shortlist.ratings"]
    module, _, function = ours["tree"].partition(":")
    nodes = [Node(1, None, 1), Node(2, 1, 2)]
    found = getattr(import_module(module), function)(nodes, [Vote(2, 1)])
    assert found[2].mean > found[1].mean


def test_names_of_others_stand_behind_ours() -> None:
    assert names(Kind.RATING)[:2] == ["elo", "tree"]
    assert "rate" in names(Kind.RATING)[2:]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("fail", "no weights found"),
        ("forget", "was given no rating"),
        ("overflow", "which says nothing"),
        ("nothing", "it is no function"),
        ("missing", "missing"),
        ("gone", "no_such_module"),
    ],
)
def test_one_that_does_not_work_is_told_with_its_reason(
    name: str, why: str, studio: Studio
) -> None:
    studio.images(2)
    with pytest.raises(Unavailable, match=why) as told:
        rated(studio, name)
    assert told.value.detail.startswith(f'The rating "{name}" does not work: ')
    assert "Mend its package" in told.value.detail


def test_an_unknown_one_is_refused_and_one_that_went_is_told(studio: Studio) -> None:
    with pytest.raises(BadInput, match='no rating "glicko" here; choose one of elo, tree,'):
        rated(studio, "glicko")
    with pytest.raises(Unavailable, match="is not installed here any more"):
        load(Kind.RATING, "glicko")
