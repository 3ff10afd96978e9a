"""The committed description of the HTTP interface is the one that the program gives."""

from __future__ import annotations

import subprocess
import sys

import pytest

from house.tree import ROOT

DOCUMENT = ROOT / "docs" / "openapi.json"

pytestmark = pytest.mark.skipif(not DOCUMENT.exists(), reason="no description is committed yet")


def test_the_committed_description_is_the_programs_own() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "shortlist", "openapi"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert told == DOCUMENT.read_text("utf-8"), (
        "the interface changed: run `shortlist openapi > docs/openapi.json` and read the difference"
    )
