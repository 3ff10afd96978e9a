"""One way to tell a benchmark's result: a table for people, one JSON object for machines."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Value = float | int | str | Mapping[str, float | int]


@dataclass(frozen=True, slots=True)
class Line:
    """One measured number; a mapping holds one value per database or case."""

    key: str
    value: Value
    unit: str = ""
    target: str = ""


def parser(description: str) -> argparse.ArgumentParser:
    """The arguments that every benchmark has; add your own to it."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--json", action="store_true", help="end with one JSON object on one line")
    return made


def players(description: str) -> argparse.ArgumentParser:
    """The arguments of a benchmark that plays cases over many seeds, in parts if wished."""
    made = parser(description)
    made.add_argument("--seeds", type=int, default=200)
    made.add_argument("--first", type=int, default=0, help="the first seed")
    made.add_argument("--only", action="append", help="a case by its name; default: all")
    made.add_argument("--workers", type=int, default=2)
    made.add_argument("--keep", type=Path, help="a folder for what was played")
    made.add_argument("--plot", type=Path, help="where to write the plot, as SVG")
    return made


def report(title: str, lines: Sequence[Line], *, as_json: bool) -> None:
    """Prints the table, and with `as_json` one object of all keys as the last line."""
    rows = [("", "measured", "target"), *(row for line in lines for row in _rows(line))]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    print(title)
    for name, measured, target in rows:
        print(f"  {name:<{widths[0]}}  {measured:>{widths[1]}}  {target:<{widths[2]}}".rstrip())
    if as_json:
        print(json.dumps({line.key: line.value for line in lines}))


def _rows(line: Line) -> list[tuple[str, str, str]]:
    if isinstance(line.value, Mapping):
        return [
            (f"{line.key} ({case})", _shown(value, line.unit), line.target)
            for case, value in line.value.items()
        ]
    return [(line.key, _shown(line.value, line.unit), line.target)]


def _shown(value: float | int | str, unit: str) -> str:
    number = f"{value:,.3g}" if isinstance(value, float) and abs(value) < 1000 else str(value)
    return f"{number} {unit}".strip()
