"""A database on SQLite: what a driver does with a server has nothing to do with the dialect."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from shortlist.store.db import Database


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def database(tmp_path: Path, _sqlite_template: Path) -> Iterator[Database]:
    """A fresh database, open."""
    path = tmp_path / "shortlist.db"
    shutil.copy(_sqlite_template, path)
    database = Database.open(str(path))
    yield database
    database.close()
