"""A hub of its own process for a benchmark to talk to."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory


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
