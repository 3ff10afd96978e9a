"""Who is let in: hosts, origins, content types, the token, and the headers of every answer."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from pydantic import SecretStr

from api.conftest import Started, prepared, started
from judging import Studio

TOKEN = "a-secret-of-the-studio"  # noqa: S105 of this test alone
EVIL = "http://evil.example"


@pytest.fixture(scope="module")
def _guarded(tmp_path_factory: pytest.TempPathFactory, _sqlite_template: Path) -> Iterator[Started]:
    settings = prepared(tmp_path_factory.mktemp("guarded"), _sqlite_template)
    with started(settings.model_copy(update={"token": SecretStr(TOKEN)})) as found:
        yield found


@pytest.fixture
def guarded(_guarded: Started) -> Started:
    """A hub with a token; nobody is signed in."""
    _guarded.client.cookies.clear()
    return _guarded


@dataclass(frozen=True)
class Pair:
    """Two images and a vote between them that was not sent yet."""

    studio: Studio
    winner: int
    loser: int

    @property
    def body(self) -> dict[str, object]:
        act = {"id": str(uuid4()), "kind": "vote", "left": self.loser}
        return {"acts": [act | {"winner": self.winner, "loser": self.loser}]}

    @property
    def votes(self) -> int:
        states = self.studio.states()
        return states[self.winner].votes + states[self.loser].votes


@pytest.fixture
def pair(studio: Studio) -> Pair:
    return Pair(studio, *studio.images(2))


def problem(answer: httpx2.Response) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["x-request-id"]
    assert str(body["detail"]).endswith(".")
    return body


def test_a_program_on_this_machine_may_vote(client: httpx2.Client, pair: Pair) -> None:
    assert client.post("/api/acts", json=pair.body).json()["results"][0]["ok"]
    assert pair.votes == 2


def test_the_hubs_own_page_may_vote(running: Started, client: httpx2.Client, pair: Pair) -> None:
    headers = {"Origin": running.url, "Sec-Fetch-Site": "same-origin"}
    answer = client.post("/api/acts", json=pair.body, headers=headers)
    assert answer.status_code == 200
    assert pair.votes == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": EVIL, "Sec-Fetch-Site": "cross-site", "Cookie": "shortlist_session=x"},
        {"Cookie": "shortlist_session=x"},
    ],
)
def test_another_page_may_not(headers: dict[str, str], client: httpx2.Client, pair: Pair) -> None:
    answer = client.post("/api/acts", json=pair.body, headers=headers)
    assert answer.status_code == 403
    problem(answer)
    assert pair.votes == 0


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None],
)
def test_a_form_can_not_pass_for_json(kind: str | None, client: httpx2.Client, pair: Pair) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    content = json.dumps(pair.body).encode()
    answer = client.post("/api/acts", content=content, headers=headers)
    assert answer.status_code == 415
    problem(answer)
    assert pair.votes == 0


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example"])
@pytest.mark.parametrize("path", ["/", "/api/status", "/api/health"])
def test_a_name_that_is_not_ours_is_not_answered(
    host: str, path: str, client: httpx2.Client
) -> None:
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code == 421
    problem(answer)


def test_a_rebound_name_may_not_change_anything(client: httpx2.Client, pair: Pair) -> None:
    headers = {"Host": "evil.example", "Origin": "http://evil.example"}
    assert client.post("/api/acts", json=pair.body, headers=headers).status_code == 421
    assert pair.votes == 0


def test_a_forwarded_host_counts_for_nothing(client: httpx2.Client) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "localhost"}
    assert client.get("/api/status", headers=headers).status_code == 421


@pytest.mark.parametrize("hosts", [[], ["localhost", "evil.example"]])
def test_a_request_names_exactly_one_host(hosts: list[str], running: Started) -> None:
    lines = ["GET /api/status HTTP/1.1", *(f"Host: {host}" for host in hosts), "Connection: close"]
    name, _, port = running.host.partition(":")
    with socket.create_connection((name, int(port)), timeout=10) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        told = connection.makefile("rb").readline()
    assert told.split()[1] == b"400"


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_every_name_of_this_machine_is_answered(
    name: str, running: Started, client: httpx2.Client
) -> None:
    port = running.host.rpartition(":")[2]
    headers = {"Host": f"{name}:{port}"}
    assert client.get("/api/status", headers=headers).status_code == 200


def test_another_page_may_not_follow_the_events(client: httpx2.Client) -> None:
    assert client.get("/api/events", headers={"Origin": EVIL}).status_code == 403


def test_a_link_from_another_site_leads_to_the_page(client: httpx2.Client) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
    answer = client.get("/", headers=headers)
    assert answer.status_code == 200


CHANGES = [
    ("POST", "/api/acts"),
    ("POST", "/api/workflows/inspect"),
    ("PATCH", "/api/runs/1"),
    ("POST", "/api/runs/1/steps/1/release"),
    ("POST", "/api/candidates/1/retry"),
    ("POST", "/api/jobs/1/cancel"),
    ("PATCH", "/api/backends/1"),
    ("DELETE", "/api/backends/1"),
    ("POST", "/api/session"),
]


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_reading_changes_nothing(method: str, path: str, client: httpx2.Client) -> None:
    headers = {"X-HTTP-Method-Override": method}
    answer = client.get(path, headers=headers)
    # A path that can be read as well answers as it does to any reader.
    assert answer.status_code in {200, 404, 405}
    if answer.status_code == 405:
        problem(answer)


@pytest.mark.parametrize("path", ["/", "/api/status", "/api/nowhere", "/api/images/x/320"])
def test_every_answer_carries_the_headers(path: str, client: httpx2.Client) -> None:
    headers = client.get(path).headers
    assert headers["x-shortlist-version"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_nothing_but_life_is_told_without_the_token(guarded: Started) -> None:
    assert guarded.client.get("/api/health").status_code == 200
    document = guarded.client.get("/api/openapi.json")
    assert document.status_code == 401
    answer = guarded.client.get("/api/status")
    assert answer.status_code == 401
    assert problem(answer)["title"] == "Token needed"


def paths_of(url: httpx2.Client) -> list[tuple[str, str]]:
    document = url.get("/api/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"}).json()
    return [(method, path) for path, ways in document["paths"].items() for method in ways]


def test_every_route_asks_for_the_token(guarded: Started) -> None:
    routes = paths_of(guarded.client)
    assert len(routes) > 25
    for method, path in routes:
        if path in {"/api/health", "/api/session"}:
            continue
        filled = path.replace("{hash}", "0" * 64).replace("{size}", "320")
        filled = filled.replace("{act_id}", "x")
        while "{" in filled:
            filled = filled[: filled.index("{")] + "1" + filled[filled.index("}") + 1 :]
        answer = guarded.client.request(method.upper(), filled, json={})
        assert answer.status_code == 401, (method, path)


@pytest.mark.parametrize(
    "sent", [f"Bearer {TOKEN}x", "Bearer", f"Basic {TOKEN}", TOKEN, "Bearer \xe9"]
)
def test_a_wrong_token_lets_no_one_in(sent: str, guarded: Started) -> None:
    headers = [(b"Authorization", sent.encode("latin-1"))]
    answer = guarded.client.get("/api/status", headers=headers)
    assert answer.status_code == 401


def test_a_program_sends_the_token_and_needs_no_origin(guarded: Started) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.client.get("/api/status", headers=headers).status_code == 200
    body = {"url": "http://127.0.0.1:1"}
    assert guarded.client.post("/api/backends", json=body, headers=headers).status_code == 201


def test_the_page_signs_in_once_and_keeps_a_cookie(guarded: Started) -> None:
    page = {"Origin": guarded.url, "Sec-Fetch-Site": "same-origin"}
    wrong = guarded.client.post("/api/session", json={"token": "no"}, headers=page)
    assert wrong.status_code == 401
    assert "set-cookie" not in wrong.headers
    right = guarded.client.post("/api/session", json={"token": TOKEN}, headers=page)
    assert right.status_code == 204
    assert "HttpOnly" in right.headers["set-cookie"]
    assert "samesite=lax" in right.headers["set-cookie"].lower()
    assert TOKEN not in right.headers["set-cookie"]
    assert guarded.client.get("/api/status").status_code == 200
    assert guarded.client.delete("/api/session", headers=page).status_code == 204
    assert guarded.client.get("/api/status").status_code == 401


def test_a_cookie_counts_only_with_the_page_it_belongs_to(guarded: Started) -> None:
    page = {"Origin": guarded.url}
    guarded.client.post("/api/session", json={"token": TOKEN}, headers=page)
    body = {"url": "http://127.0.0.1:1"}
    for headers in ({"Origin": EVIL}, {"Origin": "null"}, {}):
        answer = guarded.client.post("/api/backends", json=body, headers=headers)
        assert answer.status_code == 403


@pytest.mark.parametrize("ends", ["1", "99999999999", "x", ""])
def test_a_made_up_cookie_is_worth_nothing(ends: str, guarded: Started) -> None:
    headers = {"Cookie": f"shortlist_session={ends}.{'0' * 64}"}
    assert guarded.client.get("/api/status", headers=headers).status_code == 401
