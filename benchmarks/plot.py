"""Plots as SVG text: panels of lines side by side, without a library.

Only what docs/images needs: lines, points with intervals, a guide line, one legend for all panels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

WIDTH: Final = 280
HEIGHT: Final = 210
LEFT: Final = 44
TOP: Final = 28
RIGHT: Final = 12
BOTTOM: Final = 40
LEGEND: Final = 34

INKS: Final = ("#b3402a", "#c98a1b", "#6b7f2a", "#7a5aa6", "#1f6fb2")
"""Dark enough on white, and apart for most who confuse red and green."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Series:
    """A named line; `bars` are lowest and highest values at its points, which are then marked."""

    name: str
    points: Sequence[Point]
    bars: Sequence[Point] = ()


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows: its name, both ends and where numbers stand."""

    name: str
    low: float
    high: float
    ticks: Sequence[float]
    log: bool = False

    def part(self, value: float) -> float:
        """Where a value lies: 0 at the low end, 1 at the high one; held within both."""
        bend: Callable[[float], float] = math.log if self.log else float
        low, high = bend(self.low), bend(self.high)
        return (bend(min(max(value, self.low), self.high)) - low) / (high - low)


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot: `guide` is a dashed line that the others are read against."""

    title: str
    across: Axis
    up: Axis
    series: Sequence[Series]
    guide: Sequence[Point] = field(default=())


def drawn(panels: Sequence[Panel], *, columns: int, about: str) -> str:
    """An SVG of all panels; equal names share a colour. `about` says it to who can't see it."""
    names = list(dict.fromkeys(series.name for panel in panels for series in panel.series))
    inks = {name: INKS[at % len(INKS)] for at, name in enumerate(names)}
    wide, rows = columns * WIDTH, -(-len(panels) // columns)
    body = [_legend(inks)]
    for at, panel in enumerate(panels):
        x, y = at % columns * WIDTH, LEGEND + at // columns * HEIGHT
        body.append(f'<g transform="translate({x} {y})">{_panel(panel, inks)}</g>')
    tall = LEGEND + rows * HEIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {tall}" width="{wide}" '
        f'height="{tall}" role="img" font-family="system-ui, sans-serif" font-size="11" '
        f'fill="#222"><title>{escape(about)}</title>'
        f'<rect width="{wide}" height="{tall}" fill="#fff"/>{"".join(body)}</svg>\n'
    )


def _legend(inks: dict[str, str]) -> str:
    x, parts = float(LEFT), list[str]()
    for name, ink in inks.items():
        parts.append(
            f'<path d="M{x:.0f} 16h18" stroke="{ink}" stroke-width="2.5"/>'
            f'<text x="{x + 23:.0f}" y="20">{escape(name)}</text>'
        )
        x += 45 + 6.4 * len(name)
    return "".join(parts)


def _panel(panel: Panel, inks: dict[str, str]) -> str:
    parts = [f'<text x="{LEFT}" y="{TOP - 9}" font-weight="600">{escape(panel.title)}</text>']
    parts += [_rule(panel, tick) for tick in panel.up.ticks]
    parts += [_mark(panel, tick) for tick in panel.across.ticks]
    parts.append(_names(panel))
    if panel.guide:
        dashes = 'stroke="#444" stroke-dasharray="4 3"'
        parts.append(f'<path d="{_path(panel, panel.guide)}" fill="none" {dashes}/>')
    for series in panel.series:
        parts.append(_line(panel, series, inks[series.name]))
    return "".join(parts)


def _line(panel: Panel, series: Series, ink: str) -> str:
    path = _path(panel, series.points)
    parts = [f'<path d="{path}" fill="none" stroke="{ink}" stroke-width="1.8"/>']
    for point, (low, high) in zip(series.points, series.bars, strict=bool(series.bars)):
        x, y = _place(panel, point)
        bottom, top = (_place(panel, (point[0], end))[1] for end in (low, high))
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{ink}"/>')
        parts.append(f'<path d="M{x:.1f} {bottom:.1f}V{top:.1f}" stroke="{ink}" opacity=".6"/>')
    return "".join(parts)


def _place(panel: Panel, point: Point) -> Point:
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    x = LEFT + wide * panel.across.part(point[0])
    return x, TOP + tall * (1 - panel.up.part(point[1]))


def _path(panel: Panel, points: Sequence[Point]) -> str:
    placed = (_place(panel, point) for point in points)
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in placed)


def _rule(panel: Panel, tick: float) -> str:
    y = _place(panel, (panel.across.low, tick))[1]
    return (
        f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'
    )


def _mark(panel: Panel, tick: float) -> str:
    x, foot = _place(panel, (tick, panel.up.low))
    return (
        f'<path d="M{x:.1f} {foot:.1f}v4" stroke="#888"/>'
        f'<text x="{x:.1f}" y="{foot + 16:.1f}" text-anchor="middle">{tick:g}</text>'
    )


def _names(panel: Panel) -> str:
    middle, foot = (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8
    height = TOP + (HEIGHT - TOP - BOTTOM) / 2
    return (
        f'<text x="{middle:.0f}" y="{foot}" text-anchor="middle">{escape(panel.across.name)}</text>'
        f'<text transform="translate(11 {height:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(panel.up.name)}</text>"
    )
