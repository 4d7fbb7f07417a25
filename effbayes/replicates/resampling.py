"""The bootstrap, beside the posterior: what another draw of the table's rows would have said.

Rows are drawn with replacement (Efron 1979, Annals of Statistics 7), and two estimates of the
doubling time made of each new table: the posterior median under the model, and ordinary least
squares, which is what the bootstrap is mostly used with. A posterior's interval says what the table
leaves open; a bootstrap's, how much the estimate depends on which rows were found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from effbayes import provenance, runtime
from effbayes.dataset import Series
from effbayes.dataset.series import ARRAY_COLUMNS
from effbayes.errors import DataError, UsageError
from effbayes.inference.lanes import Lanes, LaneSettings
from effbayes.models import catalogue
from effbayes.models.changepoint import Changepoint
from effbayes.models.contract import Data, Model, data_from_series
from effbayes.replicates import engine
from effbayes.replicates.fits import ends, probs_of
from effbayes.replicates.folder import Folder
from effbayes.replicates.many import lean
from effbayes.replicates.posteriors import Posteriors, Where, importance_for
from effbayes.types import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from effbayes.models.priors import TrendPriors
    from effbayes.types import PriorName, Rows

    Floats = NDArray[np.float64]

SCHEMA = "effbayes.bootstrap/1"

LEAST_ROWS = 3
"""Different rows that a drawn table has at least: two lie on one line, whatever was measured."""

LEAST_TABLES = 100

MOST_REDRAWN = 50
"""Times as many tables as are asked for that may be drawn in vain."""


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Rates of resampled tables.

    Attributes
    ----------
    series
        The table.
    settings
        Model and priors, JSON-ready.
    medians
        Posterior median of the rate of each drawn table, in doublings a year; dims (table,).
    least_squares
        Its rate by ordinary least squares, dims (table,).
    posterior
        Low, median and high of the rate of the table itself, dims (3,).
    certified
        Dims (table,).
    redrawn
        Tables drawn again because they had fewer than three different rows, or rows for which the
        model has no posterior.
    seed
        Of the run.
    """

    series: Series
    settings: Mapping[str, Any]
    medians: Floats
    least_squares: Floats
    posterior: Floats
    certified: NDArray[np.bool_]
    redrawn: int
    prob: float
    seed: int

    def doubling_time(self) -> dict[str, Estimate]:
        """Months: of the posterior, of the bootstrapped medians, and of least squares."""
        tails = probs_of(self.prob, self.seed)
        return {
            "posterior": _months(self.posterior),
            "bootstrap of the posterior median": _months(np.quantile(self.medians, tails)),
            "bootstrap of least squares": _months(np.quantile(self.least_squares, tails)),
        }

    def summary(self) -> dict[str, Any]:
        """Everything reported, strict JSON."""
        return {
            "schema": SCHEMA,
            "domain": self.series.domain or None,
            "series": self.series.name,
            "n_obs": self.series.n_obs,
            "model": self.settings["model"],
            "prior": self.settings["prior"],
            "tables": len(self.medians),
            "redrawn": self.redrawn,
            "ci": {"prob": self.prob, "kind": "eti"},
            "doubling_time_months": {
                name: {
                    "median": each.median,
                    "low": each.low,
                    "high": each.high,
                    **({"note": each.note} if each.note else {}),
                }
                for name, each in self.doubling_time().items()
            },
            "not_certified": int(np.sum(~self.certified)),
            "seed": self.seed,
            "provenance": {**provenance.versions()},
        }


def bootstrap(  # noqa: PLR0913 - the options of a fit, each by its own name
    series: Series,
    model: str = "loglinear",
    *,
    prior: PriorName | TrendPriors = "default",
    robust: bool = False,
    where: Rows | None = None,
    tables: int = 1000,
    ci: float = 0.95,
    seed: int = 0,
    at: Where | None = None,
    folder: str | Path | None = None,
    cluster: engine.Cluster | None = None,
    progress: engine.Progress | None = None,
) -> Bootstrap:
    """Resample the rows of a series, and fit each new table.

    Parameters
    ----------
    series
        Checked series.
    model, prior, robust, where
        As `effbayes.sample`; not ``"records"``, whose rows cannot be drawn twice, nor ``"drift"``
        for a table with exact rows.
    tables
        How many to draw.
    ci
        Probability of the intervals.
    seed
        The same seed draws the same tables.
    at, folder, cluster, progress
        As `effbayes.replicates.calibration.calibrate`.

    Raises
    ------
    UsageError
        Numbers out of range, or a model of records.
    DataError
        Fewer than three rows, or the model does not take the table, or next to none that are drawn
        from it.
    """
    if tables < LEAST_TABLES:
        raise UsageError(f"{tables} tables; at least {LEAST_TABLES}, or the interval is noise")
    if model == "records":
        raise UsageError("rows drawn twice are no records; bootstrap another model")
    probs = probs_of(ci, seed)
    series = catalogue.with_rows(model, series, where)
    if series.n_obs < LEAST_ROWS:
        raise DataError(f"{series.id}: {series.n_obs} rows; a bootstrap needs {LEAST_ROWS}")
    if model == "drift":
        _refuse_exact(series)
    fitted = _of_any_rows(lean(catalogue.make_model(model, series, prior, robust=robust), series))
    digest = provenance.data_digest(series)
    rng = np.random.default_rng([seed, int(digest[:16], 16)])
    rows, redrawn = _draw_rows(series, fitted, tables, rng)
    whole = data_from_series(series)
    # The table itself is the last lane.
    rows = np.vstack([rows, np.arange(series.n_obs)])
    drawn, rates = _tables(whole, rows)
    job = Posteriors(
        fitted,
        LaneSettings(importance_for(fitted), probs),
        Lanes(drawn),
        tables + 1,
        runtime.key_bits(runtime.stream(seed, digest)),
        at or Where(),
    )
    found = job.run(
        folder=None if folder is None else Folder(Path(folder)),
        cluster=cluster,
        progress=progress,
    )
    rate = found["quantile"][:, 0, :]
    return Bootstrap(
        series=series,
        settings={**fitted.describe(), "prior": fitted.prior_name},
        medians=rate[:-1, 1],
        least_squares=rates[:-1],
        posterior=rate[-1],
        certified=found["ok"],
        redrawn=redrawn,
        prob=ci,
        seed=seed,
    )


def _refuse_exact(series: Series) -> None:
    """Refuse exact rows: a path passes through one that is drawn twice, and the noise vanishes."""
    bounded = np.isfinite(series.value_low) | np.isfinite(series.value_high)
    exact = (series.value_sd == 0.0) & (series.date_sd_days == 0.0) & ~bounded
    n = int(np.sum(exact & series.used))
    if n:
        raise DataError(
            f"{series.id}: {n} rows are exact, and one that is drawn twice says that there is no "
            "noise about the path of model drift; state the measurement error of the values "
            "(value_sd), or bootstrap another model"
        )


def _of_any_rows(model: Model) -> Model:
    """The model without what it knows of the dates of one table alone."""
    if isinstance(model, Changepoint):
        return replace(model, cells=model.cells._replace(most=None))
    return model


def _draw_rows(
    series: Series, model: Model, tables: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], int]:
    """Rows of each table, dims (table, row), and how many tables were drawn again."""
    n, redrawn = series.n_obs, 0
    rows = rng.integers(n, size=(tables, n))
    wrong = np.arange(tables)
    while True:
        reasons = {i: why for i in wrong if (why := _why_not(series, model, rows[i])) is not None}
        if not reasons:
            return rows, redrawn
        wrong = np.array(list(reasons))
        redrawn += len(wrong)
        if redrawn > MOST_REDRAWN * tables:
            raise DataError(f"next to no table of drawn rows has a posterior: {reasons[wrong[0]]}")
        rows[wrong] = rng.integers(n, size=(len(wrong), n))


def _why_not(series: Series, model: Model, rows: NDArray[np.int64]) -> str | None:
    """Why a table of these rows cannot be fitted; None where it can."""
    if len(np.unique(rows)) < LEAST_ROWS:
        return f"fewer than {LEAST_ROWS} different rows"
    table = _table(series, rows)
    if len(np.unique(table.date)) == 1:
        return "all rows have one date"
    try:
        model.check(table)
    except DataError as error:
        return str(error)
    return None


def _table(series: Series, rows: NDArray[np.int64]) -> Series:
    """A table of some of the rows used, each as often as it is named."""
    places = np.flatnonzero(series.used)[rows]
    columns: dict[str, Any] = {name: getattr(series, name)[places] for name in ARRAY_COLUMNS}
    label = tuple(series.label[place] for place in places)
    return replace(series, label=label, source=(), note=(), **columns)


def _tables(data: Data, rows: NDArray[np.int64]) -> tuple[Data, Floats]:
    """Data of every table, and its rate by least squares. The centre of alpha's prior stays."""
    size, n = np.asarray(data.t).size, rows.shape[1]
    padding = np.broadcast_to(np.arange(n, size), (len(rows), size - n))
    index = np.hstack([rows, padding])
    columns = {
        name: np.asarray(getattr(data, name))[index]
        for name in ("t", "y", "low", "high", "value_sd", "date_sd", "mask")
    }
    t, y = columns["t"][:, :n], columns["y"][:, :n]
    t_away, y_away = (x - x.mean(axis=1, keepdims=True) for x in (t, y))
    slope = np.sum(t_away * y_away, axis=1) / np.sum(t_away**2, axis=1)
    residual = y_away - slope[:, None] * t_away
    about_line = np.sum(residual**2, axis=1) / max(n - 2, 1)
    one = {
        name: np.full(len(rows), float(getattr(data, name))) for name in ("y_mean", "slope_sign")
    }
    scalars = one | {
        "first": t.min(axis=1),
        "last": t.max(axis=1),
        "rate_guess": one["slope_sign"] * slope,
        "sigma_guess": np.sqrt(about_line + 0.05**2),
        "sigma_far": np.sqrt(np.var(y, axis=1) + 0.05**2),
    }
    made: dict[str, Any] = columns | scalars
    return Data(**made), scalars["rate_guess"]


def _months(rate: Floats) -> Estimate:
    """Doubling times from low, median and high of a rate."""
    low, median, high = ends(rate)
    note = None
    if high is None or median is None:
        note = "no progress cannot be excluded"
    return Estimate(median, low, high, note)
