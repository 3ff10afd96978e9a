"""The three folders of a ComfyUI on disk: names that count up from what is there, uploads that
step aside for other bytes, PNG files with the text chunks ComfyUI writes. No HTTP in here."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo


class Place(Enum):
    """Which folder a file is in, as the wire spells it."""

    INPUT = "input"
    OUTPUT = "output"
    TEMP = "temp"


class OutsideFolder(Exception):
    """A path that leaves its folder."""


class BadName(Exception):
    """A file name that can't be used."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A file as outputs and uploads name it."""

    filename: str
    subfolder: str
    place: Place

    def entry(self) -> dict[str, object]:
        return {"filename": self.filename, "subfolder": self.subfolder, "type": self.place.value}


class Folders:
    """`input`, `output` and `temp` under one base folder."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.temp_prefix = "ComfyUI_temp_" + "".join(
            secrets.choice(string.ascii_lowercase) for _ in range(5)
        )

    def prepare(self) -> None:
        """Makes the folders and empties `temp`, as every start of ComfyUI does."""
        shutil.rmtree(self.root(Place.TEMP), ignore_errors=True)
        for place in Place:
            self.root(place).mkdir(parents=True, exist_ok=True)

    def root(self, place: Place) -> Path:
        return self.base / place.value

    def inside(self, place: Place, subfolder: str) -> Path:
        """The folder `subfolder` of `place`; raises OutsideFolder when it leaves it."""
        root = self.root(place).resolve()
        folder = Path(os.path.normpath(root / subfolder))
        if os.path.commonpath([root, folder]) != str(root):
            raise OutsideFolder(subfolder)
        return folder

    def annotated(self, name: str) -> Path:
        """The file a LoadImage value means: `sub/name.png`, with ` [output]` or ` [temp]`."""
        bare, place = split_annotation(name)
        root = self.root(place or Place.INPUT).resolve()
        path = Path(os.path.normpath(root / bare))
        if os.path.commonpath([root, path]) != str(root):
            raise OutsideFolder(name)
        return path

    def top_level(self, place: Place) -> list[str]:
        return sorted(entry.name for entry in self.root(place).iterdir() if entry.is_file())

    def save_png(
        self,
        image: Image.Image,
        *,
        prefix: str,
        place: Place,
        chunks: Mapping[str, str],
        batch_number: int = 0,
    ) -> Saved:
        """Writes one picture under the next free counter of `prefix`."""
        prefix = _dated(prefix, image.size)
        subfolder, stem = os.path.split(os.path.normpath(prefix))
        folder = self._for_saving(place, subfolder)
        number = _highest(folder, stem) + 1
        filename = f"{stem.replace('%batch_num%', str(batch_number))}_{number:05}_.png"
        info = PngInfo()
        for key, text in chunks.items():
            info.add_text(key, text)
        # The levels ComfyUI uses: 4 for results, 1 for temporary previews.
        level = 1 if place is Place.TEMP else 4
        image.save(folder / filename, pnginfo=info, compress_level=level)
        return Saved(filename, subfolder.replace(os.sep, "/"), place)

    def save_animation(self, images: list[Image.Image], *, prefix: str, fps: float) -> Saved:
        """Writes one animated WebP under the next free counter of `prefix`."""
        subfolder, stem = os.path.split(os.path.normpath(_dated(prefix, images[0].size)))
        folder = self._for_saving(Place.OUTPUT, subfolder)
        filename = f"{stem}_{_highest(folder, stem) + 1:05}_.webp"
        images[0].save(
            folder / filename,
            save_all=True,
            append_images=images[1:],
            duration=round(1000 / fps),
        )
        return Saved(filename, subfolder.replace(os.sep, "/"), Place.OUTPUT)

    def _for_saving(self, place: Place, subfolder: str) -> Path:
        try:
            folder = self.inside(place, subfolder)
        except OutsideFolder:
            words = "Saving image outside the output folder is not allowed."
            raise OutsideFolder(words) from None
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def upload(
        self, data: bytes, *, filename: str, subfolder: str, place: Place, overwrite: bool
    ) -> Saved:
        """Stores uploaded bytes; a name taken by other bytes gives `name (1).png` and so on."""
        folder = self.inside(place, subfolder)
        if os.path.isabs(filename) or ".." in Path(filename).parts:
            raise BadName(filename)
        folder.mkdir(parents=True, exist_ok=True)
        stem, suffix = os.path.splitext(filename)
        target, number = folder / filename, 1
        while not overwrite and target.exists():
            if _same_bytes(target, data):
                return Saved(target.name, subfolder, place)
            target = folder / f"{stem} ({number}){suffix}"
            number += 1
        target.write_bytes(data)
        return Saved(target.name, subfolder, place)


def split_annotation(name: str) -> tuple[str, Place | None]:
    """`a.png [output]` → the name and the place it names, if it names one."""
    for place in Place:
        mark = f" [{place.value}]"
        if name.endswith(mark):
            return name.removesuffix(mark), place
    return name, None


def chunks_of(prompt: Mapping[str, object], extra: object) -> dict[str, str]:
    """The text chunks of a saved PNG: `prompt`, then every key of `extra_pnginfo`."""
    chunks = {"prompt": json.dumps(prompt)}
    if isinstance(extra, dict):
        chunks |= {str(key): json.dumps(value) for key, value in extra.items()}
    return chunks


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _same_bytes(path: Path, data: bytes) -> bool:
    return path.stat().st_size == len(data) and path.read_bytes() == data


def _highest(folder: Path, stem: str) -> int:
    """The highest counter in use; deleting the last file hands its number out again."""
    pattern = re.compile(re.escape(stem) + r"_(\d+)_", re.IGNORECASE)
    found = (pattern.match(entry.name) for entry in folder.iterdir())
    return max((int(match[1]) for match in found if match), default=0)


def _dated(prefix: str, size: tuple[int, int]) -> str:
    now = time.localtime()
    words = {
        "%width%": str(size[0]),
        "%height%": str(size[1]),
        "%year%": str(now.tm_year),
        "%month%": f"{now.tm_mon:02}",
        "%day%": f"{now.tm_mday:02}",
        "%hour%": f"{now.tm_hour:02}",
        "%minute%": f"{now.tm_min:02}",
        "%second%": f"{now.tm_sec:02}",
    }
    for word, value in words.items():
        prefix = prefix.replace(word, value)
    return prefix
