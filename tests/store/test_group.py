"""Writes that wait together: in the order of asking, each failing alone, answered when durable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select, text

from builders import a_backend
from shortlist.errors import Conflict, Unavailable
from shortlist.store.db import Database, Tx
from shortlist.store.schema import Backend


def names(db: Database) -> list[str]:
    with db.snapshot() as tx:
        return list(tx.execute(select(Backend.name).order_by(Backend.id)).scalars())


def adds(name: str) -> Callable[[Tx], int]:
    return lambda tx: a_backend(tx, name, url=f"http://{name}.test:8188")


@pytest.mark.parametrize("count", [1, 5, 70])
def test_all_that_was_submitted_stands(db: Database, count: int) -> None:
    wanted = [f"gpu-{number:02}" for number in range(count)]
    for answer in [db.submit(adds(name)) for name in wanted]:
        answer.result(30)
    # A server of its own has them wait for each other in an order of its own.
    assert (names(db) if db.sqlite else sorted(names(db))) == wanted


def test_a_refused_one_leaves_nothing_and_takes_no_neighbour_along(db: Database) -> None:
    def refused(tx: Tx) -> None:
        a_backend(tx, "refused")
        raise Conflict("Not this one.")

    first, second, third = db.submit(adds("one")), db.submit(refused), db.submit(adds("two"))
    first.result(30)
    third.result(30)
    with pytest.raises(Conflict, match="Not this one"):
        second.result(30)
    assert sorted(names(db)) == ["one", "two"]


@pytest.mark.sqlite_only
def test_those_that_wait_together_share_a_commit_and_its_failure(db: Database) -> None:
    with db.transaction():  # they wait for the writer
        answers = [db.submit(adds(name)) for name in ("one", "two")]
        answers.append(db.submit(fills_the_disk))
    for answer in answers:
        with pytest.raises(Unavailable):
            answer.result(30)
    assert names(db) == []
    db.submit(adds("later")).result(30)
    assert names(db) == ["later"]


def fills_the_disk(tx: Tx) -> int:
    """What SQLite does then: it undoes all of the transaction, and says so."""
    tx.execute(text("ROLLBACK"))
    raise Conflict("Stands for the error of the driver.")


@pytest.mark.sqlite_only
def test_who_leaves_before_his_turn_changes_nothing_for_the_others(db: Database) -> None:
    with db.transaction():
        first, gone, last = (db.submit(adds(name)) for name in ("one", "gone", "two"))
        assert gone.cancel()
    assert first.result(30) < last.result(30)
    assert names(db) == ["one", "two"]


@pytest.mark.sqlite_only
def test_none_is_answered_before_others_can_read_it(db: Database, tmp_path: Path) -> None:
    seen: list[list[str]] = []
    with db.transaction():
        answers = [db.submit(adds(name)) for name in ("one", "two", "three")]
        for answer in answers:
            answer.add_done_callback(lambda _: seen.append(names(db)))
    for answer in answers:
        answer.result(30)
    db.close()
    assert seen == [["one", "two", "three"]] * 3
