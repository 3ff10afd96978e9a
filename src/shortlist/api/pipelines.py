"""Pipelines over HTTP, and a look into a workflow file before it becomes a step."""

from __future__ import annotations

import json

from fastapi import APIRouter, HTTPException

from shortlist.api.deps import IdInPath, InRooms, Now
from shortlist.api.edge import WorkflowRoute, parse
from shortlist.api.models import (
    BindingChoice,
    Finding,
    FoundBinding,
    Inspection,
    Pipeline,
    PipelineDetail,
    Severity,
    StepDetail,
    WorkflowFormat,
)
from shortlist.api.requests import NewPipeline, NewStep, WorkflowToInspect
from shortlist.comfy import workflow as comfy
from shortlist.comfy.workflow import Bindings, Graph, Role, Sure, WorkflowFault
from shortlist.errors import BadInput
from shortlist.services import pipelines
from shortlist.services.pipelines import PipelineView
from shortlist.store.db import Tx

router = APIRouter(tags=["pipelines"], route_class=WorkflowRoute)


@router.get("/pipelines", operation_id="list_pipelines")
def list_pipelines(rooms: InRooms) -> list[Pipeline]:
    """All pipelines by name, newest version first."""
    with rooms.database.snapshot() as tx:
        return [Pipeline.model_validate(view) for view in pipelines.views(tx)]


@router.get("/pipelines/{pipeline_id}", operation_id="get_pipeline")
def get_pipeline(pipeline_id: IdInPath, rooms: InRooms) -> PipelineDetail:
    """One pipeline with the workflows and bindings of its steps."""
    with rooms.database.snapshot() as tx:
        return _detail(pipelines.view(tx, pipeline_id))


@router.post("/pipelines", status_code=201, operation_id="create_pipeline")
def create_pipeline(body: NewPipeline, rooms: InRooms, now: Now) -> PipelineDetail:
    """Makes a pipeline, or the next version of the one of that name."""
    steps = [_new_step(step, order=order) for order, step in enumerate(body.steps, start=1)]

    def create(tx: Tx) -> PipelineDetail:
        description = body.description
        made = pipelines.create(tx, body.name, description=description, steps=steps, now=now)
        return _detail(pipelines.view(tx, made))

    return rooms.database.run(create)


@router.post("/workflows/inspect", operation_id="inspect_workflow")
def inspect_workflow(body: WorkflowToInspect) -> Inspection:
    """What the hub finds in a workflow: where image, seed, prompts and output are."""
    graph = _graph(body.workflow)
    return Inspection(
        format=WorkflowFormat.API,
        graph={**comfy.as_json(graph)},
        bindings=_found(graph),
        problems=_problems(graph),
    )


_NEEDED = {
    Role.OUTPUT: Severity.ERROR,
    Role.IMAGE: Severity.WARNING,
    Role.SEED: Severity.WARNING,
    Role.POSITIVE: Severity.WARNING,
}
"""The parts whose absence a person should know of; a first step needs no image."""


def _graph(given: dict[str, object] | str, *, where: str = "") -> Graph:
    """The workflow as a graph; raises `BadInput` that says what is wrong with the file."""
    try:
        value = _parsed(given) if isinstance(given, str) else given
        return comfy.as_graph(value)  # type: ignore[arg-type]  # what JSON gives, checked there
    except WorkflowFault as fault:
        raise BadInput(f"{where}{fault.sentence}", field="workflow") from fault


def _parsed(text: str) -> object:
    try:
        return parse(text.encode())
    except HTTPException as error:
        raise WorkflowFault(f"The workflow file can't be read: {error.detail}") from error


def _new_step(step: NewStep, *, order: int) -> pipelines.NewStep:
    where = f"Step {order}, {step.name.strip() or 'without a name'}: "
    try:
        bindings = None if step.bindings is None else Bindings.from_json(step.bindings)  # type: ignore[arg-type]
    except WorkflowFault as fault:
        raise BadInput(f"{where}{fault.sentence}", field="bindings", step=order) from fault
    return pipelines.NewStep(
        name=step.name,
        graph=_graph(step.workflow, where=where),
        bindings=bindings,
        max_children=step.max_children,
        gate=step.gate,
        default_top_k=step.default_top_k,
    )


def _found(graph: Graph) -> list[FoundBinding]:
    return [
        FoundBinding(
            role=finding.role,
            node_id=target.node,
            node_title=comfy.name_of(graph, target.node),
            input=target.input,
            reason=finding.why,
            sure=finding.sure,
            alternatives=[
                BindingChoice(
                    node_id=choice.target.node,
                    node_title=choice.title,
                    input=choice.target.input,
                    reason=choice.why,
                )
                for choice in finding.choices
            ],
        )
        for finding in comfy.find_bindings(graph, None).findings
        for target in finding.targets
    ]


def _problems(graph: Graph) -> list[Finding]:
    findings = comfy.find_bindings(graph, None).findings
    missing = [
        Finding(severity=_NEEDED[f.role], node_id=None, node_title=None, detail=f.why)
        for f in findings
        if not f.targets and f.role in _NEEDED
    ]
    unsure = [
        Finding(
            severity=Severity.WARNING,
            node_id=f.targets[0].node,
            node_title=comfy.name_of(graph, f.targets[0].node),
            detail=f.why,
        )
        for f in findings
        if f.targets and f.sure is Sure.ASK
    ]
    return missing + unsure


def _detail(view: PipelineView) -> PipelineDetail:
    return PipelineDetail(
        id=view.id,
        name=view.name,
        version=view.version,
        description=view.description,
        created_at=view.created_at,
        newest=view.newest,
        steps=[
            StepDetail(
                id=step.id,
                name=step.name,
                order=step.order,
                max_children=step.max_children,
                gate=step.gate,
                default_top_k=step.default_top_k,
                bindings=step.bindings,
                workflow=json.loads(step.workflow),
            )
            for step in view.steps
        ],
    )
