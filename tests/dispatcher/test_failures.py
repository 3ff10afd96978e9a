"""What goes wrong at a server, and what a person reads about it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from dispatcher.watched import (
    attempts,
    count,
    errors,
    images,
    is_health,
    port_of,
    renders,
    settled,
    simulated,
    statuses,
    the_backend,
)
from rendering import (
    IMPATIENT,
    QUICK,
    a_hub,
    add_backend,
    drawn,
    inverted,
    make_run,
    plain_image,
    until,
)
from shortlist.domain.model import Health, JobStatus
from shortlist.simulator.options import Fault, FaultKind
from shortlist.store.db import Database, Tx
from shortlist.store.schema import ImageCandidate, PipelineRun, PipelineRunStep

pytestmark = pytest.mark.anyio


def at_saving(kind: FaultKind, *, times: int = 1, skip: int = 0, seconds: float = 0.0) -> Fault:
    return Fault(kind=kind, node_class="SaveImage", times=times, skip=skip, seconds=seconds)


async def test_a_refused_workflow_holds_its_step_and_names_the_node(
    database: Database, tmp_path: Path
) -> None:
    graph = drawn("base")
    graph["1"]["inputs"]["ckpt_name"] = "not-there.safetensors"
    with database.transaction() as tx:
        make_run(tx, [graph], name="broken", priority=5)
        make_run(tx, [plain_image()], leaves=2)
    async with simulated(tmp_path) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx) == 2 and settled(tx))
        ((kind, words),) = hub.see(errors)
        held = hub.see(lambda tx: tx.execute(_HELD).scalars().all())
    assert kind == "refused"
    assert '"Load Checkpoint" (CheckpointLoaderSimple) #1: ckpt_name is' in str(words)
    assert held == [words]


_HELD = select(PipelineRunStep.held_reason).where(PipelineRunStep.held_reason.is_not(None))


@pytest.mark.parametrize(
    ("kind", "stored", "words"),
    [
        (FaultKind.RAISE, "raised", "The SaveImage: boom: bad tensor"),
        (FaultKind.OUT_OF_MEMORY, "out of memory", "The SaveImage: "),
        (FaultKind.INTERRUPT, "stopped from outside", "Somebody stopped this job"),
    ],
)
async def test_a_base_step_that_fails_three_times_waits_for_a_person(
    database: Database, tmp_path: Path, kind: FaultKind, stored: str, words: str
) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image()], leaves=1)
    async with (
        simulated(tmp_path, at_saving(kind, times=99)) as server,
        a_hub(database, tmp_path, lookahead=1) as hub,
    ):
        add_backend(database, server.url)
        await hub.until(lambda tx: tx.execute(select(PipelineRun.base_failures)).scalar() == 3)
        await hub.until(settled)
        told = hub.see(errors)
    assert [each for each, _ in told] == [stored] * 3
    assert all(str(sentence).startswith(words) for _, sentence in told)


async def test_a_parent_whose_jobs_fail_is_parked_and_the_others_go_on(
    database: Database, tmp_path: Path
) -> None:
    faults = [
        Fault(kind=FaultKind.RAISE, node_class="ImageInvert", times=3),
    ]
    with database.transaction() as tx:
        make_run(tx, [plain_image(), inverted()], children=1, leaves=2)
    async with (
        simulated(tmp_path, *faults) as server,
        a_hub(database, tmp_path, lookahead=1) as hub,
    ):
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx, step=2) >= 2 and settled(tx))
        failures = hub.see(lambda tx: tx.execute(select(ImageCandidate.failures)).scalars().all())
    assert sum(failures) == 3


async def test_what_is_too_large_for_one_server_is_made_by_another(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image(), inverted()], children=2, leaves=3)
    small, large = tmp_path / "small", tmp_path / "large"
    too_small = Fault(kind=FaultKind.OUT_OF_MEMORY, node_class="ImageInvert", times=99)
    async with (
        simulated(small, too_small) as first,
        simulated(large) as second,
        a_hub(database, tmp_path, lookahead=1, pace=replace(QUICK, rest=60.0)) as hub,
    ):
        add_backend(database, first.url, name="small")
        await hub.until(lambda tx: len(errors(tx)) == 1)
        add_backend(database, second.url, name="large")
        await hub.until(lambda tx: images(tx, step=2) >= 3 and settled(tx))
        failures = hub.see(lambda tx: tx.execute(select(ImageCandidate.failures)).scalars().all())
        assert [kind for kind, _ in hub.see(errors)] == ["out of memory"]
    assert set(failures) == {0}


async def test_a_download_cut_short_is_repeated(database: Database, tmp_path: Path) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image()], leaves=1)
    cut = Fault(kind=FaultKind.TRUNCATE_VIEW)
    async with simulated(tmp_path, cut) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx) == 1 and settled(tx))
        assert hub.see(errors) == []
    assert renders(tmp_path) == 1


async def test_a_result_that_never_comes_whole_fails_with_a_reason(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image()], leaves=1)
    cut = Fault(kind=FaultKind.TRUNCATE_VIEW, times=20)
    async with (
        simulated(tmp_path, cut) as server,
        a_hub(database, tmp_path, lookahead=1) as hub,
    ):
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx) == 1 or len(errors(tx)) == 1)
        kind, words = hub.see(errors)[0]
    assert kind == "bad output"
    assert str(words).endswith(".")


async def test_a_workflow_that_gives_no_image_says_what_it_gives(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image()], leaves=1)
    block = Fault(kind=FaultKind.BLOCK, node_class="EmptyImage", times=99)
    async with (
        simulated(tmp_path, block) as server,
        a_hub(database, tmp_path, lookahead=1) as hub,
    ):
        add_backend(database, server.url)
        await hub.until(lambda tx: len(errors(tx)) >= 1)
        kind, words = hub.see(errors)[0]
    assert kind == "bad output"
    assert str(words).startswith("The output node saved no file. Run the workflow in ComfyUI")


async def test_a_job_that_hangs_is_given_up_and_the_server_named(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image()], leaves=1)
    hang = at_saving(FaultKind.HANG)
    async with (
        simulated(tmp_path, hang) as server,
        a_hub(database, tmp_path, pace=IMPATIENT) as hub,
    ):
        add_backend(database, server.url)
        await hub.until(lambda tx: errors(tx) and is_health(tx, Health.FAULTY))
        detail = hub.see(the_backend).health_detail
        ((kind, _),) = hub.see(errors)
    assert kind == "timed out"
    assert "Restart ComfyUI" in detail


async def test_a_server_whose_worker_died_gets_no_more_and_its_jobs_go_elsewhere(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image()], leaves=6)
    dead, well = tmp_path / "dead", tmp_path / "well"
    kill = at_saving(FaultKind.KILL_WORKER)
    async with (
        simulated(dead, kill) as zombie,
        simulated(well) as server,
        a_hub(database, tmp_path, pace=IMPATIENT) as hub,
    ):
        add_backend(database, zombie.url, name="zombie")
        await until(lambda: zombie.simulator.jobs.remaining() == 2)
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx) == 6)
        await hub.until(_nothing_holds_a_place)


def _nothing_holds_a_place(tx: Tx) -> bool:
    waiting = (JobStatus.PENDING, JobStatus.SUBMITTED, JobStatus.RUNNING)
    return not any(status in waiting for status in statuses(tx))


async def test_an_address_where_nothing_listens_says_so(database: Database, tmp_path: Path) -> None:
    async with simulated(tmp_path) as gone:
        url = gone.url
    async with a_hub(database, tmp_path) as hub:
        add_backend(database, url)
        await hub.until(lambda tx: is_health(tx, Health.LOST))
        assert "is ComfyUI running?" in hub.see(the_backend).health_detail
        async with simulated(tmp_path, port=int(url.rpartition(":")[2])):
            await hub.until(lambda tx: is_health(tx, Health.OK))
            assert hub.see(the_backend).health_detail == ""


async def test_an_address_where_something_else_answers_says_so(
    database: Database, tmp_path: Path
) -> None:
    async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(hello, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        async with a_hub(database, tmp_path) as hub:
            add_backend(database, f"http://127.0.0.1:{port}")
            await hub.until(lambda tx: is_health(tx, Health.FAULTY))
            assert "is this ComfyUI?" in hub.see(the_backend).health_detail


async def test_jobs_of_a_server_that_went_away_are_done_by_another(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [drawn("base")], leaves=3)
    gone, well = tmp_path / "gone", tmp_path / "well"
    async with a_hub(database, tmp_path) as hub:
        async with simulated(gone, seconds=30.0) as first:
            add_backend(database, first.url, name="gone")
            await hub.until(lambda tx: count(tx, JobStatus.RUNNING) == 1)
        async with simulated(well) as second:
            add_backend(database, second.url)
            await hub.until(lambda tx: images(tx) == 3)
            await hub.until(lambda tx: count(tx, JobStatus.CANCELLED) == 2)
    assert renders(gone) == 0


async def test_a_full_image_store_costs_no_result(database: Database, tmp_path: Path) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image()], leaves=2)
    async with simulated(tmp_path) as server, a_hub(database, tmp_path) as hub:
        unfinished = tmp_path / "images" / ".incoming"
        unfinished.rmdir()
        unfinished.touch()  # whoever wants to write below it gets an error, even root
        add_backend(database, server.url)
        await hub.until(lambda tx: "image folder" in the_backend(tx).health_detail)
        unfinished.unlink()
        unfinished.mkdir()
        await hub.until(lambda tx: images(tx) == 2 and the_backend(tx).health_detail == "")
        assert hub.see(attempts) == [1, 1]
    assert renders(tmp_path) == 2


async def test_one_bad_server_does_not_stop_the_others(database: Database, tmp_path: Path) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image()], leaves=6)
    hanging, slow, good = (tmp_path / name for name in ("hanging", "slow", "good"))
    async with (
        simulated(hanging, at_saving(FaultKind.HANG, times=9)) as first,
        simulated(slow, Fault(kind=FaultKind.SLOW_VIEW, seconds=0.5, times=9)) as second,
        simulated(good) as third,
        a_hub(database, tmp_path, pace=IMPATIENT) as hub,
    ):
        for server in (first, second, third):
            add_backend(database, server.url, name=str(port_of(server)))
        add_backend(database, "http://127.0.0.1:9", name="nobody")
        await hub.until(lambda tx: images(tx) == 6)
        await hub.until(_nothing_holds_a_place)
    assert renders(hanging) == 0
