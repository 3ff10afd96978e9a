"""What a picture is made of, as numbers: the seeds that were used, and the hidden qualities they
give. Everything a picture shows follows from its recipe, so a recipe can be drawn again."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import Enum
from random import Random

Size = tuple[int, int]

MAX_PASSES = 50
"""A recipe read from a file is untrusted: replaying stays cheap."""
MAX_SIDE = 16384


class Pass(Enum):
    """A step that works on a picture after it was first drawn."""

    FACE = "face"
    HANDS = "hands"
    DETAIL = "detail"


@dataclass(frozen=True, slots=True)
class Traits:
    """How well each part of a picture came out, 0 to 1."""

    pose: float
    """The figure's place in the frame and its limbs."""
    palette: float
    """Colours and light."""
    face: float
    hands: float
    sharpness: float


@dataclass(frozen=True, slots=True)
class Recipe:
    """A base image's seed, prompt and size, and the passes it went through, oldest first."""

    seed: int
    prompt: str
    size: Size
    passes: tuple[tuple[Pass, int], ...] = ()

    def after(self, step: Pass, seed: int) -> Recipe:
        return replace(self, passes=(*self.passes, (step, seed)))

    def seed_of(self, step: Pass) -> int | None:
        """The seed of the latest pass of that kind; None before the first."""
        return next((seed for kind, seed in reversed(self.passes) if kind is step), None)

    def traits(self) -> Traits:
        """The qualities after all passes."""
        traits = _first(Random(f"traits/{self.seed}/{self.prompt}"))
        for step, seed in self.passes:
            traits = _passed(traits, step, Random(f"{step.value}/{seed}/{self.seed}"))
        return traits

    def to_text(self) -> str:
        passes = [[step.value, seed] for step, seed in self.passes]
        told = {"seed": self.seed, "prompt": self.prompt, "size": self.size, "passes": passes}
        return json.dumps(told)

    @classmethod
    def from_text(cls, text: str) -> Recipe:
        """Reads `to_text` back; raises ValueError for anything else."""
        try:
            told = json.loads(text)
            width, height = told["size"]
            passes = tuple((Pass(step), int(seed)) for step, seed in told["passes"])
            recipe = cls(int(told["seed"]), str(told["prompt"]), (int(width), int(height)), passes)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError("not a recipe") from error
        if len(passes) > MAX_PASSES or not all(0 < side <= MAX_SIDE for side in recipe.size):
            raise ValueError("not a recipe that can be drawn")
        return recipe


def taste(traits: Traits) -> float:
    """How good a picture is to a person, 0 to 1: the mean counts, the worst part counts again."""
    parts = (traits.pose, traits.palette, traits.face, traits.hands, traits.sharpness)
    weights = (0.24, 0.18, 0.28, 0.2, 0.1)
    mean = sum(part * weight for part, weight in zip(parts, weights, strict=True))
    return 0.7 * mean + 0.3 * min(parts)


def _first(dice: Random) -> Traits:
    """A base image: pose and colours mostly succeed; face and hands are never finished yet."""
    return Traits(
        pose=_mostly(dice, 0.68),
        palette=_mostly(dice, 0.72),
        face=dice.uniform(0.2, 0.8),
        hands=dice.uniform(0.15, 0.74),
        sharpness=dice.uniform(0.3, 0.55) if dice.random() < 0.88 else dice.uniform(0.05, 0.2),
    )


def _mostly(dice: Random, chance: float) -> float:
    return dice.uniform(0.6, 1.0) if dice.random() < chance else dice.uniform(0.05, 0.42)


def _passed(traits: Traits, step: Pass, dice: Random) -> Traits:
    """A pass throws dice that the parent's qualities load."""
    if step is Pass.FACE:
        promise = 0.5 * traits.pose + 0.3 * traits.palette + 0.2 * traits.face
        return replace(traits, face=_bounded(dice.gauss(0.24 + 0.55 * promise, 0.2)))
    if step is Pass.HANDS:
        promise = 0.4 * traits.pose + 0.35 * traits.face + 0.25 * traits.hands
        return replace(traits, hands=_bounded(dice.gauss(0.24 + 0.6 * promise, 0.2)))
    promise = (traits.palette + traits.face + traits.hands) / 3
    return replace(traits, sharpness=_bounded(dice.gauss(0.3 + 0.55 * promise, 0.18)))


def _bounded(value: float) -> float:
    return min(1.0, max(0.02, value))
