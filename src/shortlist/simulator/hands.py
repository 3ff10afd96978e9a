"""Hands: open, with five fingers, or with what a failed pass leaves of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from random import Random

from shortlist.simulator.anatomy import FAILS_BELOW, HAND, Arm, Hold, Plan
from shortlist.simulator.brush import Brush, Color, Point, aim
from shortlist.simulator.palette import darker, lighter, mix

FINGERS = ((-15.0, 47.0), (-5.0, 55.0), (5.0, 51.0), (16.0, 40.0))
"""Spread in degrees and length of index, middle, ring and little finger."""
WIDTH = 13.5
REACH = 110.0
"""Radius of the region around a hand's middle that a hand pass may change."""
SUBTLE_BELOW = 0.72
BOTH_BELOW = 0.33


class HandFlaw(Enum):
    SIX = "a finger too many"
    FOUR = "a finger too few"
    FUSED = "fingers grown together"
    LONG = "fingers far too long"
    THUMBS = "two thumbs"
    CROOKED = "one finger a little too long and bent"


@dataclass(frozen=True, slots=True)
class Look:
    """How one hand is drawn."""

    flaw: HandFlaw | None
    spread: float
    skin: Color


def draw_hand(brush: Brush, plan: Plan, arm: Arm) -> None:
    """Draws the hand at the end of an arm."""
    look = Look(_flaw(plan, arm), 0.45 if arm.hold in (Hold.DOWN, Hold.HIP) else 1.0, plan.skin)
    up = math.sin(math.radians(arm.hand_degrees)) < 0
    thumb_side = -arm.side if up else arm.side
    own = brush.moved(arm.wrist, angle=math.radians(arm.hand_degrees), scale=1.06)
    _palm_edge(own)
    if look.flaw is HandFlaw.THUMBS:
        _thumb(own, look.skin, -thumb_side)
    _thumb(own, look.skin, thumb_side)
    if look.flaw is HandFlaw.FUSED:
        _mitten(own, look.skin, thumb_side)
    else:
        for degrees, length, bend in _fingers(look):
            _finger(own, look.skin, degrees * thumb_side * -1, length=length, bend=bend)
    _palm(own, look.skin, thumb_side)


def middle(arm: Arm) -> Point:
    """The middle of an arm's hand."""
    return aim(arm.wrist, arm.hand_degrees, HAND * 0.56)


def _flaw(plan: Plan, arm: Arm) -> HandFlaw | None:
    """What fails on this hand: below a third both hands fail, above it only one."""
    quality = plan.traits.hands
    dice = Random(plan.hands_seed())
    chosen = _exposed(plan, dice)
    flaw = dice.choice([flaw for flaw in HandFlaw if flaw is not HandFlaw.CROOKED])
    if quality >= SUBTLE_BELOW or (arm is not chosen and quality >= BOTH_BELOW):
        return None
    return flaw if quality < FAILS_BELOW else HandFlaw.CROOKED


def _exposed(plan: Plan, dice: Random) -> Arm:
    """The arm whose hand is seen best."""
    seen = [arm for arm in plan.arms if _in_frame(plan, middle(arm))]
    open_hands = [arm for arm in seen if arm.hold not in (Hold.DOWN, Hold.HIP)]
    return dice.choice(open_hands or seen or list(plan.arms))


def _in_frame(plan: Plan, point: Point) -> bool:
    x, y = plan.camera.place(point)
    return 0 < x < plan.recipe.size[0] and 0 < y < plan.recipe.size[1]


def _fingers(look: Look) -> list[tuple[float, float, float]]:
    """Spread, length and bend in degrees of each finger."""
    spread, flaw = look.spread, look.flaw
    fingers = [(degrees * spread, length, 0.0) for degrees, length in FINGERS]
    if flaw is HandFlaw.SIX:
        fingers = [(degrees * 1.25, length, bend) for degrees, length, bend in fingers]
        fingers = [(f - 4, length, bend) for f, length, bend in fingers]
        fingers.append((28 * max(spread, 0.8), 44.0, 0.0))
    elif flaw is HandFlaw.FOUR:
        fingers = [(-13 * spread, 48.0, 0.0), (1 * spread, 54.0, 0.0), (15 * spread, 45.0, 0.0)]
    elif flaw is HandFlaw.LONG:
        bends = (34.0, -28.0, 30.0, -36.0)
        fingers = [
            (degrees * 1.3, length * (1.6 if place % 2 else 1.3), bends[place])
            for place, (degrees, length, _) in enumerate(fingers)
        ]
    elif flaw is HandFlaw.CROOKED:
        degrees, length, _ = fingers[1]
        fingers[1] = (degrees, length * 1.28, 22.0)
    return fingers


def _finger(brush: Brush, skin: Color, degrees: float, *, length: float, bend: float) -> None:
    root = (46.0 - abs(degrees) * 0.22, math.sin(math.radians(degrees)) * 62)
    knuckle = aim(root, degrees * 0.8, length * 0.52)
    tip = aim(knuckle, degrees * 0.8 + bend, length * 0.48)
    for extra, color in ((4.6, brush.line), (0.0, skin)):
        brush.limb(root, knuckle, (WIDTH + extra, WIDTH - 0.6 + extra), color)
        brush.limb(knuckle, tip, (WIDTH - 0.6 + extra, WIDTH - 3.2 + extra), color)
    crease = [(knuckle[0], knuckle[1] - 4), (knuckle[0], knuckle[1] + 4)]
    brush.stroke(crease, 1.4, darker(skin, 0.22), curved=False)


def _mitten(brush: Brush, skin: Color, side: int) -> None:
    """Fingers grown into one: a paddle with two shallow lines."""
    paddle = [(38.0, -27.0), (70.0, -31.0), (98.0, -20.0), (105.0, 2.0), (96.0, 22.0)]
    shape = [(x, y * side * -1) for x, y in [*paddle, (68.0, 29.0), (38.0, 25.0)]]
    brush.blob(shape, skin, outline=2.3)
    for offset in (-9.0, 8.0):
        line = [(78.0, offset), (90.0, offset * 1.1), (99.0, offset * 1.15)]
        brush.stroke(line, 2.0, darker(skin, 0.35))


def _thumb(brush: Brush, skin: Color, side: int) -> None:
    root, joint = (12.0, 15.0 * side), (35.0, 37.0 * side)
    tip = aim(joint, 22.0 * side, 25.0)
    for extra, color in ((4.6, brush.line), (0.0, skin)):
        brush.limb(root, joint, (19 + extra, 15.5 + extra), color)
        brush.limb(joint, tip, (15.5 + extra, 11.5 + extra), color)


def _palm_shape() -> list[Point]:
    return [(-6.0, -15.0), (16.0, -21.0), (44.0, -25.5), (56.0, -15.0), (57.0, 0.0), (56.0, 15.0),
            (44.0, 25.5), (16.0, 21.0), (-6.0, 15.0)]  # fmt: skip


def _palm_edge(brush: Brush) -> None:
    brush.blob(_palm_shape(), brush.line, outline=2.3)


def _palm(brush: Brush, skin: Color, side: int) -> None:
    brush.blob(_palm_shape(), skin)
    warm = mix(lighter(skin, 0.1), (235, 130, 120), 0.2)
    brush.disc((20.0, 11.0 * side), (13, 9), warm, angle=0.5 * side)
    for line in ([(40, 20), (34, 4), (36, -14)], [(28, 22), (20, 8), (6, 3)]):
        crease = [(float(x), float(y * side)) for x, y in line]
        brush.stroke(crease, 1.7, darker(skin, 0.25))
