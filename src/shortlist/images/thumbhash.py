"""ThumbHash (Evan Wallace, 2023): a picture's colours and rough shapes in about 25 bytes.

The page draws it before the first byte of a thumbnail is there. The wheels on offer lack platforms
or Python versions that the hub runs on, and the whole of it is two cosine sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, floor, pi
from operator import mul

Plane = Sequence[float]
Pixel = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Waves:
    """One channel as its mean, its greatest wave, and its waves scaled to 0…1."""

    mean: float
    scale: float
    waves: Sequence[float]


def thumbhash(pixels: Sequence[Pixel], *, width: int, height: int) -> bytes:
    """The hash of RGBA `pixels`, row by row; at most 100 × 100 of them make sense."""
    opaque = all(pixel[3] == 255 for pixel in pixels)
    luma, blue_yellow, red_green, alpha = _planes(pixels)
    limit = 7 if opaque else 5
    across = max(1, _round(limit * width / max(width, height)))
    down = max(1, _round(limit * height / max(width, height)))
    size = (width, height)
    lightness = _waves(luma, size=size, counts=(max(3, across), max(3, down)))
    first, second = (_waves(p, size=size, counts=(3, 3)) for p in (blue_yellow, red_green))
    head = (
        _round(63 * lightness.mean)
        | _round(31.5 + 31.5 * first.mean) << 6
        | _round(31.5 + 31.5 * second.mean) << 12
        | _round(31 * lightness.scale) << 18
        | (not opaque) << 23
        | (down if width > height else across) << 24
        | _round(63 * first.scale) << 27
        | _round(63 * second.scale) << 33
        | (width > height) << 39
    ).to_bytes(5, "little")
    if opaque:
        return head + _nibbles([*lightness.waves, *first.waves, *second.waves])
    veil = _waves(alpha, size=size, counts=(5, 5))
    seen = bytes([_round(15 * veil.mean) | _round(15 * veil.scale) << 4])
    return head + seen + _nibbles([*lightness.waves, *first.waves, *second.waves, *veil.waves])


def _planes(pixels: Sequence[Pixel]) -> tuple[Plane, Plane, Plane, Plane]:
    """Lightness, blue-yellow, red-green (each over the mean colour) and opacity."""
    weight = sum(p[3] for p in pixels) or 1
    mean = [sum(p[c] * p[3] for p in pixels) / weight / 255 for c in range(3)]
    seen = [p[3] / 255 for p in pixels]
    red, green, blue = (
        [m + (p[c] / 255 - m) * s for p, s in zip(pixels, seen, strict=True)]
        for c, m in enumerate(mean)
    )
    colours = list(zip(red, green, blue, strict=True))
    return (
        [(r + g + b) / 3 for r, g, b in colours],
        [(r + g) / 2 - b for r, g, b in colours],
        [r - g for r, g, _ in colours],
        seen,
    )


def _waves(plane: Plane, *, size: tuple[int, int], counts: tuple[int, int]) -> _Waves:
    """The low corner of the plane's cosine transform, rows first and columns second."""
    (width, height), (across, down) = size, counts
    over, along = _cosines(width, across), _cosines(height, down)
    rows = [plane[y * width : (y + 1) * width] for y in range(height)]
    columns = [[_product(row, wave) for row in rows] for wave in over]
    found = [
        _product(columns[x], along[y]) / (width * height)
        for y in range(down)
        for x in range(across)
        if x * down < across * (down - y)
    ]
    scale = max(map(abs, found[1:]))
    return _Waves(found[0], scale, [0.5 + 0.5 * w / scale if scale else w for w in found[1:]])


def _cosines(length: int, count: int) -> list[list[float]]:
    """The first `count` cosine waves, each sampled in the middle of `length` pixels."""
    return [[cos(pi / length * wave * (i + 0.5)) for i in range(length)] for wave in range(count)]


def _product(values: Plane, wave: Plane) -> float:
    return float(sum(map(mul, values, wave)))


def _nibbles(waves: Sequence[float]) -> bytes:
    """Waves of 0…1 as four bits each, the first in the low half of a byte."""
    halves = [_round(15 * wave) for wave in waves]
    if len(halves) % 2:
        halves.append(0)
    return bytes(low | high << 4 for low, high in zip(halves[::2], halves[1::2], strict=True))


def _round(value: float) -> int:
    """Halves go up, as in the reference; Python's own rounding would take them to even."""
    return floor(value + 0.5)
