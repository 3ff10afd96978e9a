"""An editor document with its subgraphs opened, and where each input gets its value. Pure.

A level is one sheet in one place: the same subgraph used twice gives two levels. Inner nodes are
named `outer:inner` as the editor's own export names them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from shortlist.comfy.editor import INPUT_BOX, Document, EditorNode, Mode, Sheet, Slot
from shortlist.comfy.faults import WorkflowFault
from shortlist.comfy.graph import MAX_NODES, Link
from shortlist.comfy.plain import JSON

MAX_DEPTH = 20
_MAX_HOPS = 150
REROUTES = frozenset({"Reroute"})
PRIMITIVE = "PrimitiveNode"


@dataclass(frozen=True, slots=True)
class Given:
    """A value that stands in place of a link: a primitive's or a promoted field's."""

    value: JSON


class Nothing(Enum):
    """Why an input gets nothing: no link leads to it, or its link leads to a node that is off."""

    UNLINKED = "unlinked"
    MUTED = "muted"


Source = Link | Given | Nothing


@dataclass(slots=True)
class Level:
    """One sheet in one place. `given` are a subgraph's promoted values by the name of its input,
    `set` those that go to an inner field directly.
    """

    prefix: str
    sheet: Sheet
    outer: Level | None = None
    host: EditorNode | None = None
    given: Mapping[str, JSON] = field(default_factory=dict)
    set: Mapping[tuple[str, str], JSON] = field(default_factory=dict)
    inner: dict[str, Level] = field(default_factory=dict)

    def path(self, node: EditorNode) -> str:
        """The node's id in API format."""
        return self.prefix + node.id


def open_levels(document: Document, is_input_field: Callable[[str, str], bool]) -> Level:
    """The main level, all subgraphs opened below it; `WorkflowFault` if they hold themselves.

    `is_input_field` tells whether an input of a node type is a field.
    """
    main = Level("", document.main)
    count = 0
    waiting = [(main, 0)]
    while waiting:
        level, depth = waiting.pop()
        count += len(level.sheet.nodes)
        if depth > MAX_DEPTH or count > MAX_NODES:
            raise WorkflowFault("The workflow's subgraphs are nested without end or far too large.")
        for node in level.sheet.nodes.values():
            sheet = document.subgraphs.get(node.type)
            if sheet is not None:
                level.inner[node.id] = _open(level, node, sheet, document, is_input_field)
                waiting.append((level.inner[node.id], depth + 1))
    return main


def _open(
    level: Level,
    node: EditorNode,
    sheet: Sheet,
    document: Document,
    is_input_field: Callable[[str, str], bool],
) -> Level:
    opened = Level(f"{level.path(node)}:", sheet, level, node)
    if node.named:
        opened.given = node.named
    elif node.values and len(node.proxies) == len(node.values):
        pairs = list(zip(node.proxies, node.values, strict=True))
        opened.given = {name: value for (inner, name), value in pairs if inner == "-1"}
        opened.set = {(inner, name): value for (inner, name), value in pairs if inner != "-1"}
    elif node.values:
        opened.given = _by_order(node, promoted(sheet, document, is_input_field))
    return opened


def _by_order(node: EditorNode, names: list[str]) -> dict[str, JSON]:
    drawn = [slot.name for slot in node.inputs if slot.is_widget]
    for order in (names, drawn):
        if len(order) == len(node.values):
            return dict(zip(order, node.values, strict=True))
    raise WorkflowFault(
        f"{node.label}: its saved values do not match the fields of its subgraph; open the workflow"
        " in ComfyUI, save it there once more, or export it in API format."
    )


def promoted(
    sheet: Sheet,
    document: Document,
    is_input_field: Callable[[str, str], bool],
    *,
    depth: int = 0,
) -> list[str]:
    """The inputs of a subgraph that are fields of nodes inside it, in order."""
    if depth > MAX_DEPTH:
        return []
    names = []
    for index, name in enumerate(sheet.inputs):
        for node, slot in _targets(sheet, index):
            inner = document.subgraphs.get(node.type)
            held = promoted(inner, document, is_input_field, depth=depth + 1) if inner else []
            if slot.is_widget or slot.name in held or is_input_field(node.type, slot.name):
                names.append(name)
                break
    return names


def _targets(sheet: Sheet, index: int) -> Iterator[tuple[EditorNode, Slot]]:
    """The inner inputs that slot `index` of the input box leads to."""
    for link in sheet.from_box.get(index, ()):
        node = sheet.nodes.get(link.target)
        if node is not None:
            yield from ((node, slot) for slot in node.inputs if slot.link == link.id)


def source_of(level: Level, slot: Slot, *, hops: int = 0) -> Source:
    """Where an input gets its value: a real node's output, a given value, or nothing."""
    link = level.sheet.links.get(slot.link)
    if link is None:
        return Nothing.UNLINKED
    if hops > _MAX_HOPS:
        raise WorkflowFault("The workflow's links go round in a circle.")
    if link.origin == INPUT_BOX:
        return _from_outside(level, link.origin_slot, hops=hops + 1)
    origin = level.sheet.nodes.get(link.origin)
    if origin is None:
        return Nothing.UNLINKED
    return _output_of(level, origin, link.origin_slot, wanted=slot.type, hops=hops + 1)


def _from_outside(level: Level, index: int, *, hops: int) -> Source:
    if level.outer is None or level.host is None or index >= len(level.sheet.inputs):
        return Nothing.UNLINKED
    name = level.sheet.inputs[index]
    slot = next((slot for slot in level.host.inputs if slot.name == name), None)
    if slot is not None and slot.link:
        outside = source_of(level.outer, slot, hops=hops)
        if outside is not Nothing.UNLINKED:
            return outside
    return Given(level.given[name]) if name in level.given else Nothing.UNLINKED


def _output_of(level: Level, node: EditorNode, index: int, *, wanted: str, hops: int) -> Source:
    if node.mode is Mode.MUTED:
        return Nothing.MUTED
    if node.mode is Mode.BYPASSED:
        return _around(level, node, index, wanted=wanted, hops=hops)
    if node.type in REROUTES:
        return source_of(level, node.inputs[0], hops=hops) if node.inputs else Nothing.UNLINKED
    if node.type == PRIMITIVE:
        return Given(node.values[0]) if node.values else Nothing.UNLINKED
    if node.id in level.inner:
        return _from_inside(level.inner[node.id], index, wanted=wanted, hops=hops)
    return Link(level.path(node), index)


def _around(level: Level, node: EditorNode, index: int, *, wanted: str, hops: int) -> Source:
    """A bypassed node hands on its input: the one of the same place if its type fits, else the
    first of that type."""
    made = node.outputs[index] if index < len(node.outputs) else wanted
    same = node.inputs[index : index + 1]
    candidates = [*same, *node.inputs]
    for slot in candidates:
        if _fits(slot.type, wanted) and _fits(slot.type, made):
            found = source_of(level, slot, hops=hops)
            return Nothing.MUTED if found is Nothing.UNLINKED else found
    return Nothing.MUTED


def _fits(one: str, other: str) -> bool:
    if "*" in (one, other) or not one or not other:
        return True
    return bool(set(one.split(",")) & set(other.split(",")))


def _from_inside(inner: Level, index: int, *, wanted: str, hops: int) -> Source:
    link = inner.sheet.to_box.get(index)
    if link is None:
        return Nothing.UNLINKED
    if link.origin == INPUT_BOX:
        return _from_outside(inner, link.origin_slot, hops=hops)
    node = inner.sheet.nodes.get(link.origin)
    if node is None:
        return Nothing.UNLINKED
    return _output_of(inner, node, link.origin_slot, wanted=wanted, hops=hops)


def live_nodes(level: Level) -> Iterator[tuple[Level, EditorNode]]:
    """All nodes that are on, with their level; what lies in a subgraph that is off is off."""
    waiting = [level]
    while waiting:
        here = waiting.pop()
        for node in here.sheet.nodes.values():
            if node.mode is not Mode.ON:
                continue
            if node.id in here.inner:
                waiting.append(here.inner[node.id])
            else:
                yield here, node
