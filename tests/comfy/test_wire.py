from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from comfy.recorded import free_socket
from shortlist.comfy import client as client_module
from shortlist.comfy.client import ComfyClient
from shortlist.comfy.faults import (
    BadAddress,
    BadAnswer,
    ComfyError,
    Denied,
    ServerFault,
    TooLarge,
    Unreachable,
)
from shortlist.comfy.inbox import CAPACITY, PREVIEWS, Inbox
from shortlist.comfy.messages import Message, OutputFile, Over, Preview, Progress
from shortlist.comfy.wire import MAX_JSON_BYTES

pytestmark = pytest.mark.anyio
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
FILE = OutputFile("9", "a.png", "", "output")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def drained(inbox: Inbox) -> AsyncIterator[Message]:
    """All messages of an inbox that is finished."""
    with suppress(Unreachable):
        while True:
            yield await inbox.take()


@asynccontextmanager
async def speaking(handler: Handler) -> AsyncIterator[ComfyClient]:
    """A client of a server that speaks raw bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with ComfyClient(f"http://127.0.0.1:{port}", client_id="c") as client:
        yield client
    server.close()


def saying(data: bytes) -> Handler:
    """A server that says this and hangs up."""

    async def handler(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return handler


async def fault_of(data: bytes) -> ComfyError:
    async with speaking(saying(data)) as client:
        with pytest.raises(ComfyError) as caught:
            await client.queue()
    return caught.value


async def test_nobody_at_the_address_is_unreachable_and_nothing_was_sent() -> None:
    with free_socket() as listener:
        port = listener.getsockname()[1]
    async with ComfyClient(f"http://127.0.0.1:{port}", client_id="c") as client:
        with pytest.raises(Unreachable) as caught:
            await client.submit("p", {}, extra_pnginfo={})
        assert not caught.value.maybe_applied
        with pytest.raises(Unreachable):
            await client.probe()


async def test_a_submit_without_an_answer_may_have_been_applied_and_is_sent_once() -> None:
    heard = []

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(1)
        writer.close()

    async with speaking(hang_up) as client:
        with pytest.raises(Unreachable) as caught:
            await client.submit("p", {}, extra_pnginfo={})
    assert caught.value.maybe_applied
    assert len(heard) == 1


async def test_a_look_that_got_no_answer_is_tried_again() -> None:
    heard = []
    queue = b'{"queue_running": [], "queue_pending": []}'

    async def second_time(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(1)
        if len(heard) == 2:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(queue) + queue)
            await writer.drain()

    async with speaking(second_time) as client:
        assert (await client.queue()).pending == ()


async def test_a_redirect_is_not_followed() -> None:
    target = b"http://169.254.169.254/latest"
    fault = await fault_of(
        b"HTTP/1.1 302 Found\r\nLocation: " + target + b"\r\nContent-Length: 0\r\n\r\n"
    )
    assert isinstance(fault, ServerFault)
    assert "redirects are not followed" in fault.sentence


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"403 Forbidden"])
async def test_a_login_is_asked_for(status: bytes) -> None:
    fault = await fault_of(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
    assert isinstance(fault, Denied)


async def test_a_page_instead_of_json_is_no_answer_of_comfyui() -> None:
    fault = await fault_of(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>")
    assert isinstance(fault, BadAnswer)


async def test_json_nested_without_end_is_refused() -> None:
    body = b"[" * 200_000
    fault = await fault_of(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert isinstance(fault, BadAnswer)


async def test_an_answer_that_promises_too_much_is_cut_before_it_comes() -> None:
    size = MAX_JSON_BYTES + 1
    fault = await fault_of(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    assert isinstance(fault, TooLarge)


async def test_an_endless_answer_is_cut_at_the_limit() -> None:
    async def forever(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        while True:
            writer.write(chunk)
            await writer.drain()

    async with speaking(forever) as client:
        with pytest.raises(TooLarge):
            await client.queue()


async def test_a_compressed_answer_is_refused_because_its_size_is_unknown() -> None:
    fault = await fault_of(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"
    )
    assert isinstance(fault, BadAnswer)


async def test_a_file_cut_short_is_never_taken_for_whole() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 100\r\n\r\n"
    async with speaking(saying(head + b"\x89PNG")) as client:
        with pytest.raises((Unreachable, BadAnswer)):
            await client.view(FILE)


async def test_a_file_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_FILE_BYTES", 4)
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345"
    async with speaking(saying(body)) as client:
        with pytest.raises(TooLarge):
            await client.view(FILE)


async def test_an_answer_of_another_program_is_told_apart_from_comfyui() -> None:
    async with speaking(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) as client:
        with pytest.raises(BadAnswer, match="not as ComfyUI does"):
            await client.probe()


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd", "gopher://x", "127.0.0.1:8188", "", "http://", "http://[::1",
        "http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://metadata.google.internal",
        "http://2852039166", "http://0xA9FEA9FE", "http://0251.0376.0251.0376", "http://127.1",
        "http://[::ffff:169.254.169.254]", "http://[64:ff9b::a9fe:a9fe]", "http://0.0.0.0:8188",
        "http://user:secret@host:8188", "http://host/?x=1", "http://[fe80::1]", "http://host:0",
        "http://metadata.google.internal.", "http://host:99999",
    ],
)  # fmt: skip
def test_an_address_that_no_comfyui_has_is_refused(address: str) -> None:
    with pytest.raises(BadAddress) as caught:
        ComfyClient(address, client_id="c")
    assert "secret" not in caught.value.sentence


@pytest.mark.parametrize(
    ("address", "called"),
    [
        ("http://127.0.0.1:8188/", "http://127.0.0.1:8188"),
        ("http://192.168.1.20:8188", "http://192.168.1.20:8188"),
        ("http://[::1]:8188", "http://[::1]:8188"),
        ("https://gpu.example/comfy/", "https://gpu.example/comfy"),
        ("http://100.64.1.2:8188", "http://100.64.1.2:8188"),
    ],
)
def test_an_address_on_a_private_network_is_taken(address: str, called: str) -> None:
    assert ComfyClient(address, client_id="c").base_url == called


async def test_a_full_inbox_drops_previews_and_progress_but_never_the_end() -> None:
    inbox = Inbox()
    inbox.put(Over("first"))
    for n in range(10):
        inbox.put(Preview("p", "2", "image/png", bytes([n])))
    for n in range(2 * CAPACITY):
        inbox.put(Progress("p", "2", n, CAPACITY))
    inbox.put(Over("last"))
    inbox.finish(Unreachable("gone"))
    told = [message async for message in drained(inbox)]
    assert [m for m in told if isinstance(m, Over)] == [Over("first"), Over("last")]
    assert len(told) <= CAPACITY + 1
    assert sum(isinstance(m, Preview) for m in told) <= PREVIEWS
    assert told[-2] == Progress("p", "2", 2 * CAPACITY - 1, CAPACITY)


@pytest.mark.parametrize(
    "ask",
    [
        ComfyClient.probe,
        ComfyClient.catalogue,
        ComfyClient.saved_workflows,
        lambda client: client.upload(b"", "0" * 64, "png"),
        lambda client: anext(client.events()),
    ],
)
async def test_a_name_that_leads_to_a_forbidden_address_is_refused(
    ask: Callable[[ComfyClient], Awaitable[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(None, None, None, "", ("169.254.169.254", 0))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve, raising=False)
    async with ComfyClient("http://gpu.example:8188", client_id="c") as client:
        with pytest.raises(BadAddress, match="leads to an address"):
            await ask(client)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (b"403 Forbidden", Denied),
        (b"404 Not Found", ServerFault),
        (b"302 Found\r\nLocation: http://x", ServerFault),
    ],
)
async def test_a_socket_that_is_refused_says_how(status: bytes, kind: type[ComfyError]) -> None:
    async with speaking(saying(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")) as client:
        with pytest.raises(kind):
            await anext(client.events())


async def test_no_socket_is_to_be_had_where_nobody_is() -> None:
    with free_socket() as listener:
        port = listener.getsockname()[1]
    async with ComfyClient(f"http://127.0.0.1:{port}", client_id="c") as client:
        with pytest.raises(Unreachable):
            await anext(client.events())
