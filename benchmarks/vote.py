"""How long a vote takes over HTTP, stored durably, in a database of a million images.

One client, then 16 clients at once, each sending its next vote when the last is answered. Hub and
clients share the machine.
"""

from __future__ import annotations

import json
import random
import time
from concurrent.futures import ProcessPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Final
from uuid import uuid4

from benchmarks.hub import running_hub, wait_until_it_answers
from benchmarks.report import Line, parser, report
from benchmarks.world import World, sqlite_world

CLIENTS: Final = 16
VOTES: Final = 150
WORLD: Final = World(1_000_000, 200, 64)


def main() -> None:
    arguments = parser(__doc__ or "").parse_args()
    with sqlite_world(WORLD) as database:
        path = Path(database.url.database or "")
        database.close()
        with running_hub(database=path) as (port, process):
            wait_until_it_answers(port, process)
            voting(port, 0, 30)
            single = voting(port, 1, VOTES)
            with ProcessPoolExecutor(CLIENTS) as pool:
                list(pool.map(voting, [port] * CLIENTS, range(CLIENTS), [1] * CLIENTS))
                began = time.perf_counter()
                ports, seeds = [port] * CLIENTS, range(100, 100 + CLIENTS)
                many = [
                    ms for all in pool.map(voting, ports, seeds, [VOTES] * CLIENTS) for ms in all
                ]
                rate = len(many) / (time.perf_counter() - began)
    report(
        "Votes over HTTP, 1,000,000 images",
        [
            Line("p95_ms_single", _percentile(single, 95), "ms", "under 10"),
            Line("p95_ms", _percentile(many, 95), "ms", f"under 25, {CLIENTS} clients"),
            Line("p50_ms", _percentile(many, 50), "ms"),
            Line("votes_per_s", rate, ""),
        ],
        as_json=arguments.json,
    )


def voting(port: int, seed: int, count: int) -> list[float]:
    """Milliseconds of each of `count` votes of one client."""
    rng = random.Random(seed)
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    times = []
    size = WORLD.bases * 8
    first = WORLD.bases * WORLD.runs * 7 + 1
    for _ in range(count):
        run = rng.randrange(WORLD.runs)
        left, right = rng.sample(range(first + run * size, first + (run + 1) * size), 2)
        act = {"id": str(uuid4()), "kind": "vote", "winner": left, "loser": right, "left": left}
        body = json.dumps({"acts": [act]})
        began = time.perf_counter()
        connection.request("POST", "/api/acts", body, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        times.append((time.perf_counter() - began) * 1000)
        assert answer["results"][0]["ok"], answer
    return times


def _percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


if __name__ == "__main__":
    main()
