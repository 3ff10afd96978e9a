"""A plain table for a terminal or a pipe: columns of text, two spaces between them."""

from __future__ import annotations

from collections.abc import Sequence


def lines(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """One line for the headings and one a row; a column of numbers is written to the right."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    right = [all(cell.isdigit() for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(_cells(row, widths, right)).rstrip() for row in (headings, *rows)]


def _cells(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    return [
        cell.rjust(width) if numbers else cell.ljust(width)
        for cell, width, numbers in zip(row, widths, right, strict=True)
    ]
