"""A plot of dots as SVG text: a row a case, a dot with its interval a method, without a library."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

LEFT: Final = 180
WIDTH: Final = 560
ROW: Final = 34
TOP: Final = 40
INKS: Final = ("#8a8a8a", "#c98a1b", "#7a5aa6", "#1f6fb2", "#b3402a", "#6b7f2a")


class Dot(NamedTuple):
    """A mean and both ends of its interval."""

    mean: float
    low: float
    high: float


def dots(rows: Mapping[str, Mapping[str, Dot]], *, unit: str) -> str:
    """The plot; all rows hold the same methods, the last one is drawn largest."""
    every = [dot for row in rows.values() for dot in row.values()]
    scale = _Scale(math.floor(min(d.low for d in every)), math.ceil(max(d.high for d in every)))
    names = list(next(iter(rows.values())))
    bottom = TOP + ROW * len(rows)
    lines = [_tick(scale.x(n), n, bottom=bottom) for n in range(scale.low, scale.high + 1)]
    for at, (case, row) in enumerate(rows.items()):
        middle = TOP + ROW * at + ROW / 2
        lines.append(_text(LEFT - 12, middle + 4, case, anchor="end"))
        for n, (ink, dot) in enumerate(zip(INKS, row.values(), strict=False)):
            here = middle + (n - (len(row) - 1) / 2) * 4
            lines.append(_marked(scale, dot, y=here, ink=ink, size=3 if n < len(row) - 1 else 4.5))
    for n, (ink, name) in enumerate(zip(INKS, names, strict=False)):
        left = 20 + round(n * (LEFT + WIDTH) / len(names))
        lines.append(f'<circle cx="{left}" cy="18" r="4" fill="{ink}"/>{_text(left + 8, 22, name)}')
    lines.append(_text(LEFT + WIDTH / 2, bottom + 36, unit, anchor="middle"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 30}" '
        f'height="{bottom + 44}" font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(lines)}</svg>\n'
    )


class _Scale(NamedTuple):
    """Both ends of the axis, in its unit."""

    low: int
    high: int

    def x(self, value: float) -> float:
        return round(LEFT + (value - self.low) / (self.high - self.low) * WIDTH, 1)


def _tick(x: float, number: int, *, bottom: int) -> str:
    line = f'<line x1="{x}" x2="{x}" y1="{TOP}" y2="{bottom}" stroke="#ddd"/>'
    return line + _text(x, bottom + 16, str(number), anchor="middle")


def _text(x: float, y: float, words: str, *, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def _marked(scale: _Scale, dot: Dot, *, y: float, ink: str, size: float) -> str:
    low, mean, high = (scale.x(value) for value in (dot.low, dot.mean, dot.high))
    return (
        f'<line x1="{low}" x2="{high}" y1="{y}" y2="{y}" stroke="{ink}"/>'
        f'<circle cx="{mean}" cy="{y}" r="{size}" fill="{ink}"/>'
    )
