"""What is sent wrongly is refused in one sentence, and never breaks the hub."""

from __future__ import annotations

import socket

import httpx2
import pytest

from api.conftest import Started

JSON = {"Content-Type": "application/json"}


def refused(answer: httpx2.Response) -> str:
    """The sentence of a refusal."""
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert "Traceback" not in answer.text
    assert "/" not in body["detail"].replace("application/json", "")
    sentence: str = body["detail"]
    return sentence


def inspect(client: httpx2.Client, body: bytes) -> httpx2.Response:
    return client.post("/api/workflows/inspect", content=body, headers=JSON)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b'{"workflow": NaN}',
        b'{"workflow": {"1": {"class_type": "X", "inputs": {"a": Infinity}}}}',
        b'{"workflow": {"1": {"class_type": "X", "inputs": {"a": 1e400}}}}',
        b'{"workflow": {"1": {"class_type": "X", "inputs": {"a": ' + b"9" * 10_000 + b"}}}}",
        b'{"workflow": "\\ud800"}',
        b'{"workflow": "\\u0000"}',
        b'{"\\u0000": 1}',
        b'{"workflow": {}, "workflow": {}}',
        b'\xff\xfe{"a": 1}',
        b"null",
        b"3",
        b'"text"',
        b"[]",
    ],
    ids=range(19),
)
def test_json_that_no_database_keeps_is_refused(body: bytes, client: httpx2.Client) -> None:
    refused(inspect(client, body))
    assert client.get("/api/health").status_code == 200


def test_a_backslash_before_u0000_is_text(client: httpx2.Client) -> None:
    graph = {"1": {"class_type": "X", "inputs": {"text": "\\u0000"}}}
    assert client.post("/api/workflows/inspect", json={"workflow": graph}).status_code == 200


def test_emoji_written_as_a_surrogate_pair_is_taken(client: httpx2.Client) -> None:
    body = b'{"workflow": {"1": {"class_type": "X", "inputs": {"t": "\\ud83d\\ude00"}}}}'
    answer = inspect(client, body)
    assert answer.json()["graph"]["1"]["inputs"]["t"] == "\U0001f600"


def test_too_many_acts_are_refused_by_their_size(client: httpx2.Client) -> None:
    body = b'{"acts": [' + b" " * 300_000 + b"]}"
    answer = client.post("/api/acts", content=body, headers=JSON)
    assert answer.status_code == 413
    assert "256 KiB" in refused(answer)


def test_a_body_of_unknown_length_is_cut_at_the_limit(client: httpx2.Client) -> None:
    def chunks() -> object:
        for _ in range(100):
            yield b" " * 10_000

    answer = client.post("/api/acts", content=chunks(), headers=JSON)  # type: ignore[arg-type]
    assert answer.status_code == 413


def test_a_workflow_may_be_large_but_not_without_end(client: httpx2.Client) -> None:
    graph = {"1": {"class_type": "X", "inputs": {"text": "x" * 1_000_000}}}
    assert client.post("/api/workflows/inspect", json={"workflow": graph}).status_code == 200
    answer = inspect(client, b" " * (17 * 2**20))
    assert answer.status_code == 413


def test_fifty_one_acts_are_one_too_many(client: httpx2.Client) -> None:
    acts = [{"id": f"a{n}", "kind": "redo"} for n in range(51)]
    assert "acts" in refused(client.post("/api/acts", json={"acts": acts}))


@pytest.mark.parametrize(
    ("act", "field"),
    [
        ({"kind": "vote", "winner": 1, "loser": 2, "left": 1}, "id"),
        ({"id": "a", "kind": "vote", "winner": "1", "loser": 2, "left": 1}, "winner"),
        ({"id": "a", "kind": "vote", "winner": 1.5, "loser": 2, "left": 1}, "winner"),
        ({"id": "a", "kind": "vote", "winner": True, "loser": 2, "left": 1}, "winner"),
        ({"id": "a", "kind": "vote", "winner": 2**60, "loser": 2, "left": 1}, "winner"),
        ({"id": "a", "kind": "vote", "winner": 0, "loser": 2, "left": 1}, "winner"),
        ({"id": "a", "kind": "vote", "winner": 1, "loser": 2}, "left"),
        ({"id": "a", "kind": "vote", "winner": 1, "loser": 2, "left": 1, "x": 1}, "x"),
        ({"id": "a", "kind": "explode"}, "acts[0]"),
        ({"id": "a"}, "acts[0]"),
        ({"id": "a\u202e", "kind": "redo"}, "id"),
        ({"id": "", "kind": "redo"}, "id"),
        ({"id": "x" * 65, "kind": "redo"}, "id"),
        ({"id": "a", "kind": "walk", "walk": "k", "candidate": 1, "answer": "maybe"}, "answer"),
    ],
)
def test_a_wrong_act_is_told_by_its_field(
    act: dict[str, object], field: str, client: httpx2.Client
) -> None:
    answer = client.post("/api/acts", json={"acts": [act]})
    assert answer.status_code == 422
    assert field in refused(answer)
    assert str(answer.json()["field"]).startswith("acts[0]")


@pytest.mark.parametrize(
    "path",
    [
        "/api/runs/0",
        "/api/runs/-1",
        "/api/runs/99999999999999999999",
        "/api/runs/x",
        "/api/candidates/%00",
        "/api/jobs?limit=0",
        "/api/jobs?limit=1000000",
        "/api/jobs?before=99999999999999999999",
        "/api/jobs?status=nothing",
        "/api/runs?status=x",
        "/api/deck?count=0",
        "/api/deck?exclude=1",
        "/api/deck?exclude=9999999999999999999-1",
        "/api/deck?exclude=1-2,%00",
        "/api/walks/%ff",
        "/api/acts?before=%00",
        "/api/images/..%2f..%2fetc%2fpasswd/320",
        "/api/images/" + "0" * 63 + "/320",
        "/api/images/" + "A" * 64 + "/320",
        "/api/images/" + "0" * 64 + "/321",
        "/api/images/" + "0" * 64 + "/2048x",
        "/api/events?after=-1",
        "/api/events?after=x",
        "/assets/..%2f..%2f..%2fsettings.py",
        "/..%2fsettings.py",
        "/%2e%2e/settings.py",
    ],
)
def test_a_wrong_address_is_refused(path: str, client: httpx2.Client) -> None:
    answer = client.get(path)
    assert answer.status_code in {404, 422}
    refused(answer)


@pytest.mark.parametrize(
    "path",
    ["/api/runs/7", "/api/pipelines/7", "/api/candidates/7", "/api/jobs/7", "/api/walks/none"],
)
def test_what_is_not_there_is_not_found(path: str, client: httpx2.Client) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert refused(answer).startswith("There is no")


def test_a_stored_deep_value_can_be_read_back(client: httpx2.Client) -> None:
    deep: object = 1
    for _ in range(50):
        deep = {"a": deep}
    graph = {"1": {"class_type": "X", "inputs": {"a": deep}}}
    answer = client.post("/api/workflows/inspect", json={"workflow": graph})
    assert answer.status_code == 200


def test_a_million_keys_are_refused_unread(client: httpx2.Client) -> None:
    keys = b",".join(b'"%d":1' % number for number in range(1_000_000))
    answer = inspect(client, b'{"workflow":{' + keys + b"}}")
    assert answer.status_code == 413
    refused(answer)


def test_a_body_that_never_comes_is_given_up(
    running: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shortlist.api.edge.PATIENCE_SECONDS", 0.2)
    name, _, port = running.host.partition(":")
    head = f"POST /api/acts HTTP/1.1\r\nHost: {running.host}\r\nContent-Type: application/json\r\n"
    with socket.create_connection((name, int(port)), timeout=10) as connection:
        connection.sendall((head + "Content-Length: 100\r\n\r\n{").encode())
        assert connection.makefile("rb").readline().split()[1] == b"408"
