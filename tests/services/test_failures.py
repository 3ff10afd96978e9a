"""What failures stop, for whom, and how a person reads and retries them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from builders import NOW
from services.farm import Farm
from shortlist.domain.job_states import Cause
from shortlist.domain.model import JobStatus, RunStatus
from shortlist.errors import NotFound
from shortlist.services import assignments, failures, holds, jobs, journal, runs
from shortlist.services.assignments import Blame, Took
from shortlist.services.failures import Key
from shortlist.services.graphs import Unbuildable
from shortlist.services.journal import EventKind
from shortlist.services.runs import Change
from shortlist.store.db import Database
from shortlist.store.schema import Backend, ImageCandidate, Job, PipelineStep


@pytest.fixture
def farm(db: Database) -> Farm:
    return Farm(db)


def test_five_failures_of_a_kind_in_a_row_keep_a_step_from_that_server_alone(farm: Farm) -> None:
    farm.makes(farm.one)
    for _ in range(5):
        assert farm.order_of(farm.fails(farm.one)) == 2
        farm.forgive()
    assert farm.asks(farm.one) is None
    assert farm.order_of(farm.claims(farm.two)) == 2
    (group,) = farm.groups()
    assert group.held == "Face Fix paused on gpu-1 after 5 errors in a row."


def test_a_success_ends_the_row(farm: Farm) -> None:
    farm.makes(farm.one)
    for attempt in range(9):
        if attempt == 4:
            farm.makes(farm.one)
        else:
            farm.fails(farm.one)
        farm.forgive()
        with farm.database.transaction() as tx:
            tx.execute(update(ImageCandidate).values(child_limit=9))
    assert farm.order_of(farm.claims(farm.one)) == 2


def test_a_server_that_ran_out_of_memory_rests_while_another_takes_over(farm: Farm) -> None:
    farm.makes(farm.one)
    farm.fails(farm.one, Cause.OUT_OF_MEMORY)
    assert farm.asks(farm.one) is None
    assert farm.order_of(farm.claims(farm.two)) == 2
    assert farm.asks(farm.one, later=assignments.REST) is not None


def _runs_out(farm: Farm, server: int, *, minutes: int) -> None:
    """The first image's job on `server`, so many minutes later."""
    claimed = farm.asks(server, later=timedelta(minutes=minutes))
    assert claimed is not None
    assert farm.order_of(claimed.job_id) == 2
    with farm.database.transaction() as tx:
        jobs.fail(tx, claimed.job_id, kind=Cause.OUT_OF_MEMORY, error="Sampler: no.", now=NOW)


def _counted(farm: Farm) -> int:
    with farm.database.snapshot() as tx:
        return tx.execute(select(ImageCandidate.failures)).scalar_one()


def test_an_image_that_needs_too_much_memory_is_tried_elsewhere_once_and_parked(
    farm: Farm,
) -> None:
    farm.makes(farm.one)
    _runs_out(farm, farm.one, minutes=0)
    assert _counted(farm) == 0
    _runs_out(farm, farm.two, minutes=1)
    (group, _) = farm.groups()
    assert group.parked == 1
    with farm.database.transaction() as tx:
        key = Key(Cause.OUT_OF_MEMORY, farm.steps[1], farm.one)
        assert failures.retry(tx, key, now=NOW).images == 1
    assert _counted(farm) == 0


def test_with_nowhere_else_it_is_tried_once_more_where_it_was(farm: Farm) -> None:
    with farm.database.transaction() as tx:
        tx.execute(update(Backend).where(Backend.id == farm.two).values(enabled=False))
    farm.makes(farm.one)
    _runs_out(farm, farm.one, minutes=0)
    assert _counted(farm) == 0
    _runs_out(farm, farm.one, minutes=1)
    (group,) = farm.groups()
    assert group.parked == 1


def test_running_out_of_memory_uses_up_none_of_the_other_tries(farm: Farm) -> None:
    farm.makes(farm.one)
    farm.fails(farm.two)
    _runs_out(farm, farm.one, minutes=0)
    farm.fails(farm.two)
    assert _counted(farm) == 2
    assert farm.order_of(farm.claims(farm.two)) == 2


def test_a_server_rests_longer_each_time_it_runs_out_of_memory(farm: Farm) -> None:
    farm.makes(farm.one)
    _runs_out(farm, farm.one, minutes=0)
    _runs_out(farm, farm.one, minutes=1)
    assert _counted(farm) == 0  # the other server has not tried it yet
    assert farm.asks(farm.one, later=assignments.REST) is None
    assert farm.asks(farm.one, later=2 * assignments.REST) is not None


def test_what_one_server_lacks_another_gets_without_a_hold(farm: Farm) -> None:
    farm.makes(farm.one)
    farm.fails(farm.one, Cause.REFUSED, Blame(lacking=True))
    assert farm.asks(farm.one) is None
    assert farm.order_of(farm.claims(farm.two)) == 2


def test_what_no_server_has_holds_the_step_in_the_run(farm: Farm) -> None:
    farm.makes(farm.one)
    farm.fails(farm.one, Cause.REFUSED, Blame(lacking=True))
    farm.fails(farm.two, Cause.REFUSED, Blame(lacking=True))
    assert farm.asks(farm.two) is None
    with farm.database.transaction() as tx:
        assignments.forget_lacks(tx, farm.one, now=NOW)
    assert farm.asks(farm.one) is None  # until a person releases the step
    with farm.database.transaction() as tx:
        holds.release(tx, farm.run, farm.steps[1], now=NOW)
    assert farm.asks(farm.one) is not None


def test_a_workflow_that_can_t_be_made_holds_its_step_and_takes_no_place(farm: Farm) -> None:
    farm.makes(farm.one)
    with farm.database.transaction() as tx:
        tx.execute(
            update(PipelineStep)
            .where(PipelineStep.id == farm.steps[1])
            .values(comfy_workflow_json="{}")
        )
    with pytest.raises(Unbuildable) as found:
        farm.claims(farm.one)
    fault = found.value
    assert (fault.run_id, fault.step_id) == (farm.run, farm.steps[1])
    with farm.database.transaction() as tx:
        assert set(tx.execute(select(ImageCandidate.reserved)).scalars()) == {0}
        holds.hold(tx, fault.run_id, fault.step_id, reason=fault.sentence, now=NOW)
        told = journal.after(tx, 0, limit=1_000)[-1]
    assert (told.kind, told.data) == (EventKind.GATE_CHANGED, {"step_id": farm.steps[1]})
    assert farm.asks(farm.one) is None


def test_a_disabled_server_is_no_elsewhere(farm: Farm) -> None:
    with farm.database.transaction() as tx:
        tx.execute(update(Backend).where(Backend.id == farm.two).values(enabled=False))
    farm.makes(farm.one)
    farm.fails(farm.one, Cause.REFUSED, Blame(lacking=True))
    (group,) = farm.groups()
    assert group.held == group.sentence


def test_a_run_whose_images_wait_for_a_held_step_makes_no_more_bases(farm: Farm) -> None:
    farm.makes(farm.one)
    farm.fails(farm.one, Cause.REFUSED)
    assert farm.asks(farm.one) is None
    assert farm.asks(farm.two) is None


def test_failures_are_grouped_by_kind_step_and_server(farm: Farm) -> None:
    farm.makes(farm.one)
    first = [farm.fails(farm.one) for _ in range(2)]
    other = farm.fails(farm.two, Cause.BAD_OUTPUT)
    told = [(g.kind, g.step_name, g.backend_name, g.count, g.job_id) for g in farm.groups()]
    assert told == [
        (Cause.BAD_OUTPUT, "Face Fix", "gpu-2", 1, other),
        (Cause.RAISED, "Face Fix", "gpu-1", 2, first[-1]),
    ]
    group = farm.groups()[1]
    assert (group.node, group.log, group.parked) == ("Sampler", "Traceback", 1)
    assert group.sentence == f"Sampler: {first[-1]}."


def test_a_group_is_retried_as_a_whole(farm: Farm) -> None:
    farm.makes(farm.one)
    for _ in range(3):
        farm.fails(farm.one)
    assert farm.order_of(farm.claims(farm.two)) == 1
    key = Key(Cause.RAISED, farm.steps[1], farm.one)
    with farm.database.transaction() as tx:
        assert failures.retry(tx, key, now=NOW) == failures.Retried(failures=3, images=1, runs=1)
    assert farm.groups() == []
    assert farm.order_of(farm.claims(farm.one)) == 2
    with pytest.raises(NotFound), farm.database.transaction() as tx:
        failures.retry(tx, key, now=NOW)


def test_base_jobs_that_failed_are_retried(farm: Farm) -> None:
    for _ in range(3):
        farm.fails(farm.one)
    assert farm.asks(farm.one) is None
    with farm.database.transaction() as tx:
        failures.retry(tx, Key(Cause.RAISED, farm.steps[0], farm.one), now=NOW)
    assert farm.order_of(farm.claims(farm.one)) == 1


def test_a_parent_let_go_on_its_own_leaves_the_list(farm: Farm) -> None:
    parent = farm.makes(farm.one)
    farm.fails(farm.one)
    with farm.database.transaction() as tx:
        holds.retry_parent(tx, parent, now=NOW)
    assert farm.groups() == []


def test_a_paused_run_takes_its_jobs_back(farm: Farm) -> None:
    farm.makes(farm.one)
    job = farm.claims(farm.one)
    with farm.database.transaction() as tx:
        runs.change(tx, farm.run, Change(status=RunStatus.PAUSED), now=NOW)
    with farm.database.snapshot() as tx:
        status, recall = tx.execute(select(Job.status, Job.recall).where(Job.id == job)).one()
        (flight,) = jobs.flights(tx, farm.one)
    assert (status, recall, flight.job_id) == (JobStatus.CANCELLED, True, job)
    assert farm.asks(farm.one) is None


def test_the_cost_of_a_models_load_is_measured(farm: Farm) -> None:
    farm.makes(farm.one, Took(9.0, cold=True))
    with farm.database.transaction() as tx:
        tx.execute(update(ImageCandidate).values(advances=False))
    farm.makes(farm.one, Took(2.5, cold=False))
    with farm.database.snapshot() as tx:
        (known,) = assignments.views(tx)
    assert (known.step_name, known.load_seconds) == ("Base", 6.5)


def test_a_prompt_is_resolved_for_each_base_image_and_inherited(db: Database) -> None:
    farm = Farm(db, prompt="{a|b|c|d|e|f|g|h} with __hair__")
    base = farm.makes(farm.one)
    with farm.database.transaction() as tx:
        runs.change(tx, farm.run, Change(prompt="another {x|y}"), now=NOW)
    farm.makes(farm.two)
    first, second = farm.prompts()
    assert first is not None
    assert first == second
    assert first.endswith(" with red hair")
    assert first[0] in "abcdefgh"
    with farm.database.transaction() as tx:
        tx.execute(update(ImageCandidate).where(ImageCandidate.id == base).values(advances=False))
    job = farm.claims(farm.one)
    with farm.database.snapshot() as tx:
        prompt, graph = tx.execute(select(Job.prompt, Job.workflow).where(Job.id == job)).one()
    assert prompt in ("another x", "another y")
    assert f'"{prompt}"' in graph
