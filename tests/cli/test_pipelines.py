"""`shortlist pipeline …`: a pipeline as one file that says it all, and files that are none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from builders import a_graph, a_pipeline
from cli.shell import Shell
from shortlist.comfy.workflow import as_json
from shortlist.domain.model import GateKind
from shortlist.services import pipelines
from shortlist.store.db import Database

GATES = [GateKind.AUTO, GateKind.MANUAL, GateKind.PROVISIONAL]


@pytest.fixture
def shell(db: Database, database_url: str, capsys: pytest.CaptureFixture[str]) -> Shell:
    with db.transaction() as tx:
        a_pipeline(tx, gates=GATES, max_children=[5, None, None])
    return Shell(database_url, capsys)


def content(db: Database, id: int) -> object:
    """All of a pipeline but what names it."""
    with db.snapshot() as tx:
        view = pipelines.view(tx, id)
    return view.description, [
        (s.name, s.order, s.max_children, s.gate, s.default_top_k, s.bindings, s.workflow)
        for s in view.steps
    ]


def test_what_export_wrote_imports_as_the_same_pipeline(
    shell: Shell, db: Database, tmp_path: Path
) -> None:
    file = tmp_path / "portrait.json"
    shell.told("pipeline", "export", "Portrait", str(file))
    said = shell.told("pipeline", "import", str(file), "--name", "Copy")
    assert said == "Pipeline 2, Copy, version 1: 3 steps.\n"
    assert content(db, 2) == content(db, 1)
    assert shell.told("pipeline", "export", "1") == file.read_text()


def test_a_pipeline_that_is_there_already_gets_no_new_version(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "portrait.json"
    shell.told("pipeline", "export", "portrait", str(file))
    assert "was there already" in shell.told("pipeline", "import", str(file))
    changed = json.loads(file.read_text())
    changed["steps"][1]["default_top_k"] = 2
    file.write_text(json.dumps(changed))
    said = shell.told("pipeline", "import", str(file))
    assert said == "Pipeline 2, Portrait, version 2: 3 steps.\n"
    assert "2  Portrait        2" in shell.told("pipeline", "list")
    assert len(json.loads(shell.told("pipeline", "list", "--all", "--json"))) == 2


def test_bindings_that_the_file_leaves_out_are_found(
    shell: Shell, db: Database, tmp_path: Path
) -> None:
    file = tmp_path / "own.json"
    step = {"name": "Base", "workflow": as_json(a_graph("Base"))}
    file.write_text(json.dumps({"shortlist_pipeline": 1, "name": "Own", "steps": [step]}))
    shell.told("pipeline", "import", str(file))
    with db.snapshot() as tx:
        bound = pipelines.view(tx, 2).steps[0].bindings
    assert bound["seed"]
    assert "seed" in shell.told("pipeline", "show", "own")


@pytest.mark.sqlite_only
def test_what_goes_into_a_file_is_utf_8_whatever_the_system_is_set_to(
    shell: Shell, db: Database, tmp_path: Path
) -> None:
    file = tmp_path / "portrait.json"
    with db.transaction() as tx:
        a_pipeline(tx, gates=GATES)
    program = (sys.executable, "-m", "shortlist", "pipeline")
    place = ("--database", shell.location)
    windows = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    named = shell.told("pipeline", "export", "1").replace('"Portrait"', '"ポートレート"')
    file.write_text(named, encoding="utf-8")
    shell.told("pipeline", "import", str(file))
    listed, told = (
        subprocess.run([*program, *words, *place], env=windows, stdout=subprocess.PIPE, check=True)
        for words in (("list",), ("export", "ポートレート"))
    )
    assert "→" in listed.stdout.decode()
    assert told.stdout.decode() == named


def test_an_export_overwrites_nothing(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "portrait.json"
    file.write_text("mine")
    told, code = shell.refused("pipeline", "export", "Portrait", str(file))
    assert "is there already" in told
    assert code == 5
    assert file.read_text() == "mine"


def _a_file(**change: object) -> str:
    step: dict[str, object] = {"name": "Base", "workflow": as_json(a_graph("Base"))}
    step |= {name: value for name, value in change.items() if name not in {"steps", "name"}}
    whole = {"shortlist_pipeline": 1, "name": "X", "steps": [step]}
    return json.dumps(whole | {name: change[name] for name in ("steps", "name") if name in change})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is broken at line 1, column 1"),
        ('{"a": ', "is broken at line 1"),
        ("[1]", "is no pipeline"),
        ("[" * 100_000, "nested too deeply"),
        (json.dumps(as_json(a_graph("Base"))), "is no pipeline"),
        ('{"shortlist_pipeline": 2}', "another version of Shortlist"),
        (_a_file(name="  "), "The pipeline needs a name"),
        (_a_file(steps=[]), "1 to 20 steps, not 0"),
        (_a_file(steps="two"), "steps is not right"),
        (_a_file(gate="perhaps"), "step 1, gate is not right"),
        (_a_file(max_children="3"), "step 1, max_children is not right"),
        (_a_file(max_children=0), "N must be at least 1"),
        (_a_file(colour="red"), "step 1, colour is not known here"),
        (_a_file(workflow={}), "Step 1, Base: The workflow holds no nodes"),
        (_a_file(bindings={"output": "7", "colour": []}), "know no role 'colour'"),
        (_a_file(bindings={"output": "no such node"}), "Step 1, Base"),
    ],
)
def test_a_file_that_is_no_pipeline_is_told_in_one_sentence(
    shell: Shell, tmp_path: Path, text: str, sentence: str
) -> None:
    file = tmp_path / "bad.json"
    file.write_text(text)
    told, code = shell.refused("pipeline", "import", str(file))
    assert sentence in told
    assert code == 2
    assert len(json.loads(shell.told("pipeline", "list", "--all", "--json"))) == 1


def test_a_picture_is_no_pipeline(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    assert "is no text" in shell.refused("pipeline", "import", str(file))[0]
    assert "can't be read" in shell.refused("pipeline", "import", str(tmp_path))[0]
