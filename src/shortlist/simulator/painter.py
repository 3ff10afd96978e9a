"""The simulator's pictures: a figure in front of a place, drawn from a recipe.

A base image decides pose, place and colours; a face or hand pass redraws its region and leaves
every other pixel alone; a detail pass works on the whole. A picture carries its recipe in a text
chunk of its PNG, so that a pass knows what it continues. A picture from elsewhere has none: passes
then work on its pixels alone."""

from __future__ import annotations

import io
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageStat

from shortlist.simulator.anatomy import FAILS_BELOW, ColorFlaw, Plan, plan
from shortlist.simulator.brush import Brush, Point
from shortlist.simulator.face import FACE_REGION
from shortlist.simulator.figure import draw_figure
from shortlist.simulator.hands import REACH, middle
from shortlist.simulator.palette import darker
from shortlist.simulator.recipe import Pass, Recipe, Size, Traits, taste
from shortlist.simulator.scenery import SHRINK, background

CHUNK = "sketch"
"""The PNG text chunk that carries a recipe."""
FINE = 2
"""Figures are drawn at twice their size and shrunk, which smooths their edges."""

Box = tuple[int, int, int, int]

__all__ = ["Drawing", "Traits", "add_detail", "chunk_of", "draw_base", "fix_face", "fix_hands",
           "load", "read_traits", "resized", "taste"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture, and its recipe if it has one."""

    image: Image.Image
    recipe: Recipe | None = None


def draw_base(seed: int, *, prompt: str, size: Size) -> Drawing:
    """A new figure."""
    recipe = Recipe(seed, prompt, size)
    image = _render(plan(recipe), (0, 0, *size), zoom=1.0)
    if recipe.traits().sharpness < 0.25:
        image = image.filter(ImageFilter.GaussianBlur(max(size) / 300))
    return Drawing(image, recipe)


def fix_face(parent: Drawing, seed: int) -> Drawing:
    """The parent with a new face."""
    if parent.recipe is None:
        return _guessed(parent.image, seed, region=(0.34, 0.1, 0.66, 0.42))
    return _pass(parent, parent.recipe.after(Pass.FACE, seed), Pass.FACE)


def fix_hands(parent: Drawing, seed: int) -> Drawing:
    """The parent with new hands."""
    if parent.recipe is None:
        return _guessed(parent.image, seed, region=(0.2, 0.5, 0.8, 0.85))
    return _pass(parent, parent.recipe.after(Pass.HANDS, seed), Pass.HANDS)


def add_detail(parent: Drawing, seed: int) -> Drawing:
    """The parent made finer, or spoilt by trying."""
    if parent.recipe is None:
        quality = Random(f"detail/{seed}/{_fingerprint(parent.image)}").betavariate(3, 2)
        return Drawing(_finer(parent.image, quality, seed))
    recipe = parent.recipe.after(Pass.DETAIL, seed)
    return Drawing(_finer(parent.image, recipe.traits().sharpness, seed), recipe)


def resized(drawing: Drawing, size: Size) -> Drawing:
    """The drawing at another size; one of other proportions loses its recipe."""
    image = drawing.image.resize(size, Image.Resampling.BICUBIC)
    old = drawing.image.size
    same = abs(old[0] * size[1] - old[1] * size[0]) <= 2 * max(*old, *size)
    return Drawing(image, drawing.recipe if same else None)


def load(data: bytes) -> Drawing:
    """A drawing from the bytes of any picture Pillow reads; raises OSError for other bytes."""
    with Image.open(io.BytesIO(data)) as image:
        recipe = _recipe_in(image)
        return Drawing(image.convert("RGB"), recipe)


def read_traits(data: bytes) -> Traits | None:
    """The hidden qualities of a simulator's PNG; None for any other picture."""
    with Image.open(io.BytesIO(data)) as image:
        recipe = _recipe_in(image)
    return recipe.traits() if recipe else None


def chunk_of(drawing: Drawing) -> dict[str, str]:
    """The text chunk a saved drawing carries."""
    return {} if drawing.recipe is None else {CHUNK: drawing.recipe.to_text()}


def regions(drawing: Drawing, step: Pass) -> list[Box]:
    """The boxes, in pixels, outside which a face or hand pass changes nothing."""
    if drawing.recipe is None or step is Pass.DETAIL:
        return [(0, 0, *drawing.image.size)]
    return [region.box(drawing.image.size) for region in _regions(plan(drawing.recipe), step)]


@dataclass(frozen=True, slots=True)
class _Region:
    """An ellipse of the figure, in drawing units."""

    plan: Plan
    center: Point
    radii: Point

    def box(self, size: Size) -> Box:
        """Its bounding box on a picture of that size, cut to the frame; empty when outside."""
        zoom = size[0] / self.plan.recipe.size[0]
        camera = self.plan.camera.zoomed(zoom, origin=(0.0, 0.0))
        x, y = camera.place(self.center)
        # A tilted ellipse fits into the box of its larger radius.
        rx, ry = (r * camera.scale for r in self._radii())
        left, top = max(0, round(x - rx)), max(0, round(y - ry))
        right, low = min(size[0], round(x + rx)), min(size[1], round(y + ry))
        return left, top, max(left, right), max(top, low)

    def mask(self, box: Box, size: Size) -> Image.Image:
        """What of the box is replaced: all in the middle, nothing at the rim."""
        zoom = size[0] / self.plan.recipe.size[0]
        camera = self.plan.camera.zoomed(zoom, origin=(box[0] / zoom, box[1] / zoom))
        mask = Image.new("L", (box[2] - box[0], box[3] - box[1]))
        soft = 5.0 * camera.scale
        x, y = camera.place(self.center)
        rx, ry = (max(1.0, r * camera.scale - 3 * soft) for r in self._radii())
        ImageDraw.Draw(mask).ellipse((x - rx, y - ry, x + rx, y + ry), fill=255)
        return mask.filter(ImageFilter.GaussianBlur(soft))

    def _radii(self) -> Point:
        tilted = abs(self.plan.camera.angle) > 0.06
        return (max(self.radii),) * 2 if tilted else self.radii


def _regions(drawn: Plan, step: Pass) -> list[_Region]:
    if step is Pass.FACE:
        return [_Region(drawn, drawn.head(), FACE_REGION)]
    return [_Region(drawn, middle(arm), (REACH, REACH)) for arm in drawn.arms]


def _pass(parent: Drawing, recipe: Recipe, step: Pass) -> Drawing:
    """The parent with the regions of a pass drawn anew."""
    image = parent.image.copy()
    drawn = plan(recipe)
    zoom = image.width / recipe.size[0]
    for region in _regions(drawn, step):
        box = region.box(image.size)
        if box[0] < box[2] and box[1] < box[3]:
            image.paste(_render(drawn, box, zoom=zoom), box[:2], region.mask(box, image.size))
    return Drawing(image, recipe)


def _render(drawn: Plan, box: Box, *, zoom: float) -> Image.Image:
    """The part of a picture inside `box`, both counted in pixels of the picture times `zoom`."""
    width, height = box[2] - box[0], box[3] - box[1]
    behind = background(drawn)
    part = _share(box, 1 / (zoom * SHRINK), within=behind.size)
    canvas = behind.resize((width * FINE, height * FINE), Image.Resampling.BILINEAR, box=part)
    camera = drawn.camera.zoomed(zoom * FINE, origin=(box[0] / zoom, box[1] / zoom))
    draw_figure(Brush(canvas, camera, line=darker(drawn.scheme.near, 0.75)), drawn)
    whole = round(drawn.recipe.size[0] * zoom), round(drawn.recipe.size[1] * zoom)
    return _tinted(_lit(canvas.reduce(FINE), drawn, box=box, whole=whole), drawn)


def _share(box: Box, scale: float, *, within: Size) -> tuple[float, float, float, float]:
    """A box on a smaller image of the same view, kept inside it."""
    left, top, right, low = (edge * scale for edge in box)
    return left, top, min(right, within[0]), min(low, within[1])


def _lit(image: Image.Image, drawn: Plan, *, box: Box, whole: Size) -> Image.Image:
    """Light falls in from one upper corner and leaves the lower one darker.

    `image` is the part inside `box` of a picture of the size `whole`; a part is lit as the whole.
    """
    ramp = Image.linear_gradient("L").rotate(32 if drawn.recipe.seed % 2 else -32)
    small = ramp.crop((48, 48, 208, 208)).resize((whole[0] // 8, whole[1] // 8))
    part = _share(box, 1 / 8, within=small.size)
    mask = small.resize(image.size, Image.Resampling.BILINEAR, box=part)
    glow = Image.new("RGB", image.size, drawn.scheme.glow)
    shadow = Image.new("RGB", image.size, darker(drawn.scheme.near, 0.4))
    bright = Image.composite(image, glow, mask.point([min(255, 196 + v // 2) for v in range(256)]))
    return Image.composite(shadow, bright, mask.point([max(0, v - 120) // 2 for v in range(256)]))


def _tinted(image: Image.Image, drawn: Plan) -> Image.Image:
    """Colour faults change each pixel by itself, so that a part comes out like the whole."""
    grade = 0.6 + 0.8 * (FAILS_BELOW - drawn.traits.palette)
    match drawn.color_flaw:
        case ColorFlaw.MUDDY:
            grey = ImageEnhance.Color(image).enhance(1 - 0.75 * grade)
            return Image.blend(grey, Image.new("RGB", image.size, (98, 80, 58)), 0.42 * grade)
        case ColorFlaw.GLARING:
            return image.point([min(255, round(v * (1 + 0.5 * grade) + 46 * grade)) for v in
                                range(256)] * 3)  # fmt: skip
        case ColorFlaw.SICKLY:
            return Image.blend(image, Image.new("RGB", image.size, (96, 176, 40)), 0.38 * grade)
    return image


def _finer(image: Image.Image, quality: float, seed: int) -> Image.Image:
    """A picture sharpened, or softened, haloed, blocky or noisy when that fails."""
    dice = Random(f"finer/{seed}")
    spoil = dice.choice((_soft, _haloed, _blocky, _noisy))
    if quality < FAILS_BELOW:
        return spoil(image, 0.6 + (FAILS_BELOW - quality))
    return _sharpened(image, radius=2, amount=0.35 if quality < 0.72 else 1.0)


def _sharpened(image: Image.Image, *, radius: float, amount: float) -> Image.Image:
    """What a box blur takes away, added once more: a third of an unsharp mask's time."""
    return Image.blend(image.filter(ImageFilter.BoxBlur(radius)), image, 1 + amount)


def _soft(image: Image.Image, grade: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(max(image.size) / 330 * grade))


def _haloed(image: Image.Image, grade: float) -> Image.Image:
    return _sharpened(image, radius=max(image.size) / 200, amount=2.6 * grade)


def _blocky(image: Image.Image, grade: float) -> Image.Image:
    out = io.BytesIO()
    small = image.reduce(2)
    small.save(out, "JPEG", quality=max(2, round(9 - 6 * grade)))
    with Image.open(out) as spoilt:
        return spoilt.convert("RGB").resize(image.size, Image.Resampling.BILINEAR)


def _noisy(image: Image.Image, grade: float) -> Image.Image:
    third = (max(1, image.width // 2), max(1, image.height // 2))
    noise = Image.effect_noise(third, 130).resize(image.size, Image.Resampling.NEAREST)
    return Image.blend(image, noise.convert("RGB"), min(0.5, 0.24 * grade))


def _guessed(
    image: Image.Image, seed: int, *, region: tuple[float, float, float, float]
) -> Drawing:
    """A pass on a picture of unknown making: the likely region, sharpened or smeared."""
    width, height = image.size
    left, top, right, low = region
    box = (round(left * width), round(top * height), round(right * width), round(low * height))
    quality = Random(f"guess/{seed}/{_fingerprint(image)}").betavariate(3, 2)
    part = _finer(image.crop(box), quality, seed)
    mask = Image.new("L", part.size)
    soft = max(1.0, min(part.size) / 12)
    inner = (3 * soft, 3 * soft, part.width - 3 * soft, part.height - 3 * soft)
    if inner[2] > inner[0] and inner[3] > inner[1]:
        ImageDraw.Draw(mask).ellipse(inner, fill=255)
    result = image.copy()
    result.paste(part, (box[0], box[1]), mask.filter(ImageFilter.GaussianBlur(soft)))
    return Drawing(result)


def _fingerprint(image: Image.Image) -> str:
    """Tells pictures apart well enough to load the dice."""
    return "/".join(f"{value:.2f}" for value in ImageStat.Stat(image.reduce(4)).mean)


def _recipe_in(image: Image.Image) -> Recipe | None:
    text = image.info.get(CHUNK)
    if not isinstance(text, str):
        return None
    try:
        return Recipe.from_text(text)
    except ValueError:
        return None
