"""How long a vote takes over HTTP, stored durably, in a database of a million images.

One client, then 16 clients at once, each sending its next vote when the last is answered; then
16 people at the pace of hands, a vote each every half second. Hub and clients share the machine.
`floor_p95_ms` is what the 16 clients wait for an answer that needs no database.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
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
VOTES_BY_HAND: Final = 40
SECONDS_A_VOTE: Final = 0.5
Act = Callable[[int, int, int], list[float]]
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
                at_once(pool, voting, port, 1)
                nothing = at_once(pool, asking, port, VOTES)
                began = time.perf_counter()
                many = at_once(pool, voting, port, VOTES)
                rate = len(many) / (time.perf_counter() - began)
                hands = at_once(pool, at_the_pace_of_hands, port, VOTES_BY_HAND)
    report(
        "Votes over HTTP, 1,000,000 images",
        [
            Line("p95_ms_single", _percentile(single, 95), "ms", "under 10"),
            Line("p95_ms", _percentile(many, 95), "ms", f"under 25, {CLIENTS} clients"),
            Line("p50_ms", _percentile(many, 50), "ms"),
            Line("floor_p95_ms", _percentile(nothing, 95), "ms"),
            Line("votes_per_s", rate, ""),
            Line("by_hand_p95_ms", _percentile(hands, 95), "ms"),
        ],
        as_json=arguments.json,
    )


def at_once(pool: ProcessPoolExecutor, act: Act, port: int, count: int) -> list[float]:
    """What all clients together waited, each `count` times."""
    times = pool.map(act, [port] * CLIENTS, range(100, 100 + CLIENTS), [count] * CLIENTS)
    return [ms for all in times for ms in all]


def voting(port: int, seed: int, count: int) -> list[float]:
    """Milliseconds of each of `count` votes of one client."""
    rng, connection = random.Random(seed), _connection(port)
    return [_vote(connection, rng) for _ in range(count)]


def at_the_pace_of_hands(port: int, seed: int, count: int) -> list[float]:
    """The same with `SECONDS_A_VOTE` between a vote and the next, and beginning at any moment."""
    rng, connection = random.Random(seed), _connection(port)
    times, next_at = [], time.perf_counter() + rng.random() * SECONDS_A_VOTE
    for _ in range(count):
        time.sleep(max(0.0, next_at - time.perf_counter()))
        times.append(_vote(connection, rng))
        next_at += SECONDS_A_VOTE
    return times


def asking(port: int, _: int, count: int) -> list[float]:
    """Milliseconds of each of `count` questions whether the hub is alive."""
    connection = _connection(port)
    return [_asked(connection, "GET", "/api/health")[1] for _ in range(count)]


def _vote(connection: HTTPConnection, rng: random.Random) -> float:
    size = WORLD.bases * 8
    first = WORLD.bases * WORLD.runs * 7 + 1 + rng.randrange(WORLD.runs) * size
    left, right = rng.sample(range(first, first + size), 2)
    act = {"id": str(uuid4()), "kind": "vote", "winner": left, "loser": right, "left": left}
    answer, ms = _asked(connection, "POST", "/api/acts", json.dumps({"acts": [act]}))
    assert json.loads(answer)["results"][0]["ok"], answer
    return ms


def _asked(
    connection: HTTPConnection, method: str, path: str, body: str | None = None
) -> tuple[bytes, float]:
    """The answer, and after how many milliseconds it was there."""
    headers = {} if body is None else {"Content-Type": "application/json"}
    began = time.perf_counter()
    connection.request(method, path, body, headers)
    answer = connection.getresponse().read()
    return answer, (time.perf_counter() - began) * 1000


def _connection(port: int) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", port, timeout=30)


def _percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


if __name__ == "__main__":
    main()
