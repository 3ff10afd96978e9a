"""Where a child differs from its parent, so that one key can zoom to what a step did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from PIL import Image, ImageChops

from shortlist.images.model import Box, Tier

# The size of the small tier: it need not be resized, still shows a hand, and averages out noise.
_EDGE = Tier.SMALL
_CELL = 5
_MAX_BOXES = 3
# Steps of 255. A round trip through a VAE moves a cell by 1 to 4.
_FAINT = 7.0
_TIMES_MEDIAN = 4.0
# Beyond this share of the cells, or if half of them differ by so many steps, all was redrawn.
_WHOLE_SHARE = 0.5
_WHOLE_STEPS = 14
# A region counts if it holds at least this share of the strongest one's difference.
_WORTH_A_LOOK = 0.08
_SAME_SHAPE = 0.02

Cell = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Region:
    """Cells that touch each other, and how much they differ in all."""

    cells: Sequence[Cell]
    weight: float


def regions(parent: Image.Image, child: Image.Image) -> list[Box]:
    """At most three boxes of the child, the most changed first; none if it changed all over.

    Both pictures are RGB. A child of another shape (crop, outpaint) gives none.
    """
    if abs(parent.width * child.height / (parent.height * child.width) - 1) > _SAME_SHAPE:
        return []
    grid = _differences(parent, child)
    changed = _changed_cells(grid)
    found = sorted(_touching(changed), key=lambda region: -region.weight)[:_MAX_BOXES]
    size = (len(grid[0]), len(grid))
    return [
        _box(region, size=size)
        for region in found
        if region.weight >= found[0].weight * _WORTH_A_LOOK
    ]


def _differences(parent: Image.Image, child: Image.Image) -> list[list[float]]:
    """How far apart the pictures are in each cell: the mean of the channel that differs most."""
    scale = _EDGE / max(child.size)
    columns, rows = (max(1, round(side * scale / _CELL)) for side in child.size)
    size = (columns * _CELL, rows * _CELL)
    small = [_fitted(picture, size=size) for picture in (parent, child)]
    red, green, blue = ImageChops.difference(*small).split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    cells = list(most.reduce(_CELL).tobytes())
    return [[float(v) for v in cells[y * columns : (y + 1) * columns]] for y in range(rows)]


def _fitted(picture: Image.Image, *, size: tuple[int, int]) -> Image.Image:
    return picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.5)


def _changed_cells(grid: list[list[float]]) -> dict[Cell, float]:
    """The cells over the noise, empty if the whole picture is."""
    usual = median(value for row in grid for value in row)
    threshold = max(_FAINT, _TIMES_MEDIAN * usual)
    cells = {
        (x, y): value
        for y, row in enumerate(grid)
        for x, value in enumerate(row)
        if value > threshold
    }
    whole = usual > _WHOLE_STEPS or len(cells) > _WHOLE_SHARE * len(grid) * len(grid[0])
    return {} if whole else cells


def _touching(cells: dict[Cell, float]) -> Iterator[_Region]:
    """The cells in groups; a gap of one cell does not part a group."""
    left = set(cells)
    while left:
        group, edge = [], [left.pop()]
        while edge:
            x, y = edge.pop()
            group.append((x, y))
            near = {(x + dx, y + dy) for dx in range(-2, 3) for dy in range(-2, 3)} & left
            left -= near
            edge.extend(near)
        yield _Region(group, sum(cells[cell] for cell in group))


def _box(region: _Region, *, size: tuple[int, int]) -> Box:
    """The region's frame, one cell wider on each side: what was blended in belongs to it."""
    columns, rows = size
    left = max(0, min(x for x, _ in region.cells) - 1)
    top = max(0, min(y for _, y in region.cells) - 1)
    right = min(columns, max(x for x, _ in region.cells) + 2)
    bottom = min(rows, max(y for _, y in region.cells) + 2)
    return Box(left / columns, top / rows, (right - left) / columns, (bottom - top) / rows)
