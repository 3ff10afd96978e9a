"""Short writes of many people, one after the other in one thread, and committed together.

A durable commit waits for the disk, whatever is in it. Writes that wait at the same time share one:
each is a part of the transaction that fails alone, and none is answered before the commit stands.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from shortlist.store.faults import translated

if TYPE_CHECKING:
    from shortlist.store.db import Tx

T = TypeVar("T")

MOST_TOGETHER: Final = 32
"""Parts of one transaction: the first is answered no sooner than the last is done."""


class GroupCommit:
    """One thread, and those that wait for it, first come first served."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Tx]]) -> None:
        self._transaction = transaction
        self._waiting: deque[_Part[Any]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="group-commit")

    def submit(self, act: Callable[[Tx], T]) -> Future[T]:
        """`act` as a part of the next transaction; what it raises undoes it alone."""
        part = _Part(act)
        self._waiting.append(part)
        self._thread.submit(self._commit)
        return part.answer

    def close(self) -> None:
        """Ends the thread when all that was submitted is done."""
        self._thread.shutdown()

    def _commit(self) -> None:
        if not self._waiting:
            return  # an earlier transaction took it along
        parts = [self._waiting.popleft()]
        try:
            with self._transaction() as tx:
                parts[0].run(tx)
                while self._waiting and len(parts) < MOST_TOGETHER:
                    parts.append(self._waiting.popleft())
                    parts[-1].run(tx)
        except BaseException as error:  # nothing stands: everybody is told, in their own thread
            for part in parts:
                part.fail(error)
            return
        for part in parts:
            part.tell()


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

    def tell(self) -> None:
        if self._error is not None:
            self.answer.set_exception(self._error)
        elif self._done:
            self.answer.set_result(self._done[0])

    def fail(self, error: BaseException) -> None:
        """Tells that nothing of it stands, whatever it has done."""
        if not self.answer.cancelled():
            self.answer.set_exception(error)
