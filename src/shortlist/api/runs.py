"""Runs over HTTP: list, make, look at, change; and the table that a board is drawn from."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from shortlist.api.deps import IdInPath, InRooms, Now
from shortlist.api.edge import StrictRoute
from shortlist.api.judging import StepLift
from shortlist.api.models import (
    CandidateColumns,
    CandidateTable,
    Column,
    JobSummary,
    NextUp,
    PipelineRef,
    PlannedJob,
    Run,
    RunSummary,
    Step,
    WaitingTime,
)
from shortlist.api.requests import CopyOfRun, NewRun, RunChange, VersionOfRun
from shortlist.api.workshop import MovedRun
from shortlist.domain import gates
from shortlist.domain.model import Policy, RunStatus
from shortlist.services import (
    ahead,
    holds,
    images,
    journal,
    lifts,
    overview,
    pipelines,
    runs,
    versions,
    work,
)
from shortlist.services.overview import RunView
from shortlist.store.db import Tx

RECENT_JOBS = 20

Ahead = Annotated[int, Query(ge=1, le=50)]
"""Jobs of a dry run."""

router = APIRouter(prefix="/runs", tags=["runs"], route_class=StrictRoute)


@router.get("", operation_id="list_runs")
def list_runs(rooms: InRooms, status: RunStatus | None = None) -> list[RunSummary]:
    """All runs, highest priority first."""
    with rooms.database.snapshot() as tx:
        return summaries(tx, status=status)


@router.post("", status_code=201, operation_id="create_run")
def create_run(body: NewRun, rooms: InRooms, now: Now) -> RunSummary:
    """Starts a run; the next free server works for it. Each step has made an image before, in a
    test run or another run, or the run is to start untried."""
    options = rooms.options
    new = runs.NewRun(
        pipeline_id=body.pipeline_id,
        name=body.name,
        prompt=body.prompt,
        negative_prompt=body.negative_prompt,
        parameters=body.parameters,
        max_children=options.max_children if body.max_children is None else body.max_children,
        target_leaves=options.target_leaves if body.target_leaves is None else body.target_leaves,
        base_count=options.base_count if body.base_count is None else body.base_count,
        priority=body.priority,
        waiting=gates.Waiting(**body.waiting.model_dump()),
        policy=body.policy,
        rating=body.rating,
    )

    def create(tx: Tx) -> RunSummary:
        return summary(overview.view(tx, runs.create(tx, new, now=now, untried=body.untried)))

    return rooms.database.run(create)


@router.get("/{run_id}", operation_id="get_run")
def get_run(run_id: IdInPath, rooms: InRooms) -> Run:
    """One run: what it holds, what is happening in it, and why."""
    with rooms.database.snapshot() as tx:
        return _detail(tx, run_id)


@router.patch("/{run_id}", operation_id="change_run")
def change_run(run_id: IdInPath, body: RunChange, rooms: InRooms, now: Now) -> RunSummary:
    """Changes a run; a new N holds for images from now on."""
    said = body.model_dump(exclude={"waiting"})
    waiting = None if body.waiting is None else gates.Waiting(**body.waiting.model_dump())
    wish = runs.Change(**said, waiting=waiting)

    def change(tx: Tx) -> RunSummary:
        runs.change(tx, run_id, wish, now=now)
        return summary(overview.view(tx, run_id))

    return rooms.database.run(change)


@router.post("/{run_id}/copy", status_code=201, operation_id="copy_run")
def copy_run(run_id: IdInPath, body: CopyOfRun, rooms: InRooms, now: Now) -> RunSummary:
    """Starts a run with the pipeline, prompt and numbers of another."""

    def copy(tx: Tx) -> RunSummary:
        made = runs.copy(tx, run_id, name=body.name, now=now, untried=body.untried)
        return summary(overview.view(tx, made))

    return rooms.database.run(copy)


@router.put("/{run_id}/pipeline", operation_id="move_run")
def move_run(run_id: IdInPath, body: VersionOfRun, rooms: InRooms, now: Now) -> MovedRun:
    """Lets a run go on with another version of its pipeline; what it has made stays."""
    move = partial(versions.move, run_id=run_id, pipeline_id=body.pipeline_id, now=now)
    return MovedRun.model_validate(rooms.database.run(move))


@router.post("/{run_id}/steps/{step_id}/release", operation_id="release_step")
def release_step(run_id: IdInPath, step_id: IdInPath, rooms: InRooms, now: Now) -> RunSummary:
    """Lets a step go on that was held because a server refused its workflow."""

    def release(tx: Tx) -> RunSummary:
        holds.release(tx, run_id, step_id, now=now)
        return summary(overview.view(tx, run_id))

    return rooms.database.run(release)


@router.get("/{run_id}/lifts", operation_id="list_lifts")
def list_lifts(run_id: IdInPath, rooms: InRooms) -> list[StepLift]:
    """What each step of a run is worth, from the votes on a child against its parent."""
    with rooms.database.snapshot() as tx:
        return [StepLift.model_validate(each) for each in lifts.lifts(tx, run_id)]


@router.get("/{run_id}/next", operation_id="list_next_jobs")
def list_next_jobs(run_id: IdInPath, rooms: InRooms, count: Ahead = 20) -> list[PlannedJob]:
    """A dry run: the jobs that may come next, were nobody to judge and no job to fail.

    They are one draw of many. Whatever happens meanwhile changes them.
    """
    with rooms.database.snapshot() as tx:
        names = [column.name for column in overview.view(tx, run_id).columns]
        planned = ahead.next_jobs(tx, run_id, count=count, seed=run_id)
    return [
        PlannedJob(
            step_order=job.step,
            step_name=names[job.step - 1],
            parent_id=job.parent_id,
            after=job.after,
            sentence=job.sentence,
        )
        for job in planned
    ]


@router.get("/{run_id}/candidates", operation_id="list_candidates")
def list_candidates(run_id: IdInPath, rooms: InRooms) -> CandidateTable:
    """All images of a run, one list a field; follow the events after `event` to keep it true."""
    with rooms.database.snapshot() as tx:
        run = overview.view(tx, run_id)
        steps = pipelines.view(tx, run.pipeline_id).steps
        return CandidateTable(
            steps=[Step.model_validate(step) for step in steps],
            columns=CandidateColumns.model_validate(images.table(tx, run_id)),
            event=journal.last(tx),
        )


def summaries(tx: Tx, *, status: RunStatus | None = None) -> list[RunSummary]:
    return [summary(run) for run in overview.views(tx, status=status)]


def summary(run: RunView) -> RunSummary:
    return RunSummary(
        id=run.id,
        name=run.name,
        status=run.status,
        priority=run.priority,
        pipeline=PipelineRef(
            id=run.pipeline_id, name=run.pipeline_name, version=run.pipeline_version
        ),
        max_children=run.max_children,
        target_leaves=run.target_leaves,
        base_count=run.base_count,
        policy=run.policy,
        rating=run.rating,
        gated=run.gated,
        waiting=WaitingTime.model_validate(run.waiting),
        finished=run.finished,
        created_at=run.created_at,
        columns=[Column.model_validate(column) for column in run.columns],
    )


def _detail(tx: Tx, run_id: int) -> Run:
    run = overview.view(tx, run_id)
    recent = work.page(tx, work.Wanted(run_id=run_id, limit=RECENT_JOBS))
    return Run(
        **summary(run).model_dump(),
        prompt=run.prompt,
        negative_prompt=run.negative_prompt,
        parameters=run.parameters,
        jobs_in_flight=_jobs(work.in_flight(tx, run_id=run_id)),
        recent_jobs=_jobs(recent),
        why=overview.why(run),
        next_up=_next_up(run),
    )


def _jobs(views: list[work.JobView]) -> list[JobSummary]:
    return [JobSummary.model_validate(view) for view in views]


def _next_up(run: RunView) -> NextUp | None:
    """The right-most column of this run with open parents. Base images and other policies are not
    foretold by columns: a dry run tells of them."""
    if run.status is not RunStatus.ACTIVE or run.policy != Policy.RIGHT_TO_LEFT:
        return None
    for column, target in zip(run.columns[-2::-1], run.columns[:0:-1], strict=True):
        if column.open_parents and not target.held_reason:
            many = f"{column.open_parents} images" if column.open_parents > 1 else "one image"
            return NextUp(
                sentence=f"{target.name}, for {many} of {column.name}.",
                eligible=column.open_parents,
                step_order=target.step_order,
            )
    return None
