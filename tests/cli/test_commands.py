"""The program as a person starts it: help at once, one sentence for each fault, and exit codes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest
import structlog

from cli.shell import Said
from shortlist import __version__, cli

PATIENCE = 120
EVERYWHERE = "0.0.0.0"  # noqa: S104

Command = Callable[..., Said]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's settings counts."""
    for name in os.environ:
        if name.startswith("SHORTLIST_"):
            monkeypatch.delenv(name)


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Runs `shortlist WORDS` in this process, to its end."""

    def run(*words: str) -> Said:
        code = 0
        try:
            cli.main(words)
        except SystemExit as end:
            code = int(end.code or 0)
        said = capfd.readouterr()
        return Said(said.out, said.err, code)

    before = structlog.get_config()
    yield run
    structlog.configure(**before)  # a command that serves has sent the logs to this test's capture


@pytest.fixture
def of_tomorrow(tmp_path: Path, _sqlite_template: Path) -> tuple[str, str]:
    """The flags of a data folder whose database a newer version has written."""
    file = tmp_path / "shortlist.db"
    shutil.copy(_sqlite_template, file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    return ("--data", str(tmp_path))


def refused(said: Said, code: int) -> str:
    """The one sentence of a command that did not work."""
    assert said.code == code, said.err
    assert said.out == ""
    assert said.err.startswith("shortlist: ")
    assert said.err.count("\n") == 1
    assert said.err.endswith((".\n", "?\n"))
    return said.err


@contextmanager
def served(
    *words: str, log: int = subprocess.DEVNULL
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command that serves, and the address that it says it is at."""
    process = subprocess.Popen(
        [sys.executable, "-m", "shortlist", *words],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        address = next((w.rstrip(".") for w in first.split() if w.startswith("http://")), "")
        assert address, first
        yield process, address
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def test_the_version_is_told(command: Command) -> None:
    assert command("--version").out.strip() == __version__


@pytest.mark.parametrize("words", [("--help",), ("serve", "--help"), ("demo", "--help")])
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    program = (
        "import sys\nfrom shortlist.cli import main\n"
        f"try:\n    main({list(words)!r})\n"
        "finally:\n    print({'fastapi', 'sqlalchemy', 'pydantic', 'PIL'} & set(sys.modules))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert said.stdout.rstrip().endswith("set()")
    assert "Usage: shortlist" in said.stdout


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("serve", "--prot", "1"), "--prot"),
        (("serve", "--port", "x"), "port"),
        (("nothing",), "nothing"),
        (("serve", "extra"), "extra"),
    ],
)
def test_a_wrong_word_is_named(words: tuple[str, ...], part: str, command: Command) -> None:
    said = command(*words)
    assert said.code == 2
    assert part in said.err
    assert said.err.startswith("shortlist: ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--port", "70000"), "port"),
        (("--max-children", "0"), "max_children"),
        (("--target-leaves", "-1"), "target_leaves"),
        (("--lookahead", "0"), "lookahead"),
        (("--allow-host", "http://x"), "allow_host"),
        (("--host", EVERYWHERE), "SHORTLIST_TOKEN"),
        (("--host", EVERYWHERE, "--token", "short"), "16 characters"),
        (("--host", "no.such.host.example"), "no.such.host.example"),
        (("--host", "203.0.113.7", "--token", "x" * 20), "203.0.113.7"),
        (("--database", "mysql://here/there"), "mysql"),
        (("--database", "postgresql://127.0.0.1:1/none"), "database"),
        (("--images", "ftp://here"), "image store"),
        (("--backend", "file:///etc/passwd"), "http://"),
    ],
)
def test_a_setting_that_can_not_be_used_stops_the_start(
    words: tuple[str, ...], part: str, tmp_path: Path, command: Command
) -> None:
    said = command("serve", "--data", str(tmp_path / "data"), "--port", "0", *words)
    assert said.code in {2, 3}
    assert part in refused(said, said.code)


def test_a_setting_of_the_environment_is_refused_alike(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHORTLIST_PORT", "many")
    said = command("serve", "--data", str(tmp_path))
    assert "SHORTLIST_PORT" in refused(said, 3)


@pytest.mark.parametrize(
    ("text", "part"),
    [("port = ", "not TOML"), ("prot = 1", "prot"), ('port = "x"', "port"), ("\xff", "can't be")],
)
def test_a_settings_file_is_refused_alike(
    text: str, part: str, tmp_path: Path, command: Command
) -> None:
    (tmp_path / "shortlist.toml").write_bytes(text.encode("latin-1"))
    said = command("serve", "--data", str(tmp_path))
    assert part in refused(said, 3)


def test_a_named_settings_file_must_exist(tmp_path: Path, command: Command) -> None:
    said = command("serve", "--data", str(tmp_path), "--config", str(tmp_path / "none.toml"))
    assert "none.toml" in refused(said, 3)


def test_a_port_in_use_is_said_to_be(tmp_path: Path, command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = command("serve", "--data", str(tmp_path), "--port", str(port))
    assert f"Port {port} on 127.0.0.1 is in use" in refused(said, 3)


@pytest.mark.parametrize("words", [("serve", "--port", "0"), ("status",), ("migrate",)])
def test_data_of_a_newer_version_is_left_alone(
    words: tuple[str, ...], of_tomorrow: tuple[str, str], command: Command
) -> None:
    assert "newer version" in refused(command(*words, *of_tomorrow), 3)


def test_a_file_that_is_no_database_is_said_to_be(tmp_path: Path, command: Command) -> None:
    (tmp_path / "shortlist.db").write_bytes(b"This is a text and no database. " * 100)
    said = command("serve", "--data", str(tmp_path), "--port", "0")
    assert "database" in refused(said, 3)


def test_a_data_folder_that_can_not_be_made_is_said_to_be(tmp_path: Path, command: Command) -> None:
    (tmp_path / "file").write_text("in the way")
    said = command("serve", "--data", str(tmp_path / "file"), "--port", "0")
    assert "can't be" in refused(said, 3)


@pytest.mark.slow
def test_a_hub_serves_alone_and_ends_when_told(tmp_path: Path, command: Command) -> None:
    data = ("--data", str(tmp_path / "new"))
    with served("serve", *data, "--port", "0", "--backend", "http://127.0.0.1:9") as (hub, url):
        assert httpx2.get(f"{url}/api/health").json() == {"status": "ok"}
        assert [b["url"] for b in httpx2.get(f"{url}/api/backends").json()] == [
            "http://127.0.0.1:9"
        ]
        assert (tmp_path / "new").stat().st_mode & 0o077 == 0
        second = command("serve", *data, "--port", "0")
        assert "Another hub works on" in refused(second, 3)
        told = json.loads(command("status", *data, "--json").out)
        assert told["version"] == __version__
        hub.send_signal(signal.SIGINT)
        assert hub.wait(PATIENCE) == 0
    again = command("migrate", *data)
    assert "already" in again.out


def test_a_hub_goes_on_when_nobody_reads_its_log(tmp_path: Path) -> None:
    words = ("serve", "--data", str(tmp_path), "--port", "0", "--backend", "http://127.0.0.1:9")
    nobody, log = os.pipe()
    os.close(nobody)
    with served(*words, log=log) as (hub, url):
        deadline = time.monotonic() + PATIENCE
        while httpx2.get(f"{url}/api/backends").json()[0]["health"] == "unknown":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert httpx2.get(f"{url}/api/health").json() == {"status": "ok"}
        assert hub.poll() is None
    os.close(log)


def test_a_hub_answers_its_allowed_names_only(tmp_path: Path) -> None:
    words = ("serve", "--data", str(tmp_path), "--port", "0", "--allow-host", "hub.example")
    with served(*words) as (_, url):
        for host, status in (("hub.example", 200), ("other.example", 421)):
            answer = httpx2.get(f"{url}/api/health", headers={"Host": host})
            assert answer.status_code == status


@pytest.mark.slow
@pytest.mark.parametrize("everywhere", ["0.0.0.0", "::"])  # noqa: S104
def test_any_address_is_open_only_with_the_token(
    everywhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "a-secret-of-the-studio"  # noqa: S105
    words = ("serve", "--data", str(tmp_path), "--port", "0", "--host", everywhere)
    monkeypatch.setenv("SHORTLIST_TOKEN", token)
    with served(*words) as (_, url):
        address = {"Host": "192.0.2.7"}
        assert httpx2.get(f"{url}/api/status", headers=address).status_code == 401
        signed = address | {"Authorization": f"Bearer {token}"}
        assert httpx2.get(f"{url}/api/status", headers=signed).status_code == 200


def test_commands_that_look_make_nothing(tmp_path: Path, command: Command) -> None:
    said = command("status", "--data", str(tmp_path / "none"))
    assert "no data" in refused(said, 4)
    told = command("doctor", "--data", str(tmp_path / "none"))
    assert "not there yet" in told.out
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_the_doctor_tells_a_server_that_is_there_from_one_that_is_not(
    tmp_path: Path, command: Command
) -> None:
    with served("simulator", "--port", "0", "--folder", str(tmp_path / "simulator")) as (_, url):
        data = ("--data", str(tmp_path))
        both = command("doctor", *data, "--backend", url, "--backend", "http://127.0.0.1:9")
    assert both.code == 1
    lines = both.out.splitlines()
    assert any(line.startswith("ok") and url in line and "simulator" in line for line in lines)
    assert any(line.startswith("problem") and "127.0.0.1:9:" in line for line in lines)


def test_the_doctor_finds_a_database_of_a_newer_version(
    of_tomorrow: tuple[str, str], command: Command
) -> None:
    said = command("doctor", *of_tomorrow)
    assert said.code == 1
    assert "newer version" in said.out


@pytest.mark.slow
def test_the_demo_comes_with_a_run_that_goes_on_after_a_restart(tmp_path: Path) -> None:
    words = ("demo", "--data", str(tmp_path), "--port", "0", "--seconds-per-image", "0.05")
    with served(*words) as (_, url):
        run = httpx2.get(f"{url}/api/runs").json()[0]
        assert run["columns"][0]["name"] == "Base"
        _until_made(url, 3)
    with served(*words) as (_, url):
        assert len(httpx2.get(f"{url}/api/runs").json()) == 1
        assert httpx2.get(f"{url}/api/status").json()["simulator"]
        _until_made(url, 6)
    with served(*words, "--fresh") as (_, url):
        assert httpx2.get(f"{url}/api/runs").json()[0]["created_at"] > run["created_at"]


def _until_made(url: str, number: int) -> None:
    """Returns when the run has `number` images."""
    after = 0
    with httpx2.stream("GET", f"{url}/api/events?after={after}", timeout=PATIENCE) as events:
        for line in events.iter_lines():
            made = sum(c["made"] for c in httpx2.get(f"{url}/api/runs").json()[0]["columns"])
            if made >= number:
                return
            assert line is not None


@pytest.mark.slow
def test_the_demo_plays_its_funnel_without_a_person(command: Command) -> None:
    said = command("demo", "--headless", "--target-leaves", "4")
    assert said.code == 0, said.err
    finished = re.search(r"(\d+) finished of 4 wanted", said.out)
    assert finished is not None
    assert int(finished[1]) >= 4  # a job under way while an image is killed may add one
    assert "└─ Upscale" in said.out
    assert "Steps found to blame" in said.out
