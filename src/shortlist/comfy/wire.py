"""HTTP and WebSocket to one ComfyUI server, with limits and typed faults; knows no route's meaning.

Bodies are read as a stream and cut at their limit; redirects are never followed; no `Origin` is
sent (ComfyUI refuses foreign ones) and proxies of the environment are not used.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import stamina
from httpx2.websockets import AsyncWebSocketSession, HTTPXWSException, WebSocketUpgradeError

from shortlist.comfy.address import is_forbidden, server_url
from shortlist.comfy.faults import (
    BadAddress,
    BadAnswer,
    ComfyError,
    Denied,
    ServerFault,
    TooLarge,
    Unreachable,
)
from shortlist.comfy.plain import JSON, loads

MAX_JSON_BYTES = 32 * 2**20
"""A server with many custom nodes answers some 5 MB of node definitions."""

MAX_FRAME_BYTES = 64 * 2**20
"""One socket message: the library's own limit of 64 KiB is below a single preview."""

CONNECT_SECONDS = 5.0
QUICK_SECONDS = 20.0
"""Read limit of small questions; the server's one event loop can be busy for seconds."""
SLOW_SECONDS = 60.0
"""Read limit of a submit: validation may load Python modules."""

_PARSE_INLINE_BYTES = 2**18
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, its body within the limit asked for."""

    status: int
    body: bytes

    async def json(self) -> JSON:
        """The body as JSON; `BadAnswer` if it is none."""
        try:
            if len(self.body) > _PARSE_INLINE_BYTES:
                return await asyncio.to_thread(loads, self.body)
            return loads(self.body)
        except ValueError as error:
            raise BadAnswer("The server did not answer in JSON: is this ComfyUI?") from error


class Wire:
    """The connections to one server. `headers` go to that server alone."""

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.base_url = server_url(base_url)
        self._resolves = transport is None
        self._name_checked = False
        self._http = httpx2.AsyncClient(
            base_url=self.base_url,
            headers={"Accept-Encoding": "identity", **(headers or {})},
            transport=transport,
            timeout=httpx2.Timeout(QUICK_SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Ends all connections."""
        await self._http.aclose()

    async def check_name(self) -> None:
        """`BadAddress` if the server's name leads to an address that no ComfyUI server has."""
        if not self._resolves:
            return
        host = httpx2.URL(self.base_url).host
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, None)
        except OSError as error:
            raise Unreachable(f"The name {host} is not known on this network.") from error
        addresses = {str(entry[4][0]) for entry in found}
        if any(is_forbidden(address) for address in addresses):
            raise BadAddress(f"{host} leads to an address that no ComfyUI server has.")
        self._name_checked = True

    async def ask(
        self,
        method: str,
        path: str,
        *,
        json: JSON = None,
        params: Mapping[str, str] | None = None,
        read_seconds: float = QUICK_SECONDS,
        limit: int = MAX_JSON_BYTES,
    ) -> Answer:
        """The answer to one request; any status but a redirect or 401, 403 is the caller's."""
        request = self._http.build_request(
            method,
            path,
            json=json,
            params=params,
            timeout=httpx2.Timeout(read_seconds, connect=CONNECT_SECONDS),
        )
        return await self._send(request, total_seconds=read_seconds + 10, limit=limit)

    async def look(self, path: str) -> Answer:
        """A GET without effect, tried three times within seconds where nobody answers."""
        retries = stamina.retry_context(
            on=Unreachable, attempts=3, timeout=QUICK_SECONDS, wait_initial=0.1, wait_max=1.0
        )
        async for attempt in retries:
            with attempt:
                return await self.ask("GET", path)
        raise AssertionError("retries end with an answer or an error")

    async def post_file(
        self, path: str, *, name: str, mime: str, data: bytes, fields: Mapping[str, str]
    ) -> Answer:
        """The answer to a multipart upload of one file named `image`."""
        request = self._http.build_request(
            "POST",
            path,
            files={"image": (name, data, mime)},
            data=dict(fields),
            timeout=httpx2.Timeout(SLOW_SECONDS, connect=CONNECT_SECONDS),
        )
        return await self._send(request, total_seconds=5 * SLOW_SECONDS, limit=MAX_JSON_BYTES)

    async def download(
        self, path: str, *, params: Mapping[str, str], limit: int, total_seconds: float
    ) -> Answer:
        """A file whole: `BadAnswer` where it is cut short, `TooLarge` over `limit` bytes."""
        request = self._http.build_request(
            "GET",
            path,
            params=params,
            timeout=httpx2.Timeout(SLOW_SECONDS, connect=CONNECT_SECONDS),
        )
        return await self._send(request, total_seconds=total_seconds, limit=limit)

    @asynccontextmanager
    async def socket(self, path: str, *, params: Mapping[str, str]) -> AsyncIterator[Socket]:
        """An open socket; `Unreachable` or `Denied` where there is none to be had."""
        scheme, _, rest = self.base_url.partition("://")
        url = f"{'wss' if scheme == 'https' else 'ws'}://{rest}{path}"
        await self._check_name_once()
        try:
            async with self._http.websocket(
                url,
                params=params,
                max_message_size_bytes=MAX_FRAME_BYTES,
                # Model loading delays pongs; only HTTP tells whether a server lives.
                keepalive_ping_interval_seconds=25.0,
                keepalive_ping_timeout_seconds=90.0,
                timeout=httpx2.Timeout(QUICK_SECONDS, connect=CONNECT_SECONDS),
            ) as session:
                yield Socket(session)
        except (httpx2.HTTPError, HTTPXWSException, OSError) as error:
            raise _socket_fault(error) from error
        except BaseExceptionGroup as group:
            # The session's own tasks wrap what went wrong inside them.
            if isinstance(_first(group), httpx2.HTTPError | HTTPXWSException | OSError):
                raise _socket_fault(_first(group)) from group
            raise

    async def _send(self, request: httpx2.Request, *, total_seconds: float, limit: int) -> Answer:
        try:
            async with asyncio.timeout(total_seconds):
                await self._check_name_once()
                response = await self._http.send(request, stream=True)
                try:
                    return await _read(response, limit=limit, head=request.method == "HEAD")
                finally:
                    await response.aclose()
        except (httpx2.HTTPError, TimeoutError, OSError) as error:
            raise _unreachable(error) from error

    async def _check_name_once(self) -> None:
        """Before the first request: not every client begins with a probe."""
        if not self._name_checked:
            await self.check_name()


class Socket:
    """One open WebSocket."""

    def __init__(self, session: AsyncWebSocketSession) -> None:
        self._session = session

    async def say(self, text: str) -> None:
        """Sends a text frame."""
        await self._session.send_text(text)

    async def hear(self) -> str | bytes:
        """The next frame."""
        event = await self._session.receive()
        data = getattr(event, "data", "")
        return data if isinstance(data, str) else bytes(data)


async def _read(response: httpx2.Response, *, limit: int, head: bool) -> Answer:
    _check_status(response)
    promised = response.headers.get("content-length", "")
    size = int(promised) if promised.isdecimal() else None
    if size is not None and size > limit and not head:
        raise TooLarge(f"The server's answer has {size} bytes; the limit is {limit}.")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise BadAnswer("The server compressed its answer unasked.")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > limit:
            raise TooLarge(f"The server's answer is over the limit of {limit} bytes.")
    if size is not None and len(body) != size and not head:
        raise BadAnswer(f"The server's answer was cut short: {len(body)} of {size} bytes.")
    return Answer(response.status_code, bytes(body))


def _check_status(response: httpx2.Response) -> None:
    status = response.status_code
    # For a file, 403 means that its folder lies outside of those the server shows.
    if status == 401 or (status == 403 and not response.request.url.path.endswith("/view")):
        raise Denied(f"The server asks for a login or refuses the hub (status {status}).")
    if 300 <= status < 400:
        raise ServerFault(
            f"The server sends the hub elsewhere (status {status}); redirects are not followed:"
            " give the final address.",
            status=status,
        )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def _unreachable(error: BaseException) -> ComfyError:
    if isinstance(error, _NEVER_SENT):
        return Unreachable("Nothing answers at the server's address: is ComfyUI running?")
    if isinstance(error, httpx2.TimeoutException | TimeoutError):
        return Unreachable("The server did not answer in time.", maybe_applied=True)
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol):
        return BadAddress("The server address can't be used.")
    return Unreachable("The connection broke before the answer was whole.", maybe_applied=True)


def _socket_fault(error: BaseException) -> ComfyError:
    if isinstance(error, WebSocketUpgradeError):
        status = error.response.status_code
        if status in (401, 403):
            return Denied(f"The server refuses the hub's socket (status {status}).")
        return ServerFault(f"The server opens no socket (status {status}).", status=status)
    if isinstance(error, HTTPXWSException):
        return Unreachable("The server closed the socket.")
    return _unreachable(error)
