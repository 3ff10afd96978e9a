"""What a move of the approval dialog's slider costs the page: a thousand images, a real Chromium.

A move is an `input` event of the slider, sent by a script as a drag sends them: the next one 50 ms
after the frame of the one before, so that the dialog never rests. It is measured in the browser's
own trace, from the event to the end of the commit of the first frame after it: handler, scripts,
style, layout, pre-paint, paint, commit, and whatever else the main thread does meanwhile, such as
taking in pictures of earlier moves. No part of it is what comes behind the main thread (raster,
compositing, the screen), nor pictures still to load, for which a card shows a colour.

`own` is what the main thread worked in that time, by the thread's own clock. `wall` is the time
itself: with the wait for the next frame to begin, up to 16.7 ms on an idle machine, and for the
processor where others use it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Final, cast

from PIL import Image
from sqlalchemy import bindparam, select, update

from benchmarks import browser
from benchmarks.report import Line
from shortlist.images.blobs import Blobs
from shortlist.images.renditions import render
from shortlist.store.db import Tx
from shortlist.store.schema import ImageCandidate, ImageFile

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MOVES: Final = 120
IMAGES: Final = 1_000
SEED: Final = 1
TRACED: Final = ("devtools.timeline", "disabled-by-default-devtools.timeline", "blink.user_timing")
PARTS: Final = {
    "style": ("UpdateLayoutTree",),
    "layout": ("Layout",),
    "paint": ("PrePaint", "Paint", "Layerize", "Commit"),
}
"""Names of the trace by what they are; all other work is scripts, but for small change."""

MOVE: Final = """async ({ places, pause }) => {
  const slider = document.querySelector("dialog input[type=range]");
  const rest = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));
  const frame = () => new Promise(resolve => requestAnimationFrame(resolve));
  for (const [number, place] of places.entries()) {
    await rest(pause);
    performance.mark(`move-${number}`);
    slider.value = String(place);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await frame();
  }
  await frame();
  await rest(pause);
}"""
PAUSE_MS: Final = 50


@dataclass(frozen=True, slots=True)
class Move:
    """One move in milliseconds, by the main thread's own clock and by the wall's."""

    own: float
    wall: float
    parts: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Slice:
    """What a thread did for a while, in microseconds by the wall's clock and by its own."""

    name: str
    begins: float
    ends: float
    own_begins: float
    own_ends: float


def illustrate(tx: Tx, folder: Path, *, step_id: int) -> None:
    """Gives each image of a step a picture of its own, in a hub's data folder."""
    image = ImageCandidate
    blobs = Blobs.open(str(folder / "images"))
    rng = Random(SEED)
    ids = tx.execute(select(image.id).where(image.pipeline_step_id == step_id)).scalars().all()
    for id in ids:
        picture = _picture(rng)
        rendered = render(picture)
        tx.execute(
            update(ImageFile).where(ImageFile.candidate_id == bindparam("which")),
            {
                "which": id,
                "image_path": blobs.put_image(picture, rendered),
                "content_hash": rendered.sha256,
                "thumbhash": b64encode(rendered.thumbhash).decode(),
            },
        )


def _picture(rng: Random) -> bytes:
    """Clouds of colour, as large as a card's picture."""
    clouds = Image.frombytes("RGB", (6, 8), rng.randbytes(6 * 8 * 3))
    kept = BytesIO()
    clouds.resize((240, 320), Image.Resampling.BICUBIC).save(kept, "PNG", compress_level=1)
    return kept.getvalue()


def lines(chromium: Browser, gate: str) -> list[Line]:
    """What jumps to quite other pictures cost, and steps of one or few; `gate` is an address."""
    rng = Random(SEED)
    jumps = [1 + number * 373 % IMAGES for number in range(MOVES)]
    steps = list(accumulate(rng.choices((1, 2, 3, 5), k=MOVES), initial=IMAGES // 4))[1:]
    moves = {"jumps": moved(chromium, gate, jumps), "steps": moved(chromium, gate, steps)}

    def each(of: str) -> dict[str, list[float]]:
        return {kind: [getattr(move, of) for move in done] for kind, done in moves.items()}

    own, wall = each("own"), each("wall")
    parts = {
        f"{kind}, {part}": median(move.parts[part] for move in done)
        for kind, done in moves.items()
        for part in done[0].parts
    }
    return [
        Line("slider_ms", _of_each(own, median), "ms", "under 16"),
        Line("slider_p95_ms", _of_each(own, browser.p95), "ms", "under 16"),
        Line("slider_parts_ms", parts, "ms"),
        Line("slider_wall_ms", _of_each(wall, median), "ms"),
        Line("slider_wall_p95_ms", _of_each(wall, browser.p95), "ms"),
    ]


def _of_each(
    times: dict[str, list[float]], measure: Callable[[Sequence[float]], float]
) -> dict[str, float]:
    return {kind: measure(taken) for kind, taken in times.items()}


def moved(chromium: Browser, gate: str, places: Sequence[int]) -> list[Move]:
    """Moves the slider to each of the places in turn, in a page of its own."""
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    page.goto(gate)
    page.locator("dialog [data-at]").first.wait_for()
    page.wait_for_load_state("networkidle")
    chromium.start_tracing(page=page, categories=list(TRACED))
    page.evaluate(MOVE, {"places": places, "pause": PAUSE_MS})
    trace = chromium.stop_tracing()
    page.close()
    return _moves(cast("list[dict[str, object]]", json.loads(trace)["traceEvents"]))


def _moves(trace: list[dict[str, object]]) -> list[Move]:
    marks = [event for event in trace if str(event["name"]).startswith("move-")]
    thread = marks[0]["pid"], marks[0]["tid"]
    slices = [_slice(event) for event in trace if (event["pid"], event["tid"]) == thread]
    slices.sort(key=lambda each: each.begins)
    return [_move(_slice(mark), slices) for mark in marks]


def _slice(event: dict[str, object]) -> _Slice:
    begins, took, own_begins, own = (
        float(cast("float", event.get(key, 0))) for key in ("ts", "dur", "tts", "tdur")
    )
    return _Slice(str(event["name"]), begins, begins + took, own_begins, own_begins + own)


def _move(mark: _Slice, slices: Sequence[_Slice]) -> Move:
    commit = next(each for each in slices if each.name == "Commit" and each.begins >= mark.begins)
    within = [each for each in slices if mark.begins <= each.begins <= commit.begins]
    parts = {
        part: sum(_own(each) for each in _outermost(within, names)) for part, names in PARTS.items()
    }
    own = (commit.own_ends - mark.own_begins) / 1000
    parts["scripts and the rest"] = own - sum(parts.values())
    return Move(own, (commit.ends - mark.begins) / 1000, parts)


def _own(slice: _Slice) -> float:
    return (slice.own_ends - slice.own_begins) / 1000


def _outermost(slices: Sequence[_Slice], names: Sequence[str]) -> list[_Slice]:
    """Those of these names that lie in no other of them: layers are painted within a page."""
    found: list[_Slice] = []
    for each in slices:
        if each.name in names and (not found or each.begins >= found[-1].ends):
            found.append(each)
    return found
