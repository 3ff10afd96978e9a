"""Finds which inputs of a graph are the parent image, seed, prompts, output and sizes. Pure.

A title `shortlist:<role>` settles a role; else types, names and links decide, and each finding says
why and how sure it is.
"""

from __future__ import annotations

from shortlist.comfy.catalogue import Catalogue
from shortlist.comfy.graph import Graph, depths, link_of, name_of, order_key, upstream
from shortlist.comfy.pictures import find_pictures
from shortlist.comfy.plain import is_number, is_whole
from shortlist.comfy.prompts import find_prompts
from shortlist.comfy.roles import Choice, Finding, Found, Role, Sure, Target
from shortlist.comfy.scope import Scope, scope_of, settled

SAVERS = ("SaveImage", "SaveImageAdvanced")
"""Core nodes that save still images and tell history about it."""
PREVIEWS = ("PreviewImage", "SaveImageWebsocket")
"""Nodes that show an image without keeping it; a SaveImage takes their place."""

_NO_STILL = {
    **dict.fromkeys(("video", "webm", "animated", "gif"), "a video or an animation"),
    **dict.fromkeys(("audio", "mp3", "flac", "opus"), "a sound"),
    **dict.fromkeys(("glb", "3d"), "a 3D model"),
    "latent": "a latent",
    "text": "text",
}
_WAY_OUT = "only still images are supported: put a Save Image node behind the images instead."
_SEED_NAMES = ("seed", "noise_seed", "seed_num", "noise_seed_sde")
_OUTPUT_WORDS = ("save", "preview", "output")


def find_bindings(graph: Graph, catalogue: Catalogue | None) -> Found:
    """All findings of a graph; better ones with the catalogue of a server that knows its nodes."""
    everything = scope_of(graph, list(graph), catalogue)
    output = _find_output(everything)
    nodes = upstream(graph, output.targets[0].node) if output.targets else list(graph)
    scope = scope_of(graph, nodes, catalogue)
    positive, negative = find_prompts(scope)
    width, height = _find_size(scope)
    found = {
        Role.IMAGE: find_pictures(scope),
        Role.SEED: _find_seeds(scope),
        Role.POSITIVE: positive,
        Role.NEGATIVE: negative,
        Role.OUTPUT: output,
        Role.WIDTH: width,
        Role.HEIGHT: height,
        Role.DENOISE: _find_named(scope, Role.DENOISE, ("denoise",)),
        Role.BATCH: _find_named(scope, Role.BATCH, ("batch_size",)),
    }
    return Found(tuple(found[role] for role in Role), _inputs(scope))


def _inputs(scope: Scope) -> tuple[Choice, ...]:
    return tuple(
        scope.choice(scope.target(node, name), "may vary by run")
        for node, name, value in scope.values()
        if isinstance(value, str | int | float | bool)
    )


def is_output(class_type: str, catalogue: Catalogue | None) -> bool:
    """Whether a node type ends a workflow; judged by its name where the server's word is absent."""
    if catalogue is not None and class_type in catalogue:
        return catalogue[class_type].is_output
    return any(word in class_type.lower() for word in _OUTPUT_WORDS)


def makes_stills(graph: Graph, node_id: str) -> bool:
    """Whether an output node gives a still image, as far as its type's name tells."""
    class_type = graph[node_id]["class_type"]
    if class_type in SAVERS + PREVIEWS:
        return True
    if any(word in class_type.lower() for word in _NO_STILL):
        return False
    return image_input(graph, node_id) != ""


def no_still_words(graph: Graph, node_id: str) -> str:
    """What a person reads where an output node gives no still image."""
    class_type = graph[node_id]["class_type"].lower()
    made = next((words for part, words in _NO_STILL.items() if part in class_type), "")
    return f"{name_of(graph, node_id)} gives {made or 'no still image'}; {_WAY_OUT}"


def no_output_words(graph: Graph) -> str:
    """What a person reads where no output is bound: what the workflow ends in instead."""
    ends = [i for i in graph if is_output(graph[i]["class_type"], None)]
    other = next((i for i in sorted(ends, key=order_key) if not makes_stills(graph, i)), None)
    if other is None:
        return "The workflow has no output: choose the node that gives the image."
    return no_still_words(graph, other)


def image_input(graph: Graph, node_id: str) -> str:
    """The linked input through which an output node gets its image, empty if there is none."""
    linked = [name for name, value in graph[node_id]["inputs"].items() if link_of(value)]
    named = [name for name in linked if name.startswith("image")]
    return min(named, key=lambda name: (name not in ("images", "image"), name), default="")


def _find_output(scope: Scope) -> Finding:
    outputs = [n for n in scope.nodes if is_output(scope.node(n)["class_type"], scope.catalogue)]
    marked = scope.marked(Role.OUTPUT)
    if marked:
        return settled(scope, Role.OUTPUT, [Target(marked[0], "")])
    stills = [node for node in outputs if makes_stills(scope.graph, node)]
    if not stills:
        return _no_output(scope, outputs)
    # Of several, the one furthest along is the likelier result.
    far = depths(scope.graph)
    tiers = sorted(stills, key=lambda n: (_tier(scope, n), -far.get(n, 0), order_key(n)))
    best = [n for n in tiers if _tier(scope, n) == _tier(scope, tiers[0])]
    choices = tuple(scope.choice(Target(n, ""), _shows(scope, n)) for n in tiers)
    target = (Target(tiers[0], ""),)
    if len(best) > 1:
        why = f"{len(best)} nodes give an image: say which is the result"
        return Finding(Role.OUTPUT, target, why, Sure.ASK, choices)
    sure = Sure.CERTAIN if _tier(scope, tiers[0]) == 0 else Sure.LIKELY
    return Finding(Role.OUTPUT, target, choices[0].why, sure, choices)


def _no_output(scope: Scope, outputs: list[str]) -> Finding:
    if not outputs:
        return Finding(Role.OUTPUT, (), "no node saves or shows an image", Sure.ASK)
    made = scope.node(outputs[0])["class_type"]
    return Finding(Role.OUTPUT, (), f"its output {made} is not a still image", Sure.ASK)


def _tier(scope: Scope, node: str) -> int:
    class_type = scope.node(node)["class_type"]
    if class_type in SAVERS:
        return 0
    if class_type in PREVIEWS or "preview" in class_type.lower():
        return 2
    return 1


def _shows(scope: Scope, node: str) -> str:
    words = ("saves its image", "a pack's own saver: SaveImage takes its place",
             "only shows its image: SaveImage takes its place")  # fmt: skip
    return words[_tier(scope, node)]


def _find_seeds(scope: Scope) -> Finding:
    marked = [t for n in scope.marked(Role.SEED) if (t := _marked_number(scope, n))]
    if marked:
        return settled(scope, Role.SEED, marked)
    found: dict[Target, str] = {}
    for node in scope.nodes:
        for name in scope.node(node)["inputs"]:
            target = scope.settle(node, name) if _is_seed(scope, node, name) else None
            if target is not None and _takes_whole(scope, target):
                found.setdefault(target, f"{name} of {scope.node(node)['class_type']} #{node}")
    if not found:
        why = "no seed on the way to the output: the same parent gives the same image"
        return Finding(Role.SEED, (), why, Sure.CERTAIN)
    choices = tuple(scope.choice(target, why) for target, why in found.items())
    why = choices[0].why if len(found) == 1 else f"{len(found)} seeds, each gets its own"
    return Finding(Role.SEED, tuple(found), why, Sure.CERTAIN, choices)


def _takes_whole(scope: Scope, target: Target) -> bool:
    return is_whole(scope.node(target.node)["inputs"].get(target.input))


def _marked_number(scope: Scope, node: str) -> Target | None:
    inputs = scope.node(node)["inputs"]
    names = [n for n in (*_SEED_NAMES, "value") if n in inputs] or [
        n for n, value in inputs.items() if is_whole(value)
    ]
    return scope.settle(node, names[0]) if names else None


def _is_seed(scope: Scope, node: str, name: str) -> bool:
    if name in _SEED_NAMES:
        return True
    known = scope.catalogue.input(scope.node(node)["class_type"], name) if scope.catalogue else None
    return known is not None and known.rolls and known.type == "INT" and "seed" in name


def _find_size(scope: Scope) -> tuple[Finding, Finding]:
    """Width and height of the empty latent or image that a workflow starts from."""
    sources = [node for node in scope.nodes if _is_canvas(scope, node)]
    found = []
    for role in (Role.WIDTH, Role.HEIGHT):
        marked = [t for n in scope.marked(role) if (t := _first_number(scope, n, role))]
        if marked:
            found.append(settled(scope, role, marked))
            continue
        held = {t: n for n in sources if (t := scope.settle(n, role.value)) is not None}
        found.append(_number_finding(scope, role, held))
    return found[0], found[1]


def _is_canvas(scope: Scope, node: str) -> bool:
    held = scope.node(node)
    sized = "width" in held["inputs"] and "height" in held["inputs"]
    return sized and ("batch_size" in held["inputs"] or held["class_type"].startswith("Empty"))


def _find_named(scope: Scope, role: Role, names: tuple[str, ...]) -> Finding:
    marked = [t for n in scope.marked(role) if (t := _first_number(scope, n, role))]
    if marked:
        return settled(scope, role, marked)
    held: dict[Target, str] = {}
    for node in scope.nodes:
        for name in names:
            target = scope.settle(node, name) if name in scope.node(node)["inputs"] else None
            if target is not None:
                held.setdefault(target, node)
    return _number_finding(scope, role, held)


def _first_number(scope: Scope, node: str, role: Role) -> Target | None:
    inputs = scope.node(node)["inputs"]
    named = [n for n in inputs if n in (role.value, "value")]
    names = named or [n for n, value in inputs.items() if is_number(value)]
    return scope.settle(node, names[0]) if names else None


def _number_finding(scope: Scope, role: Role, held: dict[Target, str]) -> Finding:
    if not held:
        return Finding(role, (), f"no {role} to set in this workflow", Sure.CERTAIN)
    choices = tuple(
        scope.choice(target, f"{role} of {scope.node(node)['class_type']} #{node}")
        for target, node in held.items()
    )
    first = next(iter(held))
    if len(held) == 1:
        return Finding(role, (first,), choices[0].why, Sure.LIKELY, choices)
    why = f"{len(held)} nodes have one: say which"
    every = tuple(held) if role is Role.BATCH else (first,)
    sure = Sure.LIKELY if role is Role.BATCH else Sure.ASK
    return Finding(role, every, why if role is not Role.BATCH else "all of them", sure, choices)
