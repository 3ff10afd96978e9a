"""The simulator's pictures: the same seed draws the same picture, a pass changes its own region
alone, and good parents have better children."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from statistics import fmean, stdev

import pytest
from PIL import Image, ImageChops
from PIL.PngImagePlugin import PngInfo

from shortlist.simulator import painter
from shortlist.simulator.painter import Drawing
from shortlist.simulator.recipe import Pass, Recipe, Traits, taste

SIZE = (384, 512)
"""Half the usual size: as telling, and four times as fast."""

FIX: dict[Pass, Callable[[Drawing, int], Drawing]] = {
    Pass.FACE: painter.fix_face,
    Pass.HANDS: painter.fix_hands,
    Pass.DETAIL: painter.add_detail,
}


def base(seed: int, *, prompt: str = "portrait", size: tuple[int, int] = SIZE) -> Drawing:
    return painter.draw_base(seed, prompt=prompt, size=size)


def png(drawing: Drawing) -> bytes:
    """The bytes as SaveImage writes them, as far as the painter is concerned."""
    return with_chunks(drawing.image, painter.chunk_of(drawing))


def with_chunks(image: Image.Image, chunks: Mapping[str, str]) -> bytes:
    out = io.BytesIO()
    info = PngInfo()
    for key, text in chunks.items():
        info.add_text(key, text)
    image.save(out, "PNG", pnginfo=info)
    return out.getvalue()


def chained(seed: int) -> Drawing:
    drawing = painter.fix_hands(painter.fix_face(base(seed), seed + 1), seed + 2)
    return painter.add_detail(painter.resized(drawing, (SIZE[0] * 2, SIZE[1] * 2)), seed + 3)


def test_the_same_seeds_draw_the_same_pixels() -> None:
    assert chained(5).image.tobytes() == chained(5).image.tobytes()


def test_other_seeds_and_other_prompts_draw_other_pictures() -> None:
    pictures = {base(seed).image.tobytes() for seed in range(6)}
    pictures.add(base(0, prompt="night in the city").image.tobytes())
    assert len(pictures) == 7


@pytest.mark.parametrize("step", [Pass.FACE, Pass.HANDS])
@pytest.mark.parametrize("zoom", [1, 2])
def test_a_pass_leaves_every_pixel_outside_its_region_alone(step: Pass, zoom: int) -> None:
    changed = 0
    for seed in range(8):
        parent = painter.resized(base(seed), (SIZE[0] * zoom, SIZE[1] * zoom))
        child = FIX[step](parent, seed + 100)
        outside = ImageChops.difference(parent.image, child.image)
        changed += outside.getbbox() is not None
        for box in painter.regions(child, step):
            outside.paste((0, 0, 0), box)
        assert outside.getbbox() is None
    assert changed > 4


def test_the_region_of_a_hand_pass_is_a_small_part_of_the_picture() -> None:
    child = painter.fix_hands(base(1), 2)
    boxes = painter.regions(child, Pass.HANDS)
    area = sum((right - left) * (low - top) for left, top, right, low in boxes)
    assert area < 0.3 * SIZE[0] * SIZE[1]


def test_a_face_drawn_again_with_the_same_seed_fits_its_surroundings() -> None:
    """Nothing but the face itself may show where the region was: no seam, no other light."""
    once = painter.fix_face(base(2), 9)
    twice = painter.fix_face(once, 9)
    box = painter.regions(twice, Pass.FACE)[0]
    rim = ImageChops.difference(once.image, twice.image).crop(box)
    width, height = rim.size
    rim.paste((0, 0, 0), (width // 6, height // 6, width * 5 // 6, height * 5 // 6))
    assert max(high for _, high in rim.getextrema()) < 24


def test_traits_survive_the_way_through_a_png() -> None:
    drawing = chained(7)
    assert drawing.recipe is not None
    assert painter.read_traits(png(drawing)) == drawing.recipe.traits()
    loaded = painter.load(png(drawing))
    assert loaded.recipe == drawing.recipe
    child = painter.fix_face(loaded, 3)
    assert child.image.tobytes() == painter.fix_face(drawing, 3).image.tobytes()


@pytest.mark.parametrize("chunk", ["", "{}", "[1]", '{"seed": 1}', "x" * 9000, "[" * 5000])
def test_a_picture_with_an_unreadable_recipe_is_a_picture_from_elsewhere(chunk: str) -> None:
    with pytest.raises(ValueError, match="not a recipe"):
        Recipe.from_text(chunk)
    data = with_chunks(Image.new("RGB", (64, 64), "teal"), {painter.CHUNK: chunk})
    assert painter.read_traits(data) is None


@pytest.mark.parametrize("step", list(Pass))
def test_a_picture_from_elsewhere_can_go_through_every_pass(step: Pass) -> None:
    image = Image.linear_gradient("L").resize((300, 200)).convert("RGB")
    image.paste(Image.effect_noise((100, 80), 90).convert("RGB"), (100, 30))
    child = FIX[step](Drawing(image), 4)
    assert child.image.size == image.size
    assert child.image.tobytes() != image.tobytes()
    assert child.recipe is None


@pytest.mark.parametrize("size", [(64, 64), (1216, 832), (500, 1500), (8, 8)])
def test_any_size_can_be_drawn_and_worked_on(size: tuple[int, int]) -> None:
    drawing = painter.fix_hands(painter.fix_face(base(3, size=size), 1), 2)
    assert painter.add_detail(drawing, 3).image.size == size


def test_a_picture_of_other_proportions_is_no_longer_known() -> None:
    assert painter.resized(base(1), (500, 500)).recipe is None
    assert painter.resized(base(1), (SIZE[0] * 2, SIZE[1] * 2)).recipe is not None


# -- heredity ------------------------------------------------------------------------------------


def qualities(step: Pass, of: Callable[[Traits], float], *, good: bool) -> list[float]:
    """What a step makes of parents that are clearly good, or clearly bad, where it looks."""
    made = []
    for seed in range(400):
        recipe = Recipe(seed, "portrait", SIZE)
        if step is not Pass.FACE:
            recipe = recipe.after(Pass.FACE, seed)
        before = recipe.traits()
        promise = fmean((before.pose, before.palette, before.face))
        if (promise > 0.68) if good else (promise < 0.5):
            made.append(of(recipe.after(step, seed + 5000).traits()))
    return made


@pytest.mark.parametrize(
    ("step", "of"),
    [
        (Pass.FACE, lambda traits: traits.face),
        (Pass.HANDS, lambda traits: traits.hands),
        (Pass.DETAIL, lambda traits: traits.sharpness),
    ],
)
def test_good_parents_have_better_children_but_not_always(
    step: Pass, of: Callable[[Traits], float]
) -> None:
    better, worse = qualities(step, of, good=True), qualities(step, of, good=False)
    assert min(len(better), len(worse)) > 40
    # Welch's statistic: the difference of the means in units of its own error.
    error = (stdev(better) ** 2 / len(better) + stdev(worse) ** 2 / len(worse)) ** 0.5
    assert (fmean(better) - fmean(worse)) / error > 4
    assert min(better) < fmean(worse)  # a good parent can still have a bad child
    assert max(worse) > fmean(better)


def test_taste_rises_with_every_trait_and_the_worst_part_counts_most() -> None:
    middling = Traits(0.6, 0.6, 0.6, 0.6, 0.6)
    for name in Traits.__slots__:
        values = {n: getattr(middling, n) for n in Traits.__slots__}
        assert taste(Traits(**{**values, name: 0.9})) > taste(middling)
        assert taste(Traits(**{**values, name: 0.1})) < taste(middling) - 0.15
    assert 0 <= taste(Traits(0, 0, 0, 0, 0)) < taste(Traits(1, 1, 1, 1, 1)) <= 1


def test_a_whole_line_of_good_parents_ends_in_better_leaves() -> None:
    def leaf(seed: int) -> tuple[float, float]:
        recipe = Recipe(seed, "portrait", SIZE)
        start = taste(recipe.traits())
        for step in Pass:
            recipe = recipe.after(step, seed + 9)
        return start, taste(recipe.traits())

    lines = sorted(leaf(seed) for seed in range(300))
    worst, best = lines[:75], lines[-75:]
    assert fmean(end for _, end in best) > fmean(end for _, end in worst) + 0.1
