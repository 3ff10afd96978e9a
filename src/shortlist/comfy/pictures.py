"""Finds where a parent image enters a graph: which loader, and what its picture is used for. Pure.

A loader that feeds only a ControlNet, a style or a mask holds a reference of the person's, not the
image of the step before.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from itertools import islice

from shortlist.comfy.graph import Edge, order_key
from shortlist.comfy.roles import Finding, Role, Sure, Target
from shortlist.comfy.scope import Scope, settled

FILE_INPUTS = {
    "LoadImage": "image",
    "LoadImageMask": "image",
    "LoadImageOutput": "image",
    "VHS_LoadImagePath": "image",
    "ETN_LoadImageBase64": "image",
    "ETN_LoadMaskBase64": "mask",
    "LoadImageBase64": "image",
    "easy loadImageBase64": "base64_data",
    "LoadImageFromUrl": "image",
    "Image Load": "image_path",
}
"""Loader types of core and of known packs, and the input that names their picture."""

MASKS_ONLY = frozenset({"LoadImageMask", "ETN_LoadMaskBase64"})

_REFERENCE_WORDS = (
    "controlnet", "preprocessor", "clipvision", "ipadapter", "style", "redux", "pulid",
    "instantid", "reference", "depth", "canny", "openpose",
)  # fmt: skip
_MAIN_CLASSES = ("upscale", "detailer", "inpaint")
_MAIN_INPUTS = frozenset({"pixels", "upscaled_image", "image1"})


_MAX_LOADERS = 50


class _Use(IntEnum):
    """What a picture is used for, best first."""

    MAIN = 0
    UNCLEAR = 1
    REFERENCE = 2
    MASK = 3
    NOTHING = 4


_WORDS = {
    _Use.MAIN: "its picture is what the workflow works on",
    _Use.UNCLEAR: "its picture is used on the way to the output",
    _Use.REFERENCE: "its picture serves as a reference",
    _Use.MASK: "only its mask is used",
    _Use.NOTHING: "nothing on the way to the output uses its picture",
}


def find_pictures(scope: Scope) -> Finding:
    """The finding of the parent image's input."""
    named = ((node, file_input(scope, node)) for node in scope.nodes)
    loaders = dict(islice(((node, name) for node, name in named if name), _MAX_LOADERS))
    marked = [Target(n, loaders.get(n) or _any_text(scope, n)) for n in scope.marked(Role.IMAGE)]
    if marked:
        return settled(scope, Role.IMAGE, [target for target in marked if target.input])
    if not loaders:
        why = "no image loader: the workflow starts from nothing, as a first step does"
        return Finding(Role.IMAGE, (), why, Sure.CERTAIN)
    uses = {node: _use(scope, node) for node in loaders}
    ranked = sorted(loaders, key=lambda node: (uses[node], _first_slot(scope, node)))
    choices = tuple(
        scope.choice(Target(node, loaders[node]), f"{_WORDS[uses[node][0]]}{uses[node][1]}")
        for node in ranked
    )
    best = Target(ranked[0], loaders[ranked[0]])
    tier = [node for node in ranked if uses[node][0] == uses[ranked[0]][0]]
    why = choices[0].why
    if len(loaders) == 1:
        sure = Sure.CERTAIN if uses[ranked[0]][0] is _Use.MAIN else Sure.LIKELY
        return Finding(Role.IMAGE, (best,), f"the only image loader; {why}", sure, choices)
    if len(tier) == 1:
        return Finding(Role.IMAGE, (best,), f"of {len(loaders)}: {why}", Sure.LIKELY, choices)
    why = f"{len(tier)} loaders may take the parent image: say which"
    return Finding(Role.IMAGE, (best,), why, Sure.ASK, choices)


def file_input(scope: Scope, node: str) -> str:
    """The input of a node that names a picture, empty for any other node."""
    held = scope.node(node)
    class_type = held["class_type"]
    if class_type in FILE_INPUTS:
        return FILE_INPUTS[class_type] if FILE_INPUTS[class_type] in held["inputs"] else ""
    if scope.catalogue is None or class_type not in scope.catalogue:
        return ""
    known = scope.catalogue[class_type]
    pictures = [i.name for i in known.inputs if i.options.get("image_upload") is True]
    return next((name for name in pictures if name in held["inputs"]), "")


def _any_text(scope: Scope, node: str) -> str:
    inputs = scope.node(node)["inputs"]
    return next((name for name, value in inputs.items() if isinstance(value, str)), "")


def _first_slot(scope: Scope, node: str) -> tuple[str, tuple[tuple[int, str], ...]]:
    """Orders equals: `image1` of an edit node before `image2`, then by id."""
    names = [edge.input for edge in scope.uses.get(node, ()) if edge.slot == 0]
    return min(names, default=""), order_key(node)


def _use(scope: Scope, loader: str) -> tuple[_Use, str]:
    """The best use of a loader's picture, and where that is."""
    inside = set(scope.nodes)
    edges = [edge for edge in scope.uses.get(loader, ()) if edge.node in inside]
    if scope.node(loader)["class_type"] in MASKS_ONLY or (
        edges and all(edge.slot != 0 for edge in edges)
    ):
        return _Use.MASK, ""
    best, where = _Use.NOTHING, ""
    waiting, seen = deque(edge for edge in edges if edge.slot == 0), set[str]()
    while waiting:
        edge = waiting.popleft()
        use = _use_at(scope, edge, inside)
        if use < best:
            best, where = use, f": {edge.input} of {scope.node(edge.node)['class_type']}"
        if use is _Use.UNCLEAR and edge.node not in seen:
            seen.add(edge.node)
            waiting.extend(e for e in scope.uses.get(edge.node, ()) if e.node in inside)
    return best, where


def _use_at(scope: Scope, edge: Edge, inside: set[str]) -> _Use:
    class_type = scope.node(edge.node)["class_type"].lower()
    if any(word in class_type for word in _REFERENCE_WORDS):
        return _Use.REFERENCE
    if edge.input in _MAIN_INPUTS or any(word in class_type for word in _MAIN_CLASSES):
        return _Use.MAIN
    onward = [e for e in scope.uses.get(edge.node, ()) if e.node in inside]
    return _Use.UNCLEAR if onward else _Use.MAIN
