"""The exact workflow of one job: its step's template with the run's values and its parent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

from sqlalchemy import Integer, bindparam, select

from shortlist.comfy.workflow import Bindings, Graph, Role, Values, WorkflowFault, as_graph, patch
from shortlist.services.wording import Words
from shortlist.store.db import Tx
from shortlist.store.schema import ImageFile, PipelineRun, PipelineStep

UPLOADS: Final = "shortlist"
"""The folder of a server's inputs that parents are uploaded to, under their content hash."""


@dataclass(frozen=True, slots=True)
class Template:
    """A step's workflow before the values of a job are in it."""

    step_id: int
    graph: Graph
    bindings: Bindings
    takes_parent: bool


class Unbuildable(WorkflowFault):
    """A step's workflow that can't take the values of a run."""

    def __init__(self, fault: WorkflowFault, *, run_id: int, step_id: int) -> None:
        super().__init__(fault.sentence, items=fault.items)
        self.run_id = run_id
        self.step_id = step_id


def template(tx: Tx, run_id: int, *, step_order: int) -> Template:
    """The step of that order in a run's pipeline."""
    row = tx.execute(_OF_RUN, {"run": run_id, "step_order": step_order}).one()
    graph = _read(row.comfy_workflow_json)
    return Template(row.id, graph, Bindings.from_json(row.bindings), step_order > 1)


def build(
    tx: Tx,
    *,
    run_id: int,
    step_id: int,
    parent_id: int | None,
    words: Words,
    seed: int,
    prompt_id: str,
    now: datetime,
) -> str:
    """The graph to submit, as JSON text.

    Its files are saved under a prefix that is this attempt's alone. Raises `Unbuildable` when
    the step's workflow can't take these values.
    """
    sources = {"run": run_id, "step": step_id, "parent": parent_id}
    step = tx.execute(_SOURCES, sources).one()
    bindings = Bindings.from_json(step.bindings)
    values = _values(
        bindings,
        words=words,
        parameters=step.parameters,
        parent_key=step.parent_key,
        seed=seed,
        prefix=prefix(prompt_id, now=now),
    )
    try:
        graph = patch(_read(step.comfy_workflow_json), bindings, values)
    except WorkflowFault as fault:
        raise Unbuildable(fault, run_id=run_id, step_id=step_id) from fault
    return json.dumps(graph, separators=(",", ":"))


@lru_cache(maxsize=16)
def _read(workflow: str) -> Graph:
    """A step's workflow; job after job asks for the same few, and nobody changes what they get."""
    return as_graph(json.loads(workflow))


def prefix(prompt_id: str, *, now: datetime) -> str:
    """How the names of an attempt's files begin: no other attempt's do."""
    return f"shortlist/{now:%Y%m}/{prompt_id}/s"


def upload_name(key: str) -> str:
    """How a workflow names a parent whose original has `key` in the image store."""
    return f"{UPLOADS}/{PurePosixPath(key).name}"


_SOURCES = (
    select(
        PipelineStep.comfy_workflow_json,
        PipelineStep.bindings,
        PipelineRun.parameters,
        ImageFile.image_path.label("parent_key"),
    )
    .select_from(PipelineStep)
    .join(PipelineRun, PipelineRun.id == bindparam("run"))
    .outerjoin(ImageFile, ImageFile.candidate_id == bindparam("parent", type_=Integer))
    .where(PipelineStep.id == bindparam("step"))
)
_OF_RUN = (
    select(PipelineStep.id, PipelineStep.comfy_workflow_json, PipelineStep.bindings)
    .join(PipelineRun, PipelineRun.pipeline_id == PipelineStep.pipeline_id)
    .where(PipelineRun.id == bindparam("run"), PipelineStep.order == bindparam("step_order"))
)


def _values(
    bindings: Bindings,
    *,
    words: Words,
    parameters: dict[str, object],
    parent_key: str | None,
    seed: int,
    prefix: str,
) -> Values:
    """The run's values for this step; what its workflow has no input for is left out."""
    width, height, denoise = (parameters.get(name) for name in ("width", "height", "denoise"))
    known = {name: parameters[name] for name in bindings.variables if name in parameters}
    return Values(
        prefix=prefix,
        seed=seed,
        image=None if parent_key is None else upload_name(parent_key),
        positive=words.prompt or None,
        negative=words.negative or None,
        width=width if isinstance(width, int) else None,
        height=height if isinstance(height, int) else None,
        denoise=float(denoise) if isinstance(denoise, int | float) else None,
        batch=1 if bindings.of(Role.BATCH) else None,
        variables=known,  # type: ignore[arg-type]
    )
