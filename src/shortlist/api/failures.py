"""Failures over HTTP: read in groups, and retried by hand."""

from __future__ import annotations

from fastapi import APIRouter

from shortlist.api.deps import InRooms, Now
from shortlist.api.edge import StrictRoute
from shortlist.api.models import NamedRef, PipelineRef
from shortlist.api.requests import FailuresToRetry
from shortlist.api.workshop import FailureGroup, RetriedFailures
from shortlist.services import failures, versions
from shortlist.services.failures import Group, Key, Retried
from shortlist.store.db import Tx

router = APIRouter(prefix="/failures", tags=["failures"], route_class=StrictRoute)


@router.get("", operation_id="list_failures")
def list_failures(rooms: InRooms) -> list[FailureGroup]:
    """Failures that wait for a person, by kind, step and server, the newest group first."""
    with rooms.database.snapshot() as tx:
        return [_shape(group) for group in failures.groups(tx)]


@router.post("/retry", operation_id="retry_failures")
def retry_failures(body: FailuresToRetry, rooms: InRooms, now: Now) -> RetriedFailures:
    """Lets everything that a group of failures stopped go on, with new seeds; with another version
    of the step where one is named."""
    key, version = Key(body.kind, body.step_id, body.backend_id), body.pipeline_id

    def again(tx: Tx) -> Retried:
        if version is None:
            return failures.retry(tx, key, now=now)
        return versions.retry(tx, key, version, now=now)

    return RetriedFailures.model_validate(rooms.database.run(again))


def _shape(group: Group) -> FailureGroup:
    return FailureGroup(
        kind=group.kind,
        step_id=group.step_id,
        step_name=group.step_name,
        step_order=group.step_order,
        pipeline=PipelineRef(
            id=group.pipeline_id, name=group.pipeline_name, version=group.pipeline_version
        ),
        backend=NamedRef(id=group.backend_id, name=group.backend_name),
        run_ids=list(group.run_ids),
        count=group.count,
        first_at=group.first_at,
        last_at=group.last_at,
        job_id=group.job_id,
        node=group.node,
        sentence=group.sentence,
        log=group.log,
        parked=group.parked,
        held=group.held,
    )
