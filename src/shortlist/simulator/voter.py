"""An automatic voter with a known taste, who judges through the hub's HTTP interface alone.

It sees what the simulator hid in its pictures: it votes for the better one, kills clear failures,
and walks left to the step that failed. So a whole funnel can be played without a person.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, TypedDict, cast
from uuid import uuid4

import httpx2

from shortlist.simulator.painter import Traits, read_traits, taste

FAILS_BELOW: Final = 0.35
"""A quality below it is a failure that nobody would keep."""

EQUAL_WITHIN: Final = 0.01
"""Tastes this close are a tie."""

LOOK_SECONDS: Final = 0.2


class _Picture(TypedDict):
    hash: str


class _Shown(TypedDict):
    id: int
    picture: _Picture


class _Pair(TypedDict):
    step_order: int
    left: _Shown
    right: _Shown
    repeat: bool


class _Single(_Shown):
    step_order: int


class _Deck(TypedDict):
    pairs: list[_Pair]
    single: _Single | None
    remaining: int


class _Asked(TypedDict):
    candidate: _Shown
    step_order: int


class _Walk(TypedDict):
    asked: _Asked | None
    blamed_step: str | None


class _Result(TypedDict):
    ok: bool
    walk: _Walk | None


class _Run(TypedDict):
    finished: int
    target_leaves: int
    jobs_in_flight: list[object]


@dataclass(slots=True)
class Played:
    """What the voter did: acts by kind, and how often each step was found to blame."""

    acts: Counter[str] = field(default_factory=Counter)
    blamed: Counter[str] = field(default_factory=Counter)


class Voter:
    """Judges one run until it holds its finished images, each of them looked at."""

    def __init__(self, client: httpx2.AsyncClient, run_id: int) -> None:
        self._client = client
        self._run_id = run_id
        self._traits: dict[str, Traits | None] = {}
        self._played = Played()

    async def play(self) -> Played:
        """Votes and kills until the run has what it wants and nothing is left to look at."""
        while not await self._is_over():
            if not await self._judge_next():
                await asyncio.sleep(LOOK_SECONDS)
        return self._played

    async def _judge_next(self) -> bool:
        """Judges the next pair, or the one image there is; false where there is nothing new."""
        deck = cast(_Deck, await self._get(f"/api/deck?run={self._run_id}&count=1"))
        single = deck["single"]
        if single is not None:
            return await self._killed(single, order=single["step_order"], other=None)
        if not deck["pairs"] or not deck["remaining"]:
            return False
        pair = deck["pairs"][0]
        left, right, order = pair["left"], pair["right"], pair["step_order"]
        for image, other in ((left, right), (right, left)):
            if await self._killed(image, order=order, other=other["id"]):
                return True
        await self._vote(left, right, repeat=pair["repeat"])
        return True

    async def _vote(self, left: _Shown, right: _Shown, *, repeat: bool) -> None:
        better = await self._taste(left) - await self._taste(right)
        if abs(better) <= EQUAL_WITHIN:
            await self._act("tie", a=left["id"], b=right["id"], left=left["id"], repeat=repeat)
            return
        winner, loser = (left, right) if better > 0 else (right, left)
        await self._act(
            "vote", winner=winner["id"], loser=loser["id"], left=left["id"], repeat=repeat
        )

    async def _killed(self, image: _Shown, *, order: int, other: int | None) -> bool:
        """Kills a clear failure and walks left to the step that failed."""
        failed = failed_step(await self._look(image), order=order)
        if failed is None:
            return False
        sent = str(uuid4())
        result = await self._act("kill", id=sent, candidate=image["id"], other=other)
        walk = result["walk"]
        while walk is not None and walk["asked"] is not None:
            asked = walk["asked"]
            answer = answer_for(asked["step_order"], failed=failed)
            result = await self._act(
                "walk", walk=sent, candidate=asked["candidate"]["id"], answer=answer
            )
            walk = result["walk"]
        if walk is not None and walk["blamed_step"]:
            self._played.blamed[walk["blamed_step"]] += 1
        return True

    async def _is_over(self) -> bool:
        run = cast(_Run, await self._get(f"/api/runs/{self._run_id}"))
        if run["finished"] < run["target_leaves"] or run["jobs_in_flight"]:
            return False
        deck = cast(_Deck, await self._get(f"/api/deck?run={self._run_id}&count=1"))
        return not deck["remaining"]

    async def _taste(self, image: _Shown) -> float:
        traits = await self._look(image)
        return 0.5 if traits is None else taste(traits)

    async def _look(self, image: _Shown) -> Traits | None:
        hash = image["picture"]["hash"]
        if hash not in self._traits:
            answer = await self._client.get(f"/api/images/{hash}/original")
            answer.raise_for_status()
            self._traits[hash] = read_traits(answer.content)
        return self._traits[hash]

    async def _act(self, kind: str, *, id: str | None = None, **content: object) -> _Result:
        act = {"id": id or str(uuid4()), "kind": kind} | content
        answer = await self._client.post("/api/acts", json={"acts": [act]})
        answer.raise_for_status()
        self._played.acts[kind] += 1
        return cast(_Result, answer.json()["results"][0])

    async def _get(self, path: str) -> object:
        answer = await self._client.get(path)
        answer.raise_for_status()
        found: object = answer.json()
        return found


def failed_step(traits: Traits | None, *, order: int) -> int | None:
    """The left-most of the first `order` steps whose part clearly failed; null where none did."""
    if traits is None:
        return None
    parts = (min(traits.pose, traits.palette), traits.face, traits.hands, traits.sharpness)
    for step, quality in enumerate(parts[:order], start=1):
        if quality < FAILS_BELOW:
            return step
    return None


def answer_for(asked: int, *, failed: int) -> str:
    """What the voter says of the image at step `asked` when step `failed` did it."""
    if asked > failed:
        return "already_wrong"
    return "this_step" if asked == failed else "still_fine"
