"""Puts jobs to one server, each with its parent image, which is uploaded once a connection."""

from __future__ import annotations

import asyncio
from pathlib import PurePosixPath

from shortlist import logs
from shortlist.comfy.client import INPUT_FOLDER, ComfyClient
from shortlist.comfy.faults import ComfyError, RefusalKind, Refused, TooLarge, Unreachable
from shortlist.comfy.graph import Graph, Node, title_of
from shortlist.comfy.plain import JSON
from shortlist.dispatcher.desk import Desk
from shortlist.dispatcher.tracked import Tracked
from shortlist.domain.job_states import Cause, Event, Failed, Heard
from shortlist.images.model import BlobsError, Missing
from shortlist.services.assignments import Blame

log = logs.get("dispatcher")

_LACKING = {RefusalKind.MISSING_NODE_TYPE, RefusalKind.VALUE_NOT_IN_LIST}
"""Refusals that another server, with other packs and models, may not repeat."""

_NO_PARENT = "The parent's image is no longer in the image store."


class Submitter:
    """Submits for one driver."""

    def __init__(self, client: ComfyClient, desk: Desk) -> None:
        self._client = client
        self._desk = desk
        self._uploaded: dict[str, str] = {}

    def forget_uploads(self) -> None:
        """The server may be another one now: parents are uploaded again."""
        self._uploaded.clear()

    async def submit(self, job: Tracked) -> Event:
        """Submits the job once and says what came of it.

        Only a missing parent file is worth a second try at once: somebody cleaned the server up.
        """
        try:
            return await self._submit(job)
        except Refused as refusal:
            key = job.flight.parent_key
            if key not in self._uploaded or RefusalKind.FILE_NOT_FOUND not in refusal.kinds:
                return _refused(job, refusal)
            del self._uploaded[key]
        try:
            return await self._submit(job)
        except Refused as refusal:
            return _refused(job, refusal)

    async def _submit(self, job: Tracked) -> Event:
        try:
            graph = await self._with_parent(job)
        except (Missing, TooLarge) as fault:
            words = _NO_PARENT if isinstance(fault, Missing) else fault.sentence
            return Failed(Cause.BAD_OUTPUT, words)
        except (BlobsError, ComfyError) as fault:
            log.warning("parent_not_uploaded", job=job.flight.job_id, reason=fault.sentence)
            return Heard.NOT_SENT
        try:
            await self._client.submit(
                job.prompt_id, graph, extra_pnginfo=_marks(job), front=job.flight.goes_first
            )
        except Refused:
            raise
        except ComfyError as fault:
            log.warning("submit_unanswered", job=job.flight.job_id, reason=fault.sentence)
            job.last_words = fault.sentence
            sent = not isinstance(fault, Unreachable) or fault.maybe_applied
            return Heard.UNANSWERED if sent else Heard.NOT_SENT
        job.last_words, job.is_first = "", job.flight.goes_first
        return Heard.ACCEPTED

    async def _with_parent(self, job: Tracked) -> Graph:
        """The graph, its parent image at the server."""
        key = job.flight.parent_key
        if key is None:
            return job.graph
        name = PurePosixPath(key)
        if key not in self._uploaded:
            data = await asyncio.to_thread(self._desk.blobs.get, key)
            extension = name.suffix.lstrip(".")
            self._uploaded[key] = await self._client.upload(data, name.stem, extension)
        return _renamed(job.graph, f"{INPUT_FOLDER}/{name.name}", self._uploaded[key])


def _refused(job: Tracked, refusal: Refused) -> Failed:
    node = refusal.reasons[0].node if refusal.reasons else ""
    job.blame = Blame(
        node=title_of(job.graph, node) if node in job.graph else None,
        log="\n".join(reason.sentence for reason in refusal.reasons),
        lacking=refusal.kinds <= _LACKING,
    )
    return Failed(Cause.REFUSED, refusal.sentence)


def _renamed(graph: Graph, wanted: str, given: str) -> Graph:
    """The graph with the name the server gave: another than ours where a damaged file of our name
    was left there by a crash."""
    if wanted == given:
        return graph
    return {node_id: _with_value(node, wanted, given) for node_id, node in graph.items()}


def _with_value(node: Node, wanted: str, given: str) -> Node:
    made = node.copy()
    made["inputs"] = {
        name: given if value == wanted else value for name, value in node["inputs"].items()
    }
    return made


def _marks(job: Tracked) -> dict[str, JSON]:
    """Written into the image's metadata beside the workflow."""
    flight = job.flight
    return {
        "shortlist": {
            "run": flight.run_id,
            "step": flight.step_id,
            "job": flight.job_id,
            "attempt": flight.prompt_id,
        }
    }
