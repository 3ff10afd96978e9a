"""What one server is given next: the hub's choice, unless the server lacks something for it or
another one should rather have it."""

from __future__ import annotations

import asyncio
import secrets
from typing import Final
from uuid import uuid4

from shortlist import logs
from shortlist.comfy.client import ComfyClient
from shortlist.comfy.faults import ComfyError
from shortlist.comfy.workflow import Catalogue, IssueKind, check
from shortlist.dispatcher.desk import Desk
from shortlist.dispatcher.floor import Hand
from shortlist.domain.affinity import patience
from shortlist.services import assignments, attempts, backends, graphs, holds, selection
from shortlist.services.graphs import Template, Unbuildable
from shortlist.services.jobs import Flight
from shortlist.services.selection import Choice, Look
from shortlist.store.db import Tx

SEED_BITS: Final = 53

MOST_OVERTAKEN: Final = 3
"""Looks that others may overtake before policies are asked while everyone waits."""

_LACKS: Final = (IssueKind.MISSING_NODE, IssueKind.MISSING_MODEL, IssueKind.NOT_IN_LIST)

log = logs.get("dispatcher")


class Chooser:
    """Claims jobs for one server."""

    def __init__(self, backend_id: int, client: ComfyClient, desk: Desk) -> None:
        self._backend_id, self._client, self._desk = backend_id, client, desk
        self._suited: set[int] = set()
        self._catalogue: Catalogue | None = None
        self._forget_at = 0.0
        self.waits_until: float | None = None
        """Until then, at most, an idle server leaves what comes next to better ones."""

    async def connected(self) -> None:
        """The server may be another one now, or have been given what it lacked."""
        self._suited.clear()
        self._catalogue = None
        self._forget_at = _time() + self._desk.pace.recheck
        now = self._desk.clock()
        await self._desk.write(lambda tx: assignments.forget_lacks(tx, self._backend_id, now=now))

    async def claim(self, hand: Hand) -> Flight | None:
        """The next job, written down for this server before it hears of it; null: none for it."""
        if _time() >= self._forget_at:
            await self.connected()
        seed, overtaken = secrets.randbits(SEED_BITS), 0
        while True:
            # A look first: it costs no writer's turn where there is nothing to do, nor while a
            # policy thinks.
            template, seen = await self._desk.read(lambda tx: self._look(tx, seed))
            if template is None or seen.choice is None:
                self.waits_until = None
                return None
            if not (template.step_id in self._suited or await self._suits(template)):
                continue
            if await self._leaves(hand, template.step_id, seen.choice):
                return None
            self.waits_until = None
            try:
                return await self._claim(seed, seen if overtaken < MOST_OVERTAKEN else None)
            except selection.Overtaken:
                overtaken += 1

    def _look(self, tx: Tx, seed: int) -> tuple[Template | None, Look]:
        closed = assignments.closed(tx, self._backend_id, now=self._desk.clock())
        seen = selection.look(tx, seed=seed, closed=closed)
        if seen.choice is None:
            return None, seen
        order = seen.choice.reason.step_order
        return graphs.template(tx, seen.choice.run_id, step_order=order), seen

    async def _suits(self, template: Template) -> bool:
        """Whether the server has all that the step needs. If not, and another one may, the step is
        kept from this one."""
        step_id = template.step_id
        if await self._desk.read(
            lambda tx: assignments.is_open_elsewhere(tx, self._backend_id, step_id)
        ):
            lack = await self._lack(template)
            if lack:
                now = self._desk.clock()
                log.info("step_not_for_server", backend=self._backend_id, step=step_id)
                await self._desk.write(
                    lambda tx: assignments.lacks(
                        tx, self._backend_id, step_id, sentence=lack, now=now
                    )
                )
                return False
        self._suited.add(step_id)
        return True

    async def _lack(self, template: Template) -> str:
        """The first thing the server does not have for the step; empty when it has all."""
        if self._catalogue is None:
            try:
                self._catalogue = await self._client.catalogue()
            except ComfyError as fault:
                log.info("catalogue_not_read", backend=self._backend_id, reason=fault.sentence)
                return ""
        issues = check(
            template.graph,
            template.bindings,
            self._catalogue,
            takes_parent=template.takes_parent,
        )
        varied = {(each.node, each.input) for each in template.bindings.variables.values()}
        return next(
            (
                issue.sentence
                for issue in issues
                if issue.blocks and issue.kind in _LACKS and (issue.node, issue.input) not in varied
            ),
            "",
        )

    async def _leaves(self, hand: Hand, step_id: int, choice: Choice) -> bool:
        """Whether the job is left to better servers, which are told. An idle one waits for as long
        as that was worth when it began to."""
        warm = self._desk.floor.warm(hand, step_id)
        if not warm:
            return False
        now = self._desk.clock()
        load, kept, waiting = await self._desk.read(
            lambda tx: (
                assignments.load(tx, self._backend_id, step_id),
                assignments.kept_from(tx, step_id, now=now),
                selection.waiting(tx, choice),
            )
        )
        better = [each for each in warm if each.backend_id not in kept]
        seconds = patience(hand, better, load=load, waiting=waiting)
        if seconds and not hand.taken:
            if self.waits_until is None:
                self.waits_until = _time() + seconds
                for each in better:
                    each.ring()
            return _time() < self.waits_until
        return seconds > 0

    async def _claim(self, seed: int, seen: Look | None) -> Flight | None:
        now, wildcards = self._desk.clock(), await asyncio.to_thread(self._desk.wildcards.read)

        def claim(tx: Tx) -> Flight | None:
            # Asked here, too: a person may have switched it off a moment ago.
            if not backends.takes_jobs(tx, self._backend_id):
                return None
            claimed = selection.claim(
                tx,
                backend_id=self._backend_id,
                seed=seed,
                prompt_id=str(uuid4()),
                now=now,
                wildcards=wildcards,
                seen=seen,
            )
            if claimed is None:
                return None
            return attempts.claimed(tx, claimed, backend_id=self._backend_id)

        try:
            return await self._desk.write(claim)
        except Unbuildable as found:
            fault = found
        await self._desk.write(
            lambda tx: holds.hold(tx, fault.run_id, fault.step_id, reason=fault.sentence, now=now)
        )
        return None


def _time() -> float:
    return asyncio.get_running_loop().time()
