"""Requests made up from the hub's own description: no answer is a failure of the hub or unsaid."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from programs import PATIENT_SECONDS

if TYPE_CHECKING:
    from api.conftest import Started

SAID = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "502"]
"""
"""502 is the fault of a ComfyUI server: requests of these add some that are not there."""
DESCRIPTION = Path(__file__).parents[2] / "docs" / "openapi.json"


@pytest.mark.slow
def test_nothing_that_fits_the_description_breaks_the_hub(running: Started, tmp_path: Path) -> None:
    """A program of its own: in here Schemathesis makes up its requests while tests are collected,
    once for each worker."""
    options = {
        "--url": running.url,
        "--exclude-path": "/api/events",  # it never ends
        "--checks": "not_a_server_error",
        "--phases": "coverage,fuzzing",
        "--max-examples": "5",
        "--suppress-health-check": "all",
        "--seed": "1",
        "--request-timeout": str(PATIENT_SECONDS),
    }
    (tmp_path / "schemathesis.toml").write_text(SAID, "utf-8")
    words = (word for option in options.items() for word in option)
    command = (sys.executable, "-m", "schemathesis.cli", "run", str(DESCRIPTION), *words)
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
