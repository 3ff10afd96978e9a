"""What is in the archives that people install, and whether the program starts from them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import shortlist
from house.tree import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def pack(kind: str, *, of: Path, to: Path) -> subprocess.CompletedProcess[str]:
    """Runs the build front end over a source folder, with the tools that the lock file pins."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "build",
            "--no-isolation",
            f"--{kind}",
            "--outdir",
            str(to),
            str(of),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, packed from this clone."""
    done = pack("sdist", of=ROOT, to=(folder := tmp_path_factory.mktemp("sdist")))
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = folder.glob("*.tar.gz")
    return found


@pytest.fixture(scope="module")
def sources(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, unpacked."""
    folder = tmp_path_factory.mktemp("sources")
    with tarfile.open(archive) as packed:
        # As an attribute: the argument is newer than the oldest Python of ours.
        packed.extraction_filter = getattr(tarfile, "data_filter", None)
        packed.extractall(folder)  # noqa: S202 - packed by ourselves a moment ago
    (found,) = folder.iterdir()
    return found


@pytest.fixture(scope="module")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, packed from the source archive alone."""
    done = pack("wheel", of=sources, to=(folder := tmp_path_factory.mktemp("wheel")))
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = folder.glob("*.whl")
    return found


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as packed:
        return set(packed.namelist())


def test_the_wheel_carries_the_page_and_all_that_the_page_asks_for(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        page = packed.read("shortlist/web/index.html").decode()
    asked = re.findall(r'(?:src|href)="\./([^"]+)"', page)
    hashed = [name for name in asked if re.fullmatch(r"assets/[\w-]+-[\w-]{8}\.(js|css)", name)]
    assert hashed
    assert {f"shortlist/web/{name}" for name in asked} <= names(wheel)


def test_the_wheel_carries_what_is_read_at_run_time(wheel: Path) -> None:
    package = ROOT / "src" / "shortlist"
    kept = {
        f"shortlist/{path.relative_to(package).as_posix()}"
        for folder in ("store/migrations", "simulator")
        for path in (package / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert any(name.endswith("workflows/base.json") for name in kept)
    assert any("migrations/versions/0001" in name for name in kept)
    assert kept <= names(wheel)
    assert "shortlist/py.typed" in names(wheel)


def test_the_wheel_carries_the_licence_and_says_who_may_use_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        (metadata,) = [name for name in packed.namelist() if name.endswith("dist-info/METADATA")]
        told = Parser().parsestr(packed.read(metadata).decode())
    assert told["Name"] == "shortlist"
    assert told["Version"] == shortlist.__version__
    assert told["License-Expression"] == "MIT"
    assert metadata.replace("METADATA", "licenses/LICENSE") in names(wheel)


def test_no_archive_carries_tests_or_installed_packages(wheel: Path, archive: Path) -> None:
    with tarfile.open(archive) as packed:
        inside = {Path(*Path(name).parts[1:]) for name in packed.getnames()}
    inside |= {Path(name) for name in names(wheel)}
    unwanted = {"node_modules", "tests", "__pycache__", ".venv", "benchmarks"}
    assert {path for path in inside if unwanted & set(path.parts)} == set()


def test_a_wheel_from_the_source_archive_takes_the_page_as_it_is(
    wheel: Path, sources: Path
) -> None:
    assert wheel.is_file()
    assert not (sources / "web" / "node_modules").exists()


def test_a_build_without_the_pages_sources_says_so(sources: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(sources, bare, ignore=shutil.ignore_patterns("web"))
    done = pack("wheel", of=bare, to=tmp_path)
    assert done.returncode != 0
    assert "there is no page to build" in done.stdout + done.stderr
    assert list(tmp_path.glob("*.whl")) == []


def test_the_program_starts_from_the_wheel_in_an_environment_of_its_own(
    wheel: Path, tmp_path: Path
) -> None:
    home = tmp_path / "environment"
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    pins = ROOT / "requirements" / "run.txt"
    for arguments in (
        ["venv", "--python", sys.executable, str(home)],
        ["pip", "install", "--python", str(python), "--require-hashes", "-r", str(pins)],
        ["pip", "install", "--python", str(python), "--no-deps", str(wheel)],
        ["pip", "check", "--python", str(python)],
    ):
        uv = [sys.executable, "-m", "uv", "--quiet", *arguments]
        done = subprocess.run(uv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    told = subprocess.run(
        [str(python.with_name("shortlist")), "--version"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert shortlist.__version__ in told.stdout
