"""Which server a chosen job is for: the one that has its models, as long as that is worth it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from dispatcher.watched import images, settled, simulated
from rendering import a_hub, add_backend, inverted, make_run, now, plain_image
from shortlist.dispatcher.floor import Floor
from shortlist.domain.model import Health
from shortlist.services import assignments, backends
from shortlist.services.assignments import Took
from shortlist.store.db import Database, Tx
from shortlist.store.schema import Backend, Job, PipelineStep

BASE, FACE = 1, 2


@dataclass
class Server:
    """A server as the floor sees it."""

    backend_id: int = 1
    last_step: int | None = BASE
    taken: int = 0
    is_free: bool = True
    in_use: bool = True

    def ring(self) -> None:
        """Nobody listens."""


def test_only_others_in_use_that_ran_the_step_last_come_before_a_server():
    floor, asking = Floor(), Server(1, last_step=BASE)
    warm = Server(2, last_step=FACE)
    for server in (asking, warm, Server(3, last_step=FACE, in_use=False), Server(4)):
        floor.enter(server)
    assert floor.warm(asking, FACE) == [warm]
    assert floor.warm(asking, BASE) == []
    assert Floor(affinity=False).warm(asking, FACE) == []


def _servers_at_work(tx: Tx) -> set[str]:
    rows = tx.execute(select(Backend.name).join(Job, Job.backend_id == Backend.id))
    return set(rows.scalars())


def _works_on_a_parent(tx: Tx) -> bool:
    return tx.execute(select(Job.id).where(Job.parent_id.is_not(None))).first() is not None


def _healthy(tx: Tx) -> int:
    return sum(each.health is Health.OK for each in backends.views(tx))


@pytest.mark.anyio
@pytest.mark.parametrize(("load", "who"), [(60.0, {"warm"}), (0.5, {"warm", "idle"})])
async def test_an_idle_server_leaves_a_step_to_the_one_that_has_its_models_where_loading_is_dear(
    database: Database, tmp_path: Path, load: float, who: set[str]
):
    with database.transaction() as tx:
        make_run(tx, [plain_image(), inverted()], children=4, leaves=4)
    async with (
        simulated(tmp_path / "a", seconds=0.7) as warm,
        simulated(tmp_path / "b", seconds=0.7) as idle,
        a_hub(database, tmp_path, lookahead=1) as hub,
    ):
        add_backend(database, warm.url, name="warm")
        await hub.until(_works_on_a_parent)
        with database.transaction() as tx:
            late = backends.register(tx, idle.url, name="idle", own=(), now=now())
            for step in tx.execute(select(PipelineStep.id)).scalars().all():
                for took in (Took(1.0 + load, cold=True), Took(1.0, cold=False)):
                    assignments.succeeded(tx, late, step, took=took)
        await hub.until(lambda tx: images(tx, step=2) >= 4 and settled(tx) and _healthy(tx) == 2)
        at_work = hub.see(_servers_at_work)
    assert at_work == who
