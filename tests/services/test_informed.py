"""Pairs by information, the line they lead to, and gates that rank by what is believed."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations

import pytest
from sqlalchemy import select, update

from builders import NOW, a_pipeline
from judging import Studio, an_id
from shortlist.domain.model import GateKind, Pin
from shortlist.domain.pairing import Key, key_of
from shortlist.services import finish, nights, overview, runs, standing
from shortlist.services.acts import ApproveAct, PinAct
from shortlist.services.finish import Line
from shortlist.services.journal import EventKind
from shortlist.store.db import Database
from shortlist.store.schema import Event, PipelineRun

GATES = [GateKind.AUTO, GateKind.PROVISIONAL, GateKind.MANUAL, GateKind.MANUAL]


class Rated(Studio):
    """A run rated by the tree, whose second step has a gate."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        with database.transaction() as tx:
            self.pipeline = a_pipeline(tx, gates=GATES)
        self.run = self.another_run()
        with database.transaction() as tx:
            runs.change(tx, self.run, runs.Change(rating="tree"), now=NOW)

    def pairs(self, person: str = "ann", **asked: object) -> list[Key]:
        found = self.deck(person, run=self.run, **asked).pairs  # type: ignore[arg-type]
        return [key_of(pair.left.id, pair.right.id) for pair in found]

    def step(self, order: int) -> int:
        with self.database.snapshot() as tx:
            return overview.view(tx, self.run).columns[order - 1].step_id

    def line(self, order: int = 2, *, top: int | None = None, now: object = NOW) -> Line | None:  # type: ignore[override]
        with self.database.snapshot() as tx:
            return finish.line(tx, self.run, order, top=top, now=NOW)

    def moved(self, *, later: timedelta = timedelta()) -> list[Line]:
        """What the hub does beside the votes."""
        with self.database.snapshot() as tx:
            found = finish.moved(tx, now=NOW + later)
        with self.database.transaction() as tx:
            finish.tell(tx, found, now=NOW)
        return found

    def ranking(self, order: int = 2) -> list[int]:
        with self.database.snapshot() as tx:
            return [image.id for image in standing.ranked(tx, self.run, order)]


@pytest.fixture
def rated(db: Database) -> Rated:
    return Rated(db)


def test_two_voters_at_once_never_hold_the_same_pair(rated: Rated) -> None:
    rated.images(7)
    hands: dict[str, list[Key]] = {"ann": [], "ben": []}
    for turn in range(16):
        person = ("ann", "ben")[turn % 2]
        hands[person] += rated.pairs(person, exclude=hands[person], count=3, seed=turn)
        assert len(hands[person]) == len(set(hands[person])) >= 3
        assert not {*hands["ann"]} & {*hands["ben"]}
        voted, hands[person] = hands[person][:3], hands[person][3:]
        for winner, loser in voted:
            rated.votes(winner, loser, person)


def test_two_pages_of_one_person_are_given_different_pairs(rated: Rated) -> None:
    rated.images(6)
    assert not {*rated.pairs(desk="a", count=5)} & {*rated.pairs(desk="b", count=5)}


def test_a_page_that_asks_again_lets_go_of_what_it_did_not_keep(rated: Rated) -> None:
    rated.images(3)
    assert len(rated.pairs("ann", count=3)) == 3
    (kept,) = rated.pairs("ann", count=1)
    assert kept not in rated.pairs("ben", count=2)


def test_what_a_page_left_behind_is_given_to_others_after_a_while(rated: Rated) -> None:
    rated.images(3)
    held = rated.pairs("ann", count=2)
    (free,) = rated.pairs("ben", count=3)
    assert free not in held
    assert len(rated.pairs("eve", count=3, now=NOW + timedelta(minutes=3))) == 3


def test_the_only_pair_is_given_twice_rather_than_to_nobody(rated: Rated) -> None:
    images = tuple(rated.images(2))
    assert rated.pairs("ann") == [images]
    assert rated.pairs("ben") == [images]


def test_every_image_is_shown_before_one_is_shown_again(rated: Rated) -> None:
    images = rated.images(8)
    shown: list[int] = []
    for turn in range(4):
        (pair,) = rated.pairs(count=1, seed=turn)
        shown += pair
        rated.votes(*sorted(pair))
    assert sorted(shown) == images


def test_the_right_most_column_still_comes_first(rated: Rated) -> None:
    base, *_ = rated.images(5)
    children = rated.images(2, base)
    assert rated.pairs() == [tuple(children)]


def test_a_pair_that_was_shown_just_now_does_not_come_again_at_once(rated: Rated) -> None:
    rated.images(3)
    last: Key | None = None
    for turn in range(12):
        (pair,) = rated.pairs(count=1, seed=turn)
        assert pair != last
        rated.votes(*pair)
        last = pair


def test_pairs_that_decide_can_be_asked_for_in_any_run(rated: Rated) -> None:
    with rated.database.transaction() as tx:
        runs.change(tx, rated.run, runs.Change(rating="elo"), now=NOW)
    images = rated.images(5)
    for better, worse in combinations(images, 2):
        if (better, worse) != (images[1], images[2]):
            for _ in range(3):
                rated.votes(better, worse)
    assert rated.pairs("ben", top=2, count=1) == [(images[1], images[2])]


def test_a_line_is_worked_out_where_someone_looks_and_moves_with_votes(rated: Rated) -> None:
    children = rated.images(6, rated.image())
    assert rated.moved() == []
    assert rated.line(top=2) is None
    (first,) = rated.moved()
    assert (first.run_id, first.step_order, first.top) == (rated.run, 2, 2)
    assert rated.moved() == []
    for _ in range(6):
        for good in children[:2]:
            for bad in children[2:]:
                rated.votes(good, bad)
    (then,) = rated.moved()
    assert first.settled < 0.3
    assert then.settled > 0.9
    assert first.votes is not None
    assert then.votes == 0 < first.votes
    assert rated.line(top=2) == then
    assert told(rated) == [first.settled, then.settled]


def told(rated: Rated) -> list[object]:
    with rated.database.snapshot() as tx:
        rows = tx.execute(
            select(Event.data).where(Event.kind == EventKind.SETTLED).order_by(Event.id)
        )
        return [data["settled"] for data in rows.scalars()]


def test_a_line_nobody_looks_at_is_not_worked_out(rated: Rated) -> None:
    children = rated.images(4, rated.image())
    rated.line()
    assert rated.moved(later=timedelta(minutes=6)) == []
    rated.votes(children[0], children[1])
    assert rated.moved() == []


def test_where_nothing_is_decided_there_is_no_line(rated: Rated) -> None:
    base = rated.images(5)[0]
    rated.line(1)
    assert rated.moved() == []
    rated.images(3, base)
    rated.line(2, top=3)
    assert rated.moved() == []


def test_a_run_rated_by_elo_tells_how_sure_it_is_but_no_votes(rated: Rated) -> None:
    with rated.database.transaction() as tx:
        runs.change(tx, rated.run, runs.Change(rating="elo"), now=NOW)
    rated.images(4, rated.image())
    rated.line()
    (line,) = rated.moved()
    assert 0.15 < line.settled < 0.35
    assert line.votes is None
    with rated.database.transaction() as tx:
        runs.change(tx, rated.run, runs.Change(rating="tree"), now=NOW)
    (line,) = rated.moved()
    assert line.votes is not None


def test_a_gate_of_the_tree_ranks_by_belief_and_leaves_the_elo_in_the_rows(rated: Rated) -> None:
    good, bad = rated.images(2)
    for _ in range(3):
        rated.votes(good, bad)
    poor = rated.image(bad)
    rich = rated.image(good)
    assert rated.ranking() == [rich, poor]
    act = ApproveAct(an_id(), rated.run, rated.step(2), 1, None)
    rated.does(act)
    with rated.database.snapshot() as tx:
        assert overview.view(tx, rated.run).columns[1].advancing == 1
        (gate,) = [g for g in standing.read(tx, rated.run, from_order=2).gates if g.step_order == 2]
    assert gate.advancing == (rich,)
    assert rated.states()[rich].elo == rated.states()[poor].elo == 1000.0


def test_pinned_images_are_in_no_doubt(rated: Rated) -> None:
    children = rated.images(4, rated.image())
    rated.does(PinAct(an_id(), children[3], Pin.ALWAYS))
    with rated.database.snapshot() as tx:
        odds = finish.odds(tx, rated.run, 2, top=2, now=NOW)
    assert children[3] not in odds.chances
    assert sum(odds.chances.values()) == pytest.approx(1)


def test_a_gate_that_opens_by_itself_notes_how_sure_its_choice_was(rated: Rated) -> None:
    with rated.database.transaction() as tx:
        tx.execute(update(PipelineRun).values(base_count=1, max_children=4, wait_minutes=0))
    for child in (children := rated.images(4, rated.image()))[1:]:
        rated.votes(children[0], child)
    with rated.database.transaction() as tx:
        tx.execute(update(runs.ImageCandidate).values(child_limit=4))
    with rated.database.snapshot() as tx:
        certainty = nights.certainty(tx, now=NOW + timedelta(hours=1))
    with rated.database.transaction() as tx:
        nights.tick(tx, now=NOW + timedelta(hours=1), certainty=certainty)
    with rated.database.snapshot() as tx:
        assumed = overview.view(tx, rated.run).columns[1].assumed
    (sure,) = certainty.values()
    assert assumed is not None
    assert assumed.endswith(f"; that they are the best was about {sure:.0%} sure.")
