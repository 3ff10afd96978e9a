"""One server driven from the first job to the last, over the real wire of a simulator."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from PIL import Image
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
    the_backend,
)
from invariants import missing_tiers
from rendering import a_hub, add_backend, drawn, inverted, make_run, now, plain_image, until
from shortlist.comfy.client import ComfyClient
from shortlist.dispatcher.progress import Tick
from shortlist.domain.model import Health, JobStatus
from shortlist.errors import Conflict
from shortlist.images.model import Tier
from shortlist.services import backends, branches, jobs
from shortlist.simulator.options import Fault, FaultKind, Version
from shortlist.store.db import Database, Tx
from shortlist.store.schema import ImageCandidate, ImageFile, Job

pytestmark = pytest.mark.anyio


async def test_images_come_from_the_first_step_to_the_last(db: Database, tmp_path: Path) -> None:
    with db.transaction() as tx:
        make_run(tx, [drawn("base"), drawn("face-fix"), drawn("upscale")], children=1, leaves=2)
    async with simulated(tmp_path) as server, a_hub(db, tmp_path) as hub:
        add_backend(db, server.url)
        await hub.until(lambda tx: images(tx, step=3) >= 2 and settled(tx))
        child = hub.see(_a_leaf)
        assert hub.see(the_backend).health is Health.OK
        assert hub.see(the_backend).simulator
    assert hub.blobs.exists(child.image_path)
    assert missing_tiers(hub.blobs, child.image_path) == []
    assert (child.media_type, child.width > 512, len(child.content_hash)) == ("image/png", True, 64)
    assert set(hub.see(statuses)) == {JobStatus.SUCCEEDED}


def _a_leaf(tx: Tx) -> ImageFile:
    columns = ImageFile.__table__.columns
    at_third = select(ImageCandidate.id).where(ImageCandidate.step_order == 3)
    found = select(*columns).where(ImageFile.candidate_id.in_(at_third)).limit(1)
    return ImageFile(**tx.execute(found).one()._mapping)


async def test_no_more_jobs_are_at_the_server_than_the_lookahead(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [drawn("base")], leaves=6)
    seen: list[int] = []
    async with (
        simulated(tmp_path, seconds=0.3) as server,
        a_hub(database, tmp_path, lookahead=2) as hub,
    ):
        queue = server.simulator.jobs
        queue.changed = lambda: seen.append(queue.remaining())
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx) == 6)
    assert max(seen) == 2


async def test_a_parent_is_handed_over_under_its_content_hash(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image(), inverted()], children=3, leaves=1)
    async with simulated(tmp_path) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx, step=2) == 3)
        base = hub.see(lambda tx: tx.execute(_BASES).scalar_one())
    (upload,) = (tmp_path / "comfyui" / "input" / "shortlist").iterdir()
    assert upload.name == f"{base}.png"


_BASES = (
    select(ImageFile.content_hash)
    .join(ImageCandidate, ImageCandidate.id == ImageFile.candidate_id)
    .where(ImageCandidate.parent_id.is_(None))
)


async def test_the_files_metadata_names_the_job(database: Database, tmp_path: Path) -> None:
    with database.transaction() as tx:
        run_id = make_run(tx, [plain_image()], leaves=1)
    async with simulated(tmp_path) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx) == 1)
        key = hub.see(lambda tx: tx.execute(select(ImageFile.image_path)).scalar_one())
    assert f'"run": {run_id}, "step": '.encode() in hub.blobs.get(key)


async def test_history_is_let_go_but_for_one_entry(database: Database, tmp_path: Path) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image()], leaves=5)
    async with simulated(tmp_path) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx) == 5)
        await until(lambda: len(server.simulator.jobs.history) == 1)


async def test_progress_and_previews_reach_whoever_follows(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [drawn("base")], leaves=1)
    ticks: list[Tick] = []
    async with simulated(tmp_path, seconds=1.0) as server, a_hub(database, tmp_path) as hub:
        with hub.dispatcher.progress.subscribe() as queue:
            add_backend(database, server.url)
            while not (ticks and ticks[-1].preview and ticks[-1].value > 1):
                ticks.append(await asyncio.wait_for(queue.get(), 20))
        await hub.until(lambda tx: images(tx) == 1)
        assert hub.dispatcher.progress.latest(ticks[-1].job_id) is None
    assert ticks[-1].preview is not None
    with Image.open(io.BytesIO(ticks[-1].preview.data)) as picture:
        picture.load()
        assert picture.format == "JPEG"
    assert ticks[-1].job_id == 1
    assert ticks[-1].node == "Draw the Figure"
    assert ticks[-1].max >= ticks[-1].value


async def test_a_waiting_job_is_put_before_all_that_waits_and_made_once(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [drawn("base")], leaves=3)
    slow = Fault(kind=FaultKind.SLOW, node_class="KSampler", seconds=6.0, times=1)
    async with simulated(tmp_path, slow) as server, a_hub(database, tmp_path, lookahead=3) as hub:
        add_backend(database, server.url)
        await hub.until(
            lambda tx: (count(tx, JobStatus.RUNNING), count(tx, JobStatus.SUBMITTED)) == (1, 2)
        )
        async with ComfyClient(server.url, client_id="stranger") as stranger:
            await stranger.submit("theirs", plain_image(), extra_pnginfo={})
            database.run(lambda tx: jobs.put_first(tx, 3, now=now()))
            await hub.until(lambda tx: images(tx) == 3 and settled(tx))
            assert await stranger.history("theirs") is not None
        assert _rendered(tmp_path, hub.see(_jobs_by_prompt)) == [1, 3, 2]
        assert hub.see(attempts) == [1, 1, 1]
        with pytest.raises(Conflict, match="has ended"):
            database.run(lambda tx: jobs.put_first(tx, 3, now=now()))
    assert renders(tmp_path) == 4


def _jobs_by_prompt(tx: Tx) -> dict[str, int]:
    return {prompt_id: id for id, prompt_id in tx.execute(select(Job.id, Job.prompt_id))}


def _rendered(folder: Path, jobs: dict[str, int]) -> list[int]:
    """The jobs whose images the server has saved, in that order."""
    files = (folder / "comfyui" / "output").rglob("*.png")
    by_time = sorted(files, key=lambda file: file.stat().st_mtime_ns)
    return [jobs[file.parent.name] for file in by_time if file.parent.name in jobs]


async def test_a_server_that_is_away_says_when_it_is_tried_again(
    database: Database, tmp_path: Path
) -> None:
    async with a_hub(database, tmp_path) as hub:
        async with simulated(tmp_path) as server:
            add_backend(database, server.url)
            await hub.until(lambda tx: the_backend(tx).health is Health.OK)
        first = await hub.until(lambda tx: the_backend(tx).retry_at)
        assert hub.see(the_backend).health is Health.LOST
        await hub.until(lambda tx: (the_backend(tx).retry_at or first) > first)
        async with simulated(tmp_path, port=port_of(server)):
            await hub.until(lambda tx: the_backend(tx).health is Health.OK)
            assert hub.see(the_backend).retry_at is None


async def test_a_killed_branchs_jobs_are_taken_back_and_no_one_elses(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image(), drawn("face-fix")], children=2, leaves=1)
    async with simulated(tmp_path, seconds=20.0) as server, a_hub(database, tmp_path) as hub:
        async with ComfyClient(server.url, client_id="a stranger") as stranger:
            add_backend(database, server.url)
            await hub.until(lambda tx: images(tx, step=1) and count(tx, JobStatus.RUNNING))
            await hub.until(lambda tx: count(tx, JobStatus.SUBMITTED))
            await stranger.submit("0" * 32, plain_image(), extra_pnginfo={})
            database.run(lambda tx: branches.reject(tx, 1, now=now()))
            await hub.until(lambda tx: count(tx, JobStatus.CANCELLED) == 2)
            await hub.until(lambda tx: not tx.execute(select(Job.id).where(Job.recall)).all())
            await until(lambda: "0" * 32 in server.simulator.jobs.history)
        assert hub.see(lambda tx: images(tx, step=2)) == 0


async def test_a_result_that_comes_after_its_recall_is_kept(
    database: Database, tmp_path: Path
) -> None:
    slow = Fault(kind=FaultKind.SLOW_VIEW, seconds=1.0, skip=1)
    with database.transaction() as tx:
        make_run(tx, [plain_image(), inverted()], children=1, leaves=1)
    async with simulated(tmp_path, slow) as server, a_hub(database, tmp_path, lookahead=1) as hub:
        add_backend(database, server.url)
        await until(lambda: renders(tmp_path) == 2)
        database.run(lambda tx: jobs.cancel(tx, 2, now=now()))
        await hub.until(lambda tx: images(tx, step=2) == 1)
        parent = hub.see(lambda tx: tx.execute(_PLACES).one())
        assert hub.see(statuses)[1] is JobStatus.CANCELLED
    assert tuple(parent) == (1, 0)


_PLACES = select(ImageCandidate.child_count, ImageCandidate.reserved).where(ImageCandidate.id == 1)


async def test_a_disabled_server_finishes_what_it_has_and_gets_no_more(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [drawn("base")], leaves=50)
    async with simulated(tmp_path, seconds=0.3) as server, a_hub(database, tmp_path) as hub:
        backend_id = add_backend(database, server.url)
        await hub.until(lambda tx: count(tx, JobStatus.RUNNING))
        database.run(
            lambda tx: backends.change(tx, backend_id, name=None, enabled=False, now=now())
        )
        await hub.until(settled)
        done = hub.see(statuses)
        database.run(lambda tx: backends.change(tx, backend_id, name=None, enabled=True, now=now()))
        await hub.until(lambda tx: len(statuses(tx)) > len(done))
    assert set(done) == {JobStatus.SUCCEEDED}
    assert len(done) < 10


async def test_two_hubs_on_one_database_share_the_servers(db: Database, tmp_path: Path) -> None:
    with db.transaction() as tx:
        make_run(tx, [plain_image()], leaves=10)
    one, two = tmp_path / "one", tmp_path / "two"
    async with (
        simulated(one) as first,
        simulated(two) as second,
        a_hub(db, tmp_path) as hub,
        a_hub(db, tmp_path),
    ):
        add_backend(db, first.url)
        add_backend(db, second.url)
        await hub.until(lambda tx: images(tx) == 10 and settled(tx))
        assert hub.see(attempts) == [1] * 10
    assert renders(one) + renders(two) == 10
    assert min(renders(one), renders(two)) > 0


@pytest.mark.parametrize("version", Version)
async def test_every_version_of_the_server_is_driven_alike(
    database: Database, tmp_path: Path, version: Version
) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image(), inverted()], children=1, leaves=2)
    async with simulated(tmp_path, version=version) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx, step=2) == 2 and settled(tx))
        assert hub.see(errors) == []
        assert hub.see(the_backend).version == version.value
    assert Tier.SMALL not in missing_tiers(hub.blobs, hub.see(_a_key))


def _a_key(tx: Tx) -> str:
    return tx.execute(select(ImageFile.image_path).limit(1)).scalar_one()
