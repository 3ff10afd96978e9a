"""The words and flags of `shortlist run …`; what the commands do is in `runs.py`.

Nothing heavy is imported before a command runs, so that help is quick.
"""

from __future__ import annotations

from typing import Literal

from cyclopts import App

from shortlist.commands.place import ANYWHERE, Place, settings_of

app = App(name="run", help="Make runs, look at them, and decide their gates.")


@app.command(name="create")
def create(
    pipeline: str,
    name: str,
    *,
    prompt: str,
    negative_prompt: str = "",
    variable: tuple[str, ...] = (),
    max_children: int | None = None,
    target_leaves: int | None = None,
    base_count: int | None = None,
    priority: int = 0,
    wait_minutes: int = 30,
    night: str | None = None,
    time_zone: str = "UTC",
    policy: str = "right_to_left",
    rating: str = "elo",
    untried: bool = False,
    place: Place = ANYWHERE,
) -> None:
    """Start a run; the hub works for it at once, or when it starts.

    Parameters
    ----------
    pipeline
        Name or number of a pipeline.
    name
        What the run is called.
    prompt
        What the images shall show.
    negative_prompt
        What they shall not show.
    variable
        A value for a variable of the workflows, as name=value; may be repeated.
    max_children
        N: images made from each image.
    target_leaves
        T: finished images wanted, where no step has a gate.
    base_count
        Base images to begin with, where a step has a gate.
    priority
        Runs of a higher priority come first.
    wait_minutes
        How long a provisional gate waits for you.
    night
        When it does not wait, such as 22:30-07:00.
    time_zone
        The clock of the night, such as Europe/Berlin.
    policy
        How the next job is chosen.
    rating
        What pairs and chances are reckoned with: elo or tree.
    untried
        Start though a step has never made an image.
    """
    from shortlist.commands import runs

    wanted = runs.Wanted(
        pipeline=pipeline,
        name=name,
        prompt=prompt,
        negative_prompt=negative_prompt,
        variables=variable,
        max_children=max_children,
        target_leaves=target_leaves,
        base_count=base_count,
        priority=priority,
        wait_minutes=wait_minutes,
        night=night,
        time_zone=time_zone,
        policy=policy,
        rating=rating,
        untried=untried,
    )
    runs.create(settings_of(place), wanted)


@app.command(name="list")
def list_runs(
    *,
    status: Literal["active", "paused", "completed", "archived"] | None = None,
    json: bool = False,
    place: Place = ANYWHERE,
) -> None:
    """List the runs and what each waits for.

    Parameters
    ----------
    status
        Only those; all but archived ones when left out.
    json
        Print JSON instead, archived ones too.
    """
    from shortlist.commands import runs

    runs.show_all(settings_of(place), status=status, as_json=json)


@app.command(name="show")
def show(run: str, *, json: bool = False, place: Place = ANYWHERE) -> None:
    """Show a run: its steps, their gates, and how many images are made and planned.

    Parameters
    ----------
    run
        Number or name of the run.
    json
        Print one JSON object instead.
    """
    from shortlist.commands import runs

    runs.show(settings_of(place), run, as_json=json)


@app.command(name="pause")
def pause(run: str, *, place: Place = ANYWHERE) -> None:
    """Make no more images for a run, and take back what is under way for it."""
    from shortlist.commands import runs

    runs.set_status(settings_of(place), run, status="paused")


@app.command(name="resume")
def resume(run: str, *, place: Place = ANYWHERE) -> None:
    """Let a paused, completed or archived run go on."""
    from shortlist.commands import runs

    runs.set_status(settings_of(place), run, status="active")


@app.command(name="archive")
def archive(run: str, *, place: Place = ANYWHERE) -> None:
    """Put a run away; nothing is deleted."""
    from shortlist.commands import runs

    runs.set_status(settings_of(place), run, status="archived")


@app.command(name="copy")
def copy(run: str, name: str, *, untried: bool = False, place: Place = ANYWHERE) -> None:
    """Start a run with the pipeline, prompt and numbers of another.

    Parameters
    ----------
    run
        Number or name of the other run.
    name
        What the new one is called.
    untried
        Start though a step has never made an image.
    """
    from shortlist.commands import runs

    runs.copy(settings_of(place), run, new_name=name, untried=untried)


@app.command(name="update")
def update(run: str, pipeline: str | None = None, *, place: Place = ANYWHERE) -> None:
    """Let a run go on with another version of its pipeline; what had failed is tried again.

    Parameters
    ----------
    run
        Number or name of the run.
    pipeline
        Number of the version; the newest when left out.
    """
    from shortlist.commands import runs

    runs.update(settings_of(place), run, pipeline=pipeline)


@app.command(name="approve")
def approve(
    run: str,
    step: str,
    top_k: int | None = None,
    *,
    per_base: int | None = None,
    place: Place = ANYWHERE,
) -> None:
    """Let the best K images of a step go on; at the last step they win and complete the run.

    Parameters
    ----------
    run
        Number or name of the run.
    step
        Name of the step, or its place in the pipeline.
    top_k
        K; the step's default when left out.
    per_base
        At most so many that come from one base image.
    """
    from shortlist.commands import runs

    runs.approve(settings_of(place), run, step, top_k=top_k, per_base=per_base)


@app.command(name="reopen")
def reopen(run: str, step: str, *, place: Place = ANYWHERE) -> None:
    """Close the gate of a step again: nothing more is made from it, what is made stays."""
    from shortlist.commands import runs

    runs.reopen(settings_of(place), run, step)


@app.command(name="confirm")
def confirm(run: str, step: str, *, place: Place = ANYWHERE) -> None:
    """Accept what went on by itself while nobody acted."""
    from shortlist.commands import runs

    runs.confirm(settings_of(place), run, step)
