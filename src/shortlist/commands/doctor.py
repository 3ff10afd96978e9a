"""The command `doctor`: looks at everything the hub stands on, and says what to do."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Final

from shortlist import logs
from shortlist.comfy.client import ComfyClient
from shortlist.comfy.faults import ComfyError
from shortlist.commands.existing import check_there, existing
from shortlist.commands.serving import say
from shortlist.errors import NotFound, Problem
from shortlist.images.blobs import Blobs
from shortlist.images.model import BlobsError
from shortlist.services import backends
from shortlist.settings import Settings
from shortlist.simulator.about import DEVICE_NAME
from shortlist.store import migrate
from shortlist.store.db import SAFE_SQLITE, database_url, sqlite_module

LEAST_FREE_BYTES: Final = 2 * 2**30
"""A night of large images; below it the disk is likely to fill before the morning."""

PROBE_SECONDS: Final = 10.0


class Verdict(StrEnum):
    GOOD = "ok"
    NOTE = "note"
    BAD = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `words` say what was found and, where it is not good, what to do."""

    verdict: Verdict
    subject: str
    words: str


def examine(settings: Settings, *, backends: Sequence[str]) -> int:
    """Prints one line for each thing, and returns the exit code: 1 when something is broken."""
    logs.configure(level="ERROR")
    findings: list[Finding] = []
    for check in (_folder, _sqlite, _database, _images, _page):
        for finding in check(settings):
            findings.append(finding)
            say(_line(finding))
    for finding in asyncio.run(_servers(_addresses(settings, backends))):
        findings.append(finding)
        say(_line(finding))
    broken = [finding for finding in findings if finding.verdict is Verdict.BAD]
    if not broken:
        say("", "Everything the hub needs is there.")
        return 0
    say("", f"{len(broken)} of {len(findings)} checks found a problem.")
    return 1


def _line(finding: Finding) -> str:
    return f"{finding.verdict:<8} {finding.subject:<12} {finding.words}"


def _folder(settings: Settings) -> Iterator[Finding]:
    """The data folder: there, writable, private, and with room."""
    folder, subject = settings.data.expanduser(), "data folder"
    if not folder.is_dir():
        yield Finding(Verdict.NOTE, subject, f"{folder} is not there yet; the hub makes it.")
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(Verdict.BAD, subject, f"You may not write in {folder}; change its owner.")
        return
    yield Finding(Verdict.GOOD, subject, str(folder))
    if os.name != "nt" and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        yield Finding(
            Verdict.NOTE, subject, f"Others on this machine can look in; run chmod 700 {folder}."
        )
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        words = f"Only {free / 2**30:.1f} GiB are free; make room before a long run."
        yield Finding(Verdict.NOTE, subject, words)


def _sqlite(settings: Settings) -> Iterator[Finding]:
    """The SQLite library: versions before `SAFE_SQLITE` can damage a busy file."""
    if database_url(settings.database_location).get_backend_name() != "sqlite":
        return
    version = sqlite_module().sqlite_version_info
    written = ".".join(map(str, version))
    if version >= SAFE_SQLITE:
        yield Finding(Verdict.GOOD, "SQLite", written)
        return
    words = (
        f"{written} can damage a busy database file in rare cases; run pip install pysqlite3, or "
        "use a Python with SQLite 3.51.3 or newer."
    )
    yield Finding(Verdict.NOTE, "SQLite", words)


def _database(settings: Settings) -> Iterator[Finding]:
    location = database_url(settings.database_location).render_as_string(hide_password=True)
    try:
        check_there(settings)
        migrate.check(settings.database_location)
    except NotFound:
        yield Finding(Verdict.NOTE, "database", f"{location} is not there yet; the hub makes it.")
    except Problem as problem:
        yield Finding(Verdict.BAD, "database", problem.detail)
    else:
        yield Finding(Verdict.GOOD, "database", location)


def _images(settings: Settings) -> Iterator[Finding]:
    """The image store: an object can be written, read back and removed."""
    location = settings.images_location
    if "://" not in location and not Path(location).expanduser().is_dir():
        words = f"{location} is not there yet; the hub makes it."
        yield Finding(Verdict.NOTE, "image store", words)
        return
    try:
        Blobs.open(location).check()
    except BlobsError as error:
        yield Finding(Verdict.BAD, "image store", error.sentence)
    else:
        yield Finding(Verdict.GOOD, "image store", location.partition("?")[0])


def _page(_: Settings) -> Iterator[Finding]:
    if (resources.files("shortlist") / "web" / "index.html").is_file():
        yield Finding(Verdict.GOOD, "web page", "built")
        return
    words = "The web page is not built; run make page in the source tree."
    yield Finding(Verdict.BAD, "web page", words)


def _addresses(settings: Settings, further: Sequence[str]) -> list[str]:
    """The servers in use, as far as the database can be read, and those of the command line."""
    try:
        with existing(settings) as database, database.snapshot() as tx:
            known = [server.url for server in backends.views(tx) if server.enabled]
    except Problem:
        known = []
    return list(dict.fromkeys([*known, *further]))


async def _servers(addresses: Sequence[str]) -> list[Finding]:
    if not addresses:
        words = "None is in use yet; give one with --backend, or add it on the page."
        return [Finding(Verdict.NOTE, "server", words)]
    return list(await asyncio.gather(*(_server(address) for address in addresses)))


async def _server(address: str) -> Finding:
    try:
        async with (
            asyncio.timeout(PROBE_SECONDS),
            ComfyClient(address, client_id="shortlist-doctor") as client,
        ):
            server = await client.probe()
    except TimeoutError:
        words = f"{address} did not answer within {PROBE_SECONDS:.0f} s; is it starting?"
        return Finding(Verdict.BAD, "server", words)
    except ComfyError as fault:
        return Finding(Verdict.BAD, "server", f"{address}: {fault.sentence}")
    devices = ", ".join(device.name for device in server.devices)
    kind = "a simulator" if DEVICE_NAME in devices else f"ComfyUI {server.version}"
    return Finding(Verdict.GOOD, "server", f"{address} is {kind} on {devices or 'no device'}.")
