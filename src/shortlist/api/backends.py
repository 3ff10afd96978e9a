"""The servers that render, over HTTP: list, add, rename, drain, remove."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fastapi import APIRouter, Response

from shortlist.api.deps import IdInPath, InRooms, Now
from shortlist.api.edge import StrictRoute
from shortlist.api.models import Backend, JobSummary, StepThere
from shortlist.api.requests import BackendChange, NewBackend
from shortlist.services import assignments, backends, work
from shortlist.services.assignments import Assignment
from shortlist.services.backends import BackendView
from shortlist.services.work import JobView
from shortlist.store.db import Tx

HOUR: Final = timedelta(hours=1)

router = APIRouter(prefix="/backends", tags=["backends"], route_class=StrictRoute)


@router.get("", operation_id="list_backends")
def list_backends(rooms: InRooms, now: Now) -> list[Backend]:
    """All servers with the jobs they have."""
    with rooms.database.snapshot() as tx:
        return listed(tx, now=now)


@router.post("", status_code=201, operation_id="add_backend")
def add_backend(body: NewBackend, rooms: InRooms, now: Now) -> Backend:
    """Adds a ComfyUI server; the hub starts to use it at once."""

    def add(tx: Tx) -> Backend:
        own = rooms.options.own
        return _one(tx, backends.register(tx, body.url, name=body.name, own=own, now=now), now=now)

    return rooms.database.run(add)


@router.patch("/{backend_id}", operation_id="change_backend")
def change_backend(backend_id: IdInPath, body: BackendChange, rooms: InRooms, now: Now) -> Backend:
    """Renames a server, or takes it out of use: it finishes what it has and gets nothing new."""

    def change(tx: Tx) -> Backend:
        backends.change(tx, backend_id, name=body.name, enabled=body.enabled, now=now)
        return _one(tx, backend_id, now=now)

    return rooms.database.run(change)


@router.delete("/{backend_id}", status_code=204, operation_id="remove_backend")
def remove_backend(backend_id: IdInPath, rooms: InRooms, now: Now) -> Response:
    """Removes a server that has no job in flight."""
    rooms.database.run(lambda tx: backends.remove(tx, backend_id, now=now))
    return Response(status_code=204)


@router.post("/{backend_id}/steps/{step_id}/release", operation_id="release_step_on_backend")
def release_step_on_backend(
    backend_id: IdInPath, step_id: IdInPath, rooms: InRooms, now: Now
) -> Backend:
    """Lets a server have a step again that it lacked something for or failed at too often."""

    def release(tx: Tx) -> Backend:
        assignments.release(tx, backend_id, step_id, now=now)
        return _one(tx, backend_id, now=now)

    return rooms.database.run(release)


def listed(tx: Tx, *, now: datetime) -> list[Backend]:
    known = _known(tx, now=now)
    return [_shape(view, known) for view in backends.views(tx)]


def _one(tx: Tx, backend_id: int, *, now: datetime) -> Backend:
    return _shape(backends.view(tx, backend_id), _known(tx, now=now))


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of all servers at a moment."""

    flying: list[JobView]
    steps: list[Assignment]
    made: dict[int, int]


def _known(tx: Tx, *, now: datetime) -> _Known:
    return _Known(work.in_flight(tx), assignments.views(tx), work.made_since(tx, now - HOUR))


def _shape(view: BackendView, known: _Known) -> Backend:
    return Backend(
        id=view.id,
        name=view.name,
        kind=view.kind,
        url=view.url,
        enabled=view.enabled,
        health=view.health,
        health_detail=view.health_detail,
        version=view.version,
        simulator=view.simulator,
        heard_at=view.heard_at,
        retry_at=view.retry_at,
        in_flight=[
            JobSummary.model_validate(job) for job in known.flying if job.backend.id == view.id
        ],
        last_hour=known.made.get(view.id, 0),
        steps=[
            StepThere.model_validate(step) for step in known.steps if step.backend_id == view.id
        ],
    )
