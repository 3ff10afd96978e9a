"""Finds the prompts of a graph by walking from the samplers back to the texts. Pure.

The walk keeps to its side: a node with both `positive` and `negative` inputs is left through the
one of the slot it was entered by. `ConditioningZeroOut` means "no negative prompt", also where it
leads back to the positive text.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from shortlist.comfy.graph import Link, depths, link_of, links_of
from shortlist.comfy.roles import Finding, Role, Sure, Target
from shortlist.comfy.scope import Scope, settled

_SIDES = (Role.POSITIVE, Role.NEGATIVE)
_MAX_STEPS = 2_000
_MAX_STARTS = 200


@dataclass(slots=True)
class _Walk:
    """What one walk came upon."""

    targets: list[Target] = field(default_factory=list)
    joined: bool = False
    zeroed: bool = False
    seen: set[tuple[str, int]] = field(default_factory=set)


def find_prompts(scope: Scope) -> tuple[Finding, Finding]:
    """The findings of the positive and of the negative prompt."""
    positive, negative = (_side(scope, role) for role in _SIDES)
    return positive, _unshared(positive, negative)


def _side(scope: Scope, role: Role) -> Finding:
    marked = [
        Target(node, name) for node in scope.marked(role) for name in _marked_texts(scope, node)
    ]
    if marked:
        return settled(scope, role, marked)
    starts = _starts(scope)
    walks = [(node, _walk_from(scope, node, role)) for node in starts]
    found = [(node, walk) for node, walk in walks if walk.targets]
    if found:
        return _judge(scope, role, found)
    if any(walk.zeroed for _, walk in walks):
        return Finding(role, (), f"the {role} side is zeroed: no {role} prompt", Sure.CERTAIN)
    return _by_name(scope, role, starts)


def _marked_texts(scope: Scope, node: str) -> list[str]:
    inputs = scope.node(node)["inputs"]
    texts = scope.texts(node)
    return texts or [name for name, value in inputs.items() if isinstance(value, str)][:1]


def _starts(scope: Scope) -> list[str]:
    """The nodes that use up conditioning (samplers, guiders), the first in the graph first."""
    inside = set(scope.nodes)
    found = []
    for node_id in scope.nodes:
        inputs = scope.node(node_id)["inputs"]
        if not any(_is_conditioning(name) for name in inputs):
            continue
        onward = [e for e in scope.uses.get(node_id, ()) if e.node in inside]
        if not any(_is_conditioning(edge.input) for edge in onward):
            found.append(node_id)
    far = depths(scope.graph)
    return sorted(found, key=lambda node: far.get(node, 0))[:_MAX_STARTS]


def _is_conditioning(name: str) -> bool:
    return name in ("positive", "negative", "cond1", "cond2") or name.startswith("conditioning")


def _walk_from(scope: Scope, node: str, role: Role) -> _Walk:
    walk = _Walk()
    inputs = scope.node(node)["inputs"]
    names = [role.value]
    if role is Role.POSITIVE and "positive" not in inputs:
        names = [n for n in inputs if n == "cond1" or n.startswith("conditioning")]
    for name in names:
        if scope.is_text(node, name):
            walk.targets.append(Target(node, name))
        link = link_of(inputs.get(name))
        if link is not None:
            _walk(scope, walk, link, role)
    return walk


def _walk(scope: Scope, walk: _Walk, link: Link, role: Role) -> None:
    waiting: list[tuple[Link, Role]] = [(link, role)]
    while waiting and len(walk.seen) < _MAX_STEPS:
        here, side = waiting.pop()
        if here.node not in scope.graph or (here.node, here.slot) in walk.seen:
            continue
        walk.seen.add((here.node, here.slot))
        if "ZeroOut" in scope.node(here.node)["class_type"]:
            walk.zeroed = True
            continue
        waiting.extend(_onward(scope, walk, here, side))


def _onward(scope: Scope, walk: _Walk, here: Link, side: Role) -> list[tuple[Link, Role]]:
    inputs = scope.node(here.node)["inputs"]
    if "positive" in inputs and "negative" in inputs:
        side = _SIDES[here.slot] if here.slot in (0, 1) else side
        if scope.is_text(here.node, side.value):
            walk.targets.append(Target(here.node, side.value))
        link = link_of(inputs[side.value])
        return [(link, side)] if link else []
    if any(_is_conditioning(name) for name in inputs):
        return [
            (link, side) for name, link in links_of(scope.node(here.node)) if _is_conditioning(name)
        ]
    texts = _text_targets(scope, walk, here.node)
    walk.targets.extend(target for target in texts if target not in walk.targets)
    if texts:
        return []
    links = [link for _, link in links_of(scope.node(here.node))]
    return [(links[0], side)] if len(links) == 1 else []


def _text_targets(scope: Scope, walk: _Walk, encoder: str) -> list[Target]:
    """The texts an encoder reads: its own, and those of the string nodes linked to it."""
    found = [Target(encoder, name) for name in scope.texts(encoder)]
    for name, link in links_of(scope.node(encoder)):
        if _reads_text(scope, encoder, name):
            found.extend(_string_targets(scope, walk, link.node))
    return found


def _string_targets(scope: Scope, walk: _Walk, start: str) -> list[Target]:
    """The texts that a string node puts together; several are parts of one prompt, and a person
    has to say which part is theirs."""
    found: list[Target] = []
    waiting, seen = [start], {start}
    while waiting:
        here = waiting.pop()
        if here not in scope.graph:
            continue
        inputs = scope.node(here)["inputs"]
        texts = [name for name, value in inputs.items() if isinstance(value, str)]
        found.extend(Target(here, name) for name in scope.texts(here) or texts)
        onward = [link.node for _, link in links_of(scope.node(here)) if link.node not in seen]
        seen.update(onward)
        waiting.extend(onward)
    walk.joined = walk.joined or len(found) > 1
    return found


def _reads_text(scope: Scope, node: str, name: str) -> bool:
    class_type = scope.node(node)["class_type"]
    known = scope.catalogue.input(class_type, name) if scope.catalogue else None
    if known is not None:
        return known.type == "STRING"
    return name.startswith(("text", "prompt", "clip_", "t5", "string"))


def _judge(scope: Scope, role: Role, found: list[tuple[str, _Walk]]) -> Finding:
    sampler, first = found[0]
    groups = {tuple(walk.targets) for _, walk in found}
    everything = tuple(dict.fromkeys(t for _, walk in found for t in walk.targets))
    choices = tuple(scope.choice(t, _feeds(scope, found, t, role)) for t in everything)
    texts = {tuple(_text(scope, t) for t in group) for group in groups}
    why = f'goes to "{role}" of {scope.node(sampler)["class_type"]} #{sampler}'
    if any(walk.joined for _, walk in found):
        why += "; put together of several texts: say which one is the prompt"
        return Finding(role, (first.targets[0],), why, Sure.ASK, choices)
    if len(groups) == 1:
        nodes = {target.node for target in first.targets}
        if len(nodes) == 1:
            return Finding(role, tuple(first.targets), why, Sure.CERTAIN, choices)
        why += "; combined of several texts: say which one is the prompt"
        return Finding(role, (first.targets[0],), why, Sure.ASK, choices)
    if len(texts) == 1:
        why = "the same text feeds several samplers"
        return Finding(role, everything, why, Sure.LIKELY, choices)
    why += "; other samplers read other texts"
    return Finding(role, tuple(first.targets), why, Sure.ASK, choices)


def _text(scope: Scope, target: Target) -> str:
    return str(scope.node(target.node)["inputs"].get(target.input))


def _feeds(scope: Scope, found: list[tuple[str, _Walk]], target: Target, role: Role) -> str:
    fed = [f"{scope.node(n)['class_type']} #{n}" for n, walk in found if target in walk.targets]
    return f'feeds "{role}" of {", ".join(fed)}'


def _by_name(scope: Scope, role: Role, starts: list[str]) -> Finding:
    """For workflows without a sampler, such as those of hosted models: texts by their name."""
    texts = [Target(node, name) for node in scope.nodes for name in scope.texts(node)]
    minus = [t for t in texts if "negative" in t.input]
    held = minus if role is Role.NEGATIVE else [t for t in texts if t not in minus]
    if not held or (starts and role is Role.NEGATIVE):
        return Finding(role, (), f"no {role} prompt in this workflow", Sure.CERTAIN)
    choices = tuple(scope.choice(t, "a text field") for t in held)
    if len(held) == 1:
        return Finding(role, (held[0],), "the only text field", Sure.LIKELY, choices)
    return Finding(role, (held[0],), "one of several text fields", Sure.ASK, choices)


def _unshared(positive: Finding, negative: Finding) -> Finding:
    """A text that is both prompts can't be set as two."""
    if not set(positive.targets) & set(negative.targets):
        return negative
    why = "the same text feeds both sides: there is no negative prompt of its own"
    return Finding(Role.NEGATIVE, (), why, Sure.ASK, negative.choices)
