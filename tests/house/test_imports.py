"""The direction of the house: which room may import which, and who stays pure."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from house.tree import ROOT, each, modules, room

# The process that decodes images starts with a few names of the environment, and no secret.
# The package itself reads nothing there, but tells numpy's library how many threads to begin.
ENVIRONMENT_READERS = {"settings.py", "images/renderer.py", "__init__.py"}
VAGUE = {"utils", "util", "helpers", "common", "base", "manager", "misc"}


def test_each_room_imports_only_what_lies_below_it() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def imported() -> set[tuple[str, str]]:
    """Each module of ours with the first name of each module that it imports, wherever in it."""
    plain = {(name, of.name) for name, node in each(ast.Import) for of in node.names}
    whence = {(name, node.module) for name, node in each(ast.ImportFrom) if not node.level}
    return {(name, (of or "").split(".")[0]) for name, of in plain | whence}


def test_only_the_store_and_the_services_speak_sql() -> None:
    speakers = {name for name, of in imported() if of == "sqlalchemy"}
    assert {name for name in speakers if room(name) not in {"store", "services"}} == set()


def test_only_settings_reads_the_environment() -> None:
    readers = {name for name, node in each(ast.Attribute) if node.attr in {"environ", "getenv"}}
    assert readers <= ENVIRONMENT_READERS


def test_the_rules_throw_only_dice_whose_seed_they_were_given() -> None:
    thrown = {
        ast.unparse(node)
        for name, node in each(ast.Attribute)
        if room(name) == "domain" and ast.unparse(node.value) == "random"
    }
    seedless = {
        f"{name}:{call.lineno}"
        for name, call in each(ast.Call)
        if room(name) == "domain" and ast.unparse(call) == "random.Random()"
    }
    assert thrown <= {"random.Random"}
    assert seedless == set()


def test_no_module_is_named_for_nothing() -> None:
    vague = {name for name in modules() for part in Path(name).parts if Path(part).stem in VAGUE}
    assert vague == set()
