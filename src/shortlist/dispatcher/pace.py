"""How often a driver looks, and how long it is patient. One value, so that tests can be quick."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """All in seconds."""

    poll: float = 0.75
    """Between two looks at the history of a job: the truth, should the socket be silent."""
    survey: float = 4.0
    """Between two looks at the whole queue: what is lost, what runs, whether the worker lives.
    Not 5: many servers close a connection that was idle for just as long."""
    absence: float = 3.0
    """Between two looks that find nothing of a job: a submit may be under way in a proxy."""
    deaf: float = 5.0
    """After a submit, the time in which the socket must say something or be replaced."""
    first_retry: float = 1.0
    last_retry: float = 30.0
    """Waits between tries to reach a server, doubled each time."""
    zombie: float = 10.0
    """Jobs wait and none runs for as long: the server's worker has died."""
    stall: float = 1800.0
    """A running job without any news, where nothing is known of its step yet: a first load of
    large models from a slow disk takes minutes, a compile more."""
    shortest_stall: float = 300.0
    """The same where the step's jobs are known to be short."""
    give_back: float = 60.0
    """A server out of reach for as long: jobs it never accepted go back."""
    abandon: float = 600.0
    """... and those it had accepted, too."""
    rest: float = 20.0
    """After it ran out of memory a server is spared that step for as long."""
    recheck: float = 300.0
    """Between two looks at what a server lacks for a step: somebody may have put it there."""
    gather: float = 0.05
    """Changes that come closer together than this are looked at once."""
    look: float = 2.0
    """Between two looks at which servers there are, and at the next job where nothing rang."""
    trouble: float = 5.0
    """Between two tries to keep a result when the database or the image store can't take it."""
    farewell: float = 10.0
    """At the end, the time for results that are on their way in."""
