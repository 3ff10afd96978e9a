"""The words of this room: tiers, what rendering gives, and what can be wrong with a picture.

No imaging library is imported here, so the hub can hold these values without paying for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

MAX_BYTES = 256 * 2**20  # as an uncompressed eight-bit RGBA picture of the pixel limit


class MediaType(StrEnum):
    """The kinds of picture that are taken in; the value goes out as `Content-Type`."""

    PNG = "image/png"
    JPEG = "image/jpeg"
    WEBP = "image/webp"

    @property
    def extension(self) -> str:
        """How a file of this kind ends, without the dot."""
        return "jpg" if self is MediaType.JPEG else self.name.lower()


class Tier(IntEnum):
    """The smaller copies of an original; the value is the longest edge in pixels."""

    LARGE = 2048
    SMALL = 320


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is known of a picture that was read to its last pixel, and its smaller copies.

    `width` and `height` are pixels as shown, after the orientation tag of a photograph.
    """

    sha256: str
    media_type: MediaType
    width: int
    height: int
    thumbhash: bytes
    tiers: Mapping[Tier, bytes]


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a picture in fractions of its width and height, from the top left corner."""

    x: float
    y: float
    width: float
    height: float


class ImageFault(Exception):
    """A picture that can't be taken in, told in one sentence.

    ├─ NotAnImage       other content, or content of a kind that can't be judged
    ├─ DamagedImage     a picture that breaks off or contradicts itself; another copy may be whole
    ├─ ImageTooLarge    more bytes, pixels or text than the limits
    └─ RenderingStopped the renderer died or took too long; says nothing sure about the picture
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class NotAnImage(ImageFault):
    """Not one still PNG, JPEG or WebP picture."""


class DamagedImage(ImageFault):
    """Begins like a picture but is not a whole one."""


class ImageTooLarge(ImageFault):
    """Over a limit that protects the hub."""


class RenderingStopped(ImageFault):
    """The renderer ended before it had an answer."""


def check_bytes(data: bytes) -> None:
    """Refuses what is too large or too small to be looked at."""
    if len(data) > MAX_BYTES:
        raise ImageTooLarge(f"The file is larger than {MAX_BYTES // 2**20} MiB.")
    if not data:
        raise DamagedImage("The file is empty; fetch it again.")


class BlobsError(Exception):
    """A failure of the image store, told in one sentence.

    ├─ Missing      no such object
    ├─ Full         the disk or the quota has no room; nothing was half-written
    ├─ Denied       the store is there but does not let the hub in
    ├─ Unreachable  the folder, bucket or server can't be got at
    └─ BadLocation  the location as written can't be one
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Missing(BlobsError):
    """No object has this key."""


class Full(BlobsError):
    """No room left."""


class Denied(BlobsError):
    """No permission."""


class Unreachable(BlobsError):
    """Not there, or not answering."""


class BadLocation(BlobsError):
    """Not a folder and not an `s3://` address."""
