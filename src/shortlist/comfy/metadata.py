"""What ComfyUI wrote into a picture: its graph, its editor workflow and our own mark. Pure.

The bytes are untrusted: every size is checked before it is used, texts unpack to a limit, and what
is malformed counts as absent. PNG keeps JSON in text chunks (an animated one in private `comf`
chunks after the image), WebP in EXIF strings `key:{...}`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from shortlist.comfy.plain import JSON, loads, storable

MAX_TEXT_BYTES = 8 * 2**20
"""One text, unpacked; the workflows of ComfyUI's own templates stay below one megabyte."""
MAX_TOTAL_BYTES = 16 * 2**20
MAX_CHUNKS = 50_000
"""An honest picture of a gigabyte has some thirty thousand."""

OUR_KEY = "shortlist"
_PNG = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"comf")
_WEBP_TAGS = range(0x0100, 0x0111)
"""ComfyUI counts down from Model (0x0110) and Make (0x010F), one tag a key."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """The JSON found under each key; None where there is none."""

    prompt: JSON
    workflow: JSON
    shortlist: JSON


def is_picture(data: bytes) -> bool:
    """Whether the bytes begin as PNG or WebP do."""
    return data.startswith(_PNG) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def read_embedded(data: bytes) -> Embedded:
    """What a PNG or WebP carries; all None for other bytes. The first text of a key counts."""
    texts: dict[str, bytes] = {}
    total = 0
    for key, text in _png_texts(data) if data.startswith(_PNG) else _webp_texts(data):
        total += len(text)
        if total > MAX_TOTAL_BYTES:
            break
        texts.setdefault(key, text)
    return Embedded(*(_json(texts.get(key)) for key in ("prompt", "workflow", OUR_KEY)))


def _json(text: bytes | None) -> JSON:
    if text is None:
        return None
    try:
        return storable(loads(text.decode("utf-8", "replace")))
    except ValueError:
        return None


def _png_texts(data: bytes) -> Iterator[tuple[str, bytes]]:
    place = len(_PNG)
    for _ in range(MAX_CHUNKS):
        if place + 8 > len(data):
            return
        size, kind = struct.unpack_from(">I4s", data, place)
        start, place = place + 8, place + 12 + size
        if kind == b"IEND" or place > len(data):
            return
        if kind in _TEXTS and size <= MAX_TEXT_BYTES:
            yield from _png_text(kind, data[start : start + size])


def _png_text(kind: bytes, chunk: bytes) -> Iterator[tuple[str, bytes]]:
    key, _, rest = chunk.partition(b"\0")
    text: bytes | None = rest
    if kind == b"tEXt":
        text = rest.decode("latin-1").encode()
    elif kind == b"zTXt":
        text = _unpacked(rest[1:])
    elif kind == b"iTXt":
        packed, fields = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
        body = fields[2] if len(fields) == 3 else b""
        text = _unpacked(body) if packed else body
    if text is not None:
        yield key.decode("latin-1"), text


def _unpacked(packed: bytes) -> bytes | None:
    """The unpacked bytes, None where they are damaged or over the limit."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, MAX_TEXT_BYTES)
    except zlib.error:
        return None
    return text if unpacker.eof else None


def _webp_texts(data: bytes) -> Iterator[tuple[str, bytes]]:
    place = 12
    for _ in range(MAX_CHUNKS):
        if data[:4] != b"RIFF" or place + 8 > len(data):
            return
        kind, size = struct.unpack_from("<4sI", data, place)
        start, place = place + 8, place + 8 + size + size % 2
        if kind == b"EXIF" and size <= MAX_TEXT_BYTES:
            yield from _exif_texts(data[start : start + size].removeprefix(b"Exif\0\0"))


def _exif_texts(tiff: bytes) -> Iterator[tuple[str, bytes]]:
    """The strings `key:text` of the first directory of a TIFF block."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return
    (place,) = struct.unpack_from(f"{order}I", tiff, 4)
    if place + 2 > len(tiff):
        return
    (count,) = struct.unpack_from(f"{order}H", tiff, place)
    for index in range(count):
        entry = place + 2 + 12 * index
        if entry + 12 > len(tiff):
            return
        tag, kind, size, where = struct.unpack_from(f"{order}HHII", tiff, entry)
        # Type 2 is text; up to four bytes stand in the entry itself and can't be JSON of ours.
        if tag in _WEBP_TAGS and kind == 2 and 4 < size <= len(tiff) - where:
            key, colon, text = tiff[where : where + size].rstrip(b"\0").partition(b":")
            if colon:
                yield key.decode("latin-1"), text
