"""Part (d): what each model does in worlds that it does not describe.

Every world has a known rate, in doublings a year; figures are of the posterior of the rate that
every model reports. The hierarchical model gets tables of the world eight at a time, all of one
rate. What a model does in a world does not depend on what else is asked for.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import effbayes as eb

HERE = Path(__file__).resolve().parents[1]
RECORDS = runpy.run_path(str(HERE / "records_study.py"))
FRONTIER = runpy.run_path(str(HERE / "frontier_study.py"))

ROWS, YEARS, RATE, SIGMA = 16, 7.0, 0.75, 0.5
GROSS_SHARE, GROSS_SIZE = 0.1, float(np.log2(10.0))
"""A value in ten is ten times too large or too small: a slip of the decimal point."""
BREAK, AFTER = 0.6, 4.0
"""Share of the span after which the rate is so many times what it was."""
GROUP = 8
PROB = 0.95

Draw = Callable[[np.random.Generator], eb.Series]


@dataclass(frozen=True)
class World:
    """Tables with a known rate.

    Attributes
    ----------
    name, text
        For people.
    rate
        Of the trend over the span of a table.
    draw
        Makes a table.
    rows
        What a user of a model would fit it to, where it is not what the model takes by itself.
    now
        Rate at the end of a table, where it is another.
    """

    name: str
    text: str
    rate: float
    draw: Draw
    rows: dict[str, Any] = field(default_factory=dict)
    now: float | None = None


def regular(noise: Callable[[np.random.Generator], np.ndarray], bend: float = 1.0) -> Draw:
    """Tables of `ROWS` rows evenly over `YEARS` years, with noise of one's own in doublings."""
    days = np.round(np.linspace(0.0, 365.25 * YEARS, ROWS)).astype(int)
    t, broken = days / 365.25, BREAK * YEARS
    before = RATE / (BREAK + (1.0 - BREAK) * bend)
    gained = before * (np.minimum(t, broken) + bend * np.maximum(t - broken, 0.0))
    return lambda rng: table(days, 5.0 - gained + noise(rng))


def normal(rng: np.random.Generator) -> np.ndarray:
    """What the log-linear model has for noise."""
    return SIGMA * rng.normal(size=ROWS)


def heavy(rng: np.random.Generator) -> np.ndarray:
    """Student's t with two degrees of freedom, which has no variance."""
    return SIGMA * rng.standard_t(2.0, size=ROWS)


def gross(rng: np.random.Generator) -> np.ndarray:
    """Normal noise, and gross errors."""
    wrong = rng.uniform(size=ROWS) < GROSS_SHARE
    return normal(rng) + wrong * GROSS_SIZE * rng.choice([-1.0, 1.0], size=ROWS)


def kept(rng: np.random.Generator) -> eb.Series:
    """Of forty systems the records, and of the others no trace."""
    while True:
        days, y = RECORDS["kept"](rng)
        if 4 <= len(y) <= ROWS:
            return table(days, y)


def planted(rng: np.random.Generator) -> eb.Series:
    """Sixteen systems behind a frontier."""
    found: eb.Series = FRONTIER["draw_table"](rng, "uniform")
    return found


def table(days: np.ndarray, log2: np.ndarray) -> eb.Series:
    """As a user's is read."""
    date = (np.datetime64("2012-01-01") + days).astype(str)
    return eb.read_series(pd.DataFrame({"date": date, "value": 2.0**log2}))


LINES = ("loglinear", "loglinear, robust", "changepoint", "drift", "hierarchical")
AFTER_BREAK = AFTER * RATE / (BREAK + (1.0 - BREAK) * AFTER)
WORLDS = (
    World("as assumed", "normal noise of half a doubling", RATE, regular(normal)),
    World("heavy tails", "noise of half a doubling times Student's t2", RATE, regular(heavy)),
    World("gross errors", "one value in ten is ten times too large or small", RATE, regular(gross)),
    World("records kept", "of 40 systems only the records are known", RECORDS["RATE"], kept),
    World(
        "records chosen",
        "16 systems behind a frontier, of which the user takes the records",
        FRONTIER["RATE"],
        planted,
        dict.fromkeys(LINES, "frontier"),
    ),
    World(
        "a break",
        "the rate is four times as high after six tenths of the span",
        RATE,
        regular(normal, AFTER),
        now=AFTER_BREAK,
    ),
)
MODELS = ("loglinear", "loglinear, robust", "frontier", "records", *LINES[2:])
NOW = {"changepoint": "rate_after", "drift": "rate_end"}
"""What a model has to say of the rate at the end; of others it is the rate."""


def worlds(
    sets: int, seed: int, folder: Path | None, only: tuple[str, ...] = ()
) -> Iterator[dict[str, Any]]:
    """Figures of one model in one world after the other."""
    if sets % GROUP and "hierarchical" in (only or MODELS):
        raise SystemExit(f"{sets} tables are no multiple of {GROUP}, which hierarchical pools")
    for number, world in enumerate(WORLDS):
        rng = np.random.default_rng([seed, number])
        tables = [world.draw(rng) for _ in range(sets)]
        for model in only or MODELS:
            kept_at = None
            if folder is not None:
                kept_at = folder / f"{world.name}-{model}".replace(",", "").replace(" ", "-")
            yield figures(world, model, tables, seed, kept_at)


def figures(
    world: World, model: str, tables: list[eb.Series], seed: int, folder: Path | None
) -> dict[str, Any]:
    """Of the rate, and of the rate at the end where it is another."""
    fit = _pooled if model == "hierarchical" else _alone
    of_rate, of_now, ok = fit(world, model, tables, seed, folder)
    found = {"world": world.name, "model": model, "sets": len(tables)}
    found |= {"answered": int(np.sum(np.isfinite(of_rate[..., 1]))), "verdict_ok": int(np.sum(ok))}
    found |= judged(of_rate, world.rate)
    if world.now is not None:
        found["now"] = judged(of_now, world.now)
    return found


def judged(quantile: np.ndarray, true: float) -> dict[str, float]:
    """Bias, coverage and width of intervals.

    Parameters
    ----------
    quantile
        Low, median and high, dims (group, table, 3); tables of a group are not independent.
    """
    low, median, high = np.moveaxis(quantile, -1, 0)
    there = np.isfinite(median)
    held = np.where(there, (low <= true) & (true <= high), np.nan)
    bias, bias_se = _mean(median - true)
    share, share_se = _mean(held)
    return {
        "bias": bias,
        "bias_se": bias_se,
        "rmse": float(np.sqrt(np.nanmean((median - true) ** 2))),
        "coverage": share,
        "coverage_se": share_se,
        "too_slow": float(np.mean(high[there] < true)),
        "too_fast": float(np.mean(low[there] > true)),
        "width": float(np.nanmean(high - low)),
    }


def _mean(x: np.ndarray) -> tuple[float, float]:
    """Mean over tables, and its standard error by groups; dims (group, table), NaN left out."""
    number = np.sum(np.isfinite(x), axis=1)
    mean = float(np.nansum(x) / number.sum())
    away = np.nansum(x - mean, axis=1)
    return mean, float(np.sqrt(np.sum(away**2)) / number.sum())


def _alone(
    world: World, model: str, tables: list[eb.Series], seed: int, folder: Path | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    name, *noise = model.split(", ")
    many = eb.sample_many(
        tables,
        name,
        robust=bool(noise),
        where=world.rows.get(model),
        seed=seed,
        ci=PROB,
        folder=folder,
    )
    last = many.quantile[:, many.quantities.index(NOW.get(name, "rate"))]
    return many.rate()[:, None], last[:, None], many.ok


def _pooled(
    world: World, model: str, tables: list[eb.Series], seed: int, folder: Path | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    groups = []
    for first in range(0, len(tables) - GROUP + 1, GROUP):
        group = tables[first : first + GROUP]
        if model in world.rows:
            group = [one.where(world.rows[model]) for one in group]
        groups.append([replace(one, name=f"series-{i}") for i, one in enumerate(group)])
    many = eb.sample_many_pooled(groups, seed=seed, ci=PROB, folder=folder)
    return many.rate(), many.rate(), np.repeat(many.ok, GROUP)
