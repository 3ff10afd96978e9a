"""After a crash of either side: nothing rendered is lost, nothing is rendered twice, nothing waits
for ever."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select

from dispatcher.watched import (
    attempts,
    count,
    errors,
    images,
    port_of,
    renders,
    settled,
    simulated,
    statuses,
)
from rendering import a_hub, add_backend, drawn, inverted, make_run, now, plain_image, until
from shortlist.dispatcher import owner
from shortlist.domain.model import JobStatus
from shortlist.services import backends, runs, selection
from shortlist.services.runs import Change
from shortlist.services.selection import Claimed
from shortlist.simulator.options import Fault, FaultKind
from shortlist.store.db import Database, Tx
from shortlist.store.schema import Backend

pytestmark = pytest.mark.anyio


def one_image(database: Database) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image()], leaves=1)


def claim(tx: Tx, backend_id: int) -> Claimed:
    """A claim by a hub that dies before it does anything else."""
    prompt_id = str(uuid4())
    claimed = selection.claim(tx, backend_id=backend_id, seed=7, prompt_id=prompt_id, now=now())
    assert claimed is not None
    return claimed


async def test_a_submit_whose_answer_is_lost_is_not_repeated(
    database: Database, tmp_path: Path
) -> None:
    one_image(database)
    lost = Fault(kind=FaultKind.LOSE_ANSWER)
    async with simulated(tmp_path, lost) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx) == 1 and settled(tx))
        assert hub.see(attempts) == [1]
    assert renders(tmp_path) == 1


async def test_a_job_claimed_by_a_hub_that_died_is_submitted_by_the_next(
    database: Database, tmp_path: Path
) -> None:
    one_image(database)
    async with simulated(tmp_path) as server:
        backend_id = add_backend(database, server.url)
        database.run(lambda tx: claim(tx, backend_id))
        async with a_hub(database, tmp_path) as hub:
            await hub.until(lambda tx: images(tx) == 1 and settled(tx))
            assert hub.see(attempts) == [2]
    assert renders(tmp_path) == 1


async def test_a_job_that_went_on_while_no_hub_ran_is_taken_in_once(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [drawn("base")], leaves=2)
    async with simulated(tmp_path, seconds=0.5) as server:
        add_backend(database, server.url)
        async with a_hub(database, tmp_path) as hub:
            await hub.until(lambda tx: len(statuses(tx)) == 2 and count(tx, JobStatus.RUNNING))
        await until(lambda: renders(tmp_path) == 2)
        async with a_hub(database, tmp_path) as hub:
            await hub.until(lambda tx: images(tx) == 2 and settled(tx))
            assert hub.see(attempts) == [1, 1]
    assert renders(tmp_path) == 2


async def test_files_of_a_job_that_history_has_lost_are_adopted(
    database: Database, tmp_path: Path
) -> None:
    one_image(database)
    evicted = Fault(kind=FaultKind.LOSE_HISTORY)
    async with simulated(tmp_path, evicted) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx) == 1 and settled(tx))
        assert hub.see(attempts) == [1]
    assert renders(tmp_path) == 1


async def test_a_half_written_file_is_not_adopted(database: Database, tmp_path: Path) -> None:
    one_image(database)
    async with simulated(tmp_path) as server:
        backend_id = add_backend(database, server.url)
        prompt_id = database.run(lambda tx: claim(tx, backend_id)).prompt_id
        folder = tmp_path / "comfyui" / "output" / f"shortlist/{now():%Y%m}" / prompt_id
        folder.mkdir(parents=True)
        (folder / "s_00001_.png").write_bytes(b"\x89PNG\r\n\x1a\n, and then the power went")
        async with a_hub(database, tmp_path) as hub:
            await hub.until(lambda tx: images(tx) == 1 and settled(tx))
            assert hub.see(attempts) == [2]


async def test_a_server_restarted_in_the_middle_renders_again_what_it_lost(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image(), drawn("face-fix")], children=2, leaves=1)
    async with a_hub(database, tmp_path) as hub:
        async with simulated(tmp_path, seconds=30.0) as first:
            add_backend(database, first.url)
            await hub.until(lambda tx: images(tx, step=1) and count(tx, JobStatus.RUNNING))
            await hub.until(lambda tx: count(tx, JobStatus.SUBMITTED))
        async with simulated(tmp_path, port=port_of(first)):
            await hub.until(lambda tx: images(tx, step=2) == 2 and settled(tx))
        assert hub.see(errors) == []
        assert set(hub.see(statuses)) == {JobStatus.SUCCEEDED}
    assert renders(tmp_path) == 3


async def test_a_restart_between_render_and_fetch_loses_nothing(
    database: Database, tmp_path: Path
) -> None:
    one_image(database)
    slow = Fault(kind=FaultKind.SLOW_VIEW, seconds=20.0)
    async with a_hub(database, tmp_path) as hub:
        async with simulated(tmp_path, slow) as first:
            add_backend(database, first.url)
            await until(lambda: renders(tmp_path) == 1)
        async with simulated(tmp_path, port=port_of(first)):
            await hub.until(lambda tx: images(tx) == 1 and settled(tx))
        assert hub.see(attempts) == [1]
    assert renders(tmp_path) == 1


async def test_a_parent_that_vanished_from_the_server_is_handed_over_again(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        run_id = make_run(tx, [plain_image(), inverted()], children=1, leaves=1)
    async with simulated(tmp_path) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx, step=2) == 1 and settled(tx))
        for upload in (tmp_path / "comfyui" / "input" / "shortlist").iterdir():
            upload.unlink()
        with database.transaction() as tx:
            runs.change(tx, run_id, Change(max_children=3, target_leaves=3), now=now())
        await hub.until(lambda tx: images(tx, step=2) == 3 and settled(tx))
        assert hub.see(errors) == []


@pytest.mark.parametrize("kind", [FaultKind.DROP_SOCKETS, FaultKind.SILENCE_SOCKETS])
async def test_without_its_socket_the_hub_goes_on_by_asking(
    database: Database, tmp_path: Path, kind: FaultKind
) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image()], leaves=4)
    fault = Fault(kind=kind, node_class="EmptyImage", times=3)
    async with simulated(tmp_path, fault) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx) == 4 and settled(tx))
        assert hub.see(attempts) == [1] * 4
    assert renders(tmp_path) == 4


async def test_a_socket_gone_silent_is_replaced_and_progress_comes_back(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [drawn("base")], leaves=50)
    silence = Fault(kind=FaultKind.SILENCE_SOCKETS, node_class="KSampler")
    async with (
        simulated(tmp_path, silence, seconds=0.3) as server,
        a_hub(database, tmp_path) as hub,
    ):
        add_backend(database, server.url)
        with hub.dispatcher.progress.subscribe() as ticks:
            await hub.until(lambda tx: images(tx) >= 2)
            while (await ticks.get()).job_id < 4:
                pass


async def test_history_that_comes_late_is_waited_for(database: Database, tmp_path: Path) -> None:
    one_image(database)
    late = Fault(kind=FaultKind.LATE_HISTORY, seconds=1.0)
    async with simulated(tmp_path, late) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx) == 1 and settled(tx))
        assert hub.see(attempts) == [1]


async def test_a_job_a_stranger_deleted_from_the_queue_is_put_up_again(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [drawn("base")], leaves=2)
    async with simulated(tmp_path, seconds=1.5) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: count(tx, JobStatus.RUNNING) and count(tx, JobStatus.SUBMITTED))
        server.simulator.jobs.clear()
        await hub.until(lambda tx: images(tx) == 2 and settled(tx))
        assert sorted(hub.see(attempts)) == [1, 2]
    assert renders(tmp_path) == 2


async def test_a_hub_that_was_killed_does_not_keep_its_servers_from_the_next(
    database: Database, tmp_path: Path
) -> None:
    """Its lease would last half a minute; this test would time out waiting for it."""
    one_image(database)
    async with simulated(tmp_path) as server:
        backend_id = add_backend(database, server.url)
        dead = await a_dead_owner()
        database.run(lambda tx: backends.take_lease(tx, backend_id, owner=dead, dead=None))
        async with a_hub(database, tmp_path) as hub:
            async with asyncio.timeout(10):
                await hub.until(lambda tx: images(tx) == 1)


async def a_dead_owner() -> str:
    """The name a hub had in a process that has ended."""
    code = "from shortlist.dispatcher.owner import new_name; print(new_name())"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    return told.decode().strip()


async def test_a_living_hubs_servers_are_left_to_it(database: Database, tmp_path: Path) -> None:
    one_image(database)
    async with simulated(tmp_path) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx) == 1 and settled(tx))
        assert owner.is_dead(hub.see(_lease_owner)) is False
        async with a_hub(database, tmp_path):
            before = hub.see(_lease_owner)
            with database.transaction() as tx:
                make_run(tx, [plain_image()], name="another", leaves=2)
            await hub.until(lambda tx: images(tx) == 3 and settled(tx))
            assert hub.see(_lease_owner) == before


def _lease_owner(tx: Tx) -> str:
    return str(tx.execute(select(Backend.lease_owner)).scalar_one())
