"""Vector strokes on a Pillow image: smooth shapes, tapered limbs and discs given in the units of a
drawing, mapped by a camera to pixels. Knows nothing of what is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from PIL import Image, ImageDraw

Point: TypeAlias = tuple[float, float]
Color: TypeAlias = tuple[int, int, int]

CURVE_STEPS = 7
"""Straight pieces between two points of a smooth shape: enough at twice the final size."""


@dataclass(frozen=True, slots=True)
class Camera:
    """Maps drawing units to pixels: turn by `angle` (radians), scale, then shift."""

    scale: float
    shift: Point
    angle: float = 0.0

    def place(self, point: Point) -> Point:
        cos, sin = math.cos(self.angle) * self.scale, math.sin(self.angle) * self.scale
        x, y = point
        return self.shift[0] + cos * x - sin * y, self.shift[1] + sin * x + cos * y

    def zoomed(self, factor: float, *, origin: Point) -> Camera:
        """The same view of a part: pixels counted from `origin`, `factor` times as many."""
        x, y = self.shift
        moved = ((x - origin[0]) * factor, (y - origin[1]) * factor)
        return Camera(self.scale * factor, moved, self.angle)


class Brush:
    """Draws on one image through one camera; `line` is the colour of outlines."""

    def __init__(self, image: Image.Image, camera: Camera, *, line: Color) -> None:
        self._draw = ImageDraw.Draw(image)
        self.camera = camera
        self.line = line

    def moved(self, by: Point, *, angle: float = 0.0, scale: float = 1.0) -> Brush:
        """A brush whose origin, angle and unit are those of a part of the drawing."""
        twin = object.__new__(Brush)
        twin._draw, twin.line = self._draw, self.line
        camera = self.camera
        twin.camera = Camera(camera.scale * scale, camera.place(by), camera.angle + angle)
        return twin

    def flat(self, points: Sequence[Point], fill: Color) -> None:
        """A polygon with corners."""
        self._draw.polygon([self.camera.place(p) for p in points], fill=fill)

    def blob(self, points: Sequence[Point], fill: Color, *, outline: float = 0.0) -> None:
        """A closed smooth shape through `points`, with an outline that wide."""
        curve = smooth(points, closed=True)
        if outline:
            self._trace([*curve, *curve[:2]], 2 * outline, self.line)
        self.flat(curve, fill)

    def stroke(
        self, points: Sequence[Point], width: float, fill: Color, *, curved: bool = True
    ) -> None:
        """An open line with round ends."""
        self._trace(smooth(points, closed=False) if curved else list(points), width, fill)

    def taper(self, points: Sequence[Point], widths: Point, fill: Color) -> None:
        """A curved line that goes from one width to another, with round ends."""
        curve = smooth(points, closed=False)
        last = max(1, len(curve) - 1)
        for place, (start, end) in enumerate(pairwise(curve)):
            width = widths[0] + (widths[1] - widths[0]) * place / last
            self._trace([start, end], width, fill)

    def limb(self, start: Point, end: Point, widths: Point, fill: Color) -> None:
        """A tapered piece of an arm: `widths` at its two round ends."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        length = math.hypot(dx, dy) or 1.0
        nx, ny = -dy / length / 2, dx / length / 2
        a, b = widths
        self.flat(
            [
                (start[0] + nx * a, start[1] + ny * a),
                (end[0] + nx * b, end[1] + ny * b),
                (end[0] - nx * b, end[1] - ny * b),
                (start[0] - nx * a, start[1] - ny * a),
            ],
            fill,
        )
        self.disc(start, (a / 2, a / 2), fill)
        self.disc(end, (b / 2, b / 2), fill)

    def disc(
        self,
        center: Point,
        radii: Point,
        fill: Color,
        *,
        angle: float = 0.0,
        outline: float = 0.0,
    ) -> None:
        """An ellipse, turned by `angle` radians."""
        if outline:
            wider = (radii[0] + outline, radii[1] + outline)
            self.disc(center, wider, self.line, angle=angle)
        x, y = self.camera.place(center)
        rx, ry = radii[0] * self.camera.scale, radii[1] * self.camera.scale
        if radii[0] == radii[1] or (not angle and not self.camera.angle):
            self._draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=fill)
            return
        cos, sin = math.cos(angle), math.sin(angle)
        ring = [(math.cos(t) * radii[0], math.sin(t) * radii[1]) for t in _CIRCLE]
        self.flat(
            [(center[0] + cos * u - sin * v, center[1] + sin * u + cos * v) for u, v in ring], fill
        )

    def _trace(self, points: list[Point], width: float, fill: Color) -> None:
        pixels = [self.camera.place(p) for p in points]
        wide = max(1.0, width * self.camera.scale)
        self._draw.line(pixels, fill=fill, width=round(wide), joint="curve")
        if wide > 3:
            for x, y in (pixels[0], pixels[-1]):
                r = wide / 2
                self._draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)


_CIRCLE = [i * math.tau / 40 for i in range(40)]


def smooth(points: Sequence[Point], *, closed: bool) -> list[Point]:
    """A Catmull-Rom curve through `points`."""
    if len(points) < 3:
        return list(points)
    count = len(points)
    curve: list[Point] = []
    for i in range(count if closed else count - 1):
        a, b, c, d = (
            points[j % count] if closed else points[min(max(j, 0), count - 1)]
            for j in (i - 1, i, i + 1, i + 2)
        )
        curve += [_between(a, b, c, d, step / CURVE_STEPS) for step in range(CURVE_STEPS)]
    if not closed:
        curve.append(points[-1])
    return curve


def _between(a: Point, b: Point, c: Point, d: Point, t: float) -> Point:
    u, v, w, x = (
        -0.5 * t + t * t - 0.5 * t**3,
        1 - 2.5 * t * t + 1.5 * t**3,
        0.5 * t + 2 * t * t - 1.5 * t**3,
        -0.5 * t * t + 0.5 * t**3,
    )
    return (
        u * a[0] + v * b[0] + w * c[0] + x * d[0],
        u * a[1] + v * b[1] + w * c[1] + x * d[1],
    )


def aim(start: Point, degrees: float, length: float) -> Point:
    """The point that far from `start`; 0 degrees is right, 90 is down."""
    turn = math.radians(degrees)
    return start[0] + math.cos(turn) * length, start[1] + math.sin(turn) * length
