"""The hub and the simulator, to be killed as a power cut does, and a person who votes meanwhile."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import httpx2

from programs import Program


class Voter:
    """A person who votes without pause, through whatever the hub goes through.

    A vote whose answer did not come is sent again under its id, as a browser does.
    """

    def __init__(self) -> None:
        self.acknowledged: set[str] = set()
        self._unanswered: dict[str, object] | None = None
        self._url: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._vote)

    def turn_to(self, url: str | None) -> None:
        """Votes at that hub from now on."""
        self._url = url

    def __enter__(self) -> Voter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _vote(self) -> None:
        with httpx2.Client(timeout=5.0, trust_env=False) as http:
            while not self._stop.wait(0.01):
                with suppress(httpx2.HTTPError):
                    self._once(http, self._url)

    def _once(self, http: httpx2.Client, url: str | None) -> None:
        if url is None:
            return
        act = self._unanswered or self._next(http, url)
        if act is None:
            return
        self._unanswered = act
        answer = http.post(f"{url}/api/acts", json={"acts": [act]})
        answer.raise_for_status()
        (result,) = answer.json()["results"]
        self._unanswered = None
        if result["ok"]:
            self.acknowledged.add(str(act["id"]))

    def _next(self, http: httpx2.Client, url: str) -> dict[str, object] | None:
        answer = http.get(f"{url}/api/deck", params={"count": 1})
        answer.raise_for_status()
        pairs = answer.json()["pairs"]
        if not pairs:
            return None
        left, right = pairs[0]["left"]["id"], pairs[0]["right"]["id"]
        return {
            "id": str(uuid4()),
            "kind": "vote",
            "winner": left,
            "loser": right,
            "left": left,
            "shown_ms": 10,
        }


def hub(data: Path) -> Program:
    return Program("serve", "--data", str(data), "--port", "0", "--log-level", "ERROR")


def simulator(folder: Path, *, port: int = 0) -> Program:
    arguments = ("--folder", str(folder), "--port", str(port), "--seconds-per-image", "0.05")
    return Program("simulator", *arguments)
