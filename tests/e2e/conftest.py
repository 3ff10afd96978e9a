"""Real hubs with their simulators, for tests in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.demo import FINISHED, Hub

STARTS_WITHIN = 60.0
"""Seconds; the hub needs two, a busy machine more."""
PLAYED_WITHIN = 240.0
"""Seconds; forty images are drawn and taken in within ten, on a busy machine much later."""

Start = Callable[..., Hub]


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a demo that has made all its images."""
    folder = tmp_path_factory.mktemp("played")
    process = _demo(folder, seconds_per_image=0.01)
    try:
        hub = Hub(_address(process))
        wanted = f"{FINISHED} finished images"
        hub.until(lambda: hub.finished() >= FINISHED, wanted, within=PLAYED_WITHIN)
    finally:
        _end(process)
    return folder


@pytest.fixture
def start_demo(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Start]:
    """Starts demos, each with data of its own, and ends them with the test.

    They begin with all images made, or, with `seconds_per_image`, with none.
    """
    running: list[subprocess.Popen[str]] = []

    def start(*, seconds_per_image: float | None = None) -> Hub:
        folder = tmp_path / f"demo-{len(running)}"
        if seconds_per_image is None:
            shutil.copytree(request.getfixturevalue("played"), folder)
        process = _demo(folder, seconds_per_image=seconds_per_image or 0.01)
        running.append(process)
        return Hub(_address(process))

    yield start
    for process in running:
        _end(process)


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, Path]]:
    """A hub whose demo run is paused, and its database: for the runs that tests add to it."""
    folder = tmp_path_factory.mktemp("idle")
    process = _demo(folder, seconds_per_image=0.01)
    try:
        hub = Hub(_address(process))
        hub.post("/runs/1", {"status": "paused"}, method="PATCH")
        yield hub, folder / "demo" / "shortlist.db"
    finally:
        _end(process)


def _demo(folder: Path, *, seconds_per_image: float) -> subprocess.Popen[str]:
    options = {
        "--data": str(folder),
        "--port": "0",
        "--target-leaves": str(FINISHED),
        "--seconds-per-image": str(seconds_per_image),
        "--log-level": "WARNING",
    }
    words = [word for option in options.items() for word in option]
    command = [sys.executable, "-m", "shortlist", "demo", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(STARTS_WITHIN)
    if process.stdout is not None:
        process.stdout.close()


def _address(process: subprocess.Popen[str]) -> str:
    """Reads what the demo prints until it says where it is."""
    assert process.stdout is not None
    deadline = time.monotonic() + STARTS_WITHIN
    seen = []
    while time.monotonic() < deadline and (line := process.stdout.readline()):
        seen.append(line)
        if found := re.search(r"demo is at (http://\S+)", line):
            return found.group(1)
    pytest.fail("the demo did not start:\n" + "".join(seen))
