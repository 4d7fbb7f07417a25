"""Thousands of series fitted at once, each certified on its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from effbayes import provenance, runtime
from effbayes.dataset import Series
from effbayes.errors import DataError, UsageError
from effbayes.inference.lanes import Lanes, LaneSettings, quantities
from effbayes.models import catalogue
from effbayes.models.contract import bucket_size, data_from_series, stacked
from effbayes.posterior import Interval
from effbayes.replicates import engine
from effbayes.replicates.cluster import Dask
from effbayes.replicates.folder import Folder
from effbayes.replicates.posteriors import (
    LANES_ON_A_CPU,
    METHODS,
    Posteriors,
    Where,
    importance_for,
)
from effbayes.trend import MONTHS_PER_YEAR
from effbayes.types import Rows

if TYPE_CHECKING:
    from distributed import Client
    from numpy.typing import NDArray

    from effbayes.models.contract import Model
    from effbayes.models.priors import TrendPriors
    from effbayes.types import PriorName

    Floats = NDArray[np.float64]

CHUNK = 1024
"""Lanes to a part: a second or so of work."""

GRAIN = LANES_ON_A_CPU
"""Lanes of the smallest parts that a job for several threads is cut into: those of one call."""

MEDIAN = 0.5


@dataclass(frozen=True, eq=False)
class Many:
    """Posteriors of many series, in the order in which they were given.

    Attributes
    ----------
    series
        What was fitted, with the rows used.
    model
        Its name.
    quantities
        Names of what is reported of each, ``rate`` the first.
    probs
        Probabilities of the quantiles.
    mean, sd
        Dims (series, quantity); NaN where there is no posterior.
    quantile
        Dims (series, quantity, prob).
    method
        How each was fitted: ``"weighted draws"``, ``"more weighted draws"``, ``"NUTS"``, or
        ``"refused"``.
    ok
        Which can be relied on, dims (series,).
    k_hat, ess
        Pareto k-hat (NaN for NUTS) and effective number of draws, dims (series,).
    refused
        Why there is no posterior, by place.
    """

    series: tuple[Series, ...]
    model: str
    quantities: tuple[str, ...]
    probs: tuple[float, ...]
    mean: Floats
    sd: Floats
    quantile: Floats
    method: tuple[str, ...]
    ok: NDArray[np.bool_]
    k_hat: Floats
    ess: Floats
    refused: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.series)

    def rate(self) -> Floats:
        """Doublings per year: low, median and high of each; dims (series, 3)."""
        return self.quantile[:, 0, :]

    def doubling_time(self) -> Floats:
        """Months: low, median and high of each, dims (series, 3).

        Infinite where there may be no progress.
        """
        rate = self.quantile[:, 0, ::-1]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(
                rate > 0.0, MONTHS_PER_YEAR / rate, np.where(np.isnan(rate), np.nan, np.inf)
            )

    def reasons(self) -> dict[int, str]:
        """Why a lane cannot be relied on, by place; empty where all can."""
        found = dict(self.refused)
        for place in np.flatnonzero(~self.ok):
            found.setdefault(
                int(place),
                f"{self.method[place]} did not converge: effective draws {self.ess[place]:.0f}",
            )
        return found

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
    chosen = Interval(ci, "eti").check()
    probs = (0.5 - 0.5 * chosen.prob, MEDIAN, 0.5 + 0.5 * chosen.prob)
    runtime.stream(seed, "0")
    fitted, refused = list(series), {}
    groups: dict[tuple[Model, int], list[int]] = {}
    for place, one in enumerate(series):
        try:
            used = fitted[place] = catalogue.with_rows(model, one, where)
            made = lean(catalogue.make_model(model, used, prior, robust=robust), used)
        except DataError as error:
            refused[place] = str(error)
            continue
        groups.setdefault((made, bucket_size(used.n_obs)), []).append(place)
    names = quantities(next(iter(groups))[0]) if groups else ("rate",)
    n, q = len(fitted), len(names)
    gathered: dict[str, Any] = {
        "mean": np.full((n, q), np.nan),
        "sd": np.full((n, q), np.nan),
        "quantile": np.full((n, q, len(probs)), np.nan),
        "k_hat": np.full(n, np.nan),
        "ess": np.zeros(n),
        "ok": np.zeros(n, dtype=bool),
        "method": np.full(n, -1),
    }
    done = len(refused)
    for number, ((made, _), places) in enumerate(groups.items()):
        job = Posteriors(
            made,
            LaneSettings(importance_for(coordinates(made)), probs),
            Lanes(stacked([data_from_series(fitted[place]) for place in places])),
            len(places),
            runtime.key_bits(runtime.stream(seed, _digest(made))),
            Where(platform),
            np.array(places),
        )
        told = None
        if progress is not None:
            told = lambda some, _, before=done: progress(before + some, n)  # noqa: E731
        found = engine.run(
            job,
            chunk=CHUNK,
            grain=GRAIN,
            threads=runtime.at_once(platform),
            folder=None if folder is None else Folder(Path(folder) / f"group-{number:04d}"),
            cluster=None if client is None else Dask(client),
            progress=told,
        )
        for name, column in gathered.items():
            column[places] = found[name]
        done += len(places)
    method = tuple("refused" if m < 0 else METHODS[m] for m in gathered.pop("method"))
    return Many(tuple(fitted), model, names, probs, method=method, refused=refused, **gathered)


def lean(model: Model, series: Series) -> Model:
    """A model whose program leaves out what no row of a series needs."""
    bounded = np.isfinite(series.value_low) | np.isfinite(series.value_high)
    if hasattr(model, "censored") and not np.any(bounded & series.used):
        return replace(model, censored=False)  # type: ignore[type-var]
    return model


def coordinates(model: Model) -> int:
    """Coordinates of a position, about: what decides how many draws a lane needs."""
    return 1 + len(model.parameters)


def _digest(model: Model) -> str:
    """Two models never share random numbers."""
    return hashlib.sha256(repr((model, provenance.PACKAGES)).encode()).hexdigest()
