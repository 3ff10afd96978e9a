"""The words the rules speak in: states, kinds and the few constants of the contract.

No behaviour lives here; a rule is a function in the module named after it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

DEFAULT_MAX_CHILDREN = 3
DEFAULT_TARGET_LEAVES = 10
DEFAULT_BASE_COUNT = 3
DEFAULT_TOP_K = 3
SETTLED: Final = 0.9
"""The probability at which a top K counts as settled."""
DEFAULT_WAIT_MINUTES = 30
BIRTH_ELO = 1000.0

PARK_AFTER_FAILURES = 3
"""Failed jobs of one parent (or of a run's base step) after which it waits for a person."""


class RunStatus(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    ARCHIVED = "archived"


class Policy(StrEnum):
    """How a run's next job is chosen: the literal rule, or by what is worth most; installed
    packages may bring others."""

    RIGHT_TO_LEFT = "right_to_left"
    ADAPTIVE = "adaptive"


class Rating(StrEnum):
    """What a run's pairs and chances are reckoned with; installed packages may bring others."""

    ELO = "elo"
    TREE = "tree"


class CandidateStatus(StrEnum):
    ACTIVE = "active"
    REJECTED = "rejected"


class JobStatus(StrEnum):
    PENDING = "pending"
    SUBMITTED = "submitted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


IN_FLIGHT = (JobStatus.PENDING, JobStatus.SUBMITTED, JobStatus.RUNNING)
"""The states in which a job holds a place at its parent."""


class GateKind(StrEnum):
    MANUAL = "manual"
    AUTO = "auto"
    PROVISIONAL = "provisional"


class Pin(StrEnum):
    """A person's word on one image, above its rating, at its gate."""

    ALWAYS = "always"
    NEVER = "never"


class GateState(StrEnum):
    BLOCKED = "blocked"
    GENERATING = "generating"
    AWAITING = "awaiting approval"
    APPROVED = "approved"


class BackendKind(StrEnum):
    COMFYUI = "comfyui"


class Health(StrEnum):
    UNKNOWN = "unknown"
    OK = "ok"
    LOST = "lost"
    FAULTY = "faulty"


class ActKind(StrEnum):
    """What a person can decide about images; each is one entry of that person's log."""

    VOTE = "vote"
    TIE = "tie"
    WORST = "worst"
    SKIP = "skip"
    KILL = "kill"
    KILL_BOTH = "kill_both"
    WALK = "walk"
    APPROVE = "approve"
    REOPEN = "reopen"
    CONFIRM = "confirm"
    PIN = "pin"
    KEEP = "keep"
    UNDO = "undo"
    REDO = "redo"


class WalkAnswer(StrEnum):
    """Answers to "where did it go wrong?", in pipeline direction."""

    ALREADY_WRONG = "already_wrong"
    THIS_STEP = "this_step"
    STILL_FINE = "still_fine"
    DONT_KNOW = "dont_know"
