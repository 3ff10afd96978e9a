"""Says before the night what would go wrong: a workflow and its bindings against one server. Pure.

Only what the output depends on is looked at, for only that is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from shortlist.comfy.bindings import SAVERS, makes_stills, no_still_words
from shortlist.comfy.catalogue import Catalogue, Input
from shortlist.comfy.files import LOADERS, foreign_files
from shortlist.comfy.graph import Graph, Link, link_of, name_of, upstream
from shortlist.comfy.plain import JSON, a_dict, a_list, is_number
from shortlist.comfy.roles import Bindings, Role, Target
from shortlist.comfy.scope import marks
from shortlist.comfy.widgets import fits

_MODEL = re.compile(r".+\.(safetensors|sft|ckpt|pt|pth|bin|gguf|onnx|engine)", re.IGNORECASE)
_KEY = re.compile(
    r"\b(sk-[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|r8_[A-Za-z0-9]{30,}"
    r"|AKIA[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|xai-[A-Za-z0-9]{20,}|comfyui-[A-Za-z0-9]{30,})"
)
_BATCHES = {"RepeatLatentBatch": "amount", "RepeatImageBatch": "amount"}


class IssueKind(StrEnum):
    """What can be wrong with a workflow on a server."""

    NO_OUTPUT = "no output"
    NOT_AN_IMAGE = "not an image"
    BAD_BINDING = "bad binding"
    INPUT_NOT_USED = "input not used"
    NO_PARENT_IMAGE = "no parent image"
    NO_SEED = "no seed"
    MISSING_NODE = "missing node type"
    MISSING_MODEL = "missing model"
    NOT_IN_LIST = "value not in list"
    OUT_OF_RANGE = "value out of range"
    WRONG_TYPE = "wrong type"
    MISSING_INPUT = "missing input"
    BROKEN_LINK = "broken link"
    BATCH = "batch above 1"
    FOREIGN_FILE = "file of the server"
    SECRET = "key in the workflow"  # noqa: S105 - the name of a finding
    UNKNOWN_MARK = "unknown title mark"


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong. Only where it `blocks` can the workflow not run as it is."""

    kind: IssueKind
    blocks: bool
    sentence: str
    node: str = ""
    input: str = ""


def check(
    graph: Graph, bindings: Bindings, catalogue: Catalogue | None, *, takes_parent: bool
) -> tuple[Issue, ...]:
    """All issues, those that block first. Without a catalogue nothing of the server is checked.

    `takes_parent` tells whether the step works on the image of the step before.
    """
    if bindings.output not in graph:
        sentence = "No node is bound as the output: choose the one that gives the image."
        return (Issue(IssueKind.NO_OUTPUT, True, sentence),)
    reached = set(upstream(graph, bindings.output))
    part = {node_id: node for node_id, node in graph.items() if node_id in reached}
    found = [
        *_output(graph, bindings.output),
        *_bindings(graph, bindings, reached, takes_parent=takes_parent),
        *_files(part, bindings),
        *_batches(part, bindings),
        *_keys(part),
        *_marks(part),
    ]
    if catalogue is not None:
        found += _against(part, bindings, catalogue)
    return tuple(sorted(found, key=lambda issue: not issue.blocks))


def outside_core(graph: Graph, catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    """The node types of a graph that come from installed packs, by pack: code of others."""
    packs: dict[str, set[str]] = {}
    for node in graph.values():
        known = catalogue.get(node["class_type"])
        if known is not None and known.pack.startswith("custom_nodes"):
            packs.setdefault(known.pack.partition(".")[2], set()).add(node["class_type"])
    return {pack: tuple(sorted(types)) for pack, types in sorted(packs.items())}


def _output(graph: Graph, output: str) -> Iterator[Issue]:
    if not makes_stills(graph, output):
        sentence = no_still_words(graph, output)
        yield Issue(IssueKind.NOT_AN_IMAGE, True, sentence, node=output)
    elif graph[output]["class_type"] not in SAVERS:
        sentence = f"{name_of(graph, output)} will be replaced by a SaveImage on the same link."
        yield Issue(IssueKind.NOT_AN_IMAGE, False, sentence, node=output)


def _bindings(
    graph: Graph, bindings: Bindings, reached: set[str], *, takes_parent: bool
) -> Iterator[Issue]:
    bound = [(role.value, t) for role, targets in bindings.targets.items() for t in targets]
    bound += [(f"variable {name}", target) for name, target in bindings.variables.items()]
    for role, target in bound:
        yield from _bound(graph, role, target, reached)
    if takes_parent and not bindings.of(Role.IMAGE):
        sentence = (
            "No input takes the parent image: add a Load Image node or title one shortlist:image."
        )
        yield Issue(IssueKind.NO_PARENT_IMAGE, True, sentence)
    if not bindings.of(Role.SEED):
        sentence = "No seed is bound: all children of one parent will be the same image."
        yield Issue(IssueKind.NO_SEED, False, sentence)


def _bound(graph: Graph, role: str, target: Target, reached: set[str]) -> Iterator[Issue]:
    where = name_of(graph, target.node)
    if target.node not in graph or target.input not in graph[target.node]["inputs"]:
        sentence = f"The {role} is bound to {where}, which has no input {target.input}."
        yield Issue(IssueKind.BAD_BINDING, True, sentence, target.node, target.input)
    elif target.node not in reached:
        sentence = f"The {role} is bound to {where}, which the output does not use."
        blocks = role == Role.IMAGE
        yield Issue(IssueKind.INPUT_NOT_USED, blocks, sentence, target.node, target.input)


def _files(part: Graph, bindings: Bindings) -> Iterator[Issue]:
    given = (*bindings.of(Role.IMAGE), *bindings.variables.values())
    spare = frozenset((target.node, target.input) for target in given)
    for held in foreign_files(part, spare=spare):
        yield Issue(IssueKind.FOREIGN_FILE, True, held.sentence, held.node, held.input)


def _batches(part: Graph, bindings: Bindings) -> Iterator[Issue]:
    for node_id, node in part.items():
        for name in ("batch_size", _BATCHES.get(node["class_type"], "batch_size")):
            value = node["inputs"].get(name)
            if isinstance(value, int) and value > 1:
                sentence = (
                    f"{name_of(part, node_id)}: {name} is {value}; set it to 1, because the hub"
                    " makes one image a job and keeps no more than a parent may have."
                )
                yield Issue(IssueKind.BATCH, False, sentence, node_id, name)
                break


def _keys(part: Graph) -> Iterator[Issue]:
    for node_id, node in part.items():
        for name, value in node["inputs"].items():
            if isinstance(value, str) and _KEY.search(value):
                sentence = (
                    f"{name_of(part, node_id)}: {name} holds what looks like an API key; it would"
                    " stand in every picture made. Keep it on the server instead."
                )
                yield Issue(IssueKind.SECRET, False, sentence, node_id, name)


def _marks(part: Graph) -> Iterator[Issue]:
    known = {role.value for role in Role}
    for node_id in part:
        for word in sorted(marks(part, node_id) - known):
            sentence = (
                f"{name_of(part, node_id)}: its title says shortlist:{word}, which means nothing;"
                f" known are {', '.join(sorted(known))}."
            )
            yield Issue(IssueKind.UNKNOWN_MARK, False, sentence, node_id)


def _against(part: Graph, bindings: Bindings, catalogue: Catalogue) -> Iterator[Issue]:
    given = [t for role in (Role.IMAGE, Role.SEED) for t in bindings.of(role)]
    by_jobs = {(target.node, target.input) for target in given}
    for node_id, node in part.items():
        class_type = node["class_type"]
        if class_type in catalogue:
            yield from _node(part, node_id, by_jobs, catalogue)
        elif node_id != bindings.output or class_type in SAVERS:
            # Any other output has a SaveImage take its place.
            sentence = f"{name_of(part, node_id)}: this server does not have the node type."
            yield Issue(IssueKind.MISSING_NODE, True, sentence, node_id)


def _node(
    part: Graph, node_id: str, by_jobs: set[tuple[str, str]], catalogue: Catalogue
) -> Iterator[Issue]:
    inputs = part[node_id]["inputs"]
    for item in catalogue[part[node_id]["class_type"]].inputs:
        if item.name in inputs:
            link = link_of(inputs[item.name])
            if link is not None:
                yield from _linked(part, node_id, item, link, catalogue)
            elif (node_id, item.name) not in by_jobs and not _names_file(part, node_id, item):
                yield from _value(part, node_id, item)
        elif item.needed and not any(name.startswith(f"{item.name}.") for name in inputs):
            sentence = f"{name_of(part, node_id)}: its input {item.name} is missing."
            yield Issue(IssueKind.MISSING_INPUT, True, sentence, node_id, item.name)


def _linked(
    part: Graph, node_id: str, item: Input, link: Link, catalogue: Catalogue
) -> Iterator[Issue]:
    origin = catalogue.get(part[link.node]["class_type"]) if link.node in part else None
    if link.node not in part or (origin and not 0 <= link.slot < len(origin.outputs)):
        sentence = f"{name_of(part, node_id)}: the link into {item.name} leads nowhere."
        yield Issue(IssueKind.BROKEN_LINK, True, sentence, node_id, item.name)


def _value(part: Graph, node_id: str, item: Input) -> Iterator[Issue]:
    value = part[node_id]["inputs"][item.name]
    if not fits(item, value):
        sentence = f"{name_of(part, node_id)}: {item.name} can't be {value!r:.80}."
        yield Issue(IssueKind.WRONG_TYPE, True, sentence, node_id, item.name)
    elif item.choices is not None and not item.is_remote:
        yield from _chosen(part, node_id, item, value)
    elif is_number(value) and isinstance(value, int | float):
        yield from _ranged(part, node_id, item, value)


def _names_file(part: Graph, node_id: str, item: Input) -> bool:
    return item.is_file or LOADERS.get(part[node_id]["class_type"]) == item.name


def _chosen(part: Graph, node_id: str, item: Input, value: JSON) -> Iterator[Issue]:
    several = a_dict(value).get("__value__")
    for one in a_list(several) if several is not None else [value]:
        if one in (item.choices or ()):
            continue
        model = isinstance(one, str) and _MODEL.fullmatch(one) is not None
        kind = IssueKind.MISSING_MODEL if model else IssueKind.NOT_IN_LIST
        what = f"does not have the model {one!r:.200}" if model else f"does not offer {one!r:.80}"
        sentence = f"{name_of(part, node_id)}: this server {what} for {item.name}"
        yield Issue(kind, True, f"{sentence}{_hint(item, one)}.", node_id, item.name)


def _hint(item: Input, value: JSON) -> str:
    """The same file in another folder, or written with the other slash."""
    if not isinstance(value, str):
        return ""
    wanted = re.split(r"[\\/]", value)[-1].lower()
    texts = [choice for choice in item.choices or () if isinstance(choice, str)]
    like = next((text for text in texts if re.split(r"[\\/]", text)[-1].lower() == wanted), "")
    return f"; it has {like!r}" if like else ""


def _ranged(part: Graph, node_id: str, item: Input, value: float) -> Iterator[Issue]:
    low, high = item.bound("min"), item.bound("max")
    if low is not None and value < low:
        limit = f"below {low:g}"
    elif high is not None and value > high:
        limit = f"above {high:g}"
    else:
        return
    sentence = f"{name_of(part, node_id)}: {item.name} is {value:g}, {limit} on this server."
    yield Issue(IssueKind.OUT_OF_RANGE, True, sentence, node_id, item.name)
