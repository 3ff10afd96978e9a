"""Gives the values that an editor node's fields hold, by input name. Pure.

Saved values stand in the order of the fields, with one more after each seed that tells what
becomes of it after a run; newer files save them by name as well. Fields of a dynamic choice follow
it, their names joined by a dot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from shortlist.comfy.catalogue import Input, NodeType, read_input
from shortlist.comfy.plain import JSON, a_dict, a_list, is_number

AFTER_RUN = frozenset({"fixed", "increment", "decrement", "randomize", "increment-wrap"})
DYNAMIC = "COMFY_DYNAMICCOMBO_V3"
_FIELDS = frozenset(
    {
        "INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", DYNAMIC, "LOAD_3D", "LOAD_3D_ANIMATION",
        "LOAD3D_CAMERA", "AUDIO_RECORD", "WEBCAM", "COLOR", "COLORS", "BOUNDING_BOX", "CURVE",
        "MARKDOWN",
    }
)  # fmt: skip


def is_field(item: Input) -> bool:
    """Whether the editor draws a field for an input, so that a value is saved for it."""
    if item.options.get("forceInput") is True:
        return False
    return item.type in _FIELDS or item.options.get("socketless") is True


def field_values(
    node_type: NodeType, *, values: Sequence[JSON], named: Mapping[str, JSON]
) -> dict[str, JSON]:
    """The value of each field. Names count where they are saved and all fit; else positions do.

    A field without a saved value has the server's default.
    """
    if named and _fitting(node_type, named):
        return dict(_from_names(node_type.inputs, named, prefix=""))
    return dict(_from_positions(node_type.inputs, _Values(values), prefix=""))


def misfits(node_type: NodeType, held: Mapping[str, JSON]) -> list[str]:
    """The fields whose value can't be one of that field, such as a word where a number belongs."""
    known = {item.name: item for item in node_type.inputs}
    return [name for name, value in held.items() if name in known and not fits(known[name], value)]


def fits(item: Input, value: JSON) -> bool:
    """Whether a value is of a field's type; any choice fits, whether the server has it or not."""
    if item.type in ("INT", "FLOAT"):
        return is_number(value) or isinstance(value, bool) or _numeric(value)
    if item.type == "STRING":
        return isinstance(value, str | int | float) or value is None
    if item.type == "BOOLEAN":
        return isinstance(value, bool | int) or value in ("true", "false")
    if item.type == "COMBO":
        texts = bool(item.choices) and all(isinstance(c, str) for c in item.choices or ())
        return not (texts and (is_number(value) or isinstance(value, bool)))
    return True


def _numeric(value: JSON) -> bool:
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


class _Values:
    """Saved values in order, with a look at the next."""

    def __init__(self, values: Sequence[JSON]) -> None:
        self._left = list(reversed(values))

    def __iter__(self) -> Iterator[JSON]:
        while self._left:
            yield self._left.pop()

    def skip_after_run(self) -> None:
        """Passes over the word that tells what becomes of a seed after a run, if it is there."""
        if self._left and isinstance(self._left[-1], str) and self._left[-1] in AFTER_RUN:
            self._left.pop()


def _rolls(item: Input) -> bool:
    return item.rolls or (item.type == "INT" and item.name in ("seed", "noise_seed"))


def _from_positions(
    inputs: Sequence[Input], values: _Values, *, prefix: str
) -> Iterator[tuple[str, JSON]]:
    for item in inputs:
        if not is_field(item):
            continue
        value = next(iter(values), _default(item))
        yield prefix + item.name, value
        if _rolls(item):
            values.skip_after_run()
        yield from _from_positions(children(item, value), values, prefix=f"{prefix}{item.name}.")


def _from_names(
    inputs: Sequence[Input], named: Mapping[str, JSON], *, prefix: str
) -> Iterator[tuple[str, JSON]]:
    for item in inputs:
        if not is_field(item):
            continue
        value = named.get(prefix + item.name, _default(item))
        yield prefix + item.name, value
        yield from _from_names(children(item, value), named, prefix=f"{prefix}{item.name}.")


def _fitting(node_type: NodeType, named: Mapping[str, JSON]) -> bool:
    fields = [item for item in node_type.inputs if is_field(item)]
    known = [item for item in fields if item.name in named]
    return bool(known) and all(fits(item, named[item.name]) for item in known)


def children(item: Input, value: JSON) -> tuple[Input, ...]:
    """The inputs that a dynamic choice has while it stands at `value`."""
    if item.type != DYNAMIC:
        return ()
    for option in map(a_dict, a_list(item.options.get("options"))):
        if option.get("key") == value:
            held = a_dict(option.get("inputs"))
            return tuple(
                read_input(name, said, required=part == "required")
                for part in ("required", "optional")
                for name, said in a_dict(held.get(part)).items()
            )
    return ()


def _default(item: Input) -> JSON:
    if "default" in item.options:
        return item.options["default"]
    if item.type == DYNAMIC:
        options = [a_dict(option) for option in a_list(item.options.get("options"))]
        return options[0].get("key") if options else None
    if item.choices:
        return item.choices[0]
    plain: dict[str, JSON] = {"INT": 0, "FLOAT": 0, "BOOLEAN": False}
    return plain.get(item.type, "")
