"""What the search for bindings looks at: the part of a graph that its output depends on. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shortlist.comfy.catalogue import Catalogue
from shortlist.comfy.graph import Edge, Graph, Node, link_of, order_key, title_of, users
from shortlist.comfy.plain import JSON, is_number, is_whole
from shortlist.comfy.roles import Choice, Finding, Role, Sure, Target

_MARK = re.compile(r"shortlist\s*:\s*([a-z_]+)", re.IGNORECASE)
_TEXT_NAMES = frozenset(
    {
        "text", "prompt", "text_g", "text_l", "clip_l", "clip_g", "t5xxl", "llama", "qwen25_7b",
        "bert", "mt5xl", "positive", "negative", "positive_prompt", "negative_prompt", "string",
        "tags", "lyrics", "instruction", "wildcard_text", "populated_text",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scope:
    """The nodes in question in counting order, the whole graph's uses, and the server's node types.

    Without a catalogue, names stand in for types.
    """

    graph: Graph
    nodes: tuple[str, ...]
    uses: dict[str, list[Edge]]
    catalogue: Catalogue | None

    def node(self, node_id: str) -> Node:
        """A node of the graph."""
        return self.graph[node_id]

    def values(self) -> Iterator[tuple[str, str, JSON]]:
        """All (node id, input, value) that hold a plain value, no link."""
        for node_id in self.nodes:
            for name, value in self.graph[node_id]["inputs"].items():
                if link_of(value) is None:
                    yield node_id, name, value

    def marked(self, role: Role) -> list[str]:
        """The nodes whose title says `shortlist:<role>`."""
        return [node for node in self.nodes if role.value in marks(self.graph, node)]

    def is_text(self, node_id: str, name: str) -> bool:
        """Whether a person writes a prompt there."""
        if not isinstance(self.graph[node_id]["inputs"].get(name), str):
            return False
        class_type = self.graph[node_id]["class_type"]
        known = self.catalogue.input(class_type, name) if self.catalogue else None
        if known is not None:
            return known.is_text or (known.type == "STRING" and name in _TEXT_NAMES)
        return name in _TEXT_NAMES or (name == "value" and "String" in class_type)

    def texts(self, node_id: str) -> list[str]:
        """The inputs of a node that hold a prompt."""
        return [name for name in self.graph[node_id]["inputs"] if self.is_text(node_id, name)]

    def settle(self, node_id: str, name: str) -> Target | None:
        """The input where a number can be set: this one, or the primitive it is linked to."""
        seen: set[str] = set()
        while node_id in self.graph and node_id not in seen:
            seen.add(node_id)
            inputs = self.graph[node_id]["inputs"]
            link = link_of(inputs.get(name))
            if link is None:
                return self.target(node_id, name) if is_number(inputs.get(name)) else None
            if link.node not in self.graph:
                return None
            node_id, name = link.node, _number_input(self.graph[link.node], name)
        return None

    def target(self, node_id: str, name: str) -> Target:
        """The input as a target, with the server's upper limit where it is known."""
        known = (
            self.catalogue.input(self.graph[node_id]["class_type"], name)
            if self.catalogue
            else None
        )
        top = known.bound("max") if known and known.type == "INT" else None
        return Target(node_id, name, None if top is None else int(top))

    def choice(self, target: Target, why: str) -> Choice:
        """The target as something to choose."""
        node = self.graph[target.node]
        value = node["inputs"].get(target.input)
        return Choice(target, title_of(self.graph, target.node), node["class_type"], value, why)


def scope_of(graph: Graph, nodes: list[str], catalogue: Catalogue | None) -> Scope:
    """A scope over these nodes."""
    return Scope(graph, tuple(sorted(nodes, key=order_key)), users(graph), catalogue)


def marks(graph: Graph, node_id: str) -> frozenset[str]:
    """The words a node's title gives as `shortlist:<word>`, in lower case."""
    return frozenset(word.lower() for word in _MARK.findall(title_of(graph, node_id)))


def settled(scope: Scope, role: Role, targets: list[Target]) -> Finding:
    """The finding of a role that a title settles."""
    choices = tuple(scope.choice(target, "marked by its title") for target in targets)
    return Finding(role, tuple(targets), f"its title says shortlist:{role}", Sure.CERTAIN, choices)


def _number_input(node: Node, name: str) -> str:
    """The input of a linked node that most likely holds the number."""
    inputs = node["inputs"]
    numbers = [held for held, value in inputs.items() if is_whole(value) or is_number(value)]
    for wished in (name, "value", "seed", "int", "number"):
        if wished in inputs:
            return wished
    if len(numbers) == 1:
        return numbers[0]
    links = [held for held, value in inputs.items() if link_of(value)]
    return links[0] if len(links) == 1 and not numbers else ""
