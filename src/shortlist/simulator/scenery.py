"""What is behind the figure: six places in the colours of a scheme, drawn small and enlarged, which
leaves them as soft as a background should be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageFilter

from shortlist.simulator.anatomy import FRAME, ColorFlaw, Plan
from shortlist.simulator.brush import Brush, Camera, Color, Point
from shortlist.simulator.palette import Place, Scheme, darker, lighter, mix

SHRINK = 2
"""Backgrounds are drawn at half the picture's size: fast, and soft when enlarged."""


@dataclass(frozen=True, slots=True)
class Stage:
    """An empty background: a brush on it, its extent in drawing units, its colours, its dice."""

    brush: Brush
    wide: float
    high: float
    scheme: Scheme
    dice: Random

    def across(self, parts: int) -> list[float]:
        return [self.wide * i / parts for i in range(parts + 1)]


def background(plan: Plan) -> Image.Image:
    """The background of a plan at half the size of its picture."""
    width, height = (max(8, side // SHRINK) for side in plan.recipe.size)
    scale = min(width / FRAME[0], height / FRAME[1])
    scheme = plan.scheme
    image = gradient((width, height), scheme.sky[0], scheme.sky[1])
    brush = Brush(image, Camera(scale, (0.0, 0.0)), line=darker(scheme.near))
    dice = Random(f"scenery/{plan.recipe.seed}/{plan.recipe.prompt}")
    stage = Stage(brush, width / scale, height / scale, scheme, dice)
    _PLACES[plan.place](stage)
    if plan.color_flaw is ColorFlaw.WRONG_LIGHT:
        image = Image.blend(image, Image.new("RGB", image.size, (18, 60, 120)), 0.45)
    return image.filter(ImageFilter.GaussianBlur(2.2 * scale))


def gradient(size: tuple[int, int], top: Color, low: Color) -> Image.Image:
    ramp = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, low), Image.new("RGB", size, top), ramp)


def _sun(stage: Stage, center: Point, radius: float) -> None:
    for ring, share in ((2.6, 0.8), (1.9, 0.6), (1.4, 0.35)):
        color = mix(stage.scheme.glow, stage.scheme.sky[1], share)
        stage.brush.disc(center, (radius * ring, radius * ring), color)
    stage.brush.disc(center, (radius, radius), stage.scheme.glow)


def _cloud(stage: Stage, center: Point, size: float) -> None:
    color = mix(stage.scheme.sky[1], (255, 255, 255), 0.0 if stage.scheme.dark else 0.55)
    for dx, dy, r in ((-1.3, 0.1, 0.55), (-0.5, -0.2, 0.8), (0.4, -0.05, 0.95), (1.25, 0.15, 0.5)):
        at = (center[0] + dx * size, center[1] + dy * size)
        stage.brush.disc(at, (r * size, r * size * 0.62), color)


def _ridge(stage: Stage, level: float, height: float, color: Color, *, parts: int) -> None:
    """A range from edge to edge, `level` units below the top."""
    dice = stage.dice
    tops = [(x, level - dice.uniform(0, height)) for x in stage.across(parts)]
    low = stage.high + 60
    stage.brush.blob([(-90.0, low), (-60.0, level), *tops, (stage.wide + 90, low)], color)


def _hills(stage: Stage) -> None:
    dice, scheme = stage.dice, stage.scheme
    _sun(stage, (dice.uniform(0.15, 0.85) * stage.wide, dice.uniform(0.14, 0.3) * stage.high), 62)
    for _ in range(3):
        at = (dice.uniform(0, stage.wide), dice.uniform(0.06, 0.34) * stage.high)
        _cloud(stage, at, dice.uniform(34, 58))
    _ridge(stage, 0.55 * stage.high, 190, scheme.far, parts=5)
    _ridge(stage, 0.68 * stage.high, 120, scheme.mid, parts=4)
    _ridge(stage, 0.84 * stage.high, 70, scheme.near, parts=3)
    for _ in range(9):
        x, y = dice.uniform(0, stage.wide), dice.uniform(0.72, 0.86) * stage.high
        tree = darker(scheme.near, 0.3)
        stage.brush.flat([(x - 18, y), (x, y - 74), (x + 18, y)], tree)


def _sea(stage: Stage) -> None:
    dice, scheme = stage.dice, stage.scheme
    horizon = stage.high * dice.uniform(0.48, 0.58)
    sun = (dice.uniform(0.2, 0.8) * stage.wide, horizon - dice.uniform(30, 190))
    _sun(stage, sun, 70)
    for _ in range(3):
        at = (dice.uniform(0, stage.wide), dice.uniform(0.08, 0.3) * stage.high)
        _cloud(stage, at, dice.uniform(30, 56))
    bands = 9
    for band in range(bands):
        y = horizon + (stage.high - horizon) * (band / bands) ** 1.5
        color = mix(scheme.far, scheme.near, band / bands)
        wave = [(x, y + math.sin(x / 70 + band * 2) * band) for x in stage.across(24)]
        edge = [(stage.wide, stage.high + 10), (0.0, stage.high + 10)]
        stage.brush.flat([*wave, *edge], color)
        glint = 20 + 15 * band
        reach = (sun[0] + dice.uniform(-20, 20), y + 8)
        stage.brush.disc(reach, (glint, 3 + band * 0.5), mix(scheme.glow, color, 0.25))
    x, size = dice.uniform(0.1, 0.9) * stage.wide, dice.uniform(26, 48)
    hull = [(x - size, horizon + 4), (x + size, horizon + 4), (x + size * 0.6, horizon + 18)]
    stage.brush.flat([*hull, (x - size * 0.6, horizon + 18)], darker(scheme.near))
    sail = [(x, horizon), (x, horizon - 2.2 * size), (x + size * 0.9, horizon - 4)]
    stage.brush.flat(sail, lighter(scheme.sky[1], 0.7))


def _city(stage: Stage) -> None:
    dice, scheme = stage.dice, stage.scheme
    at = (dice.uniform(0.15, 0.85) * stage.wide, dice.uniform(0.12, 0.28) * stage.high)
    _sun(stage, at, 54)
    rows = ((0.62, scheme.far, 300), (0.78, scheme.mid, 340), (0.96, scheme.near, 330))
    for level, color, tallest in rows:
        x = -20.0
        while x < stage.wide + 20:
            wide, tall = dice.uniform(46, 108), dice.uniform(0.3, 1.0) * tallest
            top = stage.high * level - tall
            stage.brush.flat(
                [(x, stage.high), (x, top), (x + wide, top), (x + wide, stage.high)], color
            )
            _windows(stage, (x, top), wide, color)
            x += wide + dice.uniform(-6, 10)


def _windows(stage: Stage, corner: Point, wide: float, wall: Color) -> None:
    dice, scheme = stage.dice, stage.scheme
    lit = scheme.glow if scheme.dark else lighter(wall, 0.35)
    step_x, step_y = 17.0, 24.0
    for row in range(1, 12):
        for column in range(int((wide - 14) // step_x)):
            if dice.random() < (0.42 if scheme.dark else 0.7):
                x = corner[0] + 9 + column * step_x
                y = corner[1] + row * step_y - 8
                color = mix(lit, wall, dice.uniform(0.0, 0.6))
                stage.brush.flat([(x, y), (x + 9, y), (x + 9, y + 13), (x, y + 13)], color)


def _night(stage: Stage) -> None:
    dice, scheme = stage.dice, stage.scheme
    for band in range(4):
        y = stage.high * (0.16 + 0.1 * band)
        veil = [
            (x, y + 46 * math.sin(x / 130 + band * 1.3 + dice.random())) for x in stage.across(8)
        ]
        stage.brush.taper(veil, (26, 66), mix(scheme.sky[0], scheme.sky[1], 0.35 + 0.12 * band))
    for _ in range(90):
        at = (dice.uniform(0, stage.wide), dice.uniform(0, 0.62) * stage.high)
        r = dice.uniform(1.6, 4.2)
        stage.brush.disc(at, (r, r), mix(scheme.glow, (255, 255, 255), dice.random()))
    moon = (dice.choice((0.16, 0.84)) * stage.wide, 0.16 * stage.high)
    _sun(stage, moon, 50)
    stage.brush.disc((moon[0] + 20, moon[1] - 12), (42, 42), mix(scheme.glow, scheme.sky[0], 0.3))
    _ridge(stage, 0.66 * stage.high, 220, scheme.far, parts=6)
    _ridge(stage, 0.8 * stage.high, 120, scheme.mid, parts=5)
    _ridge(stage, 0.92 * stage.high, 60, scheme.near, parts=4)


def _room(stage: Stage) -> None:
    dice, scheme, brush = stage.dice, stage.scheme, stage.brush
    wall = mix(scheme.sky[1], scheme.far, 0.35)
    brush.flat(_box(0, 0, stage.wide, stage.high), wall)
    for i, x in enumerate(stage.across(12)):
        if i % 2:
            brush.flat(_box(x, 0, x + stage.wide / 12, stage.high), lighter(wall, 0.12))
    brush.flat(_box(0, stage.high * 0.8, stage.wide, stage.high), mix(scheme.mid, wall, 0.2))
    brush.flat(_box(0, stage.high * 0.79, stage.wide, stage.high * 0.805), lighter(wall, 0.5))
    left = dice.random() < 0.5
    x = stage.wide * (0.04 if left else 0.56)
    _window(stage, (x, 90.0), (stage.wide * 0.4, 400.0))
    _plant(stage, stage.wide * (0.86 if left else 0.14))
    x = stage.wide * (0.72 if left else 0.06)
    brush.flat(_box(x, 130, x + 150, 330), darker(scheme.mid))
    brush.flat(_box(x + 12, 142, x + 138, 318), scheme.sky[1])
    brush.disc((x + 75, 230), (44, 60), scheme.second)


def _window(stage: Stage, corner: Point, size: Point) -> None:
    scheme, brush = stage.scheme, stage.brush
    (x, y), (w, h) = corner, size
    brush.flat(_box(x - 12, y - 12, x + w + 12, y + h + 12), lighter(scheme.sky[1], 0.7))
    for band in range(6):
        color = mix(scheme.sky[0], scheme.glow, band / 6)
        brush.flat(_box(x, y + h * band / 6, x + w, y + h), color)
    crowns = [(x, y + h * 0.75), (x + w * 0.3, y + h * 0.6), (x + w * 0.6, y + h * 0.72)]
    brush.flat([*crowns, (x + w, y + h * 0.55), (x + w, y + h), (x, y + h)], scheme.mid)
    brush.flat(_box(x + w / 2 - 6, y, x + w / 2 + 6, y + h), lighter(scheme.sky[1], 0.7))
    brush.flat(_box(x, y + h / 2 - 6, x + w, y + h / 2 + 6), lighter(scheme.sky[1], 0.7))
    for edge, lean in ((x - 44, 1), (x + w + 44, -1)):
        folds = [(edge - 30, y - 24), (edge + 30 + 26 * lean, y - 24), (edge + 16, y + h + 70)]
        brush.flat([*folds, (edge - 36, y + h + 70)], scheme.cloth)


def _plant(stage: Stage, x: float) -> None:
    scheme, brush, dice = stage.scheme, stage.brush, stage.dice
    base = stage.high * 0.86
    for _ in range(11):
        tip = (x + dice.uniform(-110, 110), base - dice.uniform(140, 330))
        bend = (x + (tip[0] - x) * 0.2, (tip[1] + base) / 2)
        green = mix(scheme.mid, (60, 120, 80), dice.uniform(0.3, 0.8))
        brush.taper([(x, base - 50), bend, tip], (9, 3), darker(green))
        angle = math.atan2(tip[1] - bend[1], tip[0] - bend[0])
        brush.disc(tip, (44, 16), green, angle=angle)
    pot = [(x - 56, base - 70), (x + 56, base - 70), (x + 40, base + 40), (x - 40, base + 40)]
    brush.flat(pot, mix(scheme.cloth, (180, 110, 80), 0.5))


def _blossom(stage: Stage) -> None:
    scheme, brush, dice = stage.scheme, stage.brush, stage.dice
    _ridge(stage, 0.6 * stage.high, 100, mix(scheme.far, scheme.sky[1], 0.4), parts=5)
    _ridge(stage, 0.78 * stage.high, 60, scheme.far, parts=4)
    _ridge(stage, 0.92 * stage.high, 30, scheme.mid, parts=3)
    for side in (0.02, 0.98):
        root = (side * stage.wide, stage.high * 0.86)
        lean = 120 if side < 0.5 else -120
        top = (root[0] + lean, stage.high * 0.1)
        trunk = darker(scheme.near, 0.2)
        brush.taper([root, (root[0] + lean * 0.1, stage.high * 0.45), top], (58, 16), trunk)
        for _ in range(46):
            at = (top[0] + dice.gauss(0, 130), top[1] + dice.gauss(70, 110))
            r = dice.uniform(18, 46)
            flower = mix(scheme.sky[0], lighter(scheme.cloth, 0.5), dice.random())
            brush.disc(at, (r, r * 0.85), mix(flower, (255, 255, 255), dice.uniform(0, 0.45)))
    for _ in range(40):
        at = (dice.uniform(0, stage.wide), dice.uniform(0, stage.high))
        brush.disc(at, (6, 3.6), lighter(scheme.cloth, 0.65), angle=dice.uniform(0, 3))


def _box(left: float, top: float, right: float, low: float) -> list[Point]:
    return [(left, top), (right, top), (right, low), (left, low)]


_PLACES: Mapping[Place, Callable[[Stage], None]] = {
    Place.CITY: _city,
    Place.HILLS: _hills,
    Place.SEA: _sea,
    Place.ROOM: _room,
    Place.NIGHT: _night,
    Place.BLOSSOM: _blossom,
}
