"""Gates: the worked examples image for image, decisions exactly undone, nights not lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest
from sqlalchemy import func, select, update

from builders import NOW, a_backend, a_pipeline, an_image
from shortlist.domain.gates import Waiting
from shortlist.domain.model import GateKind, GateState, Pin, RunStatus
from shortlist.errors import BadInput, Conflict, NotFound
from shortlist.services import (
    approval,
    branches,
    jobs,
    nights,
    overview,
    results,
    runs,
    selection,
    triage,
)
from shortlist.services.acts import (
    Act,
    ApproveAct,
    ConfirmAct,
    PinAct,
    RedoAct,
    ReopenAct,
    UndoAct,
)
from shortlist.store.db import Database
from shortlist.store.schema import ImageCandidate, PipelineRun, PipelineRunStep

ids = (f"act-{number}" for number in count())


class Studio:
    """One run and the hands around it: a person, a night, and a server that never fails."""

    def __init__(self, db: Database, **limits: object) -> None:
        self.db = db
        kinds = limits.pop("kinds", [GateKind.AUTO, *[GateKind.MANUAL] * 3])
        top_k = limits.pop("top_k", None)
        assert isinstance(kinds, list)
        with db.transaction() as tx:
            self.backend = tx.execute(select(func.min(jobs.Job.backend_id))).scalar() or a_backend(
                tx, name=str(uuid4()), url=f"http://127.0.0.1/{uuid4()}"
            )
            pipeline = a_pipeline(tx, gates=kinds)
            if top_k is not None:
                step = runs.PipelineStep
                tx.execute(
                    update(step).where(step.pipeline_id == pipeline).values(default_top_k=top_k)
                )
            values: dict[str, object] = {
                "max_children": 3,
                "target_leaves": 10,
                "base_count": 3,
                "priority": 0,
                **limits,
            }
            self.run = runs.create(
                tx,
                runs.NewRun(pipeline, "Run", "", "", {}, **values),  # type: ignore[arg-type]
                now=NOW,
            )
            self.steps = list(
                tx.execute(
                    select(PipelineRunStep.pipeline_step_id)
                    .where(PipelineRunStep.pipeline_run_id == self.run)
                    .order_by(PipelineRunStep.step_order)
                ).scalars()
            )

    def render(self, most: int = 1000) -> int:
        """Renders until there is nothing to do; how many images that made."""
        for made in range(most):
            with self.db.transaction() as tx:
                claimed = selection.claim(
                    tx, backend_id=self.backend, seed=made, prompt_id=str(uuid4()), now=NOW
                )
            if claimed is None:
                return made
            with self.db.transaction() as tx:
                results.ingest(tx, claimed.job_id, images=[an_image()], now=NOW)
        return most

    def act(self, act: Act, *, person: str = "me", now: datetime = NOW) -> triage.Result:
        return self.db.run(lambda tx: triage.apply(tx, person, act, now))

    def approve(self, order: int, top_k: int, **more: int) -> triage.Result:
        act = ApproveAct(next(ids), self.run, self.steps[order - 1], top_k, **more)
        return self.act(act)

    def tick(self, now: datetime) -> bool:
        return self.db.run(lambda tx: nights.tick(tx, now=now))

    def view(self) -> overview.RunView:
        with self.db.snapshot() as tx:
            return overview.view(tx, self.run)

    def made(self) -> list[int]:
        return [column.made for column in self.view().columns]

    def images(self, order: int) -> list[int]:
        return self._ids(ImageCandidate.step_order == order)

    def advancing(self, order: int) -> list[int]:
        return self._ids((ImageCandidate.step_order == order) & ImageCandidate.advances)

    def _ids(self, which: object) -> list[int]:
        with self.db.snapshot() as tx:
            query = select(ImageCandidate.id).where(
                ImageCandidate.pipeline_run_id == self.run,
                which,  # type: ignore[arg-type]
            )
            return list(tx.execute(query.order_by(ImageCandidate.id)).scalars())

    def rate(self, order: int, elos: Sequence[float]) -> None:
        with self.db.transaction() as tx:
            for id, elo in zip(self.images(order), elos, strict=True):
                tx.execute(
                    update(ImageCandidate).where(ImageCandidate.id == id).values(elo_score=elo)
                )

    def everything(self) -> object:
        """All that a decision may change, to see that an undo changes it back."""
        view = self.view()
        with self.db.snapshot() as tx:
            row = PipelineRunStep
            gates = tx.execute(
                select(row.step_order, row.approved, row.approved_by, row.top_k_count)
                .where(row.pipeline_run_id == self.run)
                .order_by(row.step_order)
            ).all()
        return view.status, gates, [self.advancing(order) for order in (1, 2, 3, 4)]


@pytest.fixture
def studio(db: Database) -> Callable[..., Studio]:
    return lambda **limits: Studio(db, **limits)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "k", "expected"),
    [(5, 1, [3, 15, 5, 5]), (3, 3, [3, 9, 9, 9]), (5, 3, [3, 15, 15, 15])],
)
def test_the_worked_examples_come_out_exactly(
    studio: Callable[..., Studio], n: int, k: int, expected: list[int]
) -> None:
    run = studio(max_children=n)
    for order in (2, 3):
        run.render()
        run.approve(order, k)
    run.render()
    assert run.made() == expected


def test_as_many_jobs_begin_as_are_told_to_be_ready(studio: Callable[..., Studio]) -> None:
    run = studio()
    ready = lambda: [column.ready for column in run.view().columns]  # noqa: E731
    assert ready() == [3, 0, 0, 0]
    assert run.render(3) == 3  # a base image and two of its three children
    assert ready() == [2, 1, 0, 0]
    with run.db.transaction() as tx:
        claim = lambda: selection.claim(  # noqa: E731
            tx, backend_id=run.backend, seed=1, prompt_id=str(uuid4()), now=NOW
        )
        assert [claim() is None for _ in range(4)] == [False, False, False, True]
    assert ready() == [0, 0, 0, 0]


def test_the_best_three_of_nine_advance_whoever_their_parents_are(
    studio: Callable[..., Studio],
) -> None:
    run = studio()
    run.render()
    run.rate(2, [1250, 1180, 1150, 1120, 1080, 1050, 1020, 980, 950])
    run.approve(2, 3)
    run.render()
    best = run.images(2)[:3]
    with run.db.snapshot() as tx:
        parents = dict(
            tx.execute(
                select(ImageCandidate.parent_id, func.count())
                .where(ImageCandidate.step_order == 3)
                .group_by(ImageCandidate.parent_id)
            ).all()
        )
    assert run.advancing(2) == best
    assert parents == dict.fromkeys(best, 3)


def test_a_step_is_blocked_then_generating_then_awaits_approval(
    studio: Callable[..., Studio],
) -> None:
    run = studio()
    states = [[column.state for column in run.view().columns]]
    run.render(most=4)
    states.append([column.state for column in run.view().columns])
    run.render()
    states.append([column.state for column in run.view().columns])
    run.approve(2, 3)
    states.append([column.state for column in run.view().columns])
    approved, blocked = GateState.APPROVED, GateState.BLOCKED
    assert states[1] == [approved, GateState.GENERATING, blocked, blocked]
    assert states[2] == [approved, GateState.AWAITING, blocked, blocked]
    assert states[3] == [approved, approved, GateState.GENERATING, blocked]


def test_ties_go_to_more_votes_then_to_the_older_image(studio: Callable[..., Studio]) -> None:
    run = studio()
    run.render()
    voted = run.images(2)[5]
    with run.db.transaction() as tx:
        tx.execute(update(ImageCandidate).where(ImageCandidate.id == voted).values(vote_count=4))
    run.approve(2, 2)
    assert run.advancing(2) == [run.images(2)[0], voted]


def test_a_k_above_the_number_alive_lets_all_through(studio: Callable[..., Studio]) -> None:
    run = studio()
    run.render()
    with run.db.transaction() as tx:
        branches.reject(tx, run.images(2)[0], now=NOW)
    run.approve(2, 50)
    assert run.advancing(2) == run.images(2)[1:]


def test_the_place_of_a_killed_image_stays_empty_until_the_gate_is_approved_again(
    studio: Callable[..., Studio],
) -> None:
    run = studio()
    run.render()
    run.approve(2, 2)
    killed = run.advancing(2)[0]
    with run.db.transaction() as tx:
        branches.reject(tx, killed, now=NOW)
    assert run.render() == 3
    run.approve(2, 2)
    assert run.render() == 3
    assert killed not in run.advancing(2)


def test_later_votes_do_not_move_the_set(studio: Callable[..., Studio]) -> None:
    run = studio()
    run.render()
    run.approve(2, 1)
    before = run.advancing(2)
    run.rate(2, [800, *[1500] * 8])
    assert run.advancing(2) == before
    assert run.render() == 3


def test_approving_again_keeps_the_children_already_made(studio: Callable[..., Studio]) -> None:
    run = studio()
    run.render()
    run.approve(2, 3)
    run.render()
    run.approve(2, 1)
    assert run.made() == [3, 9, 9, 0]
    assert len(run.advancing(2)) == 1
    run.approve(2, 4)
    assert run.render() == 3


def test_the_last_approval_names_the_winners_and_completes_the_run(
    studio: Callable[..., Studio],
) -> None:
    run = studio()
    for order in (2, 3):
        run.render()
        run.approve(order, 1)
    run.render()
    result = run.approve(4, 2)
    assert run.view().status is RunStatus.COMPLETED
    assert len(run.advancing(4)) == 2
    assert "2 images won" in result.label
    run.act(UndoAct(next(ids)))
    assert (run.view().status, run.advancing(4)) == (RunStatus.ACTIVE, [])


def test_a_held_approval_makes_no_job_before_its_moment_and_can_be_taken_back(
    studio: Callable[..., Studio],
) -> None:
    run = studio()
    run.render()
    run.approve(2, 3, hold_seconds=10)
    assert run.view().columns[2].state is GateState.BLOCKED  # nothing comes to it yet
    assert run.render() == 0
    assert not run.tick(NOW + timedelta(seconds=9))
    with run.db.snapshot() as tx:
        assert approval.waiting(tx, run.run) == [run.steps[1]]
    assert run.tick(NOW + timedelta(seconds=10))
    with run.db.snapshot() as tx:
        assert approval.waiting(tx, run.run) == []
    assert run.render() == 9
    run.approve(2, 4, hold_seconds=10)
    run.act(UndoAct(next(ids)))
    assert not run.tick(NOW + timedelta(seconds=60))
    assert len(run.advancing(2)) == 3


def test_undo_and_redo_of_every_decision_are_exact(studio: Callable[..., Studio]) -> None:
    run = studio()
    run.render()
    states = [run.everything()]
    for act in (
        ApproveAct(next(ids), run.run, run.steps[1], 3),
        PinAct(next(ids), run.images(2)[8], Pin.ALWAYS),
        ApproveAct(next(ids), run.run, run.steps[1], 2),
        ReopenAct(next(ids), run.run, run.steps[1]),
    ):
        run.act(act)
        states.append(run.everything())
    for state in reversed(states[:-1]):
        run.act(UndoAct(next(ids)))
        assert run.everything() == state
    for state in states[1:]:
        run.act(RedoAct(next(ids)))
        assert run.everything() == state


def test_a_decision_that_was_overtaken_is_not_taken_back(studio: Callable[..., Studio]) -> None:
    run = studio()
    run.render()
    first = run.approve(2, 3)
    act = ApproveAct(next(ids), run.run, run.steps[1], 1)
    run.act(act, person="you")
    with pytest.raises(Conflict, match="decided again since"):
        run.act(UndoAct(next(ids), first.id))


def test_the_second_of_two_people_at_once_is_told(studio: Callable[..., Studio]) -> None:
    run = studio()
    run.render()
    run.act(ApproveAct(next(ids), run.run, run.steps[1], 3, seen=0), person="Ada")
    with pytest.raises(Conflict, match="decided meanwhile by Ada at 12:00:00 UTC"):
        run.act(ApproveAct(next(ids), run.run, run.steps[1], 2, seen=0), person="Ben")


def test_pins_come_first_and_never_means_never(studio: Callable[..., Studio]) -> None:
    run = studio()
    run.render()
    run.rate(2, [1250, 1180, 1150, 1120, 1080, 1050, 1020, 980, 950])
    images = run.images(2)
    run.act(PinAct(next(ids), images[8], Pin.ALWAYS))
    run.act(PinAct(next(ids), images[0], Pin.NEVER))
    run.approve(2, 3)
    assert run.advancing(2) == [images[1], images[2], images[8]]


def test_a_cap_per_base_image_keeps_variety(studio: Callable[..., Studio]) -> None:
    run = studio()
    run.render()
    with run.db.transaction() as tx:
        bases = run.images(1)
        for rank, base in enumerate(bases):
            tx.execute(
                update(ImageCandidate)
                .where(ImageCandidate.parent_id == base)
                .values(elo_score=1300 - rank * 100)
            )
    run.approve(2, 3, per_base=1)
    with run.db.snapshot() as tx:
        parents = list(
            tx.execute(
                select(ImageCandidate.parent_id).where(
                    ImageCandidate.step_order == 2, ImageCandidate.advances
                )
            ).scalars()
        )
    assert sorted(parents) == bases


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"top_k": 0}, BadInput, "K must be at least 1, not 0"),
        ({"top_k": -3}, BadInput, "K must be at least 1, not -3"),
        ({"per_base": 0}, BadInput, "per base image must be at least 1"),
        ({"order": 3}, Conflict, "blocked: approve the step before"),
        ({"order": 1}, Conflict, "first step"),
        ({"step_id": 9999}, NotFound, "no step 9999"),
        ({"run_id": 9999}, NotFound, "Run 9999"),
    ],
)
def test_what_cannot_be_approved_is_told_in_a_sentence(
    studio: Callable[..., Studio],
    change: dict[str, int],
    error: type[Exception],
    sentence: str,
) -> None:
    run = studio()
    run.render()
    before = run.everything()
    wish = {"run_id": run.run, "step_id": run.steps[change.get("order", 2) - 1], "top_k": 3}
    wish |= {name: value for name, value in change.items() if name != "order"}
    with pytest.raises(error, match=sentence):
        run.act(ApproveAct(next(ids), **wish))
    assert run.everything() == before


def test_an_archived_run_is_not_approved(studio: Callable[..., Studio]) -> None:
    run = studio()
    run.render()
    with run.db.transaction() as tx:
        runs.change(tx, run.run, runs.Change(status=RunStatus.ARCHIVED), now=NOW)
    with pytest.raises(Conflict, match="archived"):
        run.approve(2, 3)


def test_runs_are_independent(studio: Callable[..., Studio]) -> None:
    one, other = studio(), studio()
    one.render()
    one.approve(2, 1)
    one.render()
    one.approve(3, 1)
    assert [c.state for c in one.view().columns][3] is GateState.GENERATING
    assert [c.state for c in other.view().columns][2] is GateState.BLOCKED
    assert other.made()[:2] == [3, 9]


def test_a_night_waits_for_all_base_images_before_it_ranks_their_children(
    studio: Callable[..., Studio],
) -> None:
    run = studio(kinds=KINDS, waiting=Waiting(minutes=0))
    run.render(most=4)
    assert not run.tick(NOW)
    run.render()
    assert run.tick(NOW)


KINDS = [GateKind.AUTO, *[GateKind.PROVISIONAL] * 2, GateKind.MANUAL]


def test_a_provisional_gate_opens_by_itself_when_nobody_acts(
    studio: Callable[..., Studio],
) -> None:
    run = studio(kinds=KINDS, top_k=2, waiting=Waiting(minutes=30))
    run.render()
    assert not run.tick(NOW)
    assert not run.tick(NOW + timedelta(minutes=29))
    assert run.tick(NOW + timedelta(minutes=31))
    with run.db.snapshot() as tx:
        gate = tx.execute(
            select(PipelineRunStep.provisional, PipelineRunStep.assumed).where(
                PipelineRunStep.pipeline_run_id == run.run, PipelineRunStep.step_order == 2
            )
        ).one()
    assert len(run.advancing(2)) == 2
    assert gate.provisional
    assert gate.assumed == (
        "Nobody acted for 30 minutes, so the best 2 of 9 went on by rating, "
        "with 0 votes each in the middle."
    )


def test_an_act_of_a_person_makes_a_provisional_gate_wait_longer(
    studio: Callable[..., Studio],
) -> None:
    run = studio(kinds=KINDS, waiting=Waiting(minutes=30))
    run.render()
    run.tick(NOW)
    later = NOW + timedelta(minutes=20)
    run.act(PinAct(next(ids), run.images(2)[0], Pin.ALWAYS), now=later)
    assert not run.tick(NOW + timedelta(minutes=40))
    assert run.tick(NOW + timedelta(minutes=51))


@pytest.mark.parametrize(
    ("clock", "opens"),
    [("21:59", False), ("22:00", True), ("03:00", True), ("07:00", False), ("12:00", False)],
)
def test_in_the_night_a_complete_step_does_not_wait(
    studio: Callable[..., Studio], clock: str, opens: bool
) -> None:
    night = Waiting(minutes=None, night_from="22:00", night_until="07:00", time_zone="UTC")
    run = studio(kinds=KINDS, waiting=night)
    run.render()
    hour, minute = map(int, clock.split(":"))
    assert run.tick(datetime(2026, 1, 2, hour, minute, tzinfo=UTC)) is opens


def test_a_night_in_a_zone_that_went_away_is_waited_out_and_holds_up_nothing(
    studio: Callable[..., Studio],
) -> None:
    run = studio(kinds=KINDS, waiting=Waiting(30, night_from="22:00", night_until="07:00"))
    run.render()
    with run.db.transaction() as tx:
        tx.execute(update(PipelineRun).values(time_zone="Europe/Atlantis"))
    assert not run.tick(datetime(2026, 1, 2, 23, 0, tzinfo=UTC))
    assert run.tick(datetime(2026, 1, 2, 23, 31, tzinfo=UTC))


def test_a_night_ends_with_finished_images_and_the_last_word_left_to_the_person(
    studio: Callable[..., Studio],
) -> None:
    run = studio(kinds=KINDS, top_k=3, waiting=Waiting(minutes=0))
    for minute in range(6):
        run.render()
        run.tick(NOW + timedelta(minutes=minute))
    assert run.made() == [3, 9, 9, 9]
    assert run.view().status is RunStatus.ACTIVE
    assert run.advancing(4) == []


def test_confirming_takes_the_gate_as_it_is(studio: Callable[..., Studio]) -> None:
    run = studio(kinds=KINDS, top_k=3, waiting=Waiting(minutes=0))
    run.render()
    run.tick(NOW)
    before = run.advancing(2)
    run.act(ConfirmAct(next(ids), run.run, run.steps[1]))
    assert run.advancing(2) == before
    with pytest.raises(Conflict, match="nothing to confirm"):
        run.act(ConfirmAct(next(ids), run.run, run.steps[1]))


def test_revising_closes_the_branches_that_left_and_leaves_the_others_alone(
    studio: Callable[..., Studio],
) -> None:
    run = studio(kinds=KINDS, top_k=2, waiting=Waiting(minutes=0))
    run.render()
    run.tick(NOW)
    run.render()
    run.tick(NOW)
    stays, leaves = run.advancing(2)
    run.act(PinAct(next(ids), leaves, Pin.NEVER))
    run.approve(2, 1)
    with run.db.snapshot() as tx:
        parents = set(
            tx.execute(
                select(ImageCandidate.parent_id).where(
                    ImageCandidate.step_order == 3, ImageCandidate.advances
                )
            ).scalars()
        )
    assert run.advancing(2) == [stays]
    assert parents <= {stays}


def test_revising_opens_a_provisional_gate_behind_it_for_the_images_that_enter(
    studio: Callable[..., Studio],
) -> None:
    run = studio(kinds=KINDS, top_k=2, waiting=Waiting(minutes=0))
    run.render()
    run.tick(NOW)
    run.render()
    run.tick(NOW)
    through = run.advancing(3)
    run.approve(2, 3)
    states = [column.state for column in run.view().columns]
    assert states[2] is GateState.GENERATING
    assert run.advancing(3) == through
    run.act(UndoAct(next(ids)))
    assert run.view().columns[2].state is GateState.APPROVED


def test_an_archived_run_is_not_brought_back_by_an_undo(studio: Callable[..., Studio]) -> None:
    run = studio()
    for order in (2, 3, 4):
        run.render()
        run.approve(order, 1)
    with run.db.transaction() as tx:
        runs.change(tx, run.run, runs.Change(status=RunStatus.ARCHIVED), now=NOW)
    with pytest.raises(Conflict, match="archived"):
        run.act(UndoAct(next(ids)))
    assert run.view().status is RunStatus.ARCHIVED


def test_a_run_paused_since_stays_paused_when_its_completion_is_undone(
    studio: Callable[..., Studio],
) -> None:
    run = studio()
    for order in (2, 3, 4):
        run.render()
        run.approve(order, 1)
    with run.db.transaction() as tx:
        runs.change(tx, run.run, runs.Change(status=RunStatus.ACTIVE), now=NOW)
        runs.change(tx, run.run, runs.Change(status=RunStatus.PAUSED), now=NOW)
    run.act(UndoAct(next(ids)))
    assert run.view().status is RunStatus.PAUSED
    assert run.advancing(4) == []


def test_a_complete_run_has_nothing_to_pause(studio: Callable[..., Studio]) -> None:
    run = studio()
    for order in (2, 3, 4):
        run.render()
        run.approve(order, 1)
    with run.db.transaction() as tx, pytest.raises(Conflict, match="nothing of it is left"):
        runs.change(tx, run.run, runs.Change(status=RunStatus.PAUSED), now=NOW)


def test_more_through_an_earlier_gate_let_a_complete_run_go_on(
    studio: Callable[..., Studio],
) -> None:
    run = studio()
    for order in (2, 3, 4):
        run.render()
        run.approve(order, 1)
    run.approve(2, 1)
    assert run.view().status is RunStatus.COMPLETED
    run.approve(2, 2)
    assert run.view().status is RunStatus.ACTIVE
    assert run.render() == 3


def test_a_decision_is_not_taken_back_when_one_on_an_earlier_gate_changed_it_since(
    studio: Callable[..., Studio],
) -> None:
    run = studio(kinds=KINDS, top_k=2, waiting=Waiting(minutes=0))
    run.render()
    run.tick(NOW)
    run.render()
    later = run.approve(3, 6)
    run.approve(2, 1)
    revised = run.everything()
    with pytest.raises(Conflict, match="decided again since"):
        run.act(UndoAct(next(ids), later.id))
    assert run.everything() == revised


def test_a_redo_is_refused_when_the_decision_below_it_was_taken_back(
    studio: Callable[..., Studio],
) -> None:
    run = studio()
    run.render()
    run.approve(2, 3)
    again = ApproveAct(next(ids), run.run, run.steps[1], 1)
    run.act(again, person="Ben", now=NOW + timedelta(minutes=1))
    run.act(UndoAct(next(ids)), person="Ben")
    run.act(UndoAct(next(ids)))
    before = run.everything()
    with pytest.raises(Conflict, match="decided again since"):
        run.act(RedoAct(next(ids)), person="Ben")
    assert run.everything() == before


def test_a_pin_that_another_person_set_since_is_left_alone(studio: Callable[..., Studio]) -> None:
    run = studio()
    run.render()
    image = run.images(2)[0]
    run.act(PinAct(next(ids), image, Pin.ALWAYS))
    run.act(PinAct(next(ids), image, Pin.NEVER), person="Ben")
    with pytest.raises(Conflict, match="pinned otherwise since"):
        run.act(UndoAct(next(ids)))
    run.approve(2, 9)
    assert image not in run.advancing(2)


def test_reopening_what_passed_by_itself_stops_what_passed_on_top_of_it(
    studio: Callable[..., Studio],
) -> None:
    run = studio(kinds=KINDS, top_k=2, waiting=Waiting(minutes=0))
    for _ in range(2):
        run.render()
        run.tick(NOW)
    before = run.everything()
    run.act(ReopenAct(next(ids), run.run, run.steps[1]))
    assert (run.advancing(2), run.advancing(3)) == ([], [])
    assert run.render() == 0
    run.act(UndoAct(next(ids)))
    assert run.everything() == before


def test_a_gate_that_a_person_reopened_waits_for_a_person(studio: Callable[..., Studio]) -> None:
    night = Waiting(minutes=0, night_from="00:00", night_until="23:59")
    run = studio(kinds=KINDS, top_k=2, waiting=night)
    run.render()
    assert run.tick(NOW)
    run.act(ReopenAct(next(ids), run.run, run.steps[1]))
    assert not run.tick(NOW + timedelta(hours=9))
    run.approve(2, 2)
    run.render()
    assert run.tick(NOW + timedelta(hours=9))


OPEN_BETWEEN = [GateKind.AUTO, GateKind.PROVISIONAL, GateKind.AUTO, GateKind.PROVISIONAL]


def test_revising_stops_its_branches_beyond_a_step_without_a_gate(
    studio: Callable[..., Studio],
) -> None:
    run = studio(kinds=OPEN_BETWEEN, top_k=2, waiting=Waiting(minutes=0))
    run.render()
    run.tick(NOW)
    run.render(most=1)
    before = run.everything()
    (child,) = run.images(3)
    with run.db.snapshot() as tx:
        parent = tx.execute(
            select(ImageCandidate.parent_id).where(ImageCandidate.id == child)
        ).scalar_one()
    run.act(PinAct(next(ids), parent, Pin.NEVER))
    run.approve(2, 1)
    assert run.advancing(3) == []
    run.act(UndoAct(next(ids)))
    assert run.everything() == before


def test_a_gate_behind_steps_without_gates_waits_until_they_have_all_their_images(
    studio: Callable[..., Studio],
) -> None:
    kinds = [GateKind.AUTO, GateKind.AUTO, GateKind.PROVISIONAL, GateKind.MANUAL]
    run = studio(kinds=kinds, top_k=2, waiting=Waiting(minutes=0))
    run.render(most=5)  # a base image, one of its children, and all three of that one's
    assert run.made() == [1, 1, 3, 0]
    assert run.view().columns[2].state is GateState.GENERATING
    assert not run.tick(NOW)
    run.render()
    assert run.made() == [3, 9, 27, 0]
    assert run.view().columns[2].state is GateState.AWAITING
    assert run.tick(NOW)


@pytest.mark.parametrize(
    "night", [{"night_from": "22:30+02:00", "night_until": "07:00"}, {"time_zone": "Europe"}]
)
def test_a_night_that_no_clock_can_tell_is_refused(
    studio: Callable[..., Studio], night: dict[str, str]
) -> None:
    with pytest.raises(BadInput):
        studio(waiting=Waiting(**night))  # type: ignore[arg-type]
