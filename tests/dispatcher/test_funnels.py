"""The contract's worked examples, image for image, through the dispatcher and a simulator."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from dispatcher.funnel import approve, gated_run, idle, images, made, rate
from dispatcher.watched import simulated
from rendering import Hub, a_hub, add_backend
from shortlist.domain.model import GateState
from shortlist.services import overview
from shortlist.store.db import Database, Tx
from shortlist.store.schema import ImageCandidate

pytestmark = pytest.mark.anyio


async def through_the_gates(hub: Hub, run_id: int, k: int) -> None:
    """Lets K through each gate once its step has all its images."""
    for order in (2, 3):
        await hub.until(idle)
        states = hub.see(lambda tx: [c.state for c in overview.view(tx, run_id).columns])
        assert states[order - 1] is GateState.AWAITING
        approve(hub, run_id, order, k)
    await hub.until(idle)


@pytest.mark.parametrize(
    ("n", "k", "expected"),
    [(5, 1, [3, 15, 5, 5]), (3, 3, [3, 9, 9, 9]), (5, 3, [3, 15, 15, 15])],
)
async def test_a_funnel_makes_exactly_its_images(
    database: Database, tmp_path: Path, n: int, k: int, expected: list[int]
) -> None:
    with database.transaction() as tx:
        run_id = gated_run(tx, children=n)
    async with simulated(tmp_path, seconds=0.0) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await through_the_gates(hub, run_id, k)
        assert hub.see(lambda tx: made(tx, run_id)) == expected


async def test_of_nine_the_best_three_get_three_each_and_the_others_nothing(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        run_id = gated_run(tx)
    async with simulated(tmp_path, seconds=0.0) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await hub.until(idle)
        ratings = hub.see(lambda tx: _ratings(tx, run_id))
        database.run(lambda tx: rate(tx, ratings))
        approve(hub, run_id, 2, 3)
        await hub.until(lambda tx: made(tx, run_id)[2] and idle(tx))
        parents = Counter(
            hub.see(
                lambda tx: (
                    tx.execute(
                        select(ImageCandidate.parent_id).where(ImageCandidate.step_order == 3)
                    )
                    .scalars()
                    .all()
                )
            )
        )
    best = sorted(ratings, key=lambda id: -ratings[id])[:3]
    assert parents == dict.fromkeys(best, 3)


def _ratings(tx: Tx, run_id: int) -> dict[int, float]:
    """A1a to A3c, by parent: the best three are all children of one base image."""
    told = iter([1250, 1180, 1150, 1120, 1080, 1050, 1020, 980, 950])
    rated: dict[int, float] = {}
    for base in images(tx, run_id, 1):
        children = tx.execute(select(ImageCandidate.id).where(ImageCandidate.parent_id == base))
        rated |= {child: float(next(told)) for child in children.scalars()}
    return rated
