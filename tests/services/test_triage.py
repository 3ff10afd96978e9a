"""Votes, ties, skips and kills: what they change, what they refuse, and that each counts once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from judging import Studio, an_id
from shortlist.domain.model import JobStatus
from shortlist.errors import BadInput, Conflict, NotFound
from shortlist.services import journal
from shortlist.services.acts import (
    Act,
    KillAct,
    KillBothAct,
    SkipAct,
    TieAct,
    UndoAct,
    VoteAct,
)
from shortlist.services.journal import EventKind
from shortlist.store.db import Database
from shortlist.store.schema import ImageCandidate, Job, Vote


@pytest.fixture
def studio(db: Database) -> Studio:
    return Studio(db)


def told(studio: Studio, after: int) -> list[tuple[EventKind, dict[str, object]]]:
    with studio.database.snapshot() as tx:
        return [(entry.kind, entry.data) for entry in journal.after(tx, after, limit=100)]


def heard(studio: Studio) -> int:
    with studio.database.snapshot() as tx:
        return journal.last(tx)


def test_a_vote_moves_both_ratings_at_once_and_is_told(studio: Studio) -> None:
    a, b = studio.images(2)
    before = heard(studio)
    result = studio.does(VoteAct("v", a, b, left=b, shown_ms=900))
    assert result.ratings == {a: 1016.0, b: 984.0}
    assert result.label == "Chose the right image."
    states = studio.states()
    assert (states[a].elo, states[a].votes) == (1016.0, 1)
    assert (states[b].elo, states[b].votes) == (984.0, 1)
    ratings = {str(a): {"elo": 1016.0, "votes": 1}, str(b): {"elo": 984.0, "votes": 1}}
    news = {"ratings": ratings, "act": "v", "pairs": [f"{a}-{b}"]}
    assert told(studio, before) == [(EventKind.RATED, news)]


def test_a_vote_is_stored_with_everything_known_of_it(studio: Studio) -> None:
    a, b = studio.images(2)
    studio.votes(a, b, "ben")
    act = studio.does(TieAct("t", a, b, left=b, shown_ms=1234))
    with studio.database.snapshot() as tx:
        row = tx.execute(select(Vote).where(Vote.client_id == act.id)).mappings().one()
    stored = {name: row[name] for name in ("winner_id", "loser_id", "tie", "voter", "left_id")}
    assert stored == {"winner_id": a, "loser_id": b, "tie": True, "voter": "ann", "left_id": b}
    assert (row["winner_before"], row["loser_before"], row["shown_ms"]) == (1016.0, 984.0, 1234)
    assert row["winner_delta"] == pytest.approx(-1.4695, abs=5e-4)
    assert row["winner_delta"] == -row["loser_delta"]


def test_a_skip_changes_no_rating_and_is_in_the_history(studio: Studio) -> None:
    a, b = studio.images(2)
    before = studio.states()
    assert studio.does(SkipAct(an_id(), a, b)).label == "Skipped a pair."
    assert studio.states() == before


def test_the_same_act_twice_counts_once_and_is_answered_alike(studio: Studio) -> None:
    a, b = studio.images(2)
    act = VoteAct("v", a, b, left=a)
    first, again = studio.does(act), studio.does(act)
    assert (first.repeated, again.repeated) == (False, True)
    assert (first.label, first.ratings) == (again.label, again.ratings)
    assert studio.states()[a].votes == 1


def test_an_id_with_other_content_is_a_conflict(studio: Studio) -> None:
    a, b = studio.images(2)
    studio.does(VoteAct("v", a, b, left=a))
    for other in (VoteAct("v", b, a, left=a), TieAct("v", a, b, left=a), UndoAct("v")):
        with pytest.raises(Conflict, match="send a new id"):
            studio.does(other)
    assert studio.states()[a].votes == 1


def test_two_people_may_use_the_same_id(studio: Studio) -> None:
    a, b = studio.images(2)
    for person in ("ann", "ben"):
        assert not studio.does(VoteAct("v", a, b, left=a), person).repeated
    assert studio.states()[a].votes == 2


def test_fifty_threads_with_one_act_make_one_vote(studio: Studio) -> None:
    a, b = studio.images(2)
    act = VoteAct("v", a, b, left=a)
    with ThreadPoolExecutor(50) as threads:
        results = list(threads.map(lambda _: studio.does(act), range(50)))
    assert sorted(result.repeated for result in results) == [False] + [True] * 49
    assert {tuple(result.ratings.items()) for result in results} == {((a, 1016.0), (b, 984.0))}
    assert studio.states()[a].votes == 1


def test_many_people_voting_at_once_lose_nothing(studio: Studio) -> None:
    ids = studio.images(4)
    pairs = [(a, b) for a in ids for b in ids if a != b]

    def session(number: int) -> None:
        for a, b in pairs:
            studio.votes(a, b, f"person {number}")

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(session, range(6)))
    states = studio.states()
    assert [states[id].votes for id in ids] == [36] * 4
    assert sum(states[id].elo for id in ids) == pytest.approx(4000.0)
    with studio.database.snapshot() as tx:
        for id in ids:
            won = select(func.sum(Vote.winner_delta)).where(Vote.winner_id == id)
            lost = select(func.sum(Vote.loser_delta)).where(Vote.loser_id == id)
            gained = tx.execute(won).scalar_one() + tx.execute(lost).scalar_one()
            assert states[id].elo == pytest.approx(1000.0 + gained, abs=1e-6)


def test_a_kill_ends_the_whole_branch_and_its_jobs(studio: Studio) -> None:
    base, face, hand, _ = studio.line()
    aside = studio.image(base)
    spared, *stopped = (studio.job(parent) for parent in (aside, face, hand, hand))
    before = heard(studio)
    result = studio.does(KillAct(an_id(), face, other=aside))
    assert result.label == "Rejected one Face Fix image and 2 below, with 3 jobs."
    assert result.rejected is not None
    assert (result.rejected.root_id, result.rejected.branch, result.rejected.jobs) == (face, 2, 3)
    states = studio.states()
    assert [states[id].rejected for id in (base, face, hand, aside)] == [False, True, False, False]
    assert [states[id].rejected_ancestors for id in (base, face, hand, aside)] == [0, 0, 1, 0]
    with studio.database.snapshot() as tx:
        rows = tx.execute(select(Job.id, Job.status, Job.recall, Job.finished_at))
        jobs = {id: (status, recall, at is not None) for id, status, recall, at in rows}
        places = tx.execute(select(ImageCandidate.id, ImageCandidate.reserved))
        reserved = dict(places.all())
    assert {jobs[id] for id in stopped} == {(JobStatus.CANCELLED, True, True)}
    assert jobs[spared] == (JobStatus.RUNNING, False, False)
    assert [reserved[id] for id in (base, face, hand, aside)] == [0, 0, 0, 1]
    kinds = [kind for kind, _ in told(studio, before)]
    assert kinds == [EventKind.CANDIDATE_REJECTED] + [EventKind.JOB_CHANGED] * 3
    assert told(studio, before)[0][1] == {"root_id": face, "branch": 2, "status": "rejected"}


def test_a_kill_counts_only_images_that_die_with_it(studio: Studio) -> None:
    base, _, _, last = studio.line()
    studio.kills(last)
    result = studio.does(KillAct(an_id(), base))
    assert result.rejected is not None
    assert result.rejected.branch == 2
    assert studio.states()[last].rejected_ancestors == 1


def test_ids_that_begin_alike_are_not_one_branch(studio: Studio) -> None:
    bases = studio.images(12)
    children = {base: studio.image(base) for base in bases}
    studio.kills(bases[0])
    dead = {id for id, state in studio.states().items() if state.rejected_ancestors}
    assert dead == {children[bases[0]]}


def test_killing_a_base_image_blames_its_step_and_begins_no_walk(studio: Studio) -> None:
    base = studio.image()
    result = studio.does(KillAct("k", base))
    assert result.walk is not None
    assert result.walk.asked is None
    assert result.walk.blamed_step == "Base"
    assert studio.blamed(base) == "Base"


def test_killing_both_rejects_both(studio: Studio) -> None:
    base = studio.image()
    a, b = studio.images(2, base)
    studio.image(b)
    result = studio.does(KillBothAct(an_id(), a, b))
    assert result.label == "Rejected two Face Fix images and 1 below."
    assert studio.rejected() == {a, b}


def test_killing_both_takes_the_one_that_is_left(studio: Studio) -> None:
    a, b = studio.images(2)
    studio.kills(a, "ben")
    result = studio.does(KillBothAct(an_id(), a, b))
    assert result.label == "Rejected one Base image."
    assert studio.rejected() == {a, b}


def test_what_another_person_killed_is_named_and_not_killed_again(studio: Studio) -> None:
    base, face, *_ = studio.line()
    studio.kills(base, "ben")
    with pytest.raises(Conflict, match=r"This Base image was already rejected by ben\."):
        studio.kills(base)
    with pytest.raises(Conflict, match="already rejected with an image before it"):
        studio.kills(face)
    with pytest.raises(Conflict, match=r"already rejected\."):
        studio.kills(base, "ben")
    assert studio.rejected() == {base}


def test_a_vote_on_an_image_rejected_meanwhile_is_not_counted(studio: Studio) -> None:
    base = studio.image()
    a, b = studio.images(2, base)
    studio.kills(a, "ben")
    with pytest.raises(Conflict, match="rejected meanwhile; the vote was not counted") as refused:
        studio.votes(a, b)
    assert refused.value.extra == {"rejected": [a]}
    studio.kills(base, "ben")
    with pytest.raises(Conflict, match="rejected meanwhile"):
        studio.ties(a, b)
    assert {state.votes for state in studio.states().values()} == {0}


def test_only_images_of_one_step_of_one_run_are_compared(studio: Studio) -> None:
    base, face, *_ = studio.line()
    elsewhere = studio.image(run=studio.another_run())
    refused: list[tuple[Act, type[Exception], str]] = [
        (VoteAct("1", base, face, left=base), Conflict, "different steps"),
        (VoteAct("2", base, elsewhere, left=base), Conflict, "different runs"),
        (VoteAct("3", base, base, left=base), BadInput, "compared with itself"),
        (VoteAct("4", base, 987654, left=base), NotFound, "no image 987654"),
        (VoteAct("5", base, elsewhere, left=face), BadInput, "neither of the two"),
        (SkipAct("6", base, face), Conflict, "different steps"),
        (KillAct("7", base, other=face), Conflict, "different steps"),
        (KillAct("8", 987654), NotFound, "no image 987654"),
        (KillAct("9", base, left=face), BadInput, "neither of the two"),
        (KillBothAct("10", base, base), BadInput, "compared with itself"),
    ]
    for act, kind, words in refused:
        with pytest.raises(kind, match=words):
            studio.does(act)
    assert studio.rejected() == set()


def test_a_refused_act_leaves_its_id_free(studio: Studio) -> None:
    a, b = studio.images(2)
    kill = studio.kills(b, "ben")
    act = VoteAct("v", a, b, left=a)
    with pytest.raises(Conflict):
        studio.does(act)
    studio.undoes("ben", kill)
    assert not studio.does(act).repeated


def test_of_many_people_who_kill_one_image_at_once_one_does(studio: Studio) -> None:
    base, child = studio.line(2)

    def kills(person: str) -> bool:
        try:
            return bool(studio.kills(base, person))
        except Conflict:
            return False

    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(kills, [f"person {number}" for number in range(8)]))
    assert sorted(done) == [False] * 7 + [True]
    assert studio.states()[child].rejected_ancestors == 1


def test_votes_in_a_branch_that_is_killed_and_restored_meanwhile_all_end(studio: Studio) -> None:
    base = studio.image()
    ids = studio.images(6, base)
    pairs = [(a, b) for a in ids for b in reversed(ids) if a != b]

    def votes(person: str) -> int:
        counted = 0
        for a, b in pairs:
            try:
                studio.votes(a, b, person)
            except Conflict:
                continue
            counted += 1
        return counted

    def kills(person: str) -> int:
        for _ in range(15):
            studio.kills(base, person)
            studio.undoes(person)
        return 0

    with ThreadPoolExecutor(4) as threads:
        voting = threads.map(votes, ["ann", "ben", "cid"])
        killing = threads.submit(kills, "dora")
        counted = sum(voting)
        killing.result()
    states = studio.states()
    assert sum(states[id].votes for id in ids) == 2 * counted
    assert sum(states[id].elo for id in ids) == pytest.approx(6000.0)
    assert {states[id].rejected_ancestors for id in ids} == {0}
