"""Checks before the night: a pipeline against every server in use, and an address before it is
added."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from anyio import to_thread
from fastapi import APIRouter

from shortlist.api.deps import Asked, IdInPath, InRooms, Rooms
from shortlist.api.edge import StrictRoute
from shortlist.api.models import NamedRef
from shortlist.api.requests import Address
from shortlist.api.workshop import PipelineChecks, ServerAnswer, ServerCheck, StepCheck, StepIssue
from shortlist.comfy import workflow as comfy
from shortlist.comfy.workflow import Bindings, Graph, Issue
from shortlist.services import backends, pipelines
from shortlist.services.backends import BackendView
from shortlist.services.pipelines import PipelineView, StepView

router = APIRouter(tags=["checks"], route_class=StrictRoute)


@router.get("/pipelines/{pipeline_id}/checks", operation_id="check_pipeline")
async def check_pipeline(pipeline_id: IdInPath, rooms: InRooms) -> PipelineChecks:
    """What would go wrong with each step on each server that is in use, node by node."""
    view, servers = await to_thread.run_sync(_read, rooms, pipeline_id)
    asked = await asyncio.gather(*(rooms.catalogues.of(server.url) for server in servers))
    return await to_thread.run_sync(_checked, view, list(zip(servers, asked, strict=True)))


@router.post("/backends/test", operation_id="test_backend")
async def test_backend(body: Address, rooms: InRooms) -> ServerAnswer:
    """Whether ComfyUI answers at an address, and what it is; adds nothing."""
    return ServerAnswer.model_validate(await rooms.catalogues.test(body.url))


def _read(rooms: Rooms, pipeline_id: int) -> tuple[PipelineView, list[BackendView]]:
    with rooms.database.snapshot() as tx:
        view = pipelines.view(tx, pipeline_id)
        return view, [each for each in backends.views(tx) if each.enabled]


def _checked(view: PipelineView, servers: Sequence[tuple[BackendView, Asked]]) -> PipelineChecks:
    steps = [_step(step, servers) for step in view.steps]
    return PipelineChecks(
        ready=all(any(server.ready for server in step.servers) for step in steps), steps=steps
    )


def _step(step: StepView, servers: Sequence[tuple[BackendView, Asked]]) -> StepCheck:
    graph = comfy.as_graph(json.loads(step.workflow))
    bindings = Bindings.from_json(step.bindings)  # type: ignore[arg-type]  # checked there
    takes_parent = step.order > 1
    everywhere = comfy.check(graph, bindings, None, takes_parent=takes_parent)
    packs: dict[str, set[str]] = {}
    checks: list[ServerCheck] = []
    for server, asked in servers:
        found: tuple[Issue, ...] = ()
        if asked.catalogue is not None:
            found = comfy.check(graph, bindings, asked.catalogue, takes_parent=takes_parent)
            for pack, types in comfy.outside_core(graph, asked.catalogue).items():
                packs.setdefault(pack, set()).update(types)
        own = [issue for issue in found if issue not in everywhere]
        checks.append(
            ServerCheck(
                backend=NamedRef(id=server.id, name=server.name),
                checked=asked.catalogue is not None,
                ready=asked.catalogue is not None and not any(issue.blocks for issue in found),
                detail="" if asked.catalogue else f"Not checked: {asked.why}",
                issues=[_issue(graph, issue) for issue in own],
            )
        )
    return StepCheck(
        step_id=step.id,
        name=step.name,
        order=step.order,
        issues=[_issue(graph, issue) for issue in everywhere],
        servers=checks,
        packs={pack: sorted(types) for pack, types in sorted(packs.items())},
    )


def _issue(graph: Graph, issue: Issue) -> StepIssue:
    return StepIssue(
        kind=issue.kind,
        blocks=issue.blocks,
        detail=issue.sentence,
        node_id=issue.node or None,
        node_title=comfy.name_of(graph, issue.node) if issue.node else None,
        input=issue.input or None,
    )
