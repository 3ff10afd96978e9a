"""Every setting is told of, by each of its names, with its default."""

from __future__ import annotations

import re
from enum import Enum

import pytest

from house.tree import ROOT
from shortlist.settings import PREFIX, Settings

PAGE = ROOT / "docs" / "settings.md"


def row(name: str) -> str:
    """The table row that tells of a setting's name in the environment."""
    told = rf"^\|.*`{PREFIX}{name.upper()}`.*$"
    return "\n".join(re.findall(told, PAGE.read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_a_setting_has_a_row_with_its_names_and_default(name: str) -> None:
    assert f"`--{name.replace('_', '-')}`" in row(name)
    default = Settings.model_fields[name].get_default()
    if isinstance(default, str | int) and not isinstance(default, bool):
        said = default.value if isinstance(default, Enum) else default
        assert f"`{said}`" in row(name)


def test_no_row_tells_of_a_setting_that_is_gone() -> None:
    told = set(re.findall(rf"`{PREFIX}([A-Z_]+)`", PAGE.read_text("utf-8")))
    # The file's own place is read before there are settings.
    assert told <= {name.upper() for name in Settings.model_fields} | {"CONFIG"}
