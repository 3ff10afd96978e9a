"""What `kill -9` leaves of a simulator: files on disk, and nothing of queue, history or counter."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from simulator.talk import plain


@contextmanager
def process(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    words = ("--folder", str(folder), "--port", str(port), "--seconds-per-image", "30")
    child = subprocess.Popen([sys.executable, "-m", "shortlist", "simulator", *words])
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def free_port() -> int:
    """One that no other test is given while the process is down: below those that systems choose
    from when they are asked for any."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    pytest.fail("no free port found")


async def answers(http: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await http.get("/api/prompt")
                return
            except httpx2.ConnectError:
                await asyncio.sleep(0.05)


def upscaling() -> dict:
    """A job that lasts: a sampling pass of half a minute."""
    graph = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "sea", "clip": ["1", 1]}},
        "3": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64}},
        "4": {"class_type": "KSampler", "inputs": {"model": ["1", 0], "latent_image": ["3", 0]}},
        "5": {"class_type": "VAEDecode", "inputs": {"samples": ["4", 0], "vae": ["1", 2]}},
        "6": {"class_type": "SaveImage", "inputs": {"images": ["5", 0], "filename_prefix": "x"}},
    }
    graph["1"]["inputs"] = {"ckpt_name": "sketch-base.safetensors"}
    graph["3"]["inputs"] |= {"batch_size": 1}
    graph["4"]["inputs"] |= {
        "seed": 1,
        "steps": 100,
        "cfg": 7.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "positive": ["2", 0],
        "negative": ["2", 0],
        "denoise": 1.0,
    }
    return graph


async def until_in_history(http: httpx2.AsyncClient, prompt_id: str) -> dict:
    async with asyncio.timeout(60):
        while not (entry := (await http.get(f"/api/history/{prompt_id}")).json()):
            await asyncio.sleep(0.02)
    return entry[prompt_id]


@pytest.mark.slow
def test_a_killed_process_leaves_files_and_forgets_everything_else(tmp_path: Path) -> None:
    port = free_port()

    async def before() -> tuple[list, list]:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            await answers(http)
            graph = plain(prefix="done")
            graph["8"] = {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}
            await http.post("/api/prompt", json={"prompt": graph, "prompt_id": "done"})
            await until_in_history(http, "done")
            await http.post("/api/prompt", json={"prompt": upscaling(), "prompt_id": "running"})
            await http.post("/api/prompt", json={"prompt": plain(color=9), "prompt_id": "waiting"})
            async with asyncio.timeout(60):
                while not (queue := (await http.get("/api/queue")).json())["queue_running"]:
                    await asyncio.sleep(0.02)
            return queue["queue_running"], queue["queue_pending"]

    async def after() -> None:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            await answers(http)
            assert (await http.get("/api/history")).json() == {}
            queue = (await http.get("/api/queue")).json()
            assert queue == {"queue_running": [], "queue_pending": []}
            again = {"prompt": plain(prefix="done"), "prompt_id": "done"}
            assert (await http.post("/api/prompt", json=again)).json()["number"] == 0
            entry = await until_in_history(http, "done")
            assert entry["outputs"]["9"]["images"][0]["filename"] == "done_00002_.png"

    with process(tmp_path, port) as child:
        running, pending = asyncio.run(before())
        assert [item[1] for item in running] == ["running"]
        assert [item[1] for item in pending] == ["waiting"]
        child.send_signal(signal.SIGKILL)
        child.wait()
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"http://127.0.0.1:{port}/api/prompt")
    assert len(list((tmp_path / "temp").iterdir())) == 1
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["done_00001_.png"]
    with process(tmp_path, port):
        asyncio.run(after())
    assert list((tmp_path / "temp").iterdir()) == []
