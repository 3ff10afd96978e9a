"""kill -9 of the real hub at random moments of a busy run, and everything is as it should be."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import func, select

import invariants
from crash.processes import Voter, hub, simulator
from programs import PATIENT_SECONDS, ending
from rendering import add_backend, inverted, make_run, plain_image
from shortlist.domain.model import IN_FLIGHT
from shortlist.images.blobs import Blobs
from shortlist.store.db import Database
from shortlist.store.migrate import upgrade
from shortlist.store.schema import ImageCandidate, ImageFile, Job

KILLS = 200
LIVES_SECONDS = (0.5, 1.2)
"""Half of the lives end while the hub is still finding its jobs again, half in full work."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a run that no night could finish."""
    folder = tmp_path / "data"
    upgrade(str(folder / "shortlist.db"))
    database = Database.open(str(folder / "shortlist.db"))
    with database.transaction() as tx:
        make_run(tx, [plain_image(), inverted(), inverted()], children=2, leaves=100_000)
    database.close()
    return folder


@pytest.fixture
def database(data: Path) -> Iterator[Database]:
    database = Database.open(str(data / "shortlist.db"))
    yield database
    database.close()


def jobs_left(database: Database) -> int:
    """Jobs in flight, and cancelled ones that a server has not been told of."""
    with database.snapshot() as tx:
        return tx.execute(
            select(func.count()).select_from(Job).where(Job.status.in_(IN_FLIGHT) | Job.recall)
        ).scalar_one()


def settle(database: Database, url: str) -> None:
    """Lets the server drain and waits until every job has come to its end."""
    httpx2.patch(f"{url}/api/backends/1", json={"enabled": False}).raise_for_status()
    deadline = time.monotonic() + PATIENT_SECONDS
    while jobs_left(database):
        assert time.monotonic() < deadline, f"{jobs_left(database)} jobs are stuck"
        time.sleep(0.1)


def saved(folder: Path) -> int:
    return len(list((folder / "output").rglob("*.png")))


@pytest.mark.timeout(3600)
def test_a_hub_killed_anywhere_loses_nothing_and_does_nothing_twice(
    data: Path, database: Database, tmp_path: Path
) -> None:
    dice = random.Random(KILLS)
    comfyui = tmp_path / "comfyui"
    with ending(simulator(comfyui)) as server, Voter() as voter:
        add_backend(database, server.url)
        for _ in range(KILLS):
            program = hub(data)
            voter.turn_to(program.url)
            time.sleep(dice.uniform(0, dice.choice(LIVES_SECONDS)))
            program.kill()
        with ending(hub(data)) as program:
            voter.turn_to(program.url)
            settle(database, program.url)
            voter.turn_to(None)
    blobs = Blobs.open(str(data / "images"))
    invariants.check(database, blobs, acknowledged=voter.acknowledged)
    with database.snapshot() as tx:
        images = tx.execute(select(func.count(ImageCandidate.id))).scalar_one()
        different = tx.execute(select(func.count(ImageFile.content_hash.distinct()))).scalar()
        ended = set(tx.execute(select(Job.status)).scalars())
    assert images == different == saved(comfyui)
    assert ended == {"succeeded"}
    assert voter.acknowledged


@pytest.mark.timeout(600)
def test_a_server_killed_anywhere_costs_renders_and_nothing_else(
    data: Path, database: Database, tmp_path: Path
) -> None:
    dice = random.Random(1)
    comfyui = tmp_path / "comfyui"
    server = simulator(comfyui)
    add_backend(database, server.url)
    with ending(hub(data)) as program, Voter() as voter:
        voter.turn_to(program.url)
        for _ in range(8):
            time.sleep(dice.uniform(0.2, 4.0))
            server.kill()
            server = simulator(comfyui, port=server.port)
        settle(database, program.url)
        voter.turn_to(None)
    server.stop()
    invariants.check(database, Blobs.open(str(data / "images")), acknowledged=voter.acknowledged)
    with database.snapshot() as tx:
        images = tx.execute(select(func.count(ImageCandidate.id))).scalar_one()
        different = tx.execute(select(func.count(ImageFile.content_hash.distinct()))).scalar()
        ended = set(tx.execute(select(Job.status)).scalars())
    assert 0 < images == different <= saved(comfyui)
    assert ended == {"succeeded"}
