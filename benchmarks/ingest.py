"""How many finished pictures a second the hub can take in.

Photo-like 1024 px PNGs of about 1.5 bytes a pixel, with the text that ComfyUI writes into them, go
through the whole way: check, hash, both tiers, thumbhash, three durable files.
"""

from __future__ import annotations

import asyncio
import io
import random
import tempfile
import time
from collections.abc import Callable

from PIL import Image, PngImagePlugin

from benchmarks.report import Line, parser, report
from shortlist.images.blobs import Blobs
from shortlist.images.model import Rendered
from shortlist.images.renderer import RendererPool

EDGE = 1024
# One being read in each worker, one being stored for each, as drivers of several backends do.
IN_FLIGHT = 4

KeepRow = Callable[[Rendered, str], None]


def photo(seed: int) -> bytes:
    """A PNG that compresses like a photograph: soft shapes, finer shapes and grain."""
    dice = random.Random(seed)
    shapes, details = (_soft(dice, cells) for cells in (12, 96))
    grain = Image.merge("RGB", [_grain(dice) for _ in range(3)])
    picture = Image.blend(Image.blend(shapes, details, 0.25), grain, 0.18)
    text = PngImagePlugin.PngInfo()
    text.add_text("prompt", '{"3": {"class_type": "KSampler"}}' * 60)
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=4, pnginfo=text)
    return out.getvalue()


def _soft(dice: random.Random, cells: int) -> Image.Image:
    coarse = Image.frombytes("RGB", (cells, cells), dice.randbytes(cells * cells * 3))
    return coarse.resize((EDGE, EDGE), Image.Resampling.BICUBIC)


def _grain(dice: random.Random) -> Image.Image:
    noise = Image.frombytes("L", (EDGE, EDGE), dice.randbytes(EDGE * EDGE))
    return noise.resize((EDGE, EDGE)).point(lambda value: 104 + value * 48 // 255)


async def ingest(pictures: list[bytes], *, blobs: Blobs, keep_row: KeepRow) -> float:
    """Seconds that all pictures took, the start of the workers not counted."""
    turn = asyncio.Semaphore(IN_FLIGHT)

    async def one(data: bytes) -> None:
        async with turn:
            rendered = await pool.render(data)
            key = await asyncio.to_thread(blobs.put_image, data, rendered)
            await asyncio.to_thread(keep_row, rendered, key)

    async with RendererPool() as pool:
        await asyncio.gather(*(pool.render(pictures[0]) for _ in range(2)))
        started = time.perf_counter()
        await asyncio.gather(*map(one, pictures))
        return time.perf_counter() - started


def main() -> None:
    """Measures and prints."""
    arguments = parser("Pictures taken in a second.")
    arguments.add_argument("--images", type=int, default=120, help="how many pictures")
    chosen = arguments.parse_args()
    pictures = [photo(seed) for seed in range(chosen.images)]
    with tempfile.TemporaryDirectory() as folder:
        blobs = Blobs.open(folder)
        seconds = asyncio.run(ingest(pictures, blobs=blobs, keep_row=lambda *_: None))
    lines = [
        Line("images_per_s", round(len(pictures) / seconds, 1), "images/s", "at least 20"),
        Line("images", len(pictures)),
        Line("bytes_per_image", sum(map(len, pictures)) // len(pictures), "bytes"),
    ]
    report("ingest: 1024 px PNG to stored picture", lines, as_json=chosen.json)


if __name__ == "__main__":
    main()
