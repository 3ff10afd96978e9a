"""JSON as types, and the few questions asked of it that never raise.

Answers of a server and files of a person are untrusted: a key may be missing and a value may be of
any type, so each accessor here gives an empty value instead of failing.
"""

from __future__ import annotations

import json
import math
from typing import TypeAlias, TypeGuard

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"

MAX_TEXT = 20_000
"""Characters kept of any text a server sends; printed tensors run to megabytes."""

MAX_DEPTH = 100
"""Levels of nesting; subgraphs inside subgraphs of the editor stay below thirty."""


def a_dict(value: JSON) -> dict[str, JSON]:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def a_list(value: JSON) -> list[JSON]:
    """The array, or an empty one."""
    return value if isinstance(value, list) else []


def a_text(value: JSON, *, limit: int = MAX_TEXT) -> str:
    """The string made storable: no NUL, no lone surrogate, at most `limit` characters."""
    if not isinstance(value, str):
        return ""
    text = value[:limit].replace("\x00", "")
    return text.encode("utf-8", "replace").decode("utf-8")


def an_id(value: JSON) -> str:
    """A node id: ComfyUI writes strings, some tools write numbers; else an empty string."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return a_text(value, limit=200)


def a_number(value: JSON) -> float:
    """The number, or 0; 0 also for NaN, infinities and what is beyond a float."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0.0
    return float(value) if abs(value) < 1e300 else 0.0


def is_number(value: JSON) -> bool:
    """True for an int or float, not for a boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_whole(value: JSON) -> TypeGuard[int]:
    """True for an int that is not a boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def loads(text: str | bytes) -> JSON:
    """Parses JSON; `ValueError` for anything wrong with it, too deep nesting included."""
    try:
        parsed: JSON = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return parsed


def storable(value: JSON, *, depth: int = MAX_DEPTH) -> JSON:
    """A copy any database takes: texts cleaned, NaN and infinities as null.

    `ValueError` where it is nested deeper than `depth`.
    """
    if depth == 0:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return a_text(value, limit=len(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [storable(item, depth=depth - 1) for item in value]
    if isinstance(value, dict):
        return {
            a_text(key, limit=1000): storable(item, depth=depth - 1) for key, item in value.items()
        }
    return value
