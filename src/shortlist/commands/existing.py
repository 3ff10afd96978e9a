"""Opening data that is there already, for commands that only look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shortlist.errors import NotFound
from shortlist.settings import Settings
from shortlist.store import migrate
from shortlist.store.db import Database, database_url


@contextmanager
def existing(settings: Settings) -> Iterator[Database]:
    """The database of `settings`, which must be there and of this version; nothing is made."""
    check_there(settings)
    migrate.check(settings.database_location)
    database = Database.open(settings.database_location)
    try:
        yield database
    finally:
        database.close()


def check_there(settings: Settings) -> None:
    """Raises `NotFound` where there is no SQLite file."""
    url = database_url(settings.database_location)
    if url.get_backend_name() != "sqlite" or Path(url.database or "").is_file():
        return
    demo = settings.data.expanduser() / "demo"
    hint = f" The demo's data is in {demo}; add --data {demo}." if demo.is_dir() else ""
    raise NotFound(f"There is no data at {url.database} yet; start shortlist serve.{hint}")
