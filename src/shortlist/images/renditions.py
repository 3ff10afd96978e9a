"""Pictures decoded: whole or refused, then hashed, made smaller, and compared.

The only module that knows the imaging library. What it reads comes from a server that is not
trusted, so the hub runs it in a process of its own (`renderer.py`).
"""

from __future__ import annotations

import hashlib
import io
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

from shortlist.images import changes, png
from shortlist.images.model import (
    Box,
    DamagedImage,
    ImageTooLarge,
    MediaType,
    NotAnImage,
    Rendered,
    Tier,
    check_bytes,
)
from shortlist.images.thumbhash import thumbhash

# 8192 × 8192 still passes; decoded as RGBA that is 256 MiB.
MAX_PIXELS = 64 * 2**20
_QUALITY = {Tier.LARGE: 90, Tier.SMALL: 80}
# Method 4 takes three times as long for files 4 % smaller; see docs/benchmarks.md.
_WEBP_METHOD = 0
# How coarsely pixels may be averaged before the real filter runs: a picture to judge hardly at all.
_COARSE = {Tier.LARGE: 1.5, Tier.SMALL: 1.0}
# Its finest wave has seven half-turns; 24 samples hold it.
_THUMBHASH_EDGE = 24
_MEDIA = {
    "PNG": MediaType.PNG,
    "JPEG": MediaType.JPEG,
    "MPO": MediaType.JPEG,  # a JPEG with further pictures behind it, as cameras write
    "WEBP": MediaType.WEBP,
}
_COLOUR_MODES = frozenset(("RGB", "RGBA", "P", "PA"))
_OTHER_CONTENT = {
    b"GIF8": "a GIF",
    b"%!PS": "PostScript",
    b"%PDF": "a PDF",
    b"8BPS": "a Photoshop file",
    b"PK\3\4": "a ZIP archive",
    b"<svg": "an SVG drawing",
    b"<?xm": "XML",
    b"<!do": "a web page",
    b"<htm": "a web page",
    b"{": "JSON",
}


def render(data: bytes) -> Rendered:
    """Everything the hub keeps of one still picture; raises an `ImageFault` if it is none."""
    image, media_type = decode(data)
    profile = _profile(image)
    shown = _plain(image)
    tiers = {tier: _smaller(shown, edge=tier, coarse=_COARSE[tier]) for tier in Tier}
    return Rendered(
        sha256=hashlib.sha256(data).hexdigest(),
        media_type=media_type,
        width=shown.width,
        height=shown.height,
        thumbhash=_thumbhash(tiers[Tier.SMALL]),
        tiers={
            tier: _webp(picture, quality=_QUALITY[tier], profile=profile)
            for tier, picture in tiers.items()
        },
    )


def changed_regions(parent: bytes, child: bytes) -> list[Box]:
    """Where the child differs from its parent: at most three boxes, the most changed first.

    None if the whole picture or its shape changed. Small tiers give the same boxes as originals
    in a tenth of the time.
    """
    before, after = (_plain(decode(data)[0]).convert("RGB") for data in (parent, child))
    return changes.regions(before, after)


def decode(data: bytes) -> tuple[Image.Image, MediaType]:
    """The picture with every pixel read, and its kind by content; raises an `ImageFault`."""
    check_bytes(data)
    if data.startswith(png.SIGNATURE):
        return _decode(png.without_text(data, max_pixels=MAX_PIXELS))
    if data.startswith(b"\xff\xd8\xff") or (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        return _decode(data)
    raise NotAnImage(_what_it_is(data))


def _decode(data: bytes) -> tuple[Image.Image, MediaType]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
        _check_shape(image)
        image.load()
        return image, _MEDIA[str(image.format)]
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as bomb:
        raise ImageTooLarge("The picture has too many pixels.") from bomb
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as fault:
        raise DamagedImage("The picture can't be decoded to its end; fetch it again.") from fault


def _check_shape(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise png.too_many_pixels(image.width, image.height, max_pixels=MAX_PIXELS)
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format == "WEBP":
        raise png.animation(frames)


def _what_it_is(data: bytes) -> str:
    start = data[:64].lstrip().lower()
    for mark, name in _OTHER_CONTENT.items():
        if start.startswith(mark.lower()):
            return f"This is {name}, not a PNG, JPEG or WebP picture."
    return "This is not a PNG, JPEG or WebP picture."


def _profile(image: Image.Image) -> bytes:
    """The colour profile, unless it describes grey or ink, which the copies no longer are."""
    profile = image.info.get("icc_profile")
    return profile if profile and image.mode in _COLOUR_MODES else b""


def _plain(image: Image.Image) -> Image.Image:
    """The picture upright in eight-bit RGB, or RGBA where one can see through it."""
    if image.mode.startswith("I"):
        image = image.point(lambda value: value / 256).convert("L")
    upright = ImageOps.exif_transpose(image)
    mode = "RGBA" if upright.has_transparency_data else "RGB"
    return upright if upright.mode == mode else upright.convert(mode)


def _smaller(image: Image.Image, *, edge: int, coarse: float) -> Image.Image:
    """The picture with its longest edge at most `edge` pixels; never made larger."""
    longest = max(image.size)
    if longest <= edge:
        return image
    width, height = (max(1, round(side * edge / longest)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=coarse)


def _webp(image: Image.Image, *, quality: int, profile: bytes) -> bytes:
    out = io.BytesIO()
    image.save(
        out, "WEBP", quality=quality, method=_WEBP_METHOD, icc_profile=profile, exif=b"", xmp=b""
    )
    return out.getvalue()


def _thumbhash(image: Image.Image) -> bytes:
    tiny = _smaller(image, edge=_THUMBHASH_EDGE, coarse=1.5).convert("RGBA")
    flat = tiny.tobytes()
    pixels = list(zip(*(flat[c::4] for c in range(4)), strict=True))
    return thumbhash(pixels, width=tiny.width, height=tiny.height)
