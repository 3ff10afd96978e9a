"""The node types of a server that answers, for whoever reads workflows; asked for once a minute."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from shortlist import logs
from shortlist.comfy.client import ComfyClient
from shortlist.comfy.faults import ComfyError
from shortlist.comfy.workflow import Catalogue
from shortlist.domain.model import Health
from shortlist.services import backends
from shortlist.store.db import Database

KEPT_SECONDS: Final = 60.0
"""How long a newly installed node or model may go unseen."""

PATIENCE_SECONDS: Final = 10.0

log = logs.get("dispatcher")


class Catalogues:
    """The catalogue of the first healthy server, kept for a while. Belongs to one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: Catalogue | None = None
        self._until = 0.0
        self._turn = asyncio.Lock()

    async def get(self) -> Catalogue | None:
        """Null while no server answers."""
        async with self._turn:
            if self._kept is None or time.monotonic() > self._until:
                self._kept = await self._ask()
                self._until = time.monotonic() + KEPT_SECONDS
            return self._kept

    async def _ask(self) -> Catalogue | None:
        for url in await asyncio.to_thread(self._healthy):
            try:
                async with (
                    asyncio.timeout(PATIENCE_SECONDS),
                    ComfyClient(url, client_id="shortlist-catalogue") as client,
                ):
                    return await client.catalogue()
            except (ComfyError, TimeoutError) as fault:
                log.info("catalogue_not_read", reason=str(fault))
        return None

    def _healthy(self) -> list[str]:
        with self._database.snapshot() as tx:
            servers = backends.views(tx)
        return [each.url for each in servers if each.enabled and each.health is Health.OK]
