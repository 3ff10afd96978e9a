"""A night with three runs, one of them waiting for a person: what stands in the morning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from dispatcher.funnel import an_id, approve, does, gated_run, idle, images, made, step_id
from dispatcher.watched import simulated
from rendering import Hub, a_hub, add_backend, inverted, make_run, plain_image
from shortlist.domain.gates import Waiting
from shortlist.domain.model import GateKind, GateState, Pin
from shortlist.services import nights, overview
from shortlist.services.acts import ConfirmAct, PinAct, UndoAct
from shortlist.services.overview import ColumnView
from shortlist.store.db import Database, Tx
from shortlist.store.schema import ImageCandidate

pytestmark = pytest.mark.anyio

EVENING = datetime(2026, 1, 1, 21, 0, tzinfo=UTC)
NIGHT = Waiting(minutes=None, night_from="22:30", night_until="07:00", time_zone="UTC")
BY_ITSELF = [GateKind.AUTO, *[GateKind.PROVISIONAL] * 3]


async def sleep_until(hub: Hub, clock: datetime) -> None:
    """Lets the hub look at its gates, as it does every few seconds, until nothing more happens."""
    while True:
        await hub.until(idle)
        if not hub.database.run(lambda tx: nights.tick(tx, now=clock)):
            return


def _columns(hub: Hub, run_id: int) -> tuple[ColumnView, ...]:
    return hub.see(lambda tx: overview.view(tx, run_id).columns)


def _advancing(tx: Tx, run_id: int, order: int) -> list[int]:
    wanted = images(tx, run_id, order)
    through = ImageCandidate.id.in_(wanted) & ImageCandidate.advances
    return sorted(tx.execute(select(ImageCandidate.id).where(through)).scalars())


async def test_a_night_ends_with_finished_images_and_a_true_list_of_what_passed(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        waits = gated_run(tx, name="waits", children=2, bases=2)
        alone = gated_run(tx, BY_ITSELF, name="alone", children=2, bases=2, top_k=2, waiting=NIGHT)
        graphs = [plain_image(), inverted(), inverted(), inverted()]
        free = make_run(tx, graphs, name="free", children=1, leaves=2)
    async with simulated(tmp_path, seconds=0.0) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await sleep_until(hub, EVENING)
        assert hub.see(lambda tx: made(tx, alone)) == [2, 4, 0, 0]
        for hours in (2, 3, 6):
            await sleep_until(hub, EVENING + timedelta(hours=hours))

        assert hub.see(lambda tx: made(tx, waits)) == [2, 4, 0, 0]
        assert hub.see(lambda tx: made(tx, alone)) == [2, 4, 4, 4]
        assert hub.see(lambda tx: made(tx, free)) == [2, 2, 2, 2]
        assert _columns(hub, waits)[1].state is GateState.AWAITING
        passed = {
            (run.name, column.name): column.assumed
            for run in hub.see(overview.views)
            for column in run.columns
            if column.provisional
        }
        assumed = (
            "It was night, so the best 2 of 4 went on by rating, with 0 votes each in the middle."
        )
        assert passed == {("alone", "Face Fix"): assumed, ("alone", "Hand Fix"): assumed}
        assert _columns(hub, alone)[3].state is GateState.AWAITING

        await _in_the_morning(hub, alone)


async def _in_the_morning(hub: Hub, run_id: int) -> None:
    """The first gate is confirmed, the second revised: one image leaves, another enters."""
    face, hand = (hub.see(lambda tx, o=order: step_id(tx, run_id, o)) for order in (2, 3))
    before = hub.see(lambda tx: _advancing(tx, run_id, 2))
    said = does(hub, ConfirmAct(an_id(), run_id, face))
    assert said == "Face Fix is confirmed."
    assert hub.see(lambda tx: _advancing(tx, run_id, 2)) == before

    stays, leaves = hub.see(lambda tx: _advancing(tx, run_id, 3))
    does(hub, PinAct(an_id(), leaves, Pin.NEVER))
    approve(hub, run_id, 3, 2)
    now_through = hub.see(lambda tx: _advancing(tx, run_id, 3))
    assert stays in now_through
    assert leaves not in now_through
    await hub.until(lambda tx: made(tx, run_id)[3] == 6 and idle(tx))
    columns = _columns(hub, run_id)
    assert [column.provisional for column in columns] == [False] * 4
    assert (columns[1].assumed is None, columns[2].assumed) == (False, None)
    assert (hand, columns[2].top_k) == (columns[2].step_id, 2)
    assert approve(hub, run_id, 4, 2) == "Upscale: 2 images won; the run is complete."
    does(hub, UndoAct(an_id()))
    assert _columns(hub, run_id)[3].state is GateState.AWAITING
