"""Hair: six styles, what hangs behind the head and what frames the face."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from shortlist.simulator.anatomy import Hair, Plan
from shortlist.simulator.brush import Brush, Color, Point
from shortlist.simulator.palette import darker, lighter

EDGE = 2.4


def draw_back_hair(brush: Brush, plan: Plan) -> None:
    """Draws the hair behind the head, whose middle is the brush's origin."""
    color, dice = darker(plan.hair_color, 0.18), Random(f"hair/{plan.recipe.seed}")
    match plan.hair:
        case Hair.LONG:
            half = [(0, -150), (84, -132), (124, -50), (132, 70), (146, 200), (120, 318), (40, 300)]
            _both(brush, half, color)
            for x in (-104, -70, 72, 106):
                brush.taper([(x * 0.9, 60), (x * 1.12, 180), (x, 300)], (2, 5),
                            darker(plan.hair_color, 0.35))  # fmt: skip
        case Hair.BOB:
            half = [(0, -150), (84, -134), (122, -50), (126, 50), (112, 116), (60, 124)]
            _both(brush, half, color)
        case Hair.BUN:
            brush.disc((0, -166), (54, 48), color, outline=EDGE)
            brush.disc((-14, -176), (24, 18), lighter(plan.hair_color, 0.12))
            _both(brush, [(0, -148), (80, -130), (110, -60), (98, 40)], color)
        case Hair.TAIL:
            side = dice.choice((-1, 1))
            tail = [(60, -120), (140, -130), (182, -20), (168, 120), (190, 240), (130, 180),
                    (116, 40), (96, -60)]  # fmt: skip
            brush.blob([(x * side, y) for x, y in tail], color, outline=EDGE)
            brush.disc((92 * side, -108), (20, 20), plan.scheme.second, outline=EDGE)
            _both(brush, [(0, -148), (80, -130), (110, -60), (98, 40)], color)
        case Hair.SHORT:
            _both(brush, [(0, -152), (80, -136), (112, -66), (104, 30), (92, 60)], color)
        case Hair.CURLY:
            _curls(brush, plan, color, dice)


def draw_front_hair(brush: Brush, plan: Plan) -> None:
    """Draws the fringe and the strands beside the face."""
    color = plan.hair_color
    dice = Random(f"fringe/{plan.recipe.seed}")
    part = dice.choice((-46.0, 0.0, 46.0))
    if plan.hair is Hair.CURLY:
        _curly_fringe(brush, color, dice)
        return
    if plan.hair is Hair.SHORT:
        _spikes(brush, color, dice)
    else:
        _fringe(brush, color, part)
    if plan.hair in (Hair.LONG, Hair.BOB):
        for side in (-1, 1):
            strand = [(98, -70), (112, 0), (110, 70), (98, 112 if plan.hair is Hair.BOB else 150),
                      (88, 60), (84, -20)]  # fmt: skip
            brush.blob([(x * side, y) for x, y in strand], color, outline=EDGE)
    _shine(brush, color)


def _fringe(brush: Brush, color: Color, part: float) -> None:
    """Hair combed to both sides of a parting."""
    top = [(-101, 30), (-112, -50), (-80, -126), (0, -153), (80, -126), (112, -50), (101, 30)]
    right = [(90, -22), (76, -56), (part + 34, -92)]
    left = [(part - 34, -92), (-76, -56), (-90, -22)]
    brush.blob([*top, *right, (part, -112), *left], color, outline=EDGE)
    for end, low in ((-96, -44), (-68, -72), (68, -72), (96, -44)):
        line = [(part, -138), ((part + end) / 2, -118), (end, low)]
        brush.taper(line, (1.5, 3.0), darker(color, 0.25))


def _spikes(brush: Brush, color: Color, dice: Random) -> None:
    top: list[Point] = [(-98, 4), (-112, -60), (-96, -124), (-60, -134), (-44, -168), (-6, -150)]
    top += [(22, -176), (50, -142), (86, -150), (94, -104), (114, -70), (98, 4)]
    low: list[Point] = [(86, -36), (64, -30), (56, -70), (28, -44), (10, -84), (-20, -48)]
    low += [(-44, -84), (-60, -36), (-84, -40)]
    lift = dice.uniform(-6, 6)
    points = [*top, *((x, y + lift) for x, y in low)]
    brush.stroke([*points, points[0]], 2 * EDGE, brush.line, curved=False)
    brush.flat(points, color)
    _shine(brush, color)


def _curls(brush: Brush, plan: Plan, color: Color, dice: Random) -> None:
    spots = [(x, y) for x, y in _ring(150, 146, 22)] + [(x, y) for x, y in _ring(108, 104, 14)]
    sizes = [dice.uniform(34, 46) for _ in spots]
    for at, r in zip(spots, sizes, strict=True):
        brush.disc(at, (r + EDGE, r + EDGE), brush.line)
    for at, r in zip(spots, sizes, strict=True):
        brush.disc(at, (r, r), color)
    brush.disc((0, -30), (130, 116), color)
    for at, r in zip(spots, sizes, strict=True):
        brush.disc((at[0] - 8, at[1] - 10), (r * 0.42, r * 0.36), lighter(plan.hair_color, 0.08))


def _ring(rx: float, ry: float, count: int) -> list[Point]:
    """Points around the upper part of the head."""
    step = math.tau * 0.72 / (count - 1)
    start = math.pi * 0.78
    return [
        (math.cos(start + i * step) * rx * 0.86, math.sin(start + i * step) * ry * 0.92 - 20)
        for i in range(count)
    ]


def _curly_fringe(brush: Brush, color: Color, dice: Random) -> None:
    spots = [(-92, -60), (-66, -92), (-34, -112), (0, -118), (34, -112), (66, -92), (92, -60)]
    rounds = [(float(x), float(y), dice.uniform(27, 35)) for x, y in spots]
    for x, y, r in rounds:
        brush.disc((x, y), (r + EDGE, r + EDGE), brush.line)
    for x, y, r in rounds:
        brush.disc((x, y), (r, r), color)
    for x, y, r in rounds:
        brush.disc((x - 6, y - 9), (r * 0.4, r * 0.3), lighter(color, 0.2))


def _shine(brush: Brush, color: Color) -> None:
    """Light along the curve of the head."""
    light = lighter(color, 0.2)
    brush.stroke([(-92, -58), (-78, -92), (-56, -112)], 8, light)
    brush.stroke([(-44, -119), (-34, -124)], 7, light, curved=False)
    brush.stroke([(66, -104), (80, -88)], 6, light, curved=False)


def _both(brush: Brush, half: Sequence[Point], color: Color) -> None:
    other = [(-x, y) for x, y in reversed(half) if x]
    brush.blob([*half, *other], color, outline=EDGE)
