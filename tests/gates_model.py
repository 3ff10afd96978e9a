"""Gates as a toy, straight from the text: who advances, and what each decision changed.

Builds on the toy of `model.py`; as naive. A decision remembers what it found and what it made.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from model import Image, Run, World


@dataclass
class Decision:
    """One act and its undo: approve, reopen or pin."""

    run: Run | None
    order: int
    image: Image | None
    before: object
    after: object


@dataclass
class GatedWorld(World):
    approved: set[tuple[int, int]] = field(default_factory=set)  # run, order
    completed: set[int] = field(default_factory=set)
    pins: dict[int, str] = field(default_factory=dict)
    done: list[Decision] = field(default_factory=list)
    undone: list[Decision] = field(default_factory=list)

    def begin(self, run: Run) -> None:
        """Step 1 is approved from the start, and so is every gate that is `auto`."""
        self.runs.append(run)
        self.approved |= {(run.id, o) for o in range(1, run.last + 1) if o == 1 or run.auto[o]}

    def may_decide(self, run: Run, order: int) -> bool:
        return order > 1 and not run.auto[order] and (run.id, order - 1) in self.approved

    def at(self, run: Run, order: int) -> list[Image]:
        return [image for image in self.images if image.run is run and image.order == order]

    def top(self, run: Run, order: int, k: int, cap: int | None) -> set[int]:
        """The pinned, then the best of all, not of each parent, up to K."""
        live = [image for image in self.at(run, order) if image.live]
        through = [image for image in live if self.pins.get(image.id) == "always"]
        for image in sorted(live, key=lambda image: (-image.elo, image.id)):
            kin = [other for other in through if _base(other) is _base(image)]
            full = cap is not None and len(kin) >= cap
            if len(through) < k and image.id not in self.pins and not full:
                through.append(image)
        return {image.id for image in through}

    def approve(self, run: Run, order: int, k: int, cap: int | None) -> bool:
        """False where there is nothing to approve."""
        if not self.may_decide(run, order) or not any(i.live for i in self.at(run, order)):
            return False
        before = self._standing(run, order)
        through = self.top(run, order, k, cap)
        completed = order == run.last or (run.id in self.completed and through <= before[1])
        self._decided(run, order, before, (True, through, completed))
        return True

    def reopen(self, run: Run, order: int) -> bool:
        """False where the gate is not approved."""
        if not self.may_decide(run, order) or (run.id, order) not in self.approved:
            return False
        self._decided(run, order, self._standing(run, order), (False, set(), False))
        return True

    def pin(self, image: Image, pin: str | None) -> None:
        self._act(Decision(None, 0, image, self.pins.get(image.id), pin))

    def undo(self) -> bool:
        if not self.done:
            return False
        decision = self.done.pop()
        self._set(decision, decision.before)
        self.undone.append(decision)
        return True

    def redo(self) -> bool:
        if not self.undone:
            return False
        decision = self.undone.pop()
        self._set(decision, decision.after)
        self.done.append(decision)
        return True

    def _standing(self, run: Run, order: int) -> tuple[bool, set[int], bool]:
        through = {image.id for image in self.at(run, order) if image.advances}
        return (run.id, order) in self.approved, through, run.id in self.completed

    def _decided(self, run: Run, order: int, before: object, after: object) -> None:
        self._act(Decision(run, order, None, before, after))

    def _act(self, decision: Decision) -> None:
        self._set(decision, decision.after)
        self.done.append(decision)
        self.undone.clear()

    def _set(self, decision: Decision, to: object) -> None:
        if decision.image is not None:
            self.pins.pop(decision.image.id, None)
            if to is not None:
                self.pins[decision.image.id] = str(to)
            return
        run, order = decision.run, decision.order
        assert run is not None
        approved, through, completed = to  # type: ignore[misc]
        (self.approved.add if approved else self.approved.discard)((run.id, order))
        (self.completed.add if completed else self.completed.discard)(run.id)
        run.active = not completed
        for image in self.at(run, order):
            image.advances = image.id in through


def _base(image: Image) -> Image:
    return image if image.parent is None else _base(image.parent)
