"""A running hub as tests see it, and the hands of a person on its page."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.error import HTTPError

import pytest

from benchmarks.browser import until_a_key_counts

if TYPE_CHECKING:
    from playwright.sync_api import Page

COMES_WITHIN = 60.0
"""Seconds until a condition of a test has to hold."""
FINISHED = 12
"""Finished images of the demo's run in these tests: 66 pairs in the last step."""

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Hub:
    """A running hub, seen over its own interface."""

    url: str

    def get(self, path: str) -> Json:
        """The answer of `/api<path>`."""
        return _answered(f"{self.url}/api{path}")

    def post(self, path: str, body: Json, *, method: str = "POST") -> Json:
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/api{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Origin": self.url},
            method=method,
        )
        return _answered(request)

    def candidates(self) -> dict[int, Json]:
        """All images of the demo's run by id, each with its fields."""
        columns = cast("dict[str, list[object]]", self.get("/runs/1/candidates")["columns"])
        names = list(columns)
        rows = (dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True))
        return {cast("int", row["id"]): row for row in rows}

    @property
    def last_step(self) -> str:
        """The address of the Vote screen, held to the last step."""
        columns = cast("list[Json]", self.get("/runs/1")["columns"])
        return f"{self.url}/#/vote?run=1&step={columns[-1]['step_order']}"

    def finished(self) -> int:
        """Live images of the last step."""
        return cast("int", self.get("/runs/1")["finished"])

    def is_done(self) -> bool:
        """Whether it has its finished images, nothing at work and nothing to begin with."""
        status = self.get("/status")
        at_work = any(backend["in_flight"] for backend in cast("list[Json]", status["backends"]))
        return self.finished() >= FINISHED and not at_work and status["next_job"] is None

    def acts(self) -> list[Json]:
        """This person's acts, newest first."""
        return cast("list[Json]", self.get("/acts?limit=100"))

    def until(self, holds: Callable[[], object], what: str, *, page: Page | None = None) -> None:
        """Waits until `holds` gives something true; `page` is served meanwhile."""
        until(holds, what, page=page)


def _answered(request: str | urllib.request.Request) -> Json:
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return cast("Json", json.load(answer))
    except HTTPError as refusal:
        # It holds its connection, and a test that keeps it would warn in a later one.
        refusal.close()
        raise


def until(
    holds: Callable[[], object],
    what: str,
    *,
    page: Page | None = None,
    within: float = COMES_WITHIN,
) -> None:
    """Waits until `holds` gives something true; `page` is served meanwhile."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within:.0f} s: {what}")
        if page is None:
            time.sleep(0.1)
        else:
            page.wait_for_timeout(100)


def on_stage(page: Page) -> tuple[str, str]:
    """The content hashes of the pictures being judged, left then right, once a key counts."""
    until_a_key_counts(page)
    return pictures(page)


def pictures(page: Page) -> tuple[str, str]:
    """The content hashes of the pair on the stage, left then right."""
    urls = page.eval_on_selector_all(
        '[data-place="current"] img.tier', "images => images.map(image => image.src)"
    )
    left, right = (cast("str", url).split("/images/")[1].split("/")[0] for url in urls)
    return left, right


def press(page: Page, key: str) -> tuple[str, str]:
    """Presses a key that judges the pair on the stage; gives the pair it judged."""
    judged = on_stage(page)
    page.keyboard.press(key)
    return judged


def faults(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds wrong: each rule that is broken, and where."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run().then(told => told.violations)")
    return [
        (each["id"], [node["html"][:150] + node["failureSummary"] for node in each["nodes"]])
        for each in found
    ]
