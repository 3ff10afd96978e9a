"""Traps of this house, each found once the hard way, and the sizes a reader can bear."""

from __future__ import annotations

import ast
from statistics import median

from house.tree import PACKAGE, ROOT, each, modules, room, tracked

# Where the time of day enters; everything below is handed `now`. The simulator is a program of
# its own that the hub sees over the wire only.
CLOCKS = {"api", "dispatcher", "cli", "commands", "chores", "hub", "simulator"}

# Handlers of everything, by module and function, each with its reason.
BROAD = {
    ("api/door.py", "_answer"): "the last resort: logged whole, told with a number alone",
    ("dispatcher/dispatcher.py", "_drive"): "one broken server or row must not stop the others",
    ("dispatcher/dispatcher.py", "_look"): "drivers go on, and it is looked again in a moment",
    ("chores.py", "_tried"): "a fault in a chore must not end the night's work",
    ("images/renderer.py", "_ask"): "a worker cut off at whatever point can't be talked to again",
    ("services/beliefs.py", "_foreign"): "a package's rating is foreign code: it is told, with why",
    ("services/plugins.py", "load"): "a package's module is foreign code: it is told, with why",
    ("services/adaptive.py", "_decided"): "a package's policy is foreign: it is told, with why",
    ("simulator/engine.py", "_perform"): "a node is foreign code: all it raises fails its job",
    ("store/group.py", "_commit"): "who asked for it is told, in their own thread",
    ("store/group.py", "run"): "who asked for it is told, once the others are done",
}

LONGEST_FUNCTION = 80
LONGEST_FILE = 400
LONGER_FILES = {"store/schema.py": 500, "cli.py": 500}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def calls(*names: str) -> list[tuple[str, ast.Call]]:
    """Every call of a function or method with one of `names`, with its module."""
    return [
        (module, call)
        for module, call in each(ast.Call)
        if (
            call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        )
        in names
    ]


def functions() -> list[tuple[str, Function]]:
    """Every function, the nested ones too, with its module."""
    return [*each(ast.FunctionDef), *each(ast.AsyncFunctionDef)]


def length(function: Function) -> int:
    """Lines of a function without its decorators and docstring."""
    text = ast.get_docstring(function, clean=False)
    return (
        (function.end_lineno or 0) - function.lineno + 1 - (len(text.splitlines()) if text else 0)
    )


def test_only_the_database_commits() -> None:
    enders = {f"{name}:{call.lineno}" for name, call in calls("commit", "rollback")}
    assert {ender for ender in enders if not ender.startswith("store/db.py:")} == set()


def test_a_request_that_writes_commits_before_it_answers() -> None:
    """Without scope="function" FastAPI commits after the answer, and a failure goes unseen."""
    scopes = {
        f"{name}:{call.lineno}": [ast.unparse(word) for word in call.keywords]
        for name, call in calls("Depends")
        if any(ast.unparse(argument) == "writing" for argument in call.args)
    }
    assert {place for place, said in scopes.items() if "scope='function'" not in said} == set()


def test_the_time_of_day_enters_at_the_top_alone() -> None:
    clocks = {"datetime.now", "datetime.utcnow", "date.today", "time.time"}
    readers = {
        f"{name}:{node.lineno}"
        for name, node in each(ast.Attribute)
        if node.attr in {"now", "utcnow", "today", "time"} and room(name) not in CLOCKS
        if ast.unparse(node) in clocks
    }
    assert readers == set()


def test_every_handler_of_everything_has_its_reason_here() -> None:
    found = {
        (name, function.name)
        for name, function in functions()
        for node in ast.walk(function)
        if isinstance(node, ast.ExceptHandler) and _catches_all(node)
    }
    assert found == set(BROAD)


def _catches_all(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"})
        for kind in kinds
    )


def test_no_row_loads_others_by_itself() -> None:
    assert calls("relationship") == []


def test_every_module_opens_with_what_lives_there() -> None:
    silent = [name for name, tree in modules().items() if tree.body and not ast.get_docstring(tree)]
    assert silent == []


def test_no_function_is_too_long_to_read() -> None:
    long = {
        f"{name}:{function.name}": length(function)
        for name, function in functions()
        if "migrations" not in name  # a table is spelled out as it was, however wide
        if length(function) > LONGEST_FUNCTION
    }
    assert long == {}


def test_functions_are_short_as_a_rule() -> None:
    lengths = sorted(length(function) for _, function in functions())
    assert median(lengths) <= 10
    assert lengths[len(lengths) * 9 // 10] <= 35


def test_no_file_is_too_long_to_read() -> None:
    long = {}
    for path in tracked():
        if path.parts[:1] != ("src",) and path.parts[:2] != ("web", "src"):
            continue
        if path.suffix not in {".py", ".ts", ".svelte", ".css"} or "migrations" in path.parts:
            continue
        name = path.as_posix().removeprefix(PACKAGE.relative_to(ROOT).as_posix() + "/")
        lines = len((ROOT / path).read_text("utf-8").splitlines())
        if lines > LONGER_FILES.get(name, LONGEST_FILE):
            long[name] = lines
    assert long == {}
