"""How sure the best are, over HTTP: with the deck, at a gate, and as it moves."""

from __future__ import annotations

import time
from typing import Any

import httpx2
import pytest
from sqlalchemy import delete

from api.conftest import Started
from judging import Studio
from shortlist import logs
from shortlist.store.schema import PipelineRunStep

Json = dict[str, Any]


@pytest.fixture
def leaves(studio: Studio) -> list[int]:
    """Five images of the last step."""
    return studio.images(5, studio.line(3)[-1])


def step_of(client: httpx2.Client, studio: Studio, order: int = 4) -> int:
    found: int = client.get(f"/api/runs/{studio.run}").json()["columns"][order - 1]["step_id"]
    return found


def line(client: httpx2.Client, studio: Studio, **asked: object) -> Json | None:
    answer = client.get("/api/deck", params={"run": studio.run, **asked})
    assert answer.status_code == 200, answer.text
    found: Json | None = answer.json()["finish"]
    return found


def moved(client: httpx2.Client, studio: Studio, *, other: Json | None, **asked: object) -> Json:
    """The line once it stands elsewhere than `other`."""
    for _ in range(300):
        found = line(client, studio, **asked)
        if found is not None and found != other:
            return found
        time.sleep(0.1)
    pytest.fail("the line never moved")


def test_the_line_comes_with_the_deck_and_moves_with_votes(
    client: httpx2.Client, studio: Studio, leaves: list[int]
) -> None:
    client.patch(f"/api/runs/{studio.run}", json={"rating": "tree"})
    first = moved(client, studio, other=None)
    assert (first["step_order"], first["top"]) == (4, 3)
    assert 0 < first["settled"] < 0.3
    for _ in range(4):
        for good in leaves[:3]:
            for bad in leaves[3:]:
                studio.votes(good, bad)
    then = moved(client, studio, other=first)
    assert then["settled"] > first["settled"]


def test_odds_are_told_for_any_k(client: httpx2.Client, studio: Studio, leaves: list[int]) -> None:
    studio.votes(leaves[0], leaves[1])
    address = f"/api/runs/{studio.run}/steps/{step_of(client, studio)}/odds"
    for top in (1, 2, 4):
        told = client.get(address, params={"top": top}).json()
        assert told["line"]["top"] == top
        assert sum(told["chances"].values()) == pytest.approx(top)
        assert told["chances"][str(leaves[0])] > told["chances"][str(leaves[1])]
    assert client.get(address, params={"top": 5}).json() == {"line": None, "chances": {}}


@pytest.mark.parametrize(("top", "status"), [("0", 422), ("-3", 422), ("x", 422), ("", 422)])
def test_a_k_that_is_none_is_refused(
    top: str, status: int, client: httpx2.Client, studio: Studio, leaves: list[int]
) -> None:
    step = step_of(client, studio)
    answer = client.get(f"/api/runs/{studio.run}/steps/{step}/odds", params={"top": top})
    assert answer.status_code == status
    assert client.get("/api/deck", params={"run": studio.run, "top": top}).status_code == status


def test_a_step_that_is_not_there_has_no_odds(client: httpx2.Client, studio: Studio) -> None:
    answer = client.get(f"/api/runs/{studio.run}/steps/99999/odds", params={"top": 1})
    assert answer.status_code == 404
    assert (
        answer.json()["detail"] == f"Run {studio.run} has no step 99999; look which steps it has."
    )


def test_an_image_tells_what_is_believed_where_the_run_goes_by_it(
    client: httpx2.Client, studio: Studio, leaves: list[int]
) -> None:
    assert client.get(f"/api/candidates/{leaves[0]}").json()["belief"] is None
    client.patch(f"/api/runs/{studio.run}", json={"rating": "tree"})
    studio.votes(leaves[0], leaves[1])
    belief = client.get(f"/api/candidates/{leaves[0]}").json()["belief"]
    assert belief["mean"] > 1000
    assert belief["spread"] > 0


def test_what_a_run_may_be_rated_by_is_listed(client: httpx2.Client) -> None:
    found = client.get("/api/methods").json()
    assert found["ratings"][:2] == ["elo", "tree"]
    assert found["policies"][0] == "right_to_left"


def test_a_line_that_can_not_be_worked_out_ends_no_hub(
    capsys: pytest.CaptureFixture[str], fresh: Started
) -> None:
    studio = Studio(fresh.database)
    studio.images(5, studio.line(3)[-1])
    assert line(fresh.client, studio) is None
    logs.configure()  # from here on the hub writes to what this test reads
    with fresh.database.transaction() as tx:
        tx.execute(delete(PipelineRunStep).where(PipelineRunStep.step_order == 4))
    told = ""
    for _ in range(300):
        told += capsys.readouterr().err
        if "chore_failed" in told:
            break
        time.sleep(0.1)
    assert "chore_failed" in told
    assert fresh.client.get("/api/status").status_code == 200
