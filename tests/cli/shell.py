"""A shell for tests of commands: runs one in this process on a database, and tells what it said."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from shortlist import cli


@dataclass(frozen=True, slots=True)
class Said:
    """What a command wrote, and its exit code."""

    out: str
    err: str
    code: int


@dataclass(frozen=True, slots=True)
class Shell:
    """Commands on one database."""

    location: str
    capture: pytest.CaptureFixture[str]

    def run(self, *words: str) -> Said:
        """Runs `shortlist WORDS`."""
        code = 0
        try:
            cli.main([*words, "--database", self.location])
        except SystemExit as end:
            code = int(end.code or 0)
        said = self.capture.readouterr()
        return Said(said.out, said.err, code)

    def told(self, *words: str) -> str:
        """What a command that works writes."""
        said = self.run(*words)
        assert (said.code, said.err) == (0, "")
        return said.out

    def refused(self, *words: str) -> tuple[str, int]:
        """The one sentence and the exit code of a command that does not work."""
        said = self.run(*words)
        assert said.out == ""
        assert said.err.startswith("shortlist: ")
        assert said.err.count("\n") == 1
        return said.err.removeprefix("shortlist: ").strip(), said.code
