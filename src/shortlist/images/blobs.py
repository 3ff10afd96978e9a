"""Pictures kept under the hash of their content, in a folder or a bucket.

Names are made here from hashes, never from what a server calls its files. Bytes come before rows:
an object that no row names is swept after a while, and a row never names an object that is missing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from shortlist.images.folder import Folder
from shortlist.images.model import BadLocation, MediaType, Missing, Rendered, Tier, Unreachable
from shortlist.images.stored import UNFINISHED, Store, Stored

_KEY = re.compile(
    r"([0-9a-f]{2})/([0-9a-f]{2})/(?P<sha256>\1\2[0-9a-f]{60})\.(png|jpg|webp|2048\.webp|320\.webp)"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Bound variables of one query; SQLite's oldest limit is 999.
_ASK_AT_ONCE = 500
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed: whole objects without a row, pieces of broken-off writes, and bytes."""

    objects: int
    unfinished: int
    freed_bytes: int


def original_key(sha256: str, media_type: MediaType) -> str:
    """Where the original with this hash is kept."""
    if not _SHA256.fullmatch(sha256):
        raise ValueError("not a SHA-256 in lower-case hexadecimal")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}.{media_type.extension}"


def tier_key(key: str, tier: Tier) -> str:
    """Where the smaller copy of the original at `key` is kept."""
    return f"{key.partition('.')[0]}.{tier.value}.webp"


def media_type(key: str) -> MediaType:
    """What is at `key`, by how the hub named it."""
    extension = key.rpartition(".")[2]
    return next(kind for kind in MediaType if kind.extension == extension)


class Blobs:
    """The image store; all calls block, and raise a `BlobsError` where they fail."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    def open(cls, location: str) -> Blobs:
        """The store in a folder, made if need be, or at `s3://bucket/prefix?endpoint=…`."""
        if location.startswith("s3://"):
            from shortlist.images.bucket import Bucket  # the library is not needed for a folder

            return cls(Bucket.at(location))
        if "://" in location or not location:
            raise BadLocation("Images are kept in a folder or at s3://bucket/prefix.")
        return cls(Folder(Path(location).expanduser().absolute()))

    def put_image(self, original: bytes, rendered: Rendered) -> str:
        """Keeps the original byte for byte and its tiers, durably; returns the original's key.

        A repeat changes nothing but the age, and restores tiers that are missing.
        """
        if hashlib.sha256(original).hexdigest() != rendered.sha256:
            raise ValueError("these are renditions of another picture")
        key = original_key(rendered.sha256, rendered.media_type)
        tiers = {tier_key(key, tier): data for tier, data in rendered.tiers.items()}
        # The original last: where it is, its tiers are.
        self._store.write({**tiers, key: original})
        return key

    def get(self, key: str) -> bytes:
        """The whole object."""
        return self._store.read(_checked(key))

    def stream(self, key: str) -> Iterator[bytes]:
        """The object in pieces of about 256 KiB; a missing one is told here, not at the first."""
        self.size(key)
        return self._store.chunks(key)

    def size(self, key: str) -> int:
        """Bytes of the object."""
        return self._store.size(_checked(key))

    def exists(self, key: str) -> bool:
        """Whether the object is there."""
        try:
            self.size(key)
        except Missing:
            return False
        return True

    def sweep(self, known: Callable[[list[str]], set[str]], *, older_than: datetime) -> Swept:
        """Removes what is older and has no row; `known` tells which of some hashes have one.

        Files that the hub did not name are left alone.
        """
        old = (found for found in self._store.list() if found.changed_at < older_than)
        objects: list[Stored] = []
        unfinished: list[Stored] = []
        for batch in _batches(old, _ASK_AT_ONCE):
            unfinished += self._removed(filter(_is_unfinished, batch), older_than=older_than)
            orphans = _unknown(batch, known)
            objects += self._removed(orphans, older_than=older_than)
        freed = sum(found.size for found in [*objects, *unfinished])
        return Swept(len(objects), len(unfinished), freed)

    def check(self) -> None:
        """Writes, reads back and removes a small object; raises what a person has to mend."""
        key, data = f"{UNFINISHED}/{uuid4().hex}.check", uuid4().bytes
        self._store.write({key: data})
        if self._store.read(key) != data:
            raise Unreachable("The image store gives back other bytes than it was given.")
        self._store.remove(key, older_than=_END_OF_TIME)

    def _removed(self, candidates: Iterable[Stored], *, older_than: datetime) -> list[Stored]:
        return [
            found for found in candidates if self._store.remove(found.key, older_than=older_than)
        ]


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise Missing("This is not the name of a stored image.")
    return key


def _is_unfinished(found: Stored) -> bool:
    return found.key.startswith(f"{UNFINISHED}/")


def _unknown(batch: list[Stored], known: Callable[[list[str]], set[str]]) -> list[Stored]:
    """The objects of the batch whose hash has no row."""
    ours = [(match["sha256"], found) for found in batch if (match := _KEY.fullmatch(found.key))]
    if not ours:
        return []
    with_row = known(sorted({sha256 for sha256, _ in ours}))
    return [found for sha256, found in ours if sha256 not in with_row]


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch
