"""A server's node types, read from its answer to `/object_info`. Pure.

Both spellings of a list of choices are read: `[[...], {...}]` and `["COMBO", {"options": [...]}]`.
Definitions are parsed when first asked for: a server with many custom nodes has thousands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from shortlist.comfy.plain import JSON, a_dict, a_list, a_text, is_number

_WIDGETS = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a node type. `choices` is None where it is no list."""

    name: str
    type: str
    choices: tuple[JSON, ...] | None
    options: Mapping[str, JSON]
    required: bool

    @property
    def is_widget(self) -> bool:
        """Whether the editor shows a field for it, so that a value can stand there."""
        return self.type in _WIDGETS and self.options.get("forceInput") is not True

    @property
    def is_text(self) -> bool:
        """Whether it is a field for long text, such as a prompt."""
        return self.type == "STRING" and self.options.get("multiline") is True

    @property
    def is_file(self) -> bool:
        """Whether it names a file of the server's input folder."""
        return any(
            self.options.get(flag) is True
            for flag in ("image_upload", "video_upload", "audio_upload", "file_upload")
        )

    @property
    def is_remote(self) -> bool:
        """Whether the choices come from elsewhere, so that the list here says nothing."""
        return "remote" in self.options

    @property
    def needed(self) -> bool:
        """Whether a node can't run without it; a growing group may be empty."""
        return self.required and not self.type.startswith("COMFY_AUTOGROW")

    @property
    def rolls(self) -> bool:
        """Whether the editor draws a new value after each run, as it does for seeds."""
        return bool(self.options.get("control_after_generate"))

    def bound(self, side: str) -> int | float | None:
        """The smallest ("min") or largest ("max") value, None where there is no such limit."""
        value = self.options.get(side)
        # Not through a float: a seed's limit of 2**64 - 1 would become 2**64.
        return value if isinstance(value, int | float) and is_number(value) else None


@dataclass(frozen=True, slots=True)
class NodeType:
    """One node type: its inputs in the editor's order, the types of its outputs."""

    name: str
    title: str
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    is_output: bool
    pack: str

    def input(self, name: str) -> Input | None:
        """The input of that name."""
        return next((item for item in self.inputs if item.name == name), None)


class Catalogue(Mapping[str, NodeType]):
    """All node types of one server, by class name. `raw` is the server's answer."""

    def __init__(self, raw: Mapping[str, JSON] | JSON) -> None:
        # a lying server may answer with anything
        self.raw: Mapping[str, JSON] = raw if isinstance(raw, Mapping) else {}
        self._known: dict[str, NodeType] = {}

    def __getitem__(self, name: str) -> NodeType:
        if name not in self._known:
            self._known[name] = _node_type(name, a_dict(self.raw[name]))
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)

    def __contains__(self, name: object) -> bool:
        return name in self.raw

    def input(self, class_type: str, name: str) -> Input | None:
        """The input of a node type; None where either is unknown."""
        node_type = self.get(class_type)
        return node_type.input(name) if node_type else None

    @cached_property
    def packs(self) -> frozenset[str]:
        """The Python modules that node types come from."""
        return frozenset(a_text(a_dict(held).get("python_module")) for held in self.raw.values())


def _node_type(name: str, said: dict[str, JSON]) -> NodeType:
    held, order = a_dict(said.get("input")), a_dict(said.get("input_order"))
    inputs = tuple(
        read_input(key, section[key], required=part == "required")
        for part in ("required", "optional")
        for section in (a_dict(held.get(part)),)
        for key in _ordered(section, order.get(part))
    )
    return NodeType(
        name=name,
        title=a_text(said.get("display_name"), limit=200) or name,
        inputs=inputs,
        outputs=tuple(_type_name(item) for item in a_list(said.get("output"))),
        is_output=said.get("output_node") is True,
        pack=a_text(said.get("python_module"), limit=200),
    )


def _ordered(section: dict[str, JSON], order: JSON) -> list[str]:
    named = [name for name in a_list(order) if isinstance(name, str) and name in section]
    return named + [name for name in section if name not in named]


def _type_name(said: JSON) -> str:
    return "COMBO" if isinstance(said, list) else a_text(said, limit=200)


def read_input(name: str, said: JSON, *, required: bool) -> Input:
    """An input from its definition `[type or choices, options]`."""
    parts = a_list(said)
    first = parts[0] if parts else ""
    options = a_dict(parts[1]) if len(parts) > 1 else {}
    choices: tuple[JSON, ...] | None = None
    if isinstance(first, list):
        choices = tuple(first)
    elif first == "COMBO" and "options" in options:
        choices = tuple(a_list(options["options"]))
    return Input(name, _type_name(first), choices, options, required)
