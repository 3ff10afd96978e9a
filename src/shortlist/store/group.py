"""Short writes of many people, one after the other in one thread, and committed together.

A durable commit waits for the disk, whatever is in it. Writes that wait at the same time share one:
each is a part of the transaction that fails alone, and none is answered before the commit stands.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import AbstractContextManager, suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from shortlist.store.faults import translated

if TYPE_CHECKING:
    from shortlist.store.db import Tx

T = TypeVar("T")

MOST_TOGETHER: Final = 32
"""Parts of one transaction: the first is answered no sooner than the last is done."""


class GroupCommit:
    """One thread, begun when it is first needed, and those that wait for it in order of arrival."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Tx]]) -> None:
        self._transaction = transaction
        self._waiting: SimpleQueue[_Part[Any] | None] = SimpleQueue()
        self._guard = Lock()
        self._thread: Thread | None = None
        self._closed = False

    def submit(self, act: Callable[[Tx], T]) -> Future[T]:
        """`act` as a part of the next transaction; what it raises undoes it alone."""
        part = _Part(act)
        with self._guard:
            if self._closed:
                raise RuntimeError("the database is closed")
            if self._thread is None:
                self._thread = Thread(target=self._work, name="group-commit", daemon=True)
                self._thread.start()
            self._waiting.put(part)
        return part.answer

    def close(self) -> None:
        """Ends the thread when all that was submitted is done."""
        with self._guard:
            self._closed = True
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (part := self._waiting.get()) is not None:
            self._commit(part)

    def _commit(self, first: _Part[Any]) -> None:
        parts = [first]
        try:
            with self._transaction() as tx:
                first.run(tx)
                while len(parts) < MOST_TOGETHER and (part := self._next()) is not None:
                    parts.append(part)
                    part.run(tx)
        except BaseException as error:  # nothing stands: everybody is told, in their own thread
            for part in parts:
                part.fail(error)
            return
        for part in parts:
            part.tell()

    def _next(self) -> _Part[Any] | None:
        """Who waits now, null for nobody; the word to end stays for `_work`."""
        try:
            part = self._waiting.get_nowait()
        except Empty:
            return None
        if part is None:
            self._waiting.put(None)
        return part


class _Part(Generic[T]):
    """What somebody wants written, and how it went."""

    def __init__(self, act: Callable[[Tx], T]) -> None:
        self._act = act
        self._done: list[T] = []
        self._error: Exception | None = None
        self.answer: Future[T] = Future()

    def run(self, tx: Tx) -> None:
        """Does it, unless whoever asked for it has gone; from here on nobody can call it off."""
        if not self.answer.set_running_or_notify_cancel():
            return
        tx.mark()
        try:
            with translated():
                self._done.append(self._act(tx))
        except Exception as error:
            tx.back_to_mark()
            self._error = error
        else:
            tx.drop_mark()

    def tell(self) -> None:
        if self._error is not None:
            self.answer.set_exception(self._error)
        elif self._done:
            self.answer.set_result(self._done[0])

    def fail(self, error: BaseException) -> None:
        """Tells that nothing of it stands, whatever it has done."""
        with suppress(InvalidStateError):  # whoever asked has gone
            self.answer.set_exception(error)
