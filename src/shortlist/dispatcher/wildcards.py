"""The person's wildcard files, read when a prompt may need them; a changed file counts at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shortlist import logs
from shortlist.domain.prompts import Wildcards

MOST_FILES: Final = 2_000
MOST_BYTES: Final = 2 * 2**20
"""Of one file: a hundred thousand lines of prompt."""

log = logs.get("dispatcher")


class WildcardFiles:
    """The text files below one folder: `hair.txt` is `hair`, `body/eyes.txt` is `body/eyes`."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._known: dict[Path, tuple[tuple[int, int], list[str]]] = {}

    def read(self) -> Wildcards:
        """The lines of every file, without empty ones and those that begin with #. Blocks."""
        if self._folder is None or not self._folder.is_dir():
            return {}
        found: dict[str, list[str]] = {}
        known: dict[Path, tuple[tuple[int, int], list[str]]] = {}
        for path in self._files(self._folder):
            try:
                known[path] = self._one(path)
            except OSError as error:
                log.warning("wildcards_not_read", file=path.name, reason=error.strerror)
                continue
            name = path.relative_to(self._folder).with_suffix("").as_posix().lower()
            found[name] = known[path][1]
        self._known = known
        return found

    def _files(self, folder: Path) -> Iterator[Path]:
        within = folder.resolve()
        files = sorted(path for path in folder.rglob("*.txt") if path.is_file())
        for path in files[:MOST_FILES]:
            if path.resolve().is_relative_to(within):
                yield path

    def _one(self, path: Path) -> tuple[tuple[int, int], list[str]]:
        told = path.stat()
        stamp = (told.st_mtime_ns, told.st_size)
        held = self._known.get(path)
        if held is not None and held[0] == stamp:
            return held
        with path.open("rb") as file:
            text = file.read(MOST_BYTES).decode("utf-8-sig", "replace").replace("\0", "")
        lines = [line.strip() for line in text.splitlines()]
        return stamp, [line for line in lines if line and not line.startswith("#")]
