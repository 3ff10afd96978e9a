"""What a posted graph means before anything runs: what is refused and in which words, which nodes
run in which order, and what makes two nodes the same for the cache. The words and shapes are those
a ComfyUI 0.3.64 was recorded with. Pure but for the node classes' own checks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from shortlist.simulator.files import Folders
from shortlist.simulator.nodes import JsonObject, NodeClass
from shortlist.simulator.options import Version

Graph: TypeAlias = dict[str, JsonObject]

LONG_LIST = 20
"""A combo with more entries is named by its length only."""

_INNER_FRAME = '  File "/simulator/execution.py", line 1, in validate_prompt\n'
_OUTER_FRAME = '  File "/simulator/execution.py", line 2, in validate_inputs\n'


@dataclass(frozen=True, slots=True)
class Refusal:
    """A whole graph turned away: the `error` and `node_errors` of a 400."""

    error: JsonObject
    node_errors: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The output nodes that will run; `node_errors` tells of outputs that won't."""

    outputs: list[str]
    node_errors: JsonObject = field(default_factory=dict)


class Cycle(Exception):
    """A graph that feeds itself; holds the node ids along the way."""


@dataclass(slots=True)
class Validation:
    """One look at one graph; numbers given as text are converted in place."""

    graph: Graph
    classes: Mapping[str, NodeClass]
    folders: Folders
    version: Version
    _reasons: dict[str, list[JsonObject]] = field(default_factory=dict)
    _sound: dict[str, bool] = field(default_factory=dict)
    _path: list[str] = field(default_factory=list)

    def judge(self, *, targets: list[str] | None) -> Accepted | Refusal:
        """Accepts the outputs that can run, or refuses the graph."""
        outputs: list[str] = []
        for node_id, node in self.graph.items():
            if refusal := self._unknown(node_id, node):
                return refusal
            wanted = targets is None or node_id in targets
            if self.classes[str(node["class_type"])].is_output and wanted:
                outputs.append(node_id)
        if not outputs:
            return Refusal(_error("prompt_no_outputs", "Prompt has no outputs"))
        try:
            return self._judge_outputs(outputs)
        except Cycle as cycle:
            kind = "prompt_outputs_failed_validation"
            if self.version is Version.NEW:
                kind = "dependency_cycle"
            return Refusal(_error(kind, "Dependency cycle detected", details=str(cycle)))

    def _unknown(self, node_id: str, node: JsonObject) -> Refusal | None:
        where = f"Node ID '#{node_id}'"
        new = self.version is Version.NEW
        kind = "missing_node_type" if new else "invalid_prompt"
        if "class_type" not in node:
            words = "Cannot execute because a node is missing the class_type property."
        elif node["class_type"] not in self.classes:
            words = f"Cannot execute because node {node['class_type']} does not exist."
        else:
            return None
        extra: JsonObject = {}
        if new:
            title = node.get("_meta") if isinstance(node, dict) else None
            extra = {
                "node_id": node_id,
                "class_type": node.get("class_type") if isinstance(node, dict) else None,
                "node_title": title.get("title") if isinstance(title, dict) else None,
            }
        return Refusal(_error(kind, words, details=where, extra=extra))

    def _judge_outputs(self, outputs: list[str]) -> Accepted | Refusal:
        node_errors: dict[str, JsonObject] = {}
        details: list[str] = []
        good = [node_id for node_id in outputs if self._judge_output(node_id)]
        for output in outputs:
            if output in good:
                continue
            details += [f"{r['message']}: {r['details']}" for r in self._reasons[output]]
            for node_id, reasons in self._reasons.items():
                if not reasons:
                    continue
                entry = node_errors.setdefault(
                    node_id,
                    {
                        "errors": reasons,
                        "dependent_outputs": [],
                        "class_type": self.graph[node_id]["class_type"],
                    },
                )
                dependent = entry["dependent_outputs"]
                if isinstance(dependent, list) and output in _feeds(self.graph, node_id):
                    dependent.append(output)
        if good:
            return Accepted(good, dict(node_errors))
        error = _error(
            "prompt_outputs_failed_validation",
            "Prompt outputs failed validation",
            details="\n".join(details),
        )
        return Refusal(error, dict(node_errors))

    def _judge_output(self, node_id: str) -> bool:
        try:
            return self._judge_node(node_id)
        except (KeyError, IndexError, TypeError) as error:
            self._path.clear()
            self._sound[node_id] = False
            self._reasons[node_id] = [_raised(error)]
            return False

    def _judge_node(self, node_id: str) -> bool:
        if node_id in self._sound:
            return self._sound[node_id]
        if node_id in self._path:
            raise Cycle(" -> ".join([*self._path, node_id]))
        self._path.append(node_id)
        node = self.graph[node_id]
        inputs = node["inputs"]
        assert isinstance(inputs, dict)
        node_class = self.classes[str(node["class_type"])]
        reasons: list[JsonObject] = []
        upstream_sound = True
        for name, config, required in input_specs(node_class):
            if name not in inputs:
                if required:
                    reasons.append(
                        _reason("required_input_missing", "Required input is missing", name)
                    )
                continue
            if isinstance(inputs[name], list):
                reason, sound = self._judge_link(name, config, inputs[name])
                upstream_sound = upstream_sound and sound
            else:
                reason = _judge_value(name, config, inputs)
            reasons += [reason] if reason else []
        if not reasons and (fault := node_class.check(inputs, self.folders)):
            text = f"{fault[0]} - {fault[1]}"
            reasons.append(
                _reason(
                    "custom_validation_failed",
                    "Custom validation failed for node",
                    fault[0],
                    details=text,
                )
            )
        self._path.pop()
        self._reasons[node_id] = reasons
        self._sound[node_id] = upstream_sound and not reasons
        return self._sound[node_id]

    def _judge_link(
        self, name: str, config: list[object], link: list[object]
    ) -> tuple[JsonObject | None, bool]:
        """What is wrong with the link itself, and whether all above it is sound."""
        if len(link) != 2:
            words = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
            extra: JsonObject = {"input_config": config, "received_value": link}
            return _reason("bad_linked_input", words, name, extra=extra), True
        source, slot = link
        # A missing node or slot raises here and becomes `exception_during_validation` of the
        # output, the way the real server answers it.
        origin = self.classes[str(self.graph[source]["class_type"])]  # type: ignore[index]
        received = origin.slots[slot]  # type: ignore[call-overload]
        wanted = config[0]
        if wanted not in (received, "*") and received != "*":
            details = f"{name}, received_type({received}) mismatch input_type({wanted})"
            extra = {"input_config": config, "received_type": received, "linked_node": link}
            words = "Return type mismatch between linked nodes"
            return _reason("return_type_mismatch", words, name, details=details, extra=extra), True
        return None, self._judge_node(str(source))


def input_specs(node_class: NodeClass) -> Iterator[tuple[str, list[object], bool]]:
    """Name, `[type, settings]` and whether it is required, of every input of a class."""
    groups = node_class.info["input"]
    assert isinstance(groups, dict)
    for group in ("required", "optional"):
        for name, spec in groups.get(group, {}).items():
            yield name, [spec[0], spec[1] if len(spec) > 1 else {}], group == "required"


_CONVERT: Mapping[str, Callable[[object], object]] = {
    "INT": int,  # type: ignore[dict-item]
    "FLOAT": float,  # type: ignore[dict-item]
    "STRING": str,
    "BOOLEAN": bool,
}


def _judge_value(name: str, config: list[object], inputs: JsonObject) -> JsonObject | None:
    kind, settings = config
    assert isinstance(settings, dict)
    value = inputs[name]
    if isinstance(value, dict) and "__value__" in value:
        value = value["__value__"]
    if isinstance(kind, str) and kind in _CONVERT:
        try:
            value = _CONVERT[kind](value)
        except (TypeError, ValueError) as error:
            extra: JsonObject = {
                "input_config": config,
                "received_value": value,
                "exception_message": str(error),
            }
            words = f"Failed to convert an input value to a {kind} value"
            details = f"{name}, {value}, {error}"
            return _reason("invalid_input_type", words, name, details=details, extra=extra)
    inputs[name] = value
    return _out_of_range(name, config, value) or _not_in_list(name, config, value)


def _out_of_range(name: str, config: list[object], value: object) -> JsonObject | None:
    settings = config[1]
    if not isinstance(settings, dict) or not isinstance(value, (int, float)):
        return None
    extra: JsonObject = {"input_config": config, "received_value": value}
    if "min" in settings and value < settings["min"]:
        words = f"Value {value} smaller than min of {settings['min']}"
        return _reason("value_smaller_than_min", words, name, extra=extra)
    if "max" in settings and value > settings["max"]:
        words = f"Value {value} bigger than max of {settings['max']}"
        return _reason("value_bigger_than_max", words, name, extra=extra)
    return None


def _not_in_list(name: str, config: list[object], value: object) -> JsonObject | None:
    kind, settings = config
    options = kind
    if kind == "COMBO" and isinstance(settings, dict):
        options = settings["options"]
    # An image list is judged by the file's existence, not by the list.
    uploads = isinstance(settings, dict) and "image_upload" in settings
    if not isinstance(options, list) or uploads or value in options:
        return None
    many = len(options) > LONG_LIST
    listed = f"(list of length {len(options)})" if many else str(options)
    extra: JsonObject = {"input_config": None if many else config, "received_value": value}
    details = f"{name}: '{value}' not in {listed}"
    return _reason("value_not_in_list", "Value not in list", name, details=details, extra=extra)


def _error(
    kind: str, message: str, *, details: str = "", extra: JsonObject | None = None
) -> JsonObject:
    return {"type": kind, "message": message, "details": details, "extra_info": extra or {}}


def _reason(
    kind: str,
    message: str,
    name: str,
    *,
    details: str | None = None,
    extra: JsonObject | None = None,
) -> JsonObject:
    info: JsonObject = {"input_name": name, **(extra or {})}
    text = name if details is None else details
    return {"type": kind, "message": message, "details": text, "extra_info": info}


def _raised(error: Exception) -> JsonObject:
    words = "tuple index out of range" if isinstance(error, IndexError) else str(error)
    extra: JsonObject = {
        "exception_type": type(error).__name__,
        "traceback": [_INNER_FRAME, _OUTER_FRAME],
    }
    return _error(
        "exception_during_validation", "Exception when validating node", details=words, extra=extra
    )


def links(node: JsonObject) -> Iterator[tuple[str, str, int]]:
    """Input name, source node and slot of every link into a node."""
    inputs = node.get("inputs")
    for name, value in inputs.items() if isinstance(inputs, dict) else ():
        if isinstance(value, list) and len(value) == 2 and isinstance(value[1], int):
            yield name, str(value[0]), value[1]


def _feeds(graph: Graph, node_id: str) -> set[str]:
    """The node and everything that depends on it."""
    reached = {node_id}
    while True:
        more = {
            other
            for other, node in graph.items()
            if other not in reached and any(source in reached for _, source, _ in links(node))
        }
        if not more:
            return reached
        reached |= more


def signatures(graph: Graph, classes: Mapping[str, NodeClass], folders: Folders) -> dict[str, str]:
    """One hash per node: equal when class, values, files and everything above are equal."""
    known: dict[str, str] = {}

    def sign(node_id: str) -> str:
        if node_id not in known:
            node = graph[node_id]
            inputs = node["inputs"]
            assert isinstance(inputs, dict)
            sources = {name: [sign(source), slot] for name, source, slot in links(node)}
            plain = {name: value for name, value in inputs.items() if name not in sources}
            stamp = classes[str(node["class_type"])].fingerprint(inputs, folders)
            text = json.dumps([node["class_type"], plain, sources, stamp], sort_keys=True)
            known[node_id] = hashlib.sha256(text.encode()).hexdigest()
        return known[node_id]

    for node_id in graph:
        try:
            sign(node_id)
        except (KeyError, RecursionError):
            continue  # a broken branch beside a good one never runs
    return known


def next_ready(pending: list[str], *, waits_for: Mapping[str, set[str]], outputs: set[str]) -> str:
    """The node to run among those whose inputs are there: outputs first, then what feeds one."""
    ready = [node_id for node_id in pending if not waits_for[node_id]]
    for node_id in ready:
        if node_id in outputs:
            return node_id
    near = {source for output in outputs & set(pending) for source in waits_for[output]}
    for node_id in ready:
        if node_id in near:
            return node_id
    beyond = {source for node_id in near for source in waits_for.get(node_id, set())}
    for node_id in ready:
        if node_id in beyond:
            return node_id
    return ready[0]


def wanted_nodes(graph: Graph, outputs: list[str], *, cached: set[str]) -> list[str]:
    """Every node that must be visited for `outputs`, in discovery order; a cached node hides
    what is above it."""
    order: list[str] = []
    for output in outputs:
        stack = [output]
        while stack:
            node_id = stack.pop()
            if node_id in order:
                continue
            order.append(node_id)
            if node_id not in cached:
                stack += [s for _, s, _ in links(graph[node_id]) if s not in cached]
    return order
