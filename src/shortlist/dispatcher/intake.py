"""Results on their way in: fetched, checked, stored, compared with the parent, made candidates.

Bytes first, rows second: a crash leaves at worst an image without a row, which a sweep removes.
Every way out is an event for `domain.job_states`.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from shortlist import logs
from shortlist.comfy.client import ComfyClient
from shortlist.comfy.faults import BadAnswer, ComfyError, FileMissing, TooLarge
from shortlist.comfy.messages import OutputFile
from shortlist.dispatcher.desk import Desk
from shortlist.domain.job_states import Cause, Event, Failed, Heard
from shortlist.errors import Unavailable
from shortlist.images.model import (
    BlobsError,
    DamagedImage,
    ImageFault,
    Rendered,
    RenderingStopped,
)
from shortlist.services import results
from shortlist.services.assignments import Took
from shortlist.services.jobs import Flight
from shortlist.services.results import NewImage

MOST_IMAGES: Final = 64
"""Images taken of one job; ComfyUI's own editor stops at a batch of 64, too."""

T = TypeVar("T")
log = logs.get("dispatcher")


class BadPicture(Exception):
    """A file that can't become a candidate, told in one sentence."""


class Intake:
    """Takes results of one server in. `hindered` is told why keeping one fails, "" when it works.

    A full disk or a database that is away costs no result: it is tried again until it works.
    """

    def __init__(
        self, client: ComfyClient, desk: Desk, *, hindered: Callable[[str], Awaitable[None]]
    ) -> None:
        self._client = client
        self._desk = desk
        self._hindered = hindered

    async def take_in(
        self, flight: Flight, files: Sequence[OutputFile], *, took: Took | None = None
    ) -> Event:
        """Makes the files candidates of the job."""
        try:
            images = [await self._image(flight, file) for file in files[:MOST_IMAGES]]
        except FileMissing:
            return Heard.FILES_GONE
        except TooLarge as fault:
            return Failed(Cause.BAD_OUTPUT, fault.sentence)
        except ComfyError as fault:
            log.info("fetch_failed", job=flight.job_id, reason=fault.sentence)
            return Heard.LOST_TOUCH
        except BadPicture as fault:
            return Failed(Cause.BAD_OUTPUT, str(fault))
        await self._persist(lambda: self._ingest(flight, images, took=took))
        return Heard.TAKEN_IN

    async def adopt(self, flight: Flight, first: OutputFile) -> Event:
        """Takes in the files that only this attempt can have written, if they are whole.

        `first` is the name SaveImage gives to its first file; the others are counted on from it.
        """
        try:
            files = await self._written(first)
        except ComfyError:
            return Heard.LOST_TOUCH
        if not files:
            return Heard.NO_FILES
        event = await self.take_in(flight, files)
        # The server died while it wrote; the piece stays where it is.
        return Heard.NO_FILES if isinstance(event, Failed) else event

    async def _written(self, first: OutputFile) -> list[OutputFile]:
        stem = first.filename.removesuffix("_00001_.png")
        found: list[OutputFile] = []
        for number in range(1, MOST_IMAGES + 1):
            name = f"{stem}_{number:05}_.png"
            file = OutputFile(first.node, name, first.subfolder, first.type)
            if not await self._client.exists(file):
                break
            found.append(file)
        return found

    async def _image(self, flight: Flight, file: OutputFile) -> NewImage:
        data, rendered = await self._whole(file)
        key = await self._persist(
            lambda: asyncio.to_thread(self._desk.blobs.put_image, data, rendered)
        )
        return NewImage(
            key=key,
            sha256=rendered.sha256,
            media_type=rendered.media_type.value,
            width=rendered.width,
            height=rendered.height,
            size_bytes=len(data),
            thumbhash=base64.b64encode(rendered.thumbhash).decode(),
            regions=await self._regions(flight, data),
        )

    async def _whole(self, file: OutputFile) -> tuple[bytes, Rendered]:
        """The file, fetched once more where the first copy is damaged."""
        try:
            return await self._fetched(file)
        except (DamagedImage, RenderingStopped, BadAnswer) as fault:
            log.info("download_repeated", reason=fault.sentence)
        except ImageFault as fault:
            raise BadPicture(fault.sentence) from fault
        try:
            return await self._fetched(file)
        except (ImageFault, BadAnswer) as fault:
            raise BadPicture(fault.sentence) from fault

    async def _fetched(self, file: OutputFile) -> tuple[bytes, Rendered]:
        data = await self._client.view(file)
        return data, await self._desk.renderer.render(data)

    async def _regions(self, flight: Flight, data: bytes) -> list[list[float]]:
        """Where the image differs from its parent; nothing where that can't be told."""
        if flight.parent_key is None:
            return []
        try:
            parent = await asyncio.to_thread(self._desk.blobs.get, flight.parent_key)
            boxes = await self._desk.renderer.changed_regions(parent, data)
        except (BlobsError, ImageFault) as fault:
            log.info("comparison_failed", job=flight.job_id, reason=fault.sentence)
            return []
        return [[box.x, box.y, box.width, box.height] for box in boxes]

    async def _ingest(
        self, flight: Flight, images: Sequence[NewImage], *, took: Took | None
    ) -> None:
        now = self._desk.clock()
        made = await self._desk.write(
            lambda tx: results.ingest(tx, flight.job_id, images=images, now=now, took=took)
        )
        log.info("job_ingested", job=flight.job_id, candidates=made)

    async def _persist(self, act: Callable[[], Awaitable[T]]) -> T:
        """`act`, until there is room for what it wants to keep."""
        hindered = False
        while True:
            try:
                kept = await act()
            except (BlobsError, Unavailable) as fault:
                sentence = fault.sentence if isinstance(fault, BlobsError) else fault.detail
                log.error("result_not_kept", reason=sentence)
                hindered = True
                await self._hindered(sentence)
                await asyncio.sleep(self._desk.pace.trouble)
                continue
            if hindered:
                await self._hindered("")
            return kept
