"""Bringing a database to this program's version: back up, upgrade, check, or refuse.

Foreign keys are off while SQLite rewrites tables, because the rewrite of a parent table would
otherwise delete its children through ON DELETE CASCADE; rows are counted before and after.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, func, inspect, select, table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from shortlist import logs
from shortlist.errors import ConfigFault
from shortlist.store.db import database_url, make_file, sqlite_engine, sqlite_module

MIGRATION_LOCK: Final = 7_200

log = logs.get("store")


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What an upgrade did: versions before (null: a new database) and after, and the backup."""

    before: str | None
    after: str
    backup: Path | None


def upgrade(location: str, *, revision: str = "head") -> Upgraded:
    """Brings the database at `location` to `revision`; does nothing when it is there.

    Raises `ConfigFault` when the database is of a newer version of the program, can't be
    reached, or would lose rows.
    """
    url = database_url(location)
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            return _upgrade(connection, revision=revision, file=_file(url))
    except DBAPIError as error:
        raise ConfigFault(
            f"The database can't be opened or upgraded ({_first_line(error)}); "
            "check its address, that it runs, and that you may write there."
        ) from error
    finally:
        engine.dispose()


def check(location: str) -> None:
    """Changes nothing; raises `ConfigFault` unless the database is of this program's version."""
    engine = _engine(database_url(location), begin="BEGIN")
    try:
        with engine.connect() as connection:
            found = version(connection)
    except DBAPIError as error:
        raise ConfigFault(
            f"The database can't be opened ({_first_line(error)}); check its address and that it "
            "runs."
        ) from error
    finally:
        engine.dispose()
    _refuse_newer(found, _config())
    if found != head():
        raise ConfigFault(
            f"The database is of an older version (schema {found or 'none'}, now {head()}); start "
            "the hub, or run shortlist migrate."
        )


def head() -> str:
    """The version of the schema this program was made for."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def version(connection: Connection) -> str | None:
    """The database's present version; null when it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def _engine(url: URL, *, begin: str = "BEGIN IMMEDIATE") -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, poolclass=NullPool)
    make_file(Path(url.database or ""))
    return sqlite_engine(url, begin=begin, pragmas=("foreign_keys = OFF",))


def _upgrade(connection: Connection, *, revision: str, file: Path | None) -> Upgraded:
    config = _config()
    config.attributes["connection"] = connection
    with connection.begin():
        if file is None:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        before = version(connection)
        _refuse_newer(before, config)
        if before == (head() if revision == "head" else revision):
            return Upgraded(before, before, None)
        backup = _back_up(file, before=before) if file and before else None
        counts = _counts(connection)
        command.upgrade(config, revision)
        _check(connection, before=counts)
        after = version(connection) or ""
    log.info("database_upgraded", before=before, after=after)
    return Upgraded(before, after, backup)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _refuse_newer(found: str | None, config: Config) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise ConfigFault(
            f"This data was written by a newer version of Shortlist (schema {found}); "
            "install that version, or point --database at another file."
        )


def _file(url: URL) -> Path | None:
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def _back_up(file: Path, *, before: str) -> Path:
    """Copies the file through SQLite itself, so that the copy is whole whatever the log holds.

    It takes the place of an earlier one, which an upgrade that failed has left and knows less.
    """
    backup = file.with_name(f"{file.name}.{before}.backup")
    part = file.with_name(f"{backup.name}.part")
    part.unlink(missing_ok=True)
    make_file(part)
    with closing(sqlite_module().connect(file, isolation_level=None)) as source:
        source.execute("VACUUM INTO ?", (str(part),))
    return part.replace(backup)


def _counts(connection: Connection) -> dict[str, int]:
    return {
        name: connection.execute(select(func.count()).select_from(table(name))).scalar_one()
        for name in inspect(connection).get_table_names()
        if name != "alembic_version"
    }


def _check(connection: Connection, *, before: dict[str, int]) -> None:
    after = _counts(connection)
    lost = [name for name, rows in before.items() if after.get(name, 0) < rows]
    if lost:
        raise ConfigFault(
            f"The upgrade would have lost rows of {', '.join(lost)}; nothing was changed."
        )
    if (
        connection.dialect.name == "sqlite"
        and connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    ):
        raise ConfigFault("The upgrade would have broken links between rows; nothing was changed.")


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]
