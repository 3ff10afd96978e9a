"""The door every request passes before it is routed: who may ask, from where, and what goes out.

It knows no endpoint. A browser page of another origin, a rebound name, a form post and a request
without the token are turned away here, whatever they ask for; and whatever an endpoint raises
unexpectedly ends here as one sentence.
"""

from __future__ import annotations

from ipaddress import ip_address
from time import time
from typing import Final
from urllib.parse import urlsplit

from anyio import BrokenResourceError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shortlist import __version__, logs
from shortlist.api import problems, session
from shortlist.api.deps import Options
from shortlist.errors import Forbidden, Problem, Unauthorised

log = logs.get("api")

SAFE_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS"))
WITHOUT_TOKEN: Final = frozenset(("/api/health", "/api/session"))

PAGE_POLICY: Final = (
    "default-src 'self'; img-src 'self' blob: data:; script-src 'self'; style-src 'self'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
_HEADERS: Final = {
    "X-Shortlist-Version": __version__,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Door:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, options: Options) -> None:
        self._app = app
        self._options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here speaks WebSocket
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._answer(scope, receive, _dressed(scope, send))

    async def _answer(self, scope: Scope, receive: Receive, send: _Answer) -> None:
        try:
            self._check(scope)
            await self._app(scope, receive, send)
        except Problem as problem:
            await problems.answer(scope, problem)(scope, receive, send)
        except Exception as error:  # the last resort: told without reasons, logged with them
            if send.begun and _is_departure(error):
                return
            number = problems.request_id(scope)
            log.error("request_failed", request=number, path=scope["path"], exc_info=True)
            if not send.begun:
                await problems.answer(scope, _unexpected(number))(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = _host(headers)
        self._check_host(host)
        api = scope["path"].startswith("/api/")
        signed = session.Holder.of(headers, token=self._options.token, now=time())
        if not signed.by_header and (api or scope["method"] not in SAFE_METHODS):
            _check_origin(headers, host=host, method=scope["method"])
        if scope["method"] not in SAFE_METHODS:
            _check_content(headers)
        if api and scope["path"] not in WITHOUT_TOKEN and not signed.known:
            raise Unauthorised("This hub needs its token; send it once, or sign in on the page.")

    def _check_host(self, host: str) -> None:
        """Only names that are ours: a name an attacker owns may be made to point here."""
        name = _name(host)
        if name in self._options.hosts or (self._options.any_address and _is_address(name)):
            return
        raise problems.Refused(
            "This hub does not answer to that name; start it with --allow-host to add it.",
            status=421,
        )


class _Answer:
    """Sends, with the headers that every answer carries, and knows whether it has begun."""

    def __init__(self, send: Send, *, number: str) -> None:
        self._send = send
        self._number = number
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Content-Security-Policy", PAGE_POLICY)
            headers["X-Request-Id"] = self._number
        await self._send(message)


def _is_departure(error: Exception) -> bool:
    """Whether a browser left while an event was on its way to it.

    FastAPI's event stream (0.165) lets that out as an error of its task group.
    """
    if not isinstance(error, ExceptionGroup):
        return False
    return error.split(BrokenResourceError)[1] is None


def _dressed(scope: Scope, send: Send) -> _Answer:
    return _Answer(send, number=problems.request_id(scope))


def _host(headers: Headers) -> str:
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not hosts[0]:
        raise problems.Refused("Name this hub in one Host header.", status=400)
    return hosts[0].lower()


def _name(host: str) -> str:
    """The host without its port."""
    name, _, port = host.rpartition(":")
    return name if name and port.isdecimal() else host


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _check_origin(headers: Headers, *, host: str, method: str) -> None:
    """Only our own page, or a program that is no browser.

    An absent origin is a program's, unless it brings the cookie of a browser. `null` is a
    sandboxed frame's and has no host to compare.
    """
    safe = method in SAFE_METHODS
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host:
        raise Forbidden("Requests from other web pages are refused.")
    if safe:
        return
    if headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        raise Forbidden("Requests from other web pages are refused.")
    if origin is None and session.COOKIE in headers.get("cookie", ""):
        raise Forbidden("A change with a cookie needs the Origin header of this hub's page.")


def _check_content(headers: Headers) -> None:
    """A form on another page can post text, but never say that it is JSON."""
    kind = headers.get("content-type")
    empty = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
    if kind is None and empty:
        return
    if (kind or "").partition(";")[0].strip().lower() != "application/json":
        raise problems.Refused("Send the request as application/json.", status=415)


def _unexpected(number: str) -> Problem:
    return problems.Refused(
        f"Something went wrong in the hub; its log tells more under {number}.", status=500
    )
