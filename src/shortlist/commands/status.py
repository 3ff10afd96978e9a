"""The command `status`: runs, columns, jobs and servers, once or live, from the database alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from shortlist.api.models import Backend, RunSummary, Status
from shortlist.api.status import glance
from shortlist.commands.existing import existing
from shortlist.domain.model import Health
from shortlist.settings import Settings
from shortlist.store.db import Database

LOOK_SECONDS: Final = 0.5
BAR_WIDTH: Final = 24

_COLOURS: Final = {
    Health.OK: "green",
    Health.UNKNOWN: "dim",
    Health.LOST: "yellow",
    Health.FAULTY: "red",
}


def show(settings: Settings, *, as_json: bool) -> None:
    """Prints the state of the hub; on a terminal follows it until interrupted."""
    with existing(settings) as database:
        if as_json:
            sys.stdout.write(_look(database).model_dump_json(indent=2) + "\n")
            return
        console = Console()
        if not console.is_terminal:
            console.print(_drawn(_look(database)))
            return
        with Live(console=console, auto_refresh=False) as live:
            for status in _looks(database):
                live.update(_drawn(status), refresh=True)


def _looks(database: Database) -> Iterator[Status]:
    while True:
        yield _look(database)
        time.sleep(LOOK_SECONDS)


def _look(database: Database) -> Status:
    with database.snapshot() as tx:
        return glance(tx, now=datetime.now(UTC))


def _drawn(status: Status) -> RenderableType:
    parts: list[RenderableType] = [Text(status.why)]
    parts.extend(_run(run) for run in status.runs)
    parts.append(_servers(status.backends))
    return Group(*parts)


def _run(run: RunSummary) -> RenderableType:
    title = f"{run.name} ({run.status}): {run.finished} of {run.target_leaves} finished"
    table = Table(title=Text(title), title_justify="left", box=None, padding=(0, 1))
    for heading in ("step", "in play", "", "killed", "being made", "state"):
        table.add_column(
            heading, justify="right" if heading not in {"step", "state", ""} else "left"
        )
    most = max([1, *(column.made for column in run.columns)])
    for column in run.columns:
        table.add_row(
            Text(column.name),
            str(column.live),
            ProgressBar(total=most, completed=column.live, width=BAR_WIDTH),
            str(column.rejected),
            str(column.in_flight),
            Text(column.held_reason or column.state),
        )
    bar = ProgressBar(total=run.target_leaves, completed=run.finished, width=BAR_WIDTH)
    return Group(Text(), table, bar)


def _servers(servers: list[Backend]) -> RenderableType:
    table = Table(box=None, padding=(0, 1))
    for heading in ("server", "address", "health", "jobs"):
        table.add_column(heading)
    for server in servers:
        words = server.health_detail or server.health.value
        if not server.enabled:
            words = "out of use"
        jobs = ", ".join(f"{job.step_name} ({job.status})" for job in server.in_flight)
        colour = _COLOURS[server.health]
        table.add_row(Text(server.name), Text(server.url), Text(words, style=colour), Text(jobs))
    return Group(Text(), table)
