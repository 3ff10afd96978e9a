"""Four servers of different speed and content; one hangs, one is killed, one lies about its past.

What matters in the end: every job is accounted for, and the sound server was never stopped.
"""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from dispatcher.watched import images, settled, simulated
from invariants import check
from rendering import a_hub, add_backend, drawn, inverted, make_run, now, plain_image
from shortlist.comfy.workflow import Graph
from shortlist.domain.model import IN_FLIGHT, GateKind, Health, JobStatus
from shortlist.services import assignments, backends, pipelines, runs
from shortlist.services.pipelines import NewStep
from shortlist.services.runs import NewRun
from shortlist.simulator.options import Fault, FaultKind, Version
from shortlist.store.db import Database, Tx
from shortlist.store.schema import ImageFile, Job

pytestmark = pytest.mark.anyio


async def test_every_job_is_accounted_for_whatever_three_of_four_servers_do(
    database: Database, tmp_path: Path
) -> None:
    hang = Fault(kind=FaultKind.HANG, node_class="SaveImage")
    lies = Fault(kind=FaultKind.LOSE_HISTORY, skip=1, times=2)
    with database.transaction() as tx:
        make_run(tx, [plain_image(), inverted(), inverted()], children=1, leaves=5)
    async with AsyncExitStack() as stack, a_hub(database, tmp_path) as hub:
        enter = stack.enter_async_context
        sound = await enter(simulated(tmp_path / "a", seconds=0.0))
        hanging = await enter(simulated(tmp_path / "b", hang, version=Version.NEW))
        liar = await enter(simulated(tmp_path / "c", lies, version=Version.MID))
        for name, server in (("sound", sound), ("hanging", hanging), ("liar", liar)):
            add_backend(database, server.url, name=name)
        async with simulated(tmp_path / "d", seconds=0.3) as doomed:
            add_backend(database, doomed.url, name="doomed")
            await hub.until(lambda tx: _jobs_of(tx, "doomed") >= 1)
        for order in (1, 2, 3):
            await hub.until(partial(_has_made, order=order))
        # The dead server can't be told of its cancelled job; that waits until it is back.
        await hub.until(lambda tx: not set(_accounts(tx)) & set(IN_FLIGHT))
        health = hub.see(lambda tx: {each.name: each.health for each in backends.views(tx)})
        told = hub.see(_accounts)
    assert health["sound"] is Health.OK
    assert health["doomed"] is not Health.OK
    assert told[JobStatus.SUCCEEDED] >= 15
    assert hub.see(_unexplained) == []
    check(database, hub.blobs)


def _jobs_of(tx: Tx, name: str) -> int:
    server = next(each for each in backends.views(tx) if each.name == name)
    return len(tx.execute(select(Job.id).where(Job.backend_id == server.id)).all())


def _has_made(tx: Tx, *, order: int) -> bool:
    return images(tx, step=order) >= 5


def _accounts(tx: Tx) -> Counter[JobStatus]:
    return Counter(tx.execute(select(Job.status)).scalars())


def _lacking(tx: Tx) -> list[str]:
    """What each server is said to lack for a step."""
    return [each.lacks for each in assignments.views(tx) if each.lacks]


def _unexplained(tx: Tx) -> list[int]:
    """Jobs that ended well without an image, or badly without a reason."""
    made = set(tx.execute(select(ImageFile.job_id)).scalars())
    rows = tx.execute(select(Job.id, Job.status, Job.error, Job.kept)).all()
    return [
        id
        for id, status, error, kept in rows
        if (status is JobStatus.SUCCEEDED and id not in made and not kept)
        or (status is JobStatus.FAILED and not error)
    ]


def absent_model() -> Graph:
    graph = drawn("face-fix")
    loader = next(n for n in graph.values() if n["class_type"] == "CheckpointLoaderSimple")
    loader["inputs"]["ckpt_name"] = "only-elsewhere.safetensors"
    return graph


def _told_by_both(tx: Tx) -> bool:
    """Each server lacks the model, or refused the one job it got before its models were known."""
    return len(_lacking(tx)) + _accounts(tx)[JobStatus.FAILED] >= 2


async def test_a_step_whose_model_no_server_has_is_held_and_its_run_goes_no_further(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        steps = [
            NewStep("Base", plain_image(), None, None, GateKind.AUTO, None),
            NewStep("Face", absent_model(), None, None, GateKind.AUTO, None),
        ]
        pipeline = pipelines.create(tx, "P", description="", steps=steps, now=now())
        new = NewRun(pipeline, "R", "", "", {}, 1, 3, 1, 0)
        runs.create(tx, new, now=now())
    async with (
        simulated(tmp_path / "a") as one,
        simulated(tmp_path / "b") as two,
        a_hub(database, tmp_path) as hub,
    ):
        add_backend(database, one.url, name="one")
        add_backend(database, two.url, name="two")
        await hub.until(lambda tx: _told_by_both(tx) and images(tx, step=1) and settled(tx))
        lacking = hub.see(_lacking)
        bases = hub.see(lambda tx: images(tx, step=1))
        counted = hub.see(_accounts)
    assert all("only-elsewhere.safetensors" in str(words) for words in lacking)
    assert counted[JobStatus.FAILED] <= 1  # where a server gets it before its models are known
    assert bases <= 4
