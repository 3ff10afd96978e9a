"""What comes of workflows that give something else than one still image."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from dispatcher.watched import errors, images, settled
from rendering import a_hub, add_backend, drawn, inverted, make_run, plain_image
from shortlist.domain.model import JobStatus
from shortlist.errors import BadInput
from shortlist.simulator.files import Place
from shortlist.simulator.nodes import Call, Done, NodeClass, catalogue
from shortlist.simulator.options import SimulatorOptions
from shortlist.simulator.server import running
from shortlist.store.db import Database, Tx
from shortlist.store.schema import ImageCandidate, Job

pytestmark = pytest.mark.anyio

WAY_OUT = "Only still images are supported: bind the output to a Save Image node."


def saving(run: Callable[[Call], Done]) -> NodeClass:
    """A pack's node that has taken the place of SaveImage."""
    return replace(catalogue()["SaveImage"], run=run)


def gives(key: str, *names: str) -> Callable[[Call], Done]:
    """Writes files of that name's kind, whatever it was given, and tells of them under `key`."""

    def run(call: Call) -> Done:
        folder, _, stem = call.text("filename_prefix").rpartition("/")
        place = call.folders.inside(Place.OUTPUT, folder)
        place.mkdir(parents=True, exist_ok=True)
        told: list[object] = []
        for name in names:
            (place / f"{stem}_{name}").write_bytes(b"no picture at all")
            told.append({"filename": f"{stem}_{name}", "subfolder": folder, "type": "output"})
        return Done(shown={key: told})

    return run


def says(text: str) -> Callable[[Call], Done]:
    return lambda _: Done(shown={"text": [text]})


def animates(call: Call) -> Done:
    frames = [drawing.image for drawing in call.images("images")]
    other = [frame.rotate(90) for frame in frames]
    saved = call.folders.save_animation(
        [*frames, *other, *frames], prefix=call.text("filename_prefix"), fps=8
    )
    return Done(shown={"images": [saved.entry()], "animated": [True]})


def three(call: Call) -> Done:
    """Each image three times, as a node that repeats a batch does."""
    return Done((tuple(call.images("image")) * 3,))


TRIPLE = replace(catalogue()["ImageInvert"], run=three)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (gives("gifs", "00001.mp4"), "made a video or an animation (s_00001.mp4)."),
        (gives("images", "00001_.webm"), "made a video or an animation (s_00001_.webm)."),
        (gives("audio", "00001_.flac"), "made a sound (s_00001_.flac)."),
        (gives("3d", "00001_.glb"), "made a 3D model (s_00001_.glb)."),
        (gives("files", "00001_.exr"), "made a file that is no image (s_00001_.exr)."),
        (gives("mixed", "1.mp4", "1.wav"), "made a video or an animation and a sound (s_1.mp4)."),
        (says("a caption"), "gave text."),
    ],
)
async def test_what_is_no_still_image_is_named_with_what_to_do(
    database: Database, tmp_path: Path, run: Callable[[Call], Done], words: str
) -> None:
    with database.transaction() as tx:
        make_run(tx, [plain_image()], leaves=1)
    options = SimulatorOptions(folder=tmp_path / "c", extra_nodes={"SaveImage": saving(run)})
    async with running(options) as server, a_hub(database, tmp_path, lookahead=1) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: len(errors(tx)) >= 1)
        assert hub.see(errors)[0] == ("bad output", f"The output node {words} {WAY_OUT}")
        assert hub.see(images) == 0


async def test_an_animation_in_the_form_of_a_picture_is_told_as_one(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        make_run(tx, [drawn("base")], leaves=1)
    nodes = {"SaveImage": saving(animates)}
    options = SimulatorOptions(folder=tmp_path / "c", extra_nodes=nodes, seconds_per_image=0.0)
    async with running(options) as server, a_hub(database, tmp_path, lookahead=1) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: len(errors(tx)) >= 1)
        kind, words = hub.see(errors)[0]
    assert kind == "bad output"
    assert "animation" in str(words)
    assert "still" in str(words)


async def test_a_still_beside_a_video_is_taken(database: Database, tmp_path: Path) -> None:
    def both(call: Call) -> Done:
        picture = catalogue()["SaveImage"].run(call).shown or {}
        video = gives("gifs", "preview.mp4")(call).shown or {}
        return Done(shown={**video, **picture})

    with database.transaction() as tx:
        make_run(tx, [plain_image()], leaves=1)
    options = SimulatorOptions(folder=tmp_path / "c", extra_nodes={"SaveImage": saving(both)})
    async with running(options) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx) == 1 and settled(tx))
        assert hub.see(errors) == []


async def test_of_several_outputs_only_the_bound_one_is_run(
    database: Database, tmp_path: Path
) -> None:
    graph = plain_image()
    graph["5"] = {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}}
    graph["8"] = {
        "class_type": "SaveImage",
        "inputs": {"images": ["5", 0], "filename_prefix": "other"},
        "_meta": {"title": "shortlist:output"},
    }
    with database.transaction() as tx:
        make_run(tx, [graph], leaves=1)
    options = SimulatorOptions(folder=tmp_path / "c")
    async with running(options) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx) == 1 and settled(tx))
        (sent,) = hub.see(lambda tx: tx.execute(select(Job.workflow)).scalars().all())
    assert set(json.loads(sent)) == {"1", "5", "8"}
    assert len(list((tmp_path / "c" / "output").rglob("*.png"))) == 1


async def test_a_batch_gives_a_candidate_an_image_and_a_parent_never_more_than_n(
    database: Database, tmp_path: Path
) -> None:
    step = inverted()
    step["2"]["class_type"] = "Triple"
    with database.transaction() as tx:
        make_run(tx, [plain_image(), step], children=2, leaves=2)
    options = SimulatorOptions(folder=tmp_path / "c", extra_nodes={"Triple": TRIPLE})
    async with running(options) as server, a_hub(database, tmp_path, lookahead=1) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx, step=2) >= 2 and settled(tx))
        children = hub.see(_children)
        kept = hub.see(lambda tx: tx.execute(_KEPT).scalars().all())
        assert hub.see(errors) == []
    assert max(children) == 2
    # What had no place stays with its job.
    assert sum(children) + sum(len(keys) for keys in kept) == 3 * len(kept)


_KEPT = select(Job.kept).where(Job.parent_id.is_not(None), Job.status == JobStatus.SUCCEEDED)


def _children(tx: Tx) -> list[int]:
    """Images of each parent that has any."""
    query = select(func.count()).where(ImageCandidate.parent_id.is_not(None))
    return list(tx.execute(query.group_by(ImageCandidate.parent_id)).scalars())


async def test_a_batch_size_in_the_workflow_is_set_to_one(
    database: Database, tmp_path: Path
) -> None:
    graph = plain_image()
    graph["1"]["inputs"]["batch_size"] = 4
    with database.transaction() as tx:
        make_run(tx, [graph], leaves=2)
    options = SimulatorOptions(folder=tmp_path / "c")
    async with running(options) as server, a_hub(database, tmp_path) as hub:
        add_backend(database, server.url)
        await hub.until(lambda tx: images(tx) == 2 and settled(tx))
    assert len(list((tmp_path / "c" / "output").rglob("*.png"))) == 2


@pytest.mark.parametrize(
    ("class_type", "made"),
    [
        ("SaveAnimatedWEBP", "a video or an animation"),
        ("VHS_VideoCombine_Save", "a video or an animation"),
        ("SaveAudioMP3", "a sound"),
        ("SaveGLB", "a 3D model"),
        ("SaveTextFile", "text"),
    ],
)
def test_a_workflow_that_ends_in_something_else_is_refused_with_its_node(
    database: Database, class_type: str, made: str
) -> None:
    graph = plain_image()
    graph["9"]["class_type"] = class_type
    with database.transaction() as tx, pytest.raises(BadInput) as refused:
        make_run(tx, [graph])
    assert f'"The SaveImage" ({class_type}) #9 gives {made}; only still images' in str(
        refused.value
    )
    assert "put a Save Image node" in str(refused.value)
