"""What a database's errors mean, told in words where they leave the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError

from shortlist.errors import Unavailable


def may_retry(error: DBAPIError) -> bool:
    """Whether the server asks for the same transaction again."""
    return getattr(error.orig, "sqlstate", None) in {"40001", "40P01"}


@contextmanager
def translated() -> Iterator[None]:
    """Tells a full disk, a locked file and a lost server in words, at the border."""
    try:
        yield
    except OperationalError as error:
        if may_retry(error):
            raise
        raise _told(error) from error


def _told(error: OperationalError) -> Unavailable:
    reason = str(error.orig).lower()
    if "full" in reason or "no space" in reason:
        return Unavailable("The disk is full; make room and try again. Nothing was changed.")
    if "locked" in reason or "busy" in reason:
        return Unavailable("Another program holds the database; try again in a moment.")
    if "readonly" in reason or "read-only" in reason:
        return Unavailable("The database is read-only; check who may write the file.")
    if "unable to open" in reason:
        return Unavailable("The database file can't be opened; check the folder's permissions.")
    return Unavailable(
        "The database did not answer; check that it runs and can be reached, then try again."
    )
