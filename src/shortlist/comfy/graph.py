"""A workflow in API format as plain data, and the questions one asks of a graph.

A graph maps node ids to nodes; an input is a value or a link `[node id, slot]`. Nothing here knows
what a node type means.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from typing import NamedTuple, NotRequired, TypeAlias, TypedDict

from shortlist.comfy.faults import WorkflowFault
from shortlist.comfy.plain import JSON, a_dict, a_text

MAX_NODES = 5_000
"""The largest workflows people share hold a few hundred nodes."""

MAX_INPUT_TEXT = 2_000_000
"""Characters of one input: far above any prompt, enough for a picture that a node holds as text."""


class Node(TypedDict):
    """One node as ComfyUI's API takes it."""

    class_type: str
    inputs: dict[str, JSON]
    _meta: NotRequired[dict[str, JSON]]


Graph: TypeAlias = dict[str, Node]


class Link(NamedTuple):
    """Where an input gets its value: slot `slot` of node `node`."""

    node: str
    slot: int


class Edge(NamedTuple):
    """One use of a node's output: `node`'s input `input` reads slot `slot`."""

    slot: int
    node: str
    input: str


def link_of(value: JSON) -> Link | None:
    """The link an input holds, or None for a plain value."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    node, slot = value
    if isinstance(node, str) and isinstance(slot, int) and not isinstance(slot, bool):
        return Link(node, slot)
    return None


def links_of(node: Node) -> Iterator[tuple[str, Link]]:
    """The linked inputs of a node, in order."""
    for name, value in node["inputs"].items():
        link = link_of(value)
        if link is not None:
            yield name, link


def title_of(graph: Graph, node_id: str) -> str:
    """The node's own title, or its type."""
    node = graph[node_id]
    title = a_text(node.get("_meta", {}).get("title"), limit=200).strip()
    return title or node["class_type"]


def name_of(graph: Graph, node_id: str) -> str:
    """A node as a person finds it in the editor: title, type where it differs, id."""
    if node_id not in graph:
        return f"#{node_id}"
    title, class_type = title_of(graph, node_id), graph[node_id]["class_type"]
    shown = f'"{title}"' if title == class_type else f'"{title}" ({class_type})'
    return f"{shown} #{node_id}"


def users(graph: Graph) -> dict[str, list[Edge]]:
    """For each node id, who reads it."""
    found: dict[str, list[Edge]] = defaultdict(list)
    for node_id, node in graph.items():
        for name, link in links_of(node):
            found[link.node].append(Edge(link.slot, node_id, name))
    return found


def upstream(graph: Graph, node_id: str) -> list[str]:
    """The node and all it depends on, nearest first; links to absent nodes are passed over."""
    seen = {node_id: None}
    waiting = deque([node_id])
    while waiting:
        node = graph.get(waiting.popleft())
        if node is None:
            continue
        for _, link in links_of(node):
            if link.node not in seen and link.node in graph:
                seen[link.node] = None
                waiting.append(link.node)
    return list(seen)


def order_key(node_id: str) -> tuple[tuple[int, str], ...]:
    """Sorts ids as a person counts: 9 before 10, `57:8` under 57."""
    return tuple(
        (int(part), "") if part.isdecimal() else (1 << 62, part) for part in node_id.split(":")
    )


def depths(graph: Graph) -> dict[str, int]:
    """How many nodes lie before each on its longest way; those in a loop are left out."""
    uses = users(graph)
    waits = {i: sum(link.node in graph for _, link in links_of(n)) for i, n in graph.items()}
    found = {i: 0 for i, count in waits.items() if count == 0}
    ready = deque(found)
    while ready:
        here = ready.popleft()
        for edge in uses.get(here, ()):
            found[edge.node] = max(found.get(edge.node, 0), found[here] + 1)
            waits[edge.node] -= 1
            if waits[edge.node] == 0:
                ready.append(edge.node)
    return {i: depth for i, depth in found.items() if waits[i] == 0}


def as_graph(value: JSON) -> Graph:
    """The value as a graph of its own (a copy); `WorkflowFault` names what is wrong with it."""
    nodes = a_dict(value)
    if not nodes:
        raise WorkflowFault("The workflow holds no nodes.")
    if len(nodes) > MAX_NODES:
        raise WorkflowFault(f"The workflow has {len(nodes)} nodes; the limit is {MAX_NODES}.")
    graph = {node_id: _as_node(node_id, node) for node_id, node in nodes.items()}
    sound = depths(graph)
    circular = next((node_id for node_id in graph if node_id not in sound), None)
    if circular is not None:
        raise WorkflowFault(f"Node {name_of(graph, circular)} is part of a loop of links.")
    return graph


def as_json(graph: Graph) -> dict[str, JSON]:
    """The graph as JSON values, its nodes copied."""
    made: dict[str, JSON] = {}
    for node_id, node in graph.items():
        copy: dict[str, JSON] = {"class_type": node["class_type"], "inputs": dict(node["inputs"])}
        if "_meta" in node:
            copy["_meta"] = dict(node["_meta"])
        made[node_id] = copy
    return made


def _as_node(node_id: str, value: JSON) -> Node:
    node = a_dict(value)
    class_type, inputs = node.get("class_type"), node.get("inputs")
    if not isinstance(class_type, str) or not class_type:
        raise WorkflowFault(f'Node #{node_id} has no "class_type".')
    if not isinstance(inputs, dict):
        raise WorkflowFault(f'Node #{node_id} ({class_type[:80]}) has no "inputs".')
    made = Node(class_type=a_text(class_type, limit=200), inputs={})
    for name, held in inputs.items():
        made["inputs"][name] = _bounded(node_id, held)
    if isinstance(node.get("_meta"), dict):
        made["_meta"] = dict(a_dict(node["_meta"]))
    return made


def _bounded(node_id: str, value: JSON) -> JSON:
    if isinstance(value, str) and len(value) > MAX_INPUT_TEXT:
        raise WorkflowFault(
            f"Node #{node_id} holds a text of {len(value)} characters;"
            f" the limit is {MAX_INPUT_TEXT}."
        )
    return value
