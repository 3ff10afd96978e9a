"""Something changed: rung after each commit that wrote to the journal.

In one process a callback; between processes on PostgreSQL, NOTIFY. It is for speed only: whoever
waits also looks by itself every few seconds, so a lost ring costs a moment, never a result.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import sqlalchemy
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from shortlist import logs

CHANNEL: Final = "shortlist"
LISTEN_SECONDS: Final = 5.0
"""How long one wait for a notification lasts; also the pause before a new connection."""

log = logs.get("store")


class Wake:
    """The bell of one process and those who listen to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls `callback` at each ring, in the ringing thread; returns the way to end that."""
        with self._lock:
            self._callbacks.append(callback)

        def end() -> None:
            with self._lock:
                self._callbacks.remove(callback)

        return end

    def ring(self) -> None:
        with self._lock:
            callbacks = tuple(self._callbacks)
        for callback in callbacks:
            with suppress(RuntimeError):  # its event loop has ended; the commit stands all the same
                callback()


def listen(engine: Engine, wake: Wake, *, stop: threading.Event) -> None:
    """Rings `wake` for changes that other processes made, until `stop`; runs in its own thread."""
    while not stop.is_set():
        try:
            with engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                connection.execute(sqlalchemy.text(f"LISTEN {CHANNEL}"))
                driver = connection.connection.driver_connection
                assert driver is not None
                while not stop.is_set():
                    for _ in driver.notifies(timeout=LISTEN_SECONDS, stop_after=1):
                        wake.ring()
        except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
            if stop.is_set():
                return
            log.warning("listening_interrupted", why=str(error).partition("\n")[0])
            stop.wait(LISTEN_SECONDS)
