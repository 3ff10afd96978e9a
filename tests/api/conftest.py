"""A whole hub for tests of its interface: real server, database and image store, no backend."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import update

from judging import Studio
from shortlist import hub, logs
from shortlist.domain.model import JobStatus
from shortlist.domain.next_job import Need, base_reason
from shortlist.settings import Settings
from shortlist.store.schema import Job


class Started:
    """A hub at work in a thread of its own; `client` talks to it as a script would."""

    def __init__(
        self,
        running: hub.Hub,
        client: httpx2.Client,
        *,
        folder: Path,
        loop: asyncio.AbstractEventLoop,
        stop: Callable[[], None],
    ) -> None:
        self.folder = folder
        self.loop = loop
        self.stop = stop
        self.url = running.url
        self.rooms = running.rooms
        self.client = client
        self.database = running.rooms.database

    @property
    def host(self) -> str:
        """As a browser writes it: name and port."""
        return self.url.removeprefix("http://")


class Workshop(Studio):
    """A studio whose jobs say why they were chosen, as those of a dispatcher do."""

    def job(
        self, parent: int | None, *, run: int | None = None, status: JobStatus = JobStatus.RUNNING
    ) -> int:
        made = super().job(parent, run=run, status=status)
        reason = base_reason(Need(run or self.run, 0, 1, gated=False), seed=1)
        told = asdict(reason) | {"sentence": reason.sentence()}
        with self.database.transaction() as tx:
            tx.execute(update(Job).where(Job.id == made).values(reason=told))
        return made


@contextmanager
def started(settings: Settings) -> Iterator[Started]:
    """The hub that `settings` describe, listening on a free port until the context ends."""
    logs.configure()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    up = threading.Event()
    found: list[hub.Hub] = []

    async def run() -> None:
        async with hub.running(settings) as running:
            found.append(running)
            up.set()
            await stop.wait()

    def work() -> None:
        try:
            loop.run_until_complete(run())
        finally:
            up.set()
            loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert up.wait(60)
    assert found, "the hub did not start"

    def end() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    try:
        with httpx2.Client(base_url=found[0].url, timeout=30) as client:
            yield Started(found[0], client, folder=settings.data, loop=loop, stop=end)
    finally:
        end()
        thread.join(30)


@pytest.fixture
def settings(tmp_path: Path, _sqlite_template: Path) -> Settings:
    """A hub's settings in a folder of the test's own, its database at today's schema already."""
    return prepared(tmp_path, _sqlite_template)


@pytest.fixture
def fresh(settings: Settings) -> Iterator[Started]:
    """A hub of the test's own, without a token, as on a person's own machine."""
    with started(settings) as found:
        yield found


@pytest.fixture(scope="package")  # what it logs is no matter of the tests of commands
def running(tmp_path_factory: pytest.TempPathFactory, _sqlite_template: Path) -> Iterator[Started]:
    """One hub for all tests that bring runs of their own or change nothing."""
    with started(prepared(tmp_path_factory.mktemp("hub"), _sqlite_template)) as found:
        yield found


@pytest.fixture
def client(running: Started) -> Iterator[httpx2.Client]:
    """A script that talks to the hub of all, without another test's cookies."""
    with httpx2.Client(base_url=running.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="package")
def _studio(running: Started) -> Workshop:
    return Workshop(running.database)


@pytest.fixture
def studio(_studio: Workshop) -> Workshop:
    """The hub's database with a run of this test's own, and images where they are wanted."""
    _studio.run = _studio.another_run()
    return _studio


def prepared(folder: Path, template: Path) -> Settings:
    shutil.copy(template, folder / "shortlist.db")
    return Settings(data=folder, port=0)
