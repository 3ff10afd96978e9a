"""The figure from hair to hem: clothes, arms, neck and head, in the order in which they cover one
another. Face and hands are drawn by their own modules."""

from __future__ import annotations

import math
from itertools import pairwise

from shortlist.simulator.anatomy import Arm, Hold, Outfit, Plan
from shortlist.simulator.brush import Brush, Color, Point
from shortlist.simulator.face import draw_face
from shortlist.simulator.hair import draw_back_hair, draw_front_hair
from shortlist.simulator.hands import draw_hand
from shortlist.simulator.palette import darker, lighter

EDGE = 2.4
"""Width of outlines in units."""

TORSO = ((36.0, -6.0), (72.0, 8.0), (112.0, 24.0), (126.0, 56.0), (108.0, 140.0), (88.0, 256.0),
         (104.0, 350.0), (120.0, 430.0), (122.0, 660.0))  # fmt: skip
LONG_SLEEVES = frozenset({Outfit.JACKET, Outfit.HOODIE, Outfit.VEST})
ONE_PIECE = frozenset({Outfit.SHIRT, Outfit.DRESS, Outfit.HOODIE})
BEHIND = frozenset({Hold.UP})
IN_FRONT_OF_FACE = frozenset({Hold.CHEEK})


def draw_figure(brush: Brush, plan: Plan) -> None:
    """Draws the whole figure at the brush's origin, the base of the neck."""
    head = brush.moved(plan.head())
    draw_back_hair(head, plan)
    for arm in plan.arms:
        if arm.hold in BEHIND:
            _arm(brush, plan, arm)
    if plan.outfit is Outfit.HOODIE:
        hood = mirrored(((0.0, -58.0), (62.0, -46.0), (96.0, 6.0), (60.0, 40.0)))
        brush.blob(hood, darker(plan.scheme.cloth, 0.22), outline=EDGE)
    _neck(brush, plan)
    _clothes(brush, plan)
    for arm in plan.arms:
        if arm.hold not in BEHIND | IN_FRONT_OF_FACE:
            _arm(brush, plan, arm)
    _head(head, plan)
    draw_face(head, plan)
    draw_front_hair(head, plan)
    for arm in plan.arms:
        if arm.hold in IN_FRONT_OF_FACE:
            _arm(brush, plan, arm)


def mirrored(half: tuple[Point, ...]) -> list[Point]:
    """A closed shape from its right half, top to bottom."""
    return [*half, *((-x, y) for x, y in reversed(half) if x)]


def _neck(brush: Brush, plan: Plan) -> None:
    top = -62.0 - plan.neck
    shape = mirrored(((27.0, top), (27.0, -24.0), (44.0, 0.0), (86.0, 22.0), (60.0, 70.0)))
    brush.blob(shape, plan.skin, outline=EDGE)
    shadow = [(-30.0, top + 22), (30.0, top + 22), (26.0, top + 46), (0.0, top + 64)]
    brush.blob([*shadow, (-26.0, top + 46)], darker(plan.skin, 0.2))


def _head(brush: Brush, plan: Plan) -> None:
    skin = plan.skin
    for side in (-1, 1):
        brush.disc((94.0 * side, 14.0), (15, 24), skin, outline=EDGE)
        brush.disc((95.0 * side, 15.0), (7, 13), darker(skin, 0.2))
        if plan.earrings:
            brush.disc((97.0 * side, 44.0), (6, 6), plan.scheme.glow, outline=1.6)
    jaw = ((0.0, -128.0), (60.0, -116.0), (92.0, -62.0), (95.0, -4.0), (86.0, 44.0),
           (56.0, 88.0), (24.0, 110.0), (0.0, 114.0))  # fmt: skip
    brush.blob(mirrored(jaw), skin, outline=EDGE)
    shade = [(92.0, -20.0), (86.0, 42.0), (56.0, 86.0), (24.0, 108.0), (50.0, 78.0), (74.0, 30.0)]
    brush.blob(shade, darker(skin, 0.09))


def _clothes(brush: Brush, plan: Plan) -> None:
    cloth, second = plan.scheme.cloth, plan.scheme.second
    match plan.outfit:
        case Outfit.DRESS:
            _dress(brush, cloth, second, skin=plan.skin)
        case Outfit.SHIRT:
            _trousers(brush, darker(second, 0.35))
            _top(brush, cloth, hem=384.0)
            _collar(brush, plan.skin, depth=44.0)
            for y in (124.0, 184.0, 244.0, 304.0):
                _stripe(brush, second, y)
        case Outfit.JACKET:
            _trousers(brush, darker(cloth, 0.5))
            _top(brush, cloth, hem=420.0)
            _jacket_front(brush, cloth, second)
        case Outfit.HOODIE:
            _trousers(brush, darker(second, 0.45))
            _top(brush, cloth, hem=408.0)
            _collar(brush, darker(cloth, 0.3), depth=30.0)
            _hoodie_front(brush, cloth, second)
        case Outfit.VEST:
            _trousers(brush, darker(cloth, 0.45))
            _top(brush, second, hem=396.0)
            _vest_front(brush, cloth, second)
    _shade(brush, darker(second if plan.outfit is Outfit.VEST else cloth, 0.2))


def _top(brush: Brush, color: Color, *, hem: float) -> None:
    upper = tuple(point for point in TORSO if point[1] < hem - 30)
    edge = half_width(hem)
    shape = mirrored((*upper, (edge, hem - 8), (edge - 8, hem), (0.0, hem + 8)))
    brush.blob(shape, color, outline=EDGE)


def _stripe(brush: Brush, color: Color, y: float) -> None:
    """A band across the chest that ends at its sides."""
    upper = [(x * half_width(y), y + 12 * (1 - x * x)) for x in (-0.985, -0.6, 0.0, 0.6, 0.985)]
    low = [(x * half_width(y + 17), y + 17 + 12 * (1 - x * x)) for x in (0.985, 0.6, 0.0, -0.6)]
    brush.flat([*upper, *low, (-0.985 * half_width(y + 17), y + 17)], color)


def half_width(y: float) -> float:
    """Half the width of the torso at a height."""
    for (x0, y0), (x1, y1) in pairwise(TORSO):
        if y0 <= y <= y1:
            return x0 + (x1 - x0) * (y - y0) / (y1 - y0) - 2
    return TORSO[-1][0]


def _trousers(brush: Brush, color: Color) -> None:
    shape = mirrored(((92.0, 330.0), (117.0, 430.0), (124.0, 700.0), (124.0, 1100.0)))
    brush.blob(shape, color, outline=EDGE)
    brush.stroke([(0.0, 440.0), (2.0, 560.0), (0.0, 1100.0)], 3, darker(color, 0.4))


def _collar(brush: Brush, color: Color, *, depth: float) -> None:
    brush.blob(mirrored(((0.0, -30.0), (38.0, -16.0), (26.0, depth * 0.7), (0.0, depth))), color)
    line = [(-40.0, -10.0), (-26.0, depth * 0.7), (0.0, depth), (26.0, depth * 0.7), (40.0, -10.0)]
    brush.stroke(line, 4, brush.line)


def _dress(brush: Brush, cloth: Color, second: Color, *, skin: Color) -> None:
    skirt = ((86.0, 250.0), (122.0, 340.0), (178.0, 500.0), (216.0, 700.0), (240.0, 1100.0))
    brush.blob(mirrored(skirt), cloth, outline=EDGE)
    for x in (-120.0, -58.0, 6.0, 66.0, 128.0):
        brush.taper([(x * 0.45, 290.0), (x * 0.8, 450.0), (x * 1.4, 900.0)], (2, 7),
                    darker(cloth, 0.22))  # fmt: skip
    _top(brush, cloth, hem=276.0)
    wide, low = half_width(240.0) + 3, half_width(284.0) + 4
    band = [(-wide, 240.0), (0.0, 250.0), (wide, 240.0), (low, 284.0), (0.0, 296.0), (-low, 284.0)]
    brush.flat(band, second)
    brush.stroke(band[:3], 2, brush.line)
    brush.stroke(band[3:], 2, brush.line)
    _collar(brush, skin, depth=58.0)


def _jacket_front(brush: Brush, cloth: Color, second: Color) -> None:
    inner = ((0.0, -26.0), (34.0, -12.0), (34.0, 120.0), (40.0, 300.0), (46.0, 418.0), (0.0, 424.0))
    brush.blob(mirrored(inner), second, outline=EDGE)
    for side in (-1, 1):
        lapel = [(40.0, -20.0), (82.0, 10.0), (70.0, 60.0), (88.0, 76.0), (36.0, 190.0)]
        flap = [(x * side, y) for x, y in lapel]
        brush.blob(flap, darker(cloth, 0.25), outline=1.8)
    for y in (250.0, 320.0):
        brush.disc((58.0, y), (6, 6), lighter(cloth, 0.5), outline=1.4)


def _hoodie_front(brush: Brush, cloth: Color, second: Color) -> None:
    pocket = mirrored(((44.0, 270.0), (78.0, 344.0), (76.0, 376.0), (0.0, 380.0)))
    brush.blob(pocket, darker(cloth, 0.14), outline=1.6)
    for side in (-1, 1):
        brush.stroke([(18.0 * side, 22.0), (22.0 * side, 66.0), (19.0 * side, 108.0)], 4.5, second)
        brush.disc((19.0 * side, 110.0), (5, 7), second)
    brush.disc((0.0, 184.0), (38, 38), second)
    brush.disc((0.0, 184.0), (26, 26), lighter(cloth, 0.2))


def _vest_front(brush: Brush, cloth: Color, second: Color) -> None:
    for side in (-1, 1):
        half = [(52.0, 6.0), (88.0, 20.0), (96.0, 130.0), (88.0, 256.0), (106.0, 350.0)]
        panel = [*half, (60.0, 404.0), (4.0, 384.0), (4.0, 150.0)]
        brush.blob([(x * side, y) for x, y in panel], cloth, outline=1.8)
        collar = [(8.0, -4.0), (44.0, -22.0), (62.0, 14.0), (26.0, 54.0)]
        brush.flat([(x * side, y) for x, y in collar], lighter(second, 0.35))
    knot = [(-12.0, 30.0), (12.0, 30.0), (8.0, 56.0), (20.0, 140.0), (0.0, 164.0), (-20.0, 140.0)]
    brush.flat([*knot, (-8.0, 56.0)], darker(cloth, 0.3))
    for y in (200.0, 250.0, 300.0, 350.0):
        brush.disc((0.0, y), (5, 5), lighter(cloth, 0.55), outline=1.2)


def _shade(brush: Brush, color: Color) -> None:
    """The side of the body that the light does not reach."""
    heights = (80.0, 130.0, 184.0, 232.0)
    outer = [(half_width(y), y) for y in heights]
    inner = [(half_width(y) - 17, y) for y in reversed(heights[1:-1])]
    brush.blob([*outer, *inner], color)


def _arm(brush: Brush, plan: Plan, arm: Arm) -> None:
    color = plan.scheme.second if plan.outfit is Outfit.VEST else plan.scheme.cloth
    long = plan.outfit in LONG_SLEEVES
    lower = color if long else plan.skin
    for extra, line in ((2 * EDGE, True), (0.0, False)):
        brush.limb(arm.elbow, arm.wrist, (46 + extra, 31 + extra), brush.line if line else lower)
        upper = brush.line if line else lower
        brush.limb(arm.shoulder, arm.elbow, (62 + extra, 48 + extra), upper)
    if long:
        cuff = between(arm.elbow, arm.wrist, 0.86)
        brush.limb(cuff, between(arm.elbow, arm.wrist, 0.97), (39, 37), darker(color, 0.3))
    else:
        end = between(arm.shoulder, arm.elbow, 0.52)
        brush.limb(arm.shoulder, end, (70 + 2 * EDGE, 66 + 2 * EDGE), brush.line)
        brush.limb(arm.shoulder, end, (70, 66), color)
    if plan.outfit in ONE_PIECE:
        # Hides the outline where the sleeve meets the body.
        brush.disc((arm.shoulder[0] * 0.84, arm.shoulder[1] + 16), (29, 29), color)
    _elbow(brush, arm, darker(lower, 0.3))
    draw_hand(brush, plan, arm)


def _elbow(brush: Brush, arm: Arm, color: Color) -> None:
    """A crease where the arm bends."""
    (ex, ey), bend = arm.elbow, between(arm.shoulder, arm.wrist, 0.5)
    dx, dy = bend[0] - ex, bend[1] - ey
    length = math.hypot(dx, dy)
    if length > 20:  # a straight arm has none
        ux, uy = dx / length, dy / length
        brush.stroke([(ex + ux * 23, ey + uy * 23), (ex + ux * 12, ey + uy * 12)], 2, color,
                     curved=False)  # fmt: skip


def between(start: Point, end: Point, share: float) -> Point:
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share
