"""How many finished pictures a second the hub can take in.

Photo-like 1024 px PNGs of about 1.5 bytes a pixel, with the text that ComfyUI writes into them, go
through the whole way: check, hash, both tiers, thumbhash, three durable files, and then the rows in
a database that already knows ten thousand images.
"""

from __future__ import annotations

import asyncio
import base64
import io
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

from PIL import Image, PngImagePlugin

from benchmarks.report import Line, parser, report
from benchmarks.world import World, sqlite_world
from shortlist.images.blobs import Blobs
from shortlist.images.model import Rendered
from shortlist.images.renderer import RendererPool
from shortlist.services import results, selection
from shortlist.store.db import Database

EDGE = 1024
PHOTOS = 16
# One being read in each worker, one being stored for each, as drivers of several backends do.
IN_FLIGHT = 4


class Hub:
    """The part of the hub that takes pictures in: a renderer, an image store and claimed jobs."""

    def __init__(self, pool: RendererPool, blobs: Blobs, database: Database) -> None:
        self.pool = pool
        self.blobs = blobs
        self.database = database
        self.jobs: list[int] = []

    def claim(self, count: int) -> None:
        """Takes as many jobs as pictures will come."""
        for seed in range(count):
            with self.database.transaction() as tx:
                claimed = selection.claim(
                    tx, backend_id=1, seed=seed, prompt_id=str(uuid4()), now=datetime.now(UTC)
                )
            assert claimed is not None, "the world has too few open parents"
            self.jobs.append(claimed.job_id)

    async def take_in(self, data: bytes) -> None:
        """The way of one picture, as a backend's driver goes it."""
        rendered = await self.pool.render(data)
        key = await asyncio.to_thread(self.blobs.put_image, data, rendered)
        await asyncio.to_thread(self.keep_row, rendered, key=key, size_bytes=len(data))

    def keep_row(self, rendered: Rendered, *, key: str, size_bytes: int) -> None:
        """Makes the picture a candidate."""
        image = results.NewImage(
            key=key,
            sha256=rendered.sha256,
            media_type=rendered.media_type,
            width=rendered.width,
            height=rendered.height,
            size_bytes=size_bytes,
            thumbhash=base64.b64encode(rendered.thumbhash).decode(),
            regions=(),
        )
        with self.database.transaction() as tx:
            results.ingest(tx, self.jobs.pop(), images=[image], now=datetime.now(UTC))


def files(count: int) -> list[bytes]:
    """As many different files; a tail behind the end of a PNG makes the same photo another file."""
    photos = [photo(seed) for seed in range(min(count, PHOTOS))]
    return [photos[n % len(photos)] + n.to_bytes(4, "big") for n in range(count)]


def photo(seed: int) -> bytes:
    """A PNG that compresses like a photograph: soft shapes, finer shapes and grain."""
    dice = random.Random(seed)
    shapes, details = (_soft(dice, cells) for cells in (12, 96))
    grain = Image.merge("RGB", [_grain(dice) for _ in range(3)])
    picture = Image.blend(Image.blend(shapes, details, 0.25), grain, 0.14)
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


@contextmanager
def a_hub(pool: RendererPool) -> Iterator[Hub]:
    """A hub with an empty folder of images and a database of some size."""
    world = World(images=10_000, runs=1, open_parents=2000)
    with tempfile.TemporaryDirectory() as folder, sqlite_world(world) as database:
        yield Hub(pool, Blobs.open(folder), database)


async def seconds_for(pictures: list[bytes]) -> float:
    """How long the hub takes for all of them, the start of its workers not counted."""
    turn = asyncio.Semaphore(IN_FLIGHT)

    async def one(data: bytes) -> None:
        async with turn:
            await hub.take_in(data)

    async with RendererPool() as pool:
        with a_hub(pool) as hub:
            hub.claim(len(pictures))
            await asyncio.gather(*(pool.render(pictures[0]) for _ in range(2)))
            started = time.perf_counter()
            await asyncio.gather(*map(one, pictures))
            return time.perf_counter() - started


def main() -> None:
    """Measures and prints."""
    arguments = parser("Pictures taken in a second.")
    arguments.add_argument("--images", type=int, default=120, help="how many pictures")
    chosen = arguments.parse_args()
    pictures = files(chosen.images)
    seconds = asyncio.run(seconds_for(pictures))
    lines = [
        Line("images_per_s", round(len(pictures) / seconds, 1), "images/s", "at least 20"),
        Line("images", len(pictures)),
        Line("bytes_per_image", sum(map(len, pictures)) // len(pictures), "bytes"),
    ]
    report("ingest: 1024 px PNG to candidate", lines, as_json=chosen.json)


if __name__ == "__main__":
    main()
