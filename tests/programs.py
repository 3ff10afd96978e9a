"""The real programs, started as a person starts them.

They are forked from a process that has imported them already: hundreds of starts of the interpreter
would take longer than all that is tested with them.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection

from shortlist import cli

PATIENT_SECONDS = 120.0
_ADDRESS = re.compile(rb"http://[^\s]+:(\d+)")
_NURSERY = multiprocessing.get_context("forkserver")
_NURSERY.set_forkserver_preload(
    [
        "anyio._backends._asyncio",
        "httpcore2",
        "httpx2",
        "numpy.random",
        "PIL.JpegImagePlugin",
        "pysqlite3.dbapi2",
        "shortlist.commands.demo",
        "shortlist.commands.serving",
        "shortlist.domain.settled",
        "shortlist.services.adaptive",
        "shortlist.services.informed",
        "shortlist.simulator.server",
        "stringprep",
        "uvicorn.lifespan.on",
        "uvicorn.protocols.http.httptools_impl",
        "uvicorn.protocols.websockets.auto",
        "uvloop",
    ]
)


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
        """Lets it end as it should; one that does not says where it stands, and is ended."""
        self._process.terminate()
        self._process.join(PATIENT_SECONDS)
        code = self._process.exitcode
        if code is None:
            os.kill(self._process.pid or 0, signal.SIGUSR1)
            self._process.join(1)
            self._process.kill()
        self._hear.close()
        assert code == 0, f"the program at {self.url} ended with {code}"


def _run(arguments: Sequence[str], tell: Connection) -> None:
    """The program itself, in the new process."""
    os.dup2(tell.fileno(), sys.stdout.fileno())
    tell.close()
    # Made for what stood here before, which may have been a file; a pipe can't be sought in.
    sys.stdout = os.fdopen(sys.stdout.fileno(), "w", buffering=1, closefd=False)
    faulthandler.register(signal.SIGUSR1)
    cli.main(arguments)


@contextmanager
def ending(program: Program) -> Iterator[Program]:
    """The program, stopped when the block ends."""
    try:
        yield program
    finally:
        program.stop()
