"""Pictures on the way of a job that runs: announced, shown, never kept, never trusted."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from itertools import count

import httpx2
import pytest
from PIL import Image

from api.conftest import Started
from api.test_live import followed, last
from shortlist.dispatcher.progress import MOST_PREVIEW_BYTES, Progress

_ids = count(9_000_001)


class Board:
    """A running job of no run, whose progress a test tells in the hub's own loop."""

    def __init__(self, hub: Started) -> None:
        progress = hub.rooms.progress
        assert isinstance(progress, Progress)
        self.progress, self._loop = progress, hub.loop
        self.job = next(_ids)
        self.address = f"/api/jobs/{self.job}/preview"

    def show(self, data: bytes) -> None:
        self._do(lambda: self.progress.show(self.job, data))

    def tell(self) -> None:
        self._do(lambda: self.progress.tell(self.job, value=3, max=20, node="KSampler"))

    def drop(self) -> None:
        self._do(lambda: self.progress.drop(self.job))

    def _do(self, act: Callable[[], None]) -> None:
        done: Future[None] = Future()

        def there() -> None:
            act()
            done.set_result(None)

        self._loop.call_soon_threadsafe(there)
        done.result(10)


@pytest.fixture
def board(running: Started) -> Iterator[Board]:
    board = Board(running)
    yield board
    board.drop()


def jpeg(color: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), color).save(file, "JPEG")
    return file.getvalue()


def test_the_newest_preview_is_shown_while_the_job_runs(
    client: httpx2.Client, board: Board
) -> None:
    board.show(jpeg("blue"))
    board.show(jpeg("red"))
    answer = client.get(board.address, params={"number": 3})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(answer.content)) as picture:
        red, green, blue = picture.convert("RGB").getpixel((20, 20))  # type: ignore[misc]
        assert picture.size == (64, 48)
    assert (red > 200, green < 60, blue < 60) == (True, True, True)
    board.drop()
    assert client.get(board.address).status_code == 404


def test_a_preview_is_kept_by_no_cache_and_can_run_nothing(
    client: httpx2.Client, board: Board
) -> None:
    board.show(jpeg())
    headers = client.get(board.address).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]


def test_a_preview_is_announced_with_the_progress_and_to_those_who_come_late(
    client: httpx2.Client, board: Board
) -> None:
    board.tell()
    board.show(jpeg())
    with followed(client, last(client)) as stream:
        told = stream.until("progress").data
        while told["job"] != board.job or told["preview"] is None:
            told = stream.until("progress").data
    assert (told["value"], told["max"], told["node"]) == (3, 20, "KSampler")
    assert client.get(board.address, params={"number": told["preview"]}).status_code == 200


@pytest.mark.parametrize(
    "data",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<html><script>alert(1)</script></html>",
        jpeg()[:200],
        b"",
    ],
)
def test_what_a_server_calls_a_preview_is_no_more_than_a_sentence_when_it_is_none(
    client: httpx2.Client, board: Board, data: bytes
) -> None:
    board.show(data)
    answer = client.get(board.address)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "can't be shown" in answer.json()["detail"]
    assert "script" not in answer.text


def test_a_preview_that_is_too_large_is_not_kept(client: httpx2.Client, board: Board) -> None:
    board.show(jpeg())
    before = client.get(board.address).content
    board.show(jpeg("blue") + b"\0" * MOST_PREVIEW_BYTES)
    assert client.get(board.address).content == before


def test_a_job_without_a_preview_says_so(client: httpx2.Client, board: Board) -> None:
    assert "no picture on its way" in client.get(board.address).json()["detail"]
    board.tell()
    assert client.get(board.address).status_code == 404
