"""The prompts of a job: resolved once for a base image, the same for all that grows from it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sqlalchemy import bindparam, select

from shortlist.domain import prompts
from shortlist.domain.prompts import Wildcards
from shortlist.store.db import Tx
from shortlist.store.schema import ImageFile, Job, PipelineRun

NO_WILDCARDS: Final[Wildcards] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Words:
    """What a job is told to draw, and what to keep out of it."""

    prompt: str
    negative: str


def of_job(tx: Tx, *, run_id: int, parent_id: int | None, seed: int, wildcards: Wildcards) -> Words:
    """The words of a new job. `seed` is the job's own: it decides what a base job's prompt becomes.

    A child has the words its parent was made with, also after the run's prompt was changed, so that
    a picture keeps its subject from step to step.
    """
    if parent_id is None:
        return _resolved(_of_run(tx, run_id), seed=seed, wildcards=wildcards)
    row = tx.execute(_PARENT, {"id": parent_id}).one_or_none()
    if row is None or row.prompt is None:  # from before prompts were kept
        return _of_run(tx, run_id)
    return Words(row.prompt, row.negative_prompt or "")


def again(tx: Tx, job_id: int) -> Words:
    """The words of a job that is put up once more."""
    row = tx.execute(
        select(Job.prompt, Job.negative_prompt, Job.pipeline_run_id).where(Job.id == job_id)
    ).one()
    if row.prompt is None:
        return _of_run(tx, row.pipeline_run_id)
    return Words(row.prompt, row.negative_prompt or "")


_PARENT: Final = (
    select(Job.prompt, Job.negative_prompt)
    .join(ImageFile, ImageFile.job_id == Job.id)
    .where(ImageFile.candidate_id == bindparam("id"))
)
_RUN: Final = select(PipelineRun.prompt, PipelineRun.negative_prompt).where(
    PipelineRun.id == bindparam("id")
)


def _of_run(tx: Tx, run_id: int) -> Words:
    return Words(*tx.execute(_RUN, {"id": run_id}).one())


def _resolved(words: Words, *, seed: int, wildcards: Wildcards) -> Words:
    rng = random.Random(seed)
    return Words(
        prompts.resolve(words.prompt, wildcards=wildcards, rng=rng),
        prompts.resolve(words.negative, wildcards=wildcards, rng=rng),
    )
