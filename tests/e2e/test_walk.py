"""Kill-left in a real browser: to the base, to one step, and back again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from e2e.demo import Hub, on_stage, pictures, press

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from e2e.conftest import Start


def dead(hub: Hub) -> set[int]:
    """Images that are rejected or hang below a rejected one."""
    return {
        id for id, row in hub.candidates().items() if row["dead"] or row["status"] == "rejected"
    }


def asked(page: Page, step: str) -> None:
    page.locator('[aria-current="step"]', has_text=step).wait_for()
    page.get_by_role("button", name=f"{step} did it").and_(page.locator(":enabled")).wait_for()


def walk_to_the_base(page: Page) -> None:
    for step in ("Hand Fix", "Face Fix"):
        asked(page, step)
        page.keyboard.press("ArrowLeft")
    asked(page, "Base")
    assert page.get_by_role("button", name="Already wrong before").is_disabled()
    page.keyboard.press("ArrowDown")
    page.get_by_text("Blamed: Base").first.wait_for()


def killed_with_family(hub: Hub, hash: str) -> list[int]:
    """From the killed image to its base."""
    rows = hub.candidates()
    at = next(id for id, row in rows.items() if row["hash"] == hash and row["step_order"] == 4)
    line = []
    while at is not None:
        line.append(at)
        at = rows[at]["parent_id"]
    return line


def test_already_wrong_leads_to_the_base_and_one_undo_brings_all_back(
    start_demo: Start, page: Page
) -> None:
    hub = start_demo()
    page.goto(hub.url)
    pair = press(page, "Shift+ArrowLeft")
    family = killed_with_family(hub, pair[0])
    walk_to_the_base(page)
    rows = hub.candidates()
    assert {id for id in family if rows[id]["status"] == "rejected"} == set(family)
    branch = dead(hub)
    assert len(branch) > len(family)

    # The branch has stopped: nothing new hangs below the rejected base.
    made = hub.finished()
    base = family[-1]
    shown = on_stage(page)
    hashes = {rows[id]["hash"] for id in branch if rows[id]["step_order"] == 4}
    assert not hashes & set(shown)

    page.keyboard.press("z")
    hub.until(lambda: base not in dead(hub), "the branch is back")
    assert pictures(page) == pair
    assert not dead(hub) & set(family)
    hub.until(lambda: hub.finished() >= made, "the finished ones count again")


def test_no_job_is_chosen_from_a_killed_branch(start_demo: Start, page: Page) -> None:
    hub = start_demo(seconds_per_image=0.3)
    hub.until(lambda: hub.finished() >= 2, "a pair in the last step")
    page.goto(hub.url)
    pair = press(page, "Shift+ArrowRight")
    family = killed_with_family(hub, pair[1])
    walk_to_the_base(page)
    newest = max(job["id"] for job in hub.get("/jobs?run=1&limit=1"))
    hub.until(
        lambda: max(job["id"] for job in hub.get("/jobs?run=1&limit=1")) > newest + 8,
        "eight more jobs",
    )
    later = [job for job in hub.get("/jobs?run=1&limit=50") if job["id"] > newest]
    branch = dead(hub)
    assert set(family) <= branch
    assert not {job["parent_id"] for job in later} & branch


def test_still_fine_rejects_the_killed_image_alone(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.url)
    pair = press(page, "Shift+ArrowLeft")
    asked(page, "Hand Fix")
    page.keyboard.press("ArrowRight")
    page.get_by_text("Blamed: Upscale").first.wait_for()
    assert dead(hub) == {killed_with_family(hub, pair[0])[0]}
    assert pair[0] not in on_stage(page)


def test_this_step_did_it_rejects_the_image_asked_about(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.url)
    pair = press(page, "Shift+ArrowLeft")
    asked(page, "Hand Fix")
    page.keyboard.press("ArrowLeft")
    asked(page, "Face Fix")
    page.keyboard.press("ArrowDown")
    page.get_by_text("Blamed: Face Fix").first.wait_for()
    killed, hand, face, base = killed_with_family(hub, pair[0])
    rows = hub.candidates()
    rejected = {id for id, row in rows.items() if row["status"] == "rejected"}
    assert rejected == {killed, hand, face}
    assert rows[base]["status"] == "active"


def test_dont_know_leaves_the_cause_open(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.url)
    pair = press(page, "Shift+ArrowLeft")
    asked(page, "Hand Fix")
    page.keyboard.press("ArrowUp")
    page.get_by_role("heading", name="Where did it go wrong?").wait_for(state="detached")
    killed = killed_with_family(hub, pair[0])[0]
    assert dead(hub) == {killed}
    assert [kill["blamed_step"] for kill in hub.get(f"/candidates/{killed}")["kills"]] == [None]


def test_escape_cancels_the_kill_and_shows_the_same_pair(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.url)
    pair = press(page, "Shift+ArrowLeft")
    asked(page, "Hand Fix")
    page.keyboard.press("ArrowLeft")
    asked(page, "Face Fix")
    page.keyboard.press("Escape")
    assert on_stage(page) == pair
    hub.until(lambda: not dead(hub), "nothing is rejected")


def test_later_keeps_the_kill_and_w_opens_the_walk_again(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.url)
    pair = press(page, "Shift+ArrowLeft")
    asked(page, "Hand Fix")
    page.keyboard.press("l")
    assert pair[0] not in on_stage(page)
    page.keyboard.press("w")
    asked(page, "Hand Fix")
    page.keyboard.press("ArrowRight")
    page.get_by_text("Blamed: Upscale").first.wait_for()


def test_the_walk_is_answered_by_mouse_alone(start_demo: Start, page: Page) -> None:
    hub = start_demo()
    page.goto(hub.url)
    on_stage(page)
    page.get_by_role("button", name="Kill right").click()
    asked(page, "Hand Fix")
    page.get_by_role("button", name="Already wrong before").click()
    asked(page, "Face Fix")
    page.get_by_role("button", name="Face Fix did it").click()
    page.get_by_text("Blamed: Face Fix").first.wait_for()
    page.get_by_role("button", name="Undo").last.click()
    hub.until(lambda: not dead(hub), "nothing is rejected")
