"""Culling and autopsies over HTTP: what comes, what counts once, and what makes no sense."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from judging import Studio

Json = dict[str, Any]


def send(client: httpx2.Client, *acts: Json) -> list[Json]:
    answer = client.post("/api/acts", json={"acts": acts})
    assert answer.status_code == 200, answer.text
    results: list[Json] = answer.json()["results"]
    return results


def an_act(kind: str, **content: object) -> Json:
    return {"id": str(uuid4()), "kind": kind, **content}


def test_images_are_culled_one_by_one_and_kept_with_stars(
    client: httpx2.Client, studio: Studio
) -> None:
    first, second, third = studio.images(3)
    found = client.get("/api/cull", params={"run": studio.run, "exclude": str(third)}).json()
    assert [image["id"] for image in found["images"]] == [first, second]
    assert set(found["images"][0]) == {"id", "picture", "regions"}
    assert (found["step"]["name"], found["remaining"], found["kept"]) == ("Base", 2, 0)
    keep = an_act("keep", candidate=first, stars=4)
    assert [result["repeated"] for result in send(client, keep, keep)] == [False, True]
    (refused,) = send(client, an_act("keep", candidate=999_999))
    assert refused["problem"]["status"] == 404
    found = client.get("/api/cull", params={"run": studio.run}).json()
    assert ([image["id"] for image in found["images"]], found["kept"]) == ([second, third], 1)
    assert client.get(f"/api/candidates/{first}").json()["stars"] == 4


@pytest.mark.parametrize("stars", [-1, 6, 2.5, "3", True])
def test_there_are_five_stars_and_no_others(
    client: httpx2.Client, studio: Studio, stars: object
) -> None:
    body = {"acts": [an_act("keep", candidate=studio.image(), stars=stars)]}
    assert client.post("/api/acts", json=body).status_code == 422


@pytest.mark.parametrize("wrong", ["7-9", "a", "1,", ",".join(["1"] * 201), str(2**63)])
def test_images_at_hand_that_make_no_sense_are_refused(client: httpx2.Client, wrong: str) -> None:
    assert client.get("/api/cull", params={"exclude": wrong}).status_code == 422
    assert client.get("/api/fours", params={"exclude": wrong}).status_code == 422


def test_the_rejected_images_of_an_open_walk_are_in_autopsies(
    client: httpx2.Client, studio: Studio
) -> None:
    *_, hand, last = studio.line()
    kill = an_act("kill", candidate=last)
    send(client, kill)
    groups = client.get("/api/autopsies").json()["groups"]
    (group,) = [group for group in groups if group["run_id"] == studio.run]
    assert group["ancestor"]["id"] == hand
    assert [each["walk"] for each in group["rejected"]] == [kill["id"]]
    assert (group["made"], group["waiting"]) == (1, 1)
