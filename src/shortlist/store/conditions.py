"""Conditions in SQL that the schema's partial indexes and the queries share.

Both must use these very words, or the planner can't match them; SQLite turns `a + b < c` around
before it looks, so the sum stands on the right.
"""

from __future__ import annotations

from typing import Final

IN_SIGHT: Final = "candidate.status = 'active' AND NOT candidate.buried"
"""What the ranking's index holds: the living, and the dead that are still to be buried."""

_HAS_PLACES = (
    "candidate.advances AND candidate.failures < 3 "
    "AND candidate.child_limit > candidate.child_count + candidate.reserved"
)
OPEN: Final = f"{IN_SIGHT} AND {_HAS_PLACES}"
"""The same for the index of open parents."""

LIVE: Final = f"{IN_SIGHT} AND candidate.rejected_ancestors = 0"
"""A candidate that may be shown, rated and counted as finished."""

OPEN_PARENT: Final = f"{LIVE} AND {_HAS_PLACES}"
"""The part of spec section 2 rule 1 that one row knows."""

UNBURIED: Final = "candidate.status = 'rejected' AND NOT candidate.buried"
"""A rejected candidate below which dead rows may still be in the indexes."""

OPEN_FAILURE: Final = "job.status = 'failed' AND job.settled_at IS NULL"
"""A failed job that no person has dealt with."""

IN_FLIGHT: Final = "job.status IN ('pending', 'submitted', 'running')"
