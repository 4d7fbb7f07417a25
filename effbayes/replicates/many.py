"""Thousands of series fitted at once, each certified on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from effbayes.dataset import Series
from effbayes.errors import DataError, UsageError
from effbayes.models import catalogue
from effbayes.models.contract import data_from_series
from effbayes.replicates import engine
from effbayes.replicates.fits import Asked, Fits, fit_all, months, probs_of
from effbayes.types import Rows

if TYPE_CHECKING:
    from distributed import Client
    from numpy.typing import NDArray

    from effbayes.models.contract import Model
    from effbayes.models.priors import TrendPriors
    from effbayes.types import PriorName

    Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Many(Fits):
    """Posteriors of many series, in the order in which they were given.

    Attributes
    ----------
    series
        What was fitted, with the rows used.
    model
        Its name.
    quantities, probs, mean, sd, quantile, method, ok, k_hat, ess, refused
        As `effbayes.replicates.fits.Fits` has them; ``rate`` is the first quantity.
    """

    series: tuple[Series, ...]
    model: str

    def __len__(self) -> int:
        return len(self.series)

    def rate(self) -> Floats:
        """Doublings per year: low, median and high of each; dims (series, 3)."""
        return self.quantile[:, 0, :]

    def doubling_time(self) -> Floats:
        """Months: low, median and high of each, dims (series, 3).

        Infinite where there may be no progress.
        """
        return months(self.rate())

    def frame(self) -> pd.DataFrame:
        """One row for each series."""
        months = self.doubling_time()
        columns: dict[str, Any] = {
            "series": [one.id for one in self.series],
            "n_obs": [one.n_obs for one in self.series],
            "ok": self.ok,
            "method": self.method,
        }
        for name, column in zip(("low", "median", "high"), months.T, strict=True):
            columns[f"doubling_time_months_{name}"] = column
        for name, mean, sd in zip(self.quantities, self.mean.T, self.sd.T, strict=True):
            columns |= {f"{name}_mean": mean, f"{name}_sd": sd}
        return pd.DataFrame(columns)


def sample_many(  # noqa: PLR0913 - the options of a fit, each by its own name
    series: Sequence[Series],
    model: str = "loglinear",
    *,
    prior: PriorName | TrendPriors = "default",
    robust: bool = False,
    where: Rows | None = None,
    seed: int = 0,
    ci: float = 0.95,
    platform: str | None = None,
    folder: str | Path | None = None,
    client: Client | None = None,
    progress: engine.Progress | None = None,
) -> Many:
    """Fit a model to each of many series, thousands a second.

    Parameters
    ----------
    series
        From `load_domain`, `read_series`; in any number.
    model
        One of one series: ``"loglinear"``, ``"frontier"``, ``"records"``, ``"changepoint"`` or
        ``"drift"``.
    prior, robust, where
        As `effbayes.sample`.
    seed
        A series has the same posterior, bit for bit, under one seed and place, whatever is beside
        it.
    ci
        Probability of the equal-tailed intervals.
    platform
        ``"cpu"``, ``"gpu"`` or ``"tpu"``; None is JAX's own choice.
    folder
        Where finished chunks are kept; a run that was stopped goes on from there.
    client
        A Dask client, whose workers compute in place of this process (docs/scaling-out.md).
    progress
        Called with series done and series in all.

    Returns
    -------
    Many
        Look at `Many.ok` first: a series without a posterior, or whose sampler failed, is reported
        in its place and never dropped.

    Raises
    ------
    UsageError
        No series, or no such model.
    RunFileError
        The folder holds another job, or cannot be used.
    ClusterError
        The client's scheduler or workers are gone, or have other versions.
    """
    if not series:
        raise UsageError("no series to fit")
    probs = probs_of(ci, seed)
    fitted: list[Series] = list(series)
    asked: dict[int, Asked] = {}
    refused: dict[int, str] = {}
    for place, one in enumerate(series):
        try:
            used = fitted[place] = catalogue.with_rows(model, one, where)
            made = lean(catalogue.make_model(model, used, prior, robust=robust), used)
        except DataError as error:
            refused[place] = str(error)
        else:
            asked[place] = Asked(made, data_from_series(used))
    found = fit_all(
        asked,
        refused,
        probs,
        ("rate",),
        seed=seed,
        platform=platform,
        folder=folder,
        client=client,
        progress=progress,
    )
    return Many(series=tuple(fitted), model=model, **found)


def lean(model: Model, series: Series) -> Model:
    """A model whose program leaves out what no row of a series needs."""
    bounded = np.isfinite(series.value_low) | np.isfinite(series.value_high)
    if hasattr(model, "censored") and not np.any(bounded & series.used):
        return replace(model, censored=False)  # type: ignore[type-var]
    return model
