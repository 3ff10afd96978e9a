"""How soon `shortlist serve` answers on an empty data folder, and what it holds while idle."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.hub import running_hub, wait_until_it_answers
from benchmarks.report import Line, parser, report

STARTS: Final = 5
IDLE_SECONDS: Final = 5.0


def main() -> None:
    arguments = parser(__doc__ or "").parse_args()
    starts = [_start() for _ in range(STARTS)]
    report(
        "Start on an empty data folder",
        [
            Line("first_answer_s", median(seconds for seconds, _ in starts), "s", "within 2"),
            Line("idle_rss_mb", max(resident for _, resident in starts), "MB", "below 150"),
        ],
        as_json=arguments.json,
    )


def _start() -> tuple[float, float]:
    """Seconds to the first answer, and resident megabytes of the idle hub."""
    began = time.perf_counter()
    with running_hub() as (port, process):
        wait_until_it_answers(port, process)
        answered = time.perf_counter() - began
        time.sleep(IDLE_SECONDS)
        return answered, _resident(process.pid)


def _resident(pid: int) -> float:
    """Megabytes of a process and its children, read from Linux's /proc."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return pages * 4096 / 1e6 + sum(_resident(int(child)) for child in children)


if __name__ == "__main__":
    main()
