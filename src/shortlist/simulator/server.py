"""Puts a simulator on a port: as an ASGI application, inside another program for a while, or as
a process of its own. What it answers is in `routes`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto.utilities import LocalProtocolError

from shortlist.simulator.options import SimulatorOptions
from shortlist.simulator.routes import Simulator


def create_simulator(options: SimulatorOptions) -> Starlette:
    """The ASGI application of one simulator; `app.state.simulator` is the Simulator behind it.

    The worker starts with the lifespan or, where nobody runs that, with the first request.
    """
    simulator = Simulator(options)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        simulator.start()
        yield
        await simulator.stop()

    app = Starlette(routes=simulator.routes(), lifespan=lifespan)
    app.state.simulator = simulator
    return app


@dataclass(frozen=True, slots=True)
class Running:
    """A simulator that listens."""

    url: str
    simulator: Simulator


@contextlib.asynccontextmanager
async def running(
    options: SimulatorOptions, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Running]:
    """A simulator listening on `port` (0: a free one) for as long as the context lasts.

    Leaving the context and entering a new one on the same folder is a restart: files stay,
    queue, history and counter are gone.
    """
    listener = socket.create_server((host, port))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio leaves it out
    app = create_simulator(options)
    server = _Guest(_config(app))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    bound = listener.getsockname()
    try:
        # The listener accepts already; requests wait until the server picks them up.
        yield Running(f"http://{bound[0]}:{bound[1]}", app.state.simulator)
    finally:
        server.leave()
        await task
        for connection in list(server.server_state.connections):
            connection.transport.abort()  # its time to end was up
        await asyncio.sleep(0)
        listener.close()


class _Guest(uvicorn.Server):
    """A server inside another program: signals are not its own, and it leaves when told to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        await self._told.wait()  # uvicorn's own looks for the end ten times a second

    def leave(self) -> None:
        self.should_exit = True
        self._told.set()


class _Socket(WSProtocol):
    """A WebSocket whose client may leave at the moment the server does: uvicorn would fail."""

    def shutdown(self) -> None:
        try:
            super().shutdown()
        except LocalProtocolError:
            self.transport.close()


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        ws=_Socket,
        # The real server never pings, and a stalled reader must stay connected to be a nuisance.
        ws_ping_interval=None,
        timeout_graceful_shutdown=1,
    )
