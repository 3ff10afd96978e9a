"""The queue and the history of a simulator, in memory only, with ComfyUI's habits: a heap that
breaks on two equal items, a counter that refused posts use up, an entry that appears whole."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from shortlist.simulator.nodes import JsonObject

Item = tuple[float, str, dict[str, JsonObject], JsonObject, list[str]]
"""Number, prompt id, graph, extra data, output nodes: compared in this order by the heap, so two
items equal in number and id raise TypeError, in `put`, in `delete` or in the worker."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A finished job as the history tells it."""

    item: Item
    outputs: JsonObject
    success: bool
    messages: list[tuple[str, JsonObject]]
    meta: JsonObject

    def told(self) -> JsonObject:
        status: JsonObject = {
            "status_str": "success" if self.success else "error",
            "completed": self.success,
            "messages": self.messages,
        }
        prompt = list(self.item)
        return {"prompt": prompt, "outputs": self.outputs, "status": status, "meta": self.meta}

    def state(self) -> str:
        """The word of the job routes, decided by the last message alone."""
        last = self.messages[-1][0]
        ends = {"execution_success": "completed", "execution_interrupted": "cancelled"}
        return ends.get(last, "failed")


@dataclass(slots=True)
class Jobs:
    """What waits, runs and is over. `changed` is told of every change of the waiting count."""

    changed: Callable[[], None]
    max_history: int
    pending: list[Item] = field(default_factory=list)
    running: dict[int, Item] = field(default_factory=dict)
    history: dict[str, Ended] = field(default_factory=dict)
    counter: int = 0
    _taken: int = 0
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def number(self, *, front: bool) -> int:
        """The next place in the queue; a negative one, before all others, for `front`."""
        number = -self.counter if front else self.counter
        self.counter += 1
        return number

    def put(self, item: Item) -> None:
        self._arrived.set()
        heapq.heappush(self.pending, item)
        self.changed()

    async def take(self) -> tuple[int, Item]:
        """Waits for an item and moves it from pending to running in one go."""
        while not self.pending:
            self._arrived.clear()
            await self._arrived.wait()
        item = heapq.heappop(self.pending)
        self._taken += 1
        self.running[self._taken] = item
        self.changed()
        return self._taken, item

    def finish(self, place: int, ended: Ended, *, keep: bool) -> None:
        """Moves a running item into the history, or forgets it."""
        item = self.running.pop(place)
        if len(self.history) > self.max_history:
            self.history.pop(next(iter(self.history)))
        self.history[item[1]] = ended
        if not keep:
            del self.history[item[1]]
        self.changed()

    def delete(self, prompt_id: str) -> None:
        """Drops the first waiting item of that id, if one waits."""
        for place, item in enumerate(self.pending):
            if item[1] == prompt_id:
                if len(self.pending) == 1:
                    self.clear()  # told twice, as ComfyUI does for the last one
                else:
                    self.pending.pop(place)
                    heapq.heapify(self.pending)
                self.changed()
                return

    def clear(self) -> None:
        self.pending.clear()
        self.changed()

    def remaining(self) -> int:
        return len(self.pending) + len(self.running)

    def is_running(self, prompt_id: str) -> bool:
        return any(item[1] == prompt_id for item in self.running.values())

    def is_pending(self, prompt_id: str) -> bool:
        return any(item[1] == prompt_id for item in self.pending)

    def find(self, prompt_id: str) -> Item:
        """The item of that id, wherever it is; raises KeyError without one."""
        for item in [*self.running.values(), *self.pending]:
            if item[1] == prompt_id:
                return item
        return self.history[prompt_id].item

    def page(self, *, max_items: int | None, offset: int) -> dict[str, JsonObject]:
        """History, oldest first; a negative offset with `max_items` means the newest ones."""
        if offset < 0 and max_items is not None:
            offset = max(0, len(self.history) - max_items)
        keys = list(self.history)[max(0, offset) :]
        return {key: self.history[key].told() for key in keys[:max_items]}

    def everything(self) -> Iterator[tuple[str, str]]:
        """Id and state of all jobs known, newest first within each state."""
        yield from ((item[1], "in_progress") for item in self.running.values())
        yield from ((item[1], "pending") for item in sorted(self.pending, key=lambda i: i[:2]))
        for prompt_id in reversed(self.history):
            yield prompt_id, self.history[prompt_id].state()
