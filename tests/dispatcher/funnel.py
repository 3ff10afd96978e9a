"""Gated runs for tests of the dispatcher: made of models that cost nothing, led by a person."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from sqlalchemy import func, select, update

from rendering import Hub, inverted, now, plain_image
from shortlist.domain.gates import Waiting
from shortlist.domain.model import GateKind
from shortlist.services import overview, pipelines, runs, triage
from shortlist.services.acts import Act, ApproveAct
from shortlist.store.db import Tx
from shortlist.store.schema import ImageCandidate, Job, PipelineRunStep

STEPS = ("Base", "Face Fix", "Hand Fix", "Upscale")
MANUAL = [GateKind.AUTO, *[GateKind.MANUAL] * 3]

_ids = (f"act-{number}" for number in count())


def an_id() -> str:
    """A new id of an act."""
    return next(_ids)


def gated_run(
    tx: Tx,
    kinds: Sequence[GateKind] = MANUAL,
    *,
    name: str = "a run",
    children: int = 3,
    bases: int = 3,
    top_k: int | None = None,
    waiting: Waiting | None = None,
) -> int:
    """A run of four steps whose pictures take no time."""
    steps = [
        pipelines.NewStep(step, graph, None, None, kind, top_k)
        for step, graph, kind in zip(STEPS, [plain_image(), *[inverted()] * 3], kinds, strict=True)
    ]
    pipeline_id = pipelines.create(tx, f"of {name}", description="", steps=steps, now=now())
    new = runs.NewRun(pipeline_id, name, "", "", {}, children, 2, bases, 0, waiting or Waiting())
    return runs.create(tx, new, now=now())


def step_id(tx: Tx, run_id: int, order: int) -> int:
    return tx.execute(
        select(PipelineRunStep.pipeline_step_id).where(
            PipelineRunStep.pipeline_run_id == run_id, PipelineRunStep.step_order == order
        )
    ).scalar_one()


def made(tx: Tx, run_id: int) -> list[int]:
    """Images of each step."""
    return [column.made for column in overview.view(tx, run_id).columns]


def idle(tx: Tx) -> bool:
    """Nothing is in flight, and no run has anything to do."""
    flying = tx.execute(select(func.count()).where(Job.finished_at.is_(None))).scalar_one()
    return flying == 0 and not any(
        overview.why(run) == "Waiting for a server; Live tells what each of them does."
        for run in overview.views(tx)
    )


def does(hub: Hub, act: Act) -> str:
    """Does what a person decided; the sentence they are told."""
    return hub.database.run(lambda tx: triage.apply(tx, "me", act, now())).label


def approve(hub: Hub, run_id: int, order: int, top_k: int) -> str:
    return does(
        hub, ApproveAct(an_id(), run_id, hub.see(lambda tx: step_id(tx, run_id, order)), top_k)
    )


def images(tx: Tx, run_id: int, order: int) -> list[int]:
    """Ids of the images of a step, oldest first."""
    return list(
        tx.execute(
            select(ImageCandidate.id)
            .where(ImageCandidate.pipeline_run_id == run_id, ImageCandidate.step_order == order)
            .order_by(ImageCandidate.id)
        ).scalars()
    )


def rate(tx: Tx, rating: dict[int, float]) -> None:
    for id, elo in rating.items():
        tx.execute(update(ImageCandidate).where(ImageCandidate.id == id).values(elo_score=elo))
