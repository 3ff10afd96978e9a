"""Recognises what a person hands in as a workflow, in all the forms that ComfyUI makes. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from shortlist.comfy.catalogue import Catalogue
from shortlist.comfy.convert import convert
from shortlist.comfy.editor import is_editor
from shortlist.comfy.faults import WorkflowFault
from shortlist.comfy.graph import Graph, as_graph
from shortlist.comfy.metadata import is_picture, read_embedded
from shortlist.comfy.plain import JSON, a_dict, a_list, loads, storable

MAX_BYTES = 8 * 2**20
"""A workflow file; the largest shared ones are below two megabytes."""

EXPORT = "In ComfyUI open the workflow and choose File, then Export (API)."


class Form(StrEnum):
    """In which form a workflow came."""

    API = "API format"
    EDITOR = "editor format"
    HISTORY = "history entry"
    PICTURE = "picture made by ComfyUI"


@dataclass(frozen=True, slots=True)
class Imported:
    """A workflow ready for bindings. `editor` is its editor form where that came along; `notes`
    name what was left out.
    """

    graph: Graph
    form: Form
    editor: JSON
    notes: tuple[str, ...]


def parse(data: str | bytes, catalogue: Catalogue | None = None) -> Imported:
    """The workflow in a file or a paste; `WorkflowFault` says in a sentence why it is none.

    The editor's format needs the node types of a server; API format and most pictures do not.
    """
    if isinstance(data, bytes) and is_picture(data):
        return _from_picture(data, catalogue)
    return _from_json(_json(data), catalogue)


def _json(data: str | bytes) -> JSON:
    if len(data) > MAX_BYTES:
        raise WorkflowFault(f"The file has {len(data)} bytes; the limit is {MAX_BYTES}.")
    if isinstance(data, bytes):
        try:
            data = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise WorkflowFault(f"The file is neither JSON nor a PNG or WebP. {EXPORT}") from error
    if not data.strip():
        raise WorkflowFault(f"The file is empty. {EXPORT}")
    try:
        return storable(loads(data))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise WorkflowFault(f"The JSON is broken at {where}: {error.msg}.") from error
    except ValueError as error:
        raise WorkflowFault(f"The JSON can't be read: {error}.") from error


def _from_picture(data: bytes, catalogue: Catalogue | None) -> Imported:
    held = read_embedded(data)
    if _is_graph(held.prompt):
        return Imported(as_graph(held.prompt), Form.PICTURE, held.workflow, ())
    if is_editor(held.workflow):
        made = _from_editor(held.workflow, catalogue)
        return Imported(made.graph, Form.PICTURE, held.workflow, made.notes)
    raise WorkflowFault(
        "The picture carries no workflow: another program made it, or its metadata was stripped."
        " Import the workflow file instead."
    )


def _from_json(value: JSON, catalogue: Catalogue | None) -> Imported:
    if is_editor(value):
        return _from_editor(value, catalogue)
    held = a_dict(value)
    if _is_graph(value):
        return Imported(as_graph(value), Form.API, None, ())
    if _is_graph(held.get("prompt")):
        pnginfo = a_dict(a_dict(held.get("extra_data")).get("extra_pnginfo"))
        return Imported(as_graph(held["prompt"]), Form.API, pnginfo.get("workflow"), ())
    if _is_graph(held.get("output")):
        return Imported(as_graph(held["output"]), Form.API, held.get("workflow"), ())
    queued = _queue_item(value)
    if len(queued) > 2 and _is_graph(queued[2]):
        return Imported(as_graph(queued[2]), Form.HISTORY, None, ())
    if is_editor(held.get("workflow")):
        return _from_editor(held["workflow"], catalogue)
    raise WorkflowFault(f"This JSON is no ComfyUI workflow. {EXPORT}")


def _queue_item(value: JSON) -> list[JSON]:
    """`[number, id, graph, ...]` as it stands in a queue or in a history entry."""
    held = a_dict(value)
    if "prompt" in held:
        return a_list(held["prompt"])
    if len(held) == 1:
        return a_list(a_dict(next(iter(held.values()))).get("prompt"))
    return a_list(value)


def _is_graph(value: JSON) -> bool:
    """Whether any node stands in it; what is wrong with the others is then told by name."""
    return any("class_type" in a_dict(node) for node in a_dict(value).values())


def _from_editor(value: JSON, catalogue: Catalogue | None) -> Imported:
    if catalogue is None:
        raise WorkflowFault(
            "This is the editor's own format, which the hub converts with the node types of a"
            f" ComfyUI server, and none is reachable. Start one, or: {EXPORT}"
        )
    made = convert(value, catalogue)
    return Imported(made.graph, Form.EDITOR, value, made.notes)
