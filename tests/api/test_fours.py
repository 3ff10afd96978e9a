"""The worst of four over HTTP."""

from __future__ import annotations

from uuid import uuid4

import httpx2

from judging import Studio


def test_four_images_are_dealt_and_the_worst_is_stored_once(
    client: httpx2.Client, studio: Studio
) -> None:
    images = studio.images(5)
    where = {"run": studio.run, "exclude": str(images[0])}
    found = client.get("/api/fours", params=where).json()
    (group,) = found["groups"]
    four = [image["id"] for image in group]
    assert sorted(four) == images[1:]
    assert (found["step"]["name"], found["remaining"]) == ("Base", 5)
    act = {"id": str(uuid4()), "kind": "worst", "worst": four[2], "images": four, "shown_ms": 900}
    answer = client.post("/api/acts", json={"acts": [act, act]}).json()["results"]
    assert [result["repeated"] for result in answer] == [False, True]
    votes = {id: client.get(f"/api/candidates/{id}").json()["votes"] for id in four}
    assert votes == {id: 3 if id == four[2] else 1 for id in four}
    undo = {"id": str(uuid4()), "kind": "undo"}
    (result,) = client.post("/api/acts", json={"acts": [undo]}).json()["results"]
    assert [image["id"] for image in result["undone"]["four"]] == four
    three = {**act, "id": str(uuid4()), "images": four[:3]}
    assert client.post("/api/acts", json={"acts": [three]}).status_code == 422
