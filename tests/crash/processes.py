"""The real programs, started as a person starts them, and killed as a power cut does.

They are forked from a process that has imported them already: two hundred starts of the
interpreter would take longer than all that is tested here.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import uuid4

import httpx2

from shortlist import cli

PATIENT_SECONDS = 60.0
_ADDRESS = re.compile(rb"http://[^\s]+:(\d+)")
_NURSERY = multiprocessing.get_context("forkserver")
_NURSERY.set_forkserver_preload(["httpx2", "shortlist.commands.serving"])


class Program:
    """One `shortlist` process that says its address."""

    def __init__(self, *arguments: str) -> None:
        hear, tell = _NURSERY.Pipe(duplex=False)
        self._process = _NURSERY.Process(target=_run, args=(arguments, tell))
        self._process.start()
        tell.close()
        # Held open: a program that can't write to its terminal would end with an error.
        self._hear = os.fdopen(os.dup(hear.fileno()), "rb")
        hear.close()
        line = self._hear.readline()
        found = _ADDRESS.search(line)
        assert found is not None, f"the program said {line!r}"
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """Ends it at once, wherever it is."""
        self._process.kill()
        self._process.join(PATIENT_SECONDS)
        self._hear.close()

    def stop(self) -> None:
        """Lets it end as it should."""
        self._process.terminate()
        self._process.join(PATIENT_SECONDS)
        self._hear.close()
        assert self._process.exitcode == 0


def _run(arguments: Sequence[str], tell: Connection) -> None:
    """The program itself, in the new process."""
    os.dup2(tell.fileno(), sys.stdout.fileno())
    tell.close()
    cli.main(arguments)


@contextmanager
def ending(program: Program) -> Iterator[Program]:
    """The program, stopped when the block ends."""
    try:
        yield program
    finally:
        program.stop()


class Voter:
    """A person who votes without pause, through whatever the hub goes through.

    A vote whose answer did not come is sent again under its id, as a browser does.
    """

    def __init__(self) -> None:
        self.acknowledged: set[str] = set()
        self._unanswered: dict[str, object] | None = None
        self._url: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._vote)

    def turn_to(self, url: str | None) -> None:
        """Votes at that hub from now on."""
        self._url = url

    def __enter__(self) -> Voter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _vote(self) -> None:
        with httpx2.Client(timeout=5.0, trust_env=False) as http:
            while not self._stop.wait(0.01):
                with suppress(httpx2.HTTPError):
                    self._once(http, self._url)

    def _once(self, http: httpx2.Client, url: str | None) -> None:
        if url is None:
            return
        act = self._unanswered or self._next(http, url)
        if act is None:
            return
        self._unanswered = act
        answer = http.post(f"{url}/api/acts", json={"acts": [act]})
        answer.raise_for_status()
        (result,) = answer.json()["results"]
        self._unanswered = None
        if result["ok"]:
            self.acknowledged.add(str(act["id"]))

    def _next(self, http: httpx2.Client, url: str) -> dict[str, object] | None:
        answer = http.get(f"{url}/api/deck", params={"count": 1})
        answer.raise_for_status()
        pairs = answer.json()["pairs"]
        if not pairs:
            return None
        left, right = pairs[0]["left"]["id"], pairs[0]["right"]["id"]
        return {
            "id": str(uuid4()),
            "kind": "vote",
            "winner": left,
            "loser": right,
            "left": left,
            "shown_ms": 10,
        }


def hub(data: Path) -> Program:
    return Program("serve", "--data", str(data), "--port", "0", "--log-level", "ERROR")


def simulator(folder: Path, *, port: int = 0) -> Program:
    arguments = ("--folder", str(folder), "--port", str(port), "--seconds-per-image", "0.05")
    return Program("simulator", *arguments)
