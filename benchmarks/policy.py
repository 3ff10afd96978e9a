"""What the shortlist is worth after three nights, by how the next job is chosen.

Three nights of 60 images and 40 votes each, in worlds whose steps do this or that; then the mean
true quality of the three best-rated finished images, in standard deviations of base images. All on
the same seeds, in one go; intervals hold 95 % of bootstrap draws over the seeds. The literal ways
are judged and rated as they are in the product, by Elo and its pairs, `adaptive` by the posterior
and pairs by information. "Rated alike" chooses the literal ways' three best by the posterior of
their own votes: what `adaptive` is still ahead is owed to the choice of jobs and pairs.

`gain_sd` is by how much `adaptive` is ahead of the best literal setting (N 5, 2 or 1);
`gain_over_gates_sd`, of the better pair of gates; `worst_loss_sd`, the most it is behind any of the
literal settings in any world. Of a world that takes long, shares of the seeds can be played apart
(`--first`) and put together (`--merge`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: processes share the cores

import numpy as np

from benchmarks import nights
from benchmarks.dots import Dot, dots
from benchmarks.nights import WORLDS, Garden, Judging, World, quality
from benchmarks.report import Line, parser, report

LITERAL: Final = ("N 5", "N 2", "N 1")
GATES: Final = ("gates 5, 3", "gates 3, 3")
ADAPTIVE: Final = "adaptive"
METHODS: Final[Mapping[str, Callable[[Garden], None]]] = {
    "N 5": partial(nights.literal, children=5),
    "N 2": partial(nights.literal, children=2),
    "N 1": partial(nights.literal, children=1),
    "gates 5, 3": partial(nights.gated, children=5, top=3),
    "gates 3, 3": partial(nights.gated, children=3, top=3),
    "by hand 30, 5, 3, 2": nights.funnel,
    ADAPTIVE: nights.adaptive,
}
SAMPLES: Final = 1000

Played: TypeAlias = dict[str, dict[str, list[float]]]
"""By world and method, the quality of each seed; "… rated alike" beside the literal ways."""


def main() -> None:
    arguments = parser(__doc__ or "")
    arguments.add_argument("--seeds", type=int, default=200)
    arguments.add_argument("--first", type=int, default=0, help="the first seed")
    arguments.add_argument("--only", action="append", help="a world by its name; default: all")
    arguments.add_argument("--processes", type=int, default=2)
    arguments.add_argument("--keep", type=Path, help="where to write every quality, as JSON")
    arguments.add_argument("--merge", type=Path, nargs="+", help="files of --keep; play nothing")
    arguments.add_argument("--plot", type=Path, help="where to write a plot, as SVG")
    given = arguments.parse_args()
    worlds = [world for world in WORLDS if not given.only or world.name in given.only]
    seeds = range(given.first, given.first + given.seeds)
    played = _merged(given.merge) if given.merge else _played(worlds, seeds, given.processes)
    if given.keep:
        given.keep.write_text(json.dumps(played))
    if given.plot:
        given.plot.write_text(_plot(played), "utf-8")
    report("Quality after three nights", _lines(played), as_json=given.json)


def _played(worlds: Sequence[World], seeds: range, processes: int) -> Played:
    played: Played = {}
    with ProcessPoolExecutor(processes) as pool:
        for world in worlds:
            rows = list(pool.map(partial(one, world), seeds, chunksize=5))
            played[world.name] = {name: [row[name] for row in rows] for name in rows[0]}
    return played


def one(world: World, seed: int) -> dict[str, float]:
    """The quality that each method reaches with one seed."""
    found = {}
    for name, play in METHODS.items():
        garden = Garden(world, seed)
        play(garden)
        own = Judging.TREE if name == ADAPTIVE else Judging.ELO
        found[name] = quality(garden, own)
        if own is Judging.ELO:
            found[f"{name}, rated alike"] = quality(garden, Judging.TREE)
    return found


def _merged(paths: Sequence[Path]) -> Played:
    merged: Played = {}
    for path in paths:
        for world, methods in json.loads(path.read_text()).items():
            for name, values in methods.items():
                merged.setdefault(world, {}).setdefault(name, []).extend(values)
    return merged


def _plot(played: Played) -> str:
    shown = ("N 5", "N 2", "N 1", "gates 5, 3", "by hand 30, 5, 3, 2", ADAPTIVE)
    rows = {
        world: {name: _dot(np.array(methods[name])) for name in shown}
        for world, methods in played.items()
    }
    return dots(rows, unit="true quality of the best three, in standard deviations of base images")


def _dot(values: nights.Table) -> Dot:
    dice = np.random.default_rng(1)
    drawn = values[dice.integers(len(values), size=(SAMPLES, len(values)))].mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Dot(float(values.mean()), float(low), float(high))


def _lines(played: Played) -> list[Line]:
    lines: dict[str, dict[str, float]] = {}
    for world, methods in played.items():
        for name, values in methods.items():
            lines.setdefault(name, {})[world] = float(np.mean(values))
        for key, value in _gains(methods).items():
            lines.setdefault(key, {})[world] = value
    worst = {"all worlds": max(0.0, -min(lines["gain_sd"].values()))}
    return [
        *(Line(key, value, "sd", _TARGETS.get(key, "")) for key, value in lines.items()),
        Line("worst_loss_sd", worst, "sd", "at most 0.1"),
        Line("seeds", {world: len(methods[ADAPTIVE]) for world, methods in played.items()}),
    ]


_TARGETS: Final = {"gain_sd": "1.0 change, rescue; 0.5 improve, ruin; -0.1 others"}


def _gains(methods: Mapping[str, Sequence[float]]) -> dict[str, float]:
    alike = [f"{name}, rated alike" for name in LITERAL]
    gains = {}
    for key, others in (
        ("gain_sd", LITERAL),
        ("gain_sd, rated alike", alike),
        ("gain_over_gates_sd", GATES),
        ("gain_over_hand_sd", ["by hand 30, 5, 3, 2"]),
    ):
        ours = np.array(methods[ADAPTIVE])
        theirs = np.array([methods[name] for name in others])
        gains[key] = float(ours.mean() - theirs.mean(axis=1).max())
        low, high = _interval(ours, theirs)
        gains |= {f"{key}, low": low, f"{key}, high": high}
    return gains


def _interval(ours: nights.Table, theirs: nights.Table) -> tuple[float, float]:
    """Over bootstrap draws of the seeds, the best of the others found anew in each."""
    dice = np.random.default_rng(1)
    drawn = dice.integers(len(ours), size=(SAMPLES, len(ours)))
    gains = ours[drawn].mean(axis=1) - theirs[:, drawn].mean(axis=2).max(axis=0)
    low, high = np.percentile(gains, [2.5, 97.5])
    return float(low), float(high)


if __name__ == "__main__":
    main()
