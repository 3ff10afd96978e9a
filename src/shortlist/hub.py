"""The composition root: opens every room, wires them, and ends them in order.

One event loop holds the web server, the dispatcher and the chores; what must not be done twice
at once, on one SQLite file, is kept by a lock beside it.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI

from shortlist import chores, logs
from shortlist.api.app import create_app
from shortlist.api.deps import Options, Rooms
from shortlist.comfy.address import server_url
from shortlist.comfy.faults import BadAddress
from shortlist.dispatcher.catalogues import Catalogues
from shortlist.dispatcher.dispatcher import Dispatcher
from shortlist.dispatcher.trials import Trials
from shortlist.dispatcher.wildcards import WildcardFiles
from shortlist.errors import ConfigFault, Conflict
from shortlist.images.blobs import Blobs
from shortlist.images.model import BlobsError
from shortlist.images.renderer import RendererPool
from shortlist.services import backends
from shortlist.settings import Settings
from shortlist.store import migrate
from shortlist.store.db import Database, Tx, database_url, make_folder

FAREWELL_SECONDS: Final = 5
"""How long open requests may go on after the hub was told to stop."""

log = logs.get("hub")


@dataclass(frozen=True, slots=True)
class Server:
    """A ComfyUI server to be added; without a name it gets that of its address."""

    url: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub at work. `url` is where a browser on this machine finds it."""

    url: str
    rooms: Rooms
    dispatcher: Dispatcher


class _Server(uvicorn.Server):
    """A server inside this program, whose signals the hub takes itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def running(settings: Settings, *, servers: Sequence[Server] = ()) -> AsyncIterator[Hub]:
    """A hub at work for as long as the context lasts; `servers` are added where they are new.

    Raises `ConfigFault` when it can't start this way.
    """
    _check_addresses(servers)
    with alone(settings.database_location), _listening(settings) as listener:
        blobs = _image_store(settings)
        migrate.upgrade(settings.database_location)
        database = Database.open(settings.database_location)
        try:
            async with RendererPool() as renderer:
                _register(database, servers, own=_own(listener))
                dispatcher = Dispatcher(
                    database,
                    blobs,
                    renderer,
                    lookahead=settings.lookahead,
                    clock=_now,
                    wildcards=settings.wildcards_location,
                )
                trials = Trials(database, blobs, renderer, clock=_now)
                app = create_app(
                    database,
                    blobs,
                    renderer=renderer,
                    options=_options(settings, own=_own(listener)),
                    progress=dispatcher.progress,
                    catalogues=Catalogues(database),
                    trials=trials,
                    wildcards=WildcardFiles(settings.wildcards_location),
                )
                hub = Hub(_url(listener), app.state.rooms, dispatcher)
                try:
                    async with _at_work(hub, app, listener=listener):
                        yield hub
                finally:
                    await trials.close()
        finally:
            database.close()


@asynccontextmanager
async def _at_work(hub: Hub, app: FastAPI, *, listener: socket.socket) -> AsyncIterator[None]:
    """Server, dispatcher and chores; in the end streams close, then requests, then renders."""
    stop = asyncio.Event()
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=FAREWELL_SECONDS,
        )
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[listener]))
        group.create_task(hub.dispatcher.run(stop))
        group.create_task(chores.done(hub.rooms, stop, clock=_now))
        rest_collector()
        try:
            yield
        finally:
            log.info("hub_stopped", url=hub.url)
            hub.rooms.streams.close()
            server.should_exit = True
            stop.set()


def rest_collector() -> None:
    """Turns the garbage collector on, with all that start-up made, which stays, out of its sight.

    A full collection, which comes in the middle of an act, then takes a few milliseconds instead
    of eighty.
    """
    gc.freeze()
    gc.enable()


async def until_told() -> None:
    """Returns at the first SIGINT or SIGTERM; the second one ends the process at once."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()

    def tell(number: int, _: FrameType | None) -> None:
        if told.is_set():
            os._exit(128 + number)
        loop.call_soon_threadsafe(told.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, tell)
    await told.wait()


def run(main: Coroutine[object, object, None]) -> None:
    """Runs `main` in the fastest event loop there is."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def alone(location: str) -> Iterator[None]:
    """Holds the lock of a SQLite database; on PostgreSQL any number of hubs work together."""
    url = database_url(location)
    if url.get_backend_name() != "sqlite":
        yield
        return
    path = Path(f"{url.database}.lock")
    make_folder(path.parent)
    with path.open("a+b") as handle:
        if not _locked(handle.fileno()):
            raise ConfigFault(
                f"Another hub works on {url.database}; stop it first, or choose another --data."
            )
        yield


def _locked(handle: int) -> bool:
    """Takes the lock without waiting; the system gives it back however the process ends."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


_WHY_NOT: Final = {
    errno.EADDRINUSE: "is in use; stop the other program or choose another --port",
    errno.EACCES: "may not be opened by you; choose a --port above 1023",
    errno.EADDRNOTAVAIL: "is no address of this machine; choose another --host",
}


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    host, port = settings.host.strip("[]"), settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        why = _WHY_NOT.get(getattr(error, "errno", None) or 0, "can't be listened on")
        raise ConfigFault(f"Port {port} on {host} {why}.") from error
    with listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio may leave it out
        yield listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 not listened on
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _own(listener: socket.socket) -> tuple[str, ...]:
    """The addresses that are this hub: a server at one of them would be the hub itself."""
    port = listener.getsockname()[1]
    return (_url(listener), f"http://localhost:{port}", f"http://{socket.gethostname()}:{port}")


def _image_store(settings: Settings) -> Blobs:
    try:
        return Blobs.open(settings.images_location)
    except BlobsError as error:
        raise ConfigFault(f"The image store can't be opened: {error.sentence}") from error


def _options(settings: Settings, *, own: tuple[str, ...]) -> Options:
    machine = () if settings.is_loopback else _machine_names()
    return Options(
        hosts=frozenset(("localhost", "127.0.0.1", "[::1]", *machine, *settings.allow_host)),
        any_address=not settings.is_loopback,
        token=settings.secret,
        max_children=settings.max_children,
        target_leaves=settings.target_leaves,
        base_count=settings.base_count,
        page=Path(str(resources.files("shortlist") / "web")),
        own=own,
    )


def _machine_names() -> tuple[str, ...]:
    name = socket.gethostname().lower()
    return (name, f"{name.partition('.')[0]}.local")


def _check_addresses(servers: Sequence[Server]) -> None:
    """Before anything is made: a mistyped address leaves nothing behind."""
    for server in servers:
        try:
            server_url(server.url)
        except BadAddress as fault:
            raise ConfigFault(fault.sentence) from fault


def _register(database: Database, servers: Sequence[Server], *, own: Sequence[str]) -> None:
    """Adds the servers of the command line; one that is there already stays as it is."""

    def register(tx: Tx, server: Server) -> None:
        backends.register(tx, server.url, name=server.name, own=own, now=_now())

    for server in servers:
        with suppress(Conflict):
            database.run(partial(register, server=server))
