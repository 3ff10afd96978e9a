"""Draws the pictures of the simulator."""

from __future__ import annotations
import json, random
from dataclasses import dataclass
from io import BytesIO
from PIL import Image, ImageDraw


@dataclass(frozen=True, slots=True)
class Traits:
    pose: float
    palette: float
    face: float
    hands: float
    sharpness: float


@dataclass(frozen=True, slots=True)
class Drawing:
    image: Image.Image
    traits: Traits | None = None


def load(data: bytes) -> Drawing:
    image = Image.open(BytesIO(data))
    return Drawing(image.convert("RGB"), read_traits(data))


def read_traits(data: bytes) -> Traits | None:
    with Image.open(BytesIO(data)) as image:
        text = image.info.get("sketch")
    return Traits(**json.loads(text)) if text else None


def chunk_of(drawing: Drawing) -> dict[str, str]:
    t = drawing.traits
    return {} if t is None else {"sketch": json.dumps({n: getattr(t, n) for n in t.__slots__})}


def resized(drawing: Drawing, size: tuple[int, int]) -> Drawing:
    return Drawing(drawing.image.resize(size), drawing.traits)


def draw_base(seed: int, *, prompt: str, size: tuple[int, int]) -> Drawing:
    dice = random.Random(f"{seed}/{prompt}")
    image = Image.new("RGB", size, tuple(dice.randrange(60, 250) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    w, h = size
    draw.ellipse((w * 0.4, h * 0.15, w * 0.6, h * 0.33), fill=(240, 200, 170))
    draw.rectangle(
        (w * 0.35, h * 0.35, w * 0.65, h * 0.8), fill=tuple(dice.randrange(256) for _ in range(3))
    )
    return Drawing(image, Traits(*[dice.random() for _ in range(5)]))


def fix_face(parent: Drawing, seed: int) -> Drawing:
    image = parent.image.copy()
    w, h = image.size
    dice = random.Random(f"f{seed}")
    ImageDraw.Draw(image).ellipse(
        (w * 0.45, h * 0.2, w * 0.55, h * 0.3), fill=tuple(dice.randrange(256) for _ in range(3))
    )
    return Drawing(image, parent.traits)


def fix_hands(parent: Drawing, seed: int) -> Drawing:
    image = parent.image.copy()
    w, h = image.size
    dice = random.Random(f"h{seed}")
    ImageDraw.Draw(image).ellipse(
        (w * 0.25, h * 0.6, w * 0.35, h * 0.7), fill=tuple(dice.randrange(256) for _ in range(3))
    )
    return Drawing(image, parent.traits)


def add_detail(parent: Drawing, seed: int) -> Drawing:
    return Drawing(parent.image.copy(), parent.traits)


def taste(traits: Traits) -> float:
    return (traits.pose + traits.palette + traits.face + traits.hands + traits.sharpness) / 5
