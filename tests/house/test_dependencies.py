"""The lock files: complete, hashed, from nowhere; and a reason for each library."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from house.test_imports import imported
from house.tree import ROOT

LOCKS = ("run", "test", "uv", "build")

# Loaded by name, by a library that looks whether they are there.
FOUND_BY_OTHERS = {
    "httptools": "uvicorn's parser",
    "uvloop": "uvicorn's event loop",
    "psycopg": "SQLAlchemy's driver, by the database's URL",
    "python-multipart": "Starlette's form parser",
    "pysqlite3": "the store imports it by name, where the platform has it",
    "tzdata": "Python's own time zones, on Windows",
}


# FastAPI is made of them; its bounds are the right ones for them.
PARTS_OF_FASTAPI = {"starlette", "pydantic", "pydantic-core", "anyio"}


def project() -> dict[str, list[str]]:
    """The declared run-time requirements: always needed, and by extra."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {"": declared["dependencies"], **declared["optional-dependencies"]}


def declared() -> list[Requirement]:
    return [Requirement(line) for lines in project().values() for line in lines]


def asked(name: str) -> list[Requirement]:
    """What one of the `.in` files asks for."""
    lines = (ROOT / "requirements" / f"{name}.in").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def pins(lock: str) -> dict[str, set[str]]:
    """The versions of each package in a lock file: several where platforms differ."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.+!-]+)", text, re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_of_a_lock_is_held_by_a_hash(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text().replace("\\\n", "")
    loose = [line.split()[0] for line in text.splitlines() if "--hash=sha256:" not in line]
    assert loose == []
    assert pins(lock)


@pytest.mark.parametrize("lock", ["run", "test"])
def test_the_locks_hold_what_the_project_declares(lock: str) -> None:
    wanted = [Requirement(line) for line in project()[""]] if lock == "run" else declared()
    missed = [
        str(requirement)
        for requirement in [*wanted, *(asked("test") if lock == "test" else [])]
        if not any(
            requirement.specifier.contains(version)
            for version in pins(lock).get(canonicalize_name(requirement.name), ())
        )
    ]
    assert missed == []


def test_what_is_tested_is_what_runs() -> None:
    tested = pins("test")
    assert pins("run") == {name: tested.get(name) for name in pins("run")}


def test_the_pages_lock_says_what_and_not_from_where() -> None:
    packages = json.loads((ROOT / "web" / "package-lock.json").read_text())["packages"]
    assert [name for name, package in packages.items() if "resolved" in package] == []
    loose = [name for name, package in packages.items() if name and not package.get("integrity")]
    assert loose == []


def test_what_is_declared_is_what_is_imported() -> None:
    homes = packages_distributions()
    used = {canonicalize_name(home) for _, name in imported() for home in homes.get(name, ())}
    wanted = {canonicalize_name(requirement.name) for requirement in declared()}
    assert used - wanted - PARTS_OF_FASTAPI - {"shortlist"} == set()
    assert wanted - used - set(FOUND_BY_OTHERS) == set()


def test_every_library_has_its_row_in_the_documentation() -> None:
    rows = (ROOT / "docs" / "dependencies.md").read_text().lower().splitlines()
    told = "\n".join(row for row in rows if row.startswith("|"))
    web = json.loads((ROOT / "web" / "package.json").read_text())
    wanted = {requirement.name for requirement in [*declared(), *asked("test"), *asked("build")]}
    wanted |= {"uv", *web["dependencies"], *web["devDependencies"]}
    silent = {name for name in wanted if not re.search(rf"`{re.escape(name.lower())}[`\[]", told)}
    assert silent == set()
