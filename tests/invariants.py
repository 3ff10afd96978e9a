"""What must be true of any database and image store, whatever happened to them."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from shortlist.domain.model import BIRTH_ELO, IN_FLIGHT, CandidateStatus
from shortlist.images.blobs import Blobs, tier_key
from shortlist.images.model import Tier
from shortlist.services import images
from shortlist.store.db import Database, Tx
from shortlist.store.schema import Act, ImageCandidate, ImageFile, Job, Vote


@dataclass(frozen=True, slots=True)
class _Image:
    id: int
    parent_id: int | None
    path: str
    status: CandidateStatus
    rejected_ancestors: int
    elo_score: float
    vote_count: int
    child_count: int
    reserved: int
    child_limit: int
    image_path: str | None
    content_hash: str | None
    job_id: int | None
    output_index: int


def check(database: Database, blobs: Blobs, *, acknowledged: Collection[str] = ()) -> None:
    """Fails with all that is wrong. `acknowledged`: ids of the votes a client was told are stored.

    Sweeps the image store, so nothing may be on its way in.
    """
    blobs.sweep(lambda hashes: _known(database, hashes), older_than=_tomorrow())
    with database.snapshot() as tx:
        rows = tx.execute(
            select(*map(_column, _Image.__slots__)).join(
                ImageFile, ImageFile.candidate_id == ImageCandidate.id, isouter=True
            )
        )
        every = {row.id: _Image(*row) for row in rows}
        wrong = [
            *_votes(tx, acknowledged),
            *_ratings(tx, every),
            *_places(tx, every),
            *_branches(every),
            *graves(tx),
            *_jobs(tx, every),
        ]
    wrong += _files(every, blobs)
    assert wrong == []


def _column(name: str) -> InstrumentedAttribute[object]:
    return getattr(ImageCandidate if hasattr(ImageCandidate, name) else ImageFile, name)


def _tomorrow() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)


def _known(database: Database, hashes: list[str]) -> set[str]:
    with database.snapshot() as tx:
        return images.known_hashes(tx, hashes) | (images.kept_hashes(tx) & set(hashes))


def _votes(tx: Tx, acknowledged: Collection[str]) -> Iterator[str]:
    """Every acknowledged vote is there, once."""
    stored = Counter(tx.execute(select(Act.client_id).join(Vote, Vote.act_id == Act.id)).scalars())
    for id in acknowledged:
        if stored[id] != 1:
            yield f"vote {id} is stored {stored[id]} times"


def _ratings(tx: Tx, every: dict[int, _Image]) -> Iterator[str]:
    """Every rating is the sum of what the votes that stand did to it."""
    elo: dict[int, list[float]] = defaultdict(lambda: [BIRTH_ELO])
    for row in tx.execute(
        select(Vote.winner_id, Vote.loser_id, Vote.winner_delta, Vote.loser_delta).where(
            ~Vote.void, ~Vote.versus_parent
        )
    ):
        elo[row.winner_id].append(row.winner_delta)
        elo[row.loser_id].append(row.loser_delta)
    for image in every.values():
        said = elo[image.id]
        if abs(image.elo_score - math.fsum(said)) > 1e-6:
            yield f"image {image.id} is rated {image.elo_score}, its votes say {math.fsum(said)}"
        if image.vote_count != len(said) - 1:
            yield f"image {image.id} counts {image.vote_count} votes and has {len(said) - 1}"


def _places(tx: Tx, every: dict[int, _Image]) -> Iterator[str]:
    """Counts are what they count, and nobody has more children than places."""
    children = Counter(image.parent_id for image in every.values())
    flying = Counter(tx.execute(select(Job.parent_id).where(Job.status.in_(IN_FLIGHT))).scalars())
    for image in every.values():
        if image.child_count != children[image.id]:
            yield f"image {image.id} counts {image.child_count} of {children[image.id]} children"
        if image.reserved != flying[image.id]:
            yield f"image {image.id} holds {image.reserved} places for {flying[image.id]} jobs"
        if image.child_count + image.reserved > image.child_limit:
            yield f"image {image.id} has more children than its {image.child_limit} places"


def _branches(every: dict[int, _Image]) -> Iterator[str]:
    """Paths are the ancestors, and the rejected of them are counted."""
    for image in every.values():
        above = [every[int(id)] for id in image.path.split("/")[1:-1]]
        parent = above[-1].id if above else None
        rejected = sum(each.status is CandidateStatus.REJECTED for each in above)
        if parent != image.parent_id:
            yield f"image {image.id} has the path {image.path} and the parent {image.parent_id}"
        if rejected != image.rejected_ancestors:
            yield f"image {image.id} counts {image.rejected_ancestors} of {rejected} rejected"


def graves(tx: Tx) -> Iterator[str]:
    """Nobody who lives is buried, and every dead image is, or below a rejected one that is not."""
    columns = (ImageCandidate.path, ImageCandidate.status, ImageCandidate.buried)
    every = {row.id: row for row in tx.execute(select(ImageCandidate.id, *columns))}
    for image in every.values():
        line = [*(every[int(id)] for id in image.path.split("/")[1:-1]), image]
        rejected = [each for each in line if each.status is CandidateStatus.REJECTED]
        if image.buried and not rejected:
            yield f"image {image.id} lives and is buried"
        if rejected and not image.buried and all(each.buried for each in rejected):
            yield f"image {image.id} is dead, and nobody will bury it"


def _jobs(tx: Tx, every: dict[int, _Image]) -> Iterator[str]:
    """One image a job and output, and no job in flight for a rejected branch."""
    made = Counter((image.job_id, image.output_index) for image in every.values())
    yield from (f"{pair} was made {n} times" for pair, n in made.items() if n > 1)
    rows = tx.execute(select(Job.id, Job.parent_id, Job.status, Job.finished_at))
    for id, parent_id, status, finished_at in rows:
        flying = status in IN_FLIGHT
        if flying == (finished_at is not None):
            yield f"job {id} is {status} and ended at {finished_at}"
        parent = every.get(parent_id)
        if (
            flying
            and parent
            and (parent.rejected_ancestors or parent.status is CandidateStatus.REJECTED)
        ):
            yield f"job {id} is in flight for image {parent_id} of a rejected branch"


def missing_tiers(blobs: Blobs, key: str) -> list[Tier]:
    """The smaller copies that the original at `key` lacks."""
    return [tier for tier in Tier if not blobs.exists(tier_key(key, tier))]


def _files(every: dict[int, _Image], blobs: Blobs) -> Iterator[str]:
    """Every image has its bytes and its tiers."""
    for image in every.values():
        if image.image_path is None or not blobs.exists(image.image_path):
            yield f"image {image.id} has no file"
        elif hashlib.sha256(blobs.get(image.image_path)).hexdigest() != image.content_hash:
            yield f"image {image.id} has other bytes than its hash"
        elif missing_tiers(blobs, image.image_path):
            yield f"image {image.id} lacks tiers"
