"""A workflow as ComfyUI's editor saves it, read into typed values; tolerant of all its versions.

Pure. Links are arrays in the main graph of version 0.4 and objects elsewhere; both are read. Inside
a subgraph, node -10 stands for its inputs and node -20 for its outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from shortlist.comfy.faults import WorkflowFault
from shortlist.comfy.graph import MAX_NODES
from shortlist.comfy.plain import JSON, a_dict, a_list, a_text, an_id, is_whole

INPUT_BOX = "-10"
OUTPUT_BOX = "-20"


class Mode(Enum):
    """What the person set a node to."""

    ON = 0
    MUTED = 2
    BYPASSED = 4


@dataclass(frozen=True, slots=True)
class Slot:
    """One input as drawn on a node; `link` is the id of its link or empty."""

    name: str
    type: str
    link: str
    is_widget: bool


@dataclass(frozen=True, slots=True)
class EditorNode:
    """One node of the editor. `values` are positional or by name, `named` by name where saved so.

    `proxies` are (inner node id, widget name) pairs of a subgraph's promoted fields.
    """

    id: str
    type: str
    title: str
    mode: Mode
    inputs: tuple[Slot, ...]
    outputs: tuple[str, ...]
    values: tuple[JSON, ...]
    named: Mapping[str, JSON]
    proxies: tuple[tuple[str, str], ...]
    pack: str

    @property
    def label(self) -> str:
        """How a person finds the node."""
        shown = f'"{self.title}" ({self.type})' if self.title else f'"{self.type}"'
        return f"{shown} #{self.id}"


@dataclass(frozen=True, slots=True)
class EditorLink:
    """A link between two nodes of one level."""

    id: str
    origin: str
    origin_slot: int
    target: str
    target_slot: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """One level of nodes: the main graph, or the inside of a subgraph with its boxes' slots.

    `from_box` and `to_box` are the links of the boxes by their slot.
    """

    name: str
    nodes: Mapping[str, EditorNode]
    links: Mapping[str, EditorLink]
    inputs: tuple[str, ...]
    from_box: Mapping[int, tuple[EditorLink, ...]]
    to_box: Mapping[int, EditorLink]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole editor file."""

    main: Sheet
    subgraphs: Mapping[str, Sheet]


def is_editor(value: JSON) -> bool:
    """Whether a value looks like an editor file."""
    held = a_dict(value)
    return isinstance(held.get("nodes"), list) and isinstance(held.get("links"), list)


def read_editor(value: JSON) -> Document:
    """The document; `WorkflowFault` where it is too large or its nodes are no nodes."""
    held = a_dict(value)
    definitions = a_list(a_dict(held.get("definitions")).get("subgraphs"))
    subgraphs = {
        a_text(a_dict(item).get("id"), limit=200): _sheet(a_dict(item)) for item in definitions
    }
    document = Document(_sheet(held), subgraphs)
    count = sum(len(sheet.nodes) for sheet in (document.main, *subgraphs.values()))
    if count > MAX_NODES:
        raise WorkflowFault(f"The workflow has {count} nodes; the limit is {MAX_NODES}.")
    return document


def _sheet(held: dict[str, JSON]) -> Sheet:
    nodes = [_node(item) for item in a_list(held.get("nodes"))]
    links = [link for item in a_list(held.get("links")) if (link := _link(item)) is not None]
    return Sheet(
        name=a_text(held.get("name"), limit=200),
        nodes={node.id: node for node in nodes},
        links={link.id: link for link in links},
        inputs=tuple(
            a_text(a_dict(slot).get("name"), limit=200) for slot in a_list(held.get("inputs"))
        ),
        from_box=_from_box(links),
        to_box={link.target_slot: link for link in links if link.target == OUTPUT_BOX},
    )


def _from_box(links: list[EditorLink]) -> dict[int, tuple[EditorLink, ...]]:
    found: dict[int, list[EditorLink]] = {}
    for link in links:
        if link.origin == INPUT_BOX:
            found.setdefault(link.origin_slot, []).append(link)
    return {slot: tuple(held) for slot, held in found.items()}


def _link(item: JSON) -> EditorLink | None:
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    parts = a_list(item)[:5] if isinstance(item, list) else [a_dict(item).get(k) for k in keys]
    if len(parts) < 5 or not is_whole(parts[2]) or not is_whole(parts[4]):
        return None
    ids = [an_id(parts[index]) for index in (0, 1, 3)]
    origin_slot, target_slot = parts[2], parts[4]
    if not all(ids) or not isinstance(origin_slot, int) or not isinstance(target_slot, int):
        return None
    return EditorLink(ids[0], ids[1], origin_slot, ids[2], target_slot)


def _node(item: JSON) -> EditorNode:
    held = a_dict(item)
    node_id, node_type = an_id(held.get("id")), a_text(held.get("type"), limit=200)
    if not node_id or not node_type:
        raise WorkflowFault("The editor file holds a node without an id or a type.")
    properties, values = a_dict(held.get("properties")), held.get("widgets_values")
    by_name = a_dict(held.get("widgets_values_named")) or a_dict(values)
    mode = held.get("mode")
    return EditorNode(
        id=node_id,
        type=node_type,
        title=a_text(held.get("title"), limit=200),
        mode=Mode(mode) if mode in (2, 4) else Mode.ON,
        inputs=tuple(_slot(a_dict(slot)) for slot in a_list(held.get("inputs"))),
        outputs=tuple(
            a_text(a_dict(slot).get("type"), limit=200) for slot in a_list(held.get("outputs"))
        ),
        values=tuple(a_list(values)),
        named=by_name,
        proxies=tuple(_proxies(properties.get("proxyWidgets"))),
        pack=a_text(properties.get("cnr_id") or properties.get("aux_id"), limit=200),
    )


def _slot(held: dict[str, JSON]) -> Slot:
    return Slot(
        name=a_text(held.get("name"), limit=200),
        type=a_text(held.get("type"), limit=200),
        link=an_id(held.get("link")),
        is_widget=isinstance(held.get("widget"), dict),
    )


def _proxies(stored: JSON) -> list[tuple[str, str]]:
    pairs = [a_list(item) for item in a_list(stored)]
    return [(an_id(pair[0]), a_text(pair[1], limit=200)) for pair in pairs if len(pair) >= 2]
