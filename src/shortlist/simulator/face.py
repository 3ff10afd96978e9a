"""The face: eyes, brows, nose and mouth on the skin of a head, graded from lovely to gone wrong.

Everything here lies within `FACE_REGION` of the head's middle, so that a face pass can redraw it
and leave the rest of the picture alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from random import Random

from shortlist.simulator.anatomy import FAILS_BELOW, Plan
from shortlist.simulator.brush import Brush, Color, Point
from shortlist.simulator.palette import darker, lighter, mix

FACE_REGION = (104.0, 126.0)
"""Radii of the ellipse around the head's middle that a face pass may change."""
SUBTLE_BELOW = 0.74
WORSE_BELOW = 0.27
"""Below this a face has two faults."""


class FaceFlaw(Enum):
    CROSSED = "the eyes look at each other"
    UNEVEN = "one eye is larger and lower"
    WANDERING = "one eye looks elsewhere"
    SMEARED = "the mouth is smeared across the cheek"
    MELTED = "one half of the face slides down"
    EMPTY = "an eye without an iris"


class Mouth(Enum):
    SMILE = "smile"
    OPEN = "open smile"
    CALM = "calm"
    SMIRK = "smirk"


@dataclass(frozen=True, slots=True)
class Eye:
    """One eye: its middle, size, gaze and tilt, and whether it has an iris."""

    at: Point
    size: float = 1.0
    gaze: Point = (0.0, 0.0)
    tilt: float = 0.0
    iris: bool = True


@dataclass(frozen=True, slots=True)
class Look:
    """How one face is drawn."""

    eyes: tuple[Eye, Eye]
    brows: tuple[float, float]
    """Height of each brow over its eye."""
    mouth: Mouth
    mouth_at: Point
    mouth_tilt: float
    smear: float
    blush: bool
    freckles: bool
    fine: bool
    """Lashes, second highlights and lips, as only a good face has them."""


def draw_face(brush: Brush, plan: Plan) -> None:
    """Draws the features onto a head whose middle is the brush's origin."""
    look = _look(plan)
    skin = plan.skin
    _cheeks(brush, plan, look)
    for side, eye in zip((-1, 1), look.eyes, strict=True):
        _eye(brush, plan, eye, side=side, fine=look.fine)
    for side, eye, height in zip((-1, 1), look.eyes, look.brows, strict=True):
        _brow(brush, plan, eye, side=side, height=height)
    nose = [(2.0, 26.0), (9.0, 46.0), (-3.0, 50.0)]
    brush.stroke(nose, 2.6, darker(skin, 0.34))
    if look.fine:
        brush.disc((1.0, 38.0), (2.6, 7), lighter(skin, 0.45))
    _mouth(brush, skin, look)
    if plan.glasses:
        _glasses(brush)


def _look(plan: Plan) -> Look:
    quality = plan.traits.face
    dice = Random(plan.face_seed())
    wide, high = dice.uniform(39, 43), dice.uniform(6, 12)
    size = dice.uniform(0.95, 1.12)
    look = Look(
        eyes=(Eye((-wide, high), size), Eye((wide, high), size)),
        brows=(dice.uniform(33, 38),) * 2,
        mouth=dice.choice(list(Mouth)),
        mouth_at=(0.0, dice.uniform(72, 78)),
        mouth_tilt=0.0,
        smear=0.0,
        blush=dice.random() < 0.7,
        freckles=dice.random() < 0.25,
        fine=quality >= 0.6,
    )
    flaws = dice.sample(list(FaceFlaw), 2)
    side = dice.choice((0, 1))
    if quality >= SUBTLE_BELOW:
        return look
    if quality >= FAILS_BELOW:
        return _slightly_off(look, side)
    grade = 0.75 + (FAILS_BELOW - quality)
    for flaw in flaws if quality < WORSE_BELOW else flaws[:1]:
        look = _spoilt(look, flaw, side, grade=grade)
    return look


def _slightly_off(look: Look, side: int) -> Look:
    """Only seen at full size: an eye a little lower, the mouth a little off the middle."""
    x, y = look.eyes[side].at
    return replace(
        look,
        eyes=_with_eye(look, side, replace(look.eyes[side], at=(x, y + 5), size=1.12)),
        mouth_at=(look.mouth_at[0] + (5 if side else -5), look.mouth_at[1]),
        mouth_tilt=3.0,
    )


def _spoilt(look: Look, flaw: FaceFlaw, side: int, *, grade: float) -> Look:
    eye = look.eyes[side]
    x, y = eye.at
    match flaw:
        case FaceFlaw.CROSSED:
            left, right = look.eyes
            inward = 11 * grade
            eyes = (replace(left, gaze=(inward, 2.0)), replace(right, gaze=(-inward, 2.0)))
            return replace(look, eyes=eyes)
        case FaceFlaw.UNEVEN:
            large = replace(eye, at=(x * 1.04, y + 17 * grade), size=eye.size * (1 + 0.5 * grade))
            small = look.eyes[1 - side]
            look = replace(look, eyes=_with_eye(look, side, large))
            return replace(
                look, eyes=_with_eye(look, 1 - side, replace(small, size=small.size * 0.78))
            )
        case FaceFlaw.WANDERING:
            away = 12.0 * grade if side else -12.0 * grade
            lost = replace(eye, gaze=(away, -6.0 * grade), tilt=0.4 * grade * (1 if side else -1))
            return replace(look, eyes=_with_eye(look, side, lost))
        case FaceFlaw.SMEARED:
            return replace(look, smear=grade * (1 if side else -1), mouth_tilt=16.0 * grade)
        case FaceFlaw.MELTED:
            slid = replace(eye, at=(x * 1.06, y + 26 * grade), tilt=0.5 * (1 if side else -1))
            tilt = (22.0 if side else -22.0) * grade
            return replace(look, eyes=_with_eye(look, side, slid), mouth_tilt=tilt)
        case FaceFlaw.EMPTY:
            return replace(look, eyes=_with_eye(look, side, replace(eye, iris=False, size=1.25)))


def _with_eye(look: Look, side: int, eye: Eye) -> tuple[Eye, Eye]:
    return (look.eyes[0], eye) if side else (eye, look.eyes[1])


def _cheeks(brush: Brush, plan: Plan, look: Look) -> None:
    pink = mix(plan.skin, (232, 92, 104), 0.24)
    for side in (-1, 1):
        if look.blush:
            brush.disc((side * 58, 46), (20, 11), mix(plan.skin, pink, 0.5))
            brush.disc((side * 58, 46), (13, 7), pink)
        if look.freckles:
            for dx, dy in ((-9, -3), (0, 2), (9, -2), (-4, 8), (6, 8)):
                brush.disc((side * 48 + dx, 40 + dy), (1.5, 1.5), darker(plan.skin, 0.3))


def _eye(brush: Brush, plan: Plan, eye: Eye, *, side: int, fine: bool) -> None:
    """Drawn for the right eye; the left one is its mirror image."""
    own = brush.moved(eye.at, angle=eye.tilt, scale=eye.size)

    def at(x: float, y: float) -> Point:
        return x * side, y

    lid = [at(-22, 6), at(-15, -12), at(1, -20), at(18, -13), at(25, 0)]
    white = [*lid, at(18, 14), at(0, 19), at(-16, 15)]
    own.blob(white, (252, 250, 247))
    if eye.iris:
        _iris(own, plan.eye_color, eye.gaze, fine=fine)
    # Skin under the lower lid hides what of the iris hangs out.
    own.stroke([at(-17, 18.5), at(0, 22.5), at(19, 17.5)], 5.5, plan.skin)
    own.stroke([at(-14, 15.5), at(0, 19), at(17, 14)], 1.8, darker(plan.skin, 0.45))
    dark = mix(darker(plan.hair_color, 0.75), (30, 18, 30), 0.5)
    own.taper(lid, (3.6, 7.6), dark)
    own.stroke([at(-12, -22), at(2, -28), at(17, -23)], 1.7, darker(plan.skin, 0.3))
    if fine:
        own.taper([at(21, -5), at(28, -10), at(31, -14)], (4.5, 1.2), dark)
        own.taper([at(23, 0), at(29, -2), at(33, -5)], (3.5, 1.0), dark)


def _iris(brush: Brush, color: Color, gaze: Point, *, fine: bool) -> None:
    x, y = gaze[0], gaze[1] - 0.5
    brush.disc((x, y), (14, 17.5), darker(color, 0.6))
    brush.disc((x, y + 2), (12.2, 14.6), color)
    brush.disc((x, y + 8), (8.8, 7.6), lighter(color, 0.42))
    brush.disc((x, y), (6, 7.8), (28, 18, 30))
    brush.disc((x - 4.6, y - 7.4), (4.4, 5.4), (255, 255, 255))
    if fine:
        brush.disc((x + 5, y + 7.4), (2.5, 2.8), (255, 255, 255))


def _brow(brush: Brush, plan: Plan, eye: Eye, *, side: int, height: float) -> None:
    x, y = eye.at
    top = y - height
    line = [
        (x - 24 * side, top + 5),
        (x - 2 * side, top - 4),
        (x + 25 * side, top + 4),
    ]
    brush.taper(line, (7.0, 3.0), darker(plan.hair_color, 0.35))


def _mouth(brush: Brush, skin: Color, look: Look) -> None:
    own = brush.moved(look.mouth_at)
    tilt = look.mouth_tilt / 30
    lip = mix(skin, (196, 52, 70), 0.55)

    def at(x: float, y: float) -> Point:
        return x, y + x * tilt

    if look.smear:
        _smear(own, skin, lip, look.smear)
        return
    match look.mouth:
        case Mouth.OPEN:
            own.blob([at(-25, -5), at(0, -1), at(25, -5), at(15, 14), at(0, 19), at(-15, 14)],
                     (122, 34, 46), outline=1.6)  # fmt: skip
            own.blob([at(-20, -3.5), at(0, 0), at(20, -3.5), at(0, 5)], (255, 252, 248))
            own.blob([at(-10, 13), at(0, 9), at(10, 13), at(0, 17)], (230, 110, 112))
        case Mouth.SMILE:
            own.stroke([at(-25, -5), at(-10, 4), at(10, 4), at(25, -5)], 3.6, darker(lip, 0.35))
            own.stroke([at(-27, -8), at(-24, -4)], 2.4, darker(skin, 0.35), curved=False)
            own.stroke([at(27, -8), at(24, -4)], 2.4, darker(skin, 0.35), curved=False)
        case Mouth.SMIRK:
            own.stroke([at(-18, 2), at(0, 4), at(22, -7)], 3.6, darker(lip, 0.35))
        case Mouth.CALM:
            own.stroke([at(-17, 0), at(0, 2), at(17, 0)], 3.2, darker(lip, 0.35))
    if look.fine and look.mouth is not Mouth.OPEN:
        own.stroke([at(-9, 11), at(0, 13), at(9, 11)], 3.4, mix(skin, lip, 0.5))


def _smear(brush: Brush, skin: Color, lip: Color, amount: float) -> None:
    """A mouth dragged sideways, as a wet brush would."""
    for step in range(7):
        x = amount * step * 7.5
        y = step * 2.2 * abs(amount)
        color = mix(lip, skin, 0.08 + step * 0.1)
        brush.stroke([(x - 19, y - 4), (x, y + 5), (x + 19, y - 3)], 9 - step * 0.6, color)
    brush.stroke([(-20, -3), (0, 4), (22 + 10 * amount, 1)], 3.4, darker(lip, 0.45))


def _glasses(brush: Brush) -> None:
    frame = (46, 36, 58)
    for side in (-1, 1):
        x = 41.0 * side
        ring = [(x + dx, 10 + dy) for dx, dy in ((-33, 0), (-24, -25), (0, -31), (24, -25),
                (33, 0), (24, 24), (0, 30), (-24, 24), (-33, 0))]  # fmt: skip
        brush.stroke(ring, 3.6, frame)
    brush.stroke([(-11, 6), (0, 2), (11, 6)], 3.6, frame)
