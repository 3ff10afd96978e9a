"""Objects in a folder, written so that a power cut leaves either the whole object or none.

Plain files rather than the object store library: that one renames without `fsync`, and hides the
error numbers that tell a full disk from a forbidden one.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from shortlist.images.model import BlobsError, Denied, Full, Missing, Unreachable
from shortlist.images.stored import UNFINISHED, Stored

_CHUNK_BYTES = 2**18
# A file size limit of the process (EFBIG) looks the same to whoever waits for room.
_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_FORBIDDEN = frozenset((errno.EACCES, errno.EPERM, errno.EROFS))


class Folder:
    """A folder that this hub (and its backups) alone writes to."""

    def __init__(self, root: Path) -> None:
        self._root = root
        with _told():
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            (root / UNFINISHED).mkdir(exist_ok=True)

    def write(self, objects: Mapping[str, bytes]) -> None:
        """Keeps all objects durably; those already there only get younger.

        The fresh age keeps `remove` away from an object that a row is about to name.
        """
        with _told():
            missing = {k: data for k, data in objects.items() if not self._renewed(k, len(data))}
            folders = {(self._root / key).parent for key in objects}
            for folder in folders:
                self._make_folder(folder)
            self._publish(missing)
            for folder in folders:
                _sync_folder(folder)

    def read(self, key: str) -> bytes:
        """The whole object."""
        with _told(key):
            return (self._root / key).read_bytes()

    def chunks(self, key: str) -> Iterator[bytes]:
        """The object in pieces."""
        with _told(key), (self._root / key).open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk

    def size(self, key: str) -> int:
        """Bytes of the object."""
        with _told(key):
            return (self._root / key).stat().st_size

    def list(self) -> Iterator[Stored]:
        """All files, unfinished ones among them, in no order."""
        with _told():
            for folder, _, names in os.walk(self._root):
                for name in names:
                    path = Path(folder, name)
                    with suppress(FileNotFoundError):  # removed while we walk
                        yield self._stored(path)

    def remove(self, key: str, *, older_than: datetime) -> bool:
        """Removes the object unless it was written or renewed since; True if it is gone.

        It is moved aside before its age is read: a writer that renews it at this moment either
        comes first and is seen, or finds nothing and writes the object anew.
        """
        path, aside = self._root / key, self._new_part()
        with _told():
            try:
                path.replace(aside)
            except FileNotFoundError:
                return False
            if self._stored(aside).changed_at >= older_than:
                aside.replace(path)
                return False
            aside.unlink()
        return True

    def _renewed(self, key: str, size: int) -> bool:
        path = self._root / key
        try:
            os.utime(path)
            return path.stat().st_size == size
        except FileNotFoundError:
            return False

    def _publish(self, objects: Mapping[str, bytes]) -> None:
        """Writes each object beside the store; moves them in once all are on the disk."""
        parts = {key: self._new_part() for key in objects}
        try:
            for key, part in parts.items():
                _write_synced(part, objects[key])
            for key, part in parts.items():
                part.replace(self._root / key)
        finally:
            for part in parts.values():
                part.unlink(missing_ok=True)

    def _new_part(self) -> Path:
        return self._root / UNFINISHED / f"{uuid4().hex}.part"

    def _make_folder(self, folder: Path) -> None:
        """Makes the folder and its parents, but never the root: a disk may not be mounted."""
        if folder != self._root and not folder.is_dir():
            self._make_folder(folder.parent)
            folder.mkdir(exist_ok=True)
            _sync_folder(folder.parent)

    def _stored(self, path: Path) -> Stored:
        stat = path.stat()
        return Stored(
            path.relative_to(self._root).as_posix(),
            stat.st_size,
            datetime.fromtimestamp(stat.st_mtime, UTC),
        )


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Makes renames inside the folder survive a power cut; Windows has no such call."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _told(key: str | None = None) -> Iterator[None]:
    """Turns what the system says into what a person can do; with `key`, absence is `Missing`."""
    try:
        yield
    except OSError as error:
        raise _error(error, reading=key is not None) from error


def _error(error: OSError, *, reading: bool) -> BlobsError:
    if reading and isinstance(error, FileNotFoundError):
        return Missing("This file is not in the image folder.")
    if error.errno in _NO_ROOM:
        return Full("The disk of the image folder is full; free some space.")
    if error.errno in _FORBIDDEN:
        return Denied("The hub may not use the image folder; change its owner or its rights.")
    return Unreachable(f"The image folder can't be used: {error.strerror}; look at its disk.")
