"""Servers: adding, removing, their health, and who may drive which."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from builders import NOW, a_backend
from rendering import drawn, make_run
from shortlist.domain.model import Health
from shortlist.errors import BadInput, Conflict, NotFound
from shortlist.services import backends, jobs, journal, selection
from shortlist.services.backends import Report
from shortlist.store.db import Database, Tx
from shortlist.store.schema import Backend

URL = "http://127.0.0.1:8188"
HUB = ("http://127.0.0.1:8787", "http://hub.lan")
GOOD = Report(Health.OK, "", "0.3.64", False)


def register(tx: Tx, url: str = URL, name: str | None = None) -> int:
    return backends.register(tx, url, name=name, own=HUB, now=NOW)


def a_job(tx: Tx, backend_id: int) -> int:
    make_run(tx, [drawn("base")])
    claimed = selection.claim(tx, backend_id=backend_id, seed=1, prompt_id="one", now=NOW)
    assert claimed is not None
    return claimed.job_id


def test_a_server_is_added_under_its_address_and_told_of(db: Database) -> None:
    with db.transaction() as tx:
        before = journal.last(tx)
        backend_id = register(tx, " http://127.0.0.1:8188/ ")
        view = backends.view(tx, backend_id)
        (event,) = journal.after(tx, before, limit=10)
    assert (view.url, view.name, view.enabled) == (URL, "127.0.0.1:8188", True)
    assert (view.health, view.in_flight) == (Health.UNKNOWN, ())
    assert (event.kind, event.data) == ("backend_changed", {"backend_id": backend_id})


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("comfy", "http://"),
        ("ftp://127.0.0.1", "http://"),
        ("http://user:word@host:8188", "login"),
        ("http://169.254.169.254", "not an address"),
        ("http://localhost:8787", "hub's own address"),
        ("http://hub.lan:80/", "hub's own address"),
    ],
)
@pytest.mark.sqlite_only
def test_an_address_that_cannot_be_a_comfyui_is_refused_in_one_sentence(
    db: Database, url: str, words: str
) -> None:
    with db.transaction() as tx, pytest.raises(BadInput, match=words):
        register(tx, url)


@pytest.mark.parametrize("again", [URL, "http://localhost:8188/", "http://[::1]:8188"])
@pytest.mark.sqlite_only
def test_one_server_is_not_added_twice_however_it_is_spelled(db: Database, again: str) -> None:
    with db.transaction() as tx:
        register(tx, name="the big one")
        with pytest.raises(Conflict, match="the big one already has this address"):
            register(tx, again)


@pytest.mark.sqlite_only
def test_two_servers_cannot_share_a_name(db: Database) -> None:
    with db.transaction() as tx:
        register(tx, name="gpu")
        other = register(tx, "http://10.0.0.2:8188")
        with pytest.raises(Conflict, match="another name"):
            backends.change(tx, other, name="gpu", enabled=None, now=NOW)
        with pytest.raises(BadInput, match="needs a name"):
            backends.change(tx, other, name="  ", enabled=None, now=NOW)


def test_a_disabled_server_is_driven_until_its_jobs_are_done(db: Database) -> None:
    with db.transaction() as tx:
        backend_id = register(tx)
        job_id = a_job(tx, backend_id)
        backends.change(tx, backend_id, name=None, enabled=False, now=NOW)
        (busy,) = backends.driven(tx)
        jobs.cancel(tx, job_id, now=NOW)
        still = [each.id for each in backends.driven(tx)]
        jobs.recalled(tx, job_id)
        assert backends.driven(tx) == []
    assert (busy.id, busy.enabled, still) == (backend_id, False, [backend_id])


def test_a_server_with_jobs_stays_and_one_without_goes(db: Database) -> None:
    with db.transaction() as tx:
        backend_id = register(tx)
        job_id = a_job(tx, backend_id)
        with pytest.raises(Conflict, match="still has 1 jobs"):
            backends.remove(tx, backend_id, now=NOW)
        jobs.cancel(tx, job_id, now=NOW)
        backends.remove(tx, backend_id, now=NOW)
        assert backends.views(tx) == []
        with pytest.raises(NotFound):
            backends.view(tx, backend_id)
        again = register(tx)
        backends.remove(tx, again, now=NOW)
        register(tx)


def test_one_hub_at_a_time_has_the_lease(db: Database) -> None:
    with db.transaction() as tx:
        backend_id = register(tx)

        def take(owner: str, dead: str | None = None) -> bool:
            return backends.take_lease(tx, backend_id, owner=owner, dead=dead)

        assert take("a")
        assert not take("b")
        assert take("a")
        assert not take("b", dead="c")
        assert take("b", dead="a")
        assert not take("a")
        backends.drop_lease(tx, backend_id, owner="a")
        assert not take("a")
        backends.drop_lease(tx, backend_id, owner="b")
        assert take("a")


def test_a_lease_that_has_run_out_can_be_taken(db: Database) -> None:
    with db.transaction() as tx:
        backend_id = register(tx)
        assert backends.take_lease(tx, backend_id, owner="a", dead=None)
        until = backends.database_time(tx)
        tx.execute(update(Backend).values(lease_until=until + timedelta(seconds=5)))
        assert not backends.take_lease(tx, backend_id, owner="b", dead=None)
        tx.execute(update(Backend).values(lease_until=until - timedelta(seconds=5)))
        assert backends.take_lease(tx, backend_id, owner="b", dead=None)


def test_health_is_told_when_it_changes_and_not_when_it_does_not(db: Database) -> None:
    lost = Report(Health.LOST, "Nothing answers.", "0.3.64", False)
    with db.transaction() as tx:
        backend_id = a_backend(tx)
        before = journal.last(tx)
        for told, seconds in ((GOOD, 0), (GOOD, 5), (GOOD, 60), (lost, 65), (lost, 200)):
            backends.report(tx, backend_id, told, now=NOW + timedelta(seconds=seconds))
        view = backends.view(tx, backend_id)
        events = journal.after(tx, before, limit=10)
    assert (view.health, view.health_detail) == (Health.LOST, "Nothing answers.")
    assert view.heard_at == NOW + timedelta(seconds=60)
    assert len(events) == 2
