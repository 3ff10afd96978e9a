"""The commands `run …`: make runs, look at them, and decide their gates.

They work on the database itself, one transaction each, as the page's requests do. A hub at work on
it sees the change within a moment; without one it waits there for the next start.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from shortlist.api.deps import PERSON
from shortlist.api.runs import summaries, summary
from shortlist.commands.existing import existing
from shortlist.commands.pipelines import find as find_pipeline
from shortlist.commands.serving import say
from shortlist.commands.table import lines
from shortlist.domain.gates import Waiting
from shortlist.domain.model import RunStatus
from shortlist.errors import BadInput, Conflict, NotFound
from shortlist.services import approval, forecast, overview, pipelines, runs, triage, versions
from shortlist.services.acts import Act, ApproveAct, ConfirmAct, ReopenAct
from shortlist.services.approval import GateView
from shortlist.services.overview import ColumnView, RunView
from shortlist.services.versions import Moved
from shortlist.settings import Settings
from shortlist.store.db import Tx


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run as the command line describes it; null means the default."""

    pipeline: str
    name: str
    prompt: str
    negative_prompt: str
    variables: Sequence[str]
    max_children: int | None
    target_leaves: int | None
    base_count: int | None
    priority: int
    wait_minutes: int
    night: str | None
    time_zone: str
    policy: str
    rating: str
    untried: bool


def create(settings: Settings, wanted: Wanted) -> None:
    """Makes a run and says how many images it will make."""

    def make(tx: Tx) -> RunView:
        new = _new(tx, settings, wanted)
        return overview.view(tx, runs.create(tx, new, now=_now(), untried=wanted.untried))

    with existing(settings) as database:
        run = database.run(make)
        with database.snapshot() as tx:
            images = sum(step.images for step in _plan(tx, run))
    say(f'Run {run.id}, "{run.name}", of {run.pipeline_name}: {images} images to make.')


def show_all(settings: Settings, *, status: str | None, as_json: bool) -> None:
    """Lists the runs; archived ones only when asked for."""
    wanted = None if status is None else RunStatus(status)
    with existing(settings) as database, database.snapshot() as tx:
        if as_json:
            _print_json([run.model_dump(mode="json") for run in summaries(tx, status=wanted)])
            return
        found = overview.views(tx, status=wanted)
    if status is None:
        found = [run for run in found if run.status is not RunStatus.ARCHIVED]
    if not found:
        say(f"There is no {status or 'unarchived'} run; see shortlist run create.")
        return
    rows = [
        (str(run.id), run.name, run.status, f"{run.finished}/{run.target_leaves}", _why(run))
        for run in found
    ]
    say(*lines(("run", "name", "status", "finished", "now"), rows))


def show(settings: Settings, name: str, *, as_json: bool) -> None:
    """Prints one run: its steps, their gates, and what it will make in all."""
    with existing(settings) as database, database.snapshot() as tx:
        run = find(tx, name)
        planned = [step.images for step in _plan(tx, run)]
    if as_json:
        _print_json(summary(run).model_dump(mode="json"))
        return
    say(f'Run {run.id}, "{run.name}" ({run.status}), of {run.pipeline_name}.', _why(run), "")
    headings = ("step", "gate", "state", "made", "planned", "in play", "advance", "in flight")
    rows = [
        _row(column, planned=images) for column, images in zip(run.columns, planned, strict=True)
    ]
    say(*lines(headings, rows))
    for column in run.columns:
        if column.assumed and column.provisional:
            say("", f"{column.name} passed by itself. {column.assumed}")


def set_status(settings: Settings, name: str, *, status: str) -> None:
    """Pauses, resumes or archives a run."""

    def change(tx: Tx) -> RunView:
        run = find(tx, name)
        runs.change(tx, run.id, runs.Change(status=RunStatus(status)), now=_now())
        return overview.view(tx, run.id)

    with existing(settings) as database:
        run = database.run(change)
    say(f'Run {run.id}, "{run.name}": {_why(run)}')


def copy(settings: Settings, name: str, *, new_name: str, untried: bool) -> None:
    """Makes a run like another."""

    def make(tx: Tx) -> int:
        return runs.copy(tx, find(tx, name).id, name=new_name, now=_now(), untried=untried)

    with existing(settings) as database:
        say(f'Run {database.run(make)}, "{new_name.strip()}".')


def update(settings: Settings, name: str, *, pipeline: str | None) -> None:
    """Lets a run go on with another version of its pipeline, and says what that changed."""

    def move(tx: Tx) -> tuple[RunView, Moved]:
        run = find(tx, name)
        version = find_pipeline(tx, pipeline or run.pipeline_name)
        return run, versions.move(tx, run.id, version.id, now=_now())

    with existing(settings) as database:
        run, moved = database.run(move)
    say(
        f'Run {run.id}, "{run.name}", goes on with version {moved.version} of {run.pipeline_name}.',
        f"Changed: {', '.join(moved.steps) or 'no step'}. Taken back: {moved.taken_back} jobs. "
        f"Tried again: {moved.failures} failures.",
    )


def approve(
    settings: Settings, name: str, step: str, *, top_k: int | None, per_base: int | None
) -> None:
    """Lets the top K of a step through, and says what is made of them."""

    def decision(gate: GateView) -> Act:
        count = gate.default_top_k if top_k is None else top_k
        if count is None:
            raise BadInput(f"{gate.step_name} has no default K; say how many with --top-k.")
        return ApproveAct(str(uuid4()), gate.run_id, gate.step_id, count, per_base)

    before, after, label = _decide(settings, name, step, decision=decision)
    if before.missing:
        say(f"Approved early: {before.missing}")
    say(label)
    if after.next_step is not None:
        limit, made = after.next_step.max_children, after.images
        places = [
            max(0, limit - below)
            for below, goes in zip(made.below, made.advances, strict=True)
            if goes
        ]
        say(f"To make there: {sum(places)} images.")


def reopen(settings: Settings, name: str, step: str) -> None:
    """Closes a gate again."""
    say(_decide(settings, name, step, decision=_reopening)[2])


def confirm(settings: Settings, name: str, step: str) -> None:
    """Takes a gate that passed by itself as it is."""
    say(_decide(settings, name, step, decision=_confirming)[2])


def find(tx: Tx, name: str) -> RunView:
    """The run of a number or a name. Raises `NotFound`, or `Conflict` when several have it."""
    every = overview.views(tx)
    by_number = [run for run in every if str(run.id) == name]
    named = by_number or [run for run in every if run.name.casefold() == name.casefold()]
    if not named:
        raise NotFound(f"There is no run {name!r}; see shortlist run list.")
    if len(named) > 1:
        numbers = ", ".join(str(run.id) for run in named)
        raise Conflict(f"{len(named)} runs are called {name!r}; give its number, one of {numbers}.")
    return named[0]


def _decide(
    settings: Settings, name: str, step: str, *, decision: Callable[[GateView], Act]
) -> tuple[GateView, GateView, str]:
    """Does what a person decided: the gate as it was, as it is now, and the sentence of it."""

    def act(tx: Tx) -> tuple[GateView, GateView, str]:
        run = find(tx, name)
        step_id = _step(run, step).step_id
        before = approval.view(tx, run.id, step_id)
        result = triage.apply(tx, PERSON, decision(before), _now())
        return before, approval.view(tx, run.id, step_id), result.label

    with existing(settings) as database:
        return database.run(act)


def _reopening(gate: GateView) -> Act:
    return ReopenAct(str(uuid4()), gate.run_id, gate.step_id)


def _confirming(gate: GateView) -> Act:
    return ConfirmAct(str(uuid4()), gate.run_id, gate.step_id)


def _step(run: RunView, step: str) -> ColumnView:
    for column in run.columns:
        if step == str(column.step_order) or step.casefold() == column.name.casefold():
            return column
    names = ", ".join(f"{column.step_order} {column.name}" for column in run.columns)
    raise NotFound(f"Run {run.id} has no step {step!r}; it has {names}.")


def _new(tx: Tx, settings: Settings, wanted: Wanted) -> runs.NewRun:
    night = _night(wanted.night)
    return runs.NewRun(
        pipeline_id=find_pipeline(tx, wanted.pipeline).id,
        name=wanted.name,
        prompt=wanted.prompt,
        negative_prompt=wanted.negative_prompt,
        parameters=dict(_variable(each) for each in wanted.variables),
        max_children=_or(wanted.max_children, settings.max_children),
        target_leaves=_or(wanted.target_leaves, settings.target_leaves),
        base_count=_or(wanted.base_count, settings.base_count),
        priority=wanted.priority,
        waiting=Waiting(wanted.wait_minutes, *night, wanted.time_zone),
        policy=wanted.policy,
        rating=wanted.rating,
    )


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _night(written: str | None) -> tuple[str | None, str | None]:
    if written is None:
        return None, None
    begin, dash, end = written.partition("-")
    if not dash:
        raise BadInput("Write the night as two times of day, such as 22:30-07:00.")
    return begin.strip(), end.strip()


def _variable(written: str) -> tuple[str, object]:
    """`name=value`; a value that is JSON, such as a number, is taken as such."""
    name, equals, value = written.partition("=")
    if not equals or not name.strip():
        raise BadInput(f"Write a variable as name=value, not {written!r}.")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value


def _plan(tx: Tx, run: RunView) -> list[forecast.Plan]:
    steps = pipelines.view(tx, run.pipeline_id).steps
    return forecast.plan(tx, steps, forecast.numbers_of(tx, run))


def _row(column: ColumnView, *, planned: int) -> tuple[str, ...]:
    numbers = (column.made, planned, column.live, column.advancing, column.in_flight)
    state = "passed by itself" if column.provisional else column.state.value
    return column.name, column.gate.value, state, *map(str, numbers)


def _why(run: RunView) -> str:
    return overview.why(run)


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _now() -> datetime:
    return datetime.now(UTC)
