"""The figure from hair to hem: clothes, arms, neck and head, in the order in which they cover one
another. Face and hands are drawn by their own modules."""

from __future__ import annotations

import math

from shortlist.simulator.anatomy import Arm, Hold, Outfit, Plan
from shortlist.simulator.brush import Brush, Color, Point
from shortlist.simulator.face import draw_face
from shortlist.simulator.hair import draw_back_hair, draw_front_hair
from shortlist.simulator.hands import draw_hand
from shortlist.simulator.palette import darker, lighter, mix

EDGE = 2.4
"""Width of outlines in units."""

TORSO = ((36.0, -6.0), (72.0, 8.0), (112.0, 24.0), (126.0, 56.0), (108.0, 140.0), (88.0, 256.0),
         (104.0, 350.0), (120.0, 430.0), (122.0, 660.0))  # fmt: skip
LONG_SLEEVES = frozenset({Outfit.JACKET, Outfit.HOODIE, Outfit.VEST})
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
            _dress(brush, cloth, second)
        case Outfit.SHIRT:
            _trousers(brush, darker(second, 0.35))
            _top(brush, cloth, hem=384.0)
            _collar(brush, plan.skin, depth=44.0)
            for y in (128.0, 188.0, 248.0, 308.0):
                brush.taper([(-98.0, y), (0.0, y + 12), (98.0, y)], (15, 15), second)
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
    brush.blob(mirrored((*upper, (116.0, hem - 12), (60.0, hem))), color, outline=EDGE)


def _trousers(brush: Brush, color: Color) -> None:
    brush.blob(mirrored(((92.0, 340.0), (116.0, 420.0), (126.0, 700.0), (60.0, 720.0))), color,
               outline=EDGE)  # fmt: skip
    brush.stroke([(0.0, 440.0), (2.0, 560.0), (0.0, 700.0)], 3, darker(color, 0.4))


def _collar(brush: Brush, color: Color, *, depth: float) -> None:
    brush.blob(mirrored(((0.0, -30.0), (38.0, -16.0), (26.0, depth * 0.7), (0.0, depth))), color)
    line = [(-40.0, -10.0), (-26.0, depth * 0.7), (0.0, depth), (26.0, depth * 0.7), (40.0, -10.0)]
    brush.stroke(line, 4, brush.line)


def _dress(brush: Brush, cloth: Color, second: Color) -> None:
    skirt = ((86.0, 250.0), (118.0, 330.0), (176.0, 480.0), (214.0, 680.0), (0.0, 700.0))
    brush.blob(mirrored(skirt), cloth, outline=EDGE)
    for x in (-120.0, -58.0, 6.0, 66.0, 128.0):
        brush.taper([(x * 0.45, 290.0), (x * 0.8, 450.0), (x * 1.25, 680.0)], (2, 6),
                    darker(cloth, 0.22))  # fmt: skip
    _top(brush, cloth, hem=290.0)
    brush.blob(mirrored(((88.0, 240.0), (90.0, 262.0), (88.0, 286.0), (0.0, 292.0))), second)
    neckline = mirrored(((0.0, -34.0), (44.0, -16.0), (52.0, 24.0), (0.0, 60.0)))
    brush.blob(neckline, brush.line)
    brush.blob([(x * 0.93, y - 5) for x, y in neckline], mix(second, (255, 255, 255), 0.1))
    inner = mirrored(((0.0, -34.0), (36.0, -20.0), (40.0, 16.0), (0.0, 44.0)))
    brush.blob(inner, mix(second, cloth, 0.25))


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
    fold = [(122.0, 60.0), (108.0, 150.0), (88.0, 256.0), (102.0, 350.0), (84.0, 340.0)]
    brush.blob([*fold, (72.0, 250.0), (92.0, 140.0)], color)


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
    inside = between(arm.shoulder, arm.elbow, -0.12)
    brush.disc((inside[0] - 16 * arm.side, inside[1] + 12), (34, 36), color)
    _fold(brush, arm, darker(lower, 0.18))
    draw_hand(brush, plan, arm)


def _fold(brush: Brush, arm: Arm, color: Color) -> None:
    """A shadow along the forearm."""
    dx, dy = arm.wrist[0] - arm.elbow[0], arm.wrist[1] - arm.elbow[1]
    length = math.hypot(dx, dy)
    nx, ny = -dy / length * 11, dx / length * 11
    if ny < 0:
        nx, ny = -nx, -ny
    start, end = between(arm.elbow, arm.wrist, 0.1), between(arm.elbow, arm.wrist, 0.8)
    brush.taper([(start[0] + nx, start[1] + ny), (end[0] + nx * 0.7, end[1] + ny * 0.7)],
                (10, 5), color)  # fmt: skip


def between(start: Point, end: Point, share: float) -> Point:
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share
