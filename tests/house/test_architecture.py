"""ARCHITECTURE.md is a map, and a map that lies is worse than none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from house.tree import ROOT, tracked

MAP = ROOT / "ARCHITECTURE.md"
ENTRY = re.compile(r"^(?P<indent>[│ ]*)(?:├─|└─) *(?P<names>\S+(?: \S+)*)")


def drawn() -> Iterator[Path]:
    """Every path of the first tree drawn in the map; several names may share a line."""
    folders: list[tuple[int, str]] = []
    (tree,) = re.findall(r"```\w*\n([^\n]*/\n(?:[│ ]*[├└].*\n|[│ ]+.*\n)+)```", MAP.read_text())[:1]
    for line in tree.splitlines():
        entry = ENTRY.match(line)
        if not entry:
            continue
        depth = len(entry["indent"])
        folders = [(at, name) for at, name in folders if at < depth]
        parent = Path(*(name for _, name in folders))
        names = entry["names"].split(" ")
        if len(names) == 1 and names[0].endswith("/"):
            folders.append((depth, names[0]))
        for name in names:
            yield parent / name


def test_everything_on_the_map_exists() -> None:
    known = set(tracked()) | {folder for path in tracked() for folder in path.parents}
    known.add(Path("src/shortlist/web"))  # built, and so in no clone before the first build
    assert sorted(str(path) for path in drawn() if path not in known) == []


def test_every_file_is_on_the_map() -> None:
    """A folder drawn open names all that is in it; a closed one stands for its content."""
    named = {place for path in drawn() for place in (path, *path.parents)}
    open_folders = {path.parent for path in named}
    unnamed = set()
    for path in tracked():
        for part in reversed([path, *path.parents][:-1]):
            if part.parent not in open_folders or part.name.startswith("."):
                break
            if part not in named and part.name != "__init__.py":
                unnamed.add(str(part))
    assert unnamed == set()


def test_the_map_opens_every_room() -> None:
    rooms = {path.parent for path in tracked() if path.match("src/shortlist/*/*.py")}
    assert rooms - {path.parent for path in drawn()} == set()
