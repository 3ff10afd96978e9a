"""One job as its driver holds it: the row, the graph, and what is known of it at the server."""

from __future__ import annotations

import json
from asyncio import Task
from dataclasses import dataclass

from shortlist.comfy.graph import Graph, as_graph
from shortlist.comfy.messages import OutputFile
from shortlist.dispatcher.listener import Watched
from shortlist.domain.job_states import Event, Known, Where
from shortlist.services.assignments import NO_BLAME, Blame, Took
from shortlist.services.jobs import Flight


@dataclass(slots=True)
class Tracked:
    """One job. `output` is the node that saves it, `first` the first file that node will write.

    `cold`: the server was given another step before; null where the hub does not know. `is_first`:
    it was put before all that waited, as wished.
    """

    flight: Flight
    known: Known
    graph: Graph
    output: str
    first: OutputFile
    watched: Watched
    files: tuple[OutputFile, ...] = ()
    in_history: bool = False
    fetches: int = 0
    is_first: bool = False
    missed_at: float = 0.0
    empty_since: float | None = None
    last_words: str = ""
    blame: Blame = NO_BLAME
    cold: bool | None = None
    took: Took | None = None
    intake: Task[Event] | None = None

    @property
    def prompt_id(self) -> str:
        """The id of the present attempt."""
        return self.flight.prompt_id


def track(flight: Flight, *, where: Where, at: float) -> Tracked:
    """A job as read from the database; its output is the node whose files bear the attempt's id."""
    graph = as_graph(json.loads(flight.workflow))
    output, prefix = next(
        (node_id, prefix)
        for node_id, node in graph.items()
        if isinstance(prefix := node["inputs"].get("filename_prefix"), str)
        and flight.prompt_id in prefix
    )
    folder, _, stem = prefix.rpartition("/")
    return Tracked(
        flight=flight,
        known=Known(where, flight.attempts, flight.recall),
        graph=graph,
        output=output,
        first=OutputFile(output, f"{stem}_00001_.png", folder, "output"),
        watched=Watched(flight.job_id, graph, at),
    )
