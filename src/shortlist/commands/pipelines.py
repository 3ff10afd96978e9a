"""The commands `pipeline …`: list, show, and a pipeline as one file that another hub can read.

The file is JSON with a line a value: each step with its gate and numbers, its bindings, and its
workflow just as ComfyUI exports it, so that a person can read, compare and edit it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shortlist.comfy.plain import a_dict, loads, storable
from shortlist.comfy.workflow import (
    Bindings,
    Graph,
    WorkflowFault,
    as_graph,
    as_json,
    find_bindings,
)
from shortlist.commands.existing import existing
from shortlist.commands.serving import say
from shortlist.commands.table import lines
from shortlist.domain.model import GateKind
from shortlist.errors import BadInput, Conflict, NotFound
from shortlist.services import pipelines
from shortlist.services.pipelines import NewStep, PipelineView, StepView
from shortlist.settings import Settings
from shortlist.store.db import Tx

MOST_BYTES: Final = 64 * 2**20
"""Twenty steps of the largest workflows that people share."""

Whole = Annotated[int, Field(strict=True)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Step(_Part):
    """A step in the file; without bindings they are found."""

    name: str
    gate: GateKind = GateKind.MANUAL
    default_top_k: Whole | None = None
    max_children: Whole | None = None
    bindings: dict[str, object] | None = None
    workflow: dict[str, object]


class _File(_Part):
    """The whole file. `shortlist_pipeline` is the version of this form."""

    shortlist_pipeline: Literal[1]
    name: str
    description: str = ""
    steps: list[_Step]


def show_all(settings: Settings, *, every_version: bool, as_json: bool) -> None:
    """Lists pipelines, of each the newest version unless asked for all."""
    with existing(settings) as database, database.snapshot() as tx:
        found = [view for view in pipelines.views(tx) if every_version or view.newest]
    if as_json:
        _print_json([_in_short(view) for view in found])
        return
    if not found:
        say("There is no pipeline yet; add one on the page, or see shortlist pipeline import.")
        return
    rows = [
        (str(view.id), view.name, str(view.version), " → ".join(step.name for step in view.steps))
        for view in found
    ]
    say(*lines(("pipeline", "name", "version", "steps"), rows))


def show(settings: Settings, name: str, *, as_json: bool) -> None:
    """Prints one pipeline: its steps and gates."""
    with existing(settings) as database, database.snapshot() as tx:
        view = find(tx, name)
    if as_json:
        _print_json(_in_short(view))
        return
    say(f"Pipeline {view.id}, {view.name}, version {view.version}.")
    if view.description:
        say(view.description)
    rows = [
        (
            str(step.order),
            step.name,
            step.gate.value,
            str(step.max_children or "the run's"),
            str(step.default_top_k or "none"),
            ", ".join(role for role, bound in step.bindings.items() if bound),
        )
        for step in view.steps
    ]
    say("", *lines(("step", "name", "gate", "N", "default K", "bound"), rows))


def export(settings: Settings, name: str, *, to: Path | None) -> None:
    """Writes a pipeline as one file, or to standard output."""
    with existing(settings) as database, database.snapshot() as tx:
        view = find(tx, name)
    text = json.dumps(_as_file(view), indent=2, ensure_ascii=False) + "\n"
    if to is None:
        sys.stdout.write(text)
        return
    try:
        with to.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise Conflict(f"{to} is there already; choose another name.") from error
    except OSError as error:
        raise BadInput(f"{to} can't be written: {error.strerror}.") from error
    say(f"{view.name}, version {view.version}, is in {to}.")


def take(settings: Settings, path: Path, *, name: str | None) -> None:
    """Makes the pipeline of a file, unless its newest version is just the same."""
    file = _read(path, name=name)
    steps = [_new_step(step, order=order) for order, step in enumerate(file.steps, start=1)]
    same = _content(file, steps)

    def make(tx: Tx) -> tuple[PipelineView, bool]:
        for view in pipelines.views(tx):
            if view.newest and view.name == file.name and _as_file(view) == same:
                return view, False
        now = datetime.now(UTC)
        made = pipelines.create(tx, file.name, description=file.description, steps=steps, now=now)
        return pipelines.view(tx, made), True

    with existing(settings) as database:
        view, is_new = database.run(make)
    told = f"{len(view.steps)} steps" if is_new else "it was there already"
    say(f"Pipeline {view.id}, {view.name}, version {view.version}: {told}.")


def find(tx: Tx, name: str) -> PipelineView:
    """The pipeline of a number, or the newest version of a name. Raises `NotFound`."""
    every = pipelines.views(tx)
    for view in every:
        if str(view.id) == name:
            return view
    for view in every:
        if view.newest and view.name.casefold() == name.casefold():
            return view
    raise NotFound(f"There is no pipeline {name!r}; see shortlist pipeline list.")


def _as_file(view: PipelineView) -> dict[str, object]:
    return {
        "shortlist_pipeline": 1,
        "name": view.name,
        "description": view.description,
        "steps": [_as_step(step) for step in view.steps],
    }


def _as_step(step: StepView) -> dict[str, object]:
    return {
        "name": step.name,
        "gate": step.gate.value,
        "default_top_k": step.default_top_k,
        "max_children": step.max_children,
        "bindings": step.bindings,
        "workflow": json.loads(step.workflow),
    }


def _content(file: _File, steps: Sequence[NewStep]) -> dict[str, object]:
    """What `_as_file` would write of the pipeline once it is made."""
    return {
        **file.model_dump(exclude={"steps"}),
        "steps": [
            {
                "name": step.name,
                "gate": step.gate.value,
                "default_top_k": step.default_top_k,
                "max_children": step.max_children,
                "bindings": (step.bindings or _found(step.graph)).to_json(),
                "workflow": as_json(step.graph),
            }
            for step in steps
        ],
    }


def _found(graph: Graph) -> Bindings:
    return find_bindings(graph, None).bindings()


def _in_short(view: PipelineView) -> dict[str, object]:
    """A pipeline for programs, without its workflows."""
    steps = [{"order": step.order, **_as_step(step)} for step in view.steps]
    for step in steps:
        del step["workflow"]
    return {
        "id": view.id,
        "name": view.name,
        "version": view.version,
        "description": view.description,
        "steps": steps,
    }


def _read(path: Path, *, name: str | None) -> _File:
    try:
        data = path.read_bytes() if path.stat().st_size <= MOST_BYTES else None
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}.") from error
    if data is None:
        raise BadInput(f"{path} is larger than {MOST_BYTES // 2**20} MiB; it is no pipeline.")
    try:
        value = storable(loads(data.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is no text; give a file of shortlist pipeline export.") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadInput(f"The JSON of {path} is broken at {where}: {error.msg}.") from error
    except ValueError as error:
        raise BadInput(f"{path} can't be read: {error}.") from error
    if "shortlist_pipeline" not in a_dict(value):
        raise BadInput(f"{path} is no pipeline; give a file of shortlist pipeline export.")
    if name is not None:
        value = {**a_dict(value), "name": name}
    try:
        file = _File.model_validate(value)
    except ValidationError as error:
        raise BadInput(f"{path}: {_told(error)}") from error
    return file.model_copy(update={"name": file.name.strip()})


def _told(fault: ValidationError) -> str:
    """The first thing wrong with a file, at its place."""
    error = fault.errors()[0]
    place = "".join(
        f" {part + 1}" if isinstance(part, int) else f", {part}" for part in error["loc"]
    )
    words = {"missing": "is missing", "extra_forbidden": "is not known here"}
    if error["type"] == "literal_error" and error["loc"] == ("shortlist_pipeline",):
        return "it was written by another version of Shortlist; update this one."
    told = words.get(error["type"]) or f"is not right: {error['msg']}"
    return f"{place.removeprefix(', ').replace('steps ', 'step ')} {told}."


def _new_step(step: _Step, *, order: int) -> NewStep:
    where = f"Step {order}, {step.name.strip() or 'without a name'}: "
    try:
        return NewStep(
            name=step.name.strip(),
            graph=as_graph(step.workflow),  # type: ignore[arg-type]  # what JSON gives
            bindings=None if step.bindings is None else Bindings.from_json(step.bindings),  # type: ignore[arg-type]
            max_children=step.max_children,
            gate=step.gate,
            default_top_k=step.default_top_k,
        )
    except WorkflowFault as fault:
        raise BadInput(f"{where}{fault.sentence}") from fault


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
