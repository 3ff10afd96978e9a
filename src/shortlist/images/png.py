"""The chunks of a PNG, walked before any decoder sees them.

Pillow skips the checksums of pixel data and inflates text it was not asked for; this walk checks
every checksum, refuses what is cut off or bombs, and hands the decoder a PNG without text.
"""

from __future__ import annotations

import struct
import zlib

from shortlist.images.model import DamagedImage, ImageTooLarge, NotAnImage

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# ComfyUI writes prompt and workflow as text: some megabytes if pictures are embedded in them.
MAX_TEXT_BYTES = 16 * 2**20
_TEXT = frozenset((b"tEXt", b"zTXt", b"iTXt"))
_OVERHEAD = 12  # length, kind and checksum, four bytes each


def without_text(data: bytes, *, max_pixels: int) -> bytes:
    """The picture from signature to end chunk, all checksums right, its text chunks left out.

    Bytes after the end chunk are tolerated and left out too. Raises an `ImageFault` otherwise.
    """
    whole = memoryview(data)
    _check_header(data, max_pixels=max_pixels)
    kept = [whole[: len(SIGNATURE)]]
    offset, text, kind = len(SIGNATURE), 0, b""
    while kind != b"IEND":
        kind, end = _chunk(whole, offset)
        if kind in _TEXT:
            text += _text_bytes(kind, data[offset + 8 : end - 4])
            _check_text(text)
        else:
            _check_still(kind, data[offset + 8 : offset + 12])
            kept.append(whole[offset:end])
        offset = end
    return b"".join(kept)


def _check_header(data: bytes, *, max_pixels: int) -> None:
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise DamagedImage("The PNG breaks off before its size is told; fetch it again.")
    width, height = struct.unpack_from(">II", data, 16)
    if width * height > max_pixels:
        raise too_many_pixels(width, height, max_pixels=max_pixels)


def too_many_pixels(width: int, height: int, *, max_pixels: int) -> ImageTooLarge:
    """The refusal of a picture by its size."""
    return ImageTooLarge(
        f"The picture has {width} × {height} pixels, too many: the limit is"
        f" {max_pixels // 2**20} megapixels."
    )


def animation(frames: int) -> NotAnImage:
    """The refusal of a picture that moves."""
    return NotAnImage(f"This is an animation of {frames} frames; only still pictures are judged.")


def _chunk(whole: memoryview, offset: int) -> tuple[bytes, int]:
    """The kind of the chunk at `offset` and where it ends."""
    if offset + _OVERHEAD > len(whole):
        raise DamagedImage("The PNG breaks off before its end; fetch it again.")
    length, kind = struct.unpack_from(">I4s", whole, offset)
    end = offset + _OVERHEAD + length
    if end > len(whole):
        raise DamagedImage("The PNG breaks off before its end; fetch it again.")
    (checksum,) = struct.unpack_from(">I", whole, end - 4)
    if zlib.crc32(whole[offset + 4 : end - 4]) != checksum:
        raise DamagedImage("A checksum inside the PNG is wrong; fetch it again.")
    return kind, end


def _check_still(kind: bytes, start: bytes) -> None:
    if kind == b"acTL" and start > struct.pack(">I", 1):
        frames = int.from_bytes(start, "big")
        raise animation(frames)


def _check_text(size: int) -> None:
    if size > MAX_TEXT_BYTES:
        raise ImageTooLarge(
            f"The PNG carries more than {MAX_TEXT_BYTES // 2**20} MiB of text;"
            " save it with less metadata."
        )


def _text_bytes(kind: bytes, body: bytes) -> int:
    """The size of a text chunk once inflated, counted no further than just over the limit."""
    packed = _packed(kind, body)
    if packed is None:
        return len(body)
    try:
        return len(zlib.decompressobj().decompress(packed, MAX_TEXT_BYTES + 1))
    except zlib.error:
        return len(body)  # unreadable text harms no pixel


def _packed(kind: bytes, body: bytes) -> bytes | None:
    """The compressed part of a text chunk: after the keyword; in iTXt after two more fields."""
    rest = body.partition(b"\0")[2]
    if kind == b"zTXt":
        return rest[1:]
    if kind == b"iTXt" and rest[:1] == b"\1":
        return rest[2:].split(b"\0", 2)[-1]
    return None
