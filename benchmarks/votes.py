"""How many votes each way of rating needs until its top K is good.

Regret is how far the mean quality of the chosen K stays behind that of the best K, in standard
deviations of quality. `ratio_vs_elo_random` and `ratio_vs_elo_close` are our votes over theirs to
the same mean regret, over all seeds in one run, on the same people; intervals hold 95 % of
bootstrap draws over seeds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import people
from benchmarks.people import Curve, People, Room, Table
from benchmarks.report import Line, parser, report

CASES: Final = (
    People("30, clear", 30, 3, clarity=5.0),
    People("100, clear", 100, 10, clarity=5.0),
    People("12, clear", 12, 2, clarity=5.0),
    People("30, families", 30, 3, clarity=5.0, family=3),
    People("30, ties", 30, 3, clarity=5.0, ties=0.1),
    People("30, slips", 30, 3, clarity=5.0, slips=0.05),
    People("30, confusing", 30, 3, clarity=1.5),
    People("12, confusing", 12, 2, clarity=1.5),
    People("100, families", 100, 10, clarity=5.0, family=4),
)

METHODS: Final[dict[str, Callable[[Room], Curve]]] = {
    "Elo, random": people.elo_random,
    "Elo, close": people.elo_close,
    "choix, random": people.choix_random,
    "TrueSkill": people.trueskill,
    "ours": people.ours,
}

REACHED: Final = 0.1
"""The regret asked for with a clear judge, in standard deviations: no one sees the difference."""

REACHED_CONFUSED: Final = 0.2
"""And with a confusing judge, for whom it takes several times the votes."""

FARTHEST: Final = 100
"""Votes for each candidate after which a method is given up."""

SAMPLES: Final = 200


def main() -> None:
    arguments = parser(__doc__ or "")
    arguments.add_argument("--seeds", type=int, default=200)
    arguments.add_argument("--only", action="append", help="a case by its name; default: all")
    arguments.add_argument("--curves", type=Path, help="where to write the curves, as JSON")
    given = arguments.parse_args()
    chosen = [case for case in CASES if not given.only or case.name in given.only]
    lines: dict[str, dict[str, float]] = {}
    curves: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for case in chosen:
        played = {name: _played(case, name, seeds=given.seeds) for name in METHODS}
        curves[case.name] = {
            name: [(votes, float(regret.mean())) for votes, regret in curve]
            for name, curve in played.items()
        }
        for key, value in _numbers(case, played).items():
            lines.setdefault(key, {})[case.name] = value
        print(
            case.name, {key: round(value[case.name], 3) for key, value in lines.items()}, flush=True
        )
    if given.curves:
        given.curves.write_text(json.dumps(curves))
    report(
        f"Votes to a regret of {REACHED} ({REACHED_CONFUSED} with a confusing judge)",
        [Line(key, value, target=_TARGETS.get(key, "")) for key, value in lines.items()],
        as_json=given.json,
    )


_TARGETS: Final = {
    "ratio_vs_elo_random": "at most 0.2; 0.33 for 12 or confusing",
    "ratio_vs_elo_close": "at most 0.33",
}


def _target(case: People) -> float:
    return REACHED if case.clarity > 2 else REACHED_CONFUSED


def _played(case: People, name: str, *, seeds: int) -> list[tuple[int, Table]]:
    """The curve of one method until it is well below the target, so that samples reach it too."""
    room, curve = Room(case, seeds=seeds), list[tuple[int, Table]]()
    for votes, regret in METHODS[name](room):
        curve.append((votes, regret))
        if votes >= FARTHEST * case.count or _recent(curve) <= 0.8 * _target(case):
            break
    return curve


def _recent(curve: list[tuple[int, Table]]) -> float:
    return float(np.mean([regret.mean() for _, regret in curve[-3:]]))


def _numbers(case: People, played: dict[str, list[tuple[int, Table]]]) -> dict[str, float]:
    found = {
        name: _needed(curve, target=_target(case), seeds=None) for name, curve in played.items()
    }
    numbers = {f"votes, {name}": votes for name, votes in found.items()}
    for key, name in (("random", "Elo, random"), ("close", "Elo, close")):
        ratio = f"ratio_vs_elo_{key}"
        numbers[ratio] = found["ours"] / found[name]
        low, high = _interval(played["ours"], played[name], target=_target(case))
        numbers |= {f"{ratio}, low": low, f"{ratio}, high": high}
    return numbers


def _needed(curve: list[tuple[int, Table]], *, target: float, seeds: np.ndarray | None) -> float:
    """The first votes at which the mean regret, of three looks in a row, is at the target."""
    means = [regret.mean() if seeds is None else regret[seeds].mean() for _, regret in curve]
    for at in range(len(means)):
        if np.mean(means[max(0, at - 2) : at + 1]) <= target:
            return float(curve[at][0])
    return math.nan


def _interval(
    ours: list[tuple[int, Table]], theirs: list[tuple[int, Table]], *, target: float
) -> tuple[float, float]:
    dice, count = np.random.default_rng(1), len(ours[0][1])
    ratios = []
    for _ in range(SAMPLES):
        seeds = dice.integers(count, size=count)
        ratio = [_needed(curve, target=target, seeds=seeds) for curve in (ours, theirs)]
        ratios.append(ratio[0] / ratio[1])
    low, high = np.nanpercentile(ratios, [2.5, 97.5])
    return float(low), float(high)


if __name__ == "__main__":
    main()
