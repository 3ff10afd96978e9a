"""Every failure as `application/problem+json` (RFC 9457): one sentence, a number to find it by.

Nothing of a stack, a statement or a path leaves the hub; the log holds those under the same number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final
from uuid import uuid4

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from shortlist import logs
from shortlist.errors import BadInput, Problem
from shortlist.images.model import BlobsError, Full, ImageFault, Missing

log = logs.get("api")

MEDIA_TYPE: Final = "application/problem+json"


def request_id(scope: Scope) -> str:
    """The number of this request, made when first asked for."""
    found: str = scope.setdefault("state", {}).setdefault("request_id", uuid4().hex[:16])
    return found


def body_of(problem: Problem, *, id: str) -> dict[str, object]:
    """The problem as a JSON object, its extra fields after the standard ones."""
    return {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "request_id": id,
        **problem.extra,
    }


def answer(scope: Scope, problem: Problem, *, headers: Mapping[str, str] | None = None) -> Response:
    """The response that tells of `problem`."""
    body = json.dumps(body_of(problem, id=request_id(scope)), separators=(",", ":"), default=str)
    return Response(body, problem.status, headers, MEDIA_TYPE)


class Refused(Problem):
    """A refusal of the wire itself, such as an unknown path; `status` says which."""

    def __init__(self, detail: str, *, status: int) -> None:
        super().__init__(detail, title=HTTPStatus(status).phrase)
        self.status = status

    @property
    def type(self) -> str:
        return f"/problems/{HTTPStatus(self.status).phrase.lower().replace(' ', '-')}"


def install(app: FastAPI) -> None:
    """Makes `app` tell all its failures this way."""
    app.add_exception_handler(Problem, _of_problem)
    app.add_exception_handler(BlobsError, _of_blobs)
    app.add_exception_handler(ImageFault, _of_picture)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)


async def _of_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return answer(request.scope, error)


async def _of_blobs(request: Request, error: Exception) -> Response:
    assert isinstance(error, BlobsError)
    status = {Missing: 404, Full: 507}.get(type(error), 503)
    if status != 404:
        log.error("image_store_failed", request=request_id(request.scope), detail=error.sentence)
    return answer(request.scope, Refused(error.sentence, status=status))


async def _of_picture(request: Request, error: Exception) -> Response:
    """Of a stored picture, which was whole when it came in: the renderer had no time for it now."""
    assert isinstance(error, ImageFault)
    log.error("picture_not_read", request=request_id(request.scope), detail=error.sentence)
    return answer(request.scope, Refused(error.sentence, status=503))


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    problem = Refused(_sentence(error, request), status=error.status_code)
    return answer(request.scope, problem, headers=error.headers)


def _sentence(error: HTTPException, request: Request) -> str:
    if error.status_code == 404 and error.detail == "Not Found":
        return "There is nothing at this address."
    if error.status_code == 405:
        return f"This address does not take {request.method[:20]}."
    return error.detail


async def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return answer(request.scope, BadInput(told(first), field=field_of(first["loc"])))


def field_of(location: Sequence[object]) -> str:
    """The field as a person writes it: `steps[1].name`, without the branches of unions."""
    parts = [part for part in location[1:] if part not in _UNION_BRANCHES]
    made = ""
    for part in parts:
        made += f"[{part}]" if isinstance(part, int) else f".{part}"
    return made.lstrip(".")


_UNION_BRANCHES = frozenset(
    ("vote", "tie", "skip", "kill", "kill_both", "undo", "redo", "str", "dict[str,any]")
)


def told(error: Mapping[str, object]) -> str:
    """One sentence for one validation error, naming the field."""
    location, kind = error["loc"], error["type"]
    assert isinstance(location, tuple)
    field = field_of(location)
    if not field:
        return _WHOLE_BODY.get(str(kind), "The request can't be read; send one JSON object.")
    message = str(error["msg"])
    return f"{field}: {_WORDS.get(str(kind)) or message[:1].lower() + message[1:200]}."


_WHOLE_BODY = {
    "missing": "The request has no body; send one JSON object.",
}
_WORDS = {
    "missing": "this field is needed",
    "extra_forbidden": "there is no such field",
    "int_type": "send a whole number",
    "int_parsing": "send a whole number",
    "string_type": "send a text",
    "bool_type": "send true or false",
}
