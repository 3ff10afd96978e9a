"""Prompts over HTTP: the wildcard files there are, and what a prompt can become."""

from __future__ import annotations

import random

from fastapi import APIRouter

from shortlist.api.deps import InRooms
from shortlist.api.edge import StrictRoute
from shortlist.api.requests import PromptToTry
from shortlist.api.workshop import PromptSamples, WildcardFile
from shortlist.domain import prompts

router = APIRouter(tags=["prompts"], route_class=StrictRoute)


@router.get("/wildcards", operation_id="list_wildcards")
def list_wildcards(rooms: InRooms) -> list[WildcardFile]:
    """The wildcard files in the data folder, by name."""
    known = rooms.wildcards.read()
    return [WildcardFile(name=name, lines=len(known[name])) for name in sorted(known)]


@router.post("/prompts/try", operation_id="try_prompt")
def try_prompt(body: PromptToTry, rooms: InRooms) -> PromptSamples:
    """What a prompt with alternatives and wildcards can become."""
    known = rooms.wildcards.read()
    return PromptSamples(
        samples=[
            prompts.resolve(body.prompt, wildcards=known, rng=random.Random(body.seed + number))
            for number in range(body.count)
        ],
        unknown=list(prompts.unknown(body.prompt, wildcards=known)),
    )
