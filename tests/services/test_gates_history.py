"""Gates against the contract's toy: random histories of renders, kills and decisions, and whole
funnels, whose every image must come as planned.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from uuid import uuid4

import pytest
from hypothesis import given, settings
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
from sqlalchemy import func, select, update

from builders import NOW, a_backend, a_pipeline, an_image
from gates_model import GatedWorld
from model import Image, Job, Run
from shortlist.domain.forecast import StepPlan, images_per_step
from shortlist.domain.model import GateKind, Pin, RunStatus
from shortlist.errors import Conflict
from shortlist.services import branches, results, runs, selection, triage
from shortlist.services.acts import Act, ApproveAct, PinAct, RedoAct, ReopenAct, UndoAct
from shortlist.store import schema
from shortlist.store.db import Database
from shortlist.store.schema import ImageCandidate, PipelineRun, PipelineRunStep

SEEDS = st.integers(0, 2**53 - 1)
ids = (f"act-{number}" for number in count())


def forget_all(database: Database) -> int:
    """Empties the database; gives a server."""
    with database.transaction() as tx:
        for table in reversed(schema.Base.metadata.sorted_tables):
            tx.execute(table.delete())
        return a_backend(tx)


def a_run(database: Database, kinds: list[GateKind], *, n: int, bases: int) -> int:
    new = runs.NewRun(0, "Run", "", "", {}, n, 2, bases, 0)
    with database.transaction() as tx:
        pipeline = a_pipeline(tx, gates=kinds)
        return runs.create(tx, replace(new, pipeline_id=pipeline), now=NOW)


def claim(database: Database, backend: int, seed: int) -> selection.Claimed | None:
    with database.transaction() as tx:
        return selection.claim(tx, backend_id=backend, seed=seed, prompt_id=str(uuid4()), now=NOW)


def step_of(database: Database, run_id: int, order: int) -> int:
    with database.snapshot() as tx:
        return tx.execute(
            select(PipelineRunStep.pipeline_step_id).where(
                PipelineRunStep.pipeline_run_id == run_id, PipelineRunStep.step_order == order
            )
        ).scalar_one()


class History(RuleBasedStateMachine):
    """Whatever is decided, taken back and killed: the toy's images advance, and no others."""

    database: Database
    images = Bundle("images")
    flying = Bundle("flying")

    @initialize(
        manual=st.lists(st.sets(st.integers(2, 4), min_size=1), min_size=1, max_size=2),
        n=st.integers(1, 3),
        bases=st.integers(1, 3),
    )
    def begin(self, manual: list[set[int]], n: int, bases: int) -> None:
        self.world = GatedWorld()
        self.backend = forget_all(self.database)
        for orders in manual:
            auto = {order: order not in orders for order in range(1, 5)}
            kinds = [GateKind.AUTO if auto[o] else GateKind.MANUAL for o in auto]
            id = a_run(self.database, kinds, n=n, bases=bases)
            self.world.begin(Run(id, 4, n, 2, bases, 0, {}, auto))

    @rule(target=flying, seed=SEEDS)
    def a_server_asks_for_work(self, seed: int) -> object:
        expected = self.world.decide(seed)
        claimed = claim(self.database, self.backend, seed)
        if expected is None:
            assert claimed is None
            return multiple()
        assert claimed is not None
        run, order, parent = expected
        with self.database.snapshot() as tx:
            job = tx.execute(
                select(schema.Job.pipeline_run_id, schema.Job.parent_id).where(
                    schema.Job.id == claimed.job_id
                )
            ).one()
        assert tuple(job) == (run.id, parent.id if parent else None)
        assert parent is None or parent.advances
        made = Job(claimed.job_id, run, order, parent)
        self.world.jobs.append(made)
        return made

    @rule(target=images, job=consumes(flying), many=st.sampled_from([1, 1, 1, 2]))
    def a_result_comes(self, job: Job, many: int) -> object:
        with self.database.transaction() as tx:
            made = results.ingest(tx, job.id, images=[an_image() for _ in range(many)], now=NOW)
        expected = self.world.result(job, made[0] if made else 0, many)
        assert made == [image.id for image in expected]
        return multiple(*expected)

    @rule(target=images, seed=SEEDS, most=st.integers(2, 6))
    def a_server_works_for_a_while(self, seed: int, most: int) -> object:
        made: list[Image] = []
        for number in range(most):
            job = self.a_server_asks_for_work(seed=(seed + number) % 2**53)
            if not isinstance(job, Job):
                break
            made += self.a_result_comes(job=job, many=1).values  # type: ignore[attr-defined]
        return multiple(*made)

    @rule(image=images, elo=st.sampled_from([900.0, 1000.0, 1100.0, 1200.0]))
    def ratings_move(self, image: Image, elo: float) -> None:
        image.elo = elo
        with self.database.transaction() as tx:
            tx.execute(
                update(ImageCandidate).where(ImageCandidate.id == image.id).values(elo_score=elo)
            )

    @rule(image=images)
    def a_person_kills_or_restores(self, image: Image) -> None:
        with self.database.transaction() as tx:
            if image.rejected:
                branches.restore(tx, image.id)
            else:
                branches.reject(tx, image.id, now=NOW)
        if image.rejected:
            image.rejected = False
        else:
            self.world.reject(image)

    @rule(
        data=st.data(),
        order=st.integers(2, 4),
        k=st.integers(1, 5),
        cap=st.sampled_from([None, None, 1]),
    )
    def a_person_approves(self, data: st.DataObject, order: int, k: int, cap: int | None) -> None:
        run = data.draw(st.sampled_from(self.world.runs))
        if order == run.last and run.auto[order]:
            return
        step = step_of(self.database, run.id, order)
        allowed = self.world.approve(run, order, k, cap)
        self._does(ApproveAct(next(ids), run.id, step, k, cap), allowed=allowed)

    @rule(data=st.data(), order=st.integers(2, 4))
    def a_person_reopens(self, data: st.DataObject, order: int) -> None:
        run = data.draw(st.sampled_from(self.world.runs))
        if order == run.last and run.auto[order]:
            return
        step = step_of(self.database, run.id, order)
        allowed = self.world.reopen(run, order)
        self._does(ReopenAct(next(ids), run.id, step), allowed=allowed)

    @rule(image=images, pin=st.sampled_from([Pin.ALWAYS, Pin.NEVER, None]))
    def a_person_pins(self, image: Image, pin: Pin | None) -> None:
        self.world.pin(image, pin.value if pin else None)
        self._does(PinAct(next(ids), image.id, pin), allowed=True)

    @precondition(lambda self: self.world.done)
    @rule()
    def a_person_takes_it_back(self) -> None:
        self._does(UndoAct(next(ids)), allowed=self.world.undo())

    @precondition(lambda self: self.world.undone)
    @rule()
    def a_person_does_it_again(self) -> None:
        self._does(RedoAct(next(ids)), allowed=self.world.redo())

    def _does(self, act: Act, *, allowed: bool) -> None:
        def apply() -> None:
            self.database.run(lambda tx: triage.apply(tx, "me", act, NOW))

        if allowed:
            apply()
            return
        with pytest.raises(Conflict):
            apply()

    @invariant()
    def the_same_images_advance_through_the_same_gates(self) -> None:
        if not hasattr(self, "world"):
            return
        gate = PipelineRunStep
        with self.database.snapshot() as tx:
            advancing = set(
                tx.execute(select(ImageCandidate.id).where(ImageCandidate.advances)).scalars()
            )
            approved = tx.execute(
                select(gate.pipeline_run_id, gate.step_order).where(gate.approved)
            )
            approved = {tuple(row) for row in approved}
            completed = set(
                tx.execute(
                    select(PipelineRun.id).where(PipelineRun.status == RunStatus.COMPLETED)
                ).scalars()
            )
        assert advancing == {image.id for image in self.world.images if image.advances}
        assert approved == self.world.approved
        assert completed == self.world.completed


def test_gates_decide_what_the_contract_decides(db: Database) -> None:
    History.database = db
    examples = max(6, settings().max_examples // (2 if db.sqlite else 10))
    run_state_machine_as_test(
        History, settings=settings(settings(), max_examples=examples, stateful_step_count=35)
    )


def test_every_funnel_makes_what_was_planned_and_starves_no_one(db: Database) -> None:
    gate = st.tuples(st.booleans(), st.integers(1, 4))

    @settings(settings(), max_examples=6)
    @given(n=st.integers(1, 3), bases=st.integers(1, 3), gates=st.lists(gate, max_size=2))
    def funnel(n: int, bases: int, gates: list[tuple[bool, int]]) -> None:
        backend = forget_all(db)
        gates = [(True, 2), *gates]
        kinds = [GateKind.MANUAL if manual else GateKind.AUTO for manual, _ in gates]
        run_id = a_run(db, [GateKind.AUTO, *kinds], n=n, bases=bases)
        _render(db, backend)
        for order, (manual, k) in enumerate(gates[:-1], start=2):
            if manual:
                act = ApproveAct(next(ids), run_id, step_of(db, run_id, order), k)
                db.run(lambda tx, act=act: triage.apply(tx, "me", act, NOW))
                _render(db, backend)
        plans = [StepPlan(n, None), *(StepPlan(n, k if manual else None) for manual, k in gates)]
        planned = images_per_step(plans, base_count=bases, target_leaves=2, gated=True)
        with db.snapshot() as tx:
            made = dict(
                tx.execute(
                    select(ImageCandidate.step_order, func.count()).group_by(
                        ImageCandidate.step_order
                    )
                ).all()
            )
            children = tx.execute(
                select(ImageCandidate.child_count).where(
                    ImageCandidate.advances, ImageCandidate.step_order <= len(gates)
                )
            )
            assert set(children.scalars()) == {n}
        assert [made[order] for order in range(1, len(planned) + 1)] == planned

    funnel()


def _render(database: Database, backend: int) -> None:
    """Renders until there is nothing to do."""
    for seed in count():
        claimed = claim(database, backend, seed)
        if claimed is None:
            return
        with database.transaction() as tx:
            results.ingest(tx, claimed.job_id, images=[an_image()], now=NOW)
