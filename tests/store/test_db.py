"""The two doors to the database: what is committed, who waits for whom, what is told."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, StatementError

from builders import NOW, a_backend
from shortlist.errors import Unavailable
from shortlist.services.journal import EventKind, after, append
from shortlist.store.db import SAFE_SQLITE, Database, Turnstile, Tx, sqlite_module
from shortlist.store.schema import Backend, Event


def _names(database: Database) -> list[str]:
    with database.snapshot() as tx:
        return list(tx.execute(select(Backend.name).order_by(Backend.id)).scalars())


def test_a_transaction_commits_at_its_end(db: Database) -> None:
    with db.transaction() as tx:
        a_backend(tx, "one")
    assert _names(db) == ["one"]


def test_a_transaction_that_raises_changes_nothing(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), db.transaction() as tx:
        a_backend(tx, "one")
        raise ZeroDivisionError
    assert _names(db) == []


def test_a_transaction_inside_another_is_refused(db: Database) -> None:
    with db.transaction(), pytest.raises(RuntimeError, match="already open"), db.transaction():
        pass


def test_a_snapshot_cannot_write(db: Database) -> None:
    with pytest.raises((Unavailable, DBAPIError), match=r"(?i)read.?only"), db.snapshot() as tx:
        a_backend(tx)


def test_a_snapshot_sees_one_moment(db: Database) -> None:
    with db.snapshot() as tx:
        before = list(tx.execute(select(Backend.name)).scalars())
        db.run(lambda other: a_backend(other, "new"))
        assert list(tx.execute(select(Backend.name)).scalars()) == before


def test_no_update_of_many_threads_is_lost(db: Database) -> None:
    with db.transaction() as tx:
        backend = a_backend(tx, "0")

    def count_up(_: int) -> None:
        def act(tx: Tx) -> None:
            row = select(Backend.name).where(Backend.id == backend).with_for_update()
            value = int(tx.execute(row).scalar_one())
            tx.execute(update(Backend).where(Backend.id == backend).values(name=str(value + 1)))

        db.run(act)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count_up, range(200)))
    assert _names(db) == ["200"]


def test_the_turnstile_lets_threads_through_in_the_order_they_came() -> None:
    turnstile = Turnstile()
    order: list[int] = []
    threads = []

    def pass_through(number: int) -> None:
        with turnstile:
            order.append(number)

    with turnstile:
        for number in range(10):
            thread = threading.Thread(target=pass_through, args=(number,))
            thread.start()
            threads.append(thread)
            while len(turnstile._waiting) <= number:
                thread.join(0.001)
    for thread in threads:
        thread.join()
    assert order == list(range(10))


def test_an_event_wakes_listeners_of_this_and_of_other_processes(
    db: Database, database_url: str
) -> None:
    rung = threading.Event()
    other = Database.open(database_url)
    heard_elsewhere = threading.Event()
    db.wake.subscribe(rung.set)
    other.wake.subscribe(heard_elsewhere.set)
    with db.transaction() as tx:
        append(tx, EventKind.RUN_CHANGED, run_id=1, data={}, now=NOW)
    assert rung.wait(10)
    if not db.sqlite:  # one process owns a SQLite file
        while not heard_elsewhere.wait(0.2):
            db.run(lambda tx: append(tx, EventKind.RUN_CHANGED, run_id=1, data={}, now=NOW))
    other.close()


def test_event_numbers_grow_in_commit_order(db: Database) -> None:
    seen: list[int] = []
    done = threading.Event()

    def write(_: int) -> None:
        db.run(lambda tx: append(tx, EventKind.RUN_CHANGED, run_id=1, data={}, now=NOW))

    def follow() -> None:
        while not (done.is_set() and len(seen) == 100):
            with db.snapshot() as tx:
                seen.extend(e.id for e in after(tx, seen[-1] if seen else 0, limit=10))

    reader = threading.Thread(target=follow)
    reader.start()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(100)))
    done.set()
    reader.join(30)
    with db.snapshot() as tx:
        stored = list(tx.execute(select(Event.id).order_by(Event.id)).scalars())
    assert seen == stored


def test_timestamps_come_back_in_utc_and_naive_ones_are_refused(db: Database) -> None:
    elsewhere = datetime(2026, 1, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    with db.transaction() as tx:
        backend = a_backend(tx)
        tx.execute(update(Backend).where(Backend.id == backend).values(heard_at=elsewhere))
    with db.snapshot() as tx:
        heard = tx.execute(select(Backend.heard_at)).scalar_one()
    assert heard == datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    with pytest.raises(StatementError, match="aware"), db.transaction() as tx:
        tx.execute(update(Backend).values(heard_at=datetime(2026, 1, 1)))  # noqa: DTZ001


def test_links_between_rows_are_enforced(db: Database) -> None:
    with pytest.raises(IntegrityError), db.transaction() as tx:
        tx.execute(
            text(
                "INSERT INTO kill (act_id, candidate_id, killed_by, void, created_at) "
                "VALUES (99, 99, 'me', FALSE, '2026-01-01')"
            )
        )


@pytest.mark.parametrize("name", ["50%41 #1", "what?now", "ein Ordner für Bilder"])
def test_a_folder_may_be_called_anything(tmp_path: Path, name: str) -> None:
    database = Database.open(str(tmp_path / name / "shortlist.db"))
    with database.transaction() as tx:
        tx.execute(text("CREATE TABLE kept AS SELECT 7 AS number"))
    with database.snapshot() as tx:
        assert tx.execute(text("SELECT number FROM kept")).scalar() == 7
    database.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(os.name == "nt", reason="Windows limits no file")
def test_a_full_disk_is_told_when_the_log_is_tidied(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", _TIDIES_ON_A_FULL_DISK, str(tmp_path / "shortlist.db")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (said.stdout.strip(), said.stderr) == ("told", "")


_TIDIES_ON_A_FULL_DISK = """
import resource, sys
from sqlalchemy import text
from shortlist.errors import Unavailable
from shortlist.store.db import Database

database = Database.open(sys.argv[1])
with database.transaction() as tx:
    tx.execute(text("CREATE TABLE much AS SELECT zeroblob(1000000) AS bytes"))
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    database.checkpoint()
except Unavailable:
    print("told")
"""


def test_a_transaction_that_others_overtake_each_time_is_told_in_words(db: Database) -> None:
    class Overtaken(Exception):
        sqlstate = "40001"

    tries: list[Tx] = []

    def act(tx: Tx) -> None:
        tries.append(tx)
        raise OperationalError("UPDATE", {}, Overtaken())

    with pytest.raises(Unavailable, match="try again in a moment"):
        db.run(act)
    assert len(tries) == 3


def test_a_listener_whose_loop_has_ended_costs_no_commit(db: Database) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    db.wake.subscribe(lambda: loop.call_soon_threadsafe(print))
    wish = db.submit(lambda tx: append(tx, EventKind.RUN_CHANGED, run_id=1, data={}, now=NOW))
    assert wish.result(10) is None
    with db.snapshot() as tx:
        assert [entry.kind for entry in after(tx, 0, limit=9)] == [EventKind.RUN_CHANGED]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_the_file_and_its_log_are_for_their_owner_alone(tmp_path: Path) -> None:
    database = Database.open(str(tmp_path / "shortlist.db"))
    with database.transaction() as tx:
        tx.execute(text("CREATE TABLE kept (number INTEGER)"))
    files = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir()}
    database.close()
    assert files == dict.fromkeys(("shortlist.db", "shortlist.db-wal", "shortlist.db-shm"), 0)


@pytest.mark.sqlite_only
def test_commits_are_durable_and_the_library_is_one_without_known_corruption(db: Database) -> None:
    with db.transaction() as tx:
        assert tx.execute(text("PRAGMA synchronous")).scalar_one() == 2
        assert tx.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert tx.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
    assert sqlite_module().sqlite_version_info >= SAFE_SQLITE


def test_a_repeated_name_is_refused_by_the_database_itself(db: Database) -> None:
    with pytest.raises(IntegrityError), db.transaction() as tx:
        a_backend(tx, "twice")
        tx.execute(insert(Backend), [_row("twice")])


def _row(name: str) -> dict[str, object]:
    return {
        "name": name,
        "kind": "comfyui",
        "url": "http://127.0.0.1:1",
        "enabled": True,
        "health": "unknown",
        "health_detail": "",
        "version": "",
        "simulator": False,
        "created_at": NOW,
    }
