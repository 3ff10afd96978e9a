"""The node types of servers, for whoever reads workflows, the workflows saved there, and what is
found at an address.

Each server is asked once a minute at most, by its own client, so that its driver waits for nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from shortlist import logs
from shortlist.comfy.client import ComfyClient
from shortlist.comfy.faults import ComfyError
from shortlist.comfy.workflow import Catalogue
from shortlist.domain.model import Health
from shortlist.errors import BackendFault
from shortlist.services import backends
from shortlist.store.db import Database

KEPT_SECONDS: Final = 60.0
"""How long a newly installed node or model may go unseen."""

PATIENCE_SECONDS: Final = 10.0
MOST_KEPT: Final = 16

T = TypeVar("T")

log = logs.get("dispatcher")


@dataclass(frozen=True, slots=True)
class Asked:
    """A server's node types, or why they are not known."""

    catalogue: Catalogue | None
    why: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What is found at an address."""

    reachable: bool
    detail: str
    version: str | None
    devices: tuple[str, ...]
    nodes: int | None


class Catalogues:
    """What servers can do, kept for a while. Belongs to one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[str, tuple[float, Catalogue]] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def get(self) -> Catalogue | None:
        """Of the first healthy server; null while none answers."""
        for url in await asyncio.to_thread(self._healthy):
            asked = await self.of(url)
            if asked.catalogue is not None:
                return asked.catalogue
        return None

    async def of(self, url: str) -> Asked:
        """Of the server at an address."""
        async with self._turns.setdefault(url, asyncio.Lock()):
            until, kept = self._kept.get(url, (0.0, None))
            if kept is not None and time.monotonic() < until:
                return Asked(kept, "")
            return await self._ask(url)

    async def test(self, url: str) -> Answer:
        """Asks whatever stands at an address what it is."""
        try:
            async with (
                asyncio.timeout(PATIENCE_SECONDS),
                ComfyClient(url, client_id="shortlist-test") as client,
            ):
                server = await client.probe()
                nodes = len(await client.catalogue())
        except TimeoutError:
            return Answer(False, "Nothing answered in time.", None, (), None)
        except ComfyError as fault:
            return Answer(False, fault.sentence, None, (), None)
        devices = tuple(device.name for device in server.devices)
        detail = f"ComfyUI {server.version} answers, with {nodes} node types."
        return Answer(True, detail, server.version, devices, nodes)

    async def saved(self, url: str) -> tuple[str, ...]:
        """Names of the workflows saved in the editor at an address. Raises `BackendFault`."""
        return await _look(url, lambda client: client.saved_workflows())

    async def read(self, url: str, name: str) -> str:
        """The text of one of them. Raises `BackendFault`."""
        return await _look(url, lambda client: client.saved_workflow(name))

    async def _ask(self, url: str) -> Asked:
        try:
            async with (
                asyncio.timeout(PATIENCE_SECONDS),
                ComfyClient(url, client_id="shortlist-catalogue") as client,
            ):
                found = await client.catalogue()
        except TimeoutError:
            return Asked(None, "the server did not answer in time.")
        except ComfyError as fault:
            log.info("catalogue_not_read", reason=fault.sentence)
            return Asked(None, f"the server is not reachable. {fault.sentence}")
        if len(self._kept) >= MOST_KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[url] = (time.monotonic() + KEPT_SECONDS, found)
        return Asked(found, "")

    def _healthy(self) -> list[str]:
        with self._database.snapshot() as tx:
            servers = backends.views(tx)
        return [each.url for each in servers if each.enabled and each.health is Health.OK]


async def _look(url: str, look: Callable[[ComfyClient], Awaitable[T]]) -> T:
    try:
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            ComfyClient(url, client_id="shortlist-saved") as client,
        ):
            return await look(client)
    except TimeoutError as error:
        raise BackendFault("The server did not answer in time.") from error
    except ComfyError as fault:
        raise BackendFault(fault.sentence) from fault
