"""Pipelines over HTTP, and a look into a workflow file before it becomes a step."""

from __future__ import annotations

import json
from datetime import datetime

from anyio import to_thread
from fastapi import APIRouter

from shortlist.api.deps import IdInPath, InRooms, Now
from shortlist.api.edge import WorkflowRoute
from shortlist.api.models import (
    BindingChoice,
    Finding,
    FoundBinding,
    Inspection,
    Pipeline,
    PipelineDetail,
    Severity,
    StepDetail,
)
from shortlist.api.requests import NewPipeline, NewStep, WorkflowToInspect
from shortlist.comfy import workflow as comfy
from shortlist.comfy.workflow import (
    Bindings,
    Catalogue,
    Choice,
    Found,
    Graph,
    Imported,
    IssueKind,
    Role,
    WorkflowFault,
)
from shortlist.errors import BadInput
from shortlist.services import pipelines
from shortlist.services.pipelines import PipelineView
from shortlist.store.db import Database, Tx

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
async def create_pipeline(body: NewPipeline, rooms: InRooms, now: Now) -> PipelineDetail:
    """Makes a pipeline, or the next version of the one of that name."""
    catalogue = await rooms.catalogues.get()
    return await to_thread.run_sync(_create, rooms.database, body, catalogue, now)


@router.post("/workflows/inspect", operation_id="inspect_workflow")
async def inspect_workflow(body: WorkflowToInspect, rooms: InRooms) -> Inspection:
    """What the hub finds in a workflow: where image, seed, prompts and output are."""
    return await to_thread.run_sync(_inspect, body, await rooms.catalogues.get())


_NEEDED = {
    Role.OUTPUT: Severity.ERROR,
    Role.IMAGE: Severity.WARNING,
    Role.SEED: Severity.WARNING,
    Role.POSITIVE: Severity.WARNING,
}
"""The parts whose absence a person should know of; a first step needs no image."""


def _create(
    database: Database, body: NewPipeline, catalogue: Catalogue | None, now: datetime
) -> PipelineDetail:
    steps = [
        _new_step(step, order=order, catalogue=catalogue)
        for order, step in enumerate(body.steps, start=1)
    ]

    def create(tx: Tx) -> PipelineDetail:
        description = body.description
        made = pipelines.create(tx, body.name, description=description, steps=steps, now=now)
        return _detail(pipelines.view(tx, made))

    return database.run(create)


def _inspect(body: WorkflowToInspect, catalogue: Catalogue | None) -> Inspection:
    read = _imported(body.workflow, catalogue, where="")
    found = comfy.find_bindings(read.graph, catalogue)
    return Inspection(
        format=read.form,
        graph={**comfy.as_json(read.graph)},
        notes=list(read.notes),
        bindings=_bindings(read.graph, found),
        problems=[*_missing(found), *_issues(read.graph, found, catalogue)],
    )


def _imported(
    given: dict[str, object] | str, catalogue: Catalogue | None, *, where: str
) -> Imported:
    """The workflow, read; raises `BadInput` that says what is wrong with the file."""
    text = given if isinstance(given, str) else json.dumps(given)
    try:
        return comfy.parse(text, catalogue)
    except WorkflowFault as fault:
        raise BadInput(f"{where}{fault.sentence}", field="workflow") from fault


def _new_step(step: NewStep, *, order: int, catalogue: Catalogue | None) -> pipelines.NewStep:
    where = f"Step {order}, {step.name.strip() or 'without a name'}: "
    graph = _imported(step.workflow, catalogue, where=where).graph
    try:
        bindings = (
            comfy.find_bindings(graph, catalogue).bindings()
            if step.bindings is None
            else Bindings.from_json(step.bindings)  # type: ignore[arg-type]  # checked there
        )
    except WorkflowFault as fault:
        raise BadInput(f"{where}{fault.sentence}", field="bindings", step=order) from fault
    return pipelines.NewStep(
        name=step.name,
        graph=graph,
        bindings=bindings,
        max_children=step.max_children,
        gate=step.gate,
        default_top_k=step.default_top_k,
    )


def _bindings(graph: Graph, found: Found) -> list[FoundBinding]:
    return [
        FoundBinding(
            role=finding.role,
            node_id=target.node,
            node_title=comfy.name_of(graph, target.node),
            input=target.input,
            reason=finding.why,
            sure=finding.sure,
            alternatives=[_choice(choice) for choice in finding.choices],
        )
        for finding in found.findings
        for target in finding.targets
    ]


def _choice(choice: Choice) -> BindingChoice:
    return BindingChoice(
        node_id=choice.target.node,
        node_title=choice.title,
        input=choice.target.input,
        reason=choice.why,
    )


def _missing(found: Found) -> list[Finding]:
    return [
        Finding(severity=_NEEDED[finding.role], node_id=None, node_title=None, detail=finding.why)
        for finding in found.findings
        if not finding.targets and finding.role in _NEEDED
    ]


def _issues(graph: Graph, found: Found, catalogue: Catalogue | None) -> list[Finding]:
    """What would go wrong with it, on the server at hand where there is one."""
    if not found.of(Role.OUTPUT).targets:
        return []
    issues = comfy.check(graph, found.bindings(), catalogue, takes_parent=False)
    return [
        Finding(
            severity=Severity.ERROR if issue.blocks else Severity.WARNING,
            node_id=issue.node or None,
            node_title=comfy.name_of(graph, issue.node) if issue.node else None,
            detail=issue.sentence,
        )
        for issue in issues
        if issue.kind is not IssueKind.NO_SEED  # told already as a part that is missing
    ]


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
