"""Candidates over HTTP, and their pictures, which are served by content hash.

What a picture is was settled when it came in; nothing here looks at a name or at the request to
decide its type. A smaller copy that is missing is made again from the original.
"""

from __future__ import annotations

from typing import Annotated, Final

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi import Path as InPath

from shortlist.api.deps import IdInPath, IdsAsked, InRooms, Now, Rooms
from shortlist.api.edge import StrictRoute
from shortlist.api.models import Belief, Candidate, Card, JobSummary, KillRecord
from shortlist.images.blobs import media_type, tier_key
from shortlist.images.model import MediaType, Missing, Tier
from shortlist.services import holds, images, ratings, work
from shortlist.store.db import Tx

router = APIRouter(tags=["images"], route_class=StrictRoute)

HashInPath = Annotated[str, InPath(pattern=r"^[0-9a-f]{64}$")]

_PICTURE_HEADERS: Final = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}
_PICTURE_ANSWERS: Final[dict[int | str, dict[str, object]]] = {
    200: {"content": {kind.value: {} for kind in MediaType}, "description": "The picture"},
    304: {"description": "The browser has it already"},
}


@router.get("/candidates", operation_id="get_candidates")
def get_candidates(asked: IdsAsked, rooms: InRooms) -> list[Card]:
    """How some images stand now, by id; an unknown one is left out."""
    with rooms.database.snapshot() as tx:
        return _cards(list(images.cards(tx, asked).values()))


@router.get("/candidates/{candidate_id}", operation_id="get_candidate")
def get_candidate(candidate_id: IdInPath, rooms: InRooms) -> Candidate:
    """One image with its ancestors, children and siblings, its job, and who killed it."""
    with rooms.database.snapshot() as tx:
        family = images.family(tx, candidate_id)
        job = None if family.job_id is None else work.view(tx, family.job_id)
        belief = ratings.belief(tx, family.card.run_id, candidate_id)
        return Candidate(
            **Card.model_validate(family.card).model_dump(),
            belief=None if belief is None else Belief.model_validate(belief),
            lineage=_cards(family.lineage),
            children_cards=_cards(family.children),
            siblings=_cards(family.siblings),
            job=None if job is None else JobSummary.model_validate(job),
            kills=[KillRecord.model_validate(kill) for kill in family.kills],
        )


@router.post("/candidates/{candidate_id}/retry", operation_id="retry_candidate")
def retry_candidate(candidate_id: IdInPath, rooms: InRooms, now: Now) -> Card:
    """Lets the jobs of an image that failed too often be tried again."""

    def retry(tx: Tx) -> Card:
        holds.retry_parent(tx, candidate_id, now=now)
        return Card.model_validate(images.cards(tx, [candidate_id])[candidate_id])

    return rooms.database.run(retry)


@router.get(
    "/images/{hash}/original",
    operation_id="get_original",
    response_class=Response,
    responses=_PICTURE_ANSWERS,
)
def get_original(hash: HashInPath, request: Request, rooms: InRooms) -> Response:
    """The picture byte for byte as the server made it."""
    etag = f'"{hash}"'
    if _has(request, etag):
        return _unchanged(etag)
    with rooms.database.snapshot() as tx:
        key = images.original_key(tx, hash)
    return _picture(rooms.blobs.get(key), kind=media_type(key), etag=etag)


@router.get(
    "/images/{hash}/{size}",
    operation_id="get_image",
    response_class=Response,
    responses=_PICTURE_ANSWERS,
)
async def get_image(hash: HashInPath, size: Tier, request: Request, rooms: InRooms) -> Response:
    """The picture as WebP, its longer edge `size` pixels at most."""
    etag = f'"{hash}-{size.value}"'
    if _has(request, etag):
        return _unchanged(etag)
    data, key = await to_thread.run_sync(_tier, rooms, hash, size)
    if data is None:
        data = await _made_again(rooms, key, size)
    return _picture(data, kind=MediaType.WEBP, etag=etag)


def _tier(rooms: Rooms, hash: str, size: Tier) -> tuple[bytes | None, str]:
    """The stored copy, if there is one, and the key of its original."""
    with rooms.database.snapshot() as tx:
        key = images.original_key(tx, hash)
    try:
        return rooms.blobs.get(tier_key(key, size)), key
    except Missing:
        return None, key


async def _made_again(rooms: Rooms, key: str, size: Tier) -> bytes:
    original = await to_thread.run_sync(rooms.blobs.get, key)
    rendered = await rooms.renderer.render(original)
    await to_thread.run_sync(rooms.blobs.put_image, original, rendered)
    return rendered.tiers[size]


def _has(request: Request, etag: str) -> bool:
    sent = request.headers.get("if-none-match", "")
    return etag in (tag.strip().removeprefix("W/") for tag in sent.split(","))


def _unchanged(etag: str) -> Response:
    return Response(status_code=304, headers=_PICTURE_HEADERS | {"ETag": etag})


def _picture(data: bytes, *, kind: MediaType, etag: str) -> Response:
    return Response(data, headers=_PICTURE_HEADERS | {"ETag": etag}, media_type=kind.value)


def _cards(cards: list[images.Card]) -> list[Card]:
    return [Card.model_validate(card) for card in cards]
