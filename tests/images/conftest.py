"""Both kinds of image store: a folder, and an S3 server that answers over HTTP."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from moto.server import ThreadedMotoServer

from images import pictures
from shortlist.images.blobs import Blobs
from shortlist.images.model import Rendered
from shortlist.images.renditions import render


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a running S3 server."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Makes a bucket and tells the location of a prefix in it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")

    def make(*, prefix: str = "deep/down") -> str:
        name = f"images-{uuid4().hex}"
        request = urllib.request.Request(f"{s3_server}/{name}", method="PUT")  # noqa: S310
        urllib.request.urlopen(request).close()  # noqa: S310
        return f"s3://{name}/{prefix}?endpoint={s3_server}&region=us-east-1&allow_http=true"

    return make


@pytest.fixture(params=["folder", "bucket"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where images are kept, one after the other in both kinds of store."""
    if request.param == "folder":
        return str(tmp_path / "images")
    made: str = request.getfixturevalue("bucket")()
    return made


@pytest.fixture
def blobs(location: str) -> Blobs:
    """An open store of either kind."""
    return Blobs.open(location)


@pytest.fixture(scope="session")
def image() -> tuple[bytes, Rendered]:
    """A picture and its renditions."""
    data = pictures.encoded(pictures.photo(400, 300))
    return data, render(data)


@pytest.fixture(scope="session")
def other_image() -> tuple[bytes, Rendered]:
    """Another picture and its renditions, in another format."""
    data = pictures.encoded(pictures.photo(200, 300, seed=2), "JPEG")
    return data, render(data)
