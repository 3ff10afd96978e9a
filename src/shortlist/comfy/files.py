"""Which values of a graph name files of the server, and which of those the hub may send. Pure.

An imported workflow names files of its author's machine; some old servers read any path. So a graph
is sent only if every file it loads was put there by the hub, and no value is a path that leaves the
server's own folders.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shortlist.comfy.graph import Graph, link_of, name_of
from shortlist.comfy.pictures import FILE_INPUTS
from shortlist.comfy.plain import JSON

_OURS = re.compile(r"(shortlist/)?[0-9a-f]{64}( \(\d+\))?\.(png|jpg|jpeg|webp)")
_PATH = re.compile(
    r"""(
        [/~][^\n]*              # /etc/passwd, ~/x
      | [A-Za-z]:[\\/][^\n]*    # C:\x
      | \\\\[^\n]*              # \\host\share
      | file:[^\n]*
    )""",
    re.VERBOSE,
)
_MEDIA = re.compile(
    r"[^\n]+\.(png|jpe?g|webp|gif|bmp|tiff?|exr|mp4|webm|mov|mkv|wav|mp3|flac|ogg|latent|glb)"
    r"( \[\w+\])?",
    re.IGNORECASE,
)
_UP = re.compile(r"(^|[\\/])\.\.([\\/]|$)")
_OTHER_LOADERS = {
    "LoadAudio": "audio",
    "LoadVideo": "file",
    "Load3D": "model_file",
    "Load3DAnimation": "model_file",
    "LoadLatent": "latent",
    "LoadImageSetFromFolderNode": "folder",
    "LoadImageTextSetFromFolderNode": "folder",
    "LoadImageDataSetFromFolder": "folder",
    "VHS_LoadVideo": "video",
    "VHS_LoadVideoPath": "video",
    "VHS_LoadImages": "directory",
    "VHS_LoadImagesPath": "directory",
    "VHS_LoadAudio": "audio_file",
    "Load Image Batch": "path",
}
LOADERS = {**FILE_INPUTS, **_OTHER_LOADERS}
"""Node types that read a file by name, and the input that names it."""


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """A value that would make the server read or write where it must not."""

    node: str
    input: str
    sentence: str


def foreign_files(
    graph: Graph, *, spare: frozenset[tuple[str, str]] = frozenset()
) -> list[ForeignFile]:
    """All such values, in the graph's order, but for the inputs in `spare` that will be set."""
    return [
        ForeignFile(node_id, name, f"{name_of(graph, node_id)}: {wrong}.")
        for node_id, node in graph.items()
        for name, value in node["inputs"].items()
        if (node_id, name) not in spare and (wrong := _wrong(node["class_type"], name, value))
    ]


def _wrong(class_type: str, name: str, value: JSON) -> str:
    if LOADERS.get(class_type) == name:
        return _wrong_file(name, value)
    if not isinstance(value, str) or "\n" in value.strip():
        return ""
    if _MEDIA.fullmatch(value) and ("load" in class_type.lower() or _is_word(name, value)):
        return _wrong_file(name, value)
    if _is_path(class_type, name, value):
        return f"{name} is a path outside the server's own folders"
    return ""


def _wrong_file(name: str, value: JSON) -> str:
    if link_of(value) is not None:
        return f"{name} takes a file name from another node, which the hub can't check"
    if isinstance(value, str) and _OURS.fullmatch(value.removesuffix(" [input]")):
        return ""
    shown = value[:80] if isinstance(value, str) else "no file name"
    return (
        f"{name} loads {shown!r}, a file of the server; bind this input to the parent image"
        " or take the node out"
    )


def _is_word(name: str, value: str) -> bool:
    """Whether a value that might be a prompt is none: one word, in an input not named for text."""
    return " " not in value and not any(word in name for word in ("text", "prompt"))


def _is_path(class_type: str, name: str, value: str) -> bool:
    text = value.strip()
    if _UP.search(text) and " " not in text:
        return True
    if not _PATH.fullmatch(text):
        return False
    # A prompt may start with a slash; a path that matters has none of a sentence's spaces.
    return " " not in text or not any(word in name for word in ("text", "prompt", "value"))
