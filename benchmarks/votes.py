"""How many votes each way of rating needs until its top K is good.

Regret is how far the mean quality of the chosen K stays behind that of the best K, in standard
deviations of quality. `ratio_vs_elo_random` and `ratio_vs_elo_close` are our votes over theirs to
the same mean regret, over all seeds in one run, on the same people; intervals hold 95 % of
bootstrap draws over seeds. With `--keep` what was played stays in a folder, and a run that was
stopped goes on where it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from benchmarks import people
from benchmarks.people import Curve, People, Room, Table
from benchmarks.plot import Axis, Panel, Series, drawn
from benchmarks.report import Line, players, report

CASES: Final = (
    People("30, clear", 30, 3, clarity=5.0),
    People("100, clear", 100, 10, clarity=5.0),
    People("12, clear", 12, 2, clarity=5.0),
    People("30, families", 30, 3, clarity=5.0, family=3),
    People("30, ties", 30, 3, clarity=5.0, ties=0.1),
    People("30, slips", 30, 3, clarity=5.0, slips=0.05),
    People("30, confusing", 30, 3, clarity=1.5),
    People("30, families, confusing", 30, 3, clarity=1.5, family=3),
    People("12, confusing", 12, 2, clarity=1.5),
    People("100, families", 100, 10, clarity=5.0, family=4),
)

METHODS: Final[dict[str, Callable[[Room], Curve]]] = {
    "Elo, random": people.elo_random,
    "Elo, close": people.elo_close,
    "choix, random": people.choix_random,
    "OpenSkill": people.openskill,
    "ours": people.ours,
}

REACHED: Final = 0.1
"""The regret asked for with a clear judge, in standard deviations: no one sees the difference."""

REACHED_CONFUSED: Final = 0.2
"""And with a confusing judge, for whom it takes several times the votes."""

BELOW: Final = 0.45
"""A chunk of seeds plays on to this part of the target, so that others' samples reach it too."""

CHUNK: Final = 25
"""Seeds played side by side: minutes at most, also for a hundred candidates."""

FARTHEST: Final = 150
"""Votes for each candidate after which a method is given up."""

FINE: Final = 128
"""Up to here every vote is looked at, then each that is `GROWTH` times the last one looked at."""

GROWTH: Final = 1.02
SAMPLES: Final = 400


@dataclass(frozen=True, slots=True)
class Played:
    """The regret of each seed (seeds × looks) after so many votes."""

    votes: Table
    regret: Table


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some seeds of one case to be played by one method, and the file they are kept in."""

    case: People
    method: str
    seeds: range
    file: Path


def main() -> None:
    given = players(__doc__ or "").parse_args()
    cases = [case for case in CASES if not given.only or case.name in given.only]
    seeds = range(given.first, given.first + given.seeds)
    with TemporaryDirectory() as folder:
        played = _all_played(cases, seeds, given.keep or Path(folder), workers=given.workers)
    if given.plot:
        given.plot.write_text(_plot(cases, played))
    numbers = {case.name: _numbers(case, played[case.name]) for case in cases}
    keys = dict.fromkeys(key for found in numbers.values() for key in found)
    report(
        f"Votes to a regret of {REACHED} ({REACHED_CONFUSED} with a confusing judge)",
        [Line(key, _by_case(numbers, key), target=_TARGETS.get(key, "")) for key in keys],
        as_json=given.json,
    )


_TARGETS: Final = {
    "ratio_vs_elo_random": "at most 0.2; 0.33 for 12 or confusing",
    "ratio_vs_elo_close": "at most 0.33",
}


def _by_case(numbers: Mapping[str, Mapping[str, float]], key: str) -> dict[str, float]:
    return {name: found[key] for name, found in numbers.items()}


def _target(case: People) -> float:
    return REACHED if case.clarity > 2 else REACHED_CONFUSED


def _all_played(
    cases: Iterable[People], seeds: range, folder: Path, *, workers: int
) -> dict[str, dict[str, Played]]:
    """What each method did, by case. Chunks whose file is there are not played again."""
    folder.mkdir(parents=True, exist_ok=True)
    chunks = [
        Chunk(case, method, part, folder / _file(case, method, part))
        for case in cases
        for method in METHODS
        for part in (seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK))
    ]
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(_play, [chunk for chunk in chunks if not chunk.file.exists()]))
    return {
        case.name: {
            method: _joined(chunk.file for chunk in chunks if _is_of(chunk, case, method))
            for method in METHODS
        }
        for case in cases
    }


def _is_of(chunk: Chunk, case: People, method: str) -> bool:
    return chunk.case == case and chunk.method == method


def _file(case: People, method: str, seeds: range) -> str:
    words = f"{case.name} {method} {seeds.start} {seeds.stop}"
    return words.replace(",", "").replace(" ", "-") + ".npz"


def _play(chunk: Chunk) -> None:
    """Plays until well below the target, and keeps the looks."""
    votes, regrets, next_ = list[int](), list[Table](), 1.0
    for count, regret in METHODS[chunk.method](Room(chunk.case, seeds=chunk.seeds)):
        if count < next_:
            continue
        next_ = count + 1 if count < FINE else count * GROWTH
        votes.append(count)
        regrets.append(regret)
        good = np.mean([each.mean() for each in regrets[-3:]]) <= BELOW * _target(chunk.case)
        if good or count >= FARTHEST * chunk.case.count:
            break
    half = chunk.file.with_suffix(".half")
    with half.open("wb") as file:
        np.savez_compressed(file, votes=np.array(votes), regret=np.array(regrets).T)
    half.rename(chunk.file)
    print("played", chunk.file.stem, flush=True)


def _joined(files: Iterable[Path]) -> Played:
    """All seeds, as far as the longest chunk went; one that ended below the target stays there."""
    parts = [np.load(file) for file in files]
    votes = max((part["votes"] for part in parts), key=len)
    ends = [(0, len(votes) - len(part["votes"])) for part in parts]
    regret = [
        np.pad(part["regret"], [(0, 0), end], mode="edge")
        for part, end in zip(parts, ends, strict=True)
    ]
    return Played(votes, np.concatenate(regret))


def _numbers(case: People, played: Mapping[str, Played]) -> dict[str, float]:
    target = _target(case)
    found = {name: _needed(curve, target=target) for name, curve in played.items()}
    numbers = {f"votes, {name}": votes for name, votes in found.items()}
    for key, name in (("random", "Elo, random"), ("close", "Elo, close")):
        ratio = f"ratio_vs_elo_{key}"
        numbers[ratio] = found["ours"] / found[name]
        low, high = _interval(played["ours"], played[name], target=target)
        numbers |= {f"{ratio}, low": low, f"{ratio}, high": high}
    return numbers


def _needed(curve: Played, *, target: float, sample: slice | Table = slice(None)) -> float:
    """The first votes at which the mean regret, of three looks in a row, is at the target."""
    mean = curve.regret[sample].mean(axis=0)
    smooth = np.convolve(mean, np.ones(3) / 3)[: len(mean)]
    smooth[:2] = mean[:2]
    reached = np.flatnonzero(smooth <= target)
    return float(curve.votes[reached[0]]) if len(reached) else math.nan


def _interval(ours: Played, theirs: Played, *, target: float) -> tuple[float, float]:
    dice, count = np.random.default_rng(1), len(ours.regret)
    ratios = []
    for _ in range(SAMPLES):
        sample = dice.integers(count, size=count)
        needed = [_needed(curve, target=target, sample=sample) for curve in (ours, theirs)]
        ratios.append(needed[0] / needed[1])
    low, high = np.nanpercentile(ratios, [2.5, 97.5])
    return float(low), float(high)


def _plot(cases: Iterable[People], played: Mapping[str, Mapping[str, Played]]) -> str:
    panels = [_panel(case, played[case.name]) for case in cases]
    return drawn(panels, columns=3, about="Regret of the chosen top K over votes, by population")


def _panel(case: People, played: Mapping[str, Played]) -> Panel:
    across = Axis("votes", 10, 2000, (10, 30, 100, 300, 1000), log=True)
    up = Axis("regret", 0, 1, (0, 0.25, 0.5, 0.75, 1))
    series = [Series(name, _points(curve)) for name, curve in played.items()]
    target = _target(case)
    return Panel(case.name, across, up, series, guide=[(10, target), (2000, target)])


def _points(curve: Played) -> list[tuple[float, float]]:
    mean = curve.regret.mean(axis=0)
    shown = [(float(votes), float(regret)) for votes, regret in zip(curve.votes, mean, strict=True)]
    return [point for point in shown if 10 <= point[0] <= 2000]


if __name__ == "__main__":
    main()
