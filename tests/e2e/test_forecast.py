"""How many images a run will make, on its page while its gates change, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from e2e.gated import GatedRun, gated_run

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from e2e.demo import Hub


@pytest.fixture
def run(idle: tuple[Hub, Path]) -> GatedRun:
    """Three base images and nine behind them, waiting to be decided."""
    return gated_run(idle[0])


def test_planned_images_follow_pins_and_the_cap(run: GatedRun, page: Page) -> None:
    page.goto(run.page)
    planned = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Hand Fix"))
    planned.get_by_text("0 / 9").wait_for()
    pinned = run.ranking(2)[5:]
    for image in pinned:
        assert run.act({"kind": "pin", "candidate": image, "pin": "always"})["ok"]
    planned.get_by_text("0 / 12").wait_for()
    for image in pinned:
        assert run.act({"kind": "pin", "candidate": image, "pin": None})["ok"]
    decision = {"kind": "approve", "run_id": run.id, "step_id": run.steps[1], "top_k": 9}
    for cap, images in ((2, 18), (1, 9)):
        assert run.act({**decision, "per_base": cap, "hold_seconds": 60})["ok"]
        planned.get_by_text(f"/ {images}").wait_for()
