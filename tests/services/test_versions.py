"""A run goes over to another version of its pipeline, and what failed is tried again with it."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from builders import NOW, a_pipeline, an_image
from services.farm import Farm
from shortlist.comfy.workflow import Bindings, Graph, as_graph
from shortlist.domain.job_states import Cause
from shortlist.domain.model import GateKind, JobStatus
from shortlist.errors import BadInput, Conflict, NotFound
from shortlist.services import (
    assignments,
    failures,
    overview,
    pipelines,
    results,
    versions,
    votes,
)
from shortlist.services.assignments import Took
from shortlist.services.failures import Key
from shortlist.store.db import Database
from shortlist.store.schema import ImageCandidate, Job, PipelineRunStep

DENOISE = 0.25
"""A denoise that no sample workflow has."""


@pytest.fixture
def farm(db: Database) -> Farm:
    return Farm(db)


def edited(farm: Farm, *, order: int = 2) -> int:
    """A version of the pipeline in which that step has another denoise."""
    with farm.database.transaction() as tx:
        step = pipelines.view(tx, farm.pipeline).steps[order - 1]
        graph = as_graph(json.loads(step.workflow))
        sampler(graph)["denoise"] = DENOISE
        bindings = Bindings.from_json(step.bindings)  # type: ignore[arg-type]  # as stored
        return pipelines.rework(tx, farm.pipeline, step.id, graph=graph, bindings=bindings, now=NOW)


def sampler(graph: Graph) -> dict[str, object]:
    found = next(node for node in graph.values() if node["class_type"] == "KSampler")
    return found["inputs"]  # type: ignore[return-value]  # plain values in the samples


def denoise(farm: Farm, job: int) -> object:
    """What a job's own workflow says."""
    with farm.database.snapshot() as tx:
        text = tx.execute(select(Job.workflow).where(Job.id == job)).scalar_one()
    return sampler(as_graph(json.loads(text)))["denoise"]


def steps_of_jobs(farm: Farm) -> dict[int, int]:
    with farm.database.snapshot() as tx:
        return dict(tx.execute(select(Job.id, Job.pipeline_step_id)).all())


def test_what_failed_is_retried_with_the_changed_step_and_history_stays(farm: Farm) -> None:
    base = farm.makes(farm.one)
    failed = [farm.fails(farm.one) for _ in range(2)]
    flying = farm.claims(farm.two)
    before = steps_of_jobs(farm)
    version = edited(farm)
    with farm.database.transaction() as tx:
        key = Key(Cause.RAISED, farm.steps[1], farm.one)
        told = versions.retry(tx, key, version, now=NOW)
        run = overview.view(tx, farm.run)
        present = tx.execute(select(ImageCandidate.pipeline_step_id)).scalar_one()
    assert told == failures.Retried(failures=2, images=1, runs=1)
    assert (run.pipeline_id, run.pipeline_version) == (version, 2)
    assert present == run.columns[0].step_id
    assert farm.groups() == []
    job = farm.claims(farm.one)
    assert (denoise(farm, job), denoise(farm, failed[0]) == DENOISE) == (DENOISE, False)
    after = steps_of_jobs(farm)
    assert [after[id] for id in (*failed, flying)] == [before[id] for id in (*failed, flying)]
    assert after[job] == run.columns[1].step_id
    with farm.database.transaction() as tx:
        status, recall = tx.execute(select(Job.status, Job.recall).where(Job.id == flying)).one()
        (made,) = results.ingest(tx, job, images=[an_image()], now=NOW)
        parent = tx.execute(
            select(ImageCandidate.parent_id).where(ImageCandidate.id == made)
        ).scalar_one()
    assert (status, recall, parent) == (JobStatus.CANCELLED, True, base)


def test_images_of_both_versions_of_a_step_are_compared(farm: Farm) -> None:
    farm.makes(farm.one)
    old = farm.makes(farm.one)
    late = farm.claims(farm.one)
    version = edited(farm)
    with farm.database.transaction() as tx:
        versions.move(tx, farm.run, version, now=NOW)
        (new,) = results.ingest(tx, late, images=[an_image()], now=NOW)  # after it was taken back
        first, second = votes.pair(tx, old, new)
    assert {first.id, second.id} == {old, new}


def test_another_n_of_a_step_holds_for_the_images_there(farm: Farm) -> None:
    base = farm.makes(farm.one)
    late = farm.claims(farm.one)
    with farm.database.transaction() as tx:
        gates = [GateKind.AUTO] * 2
        versions.move(tx, farm.run, a_pipeline(tx, gates=gates, max_children=[5, None]), now=NOW)
        results.ingest(tx, late, images=[an_image()], now=NOW)
    assert limits(farm)[base] == 5
    with farm.database.transaction() as tx:
        versions.move(tx, farm.run, a_pipeline(tx, gates=gates), now=NOW)
    assert limits(farm)[base] == 2  # the run's
    assert set(limits(farm).values()) == {2, 0}


def limits(farm: Farm) -> dict[int, int]:
    """How many children each image may have."""
    with farm.database.snapshot() as tx:
        return dict(tx.execute(select(ImageCandidate.id, ImageCandidate.child_limit)).all())


def test_a_held_step_goes_on_with_the_version_that_mends_it(farm: Farm) -> None:
    farm.makes(farm.one)
    farm.fails(farm.one, Cause.REFUSED)
    assert farm.asks(farm.one) is None
    version = edited(farm)
    with farm.database.transaction() as tx:
        moved = versions.move(tx, farm.run, version, now=NOW)
        held = tx.execute(select(PipelineRunStep.held_reason)).scalars().all()
    assert moved == versions.Moved(2, ("Face Fix",), taken_back=0, failures=1, images=0)
    assert held == [None, None]
    assert denoise(farm, farm.claims(farm.one)) == DENOISE


def test_what_a_server_is_known_for_at_an_unchanged_step_is_kept(farm: Farm) -> None:
    farm.makes(farm.one, Took(9.0, cold=True))
    version = edited(farm)
    with farm.database.transaction() as tx:
        versions.move(tx, farm.run, version, now=NOW)
        base = overview.view(tx, farm.run).columns[0].step_id
    with farm.database.snapshot() as tx:
        known = {each.step_id: each.cold_seconds for each in assignments.views(tx)}
    assert known[base] == 9.0


def test_a_version_that_mends_nothing_is_refused(farm: Farm) -> None:
    farm.makes(farm.one)
    farm.fails(farm.one)
    version = edited(farm, order=1)
    key = Key(Cause.RAISED, farm.steps[1], farm.one)
    with pytest.raises(Conflict, match="Face Fix is the same in version 2"):
        farm.database.run(lambda tx: versions.retry(tx, key, version, now=NOW))
    with pytest.raises(Conflict, match="has version 1 already"):
        farm.database.run(lambda tx: versions.move(tx, farm.run, farm.pipeline, now=NOW))
    assert len(farm.groups()) == 1


def test_a_run_keeps_to_pipelines_with_its_own_steps_and_gates(farm: Farm) -> None:
    with farm.database.transaction() as tx:
        longer = a_pipeline(tx, gates=[GateKind.AUTO] * 3)
        step = pipelines.view(tx, longer).steps[0]
        graph = as_graph(json.loads(step.workflow))
        new = pipelines.NewStep("Base", graph, None, None, GateKind.AUTO, None)
        other = pipelines.create(tx, "Other", description="", steps=[new], now=NOW)
    for id, fault, words in (
        (longer, Conflict, "other steps or gates"),
        (other, BadInput, "another pipeline"),
        (99, NotFound, "no pipeline 99"),
    ):
        with pytest.raises(fault, match=words):
            farm.database.run(lambda tx, id=id: versions.move(tx, farm.run, id, now=NOW))
