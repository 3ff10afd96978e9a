"""Signing in with the hub's token: a header for programs, a cookie for the page.

The cookie holds no token but a stamp made with it, so that it ends by itself and with the token.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.datastructures import Headers

from shortlist.api.deps import InRooms, Now
from shortlist.api.edge import StrictRoute
from shortlist.api.requests import SignIn
from shortlist.errors import Unauthorised

COOKIE: Final = "shortlist_session"
SECONDS: Final = 30 * 24 * 3600

router = APIRouter(prefix="/session", tags=["session"], route_class=StrictRoute)


@dataclass(frozen=True, slots=True)
class Holder:
    """Whether a request is signed in, and whether by a header, which no other page can add."""

    known: bool
    by_header: bool

    @classmethod
    def of(cls, headers: Headers, *, token: str | None, now: float) -> Holder:
        """`now` is in seconds since 1970. Without a token everyone is known."""
        if token is None:
            return cls(known=True, by_header=False)
        scheme, _, sent = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            right = _equal(sent.strip(), token)
            return cls(known=right, by_header=right)
        return cls(known=_is_stamp(_cookie(headers), token=token, now=now), by_header=False)


@router.post("", status_code=204, operation_id="sign_in")
def sign_in(body: SignIn, request: Request, rooms: InRooms, now: Now) -> Response:
    """Exchanges the token for a cookie that lasts thirty days."""
    token = rooms.options.token
    if token is not None and not _equal(body.token, token):
        raise Unauthorised("That is not this hub's token; it stands where the hub was started.")
    answer = Response(status_code=204)
    if token is not None:
        answer.set_cookie(
            COOKIE,
            _stamp(token, ends=int(now.timestamp()) + SECONDS),
            max_age=SECONDS,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
    return answer


@router.delete("", status_code=204, operation_id="sign_out")
def sign_out() -> Response:
    """Takes the cookie back."""
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE)
    return answer


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _stamp(token: str, *, ends: int) -> str:
    made = hmac.new(token.encode(), f"session {ends}".encode(), hashlib.sha256)
    return f"{ends}.{made.hexdigest()}"


def _is_stamp(value: str, *, token: str, now: float) -> bool:
    ends = value.partition(".")[0]
    if not ends.isascii() or not ends.isdecimal() or len(ends) > 12 or int(ends) < now:
        return False
    return _equal(value, _stamp(token, ends=int(ends)))


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
