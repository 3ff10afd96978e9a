"""Triage right: which pairs a person sees, and what stands there when there are none."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from builders import NOW
from judging import Studio, an_id
from shortlist.domain.model import RunStatus
from shortlist.domain.pairing import Key, parse
from shortlist.errors import NotFound
from shortlist.services import columns, runs
from shortlist.services import deck as decks
from shortlist.services.acts import SkipAct
from shortlist.services.deck import Deck
from shortlist.store.db import Database


@pytest.fixture
def studio(db: Database) -> Studio:
    return Studio(db)


def keys(deck: Deck) -> list[Key]:
    return [parse(pair.key) for pair in deck.pairs]


def ids(deck: Deck) -> set[int]:
    return {id for key in keys(deck) for id in key}


def order(deck: Deck) -> int | None:
    return deck.column.step_order if deck.column else None


def plays(studio: Studio, person: str = "ann") -> list[int]:
    """Votes through everything that person has not voted on; gives the steps in the order seen."""
    seen: list[int] = []
    while (deck := studio.deck(person, count=1)).remaining:
        (pair,) = deck.pairs
        studio.votes(pair.left.id, pair.right.id, person)
        seen.append(pair.step_order)
    return seen


def test_the_right_most_column_with_a_pair_comes_first(studio: Studio) -> None:
    base, _ = studio.images(2)
    face, _ = studio.images(2, base)
    hands = studio.images(3, face)
    studio.image(hands[0])
    deck = studio.deck()
    assert (order(deck), deck.remaining) == (3, 3)
    assert ids(deck) == set(hands)
    assert (deck.pairs[0].step_name, deck.pairs[0].run_id) == ("Hand Fix", studio.run)
    assert plays(studio) == [3, 3, 2, 1]


def test_what_one_person_voted_on_is_still_new_to_another(studio: Studio) -> None:
    studio.images(2, studio.image())
    studio.image()
    assert plays(studio, "ann") == [2, 1]
    assert studio.deck("ann").remaining == 0
    assert plays(studio, "ben") == [2, 1]


def test_a_vote_taken_back_makes_the_pair_new_again(studio: Studio) -> None:
    a, b = studio.images(2)
    studio.votes(a, b)
    assert studio.deck().remaining == 0
    studio.undoes()
    assert studio.deck().remaining == 2


def test_rejected_images_and_their_branches_are_not_shown(studio: Studio) -> None:
    base, other = studio.images(2)
    dead = studio.images(3, base)
    studio.images(2, other)
    kill = studio.kills(base)
    assert not ids(studio.deck()) & {base, *dead}
    assert studio.deck().remaining == 2
    studio.undoes(target=kill)
    assert studio.deck().remaining == 5


def test_pairs_at_hand_are_left_out_and_their_column_counts_as_done(studio: Studio) -> None:
    base, *bases = studio.images(3)
    studio.images(4, base)
    first = studio.deck()
    assert (order(first), len(first.pairs)) == (2, 2)
    second = studio.deck(exclude=keys(first))
    assert order(second) == 1
    assert ids(second) == {base, *bases}
    third = studio.deck(exclude=[*keys(first), *keys(second)])
    assert third.pairs
    assert not set(keys(third)) & {*keys(first), *keys(second)}


def test_no_image_stands_in_two_pairs_in_a_row(studio: Studio) -> None:
    studio.images(6)
    plays(studio)
    shown = keys(studio.deck(count=8))
    assert len(shown) == 8
    assert not any(set(one) & set(next) for one, next in pairwise(shown))
    again = keys(studio.deck(count=1, exclude=shown))
    assert not set(again[0]) & set(shown[-1])


def test_when_all_is_voted_on_close_pairs_go_on(studio: Studio) -> None:
    bases = studio.images(4)
    for id, elo in zip(bases, (1500.0, 1010.0, 1000.0, 1490.0), strict=True):
        studio.rate(id, elo, votes=1)
    studio.votes(bases[0], bases[2])
    studio.votes(bases[3], bases[1])
    deck = studio.deck(count=2)
    assert deck.remaining == 0
    assert sorted(keys(deck)) == [(bases[0], bases[3]), (bases[1], bases[2])]


def test_a_skipped_pair_goes_behind_other_columns(studio: Studio) -> None:
    base, other = studio.images(2)
    a, b = studio.images(2, base)
    studio.does(SkipAct(an_id(), a, b))
    deck = studio.deck()
    assert keys(deck) == [(base, other)]
    studio.votes(base, other)
    assert keys(studio.deck()) == [(a, b)]
    assert studio.deck().remaining == 2


def test_a_skipped_pair_is_dealt_anew_with_others_of_its_column(studio: Studio) -> None:
    a, b, c, d = studio.images(4)
    studio.does(SkipAct(an_id(), a, b))
    studio.votes(c, d)
    deck = studio.deck(count=2)
    assert deck.remaining == 2
    assert (a, b) not in keys(deck)
    assert {a, b} <= ids(deck)


def test_a_pinned_run_and_column_stay(studio: Studio) -> None:
    base, _ = studio.images(2)
    studio.images(2, base)
    elsewhere = studio.another_run()
    theirs = {studio.image(run=elsewhere) for _ in range(2)}
    assert order(studio.deck(step=1)) == 1
    assert ids(studio.deck(run=elsewhere)) == theirs
    assert order(studio.deck(run=studio.run)) == 2
    with pytest.raises(NotFound, match="no run 987654"):
        studio.deck(run=987654)
    with pytest.raises(NotFound, match="no step 9"):
        studio.deck(run=studio.run, step=9)


def test_across_runs_the_right_most_then_the_most_new_images_come_first(studio: Studio) -> None:
    small, large = studio.run, studio.another_run()
    for run, number in ((small, 2), (large, 4)):
        base = studio.image(run=run)
        studio.images(number, base)
    assert [pair.run_id for pair in studio.deck(count=1).pairs] == [large]
    further = studio.images(1, studio.image(studio.image(run=small)))
    studio.image(studio.image(studio.image(run=small)))
    assert further[0] in ids(studio.deck(count=1))


def test_one_goes_on_in_the_same_run_and_then_in_another(studio: Studio) -> None:
    def after(order: int) -> tuple[int, int, int] | None:
        with studio.database.snapshot() as tx:
            found = columns.after(tx, "ann", run_id=studio.run, step_order=order)
        return found and (found.run_id, found.step_order, found.remaining)

    base, other = studio.images(2)
    studio.images(2, base)
    assert after(2) == (studio.run, 1, 2)
    assert after(1) == (studio.run, 2, 2)
    studio.votes(base, other)
    assert after(2) is None
    further = studio.another_run()
    studio.image(run=further)
    assert after(2) is None, "one image alone makes no pair"
    studio.image(run=further)
    assert after(2) == (further, 1, 2)


def test_runs_that_are_not_active_are_shown_only_when_named(studio: Studio) -> None:
    studio.images(2)
    with studio.database.transaction() as tx:
        runs.change(tx, studio.run, runs.Change(status=RunStatus.PAUSED), now=NOW)
    nothing = studio.deck()
    assert (nothing.pairs, nothing.column) == ((), None)
    assert nothing.waiting is not None
    assert nothing.waiting.sentence == "Nothing to vote on yet: there is no active run."
    assert studio.deck(run=studio.run).remaining == 2


def test_a_single_image_is_named_and_what_is_being_made_is_told(studio: Studio) -> None:
    empty = studio.deck()
    assert empty.waiting is not None
    assert empty.waiting.sentence == "0 of 2 Base images made; no image is being made now."
    base = studio.image()
    studio.job(None)
    waiting = studio.deck()
    assert waiting.single == base
    assert waiting.waiting is not None
    assert (waiting.waiting.made, waiting.waiting.planned) == (1, 2)
    assert waiting.waiting.sentence == (
        "1 of 2 Base images made; the first pair comes with the second."
    )


def test_equal_dice_give_equal_pairs_and_sides(studio: Studio) -> None:
    studio.images(12)
    assert studio.deck(seed=5) == studio.deck(seed=5)
    sides = {studio.deck(seed=seed, count=1).pairs[0].left.id for seed in range(20)}
    assert len(sides) > 1


@pytest.mark.slow
def test_sides_are_even(studio: Studio) -> None:
    studio.images(20)
    left = right = 0
    for seed in range(250):
        for pair in studio.deck(seed=seed).pairs:
            left += pair.left.id < pair.right.id
            right += pair.left.id > pair.right.id
    assert left + right == 2000
    assert abs(left / 2000 - 0.5) < 0.03


@pytest.mark.sqlite_only
def test_a_large_column_is_never_read_as_a_whole(studio: Studio) -> None:
    """Its costs are bounded by limits, so every read of candidates goes through an index."""
    studio.images(2)
    scope = {"person": "ann", "run": studio.run, "step_order": 1, "most": 1, "aside": [0]}
    scope |= {"others": 1, "not_run": 0, "not_order": 0}
    limits = {"few": 1, "window": 1, "near": 1, "elo_0": 1000.0, "ids": [1]}
    queries = [
        columns.FRESH_COLUMN,
        columns.RIGHT_MOST,
        decks.NEEDY_FRESH,
        decks.NEEDY,
        decks.neighbours(1),
        decks.VOTES_AMONG,
    ]
    with studio.database.snapshot() as tx:
        for query in queries:
            plain = re.sub(r":aside|:ids", "(0)", query.text)
            rows = tx.execute(text("EXPLAIN QUERY PLAN " + plain), scope | limits)
            plan = [str(row[3]) for row in rows]
            reads = [line for line in plan if re.match(r"(SCAN|SEARCH) (candidate|vote)\b", line)]
            assert reads
            assert all(line.startswith("SEARCH") for line in reads), plan


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_walking_through_any_run_shows_every_live_image_from_right_to_left(
    studio: Studio, data: st.DataObject
) -> None:
    run = studio.another_run()
    made: list[int] = []
    for _ in range(data.draw(st.integers(0, 10))):
        parent = data.draw(st.sampled_from([None, *made]))
        if parent in studio.of_step(4, run=run):
            parent = None
        made.append(studio.image(parent, run=run))
    for id in data.draw(st.lists(st.sampled_from(made), max_size=2, unique=True)) if made else []:
        if studio.live(id):
            studio.kills(id)
    person = f"person of {run}"
    seen, steps = set[int](), list[int]()
    while (deck := studio.deck(person, run=run, count=1)).remaining:
        seen |= ids(deck)
        steps += [deck.pairs[0].step_order]
        studio.ties(*keys(deck)[0], person)
    assert steps == sorted(steps, reverse=True)
    columns = [list(filter(studio.live, studio.of_step(order, run=run))) for order in range(1, 5)]
    assert seen == {id for column in columns if len(column) > 1 for id in column}
