"""Fixtures that every room's tests share: real databases, and a real browser.

`make check` passes `--quick`; `make test` runs all.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from benchmarks import browser as measured
from databases import PostgresqlServer, postgresql_server
from programs import PATIENT_SECONDS
from shortlist.store.db import Database
from shortlist.store.migrate import upgrade

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HERE = Path(__file__).parent

# Left out of `make check`: what starts servers, a browser or other processes in each test, and what
# goes through hundreds of workflows, pictures, requests or histories. They are not even read: their
# libraries take their time to import.
ALWAYS_SLOW = (
    HERE / "api",
    HERE / "cli",
    HERE / "comfy" / "test_client.py",
    HERE / "comfy" / "test_convert.py",
    HERE / "comfy" / "test_hostile.py",
    HERE / "comfy" / "test_wire.py",
    HERE / "crash",
    HERE / "dispatcher",
    HERE / "e2e",
    HERE / "images",
    HERE / "services" / "test_gates_history.py",
    HERE / "services" / "test_triage_history.py",
    HERE / "services" / "test_triage_walk.py",
    HERE / "simulator",
    HERE / "store" / "test_migrate.py",
)

# The same histories each time: a change is judged by what it changes. `search` draws new ones.
_patient = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("fast", max_examples=10, derandomize=True, **_patient)
hypothesis.settings.register_profile("ci", max_examples=60, derandomize=True, **_patient)
hypothesis.settings.register_profile("search", max_examples=1_000, print_blob=True, **_patient)
hypothesis.settings.load_profile("fast")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick", action="store_true", help="leave out PostgreSQL and all that is slow"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if config.getoption("--quick") and _always_slow(collection_path) else None


def _always_slow(path: Path) -> bool:
    return any(path.is_relative_to(folder) for folder in ALWAYS_SLOW)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker more than there are cores where tests wait for a browser or another process."""
    return (os.cpu_count() or 1) + (0 if config.getoption("--quick") else 1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs each test that uses a database once on every kind that it is about."""
    if "dialect" not in metafunc.fixturenames:
        return
    kinds = ["sqlite", "postgresql"]
    if metafunc.definition.get_closest_marker("sqlite_only"):
        kinds.remove("postgresql")
    if metafunc.definition.get_closest_marker("postgresql_only"):
        kinds.remove("sqlite")
    if metafunc.config.getoption("--quick"):
        kinds = [kind for kind in kinds if kind == "sqlite"]
    metafunc.parametrize("dialect", kinds)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves single slow tests out of a quick run, and keeps the house's tests together.

    A browser draws without a graphics card here and shares its cores with other tests: one that
    kept a person waiting too long is tried once more, and the summary tells of it. A wrong result
    is a failure at once.
    """
    for item in items:
        if item.path.is_relative_to(HERE / "e2e"):
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=["TimeoutError", "not within"]))
        if item.path.is_relative_to(HERE / "house"):
            item.add_marker(pytest.mark.xdist_group("house"))  # they parse the package once
    if config.getoption("--quick"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "shortlist.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql(testrun_uid: str, worker_id: str) -> Iterator[PostgresqlServer]:
    """The PostgreSQL server of this test run."""
    with postgresql_server(run=testrun_uid[:12], owner=worker_id) as server:
        yield server


@pytest.fixture(scope="session")
def _postgresql_template(postgresql: PostgresqlServer) -> str:
    name = postgresql.create()
    upgrade(postgresql.url(name))
    return name


@pytest.fixture
def empty_database_url(
    dialect: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The URL of a database without a schema: SQLite, then PostgreSQL."""
    if dialect == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    name = server.create()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def database_url(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a fresh database of today's schema: SQLite, then PostgreSQL."""
    if dialect == "sqlite":
        path = tmp_path / "shortlist.db"
        shutil.copy(request.getfixturevalue("_sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    name = server.create(template=request.getfixturevalue("_postgresql_template"))
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """A fresh database, open."""
    database = Database.open(database_url)
    yield database
    database.close()


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Where the machine's Chromium or Chrome is; `make test` has seen to it that there is one."""
    found = measured.chromium_path()
    if found is None:
        pytest.fail("no Chromium or Chrome found; run make browser, or set CHROMIUM to its path")
    return found


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    """A headless Chromium.

    One for a module and not for the session: while Playwright's loop is open, no other test of
    the process could run a loop of its own.
    """
    with measured.chromium(chromium_path) as chromium:
        yield chromium


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own profile; an error that its scripts don't catch fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENT_SECONDS * 1000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []
