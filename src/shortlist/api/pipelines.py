"""Pipelines over HTTP, and a look into a workflow file before it becomes a step."""

from __future__ import annotations

import base64
import json
from datetime import datetime

from anyio import to_thread
from fastapi import APIRouter

from shortlist.api.deps import IdInPath, InRooms, Now, Rooms
from shortlist.api.edge import WorkflowRoute
from shortlist.api.models import Pipeline, PipelineDetail, StepDetail
from shortlist.api.requests import (
    NewBindings,
    NewPipeline,
    NewStep,
    NewWorkflow,
    WorkflowToInspect,
)
from shortlist.api.workshop import (
    BindingChoice,
    Finding,
    FoundBinding,
    Inspection,
    MissingPart,
    Severity,
)
from shortlist.comfy import workflow as comfy
from shortlist.comfy.plain import JSON
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
from shortlist.errors import BackendFault, BadInput
from shortlist.services import backends, pipelines
from shortlist.services.backends import BackendView
from shortlist.services.pipelines import PipelineView
from shortlist.store.db import Database, Tx

MOST_SHOWN = 2_000
"""Characters of a value shown beside its input."""

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


@router.put("/pipelines/{pipeline_id}/steps/{step_id}/bindings", operation_id="correct_bindings")
def correct_bindings(
    pipeline_id: IdInPath, step_id: IdInPath, body: NewBindings, rooms: InRooms, now: Now
) -> PipelineDetail:
    """Makes the next version of a pipeline with other bindings of one step; runs keep theirs."""
    bindings = _read_bindings(body.bindings)

    def correct(tx: Tx) -> PipelineDetail:
        made = pipelines.rebind(tx, pipeline_id, step_id, bindings=bindings, now=now)
        return _detail(pipelines.view(tx, made))

    return rooms.database.run(correct)


@router.put("/pipelines/{pipeline_id}/steps/{step_id}/workflow", operation_id="change_workflow")
async def change_workflow(
    pipeline_id: IdInPath, step_id: IdInPath, body: NewWorkflow, rooms: InRooms, now: Now
) -> PipelineDetail:
    """Makes the next version of a pipeline with another workflow of one step; runs keep theirs."""
    catalogue = await rooms.catalogues.get()

    def change(tx: Tx) -> PipelineDetail:
        made = pipelines.rework(tx, pipeline_id, step_id, graph=graph, bindings=bindings, now=now)
        return _detail(pipelines.view(tx, made))

    graph, bindings = await to_thread.run_sync(_reworked, body, catalogue)
    return await to_thread.run_sync(rooms.database.run, change)


def _reworked(body: NewWorkflow, catalogue: Catalogue | None) -> tuple[Graph, Bindings]:
    graph = _imported(body, catalogue, where="").graph
    if body.bindings is None:
        return graph, comfy.find_bindings(graph, catalogue).bindings()
    return graph, _read_bindings(body.bindings)


def _read_bindings(given: dict[str, object]) -> Bindings:
    try:
        return Bindings.from_json(given)  # type: ignore[arg-type]  # checked there
    except WorkflowFault as fault:
        raise BadInput(fault.sentence, field="bindings") from fault


@router.post("/workflows/inspect", operation_id="inspect_workflow")
async def inspect_workflow(body: WorkflowToInspect, rooms: InRooms) -> Inspection:
    """What the hub finds in a workflow: where image, seed, prompts and output are."""
    if body.saved is not None:
        body = body.model_copy(update={"workflow": await _saved(rooms, body)})
    catalogue = await _catalogue(rooms, body.backend_id)
    return await to_thread.run_sync(_inspect, body, catalogue)


@router.get("/backends/{backend_id}/workflows", operation_id="list_saved_workflows")
async def list_saved_workflows(backend_id: IdInPath, rooms: InRooms) -> list[str]:
    """Names of the workflows saved in the editor of a server, folders included."""
    server = await to_thread.run_sync(_server, rooms.database, backend_id)
    return list(await rooms.catalogues.saved(server.url))


async def _saved(rooms: Rooms, body: WorkflowToInspect) -> str:
    """The text of the saved workflow that is asked for."""
    if body.saved is None or body.backend_id is None or body.workflow is not None:
        raise BadInput("Name a server and a workflow saved there, and send none.", field="saved")
    server = await to_thread.run_sync(_server, rooms.database, body.backend_id)
    return await rooms.catalogues.read(server.url, body.saved)


async def _catalogue(rooms: Rooms, backend_id: int | None) -> Catalogue | None:
    """Of the server asked for, else of any that answers. Raises `BackendFault` for one away."""
    if backend_id is None:
        return await rooms.catalogues.get()
    server = await to_thread.run_sync(_server, rooms.database, backend_id)
    asked = await rooms.catalogues.of(server.url)
    if asked.catalogue is None:
        raise BackendFault(f"{server.name} can't be asked for its nodes: {asked.why}")
    return asked.catalogue


def _server(database: Database, backend_id: int) -> BackendView:
    with database.snapshot() as tx:
        return backends.view(tx, backend_id)


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
    read = _imported(body, catalogue, where="")
    found = comfy.find_bindings(read.graph, catalogue)
    return Inspection(
        format=read.form,
        graph={**comfy.as_json(read.graph)},
        notes=list(read.notes),
        bindings=_bindings(read.graph, found),
        missing=[
            MissingPart(role=each.role, reason=each.why, sure=each.sure)
            for each in found.findings
            if not each.targets
        ],
        proposal={**found.bindings().to_json()},
        inputs=[_choice(choice) for choice in found.inputs],
        packs=_packs(read.graph, catalogue),
        checked=catalogue is not None,
        problems=[*_missing(found), *_issues(read.graph, found, catalogue)],
    )


def _imported(
    given: NewStep | NewWorkflow | WorkflowToInspect, catalogue: Catalogue | None, *, where: str
) -> Imported:
    """The workflow, read; raises `BadInput` that says what is wrong with the file."""
    try:
        return comfy.parse(_file(given, where=where), catalogue)
    except WorkflowFault as fault:
        raise BadInput(
            f"{where}{fault.sentence}", field="workflow", items=list(fault.items)
        ) from fault


def _file(given: NewStep | NewWorkflow | WorkflowToInspect, *, where: str) -> str | bytes:
    if given.picture is not None and given.workflow is None:
        return decoded(given.picture, where=where)
    if given.workflow is None or given.picture is not None:
        raise BadInput(f"{where}send a workflow or a picture, one of the two.", field="workflow")
    return given.workflow if isinstance(given.workflow, str) else json.dumps(given.workflow)


def decoded(text: str, *, where: str = "") -> bytes:
    """The bytes of a file sent in base64."""
    try:
        return base64.b64decode(text)
    except ValueError as error:
        raise BadInput(f"{where}the picture is not in base64.", field="picture") from error


def _packs(graph: Graph, catalogue: Catalogue | None) -> dict[str, list[str]]:
    if catalogue is None:
        return {}
    return {pack: list(types) for pack, types in comfy.outside_core(graph, catalogue).items()}


def _new_step(step: NewStep, *, order: int, catalogue: Catalogue | None) -> pipelines.NewStep:
    where = f"Step {order}, {step.name.strip() or 'without a name'}: "
    graph = _imported(step, catalogue, where=where).graph
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
            class_type=graph[target.node]["class_type"],
            input=target.input,
            value=_shown(graph[target.node]["inputs"].get(target.input)),
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
        class_type=choice.class_type,
        input=choice.target.input,
        value=_shown(choice.value),
        reason=choice.why,
    )


def _shown(value: JSON) -> str | int | float | bool | None:
    """A plain value as it is; a link or a list is not shown."""
    if isinstance(value, str):
        return value[:MOST_SHOWN]
    return None if isinstance(value, dict | list) else value


def _missing(found: Found) -> list[Finding]:
    return [
        Finding(
            severity=_NEEDED[finding.role],
            role=finding.role,
            node_id=None,
            node_title=None,
            detail=finding.why,
        )
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
            role=None,
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
                tried_at=step.tried_at,
                bindings=step.bindings,
                workflow=json.loads(step.workflow),
            )
            for step in view.steps
        ],
    )
