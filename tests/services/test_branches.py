"""Branches that die and live again, and how the indexes let go of the dead."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from builders import NOW, an_image
from invariants import graves
from judging import Studio
from shortlist.services import branches, results
from shortlist.store.conditions import LIVE
from shortlist.store.db import Database, Tx

FAMILY: Final = 7
"""A base image, its two children, and two of each."""

DEEDS: Final = st.one_of(
    st.tuples(st.sampled_from(["reject", "restore"]), st.integers(0, FAMILY - 1)),
    st.tuples(st.just("bury"), st.integers(1, 2)),
)


@pytest.fixture
def studio(db: Database) -> Studio:
    return Studio(db)


def a_family(studio: Studio) -> list[int]:
    base = studio.image()
    children = studio.images(2, base)
    return [base, *children, *(id for child in children for id in studio.images(2, child))]


def living(tx: Tx, *, rows: str) -> set[int]:
    """The images for which a condition in SQL holds."""
    return set(tx.execute(text(f"SELECT id FROM candidate WHERE {rows}")).scalars())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # each makes its own family
@given(deeds=st.lists(DEEDS, min_size=15, max_size=40))
def test_the_dead_are_buried_and_whoever_lives_again_is_not(
    studio: Studio, deeds: list[tuple[str, int]]
) -> None:
    family = a_family(studio)
    rejected: set[int] = set()
    for what, number in deeds:
        with studio.database.transaction() as tx:
            if what == "bury":
                branches.bury(tx, most=number)
            elif what == "reject" and family[number] not in rejected:
                branches.reject(tx, family[number], now=NOW)
                rejected.add(family[number])
            elif what == "restore" and family[number] in rejected:
                branches.restore(tx, family[number])
                rejected.remove(family[number])
            assert list(graves(tx)) == []
    dead = {
        id for at, id in enumerate(family) if rejected & {family[up] for up in (at, *_above(at))}
    }
    with studio.database.transaction() as tx:
        while branches.bury(tx, most=2):
            pass
        assert living(tx, rows=LIVE) & {*family} == {*family} - dead
        assert living(tx, rows="buried") & {*family} == dead


def _above(place: int) -> list[int]:
    """The places of the ancestors in a family."""
    return [] if place == 0 else [(place - 1) // 2, *_above((place - 1) // 2)]


def test_a_result_that_comes_after_the_kill_is_born_buried(studio: Studio) -> None:
    base = studio.image()
    job = studio.job(base)
    with studio.database.transaction() as tx:
        branches.reject(tx, base, now=NOW)
        while branches.bury(tx, most=9):
            pass
    with studio.database.transaction() as tx:
        (late,) = results.ingest(tx, job, images=[an_image()], now=NOW)
        assert living(tx, rows="buried") == {base, late}
        branches.restore(tx, base)
        assert living(tx, rows=LIVE) == {base, late}
