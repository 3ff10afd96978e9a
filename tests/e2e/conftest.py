"""Real hubs with their simulators, for tests in a real browser."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from e2e.demo import FINISHED, Hub, until
from e2e.gated import workflow
from programs import Program, ending
from shortlist.simulator import demo
from shortlist.store.db import Database
from shortlist.store.migrate import upgrade
from shortlist.store.schema import PipelineStep

PLAYED_WITHIN = 240.0
"""Seconds; forty images are drawn and taken in within ten, on a busy machine much later."""
SIZE = {"width": 576, "height": 768}
"""Of base images: upscaled they still fill a screen, for half of what the usual ones cost."""

Start = Callable[..., Hub]


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a demo that has made all its images; the first worker makes it for all."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "played"
    done = folder / "done"
    try:
        folder.mkdir()
    except FileExistsError:
        until(done.exists, "a demo played by another worker", within=PLAYED_WITHIN)
        return folder
    with ending(_demo(folder, seconds_per_image=0.01)) as program:
        hub = Hub(program.url)
        wanted = f"{FINISHED} finished images, and nothing more to do"
        until(hub.is_done, wanted, within=PLAYED_WITHIN)
    done.touch()
    return folder


@pytest.fixture
def start_demo(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Start]:
    """Starts demos, each with data of its own, and ends them with the test.

    They begin with all images made, or, with `seconds_per_image`, with none. One that starts
    `in_place_of` another ends that and has its data and its address, as after an update.
    """
    running: dict[Hub, tuple[Path, Program]] = {}

    def start(*, seconds_per_image: float | None = None, in_place_of: Hub | None = None) -> Hub:
        folder, port = tmp_path / f"demo-{len(running)}", 0
        if in_place_of is not None:
            folder, before = running.pop(in_place_of)
            port = before.port
            before.stop()
        elif seconds_per_image is None:
            shutil.copytree(request.getfixturevalue("played"), folder)
        program = _demo(folder, seconds_per_image=seconds_per_image or 0.01, port=port)
        hub = Hub(program.url)
        running[hub] = (folder, program)
        return hub

    yield start
    for _, program in running.values():
        program.stop()


@pytest.fixture(scope="module")
def shared_demo(played: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One demo with all images made, for tests that follow on one another."""
    folder = tmp_path_factory.mktemp("shared") / "demo"
    shutil.copytree(played, folder)
    with ending(_demo(folder, seconds_per_image=0.01)) as program:
        yield Hub(program.url)


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, Path]]:
    """A hub whose demo run is paused, and its database: for the runs that tests add to it."""
    folder = tmp_path_factory.mktemp("idle")
    with ending(_demo(folder, seconds_per_image=0.01)) as program:
        hub = Hub(program.url)
        hub.post("/runs/1", {"status": "paused"}, method="PATCH")
        yield hub, folder / "demo" / "shortlist.db"


def _demo(folder: Path, *, seconds_per_image: float, port: int = 0) -> Program:
    if not (folder / "demo").exists():
        _smaller(folder)
    options = {
        "--data": str(folder),
        "--port": str(port),
        "--target-leaves": str(FINISHED),
        "--seconds-per-image": str(seconds_per_image),
        "--log-level": "WARNING",
    }
    return Program("demo", *(word for option in options.items() for word in option))


def _smaller(folder: Path) -> None:
    """Makes the sample run before the demo's first start does, for smaller pictures."""
    place = folder / "demo" / "shortlist.db"
    place.parent.mkdir(parents=True)
    upgrade(str(place))
    database = Database.open(str(place))
    with database.transaction() as tx:
        demo.ensure(tx, target_leaves=FINISHED, now=datetime.now(UTC))
        small = json.dumps(workflow("base", SIZE))
        base = update(PipelineStep).where(PipelineStep.order == 1)
        tx.execute(base.values(comfy_workflow_json=small))
    database.close()
