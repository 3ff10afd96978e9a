"""Undo, redo and the history, step by step; and any sequence of acts against a literal toy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, update

from judging import Studio, an_id
from shortlist.domain.model import ActKind, WalkAnswer
from shortlist.errors import Conflict, NotFound
from shortlist.services import triage
from shortlist.services.acts import (
    Act,
    KillAct,
    KillBothAct,
    RedoAct,
    SkipAct,
    TieAct,
    UndoAct,
    VoteAct,
    WalkAct,
    WorstAct,
)
from shortlist.services.triage import Chosen, Item
from shortlist.store import schema
from shortlist.store.db import Database
from shortlist.store.schema import ImageCandidate

PEOPLE = st.sampled_from(["ann", "ben"])


@pytest.fixture
def studio(db: Database) -> Studio:
    return Studio(db)


def past(studio: Studio, person: str = "ann", **page: object) -> list[Item]:
    limit, before = page.get("limit", 20), page.get("before")
    with studio.database.snapshot() as tx:
        return triage.past(tx, person, limit=int(str(limit)), before=before and str(before))


def test_undo_goes_several_deep_and_redo_comes_back_the_same_way(studio: Studio) -> None:
    a, b, c = studio.images(3)
    moments = [studio.states()]
    for act in (VoteAct("1", a, b, a), TieAct("2", b, c, b), SkipAct("3", a, c), KillAct("4", b)):
        studio.does(act)
        moments.append(studio.states())
    for step, kind in ((3, ActKind.KILL), (2, ActKind.SKIP), (1, ActKind.TIE), (0, ActKind.VOTE)):
        undone = studio.undoes().undone
        assert undone is not None
        assert (undone.kind, undone.act_id) == (kind, str(step + 1))
        assert studio.states() == pytest.approx(moments[step])
    with pytest.raises(Conflict, match="nothing to take back"):
        studio.undoes()
    for step in (1, 2, 3, 4):
        studio.redoes()
        assert studio.states() == moments[step]
    with pytest.raises(Conflict, match="nothing to do again"):
        studio.redoes()


def test_an_undo_leaves_what_others_did_since(studio: Studio) -> None:
    a, b = studio.images(2)
    studio.votes(a, b, "ann")
    studio.votes(a, b, "ben")
    theirs = studio.states()[a].elo - 1016.0
    studio.undoes("ann")
    assert studio.states()[a].elo == pytest.approx(1000.0 + theirs)
    assert studio.states()[a].votes == 1
    with pytest.raises(Conflict, match="nothing to take back"):
        studio.undoes("ann")


def test_an_undone_kill_leaves_a_branch_dead_that_another_kill_holds(studio: Studio) -> None:
    base, face, hand, last = studio.line()
    studio.kills(hand, "ben")
    mine = studio.kills(base)
    assert studio.states()[last].rejected_ancestors == 2
    studio.undoes(target=mine)
    states = studio.states()
    assert [states[id].rejected_ancestors for id in (base, face, hand, last)] == [0, 0, 0, 1]
    assert studio.rejected() == {hand}


def test_an_undo_hands_the_pair_back_with_its_sides(studio: Studio) -> None:
    a, b = studio.images(2)
    acts: list[tuple[Act, tuple[int, int]]] = [
        (VoteAct(an_id(), a, b, left=b), (b, a)),
        (TieAct(an_id(), a, b, left=a), (a, b)),
        (SkipAct(an_id(), b, a), (b, a)),
        (KillAct(an_id(), a, other=b, left=b), (b, a)),
        (KillAct(an_id(), a, other=b), (a, b)),
        (KillBothAct(an_id(), b, a), (b, a)),
    ]
    for act, sides in acts:
        done = studio.does(act)
        undone = studio.undoes().undone
        assert undone is not None
        assert undone.pair is not None
        assert (undone.act_id, undone.kind, undone.label) == (act.id, act.kind, done.label)
        assert (undone.pair.left.id, undone.pair.right.id) == sides
        assert undone.pair.key == f"{a}-{b}"


def test_an_undo_hands_back_no_pair_that_someone_else_ended(studio: Studio) -> None:
    a, b = studio.images(2)
    studio.votes(a, b)
    studio.kills(b, "ben")
    undone = studio.undoes().undone
    assert undone is not None
    assert undone.pair is None
    assert studio.states()[a].elo == 1000.0


def test_any_act_is_taken_back_by_its_id(studio: Studio) -> None:
    a, b, c = studio.images(3)
    first = studio.votes(a, b)
    studio.votes(b, c)
    result = studio.undoes(target=first)
    assert result.label == "Took back: Chose the left image."
    assert studio.states()[a].elo == 1000.0
    assert studio.states()[c].votes == 1
    with pytest.raises(Conflict, match="already taken back"):
        studio.undoes(target=first)
    with pytest.raises(NotFound, match="no such act"):
        studio.undoes(target="never sent")
    with pytest.raises(NotFound, match="no such act"):
        studio.undoes("ben", target=first)


def test_the_undo_of_an_undo_is_a_redo(studio: Studio) -> None:
    a, b = studio.images(2)
    studio.votes(a, b)
    undo = studio.undoes().id
    again = studio.undoes(target=undo)
    assert again.label == "Did again: Chose the left image."
    assert studio.states()[a].elo == 1016.0
    with pytest.raises(Conflict, match="nothing to do again"):
        studio.redoes()
    with pytest.raises(Conflict, match="already taken back"):
        studio.undoes(target=undo)
    with pytest.raises(Conflict, match="already taken back"):
        studio.undoes(target=again.id)
    studio.undoes()
    redo = studio.redoes().id
    studio.undoes(target=redo)
    assert studio.states()[a].elo == 1000.0


def test_something_new_ends_what_could_be_done_again(studio: Studio) -> None:
    a, b, c = studio.images(3)
    studio.votes(a, b)
    studio.undoes()
    studio.votes(b, c)
    with pytest.raises(Conflict, match="nothing to do again"):
        studio.redoes()
    studio.undoes()
    studio.redoes()
    with pytest.raises(Conflict, match="nothing to do again"):
        studio.redoes()
    assert studio.states()[a].votes == 0


def test_a_kill_is_not_done_again_over_someone_elses(studio: Studio) -> None:
    base = studio.image()
    studio.kills(base)
    studio.undoes()
    studio.kills(base, "ben")
    with pytest.raises(Conflict, match="already rejected"):
        studio.redoes()
    studio.undoes("ben")
    studio.redoes()
    assert studio.rejected() == {base}


def test_an_undo_sent_twice_takes_back_one_act(studio: Studio) -> None:
    a, b = studio.images(2)
    studio.votes(a, b)
    studio.votes(a, b)
    act = UndoAct("u")
    first, again = studio.does(act), studio.does(act)
    assert (first.repeated, again.repeated) == (False, True)
    assert first.undone == again.undone
    assert studio.states()[a].votes == 1


def test_the_history_tells_each_act_and_a_walk_as_one(studio: Studio) -> None:
    base, face, hand, last = studio.line()
    a, b = studio.images(2)
    studio.does(VoteAct("v", a, b, left=b))
    studio.does(TieAct("t", a, b, left=a))
    studio.does(KillAct("k", last))
    studio.answers("k", hand, WalkAnswer.ALREADY_WRONG)
    studio.answers("k", face, WalkAnswer.THIS_STEP)
    studio.does(SkipAct("s", a, b))
    studio.undoes()
    items = past(studio)
    assert [(item.id, item.kind, item.undone, item.undoable) for item in items] == [
        ("s", ActKind.SKIP, True, False),
        ("k", ActKind.KILL, False, True),
        ("t", ActKind.TIE, False, True),
        ("v", ActKind.VOTE, False, True),
    ]
    assert [item.chosen for item in items] == [
        Chosen.NONE,
        Chosen.NONE,
        Chosen.BOTH,
        Chosen.RIGHT,
    ]
    assert items[1].label == (
        "Rejected one Upscale image. Rejected one Hand Fix image. "
        "Rejected one Face Fix image. Blamed: Face Fix."
    )
    sides = [(item.left and item.left.id, item.right and item.right.id) for item in items]
    assert sides == [(a, b), (last, None), (a, b), (b, a)]
    assert [item.id for item in past(studio, limit=2)] == ["s", "k"]
    assert [item.id for item in past(studio, before="k")] == ["t", "v"]
    assert past(studio, "ben") == []
    assert base in studio.states()


def test_every_kind_of_act_can_be_taken_back(studio: Studio) -> None:
    assert set(triage.INVERSES) == set(ActKind) - {ActKind.UNDO, ActKind.REDO}


@dataclass(eq=False)
class Deed:
    """What one undo takes back: a vote, a tie, a worst of four, a skip, or a kill with its walk."""

    id: str
    person: str
    at: int  # when it was last added to
    deltas: dict[int, float] = field(default_factory=dict)
    votes: Counter[int] = field(default_factory=Counter)
    killed: list[int] = field(default_factory=list)
    lineage: list[int] = field(default_factory=list)
    asked: int | None = None  # a position in the lineage
    blamed: int | None = None  # the order of a step
    undone: bool = False


class Judging(RuleBasedStateMachine):
    """Two people do and undo what they like; every image is as the deeds that stand make it."""

    studio: Studio
    parents: dict[int, int | None]

    @initialize()
    def begin(self) -> None:
        self.deeds: list[Deed] = []
        self.redos: dict[str, list[Deed]] = {"ann": [], "ben": []}
        self.clock = 0
        with self.studio.database.transaction() as tx:
            for table in (schema.Kill, schema.Vote, schema.Act, schema.Event):
                tx.execute(delete(table))
            tx.execute(
                update(ImageCandidate).values(
                    status="active", rejected_ancestors=0, elo_score=1000.0, vote_count=0
                )
            )

    @rule(data=st.data(), person=PEOPLE, tie=st.booleans())
    def someone_votes(self, data: st.DataObject, person: str, tie: bool) -> None:
        a, b = self.pair(data)
        act = TieAct(an_id(), a, b, b) if tie else VoteAct(an_id(), a, b, b)
        deed = Deed(act.id, person, self.tick())
        expected = 1 / (1 + 10 ** ((self.elo(b) - self.elo(a)) / 400))
        gain = 32 * ((0.5 if tie else 1.0) - expected)
        deed.deltas = {a: gain, b: -gain}
        deed.votes.update((a, b))
        if self.tries(act, person, self.live(a) and self.live(b)):
            self.done(deed)

    @rule(data=st.data(), person=PEOPLE)
    def someone_names_the_worst_of_four(self, data: st.DataObject, person: str) -> None:
        columns = [[id for id in self.parents if len(self.lineage(id)) == n] for n in (2, 3, 4)]
        column = data.draw(st.sampled_from(columns))
        four = data.draw(st.permutations(column))[:4]
        worst = data.draw(st.sampled_from(four))
        act = WorstAct(an_id(), worst, tuple(four))
        deed = Deed(act.id, person, self.tick())
        for other in (id for id in four if id != worst):
            behind = self.elo(worst) + deed.deltas.get(worst, 0.0)
            gain = 32 * (1 - 1 / (1 + 10 ** ((behind - self.elo(other)) / 400)))
            deed.deltas[other] = gain
            deed.deltas[worst] = deed.deltas.get(worst, 0.0) - gain
            deed.votes.update((other, worst))
        if self.tries(act, person, all(map(self.live, four))):
            self.done(deed)

    @rule(data=st.data(), person=PEOPLE)
    def someone_skips(self, data: st.DataObject, person: str) -> None:
        act = SkipAct(an_id(), *self.pair(data))
        if self.tries(act, person, True):
            self.done(Deed(act.id, person, self.tick()))

    @rule(data=st.data(), person=PEOPLE, both=st.booleans())
    def someone_kills(self, data: st.DataObject, person: str, both: bool) -> None:
        a, b = self.pair(data)
        act = KillBothAct(an_id(), a, b) if both else KillAct(an_id(), a, b)
        live = [id for id in ([a, b] if both else [a]) if self.live(id)]
        if not self.tries(act, person, bool(live)):
            return
        deed = Deed(act.id, person, self.tick(), killed=live, lineage=self.lineage(live[0]))
        deed.asked = len(deed.lineage) - 2 if len(deed.lineage) > 1 else None
        if deed.asked is None:
            deed.blamed = 1
        self.done(deed)

    @precondition(lambda self: any(deed.lineage for deed in self.deeds))
    @rule(data=st.data(), answer=st.sampled_from(list(WalkAnswer)))
    def someone_answers(self, data: st.DataObject, answer: WalkAnswer) -> None:
        deed = data.draw(st.sampled_from([deed for deed in self.deeds if deed.lineage]))
        asked = deed.lineage[deed.asked or 0]
        open = deed.asked is not None and not deed.undone
        if not self.tries(WalkAct(an_id(), deed.id, asked, answer), deed.person, open):
            return
        at = deed.asked
        assert at is not None
        rejects = answer in {WalkAnswer.ALREADY_WRONG, WalkAnswer.THIS_STEP}
        if rejects and not self.rejected(asked):
            deed.killed.append(asked)
        deed.asked = None
        match answer:
            case WalkAnswer.ALREADY_WRONG if at > 0:
                deed.asked = at - 1
            case WalkAnswer.ALREADY_WRONG | WalkAnswer.THIS_STEP:
                deed.blamed = at + 1
            case WalkAnswer.STILL_FINE:
                deed.blamed = at + 2
        deed.at = self.tick()
        self.redos[deed.person] = []

    @rule(person=PEOPLE)
    def someone_takes_back(self, person: str) -> None:
        mine = [deed for deed in self.deeds if deed.person == person and not deed.undone]
        if self.tries(UndoAct(an_id()), person, bool(mine)):
            self.undone(max(mine, key=lambda deed: deed.at))

    @precondition(lambda self: self.deeds)
    @rule(data=st.data())
    def someone_takes_back_an_older_deed(self, data: st.DataObject) -> None:
        deed = data.draw(st.sampled_from(self.deeds))
        if self.tries(UndoAct(an_id(), deed.id), deed.person, not deed.undone):
            self.undone(deed)

    @rule(person=PEOPLE)
    def someone_does_it_again(self, person: str) -> None:
        stack = self.redos[person]
        free = bool(stack) and not any(self.rejected(id) for id in stack[-1].killed)
        if self.tries(RedoAct(an_id()), person, free):
            stack.pop().undone = False

    @invariant()
    def every_image_is_what_the_standing_deeds_make_it(self) -> None:
        if not hasattr(self, "deeds"):
            return
        found = self.studio.states()
        for id in self.parents:
            state = found[id]
            ancestors = self.lineage(id)[:-1]
            assert state.rejected == self.rejected(id)
            assert state.rejected_ancestors == sum(map(self.rejected, ancestors))
            assert state.elo == pytest.approx(self.elo(id), abs=1e-6)
            assert state.votes == sum(deed.votes[id] for deed in self.standing())

    @invariant()
    def every_standing_kill_blames_what_its_walk_found(self) -> None:
        if not hasattr(self, "deeds"):
            return
        blamed = {id: self.blame(deed, id) for deed in self.standing() for id in deed.killed}
        assert self.studio.blames() == blamed

    def blame(self, deed: Deed, id: int) -> int | None:
        """A kill of two cousins is explained for the first of them alone."""
        explained = id in deed.lineage or self.parents[id] == self.parents[deed.killed[0]]
        return deed.blamed if explained else None

    def tries(self, act: Act, person: str, allowed: bool) -> bool:
        """Sends the act; it must be done or refused as `allowed` says."""
        try:
            self.studio.does(act, person)
        except Conflict:
            assert not allowed
            return False
        assert allowed
        return True

    def done(self, deed: Deed) -> None:
        self.deeds.append(deed)
        self.redos[deed.person] = []

    def undone(self, deed: Deed) -> None:
        deed.undone = True
        self.redos[deed.person].append(deed)

    def tick(self) -> int:
        self.clock += 1
        return self.clock

    def pair(self, data: st.DataObject) -> tuple[int, int]:
        a = data.draw(st.sampled_from(sorted(self.parents)))
        depth = len(self.lineage(a))
        others = [id for id in self.parents if id != a and len(self.lineage(id)) == depth]
        return a, data.draw(st.sampled_from(sorted(others)))

    def lineage(self, id: int) -> list[int]:
        parent = self.parents[id]
        return [id] if parent is None else [*self.lineage(parent), id]

    def standing(self) -> list[Deed]:
        return [deed for deed in self.deeds if not deed.undone]

    def rejected(self, id: int) -> bool:
        return any(id in deed.killed for deed in self.standing())

    def live(self, id: int) -> bool:
        return not any(self.rejected(one) for one in self.lineage(id))

    def elo(self, id: int) -> float:
        return 1000.0 + sum(deed.deltas.get(id, 0.0) for deed in self.standing())


def test_any_sequence_of_acts_and_undos_leaves_what_stands(studio: Studio) -> None:
    parents: dict[int, int | None] = dict.fromkeys(studio.images(2))
    for width in (2, 1, 2):
        last = [id for id in parents if id not in parents.values()]
        parents |= {child: id for id in last for child in studio.images(width, id)}
    machine = type("Machine", (Judging,), {"studio": studio, "parents": parents})
    most = settings().max_examples
    examples = max(10, most // 2) if studio.database.sqlite else max(5, most // 5)
    run_state_machine_as_test(
        machine, settings=settings(settings(), max_examples=examples, stateful_step_count=40)
    )
