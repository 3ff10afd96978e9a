"""How long it takes from a key to the next pair, how large the page's scripts are, and with
`--hour` whether an hour of voting makes the tab grow.

A demo with pictures of 2048 pixels, in a real Chromium without a GPU. The same measurement fails
the build above 100 ms (`tests/e2e/test_speed.py`), and above 60 and 200 KB (`web/vite.config.ts`).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from gzip import compress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final, cast
from urllib.request import urlopen

import shortlist
from benchmarks import browser
from benchmarks.hub import address, demo, end
from benchmarks.report import Line, parser, report

VOTES: Final = 60
HOUR: Final = 3_600
"""Votes; at one a second nobody is faster for an hour."""

CHUNKS: Final = 10
FINISHED: Final = 24
"""Images of the last step: 276 pairs."""

LAST_STEP: Final = 4
SCRIPTS: Final = """() => performance.getEntriesByType("resource")
  .map(entry => entry.name.split("/").pop()).filter(name => name.endsWith(".js"))"""
PLAYED_WITHIN: Final = 900.0


def main() -> None:
    arguments = parser(__doc__ or "")
    arguments.add_argument(
        "--hour",
        nargs="?",
        type=int,
        const=HOUR,
        default=0,
        metavar="VOTES",
        help=f"vote so many times more, {HOUR} if not said",
    )
    options = arguments.parse_args()
    path = browser.chromium_path()
    if path is None:
        sys.exit("No Chromium or Chrome found; set CHROMIUM to its path.")
    with (
        TemporaryDirectory() as folder,
        played(Path(folder)) as url,
        browser.chromium(path) as chromium,
    ):
        vote_screen = f"{url}/#/vote?run=1&step={LAST_STEP}"
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        page.goto(vote_screen)
        page.evaluate(browser.MEASURE)
        paints = browser.vote(page, VOTES)
        scripts = page.evaluate(SCRIPTS)
        page.close()
        lines = hour(browser.Tab(chromium, vote_screen), options.hour) if options.hour else []
    took = [paint.took for paint in paints]
    report(
        "Voting in a browser",
        [
            Line("key_to_paint_p95_ms", browser.p95(took), "ms", "under 100, wanted 50"),
            Line("key_to_paint_p50_ms", median(took), "ms"),
            Line("late_pictures", sum(len(paint.late) for paint in paints), "", "0"),
            Line("js_gzip_kb", gzipped(scripts), "KB", "under 60, to vote"),
            Line("all_js_gzip_kb", gzipped(["*"]), "KB", "under 200, all screens"),
            *lines,
        ],
        as_json=options.json,
    )


@contextmanager
def played(folder: Path) -> Iterator[str]:
    """The address of a demo that has made all its images."""
    process = demo(folder, finished=FINISHED)
    try:
        url = address(process)
        deadline = time.monotonic() + PLAYED_WITHIN
        while finished(url) < FINISHED:
            if time.monotonic() > deadline:
                sys.exit("The demo does not come to its end.")
            time.sleep(0.5)
        yield url
    finally:
        end(process)


def finished(url: str) -> int:
    with urlopen(f"{url}/api/runs/1", timeout=30) as answer:  # noqa: S310
        return cast("int", json.load(answer)["finished"])


def hour(tab: browser.Tab, votes: int) -> list[Line]:
    """So many votes as fast as they paint; what the tab holds after a tenth and at the end."""
    held = []
    for chunk in range(1, CHUNKS + 1):
        tab.vote(votes // CHUNKS)
        held.append(tab.memory())
        print(f"{chunk * votes // CHUNKS:,} votes: {held[-1]}", file=sys.stderr, flush=True)
    early, late = held[0], held[-1]
    lines = [
        Line("heap_growth_percent", _growth(early.heap_mb, late.heap_mb), "%", "within 10"),
        Line("heap_mb", {"after a tenth": early.heap_mb, "at the end": late.heap_mb}, "MB"),
        Line("nodes", {"after a tenth": early.nodes, "at the end": late.nodes}),
    ]
    if early.private_mb is None or late.private_mb is None:
        return lines
    return [
        *lines,
        Line("tab_growth_percent", _growth(early.private_mb, late.private_mb), "%", "within 10"),
        Line("tab_mb", {"after a tenth": early.private_mb, "at the end": late.private_mb}, "MB"),
    ]


def _growth(before: float, after: float) -> float:
    return (after / before - 1) * 100


def gzipped(names: Sequence[str]) -> float:
    """Kilobytes of these scripts of the built page, each gzipped."""
    page = Path(shortlist.__file__).parent / "web"
    files = {file for name in names for file in page.rglob(f"{name.removesuffix('.js')}.js")}
    return round(sum(len(compress(file.read_bytes(), 9)) for file in files) / 1024, 1)


if __name__ == "__main__":
    main()
