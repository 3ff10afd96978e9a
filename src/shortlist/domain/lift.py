"""What a step is worth: how often people, blind, prefer an image with the step to that without."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

Z: Final = 1.96
"""Standard deviations that hold 95 of 100."""


@dataclass(frozen=True, slots=True)
class Lift:
    """The share of comparisons that the child won, ties half; 0.5 is no difference.

    Between `low` and `high` it lies with 95 percent.
    """

    share: float
    low: float
    high: float


def lift(*, better: int, same: int, worse: int) -> Lift | None:
    """The lift of a step whose child was better, the same or worse; null without a comparison.

    The interval is Wilson's (E. B. Wilson, 1927), which holds for few comparisons, too. A tie
    says less than half a win and half a loss do, so with ties it is rather too wide.
    """
    count = better + same + worse
    if count == 0:
        return None
    share = (better + same / 2) / count
    weight = Z * Z / count
    middle = (share + weight / 2) / (1 + weight)
    reach = Z / (1 + weight) * math.sqrt(share * (1 - share) / count + weight / (4 * count))
    return Lift(share, max(0.0, middle - reach), min(1.0, middle + reach))
