"""The next job against the contract's toy: random histories, every decision and image compared."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select, text, update

from builders import NOW, a_backend, a_pipeline, an_image
from invariants import graves
from model import Image, Job, Run, World, raffle
from shortlist.domain.job_states import Cause
from shortlist.domain.model import (
    IN_FLIGHT,
    CandidateStatus,
    GateKind,
    JobStatus,
    Policy,
    RunStatus,
)
from shortlist.domain.next_job import Parent
from shortlist.domain.next_job import raffle as drawn
from shortlist.services import branches, holds, jobs, results, runs, selection
from shortlist.store import schema
from shortlist.store.db import Database, Tx
from shortlist.store.schema import ImageCandidate, PipelineRunStep

SEEDS = st.integers(0, 2**53 - 1)
COUNTS = st.integers(1, 3)


class History(RuleBasedStateMachine):
    """Whatever happens, the product decides and keeps what the toy decides and keeps."""

    database: Database
    policy = Policy.RIGHT_TO_LEFT
    images = Bundle("images")
    flying = Bundle("flying")
    ended = Bundle("ended")

    @initialize()
    def begin(self) -> None:
        self.world = World()
        with self.database.transaction() as tx:
            for table in reversed(schema.Base.metadata.sorted_tables):
                tx.execute(table.delete())
            self.backend = a_backend(tx)

    @rule(
        limits=st.tuples(st.integers(1, 4), COUNTS, COUNTS, COUNTS),
        priority=st.sampled_from([0, 0, 5]),
        own=st.dictionaries(st.integers(1, 4), COUNTS, max_size=2),
        manual=st.sets(st.integers(2, 4), max_size=1),
    )
    def a_run_begins(
        self,
        limits: tuple[int, int, int, int],
        priority: int,
        own: dict[int, int],
        manual: set[int],
    ) -> None:
        if len(self.world.runs) == 3:
            return
        steps, n, leaves, bases = limits
        orders = range(1, steps + 1)
        gates = [GateKind.MANUAL if order in manual else GateKind.AUTO for order in orders]
        new = runs.NewRun(0, "Run", "", "", {}, n, leaves, bases, priority, policy=self.policy)
        with self.database.transaction() as tx:
            pipeline = a_pipeline(tx, gates=gates, max_children=[own.get(o) for o in orders])
            id = runs.create(tx, replace(new, pipeline_id=pipeline), now=NOW)
        auto = {order: order not in manual for order in orders}
        of_steps = {order: limit for order, limit in own.items() if order <= steps}
        self.world.runs.append(Run(id, steps, n, leaves, bases, priority, of_steps, auto))

    @rule(target=flying, seed=SEEDS)
    def a_server_asks_for_work(self, seed: int) -> object:
        expected = self.world.decide(seed)
        with self.database.transaction() as tx:
            claimed = selection.claim(
                tx, backend_id=self.backend, seed=seed, prompt_id=str(uuid4()), now=NOW
            )
        if expected is None:
            assert claimed is None
            return multiple()
        assert claimed is not None
        run, order, parent = expected
        assert self._chosen(claimed.job_id) == (run.id, order, parent.id if parent else None)
        job = Job(claimed.job_id, run, order, parent)
        self.world.jobs.append(job)
        return job

    @rule(target=images, job=consumes(flying), count=st.sampled_from([1, 1, 1, 2]))
    def a_result_comes(self, job: Job, count: int) -> object:
        return self._result(job, count)

    @rule(target=images, job=ended, count=st.just(1))
    def a_result_comes_late(self, job: Job, count: int) -> object:
        return self._result(job, count)

    def _result(self, job: Job, count: int) -> object:
        known = [image.id for image in self.world.images]
        with self.database.transaction() as tx:
            made = results.ingest(tx, job.id, images=[an_image() for _ in range(count)], now=NOW)
        if job.answered:
            assert set(made) <= set(known)
            return multiple()
        expected = self.world.result(job, made[0] if made else 0, count)
        assert made == [image.id for image in expected]
        return multiple(*expected)

    @rule(target=ended, job=consumes(flying))
    def a_job_fails(self, job: Job) -> Job:
        if job.in_flight:
            if job.parent is None:
                job.run.base_failures += 1
            else:
                job.parent.failures += 1
            job.run.streaks[job.order] = job.run.streaks.get(job.order, 0) + 1
        job.in_flight = False
        with self.database.transaction() as tx:
            jobs.fail(tx, job.id, kind=Cause.RAISED, error="it raised", now=NOW)
        return job

    @rule(target=ended, job=consumes(flying))
    def a_workflow_is_refused(self, job: Job) -> Job:
        if job.in_flight:
            job.run.held.add(job.order)
        job.in_flight = False
        with self.database.transaction() as tx:
            jobs.fail(tx, job.id, kind=Cause.REFUSED, error="no such node", now=NOW)
        return job

    @rule(target=ended, job=consumes(flying))
    def a_person_stops_a_job(self, job: Job) -> Job:
        if job.in_flight:
            with self.database.transaction() as tx:
                jobs.cancel(tx, job.id, now=NOW)
        job.in_flight = False
        return job

    @rule(image=images, elo=st.floats(-200, 3000))
    def ratings_move(self, image: Image, elo: float) -> None:
        image.elo = elo
        with self.database.transaction() as tx:
            tx.execute(
                update(ImageCandidate).where(ImageCandidate.id == image.id).values(elo_score=elo)
            )

    @rule(image=images)
    def a_person_kills(self, image: Image) -> None:
        if image.rejected:
            return
        self.world.reject(image)
        with self.database.transaction() as tx:
            branches.reject(tx, image.id, now=NOW)

    @rule(image=images)
    def a_kill_is_undone(self, image: Image) -> None:
        if not image.rejected:
            return
        image.rejected = False
        with self.database.transaction() as tx:
            branches.restore(tx, image.id)

    @rule(most=st.integers(1, 3))
    def the_hub_buries_some_of_the_dead(self, most: int) -> None:
        with self.database.transaction() as tx:
            branches.bury(tx, most=most)

    @rule(image=images)
    def a_parked_parent_is_retried(self, image: Image) -> None:
        image.failures = 0
        with self.database.transaction() as tx:
            holds.retry_parent(tx, image.id, now=NOW)

    @precondition(lambda self: self.world.runs)
    @rule(data=st.data(), active=st.booleans())
    def a_run_is_paused_or_resumed(self, data: st.DataObject, active: bool) -> None:
        run = data.draw(st.sampled_from(self.world.runs))
        run.active = active
        status = RunStatus.ACTIVE if active else RunStatus.PAUSED
        for job in self.world.jobs:
            job.in_flight = job.in_flight and (active or job.run is not run)
        with self.database.transaction() as tx:
            runs.change(tx, run.id, runs.Change(status=status), now=NOW)

    @precondition(lambda self: self.world.runs)
    @rule(data=st.data(), n=COUNTS)
    def a_run_gets_another_n(self, data: st.DataObject, n: int) -> None:
        run = data.draw(st.sampled_from(self.world.runs))
        run.n = n
        with self.database.transaction() as tx:
            runs.change(tx, run.id, runs.Change(max_children=n), now=NOW)

    @precondition(lambda self: self.world.runs)
    @rule(data=st.data())
    def a_held_step_is_released(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self.world.runs))
        order = data.draw(st.integers(1, run.last))
        run.held.discard(order)
        run.streaks[order] = 0
        for image in self.world.images:
            if image.run is run and image.order == order - 1:
                image.failures = 0
        if order == 1:
            run.base_failures = 0
        with self.database.transaction() as tx:
            step = tx.execute(
                select(PipelineRunStep.pipeline_step_id).where(
                    PipelineRunStep.pipeline_run_id == run.id,
                    PipelineRunStep.step_order == order,
                )
            ).scalar_one()
            holds.release(tx, run.id, step, now=NOW)

    @invariant()
    def every_image_is_as_in_the_toy(self) -> None:
        if not hasattr(self, "world"):
            return
        with self.database.snapshot() as tx:
            assert _images(tx) == {
                image.id: (
                    image.rejected,
                    sum(a.rejected for a in image.ancestors()),
                    len(self.world.children(image)),
                    len(self.world.flying(image)),
                    image.failures,
                )
                for image in self.world.images
            }
            assert list(graves(tx)) == []

    def _chosen(self, job_id: int) -> tuple[int, int, int | None]:
        with self.database.snapshot() as tx:
            row = tx.execute(
                select(schema.Job.pipeline_run_id, schema.Job.reason, schema.Job.parent_id).where(
                    schema.Job.id == job_id
                )
            ).one()
        return row.pipeline_run_id, int(str(row.reason["step_order"])), row.parent_id


def _images(tx: Tx) -> dict[int, tuple[bool, int, int, int, int]]:
    rows = tx.execute(
        select(
            ImageCandidate.id,
            ImageCandidate.status,
            ImageCandidate.rejected_ancestors,
            ImageCandidate.child_count,
            ImageCandidate.reserved,
            ImageCandidate.failures,
        )
    )
    return {row[0]: (row[1] is CandidateStatus.REJECTED, *row[2:]) for row in rows}


def test_every_decision_and_every_image_is_the_one_the_contract_gives(db: Database) -> None:
    History.database = db
    examples = settings().max_examples if db.sqlite else max(5, settings().max_examples // 4)
    run_state_machine_as_test(
        History, settings=settings(settings(), max_examples=examples, stateful_step_count=40)
    )


@pytest.fixture
def funnel(db: Database) -> Database:
    """A run of four steps, without gates, N 3 and T 10."""
    with db.transaction() as tx:
        a_backend(tx)
        pipeline = a_pipeline(tx, gates=[GateKind.AUTO] * 4)
        runs.create(tx, runs.NewRun(pipeline, "Run", "", "", {}, 3, 10, 3, 0), now=NOW)
    return db


def _claim(database: Database, seed: int) -> selection.Claimed | None:
    def act(tx: Tx) -> selection.Claimed | None:
        return selection.claim(tx, backend_id=1, seed=seed, prompt_id=str(uuid4()), now=NOW)

    return database.run(act)


def test_several_servers_asking_at_once_never_overfill_a_parent(funnel: Database) -> None:
    with funnel.transaction() as tx:
        tx.execute(text("UPDATE pipeline_run SET target_leaves = 200"))

    def work(worker: int) -> int:
        done = 0
        while done < 12 and (claimed := _claim(funnel, worker * 1000 + done)):
            funnel.run(
                lambda tx, id=claimed.job_id: results.ingest(tx, id, images=[an_image()], now=NOW)
            )
            done += 1
        return done

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 96
    with funnel.snapshot() as tx:
        children = dict(
            tx.execute(
                select(ImageCandidate.parent_id, func.count())
                .where(ImageCandidate.parent_id.is_not(None))
                .group_by(ImageCandidate.parent_id)
            ).all()
        )
        counted = dict(
            tx.execute(
                select(ImageCandidate.id, ImageCandidate.child_count).where(
                    ImageCandidate.child_count > 0
                )
            ).all()
        )
        flying = tx.execute(
            select(func.count()).where(schema.Job.status.in_(IN_FLIGHT))
        ).scalar_one()
    assert children == counted
    assert max(children.values()) <= 3
    assert flying == 0


def test_the_same_database_and_seed_choose_the_same_job(funnel: Database) -> None:
    for seed in range(12):
        claimed = _claim(funnel, seed)
        assert claimed is not None
        funnel.run(
            lambda tx, id=claimed.job_id: results.ingest(tx, id, images=[an_image()], now=NOW)
        )
    with funnel.snapshot() as tx:
        chosen = [selection.choose(tx, seed=seed) for seed in range(30)]
        again = [selection.choose(tx, seed=seed) for seed in range(30)]
    assert chosen == again


def test_a_job_keeps_why_it_was_chosen(funnel: Database) -> None:
    base = _claim(funnel, 1)
    assert base is not None
    funnel.run(lambda tx: results.ingest(tx, base.job_id, images=[an_image()], now=NOW))
    child = _claim(funnel, 7)
    assert child is not None
    with funnel.snapshot() as tx:
        job = tx.execute(
            select(schema.Job.reason, schema.Job.status).where(schema.Job.id == child.job_id)
        ).one()
    reason = json.loads(json.dumps(job.reason))
    assert job.status is JobStatus.PENDING
    assert (reason["rule"], reason["step_order"], reason["eligible"]) == ("parent", 2, 1)
    assert (reason["tickets"], reason["seed"], reason["elo"]) == (1000.0, 7, 1000.0)


def test_tickets_are_drawn_in_proportion_to_ratings() -> None:
    ratings = {1: 1150.0, 2: 850.0, 3: -50.0}
    parents = [Parent(id, elo) for id, elo in ratings.items()]
    rng = random.Random(20)
    wins = dict.fromkeys(ratings, 0)
    for _ in range(20_000):
        reason = drawn(parents, priority=0, step_order=1, seed=rng.randrange(2**53))
        assert reason.parent_id is not None
        wins[reason.parent_id] += 1
    assert wins[1] / 20_000 == pytest.approx(1150 / 2001, abs=0.015)
    assert wins[3] <= 40  # one ticket of 2,001


def test_equal_sets_tickets_and_seed_give_the_toys_winner() -> None:
    rng = random.Random(3)
    run = Run(1, 4, 3, 10, 3, 0, {}, {})
    for seed in range(500):
        elos = [rng.uniform(-100, 2000) for _ in range(rng.randint(1, 40))]
        toys = [Image(id, run, 1, None, True, elo) for id, elo in enumerate(elos)]
        reason = drawn(
            [Parent(toy.id, toy.elo) for toy in toys], priority=0, step_order=1, seed=seed
        )
        assert reason.parent_id == raffle(toys, seed).id
