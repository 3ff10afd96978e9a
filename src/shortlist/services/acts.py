"""What a person can do while judging, and what is answered: values only. See `history.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, TypeAlias, assert_never

from shortlist.domain.model import ActKind, Pin, WalkAnswer
from shortlist.domain.pairing import Sides
from shortlist.services.branches import News


@dataclass(frozen=True, slots=True)
class VoteAct:
    """`left` is the id of the image that stood on the left; `shown_ms` from paint to decision.

    `versus_parent`: one of the two was made from the other, and the step between them is judged.
    `repeat`: this person has judged the two before, and is seen to agree with themselves or not.
    """

    kind: ClassVar[ActKind] = ActKind.VOTE
    id: str
    winner: int
    loser: int
    left: int
    shown_ms: int | None = None
    versus_parent: bool = False
    repeat: bool = False


@dataclass(frozen=True, slots=True)
class TieAct:
    kind: ClassVar[ActKind] = ActKind.TIE
    id: str
    a: int
    b: int
    left: int
    shown_ms: int | None = None
    versus_parent: bool = False
    repeat: bool = False


@dataclass(frozen=True, slots=True)
class WorstAct:
    """Of the four `images`, as they stood in reading order, `worst` is the worst."""

    kind: ClassVar[ActKind] = ActKind.WORST
    id: str
    worst: int
    images: tuple[int, ...]
    shown_ms: int | None = None


@dataclass(frozen=True, slots=True)
class SkipAct:
    """`a` stood on the left."""

    kind: ClassVar[ActKind] = ActKind.SKIP
    id: str
    a: int
    b: int
    versus_parent: bool = False


@dataclass(frozen=True, slots=True)
class KillAct:
    """`other` stood beside it, and `left` says which of the two on the left.

    `walk` is the id of the kill whose walk showed them: this kill then belongs to that walk and
    its undo, and starts none of its own.
    """

    kind: ClassVar[ActKind] = ActKind.KILL
    id: str
    candidate: int
    other: int | None = None
    left: int | None = None
    walk: str | None = None
    versus_parent: bool = False


@dataclass(frozen=True, slots=True)
class KillBothAct:
    """`a` stood on the left."""

    kind: ClassVar[ActKind] = ActKind.KILL_BOTH
    id: str
    a: int
    b: int


@dataclass(frozen=True, slots=True)
class WalkAct:
    """`walk` is the id of the kill that began it, `candidate` the image asked about."""

    kind: ClassVar[ActKind] = ActKind.WALK
    id: str
    walk: str
    candidate: int
    answer: WalkAnswer


@dataclass(frozen=True, slots=True)
class ApproveAct:
    """`seen` is the gate's count of decisions as the person saw it, null when they did not look.

    The decision takes effect after `hold_seconds`.
    """

    kind: ClassVar[ActKind] = ActKind.APPROVE
    id: str
    run_id: int
    step_id: int
    top_k: int
    per_base: int | None = None
    seen: int | None = None
    hold_seconds: int = 0


@dataclass(frozen=True, slots=True)
class ReopenAct:
    kind: ClassVar[ActKind] = ActKind.REOPEN
    id: str
    run_id: int
    step_id: int
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class ConfirmAct:
    """Takes a gate that passed provisionally as it is."""

    kind: ClassVar[ActKind] = ActKind.CONFIRM
    id: str
    run_id: int
    step_id: int
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class PinAct:
    """`pin` null: the image goes by its rank again."""

    kind: ClassVar[ActKind] = ActKind.PIN
    id: str
    candidate: int
    pin: Pin | None


@dataclass(frozen=True, slots=True)
class KeepAct:
    """`stars` from 0, kept without any, to 5; null: not kept after all."""

    kind: ClassVar[ActKind] = ActKind.KEEP
    id: str
    candidate: int
    stars: int | None = 0


@dataclass(frozen=True, slots=True)
class UndoAct:
    """Without a `target` it takes back the person's last act."""

    kind: ClassVar[ActKind] = ActKind.UNDO
    id: str
    target: str | None = None


@dataclass(frozen=True, slots=True)
class RedoAct:
    kind: ClassVar[ActKind] = ActKind.REDO
    id: str


Act: TypeAlias = (
    VoteAct
    | TieAct
    | WorstAct
    | SkipAct
    | KillAct
    | KillBothAct
    | WalkAct
    | ApproveAct
    | ReopenAct
    | ConfirmAct
    | PinAct
    | KeepAct
    | UndoAct
    | RedoAct
)


@dataclass(frozen=True, slots=True)
class Doing:
    """Who is at it, under which row of the log, and when."""

    person: str
    act_id: int
    now: datetime


@dataclass(frozen=True, slots=True)
class Rejection:
    """What a kill ended. `root_id`: the killed image, the first of two; `branch`: images below."""

    root_id: int
    branch: int
    jobs: int


@dataclass(frozen=True, slots=True)
class Undone:
    """The act that an undo took back, or a redo put back."""

    act_id: str
    kind: ActKind


@dataclass(frozen=True, slots=True)
class Answer:
    """What an act did, as stored with it. `label` is one sentence for a toast and the history.

    `walk` is the id of the kill whose walk the act began or went on with. `likeness` (0 to 1) is
    that of an answer on a pair judged before; `strained`: of late such answers were very unlike.
    """

    label: str
    run_id: int | None = None
    walk: str | None = None
    ratings: Mapping[int, float] = field(default_factory=dict)
    rejected: Rejection | None = None
    undone: Undone | None = None
    earlier_pin: Pin | None = None
    earlier_stars: int | None = None
    likeness: float | None = None
    strained: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of an act done just now, and what the journal is to tell of it."""

    answer: Answer
    news: Sequence[News]


def sides_of(act: Act) -> Sides | None:
    """The two images an act was about, as they stood; null when there were not two."""
    match act:
        case VoteAct():
            return _sides(act.winner, act.loser, left=act.left)
        case TieAct():
            return _sides(act.a, act.b, left=act.left)
        case SkipAct() | KillBothAct():
            return Sides(act.a, act.b)
        case KillAct(other=int(other)):
            return _sides(act.candidate, other, left=act.left or act.candidate)
        case KillAct() | WorstAct() | WalkAct() | UndoAct() | RedoAct():
            return None
        case ApproveAct() | ReopenAct() | ConfirmAct() | PinAct() | KeepAct():
            return None
        case _:
            assert_never(act)


def _sides(one: int, other: int, *, left: int) -> Sides:
    return Sides(one, other) if left == one else Sides(other, one)
