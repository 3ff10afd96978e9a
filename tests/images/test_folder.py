"""What a folder of images survives: a full disk, a kill, a sweep at the wrong moment."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from invariants import missing_tiers
from shortlist.images.blobs import Blobs, Swept
from shortlist.images.model import Unreachable

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)

# Puts pictures that are told whole by their own hash, and says which are kept.
WRITER = """
import hashlib, json, random, sys
from shortlist.images.blobs import Blobs
from shortlist.images.model import BlobsError, MediaType, Rendered, Tier

def picture(dice, size):
    data = dice.randbytes(size)
    sha256 = hashlib.sha256(data).hexdigest()
    tiers = {tier: sha256.encode() * 500 for tier in Tier}
    return data, Rendered(sha256, MediaType.PNG, 1, 1, b"", tiers)

def put(blobs, dice, size):
    key = blobs.put_image(*picture(dice, size))
    print(key, flush=True)

blobs, dice = Blobs.open(sys.argv[1]), random.Random(int(sys.argv[2]))
"""


def run(script: str, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*before, sys.executable, "-c", WRITER + script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def files(folder: Path) -> dict[str, bytes]:
    """All files below, by their path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def is_whole(key: str, data: bytes) -> bool:
    """Whether a file holds what its name says."""
    sha256 = Path(key).name[:64]
    if key.endswith(".webp"):
        return data == sha256.encode() * 500
    return hashlib.sha256(data).hexdigest() == sha256


PUT_UNTIL_FULL = """
try:
    while True:
        put(blobs, dice, 100_000)
except BlobsError as error:
    print(json.dumps([type(error).__name__, error.sentence]))
"""


def test_a_file_that_may_not_grow_leaves_nothing_half_written(tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"

    said = run(limit + PUT_UNTIL_FULL, str(tmp_path), "1").stdout.splitlines()

    assert json.loads(said[-1])[0] == "Full"
    assert files(tmp_path) == {}


@pytest.fixture
def tiny_disk(tmp_path):
    """The beginning of a command that mounts a disk of 700 KB, and the folder it is mounted at."""
    start = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
    mount = f'mount -t tmpfs -o size=700k tiny "{tmp_path}"'
    if not shutil.which("unshare") or subprocess.run([*start, mount], check=False).returncode:
        pytest.skip("mounting a small disk needs Linux with user namespaces")
    return (*start, f'{mount} && exec "$0" "$@"'), tmp_path


def test_a_full_disk_is_told_and_leaves_nothing_half_written(tiny_disk):
    before, folder = tiny_disk
    listing = """
import pathlib
for path in pathlib.Path(sys.argv[1]).rglob("*"):
    if path.is_file():
        print(json.dumps([str(path.relative_to(sys.argv[1])), path.read_bytes().hex()]))
"""

    said = run(PUT_UNTIL_FULL + listing, str(folder), "1", before=before).stdout.splitlines()

    kept = [line for line in said if line.endswith(".png")]
    name, sentence = json.loads(said[len(kept)])
    found = {path: bytes.fromhex(data) for path, data in map(json.loads, said[len(kept) + 1 :])}
    assert (name, "free some space" in sentence) == ("Full", True)
    assert 1 <= len(kept) <= 6
    assert set(kept) <= set(found)
    assert all(is_whole(key, data) for key, data in found.items())


def test_a_disk_that_is_read_only_is_told(tiny_disk):
    before, folder = tiny_disk
    *start, mount = before
    locked = mount.replace(" && ", f' && mount -o remount,ro "{folder}" && ', 1)
    script = "try:\n    blobs.check()\nexcept BlobsError as error:\n    print(type(error).__name__)"
    opens = f'mkdir -p "{folder}/.incoming" && '
    locked = locked.replace(" && mount", f" && {opens}mount", 1)

    said = run(script, str(folder), "1", before=(*start, locked))

    assert said.stdout.strip() == "Denied", said.stderr


def test_a_kill_at_any_moment_leaves_whole_objects_only(tmp_path):
    dice = random.Random(4)
    kept = []
    for seed in range(12):
        kept += killed_writer(tmp_path, seed=seed, after=dice.randrange(1, 25))

    found = files(tmp_path)

    visible = {key: data for key, data in found.items() if not key.startswith(".incoming/")}
    assert set(kept) <= set(visible)
    assert all(is_whole(key, data) for key, data in visible.items())

    hashes = {Path(key).stem for key in kept}
    Blobs.open(str(tmp_path)).sweep(lambda asked: hashes & set(asked), older_than=NOW + HOUR)

    assert {Path(key).name[:64] for key in files(tmp_path)} == hashes
    assert len(files(tmp_path)) == 3 * len(kept)


def killed_writer(folder: Path, *, seed: int, after: int) -> list[str]:
    """What a writer said it had kept before it was killed, once `after` images were in."""
    endless = "while True:\n    put(blobs, dice, dice.randrange(1000, 900_000))"
    command = [sys.executable, "-c", WRITER + endless, str(folder), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(after)]
        writer.kill()
        lines += writer.stdout.readlines()
    return [line.strip() for line in lines if line.endswith(".png\n")]


def grow_old(folder: Path, *, hours: int) -> None:
    """Sets the age of all files."""
    then = (NOW - hours * HOUR).timestamp()
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


def test_pieces_of_broken_off_writes_are_swept_after_their_grace(tmp_path, image):
    blobs = Blobs.open(str(tmp_path))
    key = blobs.put_image(*image)
    (tmp_path / ".incoming" / "old.part").write_bytes(b"half")
    grow_old(tmp_path, hours=2)
    (tmp_path / ".incoming" / "young.part").write_bytes(b"half")

    swept = blobs.sweep(set, older_than=NOW - HOUR)

    assert swept == Swept(0, 1, 4)
    assert (tmp_path / ".incoming" / "young.part").exists()
    assert blobs.exists(key)


def test_an_old_orphan_that_comes_in_again_has_its_grace_again(tmp_path, image):
    blobs = Blobs.open(str(tmp_path))
    key = blobs.put_image(*image)
    grow_old(tmp_path, hours=2)

    blobs.put_image(*image)

    assert blobs.sweep(lambda _: set(), older_than=NOW - HOUR).objects == 0
    assert blobs.exists(key)


def test_an_image_that_comes_in_while_the_sweep_asks_stays(tmp_path, image):
    blobs = Blobs.open(str(tmp_path))
    key = blobs.put_image(*image)
    grow_old(tmp_path, hours=2)

    def known(_hashes):
        blobs.put_image(*image)  # its row is not there yet
        return set()

    assert blobs.sweep(known, older_than=NOW - HOUR) == Swept(0, 0, 0)
    assert blobs.get(key) == image[0]
    assert missing_tiers(blobs, key) == []


def test_foreign_files_are_left_alone(tmp_path, image):
    blobs = Blobs.open(str(tmp_path))
    blobs.put_image(*image)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "ab" / "cd").mkdir(parents=True)
    (tmp_path / "ab" / "cd" / "holiday.png").write_text("mine too")

    blobs.sweep(lambda _: set(), older_than=NOW + HOUR)

    assert set(files(tmp_path)) == {"notes.txt", "ab/cd/holiday.png"}


def test_a_damaged_copy_is_replaced_when_the_image_comes_in_again(tmp_path, image):
    blobs = Blobs.open(str(tmp_path))
    key = blobs.put_image(*image)
    (tmp_path / key).write_bytes(b"")

    blobs.put_image(*image)

    assert blobs.get(key) == image[0]


def test_a_folder_that_went_away_is_told(tmp_path, image):
    blobs = Blobs.open(str(tmp_path / "images"))
    (tmp_path / "images").rename(tmp_path / "gone")

    with pytest.raises(Unreachable, match="look at its disk"):
        blobs.put_image(*image)

    assert not (tmp_path / "images").exists()


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "images").write_text("not a folder")

    with pytest.raises(Unreachable, match="image folder can't be used"):
        Blobs.open(str(tmp_path / "images"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no mode bits")
def test_a_new_folder_is_private(tmp_path):
    Blobs.open(str(tmp_path / "deep" / "images"))

    assert (tmp_path / "deep" / "images").stat().st_mode & 0o077 == 0
