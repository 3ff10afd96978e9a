"""Pictures for these tests, good and hostile, some of them made byte by byte."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Sequence

from PIL import Image, ImageFilter

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def photo(width: int = 96, height: int = 64, *, seed: int = 1) -> Image.Image:
    """Soft shapes of many colours, the same for a seed."""
    dice = random.Random(seed)
    cells = Image.frombytes("RGB", (9, 7), dice.randbytes(9 * 7 * 3))
    return cells.resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The picture as a file."""
    out = io.BytesIO()
    fast = {"compress_level": 1} if kind == "PNG" else {}
    image.save(out, kind, **fast | options)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk with its right checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width: int, height: int, *, bits: int = 8, colour: int = 2) -> bytes:
    """The first chunk of a PNG."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """The PNG with more chunks behind its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def one_bit(edge: int) -> bytes:
    """A complete black PNG of one bit a pixel: many pixels in few bytes."""
    rows = zlib.compress(bytes((edge + 7) // 8 + 1) * edge, 9)
    head = header(edge, edge, bits=1, colour=0)
    return SIGNATURE + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def giant_header() -> bytes:
    """69 bytes that claim 65,535 × 65,535 pixels."""
    body = zlib.compress(b"\0")
    return SIGNATURE + header(65535, 65535) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def like_decoded_again(image: Image.Image, *, seed: int = 7) -> Image.Image:
    """The picture as after a round trip through a VAE: a bit softer, greyer, and noisy all over."""
    dice = random.Random(seed)
    softer = image.filter(ImageFilter.GaussianBlur(0.6)).point(lambda value: value * 0.985 + 2)
    noise = Image.frombytes("RGB", image.size, dice.randbytes(image.width * image.height * 3))
    return Image.blend(softer, noise, 0.03)


def pasted(image: Image.Image, box: Sequence[float], *, seed: int = 99) -> Image.Image:
    """The picture with another one in the box (fractions: left, top, right, bottom), blended in."""
    left, top, right, bottom = (
        round(part * side) for part, side in zip(box, image.size * 2, strict=True)
    )
    patch = photo(right - left, bottom - top, seed=seed)
    mask = Image.new("L", patch.size, 0)
    mask.paste(255, (4, 4, patch.width - 4, patch.height - 4))
    changed = image.copy()
    changed.paste(patch, (left, top), mask.filter(ImageFilter.GaussianBlur(3)))
    return changed
