"""Files over the wire: `/view` and `/upload/image` with the traps of the real server, and answers
that break off in the middle when a fault says so."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from shortlist.simulator.files import BadName, Folders, OutsideFolder, Place, split_annotation
from shortlist.simulator.options import Fault, FaultKind, FaultScript

ON_VIEW = frozenset({FaultKind.TRUNCATE_VIEW, FaultKind.SLOW_VIEW})
DANGEROUS = frozenset({"text/html", "text/html-sandboxed", "application/xhtml+xml"})
"""Served as plain bytes, so that a browser doesn't run them."""


def answer(content: object, *, status: int = 200) -> Response:
    """JSON in the spelling of the real server: ASCII, a blank after commas and colons."""
    text = json.dumps(content)
    return Response(text, status_code=status, media_type="application/json; charset=utf-8")


class CutOff(Response):
    """An answer whose connection breaks after the first half of its body."""

    def __init__(self, content: bytes, *, keep: float = 0.0) -> None:
        super().__init__(content)
        self._kept = bytes(self.body[: int(len(self.body) * keep)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(head)
        await send({"type": "http.response.body", "body": self._kept, "more_body": True})
        # Ending without the rest makes the server drop the connection.


class Trickle(Response):
    """An answer whose second half comes later."""

    def __init__(self, content: bytes, *, media_type: str, seconds: float) -> None:
        super().__init__(content, media_type=media_type)
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(head)
        half = len(self.body) // 2
        first, second = bytes(self.body[:half]), bytes(self.body[half:])
        await send({"type": "http.response.body", "body": first, "more_body": True})
        await asyncio.sleep(self._seconds)
        await send({"type": "http.response.body", "body": second})


@dataclass(frozen=True, slots=True)
class Transfers:
    """Downloads and uploads of one simulator."""

    folders: Folders
    faults: FaultScript
    max_upload_bytes: int

    async def view(self, request: Request) -> Response:
        query = request.query_params
        found = self._file(
            query.get("filename", ""),
            subfolder=query.get("subfolder", ""),
            kind=query.get("type", Place.OUTPUT.value),
        )
        if isinstance(found, Response):
            return found
        if fault := self.faults.strike(ON_VIEW):
            return _spoilt(found, fault)
        naming = f'filename="{found.name}"'
        if "preview" in query:
            picture, kind = await asyncio.to_thread(_reencoded, found, query["preview"])
            return _inline(picture, media_type=kind, naming=naming)
        if query.get("channel", "rgba") != "rgba":
            picture = await asyncio.to_thread(_channel, found, query["channel"])
            return _inline(picture, media_type="image/png", naming=naming)
        return _whole(found, request=request, naming=naming)

    def _file(self, filename: str, *, subfolder: str, kind: str) -> Path | Response:
        filename, annotated = split_annotation(filename)
        if not filename or filename.startswith("/") or ".." in filename:
            return Response(status_code=400)
        try:
            place = annotated or Place(kind)
        except ValueError:
            return Response(status_code=400)
        try:
            folder = self.folders.inside(place, subfolder)
        except OutsideFolder:
            return Response(status_code=403)
        # Only the last part of the name counts: a folder in it is silently ignored.
        path = folder / os.path.basename(filename)
        return path if path.is_file() else Response(status_code=404)

    async def upload(self, request: Request) -> Response:
        if len(await request.body()) > self.max_upload_bytes:
            words = f"Maximum request body size {self.max_upload_bytes} exceeded."
            return PlainTextResponse(words, status_code=413)
        async with request.form() as form:
            image = form.get("image")
            if image is None or isinstance(image, str):
                return Response(status_code=400)
            return await self._store(
                image,
                subfolder=str(form.get("subfolder", "")),
                place=Place(str(form.get("type", Place.INPUT.value))),
                overwrite=form.get("overwrite") in ("true", "1"),
            )

    async def _store(
        self, image: UploadFile, *, subfolder: str, place: Place, overwrite: bool
    ) -> Response:
        if not image.filename:
            raise ValueError("an upload without a name")
        try:
            saved = self.folders.upload(
                await image.read(),
                filename=image.filename,
                subfolder=subfolder,
                place=place,
                overwrite=overwrite,
            )
        except (OutsideFolder, BadName):
            return Response(status_code=400)
        entry = saved.entry()
        entry["name"] = entry.pop("filename")
        return answer({key: entry[key] for key in ("name", "subfolder", "type")})


def _whole(path: Path, *, request: Request, naming: str) -> Response:
    stat = path.stat()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers = {
        "content-disposition": naming.encode("utf-8").decode("latin-1"),
        "etag": f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"',
    }
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    plain = "application/octet-stream" if kind in DANGEROUS else kind
    return FileResponse(path, media_type=plain, headers=headers, stat_result=stat)


def _inline(content: bytes, *, media_type: str, naming: str) -> Response:
    headers = {"content-disposition": naming.encode("utf-8").decode("latin-1")}
    return Response(content, media_type=media_type, headers=headers)


def _reencoded(path: Path, wish: str) -> tuple[bytes, str]:
    """The same pixels as WebP or JPEG; a quality may follow a semicolon."""
    name, _, quality = wish.partition(";")
    kind = name if name in ("webp", "jpeg") else "webp"
    out = BytesIO()
    with Image.open(path) as image:
        picture = image.convert("RGB") if kind == "jpeg" else image
        picture.save(out, format=kind, quality=int(quality) if quality.isdigit() else 90)
    return out.getvalue(), f"image/{kind}"


def _channel(path: Path, name: str) -> bytes:
    out = BytesIO()
    with Image.open(path) as image:
        whole = image.convert("RGBA")
    picture = whole.convert("RGB")
    if name == "a":
        picture = Image.new("RGBA", whole.size)
        picture.putalpha(whole.getchannel("A"))
    picture.save(out, format="PNG")
    return out.getvalue()


def _spoilt(path: Path, fault: Fault) -> Response:
    data = path.read_bytes()
    if fault.kind is FaultKind.SLOW_VIEW:
        return Trickle(data, media_type="image/png", seconds=fault.seconds)
    return CutOff(data, keep=0.5)
