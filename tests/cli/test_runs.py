"""`shortlist run …` on a real database: what a person types, what is told, and what then stands."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from builders import NOW, a_backend, a_pipeline, an_image
from cli.shell import Shell
from shortlist.domain.model import GateKind
from shortlist.services import results, selection
from shortlist.store.db import Database
from shortlist.store.schema import ImageCandidate, PipelineStep

MANUAL = [GateKind.AUTO, *[GateKind.MANUAL] * 3]


@pytest.fixture
def shell(db: Database, database_url: str, capsys: pytest.CaptureFixture[str]) -> Shell:
    with db.transaction() as tx:
        a_pipeline(tx, gates=MANUAL)
        a_backend(tx)
    return Shell(database_url, capsys)


def render(db: Database, most: int = 1000) -> int:
    """Renders until there is nothing to do; how many images that made."""
    for made in range(most):
        with db.transaction() as tx:
            claimed = selection.claim(tx, backend_id=1, seed=made, prompt_id=str(uuid4()), now=NOW)
        if claimed is None:
            return made
        with db.transaction() as tx:
            results.ingest(tx, claimed.job_id, images=[an_image()], now=NOW)
    return most


def created(shell: Shell, *more: str) -> str:
    return shell.told("run", "create", "Portrait", "Dusk", "--prompt", "a cat", "--untried", *more)


def test_a_whole_run_is_led_from_the_shell(shell: Shell, db: Database) -> None:
    assert created(shell) == 'Run 1, "Dusk", of Portrait: 30 images to make.\n'
    assert render(db) == 12
    assert "Face Fix waits for your approval." in shell.told("run", "list")
    said = shell.told("run", "approve", "dusk", "face fix", "--top-k", "1")
    assert said == "Face Fix: 1 image on to Hand Fix.\nTo make there: 3 images.\n"
    assert render(db) == 3
    shell.told("run", "approve", "1", "3", "--top-k", "2")
    assert render(db) == 6
    said = shell.told("run", "approve", "1", "Upscale", "--top-k", "2")
    assert said == "Upscale: 2 images won; the run is complete.\n"
    assert "completed" in shell.told("run", "list")


def test_a_run_is_shown_for_people_and_for_programs(shell: Shell, db: Database) -> None:
    created(shell, "--max-children", "2", "--night", "22:30-07:00", "--variable", "size=3")
    render(db, most=3)
    rows = [line.split() for line in shell.told("run", "show", "1").splitlines()[3:]]
    assert rows[0][:2] == ["step", "gate"]
    assert rows[1] == ["Base", "auto", "approved", "1", "3", "1", "1", "0"]
    assert rows[2][:2] == ["Face", "Fix"]
    shown = json.loads(shell.told("run", "show", "1", "--json"))
    assert (shown["max_children"], shown["waiting"]["night_from"]) == (2, "22:30")
    assert [run["id"] for run in json.loads(shell.told("run", "list", "--json"))] == [1]


def test_a_paused_run_makes_nothing_until_it_is_resumed(shell: Shell, db: Database) -> None:
    created(shell)
    assert "paused" in shell.told("run", "pause", "Dusk")
    assert render(db) == 0
    shell.told("run", "resume", "Dusk")
    assert render(db, most=2) == 2
    shell.told("run", "archive", "Dusk")
    assert render(db) == 0
    assert "no unarchived run" in shell.told("run", "list")
    assert "Dusk" in shell.told("run", "list", "--status", "archived")


def test_a_run_goes_on_with_the_newest_version_of_its_pipeline(shell: Shell, db: Database) -> None:
    created(shell)
    with db.transaction() as tx:
        a_pipeline(tx, gates=MANUAL)
    said = shell.told("run", "update", "Dusk")
    assert said.splitlines() == [
        'Run 1, "Dusk", goes on with version 2 of Portrait.',
        "Changed: no step. Taken back: 0 jobs. Tried again: 0 failures.",
    ]
    assert "has version 2 already" in shell.refused("run", "update", "Dusk")[0]


def test_an_early_approval_says_what_is_missing(shell: Shell, db: Database) -> None:
    created(shell)
    render(db, most=3)
    said = shell.told("run", "approve", "1", "2", "--top-k", "1")
    assert said.startswith("Approved early: Base ")


def test_a_reopened_gate_makes_nothing_more(shell: Shell, db: Database) -> None:
    created(shell)
    render(db)
    shell.told("run", "approve", "1", "2", "--top-k", "3")
    assert render(db, most=1) == 1
    assert "is open again" in shell.told("run", "reopen", "1", "2")
    assert render(db) == 0


def test_k_is_the_steps_default_when_it_is_left_out(shell: Shell, db: Database) -> None:
    with db.transaction() as tx:
        tx.execute(update(PipelineStep).where(PipelineStep.order == 2).values(default_top_k=2))
    created(shell)
    render(db)
    shell.told("run", "approve", "1", "2")
    with db.snapshot() as tx:
        through = tx.execute(
            select(ImageCandidate.id).where(ImageCandidate.step_order == 2, ImageCandidate.advances)
        ).all()
    assert len(through) == 2


def test_a_copy_has_the_numbers_of_its_original(shell: Shell) -> None:
    created(shell, "--max-children", "4", "--base-count", "2", "--rating", "tree")
    assert shell.told("run", "copy", "Dusk", "Dawn", "--untried") == 'Run 2, "Dawn".\n'
    shown = json.loads(shell.told("run", "show", "Dawn", "--json"))
    assert (shown["max_children"], shown["base_count"]) == (4, 2)
    assert (shown["rating"], shown["policy"]) == ("tree", "right_to_left")


@pytest.mark.parametrize(
    ("words", "sentence", "code"),
    [
        (["show", "7"], "There is no run '7'", 4),
        (["show", "9" * 30], "There is no run", 4),
        (["approve", "1", "2", "--top-k", "0"], "K must be at least 1, not 0", 2),
        (["approve", "1", "2", "--top-k", "-4"], "K must be at least 1, not -4", 2),
        (["approve", "1", "2", "--top-k", "9" * 30], "K must be at most", 2),
        (["approve", "1", "2", "--top-k", "many"], "many", 2),
        (["approve", "1", "2", "3", "4"], "more than the command takes: 4; see its --help", 2),
        (["approve", "1", "2"], "Face Fix has no default K", 2),
        (["approve", "1", "2", "1"], "holds no live image yet", 5),
        (["approve", "1", "1", "--top-k", "1"], "is the first step", 5),
        (["approve", "1", "3", "--top-k", "1"], "is blocked: approve the step before", 5),
        (["approve", "1", "Hair", "--top-k", "1"], "it has 1 Base, 2 Face Fix", 4),
        (["reopen", "1", "2"], "there is nothing to reopen", 5),
        (["confirm", "1", "2"], "there is nothing to confirm", 5),
        (["create", "Nothing", "X", "--prompt", ""], "There is no pipeline 'Nothing'", 4),
        (["create", "1", "X", "--prompt", ""], "Never tried: Base, Face Fix, Hand Fix", 5),
        (["create", "1", " ", "--prompt", ""], "The run needs a name", 2),
        (["create", "1", "X", "--prompt", "", "--rating", "glicko"], "choose one of elo, tree", 2),
        (["create", "1", "X", "--prompt", "", "--policy", "x"], 'There is no policy "x" here', 2),
        (["create", "1", "X", "--prompt", "", "--night", "22:30"], "two times of day", 2),
        (["create", "1", "X", "--prompt", "", "--night", "9-25"], "hours and minutes", 2),
        (["create", "1", "X", "--prompt", "", "--night", "22:30+02:00-07:00"], "minutes", 2),
        (["create", "1", "X", "--prompt", "", "--time-zone", "Mars"], "no time zone 'Mars'", 2),
        (["create", "1", "X", "--prompt", "", "--time-zone", "Europe"], "no time zone", 2),
        (["create", "1", "X", "--prompt", "", "--variable", "x"], "name=value", 2),
        (["create", "1", "X", "--prompt", "", "--max-children", "0"], "N (children", 2),
        (["create", "1", "X"], "prompt", 2),
    ],
)
def test_what_can_t_be_done_is_one_sentence_and_an_exit_code(
    shell: Shell, words: list[str], sentence: str, code: int
) -> None:
    created(shell)
    told, exit_code = shell.refused("run", *words)
    assert sentence in told
    assert exit_code == code


def test_two_runs_of_one_name_are_told_apart_by_number(shell: Shell) -> None:
    created(shell)
    created(shell)
    told, code = shell.refused("run", "pause", "Dusk")
    assert "one of 1, 2" in told
    assert code == 5
    shell.told("run", "pause", "2")


def test_an_archived_run_is_not_approved(shell: Shell, db: Database) -> None:
    created(shell)
    render(db)
    shell.told("run", "archive", "1")
    told, code = shell.refused("run", "approve", "1", "2", "--top-k", "1")
    assert "archived" in told
    assert code == 5
