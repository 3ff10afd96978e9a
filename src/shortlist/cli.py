"""The command `shortlist`: its words and flags, and faults as one sentence and an exit code.

Nothing heavy is imported before a command runs, so that help is quick; what commands do is in
`commands/`.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Literal

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError

from shortlist import __version__
from shortlist.commands import pipeline_words, run_words
from shortlist.commands.place import ANYWHERE, Place, settings_of
from shortlist.errors import Problem

USAGE_EXIT = 2
INTERRUPTED_EXIT = 130

app = App(
    name="shortlist",
    help="Turns A-or-B votes into the next ComfyUI job. Wake up to a shortlist, not a folder.",
    version=__version__,
    help_format="plaintext",
)
app.command(run_words.app)
app.command(pipeline_words.app)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How the hub listens and works.

    Parameters
    ----------
    host
        Address to listen on; any but this machine's own needs a token.
    port
        Port to listen on; 0 takes a free one.
    token
        Secret of 16 characters or more; better given as SHORTLIST_TOKEN.
    allow_host
        A further name that this hub is reached by.
    lookahead
        Jobs in flight at each server: one renders, the others wait there.
    max_children
        N of new runs: images made from each image.
    target_leaves
        T of new runs: finished images wanted.
    base_count
        Base images that a new run with gates begins with.
    log_format
        Log lines for people or for programs.
    log_level
        The least that is logged.
    """

    host: str | None = None
    port: int | None = None
    token: str | None = None
    allow_host: tuple[str, ...] | None = None
    lookahead: int | None = None
    max_children: int | None = None
    target_leaves: int | None = None
    base_count: int | None = None
    log_format: Literal["text", "json"] | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None = None


DEFAULT_DOOR = Door()


@app.command
def serve(
    place: Place = ANYWHERE,
    door: Door = DEFAULT_DOOR,
    *,
    backend: tuple[str, ...] = (),
    open: bool = False,
) -> None:
    """Run the hub: web page, interface and dispatcher in one process.

    Parameters
    ----------
    backend
        Address of a ComfyUI server, such as http://127.0.0.1:8188; may be repeated.
    open
        Open the page in the browser.
    """
    # What the start makes stays: looking through it for garbage is a tenth of the wait.
    gc.disable()
    from shortlist.commands import serving

    serving.serve(settings_of(place, door), backends=backend, open_page=open)


@app.command
def demo(
    place: Place = ANYWHERE,
    door: Door = DEFAULT_DOOR,
    *,
    open: bool = False,
    fresh: bool = False,
    headless: bool = False,
    seconds_per_image: float | None = None,
) -> None:
    """Run the hub with a simulator that draws, a ready pipeline and a run.

    The data is kept in the folder demo of the data folder.

    Parameters
    ----------
    open
        Open the page in the browser.
    fresh
        Forget the demo's earlier data and start anew.
    headless
        Let an automatic voter play the whole funnel, print what came of it, and exit.
    seconds_per_image
        How long the simulator takes for an image.
    """
    from shortlist.commands import demo

    settings = settings_of(place, door)
    if headless:
        demo.headless(settings, seconds_per_image=seconds_per_image)
        return
    demo.serve(settings, open_page=open, fresh=fresh, seconds_per_image=seconds_per_image)


@app.command
def simulator(
    *,
    host: str = "127.0.0.1",
    port: int = 8188,
    folder: Path | None = None,
    seconds_per_image: float = 0.5,
) -> None:
    """Run a simulator: a server on ComfyUI's wire that draws without a model.

    Parameters
    ----------
    host
        Address to listen on.
    port
        Port to listen on; 0 takes a free one.
    folder
        Where its input and output folders are; a temporary folder when left out.
    seconds_per_image
        How long it takes for an image.
    """
    from shortlist.commands import serving

    serving.simulate(host, port, folder=folder, seconds_per_image=seconds_per_image)


@app.command
def doctor(place: Place = ANYWHERE, *, backend: tuple[str, ...] = ()) -> None:
    """Check the data folder, the database, the image store and every server.

    Parameters
    ----------
    backend
        Address of a further ComfyUI server to check; may be repeated.
    """
    from shortlist.commands import doctor

    sys.exit(doctor.examine(settings_of(place), backends=backend))


@app.command
def status(place: Place = ANYWHERE, *, json: bool = False) -> None:
    """Show runs, columns and jobs; live on a terminal, until you press Ctrl+C.

    Parameters
    ----------
    json
        Print one JSON object instead.
    """
    from shortlist.commands import status

    status.show(settings_of(place), as_json=json)


@app.command
def migrate(place: Place = ANYWHERE) -> None:
    """Bring the database to this version, with a backup beside it; the hub does so by itself."""
    from shortlist.commands import serving

    serving.migrate(settings_of(place))


@app.command
def openapi() -> None:
    """Print the OpenAPI document of the hub's interface."""
    from shortlist.api.document import document

    sys.stdout.write(document())


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and exits; a fault is one sentence on standard error."""
    _write_utf8()
    try:
        app(arguments, exit_on_error=False, print_error=False)
    except UnusedCliTokensError as error:
        words = " ".join(error.unused_tokens or ())
        _fail(f"There is more than the command takes: {words}; see its --help.", USAGE_EXIT)
    except CycloptsError as error:
        _fail(_one_line(str(error)), USAGE_EXIT)
    except Problem as problem:
        _fail(problem.detail, problem.exit_code)
    except ExceptionGroup as group:
        first = _problem_of(group)
        if first is None:
            raise
        _fail(first.detail, first.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED_EXIT)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read the output has left; there is no one to tell


def _write_utf8() -> None:
    """What goes into a file or a pipe is UTF-8, as all that is read back, also on Windows."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and not stream.isatty():
            stream.reconfigure(encoding="utf-8")


def _problem_of(group: BaseExceptionGroup[Exception]) -> Problem | None:
    """The first fault a person can be told of, where several parts of the hub ended together."""
    found: BaseException | None = group.subgroup(Problem)
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found if isinstance(found, Problem) else None


def _one_line(message: str) -> str:
    return " ".join(message.split())


def _fail(sentence: str, code: int) -> None:
    sys.stderr.write(f"shortlist: {sentence}\n")
    sys.exit(code)
