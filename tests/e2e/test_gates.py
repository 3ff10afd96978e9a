"""The approval dialog, provisional gates and the page of a run, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, cast

import pytest

from e2e.demo import faults
from e2e.gated import GatedRun, copied, gated_run, multiply

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Locator, Page

    from e2e.demo import Hub

SMALL = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 720}
MANY = 1000


@pytest.fixture(scope="module")
def hub(idle: tuple[Hub, Path]) -> Hub:
    """One hub for all these tests: each has runs of its own, and runs know nothing of another."""
    return idle[0]


@pytest.fixture(scope="module")
def undecided(hub: Hub) -> GatedRun:
    """Three base images and nine behind them, waiting to be decided, for tests that only look."""
    return gated_run(hub)


@pytest.fixture
def run(undecided: GatedRun, idle: tuple[Hub, Path]) -> GatedRun:
    """The same, for one test to decide."""
    return copied(idle[1], undecided)


def opened(page: Page, run: GatedRun, *, order: int = 2) -> Locator:
    """The dialog of a gate, with its pictures."""
    page.goto(f"{run.page}?gate={run.steps[order - 1]}")
    dialog = page.get_by_role("dialog")
    dialog.locator("[data-at]").first.wait_for()
    return dialog


def inside(dialog: Locator) -> list[int]:
    """The images on the side that will advance, as the page says them, best first."""
    found = dialog.locator("[data-at]").evaluate_all(
        """cards => cards
          .filter(card => card.querySelector("[aria-label*=', will advance']"))
          .map(card => Number(card.dataset.id))"""
    )
    return cast("list[int]", found)


def submit(dialog: Locator) -> Locator:
    return dialog.locator("button[type=submit]")


def test_a_whole_approval_by_keyboard(run: GatedRun, page: Page) -> None:
    page.goto(run.page)
    page.get_by_role("button", name="Preview approval").wait_for()
    page.keyboard.press("a")
    dialog = page.get_by_role("dialog", name="Face Fix: who goes on to Hand Fix?")
    slider = dialog.get_by_role("slider")
    slider.and_(page.locator(":focus")).wait_for()
    told = []
    for key in ("ArrowRight", "PageUp", "Home", "End", "PageDown", "ArrowLeft"):
        page.keyboard.press(key)
        told.append(submit(dialog).inner_text())
    assert told == [f"Advance {k}" for k in (4, 9, 1, 9, 4, 3)]
    assert slider.get_attribute("aria-valuetext") == "3 of 9 advance, 9 Hand Fix jobs"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.get_by_text(re.compile("starts in [0-9]+ s")).wait_for()
    assert dialog.count() == 0
    assert run.gate(2)["top_k"] == 2


def test_slider_stepper_field_and_cut_line_are_one_value(undecided: GatedRun, page: Page) -> None:
    dialog = opened(page, undecided)
    field, slider = dialog.get_by_role("spinbutton"), dialog.get_by_role("slider")
    dialog.get_by_role("button", name="One more").click()
    assert (field.input_value(), slider.input_value()) == ("4", "4")
    field.fill("7")
    assert (slider.input_value(), submit(dialog).inner_text()) == ("7", "Advance 7")
    slider.fill("2")
    assert (field.input_value(), len(inside(dialog))) == ("2", 2)
    grip = dialog.get_by_title("Drag to move the cut").bounding_box()
    card = dialog.locator("[data-at]").first.bounding_box()
    assert grip is not None
    assert card is not None
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + card["width"] * 2, y, steps=5)
    page.mouse.up()
    assert (field.input_value(), slider.input_value()) == ("4", "4")
    assert inside(dialog) == undecided.ranking(2)[:4]


def test_the_k_of_the_field_stays_between_one_and_all(undecided: GatedRun, page: Page) -> None:
    dialog = opened(page, undecided)
    field = dialog.get_by_role("spinbutton")
    field.fill("500")
    assert submit(dialog).inner_text() == "Advance 9"
    dialog.get_by_text("All 9 alive advance.").wait_for()
    field.fill("0")
    assert submit(dialog).inner_text() == "Advance 1"
    field.blur()
    assert field.input_value() == "1"


def test_an_approval_can_be_taken_back_before_it_starts(run: GatedRun, page: Page) -> None:
    dialog = opened(page, run)
    submit(dialog).click()
    page.get_by_text(re.compile("starts in [0-9]+ s")).wait_for()
    assert run.states()[1] == "approved"
    page.get_by_role("button", name="Undo").first.click()
    run.awaits(2)
    page.get_by_role("button", name="Preview approval").wait_for()
    assert run.made() == [3, 9, 0, 0]


def test_start_now_makes_images_of_the_chosen_alone(run: GatedRun, page: Page) -> None:
    best = run.ranking(2)[4:6]
    run.rank(best)
    dialog = opened(page, run)
    dialog.get_by_role("slider").fill("2")
    dialog.get_by_text("2 × 3 = 6 Hand Fix jobs").wait_for()
    submit(dialog).click()
    page.get_by_role("button", name="Start now").click()
    run.makes([3, 9, 6, 0])
    columns = cast("dict[str, list[int]]", run.hub.get(f"/runs/{run.id}/candidates")["columns"])
    rows = zip(columns["step_order"], columns["parent_id"], strict=True)
    assert {parent for order, parent in rows if order == 3} == set(best)


def test_approving_again_says_who_enters_and_leaves_and_what_that_costs(
    run: GatedRun, page: Page
) -> None:
    ranked = run.ranking(2)
    run.rank(ranked[:4])
    run.approve(2, 2)
    run.makes([3, 9, 6, 0])
    dialog = opened(page, run)
    dialog.get_by_text("Nobody would enter or leave").wait_for()
    order = run.ranking(2)
    dialog.get_by_role("slider").fill("1")
    dialog.get_by_text("1 would leave.").wait_for()
    dialog.get_by_text("3 images already made from those stay").wait_for()
    assert dialog.get_by_role("button", name=re.compile("leaves")).count() == 1
    dialog.get_by_role("slider").fill("4")
    dialog.get_by_text("2 would enter.").wait_for()
    dialog.get_by_text("6 Hand Fix jobs still to make of 4 × 3").wait_for()
    submit(dialog).click()
    page.get_by_role("button", name="Start now").click()
    run.hub.until(lambda: set(run.advancing(2)) == set(order[:4]), "the best four advance")


def test_pins_go_round_by_click_count_in_k_and_stay(run: GatedRun, page: Page) -> None:
    dialog = opened(page, run)
    last, first = run.ranking(2)[-1], run.ranking(2)[0]
    card = dialog.locator(f'[data-id="{last}"]')
    dialog.get_by_role("slider").focus()
    dialog.get_by_role("slider").fill("9")
    card.click()
    dialog.get_by_role("slider").fill("3")
    assert inside(dialog) == [*run.ranking(2)[:2], last]
    dialog.locator(f'[data-id="{first}"]').focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name=re.compile(f"-{first}, .*never advances")).wait_for()
    assert inside(dialog) == [*run.ranking(2)[1:3], last]
    page.reload()
    dialog.locator("[data-at]").first.wait_for()
    assert inside(dialog) == [*run.ranking(2)[1:3], last]
    card.click()
    dialog.get_by_role("button", name=re.compile(f"-{last}, .*never advances")).wait_for()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name=re.compile(f"-{last}, .*goes by rank")).wait_for()


def test_a_cap_per_base_image_guards_variety(run: GatedRun, page: Page) -> None:
    images = cast("dict[str, list[int]]", run.gate(2)["images"])
    base = min(images["base_id"])
    pairs = zip(images["id"], images["base_id"], strict=True)
    run.rank([id for id, of in pairs if of == base])
    dialog = opened(page, run)
    dialog.get_by_text(f"All 3 come from Base-{base}.").wait_for()
    dialog.get_by_label("At most, per Base").select_option("1")
    dialog.get_by_text("Each comes from another base image.").wait_for()
    assert len(inside(dialog)) == 3
    submit(dialog).click()
    page.get_by_text(re.compile("starts in")).wait_for()
    assert run.gate(2)["per_base"] == 1


def test_few_votes_are_told_and_lead_to_voting_and_back(run: GatedRun, page: Page) -> None:
    dialog = opened(page, run)
    dialog.get_by_text("9 of 9 have under 5 votes. This is close to a guess.").wait_for()
    dialog.get_by_role("slider").fill("5")
    dialog.get_by_role("button", name="Vote the pairs that decide").click()
    page.get_by_role("group", name="Which is better? Face Fix").wait_for()
    page.get_by_role("link", name="Back to the gate").click()
    dialog.get_by_role("slider").wait_for()
    assert dialog.get_by_role("slider").input_value() == "5"


def test_the_second_of_two_people_is_told_who_decided(
    run: GatedRun, page: Page, browser: Browser
) -> None:
    mine = opened(page, run)
    theirs = browser.new_context().new_page()
    submit(opened(theirs, run)).click()
    theirs.get_by_text(re.compile("starts in")).wait_for()
    mine.get_by_text(re.compile("approved this at .*, while you looked")).wait_for()
    assert submit(mine).is_disabled()
    assert mine.get_by_role("slider").is_disabled()
    mine.get_by_role("button", name="Look again").click()
    assert submit(mine).is_enabled()
    theirs.context.close()


def test_what_changed_elsewhere_is_announced_and_nothing_moves(run: GatedRun, page: Page) -> None:
    dialog = opened(page, run)
    before = run.ranking(2)
    victim = before[1]
    assert run.act({"kind": "kill", "candidate": victim})["ok"]
    dialog.get_by_text("1 image was rejected.").wait_for()
    assert dialog.locator(f'[data-id="{victim}"]').count() == 1
    dialog.get_by_role("button", name="Show", exact=True).click()
    assert dialog.locator(f'[data-id="{victim}"]').count() == 0


def test_without_the_hub_nothing_is_decided_and_the_dialog_stays(run: GatedRun, page: Page) -> None:
    dialog = opened(page, run)
    page.context.set_offline(True)
    # Whether the page has noticed by itself or only hears of it now.
    dialog.get_by_role("slider").press("Enter")
    dialog.get_by_text("This needs the server, which does not answer.").first.wait_for()
    assert run.states()[1] == "awaiting approval"
    page.context.set_offline(False)
    submit(dialog).and_(page.locator(":enabled")).click()
    page.get_by_text(re.compile("starts in")).wait_for()


def test_the_last_approval_names_winners_and_completes_the_run(run: GatedRun, page: Page) -> None:
    run.approve(2, 1)
    run.makes([3, 9, 3, 0])
    run.approve(3, 1)
    run.makes([3, 9, 3, 3])
    dialog = opened(page, run, order=4)
    dialog.get_by_role("heading", name="Upscale: which ones win?").wait_for()
    dialog.get_by_role("slider").fill("1")
    dialog.get_by_text("This names the winners and completes the run.").wait_for()
    dialog.get_by_role("button", name="Name 1 winner").click()
    page.get_by_role("button", name="Start now").click()
    page.get_by_text("completed").wait_for()


def test_back_closes_the_dialog_and_focus_returns(run: GatedRun, page: Page) -> None:
    page.goto(run.page)
    button = page.get_by_role("button", name="Preview approval")
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("slider").wait_for()
    page.go_back()
    page.get_by_role("dialog").wait_for(state="detached")
    assert button.evaluate("button => button === document.activeElement")


def a_night(hub: Hub) -> GatedRun:
    """A run whose two middle gates passed by themselves."""
    run = gated_run(
        hub,
        gates=("manual", "provisional", "provisional", "manual"),
        waiting={"minutes": 0},
    )
    run.awaits(4)
    return run


def test_what_passed_by_itself_is_confirmed_and_revised_with_one_key_each(
    hub: Hub, page: Page
) -> None:
    run = a_night(hub)
    page.goto(run.page)
    passed = page.get_by_role("region", name="Passed by itself")
    passed.get_by_text("so the best 3 of 9 went on").first.wait_for()
    assert passed.get_by_role("listitem").count() == 2
    page.keyboard.press("c")
    run.hub.until(lambda: not run.columns()[1]["provisional"], "the first is confirmed")
    page.wait_for_function(
        "() => document.querySelectorAll('[aria-labelledby=passed] li').length === 1"
    )
    page.keyboard.press("e")
    dialog = page.get_by_role("dialog", name="Hand Fix: who goes on to Upscale?")
    dialog.get_by_role("slider").fill("1")
    dialog.get_by_text("2 would leave. 6 images already made from those stay").wait_for()
    submit(dialog).click()
    page.get_by_role("button", name="Start now").click()
    run.hub.until(lambda: len(run.advancing(3)) == 1, "one image of Hand Fix goes on")
    passed.wait_for(state="detached")


def test_the_funnel_follows_the_numbers_while_they_are_typed(run: GatedRun, page: Page) -> None:
    page.goto(f"{run.hub.url}/#/new")
    pipeline = cast("dict[str, int]", run.hub.get(f"/runs/{run.id}")["pipeline"])
    page.get_by_label("Pipeline").select_option(str(pipeline["id"]))
    children, sum = page.get_by_label("Children per image (N)"), page.locator(".sum strong")
    for n, k, planned in ((5, 1, "28"), (3, 3, "30"), (5, 3, "48")):
        children.fill(str(n))
        for step in ("Face Fix", "Hand Fix"):
            page.get_by_label(f"Go on after {step} (K)").fill(str(k))
        sum.filter(has_text=re.compile(f"^{planned}$")).wait_for()
    page.get_by_role("img", name="Planned images: Base 3, Face Fix 15").wait_for()
    page.get_by_label("Name", exact=True).fill("Pier shoot")
    page.get_by_label("Prompt").fill("a pier")
    page.get_by_role("button", name="Start the run").click()
    page.get_by_role("heading", name="Pier shoot").wait_for()


def test_a_run_is_renamed_paused_copied_and_archived(run: GatedRun, page: Page) -> None:
    page.goto(run.page)
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Name", exact=True).fill("Pier shoot")
    page.get_by_label("Priority").fill("9")
    page.get_by_role("button", name="Add a variable").click()
    page.get_by_label("Name", exact=True).last.fill("denoise")
    page.get_by_label("Value denoise").fill("0.4")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("heading", name="Pier shoot").wait_for()
    told = run.hub.get(f"/runs/{run.id}")
    assert (told["name"], told["priority"], told["parameters"]) == (
        "Pier shoot",
        9,
        {"denoise": 0.4},
    )
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Go on").wait_for()
    page.get_by_role("button", name="Archive").click()
    page.get_by_role("button", name="Take out of the archive").wait_for()
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("heading", name="Pier shoot, copy").wait_for()


@pytest.mark.parametrize("size", [DESK, SMALL], ids=["desk", "phone"])
def test_axe_finds_nothing_in_a_run_its_gate_and_a_new_run(
    undecided: GatedRun, page: Page, size: dict[str, int]
) -> None:
    page.set_viewport_size({"width": size["width"], "height": size["height"]})
    for place in (undecided.page, f"{undecided.hub.url}/#/new"):
        page.goto(place)
        page.locator("main h2").first.wait_for()
        assert faults(page) == [], place
    opened(page, undecided)
    assert faults(page) == [], "gate"


# From the slider's event until the page is laid out anew.
SLIDE = """async () => {
  const slider = document.querySelector("dialog input[type=range]");
  const took = [];
  for (let i = 0; i < 120; i += 1) {
    await new Promise(resolve => requestAnimationFrame(resolve));
    const begin = performance.now();
    slider.value = String(1 + (i * 37) % 1000);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await Promise.resolve();
    document.body.getBoundingClientRect();
    document.querySelector("dialog .strip").getBoundingClientRect();
    took.push(performance.now() - begin);
  }
  return took;
}"""


# While the cut moves, a colour stands for a picture that is still to load.
BLURRED = """() => [...document.querySelectorAll("dialog [data-at] img")]
  .every(image => getComputedStyle(image).backgroundImage.startsWith("url("))"""


def test_a_thousand_images_are_few_in_the_page_and_follow_the_slider(
    run: GatedRun,
    page: Page,
    idle: tuple[Hub, Path],
    record_property: Callable[[str, object], None],
) -> None:
    multiply(idle[1], run, order=2, until=MANY)
    dialog = opened(page, run)
    took = sorted(cast("list[float]", page.evaluate(SLIDE)))
    record_property("slider_repaint_ms_median", median(took))
    record_property("slider_repaint_ms_p95", took[len(took) * 95 // 100])
    dialog.get_by_role("slider").fill("613")
    dialog.get_by_text("Will advance: 613").wait_for()
    assert dialog.locator("[data-at]").count() < 40
    assert dialog.locator(f'[data-id="{run.ranking(2)[612]}"]').count() == 1
    page.wait_for_function(BLURRED)
    submit(dialog).click()
    page.get_by_text(re.compile("starts in")).wait_for()
    page.get_by_role("button", name="Undo").first.click()
    run.hub.until(lambda: run.gate(2)["approved_at"] is None, "the approval is taken back")
