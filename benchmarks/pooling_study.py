"""What pooling gives to series of two rows: coverage and width, alone and pooled.

    uv run python benchmarks/pooling_study.py --out benchmarks/results/pooling_study.json

Worlds of eight series, half of them of two rows, are drawn with known doubling times; each series
of two rows is fitted alone (loglinear) and all eight together (hierarchical). Reported are how
often the interval holds the true doubling time, and how wide it is: the factor from its lower to
its upper end.

Two populations: *as assumed*, where log doubling times are normal; and *one outlier*, where one of
the series of two rows is eight times as fast as the population has it, which pooling cannot know.
In both the typical doubling time is 14 months, the spread between domains 0.4, and the noise of a
series 0.4 doublings, with a spread of 0.5 in its logarithm.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# `scripts` and `reliability` run this file from elsewhere.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from shared import machine, write

import effbayes as eb
from effbayes.pooled import sample_pooled
from effbayes.posterior import Interval, estimate

MONTHS, TAU, SIGMA, SIGMA_SPREAD = 14.0, 0.4, 0.4, 0.5
SHORT, LONG = 4, 4
SPAN_SHORT, SPAN_LONG, ROWS_LONG = 2.5, 6.0, 8
OUTLIER = 1.0 / 8.0
PROB = 0.95


@dataclass(frozen=True, eq=False)
class World:
    """Eight series, those of two rows first, and their true doubling times in months."""

    series: list[eb.Series]
    months: np.ndarray


def draw_world(rng: np.random.Generator, *, outlier: bool) -> World:
    """A world in which, on request, the first series does not belong to the population."""
    number = SHORT + LONG
    months = MONTHS * np.exp(TAU * rng.normal(size=number))
    if outlier:
        months[0] *= OUTLIER
    sigma = SIGMA * np.exp(SIGMA_SPREAD * rng.normal(size=number))
    series = []
    for d in range(number):
        span, rows = (SPAN_SHORT, 2) if d < SHORT else (SPAN_LONG, ROWS_LONG)
        days = np.round(np.linspace(0.0, span * 365.25, rows)).astype(int)
        y = 5.0 - 12.0 / months[d] * days / 365.25 + sigma[d] * rng.normal(size=rows)
        date = (np.datetime64("2012-01-01") + days).astype(str)
        table = pd.DataFrame({"date": date, "value": 2.0**y})
        series.append(eb.read_series(table, name=f"series-{d}"))
    return World(series, months)


def study(worlds: int, *, outlier: bool, seed: int, settings: dict[str, int]) -> dict[str, Any]:
    """Figures of both models; dims of what is gathered are (world, series of two rows)."""
    rng = np.random.default_rng([seed, int(outlier)])
    inside: dict[str, list[list[bool]]] = {"loglinear": [], "hierarchical": []}
    width: dict[str, list[list[float]]] = {"loglinear": [], "hierarchical": []}
    divergent = {"loglinear": 0, "hierarchical": 0}
    for k in range(worlds):
        world = draw_world(rng, outlier=outlier)
        pooled = sample_pooled(world.series, seed=k, **settings)
        alone = [eb.sample(one, seed=k, **settings) for one in world.series[:SHORT]]
        members = [pooled.members[one.id] for one in world.series[:SHORT]]
        # Judged by divergences alone: runs are short here, and ESS falls short of what is asked.
        divergent["hierarchical"] += int(pooled.stats["diverging"].sum() > 0)
        divergent["loglinear"] += sum(int(fit.stats["diverging"].sum() > 0) for fit in alone)
        for name, fits in (("loglinear", alone), ("hierarchical", members)):
            times = [estimate(12.0 / fit.draws["rate"], Interval(PROB)) for fit in fits]
            ends = [(time.low, time.high) for time in times]
            truth = world.months[:SHORT]
            inside[name].append(
                [low < true < high for (low, high), true in zip(ends, truth, strict=True)]
            )
            width[name].append([high / low for low, high in ends])
    found: dict[str, Any] = {}
    for name, held_of_worlds in inside.items():
        held, wide = np.array(held_of_worlds), np.array(width[name])
        own = slice(1, None) if outlier else slice(None)
        found[name] = {"members": figures(held[:, own], wide[:, own])}
        if outlier:
            found[name]["outlier"] = figures(held[:, :1], wide[:, :1])
        found[name]["runs_with_divergences"] = divergent[name]
    return found


def figures(held: np.ndarray, wide: np.ndarray) -> dict[str, float]:
    """Coverage with its standard error (worlds are independent, series of one are not)."""
    of_world = held.mean(axis=1)
    return {
        "coverage": float(held.mean()),
        "coverage_se": float(of_world.std(ddof=1) / np.sqrt(len(of_world))),
        "median_width_factor": float(np.median(wide)),
    }


def table(results: dict[str, Any]) -> str:
    """The figures as Markdown."""
    head = ("population", "series of two rows", "model", "95 % interval holds the truth")
    lines = [
        "| " + " | ".join((*head, "upper / lower end, median")) + " |",
        "|---|---|---|---|---|",
    ]
    for population, models in results.items():
        for which in ("members", "outlier"):
            for model, found in models.items():
                if which in found:
                    one = found[which]
                    lines.append(
                        f"| {population} | {which} | {model} | {100 * one['coverage']:.1f} % "
                        f"± {100 * one['coverage_se']:.1f} | {one['median_width_factor']:.1f} |"
                    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Coverage of pooling, by simulation.")
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=2020)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    settings = {"warmup": 500, "draws": 500, "chains": 2}
    began = time.perf_counter()
    results = {
        name: study(chosen.worlds, outlier=outlier, seed=chosen.seed, settings=settings)
        for name, outlier in (("as assumed", False), ("one outlier", True))
    }
    print(table(results))
    report = {
        "worlds": chosen.worlds,
        "series": {"two_rows": SHORT, "eight_rows": LONG},
        "population": {"months": MONTHS, "tau": TAU, "sigma": SIGMA, "outlier": OUTLIER},
        "sampler": settings,
        "seed": chosen.seed,
        "seconds": round(time.perf_counter() - began, 1),
        "results": results,
        "machine": machine(("effbayes", "jax", "numpyro", "numpy")),
    }
    write(chosen.out, report)


if __name__ == "__main__":
    main()
