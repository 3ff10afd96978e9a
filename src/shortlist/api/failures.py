"""Failures over HTTP: read in groups, and retried by hand."""

from __future__ import annotations

from fastapi import APIRouter

from shortlist.api.deps import InRooms, Now
from shortlist.api.edge import StrictRoute
from shortlist.api.models import NamedRef
from shortlist.api.requests import FailuresToRetry
from shortlist.api.workshop import FailureGroup, RetriedFailures
from shortlist.services import failures
from shortlist.services.failures import Group, Key

router = APIRouter(prefix="/failures", tags=["failures"], route_class=StrictRoute)


@router.get("", operation_id="list_failures")
def list_failures(rooms: InRooms) -> list[FailureGroup]:
    """Failures that wait for a person, by kind, step and server, the newest group first."""
    with rooms.database.snapshot() as tx:
        return [_shape(group) for group in failures.groups(tx)]


@router.post("/retry", operation_id="retry_failures")
def retry_failures(body: FailuresToRetry, rooms: InRooms, now: Now) -> RetriedFailures:
    """Lets everything that a group of failures stopped go on, with new seeds."""
    key = Key(body.kind, body.step_id, body.backend_id)
    return RetriedFailures.model_validate(
        rooms.database.run(lambda tx: failures.retry(tx, key, now=now))
    )


def _shape(group: Group) -> FailureGroup:
    return FailureGroup(
        kind=group.kind,
        step_id=group.step_id,
        step_name=group.step_name,
        pipeline_name=group.pipeline_name,
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
