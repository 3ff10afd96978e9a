"""The rule `adaptive` on a database: never beyond the contract's limits, and its reasons kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis.stateful import (
    initialize,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from builders import NOW, a_backend, a_pipeline, an_image
from model import Image, Job, Run
from services.test_next_job import SEEDS, History
from shortlist.domain.model import GateKind, Policy
from shortlist.errors import Unavailable
from shortlist.services import ahead, branches, results, runs, selection
from shortlist.services.selection import Claimed, Look, Overtaken
from shortlist.store import schema
from shortlist.store.db import Database, Tx
from shortlist.store.memory import Memory


class Grows(History):
    """Whatever happens, `adaptive` takes a place that the toy knows to be free, if there is one."""

    policy = Policy.ADAPTIVE

    looked: tuple[int, Look] | None = None

    @initialize()
    def forget(self) -> None:
        self.database.memory = Memory()  # the tables begin anew, and so do their numbers

    @rule(target=History.flying, seed=SEEDS)
    def a_server_asks_for_work(self, seed: int) -> object:
        free = self._free()
        with self.database.transaction() as tx:
            again = selection.choose(tx, seed=seed)
            claimed = self._claimed(tx, seed)
        if claimed is None:
            assert all(parent is not None and self._hopeless(parent) for _, _, parent in free)
            return multiple()
        assert again is not None
        assert again.reason.parent_id == self._chosen(claimed.job_id)[2]
        return self._begun(claimed, free)

    @rule(seed=SEEDS)
    def a_server_looks_around(self, seed: int) -> None:
        with self.database.snapshot() as tx:
            self.looked = seed, selection.look(tx, seed=seed)

    @precondition(lambda self: self.looked is not None)
    @rule(target=History.flying)
    def a_server_takes_what_it_saw_some_time_ago(self) -> object:
        assert self.looked is not None
        (seed, seen), free = self.looked, self._places()
        self.looked = None
        try:
            with self.database.transaction() as tx:
                claimed = self._claimed(tx, seed, seen)
        except Overtaken:
            return multiple()
        return multiple() if claimed is None else self._begun(claimed, free)

    def _claimed(self, tx: Tx, seed: int, seen: Look | None = None) -> Claimed | None:
        return selection.claim(
            tx, backend_id=self.backend, seed=seed, prompt_id=str(uuid4()), now=NOW, seen=seen
        )

    def _begun(self, claimed: Claimed, free: list[tuple[Run, int, Image | None]]) -> Job:
        """The job, which stands at a place that was free."""
        chosen = [each for each in free if _key(each) == self._chosen(claimed.job_id)]
        assert len(chosen) == 1
        job = Job(claimed.job_id, *chosen[0])
        self.world.jobs.append(job)
        return job

    def _places(self) -> list[tuple[Run, int, Image | None]]:
        found: list[tuple[Run, int, Image | None]] = [
            (image.run, image.order + 1, image)
            for image in self.world.images
            if image.run.active and self.world.open(image) and not image.run.closed(image.order + 1)
        ]
        lacking = [run for run in self.world.runs if self.world.lacks(run, though_open=True) > 0]
        return found + [(run, 1, None) for run in lacking]

    def _free(self) -> list[tuple[Run, int, Image | None]]:
        """All places of the highest priority that has any."""
        found = self._places()
        useful = [each for each in found if each[2] is None or not self._hopeless(each[2])]
        highest = max((run.priority for run, _, _ in useful), default=None)
        return [each for each in found if each[0].priority == highest] if useful else found

    def _hopeless(self, image: Image) -> bool:
        children = self.world.children(image)
        made = len(children) + len(self.world.flying(image))
        return not image.run.gated and made >= 3 and all(c.rejected for c in children)


def _key(place: tuple[Run, int, Image | None]) -> tuple[int, int, int | None]:
    run, order, parent = place
    return run.id, order, None if parent is None else parent.id


@pytest.mark.slow
def test_no_history_leads_beyond_the_limits(db: Database) -> None:
    Grows.database = db
    examples = settings().max_examples if db.sqlite else max(5, settings().max_examples // 4)
    run_state_machine_as_test(
        Grows, settings=settings(settings(), max_examples=examples, stateful_step_count=40)
    )


@pytest.fixture
def growing(db: Database) -> Database:
    """An adaptive run of four steps, without gates, N 3 and T 10."""
    with db.transaction() as tx:
        a_backend(tx)
        pipeline = a_pipeline(tx, gates=[GateKind.AUTO] * 4)
        new = runs.NewRun(pipeline, "Run", "", "", {}, 3, 10, 3, 0, policy=Policy.ADAPTIVE)
        runs.create(tx, new, now=NOW)
    return db


def _claim(database: Database, seed: int) -> Claimed:
    with database.transaction() as tx:
        claimed = selection.claim(tx, backend_id=1, seed=seed, prompt_id=str(uuid4()), now=NOW)
    assert claimed is not None
    return claimed


def _make(database: Database, seed: int) -> str:
    """One more image; why it was chosen."""
    claimed = _claim(database, seed)
    with database.transaction() as tx:
        results.ingest(tx, claimed.job_id, images=[an_image()], now=NOW)
        reason = tx.execute(
            select(schema.Job.reason).where(schema.Job.id == claimed.job_id)
        ).scalar_one()
    return str(reason["sentence"])


def test_a_job_tells_the_odds_for_which_it_was_chosen(growing: Database) -> None:
    sentences = [_make(growing, seed) for seed in range(13)]
    assert sentences[0] == (
        "Fewer than 3 images are finished: a new base image goes on towards the end."
    )
    assert "leads to one of the best 3 so far with a chance of" in sentences[12]


def test_the_same_database_and_seed_choose_the_same_job(growing: Database) -> None:
    for seed in range(14):
        _make(growing, seed)
    with growing.snapshot() as tx:
        chosen = [selection.choose(tx, seed=seed) for seed in range(8)]
    growing.memory = Memory()
    with growing.snapshot() as tx:
        assert chosen == [selection.choose(tx, seed=seed) for seed in range(8)]


def test_a_higher_priority_comes_first_whatever_the_policy(growing: Database) -> None:
    with growing.transaction() as tx:
        pipeline = a_pipeline(tx, gates=[GateKind.AUTO] * 4)
        literal = runs.create(tx, runs.NewRun(pipeline, "L", "", "", {}, 3, 10, 3, 5), now=NOW)
        assert {_run(tx, seed) for seed in range(20)} == {literal}
        runs.change(tx, literal, runs.Change(priority=0), now=NOW)
        assert len({_run(tx, seed) for seed in range(20)}) == 2


def _run(tx: Tx, seed: int) -> int:
    choice = selection.choose(tx, seed=seed)
    assert choice is not None
    return choice.run_id


@pytest.mark.parametrize("policy", list(Policy))
def test_a_dry_run_tells_the_jobs_of_an_untouched_run(growing: Database, policy: Policy) -> None:
    with growing.transaction() as tx:
        runs.change(tx, 1, runs.Change(policy=policy), now=NOW)
        planned = ahead.next_jobs(tx, 1, count=4, seed=1)
    assert [(job.step, job.parent_id, job.after) for job in planned] == [
        (1, None, None),
        (2, None, 1),
        (3, None, 2),
        (4, None, 3),
    ]


def test_a_dry_run_ends_where_a_gate_waits(db: Database) -> None:
    with db.transaction() as tx:
        a_backend(tx)
        pipeline = a_pipeline(tx, gates=[GateKind.AUTO, GateKind.MANUAL, GateKind.MANUAL])
        new = runs.NewRun(pipeline, "Run", "", "", {}, 2, 10, 3, 0, policy=Policy.ADAPTIVE)
        run = runs.create(tx, new, now=NOW)
        planned = ahead.next_jobs(tx, run, count=20, seed=1)
    assert sorted(job.step for job in planned) == [1] * 3 + [2] * 6


BROUGHT = """
from threading import Event

from shortlist.domain.policy import Decision, Option

asked, go_on = Event(), Event()


def newest(posterior, frontier, *, seed):
    parent = max(frontier.room, default=None)
    return Decision(Option(parent, 0, 1.0, None), None, 1)


def patient(posterior, frontier, *, seed):
    asked.set()
    assert go_on.wait(60)
    return newest(posterior, frontier, seed=seed)


def reckless(posterior, frontier, *, seed):
    return Decision(Option(999, 2, 1.0, None), None, 1)
"""


@pytest.fixture
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with three policies, on the path of this process."""
    metadata = tmp_path / "eager-1.0.dist-info"
    metadata.mkdir()
    (tmp_path / "eager_policies.py").write_text(BROUGHT)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: eager\nVersion: 1.0\n")
    lines = [f"{name} = eager_policies:{name}" for name in ("newest", "patient", "reckless")]
    (metadata / "entry_points.txt").write_text("\n".join(["[shortlist.policies]", *lines]))
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("_installed")
def test_a_package_may_bring_a_policy(growing: Database) -> None:
    with growing.transaction() as tx:
        runs.change(tx, 1, runs.Change(policy="newest"), now=NOW)
    for seed in range(8):
        _make(growing, seed)
    with growing.snapshot() as tx:
        parents = tx.execute(select(schema.Job.parent_id).order_by(schema.Job.id)).scalars().all()
    assert parents == [None, 1, 2, 3, 3, 3, 2, 7]


@pytest.mark.usefixtures("_installed")
def test_a_policy_that_fails_stops_its_own_run_alone(growing: Database) -> None:
    with growing.transaction() as tx:
        runs.change(tx, 1, runs.Change(policy="reckless", priority=9), now=NOW)
        assert selection.choose(tx, seed=1) is None
        pipeline = a_pipeline(tx, gates=[GateKind.AUTO] * 2)
        literal = runs.create(tx, runs.NewRun(pipeline, "L", "", "", {}, 3, 10, 3, 0), now=NOW)
        assert _run(tx, 1) == literal
        with pytest.raises(Unavailable, match="image 999, which has no room"):
            ahead.next_jobs(tx, 1, count=1, seed=1)


@pytest.mark.usefixtures("_installed")
def test_nobody_waits_for_a_policy_that_thinks_and_what_it_chose_is_looked_at_again(
    growing: Database,
) -> None:
    with growing.transaction() as tx:
        runs.change(tx, 1, runs.Change(policy="newest"), now=NOW)
    _make(growing, 1)
    with growing.transaction() as tx:
        runs.change(tx, 1, runs.Change(policy="patient"), now=NOW)
    policy = import_module("eager_policies")
    policy.asked.clear()
    with ThreadPoolExecutor(1) as server:
        looking = server.submit(_look, growing, 2)
        assert policy.asked.wait(60)
        with growing.transaction() as tx:
            runs.change(tx, 1, runs.Change(name="Renamed"), now=NOW)
        policy.go_on.set()
        seen = looking.result()
    policy.go_on.clear()  # whoever asked it now would wait
    with growing.transaction() as tx:
        claimed = selection.claim(tx, backend_id=1, seed=2, prompt_id="2", now=NOW, seen=seen)
        assert claimed is not None
        branches.reject(tx, 1, now=NOW)
    with pytest.raises(Overtaken), growing.transaction() as tx:
        selection.claim(tx, backend_id=1, seed=2, prompt_id="3", now=NOW, seen=seen)


def _look(database: Database, seed: int) -> Look:
    with database.snapshot() as tx:
        return selection.look(tx, seed=seed)
