"""How often the finish line is right when it says so.

Simulated people vote on our pairs until the finish line first says that the top K is settled.
`right` is the share of runs in which that very set is then the true one, with the interval of
Wilson (1927) that holds it in 95 of 100 cases. `right_between` takes all claims from 85 to 95 %
instead: those of one run depend on each other, so its interval comes from bootstrap draws over
runs. Several people are taken to vote: a pair may come again, though not twice running.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from benchmarks.people import People, Player, Room, Table
from benchmarks.plot import Axis, Panel, Series, drawn
from benchmarks.report import Line, players, report
from shortlist.domain.settled import SETTLED

CASES: Final = (
    People("flat, clear", 9, 2, clarity=5.0),
    People("flat, confusing", 9, 2, clarity=1.5),
    People("families, clear", 9, 2, clarity=5.0, family=3),
    People("families, confusing", 9, 2, clarity=1.5, family=3),
)

FARTHEST: Final = 100
"""Votes after which a run that has not settled is given up and counted as that."""

LOOK_EVERY: Final = 4
"""Votes between two looks at the finish line, which costs several times a vote."""

BINS: Final = (0.0, 0.1, 0.3, 0.5, 0.7, 0.85, 0.95, 1.0)
CHUNK: Final = 25
SAMPLES: Final = 400


@dataclass(frozen=True, slots=True)
class Claims:
    """One run: what was claimed at each look, and whether it was right."""

    said: Table
    right: Table

    def first(self) -> int | None:
        """The look at which a settled top was first claimed."""
        settled = np.flatnonzero(self.said >= SETTLED)
        return int(settled[0]) if len(settled) else None


def main() -> None:
    given = players(__doc__ or "").parse_args()
    cases = [case for case in CASES if not given.only or case.name in given.only]
    seeds = range(given.first, given.first + given.seeds)
    with TemporaryDirectory() as folder:
        runs = {
            case.name: _runs(case, seeds, given.keep or Path(folder), workers=given.workers)
            for case in cases
        }
    if given.plot:
        given.plot.write_text(_plot(runs))
    numbers = {name: _numbers(found) for name, found in runs.items()}
    keys = dict.fromkeys(key for found in numbers.values() for key in found)
    report(
        f"The finish line when it says {SETTLED:.0%}",
        [Line(key, {name: found[key] for name, found in numbers.items()}) for key in keys],
        as_json=given.json,
    )


def _runs(case: People, seeds: range, folder: Path, *, workers: int) -> list[Claims]:
    """All runs of a case. Chunks whose file is there are not played again."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    files = [folder / f"{case.name.replace(', ', '-')} {part.start}.npz" for part in parts]
    tasks = [(case, part, file) for part, file in zip(parts, files, strict=True)]
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(_play, [task for task in tasks if not task[2].exists()]))
    return [claims for file in files for claims in _read(file)]


def _play(task: tuple[People, range, Path]) -> None:
    """Plays some seeds until settled and a little beyond, and keeps what was claimed."""
    case, seeds, file = task
    runs = [_claims(case, seed) for seed in seeds]
    said, right = ([getattr(run, name) for run in runs] for name in ("said", "right"))
    half = file.with_suffix(".half")
    with half.open("wb") as out:
        lengths = [len(each) for each in said]
        np.savez(out, said=np.concatenate(said), right=np.concatenate(right), lengths=lengths)
    half.rename(file)
    print("played", file.stem, flush=True)


def _read(file: Path) -> Iterable[Claims]:
    kept = np.load(file)
    cuts = np.cumsum(kept["lengths"])[:-1]
    for said, right in zip(
        np.split(kept["said"], cuts), np.split(kept["right"], cuts), strict=True
    ):
        yield Claims(said, right)


def _claims(case: People, seed: int) -> Claims:
    room, player = Room(case, seeds=range(seed, seed + 1)), Player(case, again=True)
    best = set(np.argsort(-room.truth[0])[: case.top].tolist())
    said, right = list[float](), list[bool]()
    while LOOK_EVERY * len(said) < FARTHEST and max(said, default=0.0) < BINS[-2]:
        for _ in range(LOOK_EVERY):
            one, other = player.pair()
            player.hear(float(room.score(np.array([one]), np.array([other]))[0]))
        said.append(player.claim(np.random.default_rng([seed, len(said)])))
        right.append(set(np.argsort(-player.means())[: case.top].tolist()) == best)
    return Claims(np.array(said), np.array(right, dtype=np.float64))


def _numbers(runs: Sequence[Claims]) -> dict[str, float]:
    settled = [(run, at) for run in runs if (at := run.first()) is not None]
    right = [float(run.right[at]) for run, at in settled]
    low, high = wilson(sum(right), len(right))
    between, least, most = _between(runs)
    return {
        "settled": len(settled) / len(runs),
        "votes": float(LOOK_EVERY * np.median([at + 1 for _, at in settled]))
        if settled
        else math.nan,
        "said": float(np.mean([run.said[at] for run, at in settled])) if settled else math.nan,
        "right": sum(right) / max(len(right), 1),
        "right, low": low,
        "right, high": high,
        "right_between": between,
        "right_between, low": least,
        "right_between, high": most,
    }


def wilson(right: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    if not count:
        return 0.0, 1.0
    z, share = 1.96, right / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    wide = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return middle - wide, middle + wide


def _between(runs: Sequence[Claims]) -> tuple[float, float, float]:
    return _share(runs, low=0.85, high=0.95)


def _share(runs: Sequence[Claims], *, low: float, high: float) -> tuple[float, float, float]:
    """How many of all claims within bounds were right, and its interval."""
    inside = [(run.said >= low) & (run.said < high) for run in runs]
    count = np.array([within.sum() for within in inside], dtype=np.float64)
    right = np.array([run.right[within].sum() for run, within in zip(runs, inside, strict=True)])
    dice = np.random.default_rng(1)
    picks = dice.integers(len(runs), size=(SAMPLES, len(runs)))
    shares = right[picks].sum(axis=1) / np.maximum(count[picks].sum(axis=1), 1)
    least, most = np.percentile(shares, [2.5, 97.5])
    return float(right.sum() / max(count.sum(), 1)), float(least), float(most)


def _plot(runs: dict[str, list[Claims]]) -> str:
    ticks = (0, 0.25, 0.5, 0.75, 1)
    panels = [
        Panel(
            name,
            Axis("claimed", 0, 1, ticks),
            Axis("right", 0, 1, ticks),
            [_curve(found)],
            guide=[(0, 0), (1, 1)],
        )
        for name, found in runs.items()
    ]
    return drawn(panels, columns=2, about="How often claims of the finish line were right")


def _curve(runs: Sequence[Claims]) -> Series:
    points, bars = list[tuple[float, float]](), list[tuple[float, float]]()
    for low, high in pairwise(BINS):
        said = np.concatenate([run.said[(run.said >= low) & (run.said < high)] for run in runs])
        if len(said):
            share, least, most = _share(runs, low=low, high=high)
            points.append((float(said.mean()), share))
            bars.append((least, most))
    return Series("share right", points, bars)


if __name__ == "__main__":
    main()
