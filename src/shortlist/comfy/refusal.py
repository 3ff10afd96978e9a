"""A server's refusal of a workflow in sentences, one a reason. Pure."""

from __future__ import annotations

import re

from shortlist.comfy.faults import Reason, RefusalKind, Refused
from shortlist.comfy.graph import Graph, name_of
from shortlist.comfy.plain import JSON, a_dict, a_list, a_text

_KINDS = {
    "required_input_missing": RefusalKind.REQUIRED_INPUT_MISSING,
    "value_smaller_than_min": RefusalKind.VALUE_OUT_OF_RANGE,
    "value_bigger_than_max": RefusalKind.VALUE_OUT_OF_RANGE,
    "invalid_input_type": RefusalKind.INVALID_INPUT_TYPE,
    "value_not_in_list": RefusalKind.VALUE_NOT_IN_LIST,
    "bad_linked_input": RefusalKind.BAD_LINK,
    "return_type_mismatch": RefusalKind.BAD_LINK,
    "exception_during_validation": RefusalKind.BAD_LINK,
    "prompt_no_outputs": RefusalKind.NO_OUTPUT,
    "dependency_cycle": RefusalKind.CYCLE,
    "invalid_prompt_id": RefusalKind.INVALID_PROMPT_ID,
    "missing_node_type": RefusalKind.MISSING_NODE_TYPE,
}
_ABSENT_NODE = re.compile(r"node (.+) does not exist")
_NODE_ID = re.compile(r"#([^']+)'")


def read_refusal(answer: JSON, graph: Graph) -> Refused:
    """The refusal in an answer to `POST /prompt`, told with the titles of `graph`."""
    said = a_dict(answer)
    by_node = [
        _reason(node, a_dict(item), graph)
        for node, held in a_dict(said.get("node_errors")).items()
        for item in a_list(a_dict(held).get("errors"))
    ]
    return Refused(tuple(by_node) or (_overall(a_dict(said.get("error")), graph),))


def _overall(error: dict[str, JSON], graph: Graph) -> Reason:
    kind, extra = a_text(error.get("type")), a_dict(error.get("extra_info"))
    message, details = a_text(error.get("message"), limit=500), a_text(error.get("details"))
    absent, where = _ABSENT_NODE.search(message), _NODE_ID.search(details)
    node = a_text(extra.get("node_id")) or (where.group(1) if where else "")
    if kind == "missing_node_type" or absent:
        held = graph[node]["class_type"] if node in graph else ""
        missing = a_text(extra.get("class_type")) or held or (absent.group(1) if absent else "?")
        sentence = f"{name_of(graph, node)}: this server does not have the node type {missing}."
        return Reason(RefusalKind.MISSING_NODE_TYPE, sentence, node=node, class_type=missing)
    if kind == "prompt_no_outputs":
        return Reason(RefusalKind.NO_OUTPUT, "The workflow has no output node that can run.")
    sentence = message.rstrip(".") or "The server refused the workflow and gave no reason"
    return Reason(_KINDS.get(kind, RefusalKind.OTHER), f"{sentence}.", node=node)


def _reason(node: str, item: dict[str, JSON], graph: Graph) -> Reason:
    extra, kind = a_dict(item.get("extra_info")), a_text(item.get("type"))
    name = a_text(extra.get("input_name"), limit=200)
    details = a_text(item.get("details"), limit=300)
    reason = _KINDS.get(kind, RefusalKind.OTHER)
    if kind == "custom_validation_failed" and "Invalid image file" in details:
        reason = RefusalKind.FILE_NOT_FOUND
    words = _words(reason, name, item)
    class_type = graph[node]["class_type"] if node in graph else ""
    sentence = f"{name_of(graph, node)}: {words}."
    return Reason(reason, sentence, node=node, class_type=class_type, input=name)


def _words(kind: RefusalKind, name: str, item: dict[str, JSON]) -> str:
    extra = a_dict(item.get("extra_info"))
    details = a_text(item.get("details"), limit=300)
    value = repr(extra.get("received_value"))[:200]
    if kind is RefusalKind.VALUE_NOT_IN_LIST:
        return f"{name} is {value}, which this server does not have"
    if kind is RefusalKind.REQUIRED_INPUT_MISSING:
        return f"the input {name or details} is missing"
    if kind is RefusalKind.FILE_NOT_FOUND:
        return f"the file of input {name} is not on this server"
    if kind is RefusalKind.BAD_LINK and not name:
        return f"a link into this node is broken ({details})"
    message = a_text(item.get("message"), limit=300).rstrip(".")
    return f"{message} ({name})" if name else f"{message} ({details})"
