"""Test runs over HTTP: start one, look at it, cancel it, and see its pictures."""

from __future__ import annotations

import json
from typing import Annotated, Final

from anyio import to_thread
from fastapi import APIRouter, Response
from fastapi import Path as InPath

from shortlist.api.deps import IdInPath, InRooms, Rooms
from shortlist.api.edge import WorkflowRoute
from shortlist.api.models import NamedRef
from shortlist.api.pipelines import decoded
from shortlist.api.requests import TrialToStart
from shortlist.api.workshop import Trial
from shortlist.comfy import workflow as comfy
from shortlist.comfy.workflow import Bindings
from shortlist.errors import BadInput, Conflict, NotFound
from shortlist.images.blobs import media_type
from shortlist.images.model import ImageFault, MediaType
from shortlist.services import backends, images, pipelines, trials
from shortlist.services.backends import BackendView
from shortlist.services.pipelines import StepView

router = APIRouter(tags=["trials"], route_class=WorkflowRoute)

TrialInPath = Annotated[str, InPath(pattern=r"^[0-9a-f-]{36}$")]
NumberInPath = Annotated[int, InPath(ge=0, le=64)]

_HEADERS: Final = {
    "Cache-Control": "private, max-age=86400, immutable",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}
_PICTURE: Final[dict[int | str, dict[str, object]]] = {
    200: {"content": {kind.value: {} for kind in MediaType}, "description": "The picture"}
}


@router.post(
    "/pipelines/{pipeline_id}/steps/{step_id}/try", status_code=202, operation_id="try_step"
)
async def try_step(
    pipeline_id: IdInPath, step_id: IdInPath, body: TrialToStart, rooms: InRooms
) -> Trial:
    """Starts a test run of one step, outside any run; look at it until it is over."""
    step, server, key = await to_thread.run_sync(_read, rooms, pipeline_id, step_id, body)
    if body.picture is not None:
        key = await _stored(rooms, body.picture)
    if step.order > 1 and key is None:
        raise BadInput("This step works on a picture: choose a candidate or send one.")
    wish = trials.Wish(
        step_id=step.id,
        backend_id=server.id,
        backend_name=server.name,
        url=server.url,
        graph=comfy.as_graph(json.loads(step.workflow)),
        bindings=Bindings.from_json(step.bindings),  # type: ignore[arg-type]  # checked there
        sample=key if step.order > 1 else None,
        seed=body.seed,
        prompt=body.prompt,
        negative=body.negative_prompt,
        variables=body.parameters,  # type: ignore[arg-type]  # what JSON gives
    )
    return _shape(rooms.trials.start(wish))


@router.get("/trials/{trial_id}", operation_id="get_trial")
async def get_trial(trial_id: TrialInPath, rooms: InRooms) -> Trial:
    """How far a test run is."""
    return _shape(rooms.trials.get(trial_id))


@router.post("/trials/{trial_id}/cancel", operation_id="cancel_trial")
async def cancel_trial(trial_id: TrialInPath, rooms: InRooms) -> Trial:
    """Takes a test run back from its server."""
    return _shape(await rooms.trials.cancel(trial_id))


@router.get(
    "/trials/{trial_id}/before",
    operation_id="get_trial_before",
    response_class=Response,
    responses=_PICTURE,
)
async def get_trial_before(trial_id: TrialInPath, rooms: InRooms) -> Response:
    """The sample that a test run works on."""
    key = rooms.trials.get(trial_id).wish.sample
    if key is None:
        raise NotFound("This test run works on no picture.")
    return await _picture(rooms, key)


@router.get(
    "/trials/{trial_id}/after/{number}",
    operation_id="get_trial_after",
    response_class=Response,
    responses=_PICTURE,
)
async def get_trial_after(trial_id: TrialInPath, number: NumberInPath, rooms: InRooms) -> Response:
    """A picture that a test run made, counted from 0."""
    made = rooms.trials.get(trial_id).after
    if number >= len(made):
        raise NotFound("The test run has made no such picture.")
    return await _picture(rooms, made[number])


def _read(
    rooms: Rooms, pipeline_id: int, step_id: int, body: TrialToStart
) -> tuple[StepView, BackendView, str | None]:
    """The step, the server to try it on, and the key of the sample where it is a candidate's."""
    with rooms.database.snapshot() as tx:
        steps = {step.id: step for step in pipelines.view(tx, pipeline_id).steps}
        if step_id not in steps:
            raise NotFound(f"Pipeline {pipeline_id} has no step {step_id}.")
        key = None
        if body.candidate_id is not None:
            hash = images.family(tx, body.candidate_id).card.picture.hash
            key = images.original_key(tx, hash)
        if body.backend_id is not None:
            return steps[step_id], backends.view(tx, body.backend_id), key
        usable = [each for each in backends.views(tx) if each.enabled]
    ready = [each for each in usable if each.health == "ok"] or usable
    if not ready:
        raise Conflict("No server is in use; add one to try a step.")
    return steps[step_id], min(ready, key=lambda each: len(each.in_flight)), key


async def _stored(rooms: Rooms, picture: str) -> str:
    data = await to_thread.run_sync(decoded, picture)
    try:
        rendered = await rooms.renderer.render(data)
    except ImageFault as fault:
        raise BadInput(fault.sentence, field="picture") from fault
    return await to_thread.run_sync(rooms.blobs.put_image, data, rendered)


async def _picture(rooms: Rooms, key: str) -> Response:
    data = await to_thread.run_sync(rooms.blobs.get, key)
    return Response(data, headers=_HEADERS, media_type=media_type(key).value)


def _shape(trial: trials.Trial) -> Trial:
    at = f"/api/trials/{trial.id}"
    return Trial(
        id=trial.id,
        step_id=trial.wish.step_id,
        backend=NamedRef(id=trial.wish.backend_id, name=trial.wish.backend_name),
        state=trial.state,
        detail=trial.detail,
        node=trial.node,
        value=trial.value,
        max=trial.max,
        before=None if trial.wish.sample is None else f"{at}/before",
        after=[f"{at}/after/{number}" for number in range(len(trial.after))],
        seconds=trial.seconds,
    )
