"""Pictures come back as they were put, in a folder and in a bucket alike."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime, timedelta

import pytest

from invariants import missing_tiers
from shortlist.images.blobs import Blobs, Swept, media_type, original_key, tier_key
from shortlist.images.model import BadLocation, Denied, MediaType, Missing, Tier, Unreachable
from shortlist.images.renditions import render

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
IN_AN_HOUR = datetime.now(UTC) + timedelta(hours=1)


def nothing(_hashes):
    return set()


def test_an_image_and_its_tiers_come_back_byte_for_byte(blobs, image):
    data, rendered = image

    key = blobs.put_image(data, rendered)

    assert blobs.get(key) == data
    assert {tier: blobs.get(tier_key(key, tier)) for tier in Tier} == rendered.tiers


def test_keys_are_made_of_the_hash_alone(blobs, image, other_image):
    for (data, rendered), extension in ((image, "png"), (other_image, "jpg")):
        sha256 = rendered.sha256

        key = blobs.put_image(data, rendered)

        assert key == f"{sha256[:2]}/{sha256[2:4]}/{sha256}.{extension}"
        assert key == original_key(sha256, rendered.media_type)
        assert tier_key(key, Tier.SMALL) == f"{sha256[:2]}/{sha256[2:4]}/{sha256}.320.webp"
        assert media_type(key) is rendered.media_type
        assert media_type(tier_key(key, Tier.LARGE)) is MediaType.WEBP


def test_the_same_image_twice_is_one(blobs, image):
    first = blobs.put_image(*image)
    second = blobs.put_image(*image)

    assert first == second
    assert blobs.sweep(nothing, older_than=IN_AN_HOUR).objects == 3


def test_renditions_of_another_picture_are_not_taken(blobs, image, other_image):
    with pytest.raises(ValueError, match="another picture"):
        blobs.put_image(image[0], other_image[1])


def test_size_and_existence(blobs, image, other_image):
    key = blobs.put_image(*image)
    absent = original_key(other_image[1].sha256, MediaType.JPEG)

    assert blobs.size(key) == len(image[0])
    assert blobs.exists(key)
    assert not blobs.exists(absent)
    with pytest.raises(Missing, match="not in the image"):
        blobs.get(absent)


def test_a_stream_gives_the_whole_in_pieces(blobs, image):
    data = image[0] + bytes(700_000)  # what follows the picture belongs to the file
    key = blobs.put_image(data, render(data))

    pieces = list(blobs.stream(key))

    assert b"".join(pieces) == data
    assert len(pieces) > 1


def test_a_stream_of_nothing_fails_before_the_first_piece(blobs, image):
    with pytest.raises(Missing):
        blobs.stream(original_key(image[1].sha256, MediaType.PNG))


@pytest.mark.parametrize(
    "key", ["../../etc/passwd", "/etc/passwd", "", "a", "..\\x", ".incoming/x", "ab/cd/x.png\0"]
)
def test_no_other_name_gets_at_anything(blobs, key):
    for call in (blobs.get, blobs.size, blobs.stream):
        with pytest.raises(Missing):
            call(key)


def test_a_missing_tier_is_told_and_comes_with_the_next_put(blobs, image):
    data, rendered = image
    large = {Tier.LARGE: rendered.tiers[Tier.LARGE]}
    key = blobs.put_image(data, dataclasses.replace(rendered, tiers=large))

    assert missing_tiers(blobs, key) == [Tier.SMALL]
    blobs.put_image(data, rendered)

    assert missing_tiers(blobs, key) == []
    assert blobs.get(tier_key(key, Tier.SMALL)) == rendered.tiers[Tier.SMALL]


def test_a_sweep_removes_what_has_no_row(blobs, image, other_image):
    kept = blobs.put_image(*image)
    orphan = blobs.put_image(*other_image)
    freed = len(other_image[0]) + sum(map(len, other_image[1].tiers.values()))

    swept = blobs.sweep(lambda _: {image[1].sha256}, older_than=IN_AN_HOUR)

    assert (swept.objects, swept.freed_bytes) == (3, freed)
    assert blobs.exists(kept)
    assert not missing_tiers(blobs, kept)
    assert not blobs.exists(orphan)
    assert len(missing_tiers(blobs, orphan)) == 2


def test_a_sweep_leaves_what_is_young(blobs, image):
    key = blobs.put_image(*image)

    swept = blobs.sweep(nothing, older_than=LONG_AGO)

    assert (swept.objects, swept.freed_bytes) == (0, 0)
    assert blobs.exists(key)


def test_a_sweep_asks_for_each_hash_once(blobs, image, other_image):
    blobs.put_image(*image)
    blobs.put_image(*other_image)
    asked = []

    blobs.sweep(lambda hashes: asked.extend(hashes) or set(hashes), older_than=IN_AN_HOUR)

    assert sorted(asked) == sorted([image[1].sha256, other_image[1].sha256])


def test_a_check_passes_and_leaves_nothing(blobs):
    blobs.check()

    assert blobs.sweep(nothing, older_than=IN_AN_HOUR) == Swept(0, 0, 0)


def test_two_prefixes_of_a_bucket_do_not_see_each_other(bucket, image):
    first = bucket(prefix="one")
    key = Blobs.open(first).put_image(*image)
    other = Blobs.open(first.replace("/one?", "/two?"))

    assert not other.exists(key)
    assert other.sweep(nothing, older_than=IN_AN_HOUR).objects == 0
    assert Blobs.open(first).exists(key)


def test_a_bucket_without_prefix_works(bucket, image):
    blobs = Blobs.open(bucket(prefix=""))

    assert blobs.get(blobs.put_image(*image)) == image[0]


def test_a_bucket_that_does_not_exist_is_told(bucket, image):
    blobs = Blobs.open(re.sub("images-[0-9a-f]+", "images-nowhere", bucket()))

    for call in (
        blobs.check,
        lambda: blobs.put_image(*image),
        lambda: blobs.sweep(nothing, older_than=IN_AN_HOUR),
    ):
        with pytest.raises(Unreachable, match="bucket does not exist"):
            call()


def test_a_server_that_is_down_is_told(bucket, image):
    blobs = Blobs.open(re.sub("endpoint=[^&]+", "endpoint=http://127.0.0.1:9", bucket()))

    with pytest.raises(Unreachable, match="does not answer"):
        blobs.put_image(*image)


@pytest.mark.parametrize(
    ("location", "sentence"),
    [
        ("", "kept in a folder or at s3"),
        ("https://example.com/images", "kept in a folder or at s3"),
        ("s3:///prefix", "names no bucket"),
        ("s3://bucket?access_key_id=AKIA", "Keys do not belong"),
        ("s3://bucket?speed=fast", "unknown option 'speed'"),
        ("s3://bucket?endpoint=http://127.0.0.1:9000", "add allow_http=true"),
    ],
)
def test_a_location_that_can_not_be_one_is_refused_with_the_way_out(location, sentence):
    with pytest.raises(BadLocation, match=sentence):
        Blobs.open(location)


def test_wrong_keys_are_told(bucket, monkeypatch):
    location = bucket()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0)

    with pytest.raises(Denied, match="AWS_ACCESS_KEY_ID"):
        Blobs.open(location).check()
