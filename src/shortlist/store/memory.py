"""What services keep of a database between transactions, in memory.

It is lost with the process, so only what can be had again from the rows belongs here.
"""

from __future__ import annotations

import threading
from typing import TypeVar

T = TypeVar("T")


class Memory:
    """One object a kind, made when it is first asked for. Each looks after its own bounds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[type[object], object] = {}

    def of(self, kind: type[T]) -> T:
        """The one object of `kind` that belongs to this database."""
        with self._lock:
            if kind not in self._kept:
                self._kept[kind] = kind()
            kept = self._kept[kind]
        assert isinstance(kept, kind)
        return kept
