"""The whole hub at a glance, and whether it is alive."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from datetime import datetime
from math import ceil

from fastapi import APIRouter

from shortlist import __version__
from shortlist.api import backends, runs
from shortlist.api.deps import PERSON, InRooms, Now
from shortlist.api.edge import StrictRoute
from shortlist.api.models import Alive, Backend, Reason, RunSummary, Shape, Status, StepThere
from shortlist.domain import next_job as rule
from shortlist.domain.model import Health, RunStatus
from shortlist.services import autopsies, failures, graphs, journal, overview, plugins, selection
from shortlist.services.plugins import Kind
from shortlist.store.db import Tx

router = APIRouter(tags=["status"], route_class=StrictRoute)


@router.get("/health", operation_id="get_health")
def get_health() -> Alive:
    """Answers as long as the hub does."""
    return Alive(status="ok")


class Methods(Shape):
    """What a run may be rated by, and by which policy it may grow, by name, ours first."""

    ratings: list[str]
    policies: list[str]


@router.get("/methods", operation_id="list_methods")
def list_methods() -> Methods:
    """What this hub offers, installed packages included."""
    return Methods(ratings=plugins.names(Kind.RATING), policies=plugins.names(Kind.POLICY))


@router.get("/status", operation_id="get_status")
def get_status(rooms: InRooms, now: Now) -> Status:
    """Runs, servers, what would be made next, and why."""
    with rooms.database.snapshot() as tx:
        return glance(tx, now=now)


def glance(tx: Tx, *, now: datetime) -> Status:
    """The whole hub as this moment's database tells it."""
    choice = selection.choose(tx, seed=secrets.randbelow(rule.SEED_LIMIT))
    next_job = None if choice is None else _reason(choice.reason)
    servers = backends.listed(tx, now=now)
    summaries = runs.summaries(tx)
    return Status(
        version=__version__,
        simulator=any(server.simulator for server in servers),
        database="postgresql" if tx.postgresql else "sqlite",
        runs=summaries,
        backends=servers,
        failures=failures.waiting(tx),
        why=_why(tx, summaries, servers, next_job, kept=_kept(tx, choice, servers, now=now)),
        next_job=next_job,
        autopsies=autopsies.waiting(tx, PERSON),
        last_event=journal.last(tx),
    )


def _reason(reason: rule.Reason) -> Reason:
    return Reason.model_validate({**asdict(reason), "sentence": reason.sentence()})


def _kept(
    tx: Tx, choice: selection.Choice | None, servers: list[Backend], *, now: datetime
) -> str | None:
    """What keeps the next job's step from every server in use; null where one may have it."""
    if choice is None:
        return None
    order = choice.reason.step_order
    step_id = graphs.template(tx, choice.run_id, step_order=order).step_id
    reasons = [
        next(
            (_keeps(step, server, now=now) for step in server.steps if step.step_id == step_id), ""
        )
        for server in servers
        if server.enabled
    ]
    return reasons[0] if reasons and all(reasons) else None


def _keeps(step: StepThere, server: Backend, *, now: datetime) -> str:
    """Why the server is not given the step now; empty where it may be."""
    if told := step.held_reason or step.lacks:
        return told
    if step.rests_until is None or step.rests_until <= now:
        return ""
    seconds = ceil((step.rests_until - now).total_seconds())
    return f"{step.step_name} rests on {server.name} for {seconds} s after it ran out of memory."


def _why(
    tx: Tx,
    runs: list[RunSummary],
    servers: list[Backend],
    next_job: Reason | None,
    *,
    kept: str | None,
) -> str:
    """What the hub is doing, or what it waits for, in one sentence."""
    working = sum(len(server.in_flight) for server in servers)
    usable = [server for server in servers if server.enabled]
    if working:
        return f"{working} image{'' if working == 1 else 's'} being made."
    if not usable:
        return "No server is in use; add one to make images."
    if all(server.health is not Health.OK for server in usable):
        return f"{usable[0].name} does not answer: {usable[0].health_detail or 'not asked yet'}"
    if next_job is not None:
        return f"No server can do the next step. {kept}" if kept else next_job.sentence
    if not any(run.status is RunStatus.ACTIVE for run in runs):
        return "No run is active; start one."
    return _wanted(tx) or "Every active run has what it needs; vote or raise a target."


def _wanted(tx: Tx) -> str | None:
    """What the first active run that can't go on waits for."""
    active = overview.views(tx, status=RunStatus.ACTIVE)
    told = ((run.name, overview.wants(run)) for run in active)
    return next((f"{name}: {words}" for name, words in told if words), None)
