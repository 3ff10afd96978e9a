"""What the two kinds of image store have in common: the calls, and what a listing tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

# Beside the content, so that a rename into it stays on one file system.
UNFINISHED = ".incoming"


@dataclass(frozen=True, slots=True)
class Stored:
    """One line of a listing; `size` in bytes."""

    key: str
    size: int
    changed_at: datetime


class Store(Protocol):
    """A folder or a bucket; every call raises a `BlobsError`."""

    def write(self, objects: Mapping[str, bytes]) -> None: ...
    def read(self, key: str) -> bytes: ...
    def chunks(self, key: str) -> Iterator[bytes]: ...
    def size(self, key: str) -> int: ...
    def list(self) -> Iterator[Stored]: ...
    def remove(self, key: str, *, older_than: datetime) -> bool: ...
