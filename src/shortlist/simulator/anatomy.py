"""Where a figure's parts are: proportions, the ways arms can be held, and the plan of one picture
that all drawing modules read. Nothing is drawn here.

The figure's origin is the base of the neck, y points down, and a head is 240 units tall."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from random import Random

from shortlist.simulator import palette
from shortlist.simulator.brush import Camera, Color, Point, aim
from shortlist.simulator.palette import Place, Scheme
from shortlist.simulator.recipe import Pass, Recipe, Size, Traits

FRAME: Size = (768, 1024)
"""The frame in drawing units; other formats show more at the sides or above."""
NECK = (384.0, 440.0)
HEAD = (0.0, -150.0)
SHOULDER = (101.0, 54.0)
UPPER_ARM, FOREARM = 158.0, 146.0
HAND = 108.0
FAILS_BELOW = 0.5
"""A quality under this shows a fault at a glance."""


class Hold(Enum):
    """How an arm is held: degrees of upper arm, forearm and hand, for an arm on the right."""

    WAVE = (58.0, -74.0, -80.0)
    UP = (-22.0, -78.0, -84.0)
    HIP = (52.0, 132.0, 152.0)
    DOWN = (80.0, 88.0, 90.0)
    OFFER = (74.0, -18.0, -58.0)
    CHEEK = (74.0, -118.0, -98.0)


HOLDS = (
    (Hold.WAVE, Hold.HIP),
    (Hold.WAVE, Hold.DOWN),
    (Hold.UP, Hold.UP),
    (Hold.UP, Hold.HIP),
    (Hold.OFFER, Hold.DOWN),
    (Hold.OFFER, Hold.HIP),
    (Hold.WAVE, Hold.WAVE),
    (Hold.CHEEK, Hold.DOWN),
    (Hold.UP, Hold.DOWN),
)


class Hair(Enum):
    LONG = "long"
    BOB = "bob"
    BUN = "bun"
    TAIL = "ponytail"
    SHORT = "short"
    CURLY = "curly"


class Outfit(Enum):
    SHIRT = "shirt"
    DRESS = "dress"
    JACKET = "jacket"
    HOODIE = "hoodie"
    VEST = "vest"


class PoseFlaw(Enum):
    CUT_HEAD = "the head leaves the frame"
    OFF_SIDE = "the figure leaves the frame"
    TILTED = "the frame hangs askew"
    LONG_ARM = "one arm is far too long"
    LONG_NECK = "the neck is far too long"


class ColorFlaw(Enum):
    MUDDY = "everything is brown"
    GLARING = "the light burns the colours away"
    SICKLY = "a green cast lies on all"
    WRONG_LIGHT = "figure and background stand in different light"


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm: its joints, the hand's direction, and which side it is on (-1 left, 1 right)."""

    side: int
    hold: Hold
    shoulder: Point
    elbow: Point
    wrist: Point
    hand_degrees: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one picture shows, decided before the first stroke."""

    recipe: Recipe
    traits: Traits
    place: Place
    scheme: Scheme
    skin: Color
    hair_color: Color
    eye_color: Color
    hair: Hair
    outfit: Outfit
    arms: tuple[Arm, Arm]
    neck: float
    """How much longer than usual, in units."""
    pose_flaw: PoseFlaw | None
    color_flaw: ColorFlaw | None
    camera: Camera
    glasses: bool
    earrings: bool

    def face_seed(self) -> str:
        return f"face/{self.recipe.seed_of(Pass.FACE)}/{self.recipe.seed}"

    def hands_seed(self) -> str:
        return f"hands/{self.recipe.seed_of(Pass.HANDS)}/{self.recipe.seed}"

    def head(self) -> Point:
        return HEAD[0], HEAD[1] - self.neck


def plan(recipe: Recipe) -> Plan:
    """The plan of a recipe: the base seed decides what is shown, the traits how well."""
    dice = Random(f"plan/{recipe.seed}/{recipe.prompt}")
    traits = recipe.traits()
    place, scheme = palette.choose(dice, recipe.prompt)
    pose_flaw = dice.choice(list(PoseFlaw))
    color_flaw = dice.choice(list(ColorFlaw))
    pose_flaw_shown = pose_flaw if traits.pose < FAILS_BELOW else None
    skin, hair_color = dice.choice(palette.SKINS), dice.choice(palette.HAIRS)
    return Plan(
        recipe=recipe,
        traits=traits,
        place=place,
        scheme=scheme,
        skin=skin,
        hair_color=hair_color,
        eye_color=dice.choice(palette.EYES),
        hair=dice.choice(list(Hair)),
        outfit=dice.choice(list(Outfit)),
        arms=_arms(dice, pose_flaw_shown),
        neck=74.0 if pose_flaw_shown is PoseFlaw.LONG_NECK else dice.uniform(-4, 8),
        pose_flaw=pose_flaw_shown,
        color_flaw=color_flaw if traits.palette < FAILS_BELOW else None,
        camera=_camera(recipe.size, dice, pose_flaw_shown, traits.pose),
        glasses=dice.random() < 0.14,
        earrings=dice.random() < 0.4,
    )


def _arms(dice: Random, flaw: PoseFlaw | None) -> tuple[Arm, Arm]:
    holds = list(dice.choice(HOLDS))
    dice.shuffle(holds)
    long = dice.choice((-1, 1)) if flaw is PoseFlaw.LONG_ARM else 0
    left, right = (
        _arm(hold, side, dice, stretch=1.45 if side == long else 1.0)
        for hold, side in zip(holds, (-1, 1), strict=True)
    )
    return left, right


def _arm(hold: Hold, side: int, dice: Random, *, stretch: float) -> Arm:
    upper, lower, hand = (degrees + dice.uniform(-5, 5) for degrees in hold.value)
    if side < 0:
        upper, lower, hand = 180 - upper, 180 - lower, 180 - hand
    shoulder = (SHOULDER[0] * side, SHOULDER[1])
    elbow = aim(shoulder, upper, UPPER_ARM * stretch)
    wrist = aim(elbow, lower, FOREARM * stretch)
    return Arm(side, hold, shoulder, elbow, wrist, hand)


def _camera(size: Size, dice: Random, flaw: PoseFlaw | None, quality: float) -> Camera:
    """Good pictures vary a little; a flaw moves the figure out of the frame or tilts it."""
    scale = min(size[0] / FRAME[0], size[1] / FRAME[1])
    x, y = dice.uniform(-26, 26), dice.uniform(-12, 18)
    angle = math.radians(dice.uniform(-2.2, 2.2))
    zoom = dice.uniform(0.97, 1.05)
    side = dice.choice((-1, 1))
    if flaw is PoseFlaw.CUT_HEAD:
        y -= 215 + 60 * (0.5 - quality)
    elif flaw is PoseFlaw.OFF_SIDE:
        x += side * (250 + 80 * (0.5 - quality))
    elif flaw is PoseFlaw.TILTED:
        angle += side * math.radians(15 + 12 * (0.5 - quality))
    center_x = size[0] / 2 + (NECK[0] - FRAME[0] / 2 + x) * scale
    center_y = size[1] - (FRAME[1] - NECK[1] - y) * scale
    return Camera(scale * zoom, (center_x, center_y), angle)
