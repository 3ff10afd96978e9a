"""A branch as one thing: rejected, restored and counted in set statements, whatever its size.

`candidate.path` lists the ancestors, so everything below an image is one range of an index.
Callers hold the tree lock: a claim then sees all of a kill or nothing of it. A kill changes rows
alone; the indexes let go of them soon after, in `bury`, while nobody waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func, select, text, update

from shortlist.domain.model import CandidateStatus, JobStatus
from shortlist.errors import Conflict, NotFound
from shortlist.services.journal import EventKind, job_changed
from shortlist.store.conditions import IN_FLIGHT, LIVE, UNBURIED
from shortlist.store.db import Tx
from shortlist.store.schema import ImageCandidate, Job


@dataclass(frozen=True, slots=True)
class News:
    """A journal row to be; rows are appended last in a transaction."""

    kind: EventKind
    run_id: int
    data: dict[str, object]


@dataclass(frozen=True, slots=True)
class Size:
    """What rejecting an image would end: live images below it, and jobs in flight."""

    branch: int
    jobs: int

    def in_words(self) -> str:
        """What follows "rejects an image": ` and 4 below, with 2 jobs`, or nothing."""
        below = f" and {self.branch} below" if self.branch else ""
        jobs = {0: "", 1: ", with 1 job"}.get(self.jobs, f", with {self.jobs} jobs")
        return below + jobs


@dataclass(frozen=True, slots=True)
class Rejected:
    """An image that was rejected, the live images below it that went with it, and the jobs."""

    root_id: int
    run_id: int
    branch: int
    jobs: int
    news: Sequence[News]


@dataclass(frozen=True, slots=True)
class Restored:
    """An image that is active again, and the images below it that live again."""

    root_id: int
    run_id: int
    branch: int
    news: Sequence[News]


@dataclass(frozen=True, slots=True)
class _Root:
    run_id: int
    path: str


def branch_range(path: str, id: int) -> tuple[str, str]:
    """The paths below image `id`, which lies at `path`: from the first, up to but not the second.

    `0` is the character after `/`.
    """
    return f"{path}{id}/", f"{path}{id}0"


def size(tx: Tx, candidate_id: int) -> Size:
    """What `reject` would end now."""
    row = tx.execute(
        select(ImageCandidate.pipeline_run_id, ImageCandidate.path).where(
            ImageCandidate.id == candidate_id
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no image {candidate_id}.")
    bounds = _bounds(row.path, candidate_id)
    jobs = tx.execute(_JOBS, bounds | {"run": row.pipeline_run_id}).scalar_one()
    return Size(tx.execute(_ALIVE, bounds).scalar_one(), jobs)


def reject(tx: Tx, candidate_id: int, *, now: datetime) -> Rejected:
    """Rejects one image and with it its branch, and cancels the branch's jobs in flight.

    Raises `Conflict` when it is rejected already.
    """
    tx.lock_tree()
    root = _turn(tx, candidate_id, to=CandidateStatus.REJECTED)
    bounds = _bounds(root.path, candidate_id)
    branch = _sink(tx, bounds)
    cancelled = _cancel(tx, root.run_id, bounds=bounds, now=now)
    data = {"root_id": candidate_id, "branch": branch, "status": CandidateStatus.REJECTED.value}
    told = News(EventKind.CANDIDATE_REJECTED, root.run_id, data)
    return Rejected(candidate_id, root.run_id, branch, len(cancelled), (told, *cancelled))


def restore(tx: Tx, candidate_id: int) -> Restored:
    """The exact inverse of `reject` for statuses; its cancelled jobs are decided anew.

    Raises `Conflict` when the image is active.
    """
    tx.lock_tree()
    root = _turn(tx, candidate_id, to=CandidateStatus.ACTIVE)
    bounds = _bounds(root.path, candidate_id)
    tx.execute(_LIFT, bounds)
    branch = tx.execute(_ALIVE, bounds).scalar_one()
    data: dict[str, object] = {"root_id": candidate_id, "branch": branch}
    told = News(EventKind.CANDIDATE_RESTORED, root.run_id, data)
    return Restored(candidate_id, root.run_id, branch, (told,))


def is_to_bury(tx: Tx) -> bool:
    """Whether rows of a rejected branch are still in the indexes of the living."""
    return tx.execute(_UNBURIED).first() is not None


def bury(tx: Tx, *, most: int) -> bool:
    """Takes up to `most` rows of a rejected branch out of the indexes of the living; whether there
    may be more to do."""
    tx.lock_tree()
    root = tx.execute(_UNBURIED).one_or_none()
    if root is None:
        return False
    bounds = _bounds(root.path, root.id)
    if tx.execute(_BURY, bounds | {"most": most}).rowcount < most:
        tx.execute(_BURIED, {"root": root.id})
    return True


def _sink(tx: Tx, bounds: dict[str, object]) -> int:
    """Counts one more rejected ancestor everywhere below; how many lived there."""
    if tx.postgresql:  # one walk through the branch where two take a fifth longer
        return int(tx.execute(_SINK_AND_COUNT, bounds).scalar_one())
    alive = int(tx.execute(_ALIVE, bounds).scalar_one())
    tx.execute(_SINK, bounds)
    return alive


def _bounds(path: str, candidate_id: int) -> dict[str, object]:
    low, high = branch_range(path, candidate_id)
    return {"root": candidate_id, "low": low, "high": high}


def _turn(tx: Tx, candidate_id: int, *, to: CandidateStatus) -> _Root:
    row = tx.execute(
        update(ImageCandidate)
        .where(ImageCandidate.id == candidate_id, ImageCandidate.status != to)
        .values(status=to, buried=ImageCandidate.buried & (ImageCandidate.rejected_ancestors > 0))
        .returning(ImageCandidate.pipeline_run_id, ImageCandidate.path)
    ).one_or_none()
    if row is not None:
        return _Root(row.pipeline_run_id, row.path)
    if tx.execute(select(ImageCandidate.id).where(ImageCandidate.id == candidate_id)).first():
        raise Conflict(f"This image is already {to}; nothing was changed.")
    raise NotFound(f"There is no image {candidate_id}.")


_BELOW = "candidate.path >= :low AND candidate.path < :high"
_ALIVE = text(f"SELECT count(*) FROM candidate WHERE {_BELOW} AND {LIVE}")  # noqa: S608
_SINKING = f"UPDATE candidate SET rejected_ancestors = rejected_ancestors + 1 WHERE {_BELOW}"  # noqa: S608
_SINK = text(_SINKING)
_SINK_AND_COUNT = text(
    f"""
    WITH sunk AS ({_SINKING} RETURNING status, rejected_ancestors)
    SELECT count(*) FROM sunk WHERE status = 'active' AND rejected_ancestors = 1
    """  # noqa: S608
)
_LIFT = text(
    f"""
    UPDATE candidate
    SET rejected_ancestors = rejected_ancestors - 1, buried = buried AND rejected_ancestors > 1
    WHERE {_BELOW}
    """  # noqa: S608
)
_UNBURIED = text(f"SELECT id, path FROM candidate WHERE {UNBURIED} ORDER BY id LIMIT 1")  # noqa: S608
_BURY = text(
    f"""
    UPDATE candidate SET buried = TRUE WHERE id IN (
      SELECT id FROM candidate
      WHERE {_BELOW} AND rejected_ancestors > 0 AND NOT buried LIMIT :most)
    """  # noqa: S608
)
_BURIED = text("UPDATE candidate SET buried = TRUE WHERE id = :root")

# Asked from the side of the jobs, which are few, and not of the branch, which may be huge.
_OF_BRANCH = f"""
    {IN_FLIGHT} AND job.pipeline_run_id = :run AND EXISTS (
        SELECT 1 FROM candidate
        WHERE candidate.id = job.parent_id AND (candidate.id = :root OR {_BELOW}))
"""  # noqa: S608
_JOBS = select(func.count()).select_from(Job).where(text(_OF_BRANCH))
_CANCEL = (
    update(Job)
    .where(text(_OF_BRANCH))
    .values(status=JobStatus.CANCELLED, recall=True, finished_at=bindparam("at"))
    .returning(Job.id, Job.parent_id, Job.pipeline_step_id, Job.backend_id)
)
_RELEASE = (
    update(ImageCandidate)
    .where(ImageCandidate.id == bindparam("parent"))
    .values(reserved=ImageCandidate.reserved - bindparam("freed"))
)


def _cancel(tx: Tx, run_id: int, *, bounds: dict[str, object], now: datetime) -> list[News]:
    jobs = tx.execute(_CANCEL, bounds | {"run": run_id, "at": now}).all()
    if jobs:
        freed = Counter(job.parent_id for job in jobs)
        tx.execute(_RELEASE, [{"parent": id, "freed": n} for id, n in sorted(freed.items())])
    return [
        News(
            EventKind.JOB_CHANGED,
            run_id,
            job_changed(
                job.id,
                JobStatus.CANCELLED,
                job.pipeline_step_id,
                job.parent_id,
                job.backend_id,
            ),
        )
        for job in jobs
    ]
