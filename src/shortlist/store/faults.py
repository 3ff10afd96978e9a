"""What a database's errors mean, told in words where they leave the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from shortlist.errors import Unavailable


def may_retry(error: DBAPIError) -> bool:
    """Whether the server asks for the same transaction again."""
    return getattr(error.orig, "sqlstate", None) in {"40001", "40P01"}


@contextmanager
def translated() -> Iterator[None]:
    """Tells a full disk, a locked file and a lost server in words, at the border."""
    try:
        yield
    except DBAPIError as error:
        told_of = isinstance(error, OperationalError) or error.connection_invalidated
        if may_retry(error) or not told_of:
            raise
        raise told(error.orig) from error
    except NoConnection as error:
        raise Unavailable("The database has too much to do; try again in a moment.") from error


def told(error: BaseException | None) -> Unavailable:
    """What a driver's error says, in words."""
    reason = str(error).lower()
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
