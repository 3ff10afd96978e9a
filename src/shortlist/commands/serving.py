"""Commands that start a server or prepare for one: the hub, the simulator, migrations."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from shortlist import hub, logs
from shortlist.errors import ConfigFault
from shortlist.settings import Settings
from shortlist.store import migrate as migrations


def serve(settings: Settings, *, backends: Sequence[str], open_page: bool) -> None:
    """Runs the hub until it is told to stop."""
    configure_logs(settings)
    hub.run(_serve(settings, backends=backends, open_page=open_page))


def simulate(host: str, port: int, *, folder: Path | None, seconds_per_image: float) -> None:
    """Runs a simulator until it is told to stop."""
    check_seconds(seconds_per_image)
    hub.run(_simulate(host, port, folder=folder, seconds_per_image=seconds_per_image))


def migrate(settings: Settings) -> None:
    """Brings the database to this version and says what was done."""
    done = migrations.upgrade(settings.database_location)
    if done.before == done.after:
        say(f"The database is at version {done.after} already.")
        return
    backup = "" if done.backup is None else f" A backup is at {done.backup}."
    say(f"The database went from version {done.before or 'none'} to {done.after}.{backup}")


def say(*lines: str) -> None:
    """Writes lines for the person at the terminal."""
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def configure_logs(settings: Settings) -> None:
    logs.configure(level=settings.log_level.value, json=settings.log_format == "json")


def check_seconds(seconds_per_image: float) -> None:
    if not 0 <= seconds_per_image <= 3600:
        raise ConfigFault("Give --seconds-per-image a number of seconds from 0 to 3600.")


async def greet(url: str, *lines: str, open_page: bool) -> None:
    """Says where the page is, and opens it."""
    say(*lines)
    if open_page:
        await asyncio.to_thread(webbrowser.open, url)


async def _serve(settings: Settings, *, backends: Sequence[str], open_page: bool) -> None:
    servers = [hub.Server(url) for url in backends]
    async with hub.running(settings, servers=servers) as at_work:
        where = f"Shortlist is at {at_work.url}. Press Ctrl+C to stop."
        await greet(at_work.url, where, open_page=open_page)
        await hub.until_told()


async def _simulate(host: str, port: int, *, folder: Path | None, seconds_per_image: float) -> None:
    # Here, because the hub starts without what draws.
    from shortlist.simulator import server
    from shortlist.simulator.options import SimulatorOptions

    with tempfile.TemporaryDirectory(prefix="shortlist-simulator-") as temporary:
        options = SimulatorOptions(
            folder=folder or Path(temporary), seconds_per_image=seconds_per_image
        )
        try:
            async with server.running(options, host=host, port=port) as simulator:
                say(f"The simulator is at {simulator.url}. It draws; no model is involved.")
                await hub.until_told()
        except OSError as error:
            raise ConfigFault(
                f"Port {port} on {host} can't be listened on ({error.strerror}); choose another."
            ) from error
