"""What the house tests read: the repository's tracked files, and the package's parsed modules."""

from __future__ import annotations

import ast
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TypeVar

Node = TypeVar("Node", bound=ast.AST)

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "shortlist"


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that git tracks or would track, relative to the repository's root."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = sorted(set(filter(None, listing.split("\0"))))
    return tuple(Path(name) for name in names if (ROOT / name).is_file())


def texts() -> list[tuple[Path, str]]:
    """The tracked files that are text, with what they say."""
    found = []
    for path in tracked():
        content = (ROOT / path).read_bytes()
        if b"\0" not in content:
            found.append((path, content.decode("utf-8")))
    return found


@cache
def modules() -> dict[str, ast.Module]:
    """The package's own modules by their path below it (`store/db.py`), parsed."""
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def each(kind: type[Node]) -> list[tuple[str, Node]]:
    """Every syntax node of one kind in the package, with its module."""
    return [(name, node) for name, node in _nodes()[kind] if isinstance(node, kind)]


@cache
def _nodes() -> dict[type[ast.AST], list[tuple[str, ast.AST]]]:
    found: dict[type[ast.AST], list[tuple[str, ast.AST]]] = defaultdict(list)
    for name, tree in modules().items():
        for node in ast.walk(tree):
            found[type(node)].append((name, node))
    return found


def room(module: str) -> str:
    """The room a module path belongs to: `store` for `store/db.py`, `cli` for `cli.py`."""
    return module.split("/", 1)[0].removesuffix(".py")
