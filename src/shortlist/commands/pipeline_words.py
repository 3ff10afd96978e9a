"""The words and flags of `shortlist pipeline …`; what the commands do is in `pipelines.py`.

Nothing heavy is imported before a command runs, so that help is quick.
"""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from shortlist.commands.place import ANYWHERE, Place, settings_of

app = App(name="pipeline", help="Look at pipelines, and carry them from hub to hub.")


@app.command(name="list")
def list_pipelines(*, all: bool = False, json: bool = False, place: Place = ANYWHERE) -> None:
    """List the pipelines.

    Parameters
    ----------
    all
        Every version, not only the newest.
    json
        Print JSON instead.
    """
    from shortlist.commands import pipelines

    pipelines.show_all(settings_of(place), every_version=all, as_json=json)


@app.command(name="show")
def show(pipeline: str, *, json: bool = False, place: Place = ANYWHERE) -> None:
    """Show the steps of a pipeline.

    Parameters
    ----------
    pipeline
        Number of a version, or a name: its newest version.
    json
        Print one JSON object instead.
    """
    from shortlist.commands import pipelines

    pipelines.show(settings_of(place), pipeline, as_json=json)


@app.command(name="export")
def export(pipeline: str, file: Path | None = None, *, place: Place = ANYWHERE) -> None:
    """Write a pipeline with its workflows and bindings as one JSON file.

    Parameters
    ----------
    pipeline
        Number of a version, or a name: its newest version.
    file
        Where to; standard output when left out.
    """
    from shortlist.commands import pipelines

    pipelines.export(settings_of(place), pipeline, to=file)


@app.command(name="import")
def take(file: Path, *, name: str | None = None, place: Place = ANYWHERE) -> None:
    """Take in a pipeline from a file that export wrote.

    Parameters
    ----------
    file
        The file.
    name
        Another name for it; under one that is there already it becomes the next version.
    """
    from shortlist.commands import pipelines

    pipelines.take(settings_of(place), file, name=name)
