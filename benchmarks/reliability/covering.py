"""Part (c): how often the 95 % interval of the log-linear model holds a truth that is known.

The truth is fixed in every cell of the grid, so that the share need not be 95 % even where all is
right: a prior moves the interval. Two controls need it: truths drawn from the prior, and the
reference prior on exact rows, whose intervals of the rate are Student's (docs/statistics.md). The
doubling time and the factor of the trend over a time are monotone in the rate, and so are the ends
of their intervals: one share holds for all three.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

import effbayes as eb
from effbayes.models.loglinear import Priors

ROWS = (3, 6, 12, 30, 100)
SIGMAS = (0.1, 0.5, 1.0, 2.0)
"""Doublings."""
MONTHS = (1.0, 4.0, 16.0, 60.0, 240.0)
YEARS = 7.0
VALUE_SD, DATE_SD_DAYS = 0.5, 60.0
"""Of every row, in the cells with measurement error."""
PROB = 0.95
DEVIATES = 3.0
"""Monte Carlo standard errors from 95 % from which on a cell is marked."""
CONTROLS = 3 * len(ROWS)
FALSE_ALARM = 1e-3
"""Chance that controls of a right sampler are called wrong, shared by them."""


@dataclass(frozen=True)
class Cell:
    """A truth and a design; a truth that is None is drawn from the prior."""

    rows: int
    errors: bool
    sigma: float | None = None
    months: float | None = None
    prior: str = "default"

    @property
    def kind(self) -> str:
        """Of the grid, or which of the controls."""
        if self.sigma is None:
            return "drawn from the prior"
        return "grid" if self.prior == "default" else "reference prior"

    @property
    def name(self) -> str:
        """For a folder."""
        errors = "errors" if self.errors else "exact"
        return f"{self.prior}-{self.rows}-{errors}-{self.sigma}-{self.months}"


def cells(rows: tuple[int, ...] = ROWS) -> list[Cell]:
    """The controls and the grid, tables of few rows first."""
    made = []
    for n in rows:
        made += [Cell(n, errors) for errors in (False, True)]
        made.append(Cell(n, errors=False, sigma=1.0, months=16.0, prior="reference"))
        made += [
            Cell(n, errors, sigma, months)
            for errors, sigma, months in product((False, True), SIGMAS, MONTHS)
        ]
    return made


def coverage(
    sets: int, seed: int, folder: Path | None, rows: tuple[int, ...] = ROWS
) -> Iterator[dict[str, Any]]:
    """Figures of one cell after the other."""
    for cell in cells(rows):
        yield figures(cell, sets, seed, None if folder is None else folder / cell.name)


def figures(cell: Cell, sets: int, seed: int, folder: Path | None) -> dict[str, Any]:
    """Share of intervals that hold the rate, and where the others lie."""
    rng = np.random.default_rng([seed, *cell.name.encode()])
    rate, series = tables(cell, sets, rng)
    many = eb.sample_many(series, prior=cell.prior, seed=seed, ci=PROB, folder=folder)
    if many.refused:
        raise ValueError(f"{cell}: {many.refused}")
    low, _, high = many.rate().T
    share = float(np.mean((low <= rate) & (rate <= high)))
    months = many.doubling_time()
    return asdict(cell) | {
        "kind": cell.kind,
        "sets": sets,
        "share": share,
        "se": float(np.sqrt(share * (1.0 - share) / sets)),
        "deviation": (share - PROB) / expected_error(sets),
        "too_slow": float(np.mean(high < rate)),
        "too_fast": float(np.mean(low > rate)),
        "width_factor": float(np.median(months[:, 2] / months[:, 0])),
        "not_certified": int(np.sum(~many.ok)),
    }


def expected_error(sets: int) -> float:
    """Monte Carlo standard error of a share that is 95 %."""
    return float(np.sqrt(PROB * (1.0 - PROB) / sets))


def tables(cell: Cell, sets: int, rng: np.random.Generator) -> tuple[np.ndarray, list[eb.Series]]:
    """Rates and tables of a cell, dates evenly over `YEARS` years.

    The level of a table does not matter: its prior is centred on the table's own mean.
    """
    days = np.round(np.linspace(0.0, 365.25 * YEARS, cell.rows)).astype(int)
    dates = (np.datetime64("2012-01-01") + days).astype(str)
    template = eb.read_series(pd.DataFrame({"date": dates, "value": 2.0 ** -np.arange(cell.rows)}))
    prior = Priors()
    months = np.full(sets, cell.months or prior.doubling_time_median)
    sigma = np.full(sets, cell.sigma or 0.0)
    if cell.months is None:
        months = months * np.exp(prior.doubling_time_sdlog * rng.normal(size=sets))
    if cell.sigma is None:
        sigma = prior.sigma_scale * np.abs(rng.normal(size=sets))
    rate = 12.0 / months
    error = sigma[:, None] * rng.normal(size=(sets, cell.rows))
    if cell.errors:
        template = replace(
            template,
            value_sd=np.full(cell.rows, VALUE_SD),
            date_sd_days=np.full(cell.rows, DATE_SD_DAYS),
        )
        dated = DATE_SD_DAYS / 365.25 * rng.normal(size=error.shape)
        error += VALUE_SD * rng.normal(size=error.shape) - rate[:, None] * dated
    log2 = -rate[:, None] * days / 365.25 + error
    return rate, [replace(template, value=2.0**y) for y in log2]


def is_wrong(cell: dict[str, Any]) -> bool:
    """Whether a control is off: by chance once in a thousand runs of all of them."""
    if cell["kind"] == "grid":
        return False
    return binomial_tail(cell["share"], cell["sets"]) < FALSE_ALARM / CONTROLS


def binomial_tail(share: float, sets: int) -> float:
    """Probability of a share as far from 95 % as this one, or farther."""
    return float(stats.binomtest(round(share * sets), sets, PROB).pvalue)
