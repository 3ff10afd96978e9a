"""Pictures over HTTP: by the hash of their content, as what they are, never as anything else."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import httpx2
import pytest
from PIL import Image

from api.conftest import Started
from builders import NOW
from judging import Studio
from shortlist.images.blobs import tier_key
from shortlist.images.model import Tier
from shortlist.images.renditions import render
from shortlist.services import results
from shortlist.services.results import NewImage


@dataclass(frozen=True)
class Stored:
    """A picture that is a candidate, and its bytes."""

    original: bytes
    hash: str
    key: str


@pytest.fixture
def store(running: Started, studio: Studio) -> Callable[[str], Stored]:
    """Makes a picture of a format a candidate of the studio's run."""

    def stored(format: str) -> Stored:
        file = io.BytesIO()
        noise = bytes(Random().randbytes(64 * 48 * 3))
        Image.frombytes("RGB", (64, 48), noise).resize((640, 480)).save(file, format)
        rendered = render(file.getvalue())
        key = running.rooms.blobs.put_image(file.getvalue(), rendered)
        image = NewImage(
            key, rendered.sha256, rendered.media_type, 640, 480, len(file.getvalue()), "", []
        )
        job = studio.job(None)
        running.database.run(lambda tx: results.ingest(tx, job, images=[image], now=NOW))
        return Stored(file.getvalue(), rendered.sha256, key)

    return stored


@pytest.mark.parametrize(
    ("format", "kind"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")]
)
def test_the_original_comes_byte_for_byte_as_what_it_is(
    format: str, kind: str, store: Callable[[str], Stored], client: httpx2.Client
) -> None:
    stored = store(format)
    answer = client.get(f"/api/images/{stored.hash}/original")
    assert answer.content == stored.original
    assert answer.headers["content-type"] == kind
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(("size", "edge"), [("320", 320), ("2048", 640)])
def test_smaller_copies_are_webp(
    size: str, edge: int, store: Callable[[str], Stored], client: httpx2.Client
) -> None:
    answer = client.get(f"/api/images/{store('PNG').hash}/{size}")
    assert answer.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.width == edge


@pytest.mark.parametrize("size", ["320", "2048", "original"])
def test_a_browser_that_has_it_is_not_sent_it_again(
    size: str, store: Callable[[str], Stored], client: httpx2.Client
) -> None:
    path = f"/api/images/{store('PNG').hash}/{size}"
    etag = client.get(path).headers["etag"]
    again = client.get(path, headers={"If-None-Match": f'"other", W/{etag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_copy_that_is_missing_is_made_again(
    running: Started, store: Callable[[str], Stored], client: httpx2.Client
) -> None:
    stored = store("PNG")
    folder = running.folder / "images"
    missing = folder / tier_key(stored.key, Tier.SMALL)
    before = missing.read_bytes()
    missing.unlink()
    answer = client.get(f"/api/images/{stored.hash}/320")
    assert (answer.status_code, answer.content) == (200, before)
    assert missing.read_bytes() == before


def test_a_copy_that_can_not_be_made_now_may_be_asked_for_again(
    running: Started,
    store: Callable[[str], Stored],
    client: httpx2.Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored = store("PNG")
    (running.folder / "images" / tier_key(stored.key, Tier.SMALL)).unlink()
    with monkeypatch.context() as hurried:
        hurried.setattr(running.rooms.renderer, "limit_seconds", 0.0)
        answer = client.get(f"/api/images/{stored.hash}/320")
    assert (answer.status_code, "try it again" in answer.json()["detail"]) == (503, True)
    assert client.get(f"/api/images/{stored.hash}/320").status_code == 200


@pytest.mark.parametrize("size", ["320", "original"])
def test_an_original_that_is_gone_is_said_to_be(
    size: str, running: Started, store: Callable[[str], Stored], client: httpx2.Client
) -> None:
    stored = store("PNG")
    for file in (running.folder / "images").rglob(f"{stored.hash}*"):
        file.unlink()
    answer = client.get(f"/api/images/{stored.hash}/{size}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert str(running.folder) not in answer.text


def test_a_hash_that_no_candidate_has_is_not_looked_up(client: httpx2.Client) -> None:
    for size in ("320", "2048", "original"):
        assert client.get(f"/api/images/{'ab' * 32}/{size}").status_code == 404
