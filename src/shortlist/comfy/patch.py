"""Makes the exact graph of one job out of a step's workflow, its bindings and the job's values.

Pure and deterministic: the same arguments give the same graph. Only what the chosen output depends
on is sent; no file of the server is read but those the hub put there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shortlist.comfy.bindings import SAVERS, image_input, no_output_words, no_still_words
from shortlist.comfy.faults import WorkflowFault
from shortlist.comfy.files import foreign_files
from shortlist.comfy.graph import Graph, Node, link_of, name_of, upstream
from shortlist.comfy.pictures import FILE_INPUTS, MASKS_ONLY
from shortlist.comfy.plain import JSON, is_whole
from shortlist.comfy.roles import Bindings, Role, Target

SEED_TOP = 2**53 - 1
"""Seeds stay exact in a browser's numbers."""

_PREFIX = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class Values:
    """What one job sets; None leaves the workflow's own value.

    `prefix` starts the names of the files it saves and must be its alone. `image` is a reference
    as `ComfyClient.upload` gives it. `variables` go by the names of `Bindings.variables`.
    """

    prefix: str
    seed: int | None = None
    image: str | None = None
    positive: str | None = None
    negative: str | None = None
    width: int | None = None
    height: int | None = None
    denoise: float | None = None
    batch: int | None = None
    variables: Mapping[str, JSON] = field(default_factory=dict)


def patch(graph: Graph, bindings: Bindings, values: Values) -> Graph:
    """The graph to submit; `WorkflowFault` names what stands in its way.

    The output node keeps its id, whatever node takes its place.
    """
    if bindings.output not in graph:
        raise WorkflowFault(no_output_words(graph))
    if not _PREFIX.fullmatch(values.prefix):
        raise WorkflowFault("The file name prefix is not made of plain words and slashes.")
    _check_targets(graph, bindings)
    kept = set(upstream(graph, bindings.output))
    made = {node_id: _copy(node) for node_id, node in graph.items() if node_id in kept}
    _set_output(made, bindings.output, values.prefix)
    for target, value in _settings(graph, bindings, values):
        if target.node in made:
            made[target.node]["inputs"][target.input] = value
    if values.image is not None:
        _set_images(made, bindings.of(Role.IMAGE), values.image)
    foreign = foreign_files(made)
    if foreign:
        raise WorkflowFault(foreign[0].sentence, items=tuple(f.sentence for f in foreign))
    return made


def derived_seeds(graph: Graph, targets: tuple[Target, ...], seed: int) -> dict[Target, int]:
    """A seed for each target: one target or one value gets the master seed itself.

    Several get seeds derived from the master seed and a node id (SHA-256), those that were equal
    in the workflow stay equal; all at most 2**53 - 1 and the server's own limit.
    """
    groups: dict[JSON, list[Target]] = {}
    for target in targets:
        value = graph[target.node]["inputs"].get(target.input)
        groups.setdefault(value if is_whole(value) else str(value), []).append(target)
    if len(groups) == 1:
        return {t: _within(seed, t.top) for t in targets}
    made = {}
    for group in groups.values():
        first = min(target.node for target in group)
        derived = _derived(seed, first)
        made.update({target: _within(derived, target.top) for target in group})
    return made


def _derived(seed: int, node: str) -> int:
    digest = hashlib.sha256(f"{seed}:{node}".encode()).digest()
    return int.from_bytes(digest[:8], "big") & SEED_TOP


def _within(seed: int, top: int | None) -> int:
    limit = SEED_TOP if top is None else min(top, SEED_TOP)
    return seed % (limit + 1)


def _copy(node: Node) -> Node:
    made = Node(class_type=node["class_type"], inputs=dict(node["inputs"]))
    if "_meta" in node:
        made["_meta"] = dict(node["_meta"])
    return made


def _check_targets(graph: Graph, bindings: Bindings) -> None:
    bound = [t for targets in bindings.targets.values() for t in targets]
    for target in (*bound, *bindings.variables.values()):
        if target.node not in graph or target.input not in graph[target.node]["inputs"]:
            where = name_of(graph, target.node)
            raise WorkflowFault(f"A binding points at {where}, which has no input {target.input}.")


def _settings(graph: Graph, bindings: Bindings, values: Values) -> Iterator[tuple[Target, JSON]]:
    for name, value in values.variables.items():
        if name not in bindings.variables:
            raise WorkflowFault(f"The step has no variable {name[:80]!r}.")
        yield bindings.variables[name], value
    plain: dict[Role, JSON] = {
        Role.POSITIVE: values.positive,
        Role.NEGATIVE: values.negative,
        Role.WIDTH: values.width,
        Role.HEIGHT: values.height,
        Role.DENOISE: values.denoise,
        Role.BATCH: values.batch,
    }
    for role, value in plain.items():
        if value is not None:
            yield from ((target, value) for target in bindings.of(role))
    if values.seed is not None:
        yield from derived_seeds(graph, bindings.of(Role.SEED), values.seed).items()


def _set_output(made: Graph, output: str, prefix: str) -> None:
    node = made[output]
    if node["class_type"] in SAVERS:
        node["inputs"]["filename_prefix"] = prefix
        return
    # Previews are wiped at a restart and packs' savers may tell history nothing, so a SaveImage
    # reads the same link in their place.
    name = image_input(made, output)
    if not name:
        raise WorkflowFault(no_still_words(made, output))
    link = link_of(node["inputs"][name])
    images: JSON = [link.node, link.slot] if link else None
    swapped = Node(class_type="SaveImage", inputs={"images": images, "filename_prefix": prefix})
    if "_meta" in node:
        swapped["_meta"] = node["_meta"]
    made[output] = swapped
    kept = set(upstream(made, output))
    for node_id in [n for n in made if n not in kept]:
        del made[node_id]


def _set_images(made: Graph, targets: tuple[Target, ...], reference: str) -> None:
    for target in targets:
        node = made.get(target.node)
        if node is not None and FILE_INPUTS.get(node["class_type"]) == target.input:
            made[target.node] = _core_loader(node, reference)
        elif node is not None:
            node["inputs"][target.input] = reference


def _core_loader(node: Node, reference: str) -> Node:
    """A loader of base64 text, a path or an output becomes LoadImage: same slots, our file."""
    class_type = node["class_type"]
    inputs: dict[str, JSON] = {"image": reference}
    if class_type in MASKS_ONLY:
        inputs["channel"] = node["inputs"].get("channel", "alpha")
    made = Node(
        class_type="LoadImageMask" if class_type in MASKS_ONLY else "LoadImage", inputs=inputs
    )
    if "_meta" in node:
        made["_meta"] = node["_meta"]
    return made
