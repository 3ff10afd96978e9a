"""The event stream: what changes arrives in order, a gap is replayed, and what is gone is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import delete

from api.conftest import Started
from builders import NOW
from judging import Studio
from shortlist.dispatcher.progress import Progress
from shortlist.services import journal
from shortlist.store.schema import Event


@dataclass(frozen=True)
class Told:
    """One event as a browser gets it."""

    id: int | None
    kind: str
    data: dict[str, Any]


class Stream:
    """An open stream, read event by event."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines

    def opened(self) -> None:
        """Reads the greeting: from here on nothing is missed."""
        while next(self._lines) != "":
            pass

    def next(self) -> Told:
        fields: dict[str, str] = {}
        for line in self._lines:
            if line == "" and "event" in fields:
                id = int(fields["id"]) if "id" in fields else None
                return Told(id, fields["event"], json.loads(fields["data"]))
            if line == "":
                fields = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
        raise EOFError("the stream has ended")

    def until(self, kind: str) -> Told:
        """The next event of a kind, whatever comes before it."""
        while True:
            told = self.next()
            if told.kind == kind:
                return told


@contextmanager
def followed(
    client: httpx2.Client, after: int | None = None, last_event_id: str | None = None
) -> Iterator[Stream]:
    params = {} if after is None else {"after": after}
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    with client.stream("GET", "/api/events", params=params, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Stream(answer.iter_lines())


def last(client: httpx2.Client) -> int:
    number: int = client.get("/api/status").json()["last_event"]
    return number


def send(client: httpx2.Client, kind: str, **content: object) -> None:
    act = {"id": str(uuid4()), "kind": kind, **content}
    assert client.post("/api/acts", json={"acts": [act]}).json()["results"][0]["ok"]


def test_a_new_image_arrives_with_its_whole_card(client: httpx2.Client, studio: Studio) -> None:
    with followed(client, last(client)) as stream:
        made = studio.image()
        told = stream.until("candidate_made")
        assert told.data["run_id"] == studio.run
        shown = client.get(f"/api/candidates/{made}").json()
        card = told.data["candidate"]
        assert card == {name: shown[name] for name in card}


def test_votes_and_kills_and_undos_arrive_in_order(client: httpx2.Client, studio: Studio) -> None:
    base = studio.image()
    one, other = studio.images(2, base)
    with followed(client, last(client)) as stream:
        send(client, "vote", winner=one, loser=other, left=one)
        rated = stream.until("rated")
        assert rated.data["ratings"][str(one)] == {"elo": 1016.0, "votes": 1}
        send(client, "kill", candidate=base)
        fallen = stream.until("candidate_rejected")
        assert (fallen.data["root_id"], fallen.data["branch"]) == (base, 2)
        send(client, "undo")
        restored = stream.until("candidate_restored")
        assert (restored.data["root_id"], restored.data["branch"]) == (base, 2)
    numbers = [told.id for told in (rated, fallen, restored)]
    assert numbers == sorted(numbers)


def test_a_gap_is_replayed_from_the_last_event_the_browser_had(
    client: httpx2.Client, studio: Studio
) -> None:
    first, second = studio.images(2)
    begin = last(client)
    with followed(client, begin) as stream:
        send(client, "vote", winner=first, loser=second, left=first)
        seen = stream.until("rated").id
    send(client, "vote", winner=second, loser=first, left=first)
    third = studio.image()
    with followed(client, after=begin, last_event_id=str(seen)) as stream:
        again = stream.until("rated")
        assert again.id is not None
        assert seen is not None
        assert again.id > seen
        assert stream.until("candidate_made").data["candidate"]["id"] == third


def test_other_devices_are_told_which_pairs_were_judged_by_which_act(
    client: httpx2.Client, studio: Studio
) -> None:
    base = studio.image()
    a, b, c, d = studio.images(4, base)
    acts = [
        {"id": "on-the-phone", "kind": "tie", "a": b, "b": a, "left": b},
        {"id": "of-four", "kind": "worst", "worst": c, "images": [a, b, c, d]},
        {"id": "with-its-base", "kind": "vote", "winner": base, "loser": a, "left": a}
        | {"versus_parent": True},
    ]
    begin = last(client)
    for act in acts:
        assert client.post("/api/acts", json={"acts": [act]}).json()["results"][0]["ok"]
    with followed(client, begin) as stream:
        told = [stream.until("rated").data for _ in acts]
    assert [(each["act"], each["pairs"]) for each in told] == [
        ("on-the-phone", [f"{a}-{b}"]),
        ("of-four", [f"{a}-{c}", f"{b}-{c}", f"{c}-{d}"]),
        ("with-its-base", [f"{base}-{a}"]),
    ]


def test_a_replay_tells_only_the_newest_of_what_was_overtaken(
    client: httpx2.Client, studio: Studio
) -> None:
    one, other = studio.images(2)
    begin = last(client)
    for _ in range(5):
        send(client, "vote", winner=one, loser=other, left=one)
    with followed(client, begin) as stream:
        told = stream.until("rated")
    assert told.id == last(client)
    assert told.data["ratings"][str(one)]["votes"] == 5


@pytest.mark.parametrize("ahead", [10**6, 2**53])
def test_a_number_from_another_database_means_load_anew(
    ahead: int, client: httpx2.Client, studio: Studio
) -> None:
    studio.image()
    with followed(client, ahead) as stream:
        told = stream.next()
    assert (told.kind, told.id, told.data) == ("resync", last(client), {})


def test_events_that_were_dropped_mean_load_anew(fresh: Started) -> None:
    studio = Studio(fresh.database)
    studio.images(3)
    with fresh.database.transaction() as tx:
        tx.execute(delete(Event).where(Event.id < 5))
    with followed(fresh.client, 2) as stream:
        assert stream.next().kind == "resync"
        made = studio.image()
        assert stream.until("candidate_made").data["candidate"]["id"] == made


def test_a_page_that_slept_for_a_week_loads_anew(fresh: Started) -> None:
    Studio(fresh.database).images(3)
    fresh.database.run(lambda tx: journal.forget(tx, NOW + timedelta(days=8)))
    with followed(fresh.client, 1) as stream:
        assert stream.next().kind == "resync"


def test_a_page_that_was_never_here_hears_only_what_is_new(
    client: httpx2.Client, studio: Studio
) -> None:
    studio.image()
    with followed(client, last_event_id="not a number") as stream:
        stream.opened()
        made = studio.image()
        assert stream.until("candidate_made").data["candidate"]["id"] == made


def test_progress_comes_without_a_number(running: Started, client: httpx2.Client) -> None:
    progress = running.rooms.progress
    assert isinstance(progress, Progress)
    with followed(client, last(client)) as stream:
        stream.opened()
        running.loop.call_soon_threadsafe(
            lambda: progress.tell(7, value=3.0, max=20.0, node="KSampler")
        )
        told = stream.until("progress")
        running.loop.call_soon_threadsafe(lambda: progress.drop(7))
    told_of = {"job": 7, "value": 3.0, "max": 20.0, "node": "KSampler", "preview": None}
    assert told == Told(None, "progress", told_of)


def test_streams_are_bounded(client: httpx2.Client) -> None:
    with httpx2.Client(
        base_url=client.base_url, limits=httpx2.Limits(max_connections=200), timeout=30
    ) as many:
        open_streams = [followed(many, 0) for _ in range(70)]
        refused = 0
        entered = []
        try:
            for stream in open_streams:
                try:
                    stream.__enter__()
                    entered.append(stream)
                except AssertionError:
                    refused += 1
        finally:
            for stream in entered:
                stream.__exit__(None, None, None)
    assert refused >= 6
    assert client.get("/api/health").status_code == 200


def test_streams_end_with_the_hub(fresh: Started) -> None:
    with followed(fresh.client, 0) as stream:
        fresh.stop()
        with pytest.raises(EOFError):
            stream.until("never")
