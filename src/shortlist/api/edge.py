"""Where a request's body enters: its size, and JSON as both databases can keep it.

The standard parser takes NaN, any depth, lone surrogates and U+0000, which fail later and
elsewhere; here they are refused in one sentence.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Final

from anyio import to_thread
from fastapi import HTTPException
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

MOST_DEPTH: Final = 64
"""Real workflows nest 8 deep; answers can't be written from about 255 on."""

MOST_COMMAS: Final = 300_000
"""The largest workflow taken, 5 000 nodes, has a third of it; a million values take seconds."""

WORTH_A_THREAD: Final = 64 * 1024
"""Bytes of JSON that take longer to read (1 ms) than a change of threads."""

PATIENCE_SECONDS: Final = 30.0
"""How long a body may take to come, on the slowest line that a person would bear."""

_SUSPICIOUS = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


class StrictRequest(Request):
    """A request whose body is bounded and whose JSON is plain."""

    most_bytes = 0

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            self._body = await self._bounded()
        return self._body

    async def json(self) -> object:
        body = await self.body()
        if len(body) < WORTH_A_THREAD:
            return parse(body)
        return await to_thread.run_sync(parse, body)

    async def _bounded(self) -> bytes:
        announced = self.headers.get("content-length", "0")
        if announced.isdecimal() and int(announced[:20]) > self.most_bytes:
            raise self._too_large()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._gathered()
        except TimeoutError:
            raise HTTPException(408, "The request did not come to its end in time.") from None

    async def _gathered(self) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in self.stream():
            size += len(chunk)
            if size > self.most_bytes:
                raise self._too_large()
            chunks.append(chunk)
        return b"".join(chunks)

    def _too_large(self) -> HTTPException:
        limit = self.most_bytes // 1024
        return HTTPException(413, f"The request is larger than {limit} KiB; send less at once.")


class StrictRoute(APIRoute):
    """A route whose requests are strict; 256 KiB hold fifty acts ten times over."""

    most_bytes: ClassVar[int] = 256 * 1024

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            strict = StrictRequest(request.scope, request.receive)
            strict.most_bytes = self.most_bytes
            return await answer(strict)

        return strictly


class WorkflowRoute(StrictRoute):
    """For bodies that hold workflows, which may hold pictures as text."""

    most_bytes: ClassVar[int] = 16 * 1024 * 1024


def parse(body: bytes) -> object:
    """The JSON of `body`; raises `HTTPException` 400, 413 or 422 that says what can't be taken."""
    if body.count(b",") > MOST_COMMAS:
        raise HTTPException(413, "The JSON holds more values than the largest workflow.")
    try:
        value = json.loads(
            body.decode(),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_unique,
        )
    except RecursionError:
        raise _refused(f"The JSON is nested deeper than {MOST_DEPTH} levels.") from None
    except UnicodeDecodeError:
        raise HTTPException(400, "The request is not UTF-8 text.") from None
    except json.JSONDecodeError as error:
        raise HTTPException(
            400, f"The request is not JSON: {error.msg} at character {error.pos}."
        ) from None
    except ValueError as error:
        raise _refused(str(error)) from None
    _check(value, texts=_SUSPICIOUS.search(body) is not None)
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number.")


def _finite(written: str) -> float:
    value = float(written)
    if math.isinf(value):
        raise ValueError("A number in the JSON is too large.")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("An object in the JSON has the same key twice.")
    return made


def _check(value: object, *, texts: bool) -> None:
    """Refuses what is too deep and, with `texts`, what no database keeps as text."""
    level = [value]
    for _ in range(MOST_DEPTH):
        if texts:
            _check_texts(level)
        level = [below for each in level for below in _below(each)]
        if not level:
            return
    raise _refused(f"The JSON is nested deeper than {MOST_DEPTH} levels.")


def _below(value: object) -> list[object]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


def _check_texts(level: list[object]) -> None:
    for value in level:
        if isinstance(value, str) and ("\0" in value or not _is_encodable(value)):
            raise _refused("A text in the JSON holds U+0000 or half a surrogate pair.")


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refused(sentence: str) -> HTTPException:
    return HTTPException(422, sentence)
