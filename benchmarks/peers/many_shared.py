"""What the peers of `benchmarks/many.py` share: data sets, clocks, and ArviZ's verdict.

Each peer is a program of its own, started with the path of a task in JSON; it writes its figures
where the task says. Compilation is over before a clock starts, and judging is not timed.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from arviz_stats.base import array_stats

NAMES = ("rate", "alpha", "sigma")
RHAT, ESS = 1.01, 400.0
"""A fit is certified by R-hat below the first, bulk and tail ESS from the second on, for each of
`NAMES`."""


@dataclass(frozen=True)
class Sets:
    """Data sets of one design: `t` in years (obs,), `y` (set, obs), centre of alpha's prior."""

    t: np.ndarray
    y: np.ndarray
    centre: float


@dataclass
class Clock:
    """Seconds of the wall and of all cores, this process and those that it started."""

    wall: float = 0.0
    cpu: float = 0.0
    laps: list[float] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._start = time.perf_counter(), cpu_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        wall, cpu = time.perf_counter() - self._start[0], cpu_seconds() - self._start[1]
        self.wall, self.cpu = self.wall + wall, self.cpu + cpu
        self.laps.append(wall)


def task() -> dict[str, Any]:
    """What this process was asked for."""
    return json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))


def sets_of(asked: dict[str, Any]) -> Sets:
    """The first data sets, as many as were asked for."""
    with np.load(asked["data"]) as kept:
        return Sets(kept["t"], kept["y"][: asked["sets"]], float(kept["centre"]))


def answer(asked: dict[str, Any], found: dict[str, Any]) -> None:
    """Write figures for the process that asked."""
    Path(asked["out"]).write_text(json.dumps(found), encoding="utf-8")


def cpu_seconds() -> float:
    """Of this process, the children it has waited for and, on Linux, those still running."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    total = sum(each.ru_utime + each.ru_stime for each in used)
    tick = os.sysconf("SC_CLK_TCK")
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text(encoding="ascii").split():
            fields = Path(f"/proc/{child}/stat").read_text(encoding="ascii").rpartition(")")[2]
            total += sum(map(int, fields.split()[11:15])) / tick
    return total


def peak_mib() -> float:
    """Largest memory that this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def certified(draws: np.ndarray) -> bool:
    """ArviZ's verdict on draws with dims (quantity, chain, draw); NaN fails."""
    return all(
        bool(array_stats.rhat(each) < RHAT)
        and bool(array_stats.ess(each, method="bulk") >= ESS)
        and bool(array_stats.ess(each, method="tail", prob=(0.05, 0.95)) >= ESS)
        for each in draws
    )


def figures(draws: np.ndarray, clock: Clock, **more: Any) -> dict[str, Any]:
    """What a peer reports.

    Parameters
    ----------
    draws
        Dims (set, quantity, chain, draw).
    clock
        Of the fits alone.
    more
        Beside that.
    """
    judged = list(map(certified, draws))
    return {
        "sets": len(draws),
        "chains": draws.shape[2],
        "draws": draws.shape[3],
        "certified": sum(judged),
        "judged": judged,
        "wall_s": clock.wall,
        "cpu_s": clock.cpu,
        "mean": draws.mean(axis=(2, 3)).tolist(),
        "sd": draws.std(axis=(2, 3)).tolist(),
        **more,
    }


def in_turn(
    asked: dict[str, Any], fit: Callable[[int, np.ndarray], tuple[np.ndarray, int]], y: np.ndarray
) -> None:
    """Fit data sets one after another and answer; `fit` gives draws and counts divergences."""
    with Clock() as clock:
        found = [fit(number, values) for number, values in enumerate(y, 1)]
    draws = np.stack([each for each, _ in found])
    more = {
        "target_accept": asked["target_accept"],
        "with_divergences": sum(diverging > 0 for _, diverging in found),
    }
    answer(asked, figures(draws, clock, **more))


def parts_of(sets: Sets, side_by_side: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Numbers and values of parts of one size; what is left over is left out."""
    chunk = min(max(side_by_side, 4), len(sets.y))
    starts = range(0, len(sets.y) // chunk * chunk, chunk)
    return [(np.arange(i, i + chunk), sets.y[i : i + chunk]) for i in starts]


def in_threads(call: Callable[[Any], Any], parts: list[Any], threads: int) -> list[Any]:
    """Results of a compiled program for each part, on threads as effbayes uses them."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(call, parts))
