"""The servers that render: adding and removing them, their health, and who drives which.

A lease is held by one hub at a time, renewed well before it ends and measured by the database's
clock alone, so that hubs with wrong clocks still agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import delete, func, insert, or_, select, update

from shortlist.comfy.address import server_url
from shortlist.comfy.faults import BadAddress
from shortlist.domain.model import IN_FLIGHT, BackendKind, Health
from shortlist.errors import BadInput, Conflict, NotFound
from shortlist.services.journal import EventKind, append
from shortlist.store.db import Tx
from shortlist.store.schema import Backend, Job
from shortlist.store.types import UtcDateTime

LEASE: Final = timedelta(seconds=30)
"""How long a hub that has fallen silent keeps its servers."""

HEARD_EVERY: Final = timedelta(seconds=30)
"""How old the time of the last answer may grow before it is written again."""

_REMOVED: Final = "removed:"
"""How the URL of a removed server begins: its jobs are history that must still name it."""


@dataclass(frozen=True, slots=True)
class BackendView:
    """A server and the ids of the jobs it has, oldest first."""

    id: int
    name: str
    kind: BackendKind
    url: str
    enabled: bool
    health: Health
    health_detail: str
    version: str
    simulator: bool
    heard_at: datetime | None
    retry_at: datetime | None
    in_flight: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Driven:
    """A server as the dispatcher needs it; a disabled one is listed while it has jobs."""

    id: int
    name: str
    url: str
    enabled: bool
    lease_owner: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """What a driver has to say of its server; `detail` is one sentence, empty when all is well.

    `retry_at`: when it tries again to reach a server that is away. Pages tell it and need not be
    told when it changes.
    """

    health: Health
    detail: str
    version: str
    simulator: bool
    retry_at: datetime | None = None


def register(tx: Tx, url: str, *, name: str | None, own: Sequence[str], now: datetime) -> int:
    """Adds a server and returns its id; nobody has asked yet whether it answers.

    `own` are the hub's own addresses. Raises `BadInput` for an address that can't be one and
    `Conflict` for one that is there already.
    """
    address = _address(url)
    if any(_place(address) == _place(each) for each in own):
        raise BadInput("This is the hub's own address; give the address of ComfyUI.", field="url")
    for held_name, held_url in tx.execute(_PRESENT):
        if _place(held_url) == _place(address):
            raise Conflict(f"{held_name} already has this address.", field="url")
    chosen = _free_name(tx, name, otherwise=urlsplit(address).netloc)
    backend_id = tx.execute(
        insert(Backend).returning(Backend.id),
        {
            "name": chosen,
            "kind": BackendKind.COMFYUI,
            "url": address,
            "enabled": True,
            "health": Health.UNKNOWN,
            "health_detail": "",
            "version": "",
            "simulator": False,
            "created_at": now,
        },
    ).scalar_one()
    _tell(tx, backend_id, now=now)
    return backend_id


def change(
    tx: Tx, backend_id: int, *, name: str | None, enabled: bool | None, now: datetime
) -> None:
    """Renames a server, or lets it drain (`enabled` false) or work again; null leaves as it is.

    A drained server gets no new job and finishes those it has.
    """
    present = view(tx, backend_id)
    values: dict[str, object] = {}
    if name is not None and name.strip() != present.name:
        values["name"] = _free_name(tx, name, otherwise="")
    if enabled is not None:
        values["enabled"] = enabled
    if values:
        tx.execute(update(Backend).where(Backend.id == backend_id).values(values))
        _tell(tx, backend_id, now=now)


def takes_jobs(tx: Tx, backend_id: int) -> bool:
    """Whether the server is in use: one that drains, or is gone, gets nothing new."""
    there = select(Backend.id).where(Backend.id == backend_id, Backend.enabled)
    return tx.execute(there).first() is not None


def remove(tx: Tx, backend_id: int, *, now: datetime) -> None:
    """Takes a server out of the list. Raises `Conflict` while it has jobs.

    One that has ever rendered keeps its row under another name, because its jobs name it.
    """
    present = view(tx, backend_id)
    if present.in_flight:
        raise Conflict(
            f"{present.name} still has {len(present.in_flight)} jobs; disable it and wait, or"
            " cancel them, then remove it."
        )
    if tx.execute(select(Job.id).where(Job.backend_id == backend_id).limit(1)).first() is None:
        tx.execute(delete(Backend).where(Backend.id == backend_id))
    else:
        tx.execute(
            update(Backend)
            .where(Backend.id == backend_id)
            .values(
                url=f"{_REMOVED}{backend_id}",
                name=f"{present.name} (removed {backend_id})",
                enabled=False,
            )
        )
    _tell(tx, backend_id, now=now)


def view(tx: Tx, backend_id: int) -> BackendView:
    """One server. Raises `NotFound`."""
    found = [each for each in views(tx) if each.id == backend_id]
    if not found:
        raise NotFound(f"There is no server {backend_id}.")
    return found[0]


def views(tx: Tx) -> list[BackendView]:
    """All servers, oldest first."""
    flying: dict[int, list[int]] = {}
    for backend_id, job_id in tx.execute(_FLYING):
        flying.setdefault(backend_id, []).append(job_id)
    rows = tx.execute(_VIEWS).all()
    return [BackendView(**row._mapping, in_flight=tuple(flying.get(row.id, ()))) for row in rows]


def driven(tx: Tx) -> list[Driven]:
    """The servers that need a driver: enabled ones, and those that still have jobs."""
    busy = select(Job.backend_id).where(Job.status.in_(IN_FLIGHT) | Job.recall)
    rows = tx.execute(
        select(Backend.id, Backend.name, Backend.url, Backend.enabled, Backend.lease_owner)
        .where(_THERE, or_(Backend.enabled, Backend.id.in_(busy)))
        .order_by(Backend.id)
    )
    return [Driven(*row) for row in rows]


def take_lease(tx: Tx, backend_id: int, *, owner: str, dead: str | None) -> bool:
    """Takes or renews the lease for `owner`; false when another hub holds it.

    `dead` is a former owner known to be gone: its lease need not run out first.
    """
    time = database_time(tx)
    free = or_(
        Backend.lease_owner.is_(None),
        Backend.lease_owner.in_([owner] if dead is None else [owner, dead]),
        Backend.lease_until <= time,
    )
    return bool(
        tx.execute(
            update(Backend)
            .where(Backend.id == backend_id, free)
            .values(lease_owner=owner, lease_until=time + LEASE)
        ).rowcount
    )


def drop_lease(tx: Tx, backend_id: int, *, owner: str) -> None:
    """Gives the lease back, if it is still `owner`'s."""
    tx.execute(
        update(Backend)
        .where(Backend.id == backend_id, Backend.lease_owner == owner)
        .values(lease_owner=None, lease_until=None)
    )


def report(tx: Tx, backend_id: int, told: Report, *, now: datetime) -> None:
    """Writes what a driver says of its server; an unchanged report costs a write now and then."""
    row = tx.execute(
        select(
            Backend.health,
            Backend.health_detail,
            Backend.version,
            Backend.simulator,
            Backend.retry_at,
            Backend.heard_at,
        ).where(Backend.id == backend_id)
    ).one_or_none()
    if row is None:
        return
    before = Report(*row[:5])
    changed = replace(before, retry_at=told.retry_at) != told
    heard = told.health is not Health.LOST
    stale = row[5] is None or now - row[5] >= HEARD_EVERY
    if before == told and not (heard and stale):
        return
    values: dict[str, object] = {
        "health": told.health,
        "health_detail": told.detail,
        "version": told.version,
        "simulator": told.simulator,
        "retry_at": told.retry_at,
    }
    if heard:
        values["heard_at"] = now
    tx.execute(update(Backend).where(Backend.id == backend_id).values(values))
    if changed:
        _tell(tx, backend_id, now=now)


_THERE = ~Backend.url.startswith(_REMOVED)
_PRESENT = select(Backend.name, Backend.url).where(_THERE)
_VIEWS = (
    select(
        Backend.id,
        Backend.name,
        Backend.kind,
        Backend.url,
        Backend.enabled,
        Backend.health,
        Backend.health_detail,
        Backend.version,
        Backend.simulator,
        Backend.heard_at,
        Backend.retry_at,
    )
    .where(_THERE)
    .order_by(Backend.id)
)
_FLYING = select(Job.backend_id, Job.id).where(Job.status.in_(IN_FLIGHT)).order_by(Job.id)


def _address(url: str) -> str:
    try:
        return server_url(url)
    except BadAddress as fault:
        raise BadInput(fault.sentence, field="url") from fault


def _place(url: str) -> tuple[str, int, str]:
    """What two spellings of one address have in common; all loopback names are one host."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".").lower()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return ("localhost" if _is_loopback(host) else host, port, parts.path.rstrip("/"))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _free_name(tx: Tx, name: str | None, *, otherwise: str) -> str:
    chosen = (name or otherwise).strip()
    if not chosen:
        raise BadInput("The server needs a name.", field="name")
    taken = tx.execute(select(Backend.id).where(Backend.name == chosen)).first()
    if taken is not None:
        raise Conflict(f"Another server is called {chosen}; choose another name.", field="name")
    return chosen


def database_time(tx: Tx) -> datetime:
    """The time by the database's clock, which all hubs share."""
    if tx.postgresql:
        return tx.execute(select(func.clock_timestamp(type_=UtcDateTime()))).scalar_one()
    told = tx.execute(select(func.strftime("%Y-%m-%d %H:%M:%f", "now"))).scalar_one()
    return datetime.fromisoformat(str(told)).replace(tzinfo=UTC)


def _tell(tx: Tx, backend_id: int, *, now: datetime) -> None:
    append(tx, EventKind.BACKEND_CHANGED, run_id=None, data={"backend_id": backend_id}, now=now)
