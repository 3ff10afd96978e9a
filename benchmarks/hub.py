"""A hub or a demo in a process of its own, for benchmarks to talk to."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

STARTS_WITHIN: Final = 60.0
"""Seconds; a hub needs two, a busy machine more."""


@contextmanager
def running_hub(*, database: Path | None = None) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The port and the process of `shortlist serve`, started just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "shortlist",
            "serve",
            "--data",
            folder,
            "--port",
            str(port),
        ]
        if database is not None:
            command += ["--database", str(database)]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
        )
        try:
            yield port, process
        finally:
            process.terminate()
            process.wait(30)


def wait_until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    """Returns with the first answer of the hub on `port`, or raises when it has ended."""
    while process.poll() is None:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/api/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.01)
    raise RuntimeError(f"The hub ended with exit code {process.returncode} before it answered.")


def demo(folder: Path, *, finished: int) -> subprocess.Popen[str]:
    """A demo with its data in `folder` that makes `finished` images as fast as it can."""
    options = {
        "--data": str(folder),
        "--port": "0",
        "--target-leaves": str(finished),
        "--seconds-per-image": "0.01",
        "--log-level": "WARNING",
    }
    words = [word for option in options.items() for word in option]
    command = [sys.executable, "-m", "shortlist", "demo", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def address(process: subprocess.Popen[str]) -> str:
    """Where a demo is: reads what it prints until it says so."""
    assert process.stdout is not None
    deadline = time.monotonic() + STARTS_WITHIN
    seen = []
    while time.monotonic() < deadline and (line := process.stdout.readline()):
        seen.append(line)
        if found := re.search(r"demo is at (http://\S+)", line):
            return found.group(1)
    raise RuntimeError("The demo did not start:\n" + "".join(seen))


def end(process: subprocess.Popen[str]) -> None:
    """Ends a demo and waits for that."""
    process.terminate()
    process.wait(STARTS_WITHIN)
    if process.stdout is not None:
        process.stdout.close()
