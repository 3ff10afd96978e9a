"""One run on two servers, for what failures stop and how a person lets it go on."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import select, update

from builders import NOW, a_backend, a_pipeline, an_image
from shortlist.domain.job_states import Cause
from shortlist.domain.model import GateKind
from shortlist.services import failures, jobs, results, runs, selection
from shortlist.services.assignments import Blame, Took
from shortlist.services.runs import Change, NewRun
from shortlist.services.selection import Claimed
from shortlist.store.db import Database
from shortlist.store.schema import ImageCandidate, Job, PipelineRunStep


class Farm:
    """One run on two servers, every gate open."""

    def __init__(self, database: Database, *, prompt: str = "", steps: int = 2) -> None:
        self.database = database
        with database.transaction() as tx:
            self.one = a_backend(tx, "gpu-1", "http://127.0.0.1:1")
            self.two = a_backend(tx, "gpu-2", "http://127.0.0.1:2")
            self.pipeline = pipeline = a_pipeline(tx, gates=[GateKind.AUTO] * steps)
            new = NewRun(pipeline, "Run", prompt, "", {}, 2, 2, 2, 0)
            self.run = runs.create(tx, new, now=NOW)
            self.steps = list(
                tx.execute(
                    select(PipelineRunStep.pipeline_step_id).order_by(PipelineRunStep.step_order)
                ).scalars()
            )
        self.seed = 0

    def asks(self, server: int, *, later: timedelta = timedelta(0)) -> Claimed | None:
        self.seed += 1
        with self.database.transaction() as tx:
            return selection.claim(
                tx,
                backend_id=server,
                seed=self.seed,
                prompt_id=str(uuid4()),
                now=NOW + later,
                wildcards={"hair": ["red hair"]},
            )

    def claims(self, server: int) -> int:
        claimed = self.asks(server)
        assert claimed is not None
        return claimed.job_id

    def fails(self, server: int, kind: Cause = Cause.RAISED, blame: Blame | None = None) -> int:
        job = self.claims(server)
        blame = blame or Blame(node="Sampler", log="Traceback")
        with self.database.transaction() as tx:
            jobs.fail(tx, job, kind=kind, error=f"Sampler: {job}.", now=NOW, blame=blame)
        return job

    def makes(self, server: int, took: Took | None = None) -> int:
        job = self.claims(server)
        with self.database.transaction() as tx:
            (made,) = results.ingest(tx, job, images=[an_image()], now=NOW, took=took)
        return made

    def order_of(self, job: int) -> int:
        with self.database.snapshot() as tx:
            step = tx.execute(select(Job.pipeline_step_id).where(Job.id == job)).scalar_one()
        return self.steps.index(step) + 1

    def groups(self) -> list[failures.Group]:
        with self.database.snapshot() as tx:
            return failures.groups(tx)

    def prompts(self) -> list[str | None]:
        with self.database.snapshot() as tx:
            return list(tx.execute(select(Job.prompt).order_by(Job.id)).scalars())

    def forgive(self) -> None:
        """Lifts the parking, so that a step can go on failing."""
        with self.database.transaction() as tx:
            tx.execute(update(ImageCandidate).values(failures=0))
            runs.change(tx, self.run, Change(), now=NOW)
