"""What tests of judging begin with: a run of four steps, images where they are wanted, people."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from uuid import uuid4

from sqlalchemy import insert, select, update

from builders import NOW, a_backend, a_pipeline, an_image
from shortlist.domain.model import GateKind, JobStatus, WalkAnswer
from shortlist.domain.pairing import Key
from shortlist.services import deck, results, runs, triage
from shortlist.services.acts import Act, KillAct, RedoAct, TieAct, UndoAct, VoteAct, WalkAct
from shortlist.services.triage import Result
from shortlist.services.walks import Walk, walk_view
from shortlist.store.db import Database
from shortlist.store.schema import ImageCandidate, Job, Kill, PipelineRunStep, PipelineStep

STEPS = ("Base", "Face Fix", "Hand Fix", "Upscale")
_numbers = count(1)


def an_id() -> str:
    return f"act-{next(_numbers)}"


@dataclass(frozen=True)
class State:
    """All that judging may change of an image."""

    rejected: bool
    rejected_ancestors: int
    elo: float
    votes: int


class Studio:
    """One database with one run, in which anybody may judge."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.transaction() as tx:
            self.backend = a_backend(tx)
            self.pipeline = a_pipeline(tx, gates=[GateKind.AUTO] * len(STEPS))
        self.run = self.another_run()

    def another_run(self, priority: int = 0) -> int:
        new = runs.NewRun(self.pipeline, "Portrait", "", "", {}, 10, 10, 3, priority)
        with self.database.transaction() as tx:
            return runs.create(tx, new, now=NOW)

    def image(self, parent: int | None = None, *, run: int | None = None) -> int:
        """A new image: a base, or a child of `parent` in the next step."""
        job = self.job(parent, run=run)
        with self.database.transaction() as tx:
            (made,) = results.ingest(tx, job, images=[an_image()], now=NOW)
        return made

    def images(self, number: int, parent: int | None = None) -> list[int]:
        return [self.image(parent) for _ in range(number)]

    def batch(self, number: int) -> list[int]:
        """Base images of one job."""
        job = self.job(None)
        with self.database.transaction() as tx:
            return list(
                results.ingest(tx, job, images=[an_image() for _ in range(number)], now=NOW)
            )

    def line(self, length: int = 4) -> list[int]:
        """A base image and its only child and so on, `length` images in all."""
        ids: list[int] = []
        for _ in range(length):
            ids.append(self.image(ids[-1] if ids else None))
        return ids

    def job(
        self, parent: int | None, *, run: int | None = None, status: JobStatus = JobStatus.RUNNING
    ) -> int:
        """A job in flight for the step after `parent`'s."""
        run = run or self.run
        with self.database.transaction() as tx:
            order = 0
            if parent is not None:
                run, order = tx.execute(
                    update(ImageCandidate)
                    .where(ImageCandidate.id == parent)
                    .values(reserved=ImageCandidate.reserved + 1)
                    .returning(ImageCandidate.pipeline_run_id, ImageCandidate.step_order)
                ).one()
            step = tx.execute(
                select(PipelineRunStep.pipeline_step_id).where(
                    PipelineRunStep.pipeline_run_id == run, PipelineRunStep.step_order == order + 1
                )
            ).scalar_one()
            return tx.execute(
                insert(Job).returning(Job.id),
                {
                    "pipeline_run_id": run,
                    "pipeline_step_id": step,
                    "parent_id": parent,
                    "backend_id": self.backend,
                    "status": status,
                    "prompt_id": str(uuid4()),
                    "attempts": 1,
                    "recall": False,
                    "seed": 1,
                    "reason": {},
                    "workflow": "{}",
                    "kept": [],
                    "created_at": NOW,
                },
            ).scalar_one()

    def rate(self, id: int, elo: float, votes: int = 0) -> None:
        with self.database.transaction() as tx:
            tx.execute(
                update(ImageCandidate)
                .where(ImageCandidate.id == id)
                .values(elo_score=elo, vote_count=votes)
            )

    def does(self, act: Act, person: str = "ann") -> Result:
        return self.database.run(lambda tx: triage.apply(tx, person, act, NOW))

    def does_all(self, acts: Sequence[Act], person: str = "ann") -> None:
        """Acts of one transaction."""
        with self.database.transaction() as tx:
            for act in acts:
                triage.apply(tx, person, act, NOW)

    def votes(self, winner: int, loser: int, person: str = "ann") -> str:
        """A vote with the winner on the left; gives the act's id."""
        return self.does(VoteAct(an_id(), winner, loser, winner), person).id

    def ties(self, a: int, b: int, person: str = "ann") -> str:
        return self.does(TieAct(an_id(), a, b, a), person).id

    def kills(self, id: int, person: str = "ann", *, other: int | None = None) -> str:
        return self.does(KillAct(an_id(), id, other), person).id

    def answers(self, walk: str, asked: int, answer: str, person: str = "ann") -> Result:
        return self.does(WalkAct(an_id(), walk, asked, WalkAnswer(answer)), person)

    def undoes(self, person: str = "ann", target: str | None = None) -> Result:
        return self.does(UndoAct(an_id(), target), person)

    def redoes(self, person: str = "ann") -> Result:
        return self.does(RedoAct(an_id()), person)

    def walk(self, id: str, person: str = "ann", *, turn: int = 0) -> Walk:
        with self.database.snapshot() as tx:
            return walk_view(tx, person, id, turn=turn)

    def deck(
        self,
        person: str = "ann",
        *,
        run: int | None = None,
        step: int | None = None,
        count: int = 8,
        exclude: Sequence[Key] = (),
        seed: int = 1,
        parents: bool = False,
        top: int | None = None,
        desk: str = "",
        now: datetime = NOW,
    ) -> deck.Deck:
        with self.database.snapshot() as tx:
            return deck.deck(
                tx,
                person,
                run_id=run,
                step_order=step,
                count=count,
                exclude=exclude,
                rng=random.Random(seed),
                parents=parents,
                now=now,
                top=top,
                desk=desk,
            )

    def states(self) -> dict[int, State]:
        with self.database.snapshot() as tx:
            rows = tx.execute(
                select(
                    ImageCandidate.id,
                    ImageCandidate.status == "rejected",
                    ImageCandidate.rejected_ancestors,
                    ImageCandidate.elo_score,
                    ImageCandidate.vote_count,
                )
            )
            return {id: State(bool(rejected), *rest) for id, rejected, *rest in rows}

    def of_step(self, order: int, *, run: int) -> list[int]:
        """The images of one step of a run, dead or alive, by id."""
        with self.database.snapshot() as tx:
            column = select(ImageCandidate.id).where(
                ImageCandidate.pipeline_run_id == run, ImageCandidate.step_order == order
            )
            return list(tx.execute(column.order_by(ImageCandidate.id)).scalars())

    def live(self, id: int) -> bool:
        state = self.states()[id]
        return not state.rejected and not state.rejected_ancestors

    def rejected(self) -> set[int]:
        return {id for id, state in self.states().items() if state.rejected}

    def blamed(self, id: int) -> str | None:
        """The step named by the kill of `id` that stands."""
        with self.database.snapshot() as tx:
            return tx.execute(
                select(PipelineStep.name)
                .select_from(Kill)
                .outerjoin(PipelineStep, PipelineStep.id == Kill.blamed_step_id)
                .where(Kill.candidate_id == id, Kill.void.is_(False))
            ).scalar_one()

    def blames(self) -> dict[int, int | None]:
        """The order of the step that each standing kill blames, by the killed image."""
        with self.database.snapshot() as tx:
            rows = tx.execute(
                select(Kill.candidate_id, PipelineStep.order)
                .select_from(Kill)
                .outerjoin(PipelineStep, PipelineStep.id == Kill.blamed_step_id)
                .where(Kill.void.is_(False))
            )
            return dict(rows.all())
