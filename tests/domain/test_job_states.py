"""The life of a job as transcripts: what is heard goes in, what is to be done comes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.domain.job_states import (
    MOST_ATTEMPTS,
    Cause,
    Do,
    Effect,
    Event,
    Fail,
    Failed,
    Heard,
    Known,
    Where,
    step,
)

CLAIMED = Known(Where.HERE, attempts=1)
AFTER_A_START = Known(Where.UNSURE, attempts=1)
BROKE = Failed(Cause.RAISED, "Sampler: boom")
REFUSED = Failed(Cause.REFUSED, "Loader: ckpt_name is 'x', which this server does not have.")
NO_MEMORY = Failed(Cause.OUT_OF_MEMORY, "Decode: out of memory")
HUNG = Failed(Cause.TIMED_OUT, "It showed no progress for 30 minutes.")


def play(known: Known, *events: Event) -> list[tuple[Effect, ...]]:
    """The effects of each event in turn, and where the job stands in the end."""
    done = []
    for event in events:
        known, effects = step(known, event)
        done.append(effects)
    return [*done, (known.where,)]  # type: ignore[list-item]


def fail(event: Failed) -> Fail:
    return Fail(event.cause, event.sentence)


def test_a_job_is_submitted_followed_and_taken_in() -> None:
    events = [Heard.CLAIMED, Heard.ACCEPTED, Heard.QUEUED, Heard.RUNNING, Heard.RUNNING]
    assert play(CLAIMED, *events, Heard.SUCCEEDED, Heard.TAKEN_IN) == [
        (Do.SUBMIT,),
        (Do.NOTE_SUBMITTED,),
        (),
        (Do.NOTE_RUNNING,),
        (),
        (Do.TAKE_IN,),
        (Do.FORGET,),
        (Where.OVER,),
    ]


@pytest.mark.parametrize(
    ("event", "effects"),
    [
        (REFUSED, (fail(REFUSED),)),
        (BROKE, (fail(BROKE), Do.FORGET)),
        (NO_MEMORY, (fail(NO_MEMORY), Do.FORGET, Do.FREE)),
        (HUNG, (fail(HUNG), Do.CANCEL)),
    ],
)
def test_a_bad_end_fails_the_job_with_its_own_words(
    event: Failed, effects: tuple[Effect, ...]
) -> None:
    assert play(Known(Where.RUNNING, 1), event) == [effects, (Where.OVER,)]


def test_a_stop_that_the_hub_did_not_ask_for_is_a_failure() -> None:
    (effects, where) = play(Known(Where.RUNNING, 1), Heard.INTERRUPTED)
    assert isinstance(effects[0], Fail)
    assert effects[0].cause is Cause.INTERRUPTED
    assert where == (Where.OVER,)


def test_a_submit_without_an_answer_is_never_repeated_blindly() -> None:
    assert play(CLAIMED, Heard.UNANSWERED, Heard.RUNNING, Heard.SUCCEEDED) == [
        (),
        (Do.NOTE_RUNNING,),
        (Do.TAKE_IN,),
        (Where.ENDED,),
    ]


def test_a_submit_that_never_left_is_simply_tried_again() -> None:
    events = [Heard.NOT_SENT, Heard.LOST_TOUCH, Heard.CLAIMED]
    assert play(CLAIMED, *events) == [(), (), (Do.SUBMIT,), (Where.HERE,)]


def test_a_job_absent_twice_is_looked_for_by_its_files() -> None:
    assert play(AFTER_A_START, Heard.ABSENT, Heard.ABSENT, Heard.TAKEN_IN) == [
        (),
        (Do.ADOPT,),
        (Do.FORGET,),
        (Where.OVER,),
    ]


def test_a_job_seen_between_two_absences_is_not_lost() -> None:
    events = [Heard.ABSENT, Heard.QUEUED, Heard.ABSENT]
    assert play(AFTER_A_START, *events)[2] == ()


def test_after_a_restart_one_absence_is_enough() -> None:
    assert play(Known(Where.RUNNING, 1), Heard.ABSENT_AFTER_RESTART)[0] == (Do.ADOPT,)


def test_a_lost_job_without_files_goes_up_again_under_a_new_id() -> None:
    assert play(AFTER_A_START, Heard.ABSENT, Heard.ABSENT, Heard.NO_FILES, Heard.ACCEPTED)[2:] == [
        (Do.FORGET, Do.RESUBMIT, Do.SUBMIT),
        (Do.NOTE_SUBMITTED,),
        (Where.QUEUED,),
    ]


def test_a_job_lost_three_times_fails() -> None:
    known, resubmits = AFTER_A_START, 0
    while known.where is not Where.OVER:
        known, effects = step(known, Heard.UNANSWERED)
        known, effects = step(known, Heard.ABSENT_AFTER_RESTART)
        known, effects = step(known, Heard.NO_FILES)
        resubmits += Do.RESUBMIT in effects
    assert resubmits == MOST_ATTEMPTS - 1
    assert isinstance(effects[0], Fail)
    assert effects[0].cause is Cause.LOST


def test_a_recalled_job_is_cancelled_until_the_server_has_let_go() -> None:
    events = [Heard.RECALL, Heard.RUNNING, Heard.INTERRUPTED]
    assert play(Known(Where.QUEUED, 1), *events) == [
        (Do.CANCEL,),
        (Do.CANCEL,),
        (Do.SETTLE_RECALL, Do.FORGET),
        (Where.OVER,),
    ]


def test_a_recalled_job_that_vanishes_from_the_queue_is_settled_at_once() -> None:
    assert play(Known(Where.QUEUED, 1), Heard.RECALL, Heard.ABSENT)[1:] == [
        (Do.SETTLE_RECALL,),
        (Where.OVER,),
    ]


def test_a_recall_while_the_submit_is_unanswered_waits_for_a_second_look() -> None:
    events = [Heard.UNANSWERED, Heard.RECALL, Heard.ABSENT, Heard.ABSENT]
    assert play(CLAIMED, *events)[2:] == [(), (Do.SETTLE_RECALL,), (Where.OVER,)]


def test_the_result_of_a_recalled_job_is_taken_in_if_it_came_anyway() -> None:
    events = [Heard.RECALL, Heard.SUCCEEDED, Heard.TAKEN_IN]
    assert play(Known(Where.RUNNING, 1), *events)[1:3] == [(Do.TAKE_IN,), (Do.FORGET,)]


def test_a_recalled_job_is_never_rendered_again() -> None:
    known = Known(Where.ENDED, 1, recalled=True)
    for event in (Heard.NO_FILES, Heard.FILES_GONE, BROKE):
        assert Do.RESUBMIT not in step(known, event)[1]
        assert Do.SETTLE_RECALL in step(known, event)[1]


EVENTS = st.one_of(
    st.sampled_from([heard for heard in Heard if heard is not Heard.CLAIMED]),
    st.builds(Failed, st.sampled_from(Cause), st.just("It broke.")),
)
STATES = st.builds(Known, st.sampled_from(Where), st.integers(1, MOST_ATTEMPTS), st.booleans())


@given(STATES, st.lists(EVENTS, max_size=30))
def test_whatever_is_heard_a_job_ends_once_and_is_never_put_up_too_often(
    known: Known, events: list[Event]
) -> None:
    ends = 0
    for event in events:
        was_over = known.where is Where.OVER
        known, effects = step(known, event)
        ended = [e for e in effects if isinstance(e, Fail) or e is Do.SETTLE_RECALL]
        ends += len(ended)
        assert not (was_over and effects)
        assert not (known.recalled and any(isinstance(e, Fail) for e in effects))
        assert not (known.recalled and Do.SUBMIT in effects)
        assert known.attempts <= MOST_ATTEMPTS
    assert ends <= 1
