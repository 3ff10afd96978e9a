"""Beliefs follow the log: after any history they are what a naive reading of it gives."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from builders import NOW
from judging import STEPS, Studio, an_id
from shortlist.domain import posterior as pure
from shortlist.domain.evidence import Evidence, Kill, Node, Vote
from shortlist.domain.model import ActKind, WalkAnswer
from shortlist.domain.posterior import Belief, Posterior, Spreads
from shortlist.domain.walk import opening, turn
from shortlist.errors import Problem
from shortlist.services import beliefs, triage
from shortlist.services.acts import VoteAct
from shortlist.store.db import Database
from shortlist.store.schema import Act, ImageCandidate

MOST_IMAGES = 9
"""Of a history: no image can get more children than a run of tests allows."""

WALKS = [answer.value for answer in WalkAnswer]


@pytest.fixture
def studio(db: Database) -> Studio:
    return Studio(db)


def posterior(studio: Studio, run: int | None = None) -> Posterior:
    with studio.database.snapshot() as tx:
        return beliefs.posterior(tx, run or studio.run)


def believed(studio: Studio) -> dict[int, Belief]:
    return posterior(studio).beliefs()


def same(one: Mapping[int, Belief], other: Mapping[int, Belief]) -> bool:
    """Equal to a thousandth of a point."""
    return one.keys() == other.keys() and all(
        one[id] == pytest.approx(other[id], abs=1e-3) for id in one
    )


class Naive:
    """What one person said in one run, read act by act, as one would on paper."""

    def __init__(self, studio: Studio, person: str) -> None:
        with studio.database.snapshot() as tx:
            images = select(
                ImageCandidate.id, ImageCandidate.parent_id, ImageCandidate.step_order
            ).where(ImageCandidate.pipeline_run_id == studio.run)
            self.nodes = [Node(*row) for row in tx.execute(images)]
            acts = select(*Act.__table__.columns).where(Act.person == person).order_by(Act.id)
            self.acts = list(tx.execute(acts))
        self.parents = {node.id: node.parent for node in self.nodes}

    def log(self) -> list[Evidence]:
        said = [each for row in self.acts if row.undone_by is None for each in self._said(row)]
        return [entry for _, entry in sorted(said, key=lambda each: each[0])]

    def _said(self, row: Any) -> Iterator[tuple[int, Evidence]]:
        """What one act says, and the act that said it first."""
        body: dict[str, int] = row.body
        match row.kind:
            case ActKind.VOTE:
                yield row.id, Vote(body["winner"], body["loser"])
            case ActKind.TIE:
                yield row.id, Vote(body["a"], body["b"], tie=True)
            case ActKind.KILL:
                yield from self._walked(row.id, row.client_id, killed=body["candidate"])

    def _walked(self, act: int, walk: str, *, killed: int) -> Iterator[tuple[int, Evidence]]:
        """A walk whose cause was found is one kill; else each image it rejected is one."""
        lineage = [killed]
        while (parent := self.parents[lineage[0]]) is not None:
            lineage.insert(0, parent)
        at, rejected = opening(len(lineage)), [(act, killed)]
        blamed = 0 if at is None else None
        for row in self.acts:
            if row.kind is ActKind.WALK and row.walk == walk and row.undone_by is None:
                step = turn(WalkAnswer(row.body["answer"]), at=lineage.index(row.body["candidate"]))
                if step.rejects and row.answer.get("rejected"):
                    rejected.append((row.id, row.body["candidate"]))
                blamed = step.blames
        if blamed is not None:
            yield act, Kill(killed, lineage[blamed])
        else:
            yield from ((at, Kill(id)) for at, id in rejected)

    def beliefs(self) -> dict[int, Belief]:
        log = self.log()
        count = max((at for at in beliefs.LEARN_AT if at <= len(log)), default=0)
        spreads = Spreads()
        if count:
            spreads = pure.learn(self.nodes, log[:count], before=spreads)
        return pure.fit(self.nodes, log, spreads=spreads).beliefs()


class Hand:
    """Someone who does what two numbers say; what the hub refuses is left undone."""

    def __init__(self, studio: Studio, person: str) -> None:
        self.studio = studio
        self.person = person
        self.line = dict.fromkeys(studio.batch(4), 1)
        """Each image, and the step it is of."""
        self.walk: str | None = None

    def does(self, what: str, one: int, other: int) -> None:
        images = [*self.line]
        first = images[one % len(images)]
        beside = [id for id in images if self.line[id] == self.line[first] and id != first]
        try:
            self._does(what, first, [*beside[other % len(images) :], *beside], choice=one)
        except Problem:
            return

    def _does(self, what: str, first: int, beside: Sequence[int], *, choice: int) -> None:
        """Does something to an image, or to it and the first of those of its step."""
        match what:
            case "image" if self.line[first] < len(STEPS) and len(self.line) < MOST_IMAGES:
                self.line[self.studio.image(first)] = self.line[first] + 1
            case "vote" if beside:
                self.studio.votes(first, beside[0], self.person)
            case "round":
                now = self.studio.states()
                live = [each for each in beside if not now[each].rejected]
                self.studio.does_all([_vote(first, other) for other in live], self.person)
            case "tie" if beside:
                self.studio.ties(first, beside[0], self.person)
            case "child":
                line = [*self.line]
                act = VoteAct(an_id(), first, line[-1], first, versus_parent=True)
                self.studio.does(act, self.person)
            case "kill":
                self.walk = self.studio.kills(first, self.person)
            case "answer" if self.walk is not None:
                asked = self.studio.walk(self.walk, self.person).asked
                said = WALKS[choice % len(WALKS)]
                if asked is not None:
                    self.studio.answers(self.walk, asked.candidate.id, said, self.person)
            case "undo":
                self.studio.undoes(self.person)
            case "redo":
                self.studio.redoes(self.person)


def _vote(winner: int, loser: int) -> VoteAct:
    return VoteAct(an_id(), winner, loser, winner)


DOINGS = ("image", "vote", "round", "round", "round", "tie", "child", "kill", "answer", "answer")
UNDOINGS = ("undo", "redo")
NUMBERS = st.integers(0, 50)
HISTORIES = st.lists(
    st.tuples(st.sampled_from(DOINGS + UNDOINGS), NUMBERS, NUMBERS), min_size=5, max_size=15
)


@pytest.mark.slow
def test_beliefs_after_any_history_are_those_of_a_naive_reading(studio: Studio) -> None:
    examples = settings().max_examples if studio.database.sqlite else settings().max_examples // 2

    @settings(max_examples=examples)
    @given(HISTORIES)
    def holds(history: list[tuple[str, int, int]]) -> None:
        studio.run = studio.another_run()
        hand = Hand(studio, f"person-{studio.run}")
        for what, one, other in history:
            hand.does(what, one, other)
            found = believed(studio)
        assert same(found, Naive(studio, hand.person).beliefs())

    holds()


def test_an_undone_vote_was_never_there(studio: Studio) -> None:
    a, b, c = studio.images(3)
    studio.votes(a, b)
    before = believed(studio)
    studio.votes(c, a)
    assert believed(studio)[c].mean > before[c].mean
    studio.undoes()
    assert same(believed(studio), before)
    studio.redoes()
    assert believed(studio)[c].mean > before[c].mean


def test_a_new_image_is_believed_to_be_where_its_parent_is(studio: Studio) -> None:
    good, bad = studio.images(2)
    for _ in range(3):
        studio.votes(good, bad)
    believed(studio)
    child = studio.image(good)
    now = believed(studio)
    assert now[child].mean == pytest.approx(now[good].mean)
    assert now[child].spread > now[good].spread


def test_a_cause_found_later_lowers_the_image_to_blame(studio: Studio) -> None:
    base, child, grandchild = studio.line(3)
    walk = studio.kills(grandchild)
    before = believed(studio)
    studio.answers(walk, child, "still_fine")
    blamed_last = believed(studio)
    assert blamed_last[grandchild].mean < before[grandchild].mean
    studio.undoes()
    walk = studio.kills(grandchild)
    studio.answers(walk, child, "already_wrong")
    studio.answers(walk, base, "this_step")
    assert believed(studio)[base].mean < blamed_last[base].mean


def in_another_process(studio: Studio, database_url: str) -> dict[int, Belief]:
    """What a hub that has followed nothing reads from the rows."""
    other = Database.open(database_url)
    with other.snapshot() as tx:
        found = beliefs.posterior(tx, studio.run).beliefs()
    other.close()
    return found


def test_another_process_comes_to_the_same_beliefs(studio: Studio, database_url: str) -> None:
    images = studio.images(4)
    for turn_ in range(20):
        studio.votes(images[turn_ % 3], images[3])
        believed(studio)
    assert same(in_another_process(studio, database_url), believed(studio))


def test_a_vote_that_spreads_were_learnt_from_may_be_taken_back(
    studio: Studio, database_url: str
) -> None:
    images = studio.images(4)
    studio.votes(images[3], images[0], "ben")
    for turn_ in range(18):
        studio.votes(images[turn_ % 3], images[3], "ann")
    before = posterior(studio).spreads
    studio.undoes("ben")
    assert posterior(studio).spreads.base > before.base
    assert same(in_another_process(studio, database_url), believed(studio))
    for _ in range(5):
        studio.undoes("ann")
    assert posterior(studio).spreads == Spreads()
    assert same(in_another_process(studio, database_url), believed(studio))


def test_beliefs_of_rows_that_are_never_committed_are_forgotten(studio: Studio) -> None:
    a, b = studio.images(2)
    before = believed(studio)
    with pytest.raises(ZeroDivisionError), studio.database.transaction() as tx:
        triage.apply(tx, "ann", VoteAct(an_id(), a, b, a), NOW)
        found = beliefs.posterior(tx, studio.run)
        assert found.belief(a).mean > found.belief(b).mean
        raise ZeroDivisionError
    assert same(believed(studio), before)
    studio.votes(b, a)
    assert believed(studio)[b].mean > before[b].mean


def test_votes_that_contradict_each_other_leave_finite_beliefs(studio: Studio) -> None:
    a, b, c = studio.images(3)
    lonely = studio.images(2, parent=c)
    for winner, loser in ((a, b), (b, c), (c, a)) * 4:
        studio.votes(winner, loser)
    for _ in range(60):
        studio.votes(lonely[0], lonely[1])
    now = believed(studio)
    assert now[a].mean == pytest.approx(now[b].mean, abs=40)
    assert all(-2000 < mean < 4000 and 0 < spread < 1000 for mean, spread in now.values())
    assert now[lonely[0]].mean > now[lonely[1]].mean


def test_a_run_that_is_not_there_believes_nothing(studio: Studio) -> None:
    assert posterior(studio, 999).beliefs() == {}


@pytest.mark.slow
def test_a_hub_starts_without_the_library_of_numbers() -> None:
    code = "import sys, shortlist.hub; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
