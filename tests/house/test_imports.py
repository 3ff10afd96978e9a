"""The direction of the house: which room may import which, and who stays pure."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from house.tree import ROOT, modules, room

# The process that decodes images starts with a few names of the environment, and no secret.
ENVIRONMENT_READERS = {"settings.py", "images/renderer.py"}
VAGUE = {"utils", "util", "helpers", "common", "base", "manager", "misc"}


def test_each_room_imports_only_what_lies_below_it() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def imports(tree: ast.Module) -> set[str]:
    """The first names of all modules that `tree` imports, wherever in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_only_the_store_and_the_services_speak_sql() -> None:
    speakers = {name for name, tree in modules().items() if "sqlalchemy" in imports(tree)}
    assert {name for name in speakers if room(name) not in {"store", "services"}} == set()


def test_only_settings_reads_the_environment() -> None:
    readers = {
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    assert readers <= ENVIRONMENT_READERS


def test_the_rules_throw_only_dice_whose_seed_they_were_given() -> None:
    thrown = {
        ast.unparse(node)
        for name, tree in modules().items()
        if room(name) == "domain"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "random"
    }
    seedless = {
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        if room(name) == "domain"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "random.Random"
        if not node.args
    }
    assert thrown <= {"random.Random"}
    assert seedless == set()


def test_no_module_is_named_for_nothing() -> None:
    vague = {name for name in modules() for part in Path(name).parts if Path(part).stem in VAGUE}
    assert vague == set()
