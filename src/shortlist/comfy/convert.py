"""Turns a workflow of ComfyUI's editor into API format, with the node types of a server. Pure.

What the editor's own code would have to resolve (Get and Set nodes, group nodes) and what the
server does not know is refused by name, node by node, with the way out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shortlist.comfy.bindings import PREVIEWS
from shortlist.comfy.catalogue import Catalogue
from shortlist.comfy.editor import EditorNode, read_editor
from shortlist.comfy.faults import WorkflowFault
from shortlist.comfy.graph import Graph, Link, Node, as_graph, as_json, order_key, upstream, users
from shortlist.comfy.levels import (
    PRIMITIVE,
    REROUTES,
    Given,
    Level,
    Nothing,
    live_nodes,
    open_levels,
    source_of,
)
from shortlist.comfy.plain import JSON
from shortlist.comfy.widgets import field_values, is_field, misfits

_DRAWN_ONLY = frozenset(
    {
        "Note", "MarkdownNote", PRIMITIVE, *REROUTES, "Label (rgthree)", "Bookmark (rgthree)",
        "Fast Groups Muter (rgthree)", "Fast Groups Bypasser (rgthree)", "Fast Muter (rgthree)",
        "Fast Bypasser (rgthree)", "Fast Actions Button (rgthree)", "Node Collector (rgthree)",
    }
)  # fmt: skip
_HIDDEN_LINKS = frozenset(
    {"GetNode", "SetNode", "Anything Everywhere", "Anything Everywhere?", "Anything Everywhere3",
     "Prompts Everywhere", "Seed Everywhere"}
)  # fmt: skip
_EXPORT = "in ComfyUI choose File, then Export (API), and import that file"


@dataclass(frozen=True, slots=True)
class Converted:
    """A converted graph; `notes` name what was left out and why."""

    graph: Graph
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Draft:
    """The graph on its way, with the problems of each of its nodes."""

    graph: Graph
    problems: dict[str, str]


def convert(value: JSON, catalogue: Catalogue) -> Converted:
    """The editor file in API format.

    `WorkflowFault.items` name every node that stands in the way of a result. A preview that can't
    run is left out with a note where another output can.
    """
    document = read_editor(value)

    def is_input_field(node_type: str, name: str) -> bool:
        known = catalogue.input(node_type, name)
        return known is not None and is_field(known)

    main = open_levels(document, is_input_field)
    draft = _Draft({}, {})
    for level, node in live_nodes(main):
        if node.type not in _DRAWN_ONLY:
            _add(draft, level, node, catalogue)
    if not draft.graph:
        raise WorkflowFault("The workflow holds no node that is on.")
    _drop_dead_links(draft, catalogue)
    return _sound(draft, catalogue)


def _add(draft: _Draft, level: Level, node: EditorNode, catalogue: Catalogue) -> None:
    path = level.path(node)
    if node.type not in catalogue:
        draft.graph[path] = Node(class_type=node.type, inputs=_links_only(level, node))
        draft.problems[path] = f"{node.label}: {_unknown(node)}"
        return
    node_type = catalogue[node.type]
    held = field_values(node_type, values=node.values, named=node.named)
    held.update({name: v for (inner, name), v in level.set.items() if inner == node.id})
    inputs = {name: _wrapped(item) for name, item in held.items()}
    for slot in node.inputs:
        source = source_of(level, slot)
        if isinstance(source, Link):
            inputs[slot.name] = [source.node, source.slot]
        elif isinstance(source, Given):
            inputs[slot.name] = _wrapped(source.value)
        elif source is Nothing.MUTED:
            inputs.pop(slot.name, None)
    wrong = [name for name in misfits(node_type, held) if inputs.get(name) == held[name]]
    if wrong:
        shown = repr(held[wrong[0]])[:60]
        draft.problems[path] = (
            f"{node.label}: its saved values do not fit this server's version of the node"
            f" ({wrong[0]} would be {shown}); {_EXPORT}."
        )
    title = node.title or node_type.title
    draft.graph[path] = Node(class_type=node.type, inputs=inputs, _meta={"title": title})


def _links_only(level: Level, node: EditorNode) -> dict[str, JSON]:
    found = {slot.name: source_of(level, slot) for slot in node.inputs}
    return {n: [held.node, held.slot] for n, held in found.items() if isinstance(held, Link)}


def _wrapped(value: JSON) -> JSON:
    """A list as a value: bare, two items would read as a link."""
    return {"__value__": value} if isinstance(value, list) else value


def _unknown(node: EditorNode) -> str:
    if node.type.startswith(("workflow>", "workflow/")):
        return f"a group node; right-click it and choose Convert to nodes, or {_EXPORT}."
    if node.type in _HIDDEN_LINKS:
        return f"it links nodes without drawn links, which only the editor can follow; {_EXPORT}."
    origin = f" (pack {node.pack})" if node.pack and node.pack != "comfy-core" else ""
    return f"this server does not have the node type {node.type}{origin}; install it there."


def _drop_dead_links(draft: _Draft, catalogue: Catalogue) -> None:
    """Removes links to nodes that are not there, and notes what then lacks a needed input."""
    for path, node in draft.graph.items():
        for name, value in list(node["inputs"].items()):
            if isinstance(value, list) and value[0] not in draft.graph:
                del node["inputs"][name]
        if node["class_type"] not in catalogue:
            continue
        for item in catalogue[node["class_type"]].inputs:
            if item.needed and item.name not in node["inputs"] and not _dotted(node, item.name):
                draft.problems.setdefault(
                    path,
                    f"{_label(node, path)}: its input {item.name} leads to a muted or missing node;"
                    " unmute that or bypass this one.",
                )


def _dotted(node: Node, name: str) -> bool:
    return any(held.startswith(f"{name}.") for held in node["inputs"])


def _label(node: Node, path: str) -> str:
    title = node.get("_meta", {}).get("title")
    shown = f'"{title}" ({node["class_type"]})' if title else f'"{node["class_type"]}"'
    return f"{shown} #{path}"


def _sound(draft: _Draft, catalogue: Catalogue) -> Converted:
    """The graph without previews that can't run; a fault where a result can't."""
    ends = _ends(draft, catalogue)
    tainted = _tainted(draft)
    blocked = {path: _blockers(draft, path) for path in ends if path in tainted}
    outputs = [p for p in ends if p not in blocked and _is_output(draft, p, catalogue)]
    fatal = [path for path in blocked if not _is_preview(draft, path)]
    if fatal or not outputs:
        raise _fault([item for path in (fatal or blocked) for item in blocked[path]])
    notes = dict.fromkeys(item for held in blocked.values() for item in held)
    kept = sorted(draft.graph.keys() - tainted, key=order_key)
    graph = as_graph(as_json({path: draft.graph[path] for path in kept}))
    return Converted(graph, tuple(f"Left out: {note}" for note in notes))


def _ends(draft: _Draft, catalogue: Catalogue) -> list[str]:
    """The outputs, and the nodes unknown here that may be ones: read by none, fed by some."""
    used = {path for node in draft.graph.values() for path in _used(node)}
    return [
        path
        for path, node in draft.graph.items()
        if _is_output(draft, path, catalogue)
        or (path not in used and node["class_type"] not in catalogue and any(_used(node)))
    ]


def _used(node: Node) -> Iterator[str]:
    for value in node["inputs"].values():
        if isinstance(value, list):
            yield str(value[0])


def _blockers(draft: _Draft, path: str) -> list[str]:
    return [draft.problems[p] for p in upstream(draft.graph, path) if p in draft.problems]


def _tainted(draft: _Draft) -> set[str]:
    """The nodes with a problem and all that depend on one."""
    uses, found = users(draft.graph), set(draft.problems)
    waiting = list(found)
    while waiting:
        onward = {edge.node for edge in uses.get(waiting.pop(), ())} - found
        found |= onward
        waiting.extend(onward)
    return found


def _is_output(draft: _Draft, path: str, catalogue: Catalogue) -> bool:
    class_type = draft.graph[path]["class_type"]
    return class_type in catalogue and catalogue[class_type].is_output


def _is_preview(draft: _Draft, path: str) -> bool:
    class_type = draft.graph[path]["class_type"]
    words = class_type.lower()
    return class_type in PREVIEWS or "preview" in words or "compare" in words or "show" in words


def _fault(items: list[str]) -> WorkflowFault:
    named = tuple(dict.fromkeys(items))
    if not named:
        return WorkflowFault("The workflow has no output node: nothing in it saves an image.")
    if len(named) == 1:
        return WorkflowFault(f"The workflow can't be converted: {named[0]}", items=named)
    first = f"{len(named)} nodes stand in the way of converting the workflow, such as {named[0]}"
    return WorkflowFault(first, items=named)
