"""Kill-left: every answer at every level, who stands beside, and others at work meanwhile."""

from __future__ import annotations

import pytest

from judging import STEPS, State, Studio, an_id
from shortlist.domain.model import WalkAnswer
from shortlist.domain.walk import Relation
from shortlist.errors import BadInput, Conflict, NotFound
from shortlist.services.acts import KillAct, KillBothAct, WalkAct
from shortlist.services.walks import Walk
from shortlist.store.db import Database

LEFT = WalkAnswer.ALREADY_WRONG


@pytest.fixture
def studio(db: Database) -> Studio:
    return Studio(db)


def beside(walk: Walk) -> tuple[int, Relation] | None:
    return (walk.beside.candidate.id, walk.beside.relation) if walk.beside else None


def asked(walk: Walk) -> int | None:
    return walk.asked.candidate.id if walk.asked else None


def test_a_kill_opens_the_question_about_its_parent(studio: Studio) -> None:
    base, face, hand, last = studio.line()
    walk = studio.does(KillAct("k", last)).walk
    assert walk is not None
    assert (walk.id, walk.killed.id, asked(walk)) == ("k", last, hand)
    assert walk.asked is not None
    assert (walk.asked.step_name, walk.asked.step_order) == ("Hand Fix", 3)
    assert [(s.candidate.id, s.step_name, s.rejected) for s in walk.strip] == [
        (base, "Base", False),
        (face, "Face Fix", False),
        (hand, "Hand Fix", False),
        (last, "Upscale", True),
    ]
    assert walk == studio.walk("k")


@pytest.mark.parametrize(("length", "lefts"), [(2, 0), (3, 0), (3, 1), (4, 0), (4, 1), (4, 2)])
@pytest.mark.parametrize("answer", list(WalkAnswer))
def test_every_answer_at_every_level(
    studio: Studio, length: int, lefts: int, answer: WalkAnswer
) -> None:
    """`lefts` times "already wrong", then `answer`; the walk must be over or one step on."""
    line = studio.line(length)
    kill = studio.kills(line[-1])
    at = length - 2
    for _ in range(lefts):
        studio.answers(kill, line[at], LEFT)
        at -= 1
    walk = studio.answers(kill, line[at], answer).walk
    assert walk is not None
    rejects = answer in {WalkAnswer.ALREADY_WRONG, WalkAnswer.THIS_STEP}
    rejected = set(line[at if rejects else at + 1 :])
    blames = {
        WalkAnswer.ALREADY_WRONG: STEPS[0] if at == 0 else None,
        WalkAnswer.THIS_STEP: STEPS[at],
        WalkAnswer.STILL_FINE: STEPS[at + 1],
        WalkAnswer.DONT_KNOW: None,
    }
    assert studio.rejected() == rejected
    assert walk.blamed_step == blames[answer]
    assert {studio.blamed(id) for id in rejected} == {blames[answer]}
    goes_on = answer is WalkAnswer.ALREADY_WRONG and at > 0
    assert asked(walk) == (line[at - 1] if goes_on else None)
    if not goes_on:
        with pytest.raises(Conflict, match="over"):
            studio.answers(kill, line[max(0, at - 1)], answer)


@pytest.mark.parametrize("answers", range(4))
def test_a_whole_walk_is_one_undo_and_one_redo(studio: Studio, answers: int) -> None:
    base, face, hand, last = studio.line()
    studio.image(face)
    a, b = studio.images(2, hand)
    studio.votes(a, b)
    untouched = studio.states()
    kill = studio.kills(last)
    for image in (hand, face, base)[:answers]:
        studio.answers(kill, image, LEFT)
    walked, blame = studio.states(), studio.blamed(last)
    undone = studio.undoes().undone
    assert undone is not None
    assert undone.act_id == kill
    assert studio.states() == untouched
    assert asked(studio.walk(kill)) is None
    assert studio.walk(kill).note == "This kill was taken back."
    with pytest.raises(Conflict, match="taken back"):
        studio.answers(kill, hand, LEFT)
    studio.redoes()
    assert (studio.states(), studio.blamed(last)) == (walked, blame)
    studio.undoes(target=kill)
    assert studio.states() == untouched


def test_the_best_rated_sibling_stands_beside_and_others_take_turns(studio: Studio) -> None:
    base = studio.image()
    asked_about, *others = studio.images(4, base)
    for id, elo in zip(others, (1100.0, 1300.0, 1200.0), strict=True):
        studio.rate(id, elo)
    cousin = studio.image(studio.image())
    studio.rate(cousin, 2000.0)
    kill = studio.kills(studio.image(asked_about))
    walk = studio.walk(kill)
    assert (beside(walk), walk.others) == ((others[1], Relation.SIBLING), 2)
    turns = [beside(studio.walk(kill, turn=turn)) for turn in range(4)]
    assert [seen[0] for seen in turns if seen] == [others[1], others[2], others[0], others[1]]


def test_without_a_live_sibling_the_best_of_the_step_stands_beside(studio: Studio) -> None:
    base = studio.image()
    asked_about, sibling = studio.images(2, base)
    better, worse = studio.image(studio.image()), studio.image(studio.image())
    studio.rate(better, 1200.0)
    foreign = studio.image(studio.image(run=studio.another_run()))
    studio.rate(foreign, 3000.0)
    kill = studio.kills(studio.image(asked_about))
    studio.kills(sibling)
    assert beside(studio.walk(kill)) == (better, Relation.BEST_OF_STEP)
    studio.kills(better)
    assert beside(studio.walk(kill)) == (worse, Relation.BEST_OF_STEP)
    studio.kills(worse)
    alone = studio.walk(kill)
    assert (asked(alone), beside(alone), alone.others) == (asked_about, None, 0)


def test_beside_a_base_image_stand_the_other_bases_of_its_run(studio: Studio) -> None:
    base, other = studio.images(2)
    studio.rate(studio.image(run=studio.another_run()), 2000.0)
    walk = studio.walk(studio.kills(studio.image(base)))
    assert beside(walk) == (other, Relation.SIBLING)
    assert not walk.answers[LEFT].allowed
    assert walk.answers[LEFT].sentence == "Base is the first step."


def test_each_answer_says_beforehand_what_it_will_do(studio: Studio) -> None:
    _, face, hand, last = studio.line()
    studio.images(2, hand)
    studio.job(hand)
    walk = studio.walk(studio.kills(last))
    said = {answer: (c.sentence, c.rejects, c.jobs) for answer, c in walk.answers.items()}
    ends = "ejects this Hand Fix image and 2 below, with 1 job"
    assert said == {
        WalkAnswer.ALREADY_WRONG: (f"R{ends}, then asks about the Face Fix image.", 3, 1),
        WalkAnswer.THIS_STEP: (f"Blames Hand Fix and r{ends}.", 3, 1),
        WalkAnswer.STILL_FINE: ("Blames Upscale and rejects nothing more.", 0, 0),
        WalkAnswer.DONT_KNOW: ("Leaves the cause open and rejects nothing more.", 0, 0),
    }
    result = studio.answers(walk.id, hand, LEFT)
    assert result.label == "Rejected one Hand Fix image and 2 below, with 1 job."
    assert result.rejected is not None
    assert (result.rejected.branch, result.rejected.jobs) == (2, 1)
    assert asked(studio.walk(walk.id)) == face


def test_a_vote_between_parent_and_sibling_is_a_vote_like_any(studio: Studio) -> None:
    base = studio.image()
    parent, sibling = studio.images(2, base)
    kill = studio.kills(studio.image(parent))
    studio.votes(sibling, parent)
    studio.answers(kill, parent, WalkAnswer.STILL_FINE)
    assert studio.states()[sibling].elo == 1016.0
    studio.undoes()
    assert studio.rejected() == set()
    assert studio.states()[sibling].elo == 1016.0
    studio.undoes()
    assert studio.states()[sibling] == State(False, 0, 1000.0, 0)


def test_the_image_beside_may_be_killed_and_goes_with_the_walks_undo(studio: Studio) -> None:
    base = studio.image()
    parent, sibling, third = studio.images(3, base)
    last = studio.image(parent)
    before = studio.states()
    kill = studio.kills(last)
    result = studio.does(KillAct(an_id(), sibling, other=parent, walk=kill))
    assert result.walk is not None
    assert (asked(result.walk), beside(result.walk)) == (parent, (third, Relation.SIBLING))
    studio.answers(kill, parent, WalkAnswer.THIS_STEP)
    assert studio.rejected() == {last, sibling, parent}
    assert (studio.blamed(last), studio.blamed(sibling)) == ("Face Fix", None)
    studio.undoes()
    assert studio.states() == before
    with pytest.raises(Conflict, match="This walk is over"):
        studio.does(KillAct(an_id(), sibling, walk=kill))


def test_a_second_rejection_by_someone_else_ends_the_question(studio: Studio) -> None:
    base, face, hand, last = studio.line()
    kill = studio.kills(last)
    studio.kills(face, "ben")
    walk = studio.walk(kill)
    assert asked(walk) is None
    assert walk.note == "The Face Fix image was already rejected by ben."
    assert walk.answers == {}
    assert studio.rejected() == {last, face}
    studio.undoes("ben")
    assert asked(studio.walk(kill)) == hand
    assert base not in studio.rejected()


def test_an_answer_sent_before_the_news_came_still_counts_for_the_blame(studio: Studio) -> None:
    _, face, hand, last = studio.line()
    kill = studio.kills(last)
    studio.kills(hand, "ben")
    went_on = studio.answers(kill, hand, LEFT)
    assert went_on.label == "The Hand Fix image had been rejected before."
    assert went_on.rejected is None
    assert went_on.walk is not None
    assert asked(went_on.walk) == face
    assert studio.answers(kill, face, WalkAnswer.STILL_FINE).walk == studio.walk(kill)
    assert studio.blamed(last) == "Hand Fix"
    studio.undoes()
    assert studio.rejected() == {hand}


def test_two_children_killed_at_once_share_one_walk(studio: Studio) -> None:
    base, face, hand, _ = studio.line()
    a, b = studio.images(2, hand)
    walk = studio.does(KillBothAct("k", a, b)).walk
    assert walk is not None
    assert walk.also_killed is not None
    assert (walk.killed.id, walk.also_killed.id, asked(walk)) == (a, b, hand)
    studio.answers("k", hand, WalkAnswer.STILL_FINE)
    assert (studio.blamed(a), studio.blamed(b)) == ("Upscale", "Upscale")
    studio.undoes()
    assert studio.rejected() == set()
    assert {base, face} <= set(studio.states())


def test_two_cousins_killed_at_once_are_walked_one_by_one(studio: Studio) -> None:
    hands = [studio.line(3)[-1] for _ in range(2)]
    a, b = (studio.image(hand) for hand in hands)
    walk = studio.does(KillBothAct("k", a, b)).walk
    assert walk is not None
    assert (walk.killed.id, walk.also_killed, asked(walk)) == (a, None, hands[0])
    studio.answers("k", hands[0], WalkAnswer.THIS_STEP)
    assert (studio.blamed(a), studio.blamed(b)) == ("Hand Fix", None)
    studio.undoes()
    assert studio.rejected() == set()


def test_a_walk_answers_only_to_its_own_question_and_person(studio: Studio) -> None:
    base, face, hand, last = studio.line()
    kill = studio.kills(last)
    vote = studio.votes(*studio.images(2))
    with pytest.raises(Conflict, match="asks about another image"):
        studio.answers(kill, face, WalkAnswer.THIS_STEP)
    with pytest.raises(NotFound, match="no such act in your history"):
        studio.answers(kill, hand, WalkAnswer.THIS_STEP, "ben")
    with pytest.raises(BadInput, match="began no walk"):
        studio.walk(vote)
    with pytest.raises(NotFound):
        studio.walk("never sent")
    assert studio.rejected() == {last}
    assert base in studio.states()


def test_an_answer_sent_twice_goes_one_step_only(studio: Studio) -> None:
    _, face, hand, last = studio.line()
    kill = studio.kills(last)
    act = WalkAct("w", kill, hand, LEFT)
    first, again = studio.does(act), studio.does(act)
    assert (first.repeated, again.repeated) == (False, True)
    assert first.label == again.label
    assert again.walk is not None
    assert asked(again.walk) == face
