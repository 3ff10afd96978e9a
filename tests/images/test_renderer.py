"""Rendering in processes of its own: what goes wrong there stays there."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from images import pictures
from shortlist.images.model import (
    DamagedImage,
    ImageTooLarge,
    NotAnImage,
    RenderingStopped,
    Tier,
)
from shortlist.images.renderer import RendererPool
from shortlist.images.renditions import render

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows can't pause a process")


def test_the_pool_gives_what_rendering_gives():
    data = pictures.encoded(pictures.photo(500, 400))

    async def body():
        async with RendererPool() as pool:
            return await pool.render(data)

    assert asyncio.run(body()) == render(data)


def test_changed_regions_come_through_the_pool():
    before = pictures.photo(640, 768)
    after = pictures.pasted(before, (0.4, 0.1, 0.6, 0.3))

    async def body():
        async with RendererPool() as pool:
            return await pool.changed_regions(pictures.encoded(before), pictures.encoded(after))

    (box,) = asyncio.run(body())
    assert 0.3 < box.x < 0.45


def test_many_pictures_at_once_each_get_their_own_answer():
    files = [pictures.encoded(pictures.photo(60 + n, 50, seed=n)) for n in range(20)]

    async def body():
        async with RendererPool() as pool:
            answers = await asyncio.gather(*map(pool.render, files))
            return answers, len(pool.process_ids)

    answers, processes = asyncio.run(body())
    assert answers == [render(data) for data in files]
    assert processes <= 2


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", DamagedImage),
        (b"<html>", NotAnImage),
        (pictures.encoded(pictures.photo())[:900], DamagedImage),
        (pictures.giant_header(), ImageTooLarge),
        (bytes(256 * 2**20 + 1), ImageTooLarge),
    ],
    ids=["empty", "page", "cut", "flood", "bytes"],
)
def test_a_refusal_keeps_its_kind_and_the_worker_its_life(data, kind):
    good = pictures.encoded(pictures.photo())

    async def body():
        async with RendererPool(workers=1) as pool:
            await pool.render(good)
            before = pool.process_ids
            with pytest.raises(kind) as refusal:
                await pool.render(data)
            await pool.render(good)
            return refusal.value.sentence, before == pool.process_ids

    sentence, same = asyncio.run(body())
    assert sentence.endswith(".")
    assert same


@POSIX
def test_a_picture_that_takes_too_long_is_given_up_and_the_next_one_works():
    data = pictures.encoded(pictures.photo())

    async def body():
        async with RendererPool(workers=1, limit_seconds=5) as pool:
            await pool.render(data)
            pool.limit_seconds = 0.2
            (stuck,) = pool.process_ids
            os.kill(stuck, signal.SIGSTOP)
            with pytest.raises(RenderingStopped, match=r"within 0\.2 s"):
                await pool.render(data)
            pool.limit_seconds = 20
            assert (await pool.render(data)).width == 96
            return stuck in pool.process_ids

    assert not asyncio.run(body())


@POSIX
def test_a_worker_that_dies_over_a_picture_costs_this_picture_only():
    data = pictures.encoded(pictures.photo())

    async def body():
        async with RendererPool(workers=1) as pool:
            await pool.render(data)
            os.kill(pool.process_ids[0], signal.SIGSTOP)
            waiting = asyncio.create_task(pool.render(data))
            await asyncio.sleep(0)
            os.kill(pool.process_ids[0], signal.SIGKILL)
            with pytest.raises(RenderingStopped, match="try it again"):
                await waiting
            return await pool.render(data)

    assert asyncio.run(body()).width == 96


def test_a_worker_that_died_while_idle_costs_no_picture():
    data = pictures.encoded(pictures.photo())

    async def body():
        async with RendererPool(workers=1) as pool:
            await pool.render(data)
            os.kill(pool.process_ids[0], signal.SIGTERM)
            await until(lambda: not pool.process_ids)
            return await pool.render(data)

    assert asyncio.run(body()).width == 96


def test_a_cancelled_picture_does_not_answer_the_next_one():
    first, second = (pictures.encoded(pictures.photo(700 + n, 700)) for n in range(2))

    async def body():
        async with RendererPool(workers=1) as pool:
            await pool.render(second)
            waiting = asyncio.create_task(pool.render(first))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return await pool.render(second)

    assert asyncio.run(body()).width == 701


def test_workers_end_when_there_is_nothing_to_do():
    data = pictures.encoded(pictures.photo())

    async def body():
        async with RendererPool(idle_seconds=0.05) as pool:
            await pool.render(data)
            assert pool.process_ids
            await until(lambda: not pool.process_ids)
            return await pool.render(data)

    assert asyncio.run(body()).width == 96


def test_no_worker_outlives_the_pool():
    async def body():
        async with RendererPool() as pool:
            await pool.render(pictures.encoded(pictures.photo()))
            return pool.process_ids

    (process,) = asyncio.run(body())
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


async def until(condition: Callable[[], bool]) -> None:
    """Waits for the condition, ten seconds at most."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@LINUX
def test_a_worker_knows_no_secret_of_the_hub(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")

    def environment(process: int) -> bytes:
        return Path(f"/proc/{process}/environ").read_bytes()

    assert b"a-secret" not in asyncio.run(with_worker(environment))


@LINUX
def test_a_worker_has_a_limit_of_memory():
    def limits(process: int) -> str:
        return Path(f"/proc/{process}/limits").read_text()

    (line,) = (
        line
        for line in asyncio.run(with_worker(limits)).splitlines()
        if line.startswith("Max address space")
    )
    assert line.split()[3:5] == [str(2 * 2**30)] * 2


async def with_worker(look):
    """What `look` sees of a worker that has rendered."""
    async with RendererPool(workers=1) as pool:
        await pool.render(pictures.encoded(pictures.photo()))
        return look(pool.process_ids[0])


@pytest.mark.slow
def test_the_largest_allowed_picture_fits_into_the_memory_of_a_worker():
    data = pictures.encoded(Image.new("RGBA", (8192, 8192), "orange"), compress_level=1)

    async def body():
        async with RendererPool(workers=1, limit_seconds=120) as pool:
            return await pool.render(data)

    rendered = asyncio.run(body())
    assert (rendered.width, rendered.height) == (8192, 8192)
    assert set(rendered.tiers) == set(Tier)


def test_the_hub_itself_loads_no_imaging_library():
    script = (
        "import sys, shortlist.images.renderer, shortlist.images.blobs;"
        "sys.exit('PIL' in sys.modules or 'obstore' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
