"""Every answer of the walk at every level, by keys alone and by touch; one undo takes each back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

import pytest

from e2e.demo import Hub, Json, on_stage

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

STEPS: Final = ("Upscale", "Hand Fix", "Face Fix", "Base")
"""From the killed image to the base; the walk asks about all but the first."""

KEYS: Final = MappingProxyType(
    {
        "kill": "Shift+ArrowLeft",
        "before": "ArrowLeft",
        "this": "ArrowDown",
        "fine": "ArrowRight",
        "unknown": "ArrowUp",
        "cancel": "Escape",
        "undo": "z",
    }
)
BUTTONS: Final = MappingProxyType(
    {
        "kill": "Kill",
        "before": "Already wrong before",
        "this": "did it",
        "fine": "Still fine here",
        "unknown": "Don't know",
        "cancel": "Undo the kill",
        "undo": "Undo",
    }
)
Do = Callable[["Page", str], None]


@dataclass(frozen=True, slots=True)
class Hands:
    """A device, and how things are done on it."""

    width: int
    height: int
    do: Do


def press(page: Page, what: str) -> None:
    page.keyboard.press(KEYS[what])


def tap(page: Page, what: str) -> None:
    button = page.locator("main").get_by_role("button", name=BUTTONS[what]).first
    if what == "kill" and button.is_disabled():
        # One picture is seen at a time, and both are to be looked at first.
        page.get_by_role("group", name="Which is better?").tap()
    button.tap()


DEVICES: Final[Mapping[str, Hands]] = MappingProxyType(
    {
        "keys": Hands(1280, 800, press),
        "phone": Hands(390, 844, tap),
        "tablet": Hands(1024, 768, tap),
    }
)


@pytest.fixture
def hands(request: pytest.FixtureRequest) -> Hands:
    return DEVICES[request.param]


@pytest.fixture
def device(browser: Browser, hands: Hands) -> Iterator[Page]:
    size = {"width": hands.width, "height": hands.height}
    context = browser.new_context(viewport=size, has_touch=hands.do is tap)
    yield context.new_page()
    context.close()


def rejected(hub: Hub) -> set[int]:
    return {id for id, row in hub.candidates().items() if row["status"] == "rejected"}


def ancestry(hub: Hub, hash: str) -> list[int]:
    """The image of the last step with this hash, and what it was made from, to the base."""
    rows = hub.candidates()
    at = next(id for id, row in rows.items() if row["hash"] == hash and row["step_order"] == 4)
    line = [at]
    while (parent := rows[line[-1]]["parent_id"]) is not None:
        line.append(cast("int", parent))
    return line


def blamed(hub: Hub, killed: int) -> object:
    """The name of the step that the newest kill of an image was laid to; null for none."""
    kills = cast("list[Json]", hub.get(f"/candidates/{killed}")["kills"])
    return kills[-1]["blamed_step"]


def walk_to(page: Page, do: Do, level: int) -> None:
    """Kills the left picture of the pair, and says that it was wrong before, up to a level."""
    do(page, "kill")
    for step in STEPS[1:level]:
        asked(page, step)
        do(page, "before")
    asked(page, STEPS[level])


def asked(page: Page, step: str) -> None:
    page.get_by_role("button", name=f"{step} did it").and_(page.locator(":enabled")).wait_for()


@pytest.mark.parametrize(
    ("hands", "level"),
    [*((hands, level) for hands in ("keys", "phone") for level in (1, 2, 3)), ("tablet", 2)],
    indirect=["hands"],
)
def test_each_answer_rejects_and_blames_as_it_says(
    shared_demo: Hub, device: Page, hands: Hands, level: int
) -> None:
    hub = shared_demo
    device.goto(hub.last_step)
    pair = on_stage(device)
    line = ancestry(hub, pair[0])
    found = {}
    for answer in ("this", "fine", "unknown"):
        walk_to(device, hands.do, level)
        hands.do(device, answer)
        device.get_by_role("heading", name="Where did it go wrong?").wait_for(state="detached")
        found[answer] = (rejected(hub), blamed(hub, line[0]))
        on_stage(device)
        hands.do(device, "undo")
        hub.until(lambda: not rejected(hub), "all are back", page=device)
        assert on_stage(device) == pair
    assert found == {
        "this": (set(line[: level + 1]), STEPS[level]),
        "fine": (set(line[:level]), STEPS[level - 1]),
        "unknown": (set(line[:level]), None),
    }


@pytest.mark.parametrize("hands", ["phone"], indirect=True)
def test_the_base_can_not_be_wrong_before_and_the_kill_is_called_off(
    shared_demo: Hub, device: Page, hands: Hands
) -> None:
    hub = shared_demo
    device.goto(hub.last_step)
    pair = on_stage(device)
    walk_to(device, hands.do, len(STEPS) - 1)
    assert device.get_by_role("button", name=BUTTONS["before"]).is_disabled()
    hands.do(device, "cancel")
    assert on_stage(device) == pair
    hub.until(lambda: not rejected(hub), "nothing is rejected", page=device)
