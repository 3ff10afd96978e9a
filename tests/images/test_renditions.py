"""What comes in is one whole still picture or is refused with a sentence."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from images import pictures
from shortlist.images.model import (
    DamagedImage,
    ImageFault,
    ImageTooLarge,
    MediaType,
    NotAnImage,
    Tier,
)
from shortlist.images.renditions import render


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize(
    ("kind", "media_type", "extension"),
    [
        ("PNG", MediaType.PNG, "png"),
        ("JPEG", MediaType.JPEG, "jpg"),
        ("WEBP", MediaType.WEBP, "webp"),
    ],
)
def test_a_picture_is_known_by_its_content(kind, media_type, extension):
    data = pictures.encoded(pictures.photo(), kind)

    rendered = render(data)

    assert rendered.sha256 == hashlib.sha256(data).hexdigest()
    assert (rendered.media_type, rendered.media_type.extension) == (media_type, extension)
    assert (rendered.width, rendered.height) == (96, 64)
    assert 20 <= len(rendered.thumbhash) <= 26


@pytest.mark.parametrize(
    ("size", "large", "small"),
    [
        ((300, 200), (300, 200), (300, 200)),
        ((1024, 768), (1024, 768), (320, 240)),
        ((2600, 1300), (2048, 1024), (320, 160)),
        ((40, 2400), (34, 2048), (5, 320)),
        ((1, 1), (1, 1), (1, 1)),
    ],
)
def test_tiers_are_webp_that_fit_their_edge_and_never_grow(size, large, small):
    tiers = render(pictures.encoded(pictures.photo(*size))).tiers

    shown = {tier: opened(data) for tier, data in tiers.items()}

    assert {tier: image.size for tier, image in shown.items()} == {
        Tier.LARGE: large,
        Tier.SMALL: small,
    }
    assert {image.format for image in shown.values()} == {"WEBP"}


def test_tiers_look_like_the_original():
    image = pictures.photo(800, 600)

    large = opened(render(pictures.encoded(image)).tiers[Tier.LARGE])

    worst = max(high for _, high in (Image.eval(d, int).getextrema() for d in _apart(image, large)))
    assert worst < 40
    assert sum(v * n for v, n in enumerate(_apart(image, large)[0].histogram())) / 480_000 < 4


def _apart(one, other):
    from PIL import ImageChops

    return ImageChops.difference(one, other.convert("RGB")).split()


def test_tiers_keep_the_colour_profile_and_drop_all_other_metadata():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    text = PngImagePlugin.PngInfo()
    text.add_text("prompt", "a secret prompt")
    exif = Image.Exif()
    exif[0x010E] = "a secret description"
    data = pictures.encoded(
        pictures.photo(), pnginfo=text, exif=exif, icc_profile=profile, dpi=(300, 300)
    )

    tiers = render(data).tiers

    for tier in tiers.values():
        assert b"secret" not in tier
        assert opened(tier).info["icc_profile"] == profile
        assert not opened(tier).getexif()


def test_a_grey_profile_is_not_put_on_a_coloured_copy():
    data = pictures.encoded(pictures.photo().convert("L"), icc_profile=b"describes grey")

    assert "icc_profile" not in opened(render(data).tiers[Tier.LARGE]).info


def test_a_turned_photograph_is_shown_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    rendered = render(pictures.encoded(pictures.photo(90, 40), "JPEG", exif=exif))

    assert (rendered.width, rendered.height) == (40, 90)
    assert opened(rendered.tiers[Tier.LARGE]).size == (40, 90)


def test_transparency_survives_in_tiers():
    image = pictures.photo().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))

    rendered = render(pictures.encoded(image))

    assert opened(rendered.tiers[Tier.SMALL]).mode == "RGBA"
    assert rendered.thumbhash[2] & 0x80


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_png_mode_is_taken(mode):
    source = Image.linear_gradient("L")
    image = source.convert("I").point(lambda v: v * 257) if mode == "I;16" else source
    rendered = render(pictures.encoded(image.convert(mode)))

    grey = opened(rendered.tiers[Tier.LARGE]).convert("L")
    assert grey.getpixel((128, 250)) > 200
    assert grey.getpixel((128, 5)) < 50


def test_an_ink_jpeg_is_taken():
    rendered = render(pictures.encoded(pictures.photo().convert("CMYK"), "JPEG"))

    assert rendered.media_type is MediaType.JPEG


def test_trailing_bytes_do_not_hurt():
    data = pictures.encoded(pictures.photo()) + b"<html><script>alert(1)</script></html>"

    rendered = render(data)

    assert rendered.sha256 == hashlib.sha256(data).hexdigest()
    assert all(b"script" not in tier for tier in rendered.tiers.values())


@pytest.mark.parametrize(
    "data", [pictures.giant_header(), pictures.one_bit(20_000)], ids=["header", "one bit"]
)
def test_a_flood_of_pixels_is_refused_before_it_is_decoded(data):
    with pytest.raises(ImageTooLarge, match="pixels, too many: the limit is 64 megapixels"):
        render(data)


def test_a_flood_of_pixels_is_refused_in_other_formats():
    jpeg = pictures.encoded(Image.new("L", (60_000, 4000)), "JPEG", quality=1)
    webp = bytearray(pictures.encoded(pictures.photo(), "WEBP", lossless=True))
    # The size of a lossless WebP: two times 14 bits, each one less.
    webp[21:25] = struct.pack("<I", (16_384 - 1) | (4400 - 1) << 14)

    for data in (jpeg, bytes(webp)):
        with pytest.raises(ImageTooLarge, match="too many"):
            render(data)


def test_a_file_over_the_size_limit_is_refused():
    with pytest.raises(ImageTooLarge, match="larger than 256 MiB"):
        render(bytes(256 * 2**20 + 1))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.99])
def test_a_cut_off_picture_is_damaged(kind, part):
    data = pictures.encoded(pictures.photo(400, 300), kind)

    with pytest.raises(DamagedImage):
        render(data[: int(len(data) * part)])


def test_a_png_without_its_last_chunk_is_damaged():
    with pytest.raises(DamagedImage, match="breaks off"):
        render(pictures.encoded(pictures.photo())[:-12])


@pytest.mark.parametrize("place", range(8, 1500, 37))
def test_a_flipped_bit_anywhere_in_a_png_is_found(place):
    data = bytearray(pictures.encoded(pictures.photo()))
    data[place] ^= 1

    with pytest.raises(ImageFault):
        render(bytes(data))


def test_no_bytes_are_a_damaged_picture():
    with pytest.raises(DamagedImage, match="empty"):
        render(b"")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (pictures.encoded(pictures.photo(), "GIF"), "a GIF"),
        (b"\n <svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "an SVG drawing"),
        (b"<!DOCTYPE html><title>502 Bad Gateway</title>", "a web page"),
        (b'{"error": "no such file"}', "JSON"),
        (b"8BPS\0\1", "a Photoshop file"),
        (b"PK\3\4\0\0", "a ZIP archive"),
        (pictures.encoded(pictures.photo(), "BMP"), "not a PNG, JPEG or WebP"),
        (pictures.encoded(pictures.photo(), "TIFF"), "not a PNG, JPEG or WebP"),
        (b"\0" * 100, "not a PNG, JPEG or WebP"),
    ],
)
def test_other_content_is_named(data, name):
    with pytest.raises(NotAnImage, match=name):
        render(data)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_is_refused(kind):
    frames = [pictures.photo(seed=seed) for seed in range(3)]
    data = pictures.encoded(frames[0], kind, save_all=True, append_images=frames[1:])

    with pytest.raises(NotAnImage, match="animation of 3 frames"):
        render(data)


def test_a_png_that_claims_ten_thousand_frames_is_refused_at_once():
    frames = pictures.chunk(b"acTL", struct.pack(">II", 10_000, 0))

    with pytest.raises(NotAnImage, match="10000 frames"):
        render(pictures.with_chunks(pictures.encoded(pictures.photo()), frames))


def test_a_workflow_of_some_megabytes_is_no_reason_to_refuse():
    text = pictures.chunk(b"tEXt", b"workflow\0" + b"x" * (4 * 2**20))

    assert render(pictures.with_chunks(pictures.encoded(pictures.photo()), text)).width == 96


TOO_MUCH_TEXT = {
    "plain": lambda: pictures.chunk(b"tEXt", b"prompt\0" + bytes(20_000_000)),
    "compressed": lambda: pictures.chunk(b"zTXt", b"prompt\0\0" + _packed_zeros()),
    "international": lambda: pictures.chunk(b"iTXt", b"prompt\0\1\0\0\0" + _packed_zeros()),
    "many": lambda: pictures.chunk(b"tEXt", b"prompt\0" + bytes(6 * 2**20)) * 3,
}
"""Made when a test wants them: packing takes half a second, and each worker reads this file."""


def _packed_zeros() -> bytes:
    return zlib.compress(bytes(100 * 2**20))


@pytest.mark.parametrize("kind", TOO_MUCH_TEXT)
def test_text_that_fills_memory_is_refused(kind):
    text = TOO_MUCH_TEXT[kind]()
    with pytest.raises(ImageTooLarge, match="16 MiB of text"):
        render(pictures.with_chunks(pictures.encoded(pictures.photo()), text))


@pytest.mark.parametrize("body", [b"prompt", b"prompt\0\0not zlib", b""])
def test_text_that_no_one_can_read_harms_nothing(body):
    text = pictures.chunk(b"zTXt", body) + pictures.chunk(b"iTXt", body)

    assert render(pictures.with_chunks(pictures.encoded(pictures.photo()), text)).width == 96
