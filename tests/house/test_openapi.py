"""The committed description of the HTTP interface is the one that the program gives."""

from __future__ import annotations

import pytest

from house.tree import ROOT
from shortlist.cli import app


def test_the_committed_description_is_the_programs_own(capsys: pytest.CaptureFixture[str]) -> None:
    app(["openapi"], result_action="return_value")
    assert capsys.readouterr().out == (ROOT / "docs" / "openapi.json").read_text("utf-8"), (
        "the interface changed: run `shortlist openapi > docs/openapi.json` and read the difference"
    )
