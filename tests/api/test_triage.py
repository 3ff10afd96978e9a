"""Judging over HTTP: pairs come, acts count once, each act stands or falls by itself."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import select, text

from judging import Studio
from shortlist.store.conditions import IN_SIGHT
from shortlist.store.schema import ImageCandidate

Json = dict[str, Any]


def send(client: httpx2.Client, *acts: Json) -> list[Json]:
    answer = client.post("/api/acts", json={"acts": acts})
    assert answer.status_code == 200, answer.text
    results: list[Json] = answer.json()["results"]
    return results


def an_act(kind: str, **content: object) -> Json:
    return {"id": str(uuid4()), "kind": kind, **content}


def a_vote(winner: int, loser: int) -> Json:
    return an_act("vote", winner=winner, loser=loser, left=winner, shown_ms=800)


def deck(client: httpx2.Client, run: int, **more: object) -> Json:
    answer = client.get("/api/deck", params={"run": run, **more})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def test_the_deck_shows_pairs_blind(client: httpx2.Client, studio: Studio) -> None:
    ids = studio.images(4)
    found = deck(client, studio.run, count=2)
    assert len(found["pairs"]) == 2
    assert found["step"]["name"] == "Base"
    assert found["run"]["id"] == studio.run
    assert found["remaining"] == 4
    pair = found["pairs"][0]
    assert {pair["left"]["id"], pair["right"]["id"]} <= set(ids)
    assert pair["key"] == "-".join(map(str, sorted((pair["left"]["id"], pair["right"]["id"]))))
    assert set(pair["left"]) == {"id", "picture", "regions"}


def test_pairs_at_hand_do_not_come_again(client: httpx2.Client, studio: Studio) -> None:
    studio.images(4)
    first = deck(client, studio.run, count=1)["pairs"][0]["key"]
    later = deck(client, studio.run, count=5, exclude=first)["pairs"]
    assert first not in {pair["key"] for pair in later}


def test_where_to_go_on_is_told(client: httpx2.Client, studio: Studio) -> None:
    studio.images(2, studio.images(2)[0])
    found = client.get("/api/deck/next", params={"run": studio.run, "step": 1}).json()
    assert (found["run_id"], found["step_name"], found["remaining"]) == (studio.run, "Face Fix", 2)
    assert client.get("/api/deck/next", params={"run": studio.run}).status_code == 422


def test_an_answer_to_a_repeat_is_taken(client: httpx2.Client, studio: Studio) -> None:
    one, other = studio.images(2)
    first, again = send(client, a_vote(one, other), a_vote(other, one) | {"repeat": True})
    assert again["ok"]
    assert (first["ratings"] is None, again["ratings"]) == (False, None)
    assert again["strained"] is False


def test_one_image_alone_is_shown_as_such(client: httpx2.Client, studio: Studio) -> None:
    only = studio.image()
    found = deck(client, studio.run)
    assert found["pairs"] == []
    assert found["single"]["id"] == only
    assert found["waiting"]["made"] == 1


def test_a_vote_is_rated_at_once(client: httpx2.Client, studio: Studio) -> None:
    one, other = studio.images(2)
    (result,) = send(client, a_vote(one, other))
    assert result["ok"]
    assert result["ratings"] == {str(one): 1016.0, str(other): 984.0}
    card = client.get(f"/api/candidates/{one}").json()
    assert (card["elo"], card["votes"]) == (1016.0, 1)


def test_a_repeated_act_gets_the_same_answer_and_counts_once(
    client: httpx2.Client, studio: Studio
) -> None:
    vote = a_vote(*studio.images(2))
    (first,) = send(client, vote)
    (again,) = send(client, vote)
    assert again == first | {"repeated": True}
    assert studio.states()[vote["winner"]].votes == 1


def test_fifty_equal_requests_at_once_are_one_vote(client: httpx2.Client, studio: Studio) -> None:
    vote = a_vote(*studio.images(2))
    with ThreadPoolExecutor(16) as threads:
        results = list(threads.map(lambda _: send(client, vote)[0], range(50)))
    assert sum(not result["repeated"] for result in results) == 1
    assert {str(result | {"repeated": False}) for result in results} == {
        str(results[0] | {"repeated": False})
    }
    assert studio.states()[vote["winner"]].votes == 1


def test_an_id_does_not_serve_for_another_act(client: httpx2.Client, studio: Studio) -> None:
    one, other, third = studio.images(3)
    vote = a_vote(one, other)
    send(client, vote)
    (result,) = send(client, vote | {"loser": third})
    assert not result["ok"]
    assert result["problem"]["status"] == 409
    assert studio.states()[third].votes == 0


def test_a_refused_act_takes_no_neighbour_along(client: httpx2.Client, studio: Studio) -> None:
    one, other = studio.images(2)
    nonsense = a_vote(one, one)
    results = send(client, a_vote(one, other), nonsense, a_vote(other, one))
    assert [result["ok"] for result in results] == [True, False, True]
    assert results[1]["id"] == nonsense["id"]
    assert results[1]["label"] == results[1]["problem"]["detail"]
    assert studio.states()[one].votes == 2


@pytest.mark.parametrize("what", ["itself", "dead", "another step", "another run", "nothing"])
def test_a_vote_on_what_can_not_be_compared_changes_nothing(
    what: str, client: httpx2.Client, studio: Studio
) -> None:
    one, other = studio.images(2)
    wrong = {
        "itself": lambda: one,
        "dead": lambda: _killed(client, studio.image()),
        "another step": lambda: studio.image(other),
        "another run": lambda: studio.image(run=studio.another_run()),
        "nothing": lambda: 2**40,
    }[what]()
    before = studio.states()
    (result,) = send(client, a_vote(one, wrong))
    assert not result["ok"]
    assert result["problem"]["status"] in {404, 409, 422}
    assert studio.states() == before


def test_a_child_stands_against_its_parent_where_both_say_so(
    client: httpx2.Client, studio: Studio
) -> None:
    base = studio.image()
    child = studio.image(base)
    vote = a_vote(child, base)
    assert send(client, vote)[0]["problem"]["status"] == 409
    (result,) = send(client, a_vote(child, base) | {"versus_parent": True})
    assert result["ok"]
    assert result["ratings"] is None
    first = client.get(f"/api/runs/{studio.run}/lifts").json()[0]
    assert (first["step_order"], first["better"], first["share"]) == (2, 1, 1.0)
    assert first["low"] > 0
    assert client.get("/api/runs/99/lifts").status_code == 404


def _killed(client: httpx2.Client, id: int) -> int:
    assert send(client, an_act("kill", candidate=id))[0]["ok"]
    return id


def test_a_kill_walks_left_and_one_undo_takes_all_back(
    client: httpx2.Client, studio: Studio
) -> None:
    base, face, hand, final = studio.line()
    before = studio.states()
    kill = an_act("kill", candidate=final)
    (killed,) = send(client, kill)
    assert killed["rejected"] == {"root_id": final, "branch": 0, "jobs": 0}
    walk = killed["walk"]
    assert [place["candidate"]["id"] for place in walk["strip"]] == [base, face, hand, final]
    assert walk["asked"]["candidate"]["id"] == hand
    assert walk == client.get(f"/api/walks/{kill['id']}").json()
    answer = an_act("walk", walk=kill["id"], candidate=hand, answer="already_wrong")
    (further,) = send(client, answer)
    assert further["walk"]["asked"]["candidate"]["id"] == face
    end = an_act("walk", walk=kill["id"], candidate=face, answer="this_step")
    (ended,) = send(client, end)
    assert ended["walk"]["asked"] is None
    assert ended["walk"]["blamed_step"] == "Face Fix"
    assert studio.states()[final].rejected_ancestors == 2
    kills = client.get(f"/api/candidates/{final}").json()["kills"]
    assert [kill["void"] for kill in kills] == [False]
    (undone,) = send(client, an_act("undo"))
    assert undone["undone"]["act_id"] == kill["id"]
    assert studio.states() == before


def test_a_hub_buries_the_dead_after_a_kill_and_an_undo_brings_them_back(
    client: httpx2.Client, studio: Studio
) -> None:
    line = studio.line()
    send(client, an_act("kill", candidate=line[0]))
    deadline = time.monotonic() + 60
    while not in_sight(studio).isdisjoint(line):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    send(client, an_act("undo"))
    assert in_sight(studio) >= {*line}


def in_sight(studio: Studio) -> set[int]:
    """The images that the indexes of the living hold."""
    with studio.database.snapshot() as tx:
        return set(tx.execute(select(ImageCandidate.id).where(text(IN_SIGHT))).scalars())


def test_undo_shows_the_pair_again_and_redo_votes_again(
    client: httpx2.Client, studio: Studio
) -> None:
    one, other = studio.images(2)
    vote = a_vote(one, other)
    send(client, vote)
    (undone,) = send(client, an_act("undo"))
    assert undone["undone"]["pair"]["left"]["id"] == one
    assert studio.states()[one].elo == 1000.0
    (redone,) = send(client, an_act("redo"))
    assert redone["ok"]
    assert studio.states()[one].elo == 1016.0


def test_the_log_is_newest_first_and_goes_on_page_by_page(
    client: httpx2.Client, studio: Studio
) -> None:
    one, other = studio.images(2)
    sent = [a_vote(one, other), an_act("tie", a=one, b=other, left=other), a_vote(other, one)]
    send(client, *sent)
    page = client.get("/api/acts", params={"limit": 2}).json()
    assert [entry["id"] for entry in page] == [sent[2]["id"], sent[1]["id"]]
    assert [entry["chosen"] for entry in page] == ["left", "both"]
    assert page[1]["left"]["id"] == other
    older = client.get("/api/acts", params={"limit": 1, "before": sent[1]["id"]}).json()
    assert [entry["id"] for entry in older] == [sent[0]["id"]]


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "undo", "target": "own"},
        {"kind": "walk", "walk": "own", "candidate": 1, "answer": "still_fine"},
    ],
)
def test_an_act_that_names_itself_is_refused(content: Json, client: httpx2.Client) -> None:
    sent = str(uuid4())
    own = {name: sent if value == "own" else value for name, value in content.items()}
    (result,) = send(client, own | {"id": sent})
    assert result["problem"]["status"] == 404
