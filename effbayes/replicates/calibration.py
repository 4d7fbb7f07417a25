"""Simulation-based calibration: whether the sampler is right, on tables like one.

Parameters are drawn from the prior and data from the parameters, on the dates and with the errors
and bounds of a table; each data set is fitted as a user's would be. The rank of the true value
among posterior draws is uniform if those are draws from the posterior (Talts et al. 2018,
arXiv:1804.06788), for the parameters and for the joint log density, which sees the data (Modrak et
al. 2023, doi:10.1214/23-BA1404); and an interval of 95 % has the truth in it 95 times of 100.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from effbayes import provenance, runtime
from effbayes.dataset import Series
from effbayes.errors import UsageError
from effbayes.inference.lanes import LOG_JOINT, Lanes, LaneSettings, members_of, quantities
from effbayes.models import catalogue
from effbayes.models.contract import data_from_series
from effbayes.replicates import engine
from effbayes.replicates.ecdf_band import Band, ecdf_band
from effbayes.replicates.folder import Folder
from effbayes.replicates.many import lean
from effbayes.replicates.posteriors import METHODS, Posteriors, Where, importance_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from effbayes.models.contract import Data, Model
    from effbayes.models.priors import TrendPriors
    from effbayes.types import PriorName, Rows

SCHEMA = "effbayes.calibration/1"

KEPT = 99
"""Posterior draws that a true value is ranked among: 100 ranks."""

COVERED = {0.5: (2, 4), 0.8: (1, 5), 0.95: (0, 6)}
PROBS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""Ends of the intervals of `COVERED`, by place."""

LEAST_SETS = 20


@dataclass(frozen=True, eq=False)
class Calibration:
    """Ranks of true values, and how often intervals have them.

    Attributes
    ----------
    series
        The table whose dates, errors and bounds were used.
    settings
        Model and priors, JSON-ready.
    quantities
        What was ranked; the joint log density is the last.
    ranks
        From 0 to `KEPT`, dims (set, quantity).
    inside
        Whether intervals have the truth, by their probability; dims (set, quantity), without the
        joint log density.
    method
        Place in `METHODS` of how each set was fitted, dims (set,).
    certified
        Dims (set,).
    false_alarm
        Probability that a right sampler fails.
    seed
        Of the run.
    """

    series: Series
    settings: Mapping[str, Any]
    quantities: tuple[str, ...]
    ranks: NDArray[np.int64]
    inside: Mapping[float, NDArray[np.bool_]]
    method: NDArray[np.int8]
    certified: NDArray[np.bool_]
    false_alarm: float
    seed: int

    @property
    def sets(self) -> int:
        """Number of data sets."""
        return len(self.ranks)

    @cached_property
    def band(self) -> Band:
        """Within which all counts of a quantity's ranks stay together."""
        return ecdf_band(self.sets, KEPT + 1, self.false_alarm / len(self.quantities))

    def excursions(self, name: str) -> list[str]:
        """Where the ranks of a quantity leave the band, in words."""
        return self.band.excursions(self.ranks[:, self.quantities.index(name)])

    @property
    def ok(self) -> bool:
        """Whether every quantity's ranks are uniform as far as can be told."""
        return not any(self.excursions(name) for name in self.quantities)

    @property
    def verdict(self) -> str:
        """``"calibrated"``, or the quantities that are not."""
        wrong = [name for name in self.quantities if self.excursions(name)]
        return f"not calibrated: {', '.join(wrong)}" if wrong else "calibrated"

    def coverage(self, name: str, prob: float) -> tuple[float, float, float]:
        """Share of intervals that have the truth, with a 95 % interval (Clopper and Pearson)."""
        inside = self.inside[prob][:, self.quantities.index(name)]
        hits, n = int(inside.sum()), len(inside)
        ends = stats.binomtest(hits, n).proportion_ci(0.95)
        return hits / n, float(ends.low), float(ends.high)

    def summary(self) -> dict[str, Any]:
        """Everything reported, strict JSON."""
        covered = [name for name in self.quantities if name != LOG_JOINT]
        return {
            "schema": SCHEMA,
            "domain": self.series.domain or None,
            "series": self.series.name,
            "n_obs": self.series.n_obs,
            **{
                key: self.settings[key]
                for key in ("model", "prior", "noise")
                if key in self.settings
            },
            "sets": self.sets,
            "ranked_among": KEPT,
            "false_alarm": self.false_alarm,
            "verdict": self.verdict,
            "quantities": {
                name: {
                    "excursions": self.excursions(name),
                    "mean_rank": float(self.ranks[:, i].mean()) / KEPT,
                }
                for i, name in enumerate(self.quantities)
            },
            "coverage": {
                name: {
                    f"{prob:g}": dict(
                        zip(("share", "low", "high"), self.coverage(name, prob), strict=True)
                    )
                    for prob in COVERED
                }
                for name in covered
            },
            "fitted_by": {
                each: int(np.sum(self.method == place)) for place, each in enumerate(METHODS)
            },
            "not_certified": int(np.sum(~self.certified)),
            "seed": self.seed,
            "provenance": {**provenance.versions()},
        }


def calibrate(  # noqa: PLR0913 - the options of a fit, each by its own name
    series: Series,
    model: str = "loglinear",
    *,
    prior: PriorName | TrendPriors = "default",
    robust: bool = False,
    where: Rows | None = None,
    sets: int = 1000,
    false_alarm: float = 0.01,
    seed: int = 0,
    at: Where | None = None,
    folder: str | Path | None = None,
    cluster: engine.Cluster | None = None,
    progress: engine.Progress | None = None,
) -> Calibration:
    """Calibrate a model on tables like one.

    Parameters
    ----------
    series
        The table: its dates, errors and bounds are used, its values are not.
    model, prior, robust, where
        As `effbayes.sample`.
    sets
        Data sets to draw and fit.
    false_alarm
        Probability that ranks of a right sampler leave their bands.
    seed
        The same seed gives the same data sets and ranks.
    at
        Device, and lanes side by side.
    folder, cluster, progress
        As `effbayes.replicates.engine.run`.

    Raises
    ------
    UsageError
        A prior that cannot be drawn from, or numbers out of range.
    DataError
        The model does not take the table.
    """
    if sets < LEAST_SETS:
        raise UsageError(f"{sets} data sets; at least {LEAST_SETS}, or no rank can be judged")
    if not 0.0 < false_alarm < 1.0:
        raise UsageError(f"false alarm = {false_alarm}, must be between 0 and 1")
    series = catalogue.with_rows(model, series, where)
    fitted = lean(catalogue.make_model(model, series, prior, robust=robust), series)
    if not fitted.has_proper_prior:
        raise UsageError(
            f"the {fitted.prior_name} prior is improper: no truth can be drawn from it"
        )
    root = runtime.key_bits(runtime.stream(seed, provenance.data_digest(series)))
    job = job_of(fitted, data_from_series(series), sets, root, at or Where())
    found = job.run(
        folder=None if folder is None else Folder(Path(folder)),
        cluster=cluster,
        progress=progress,
    )
    return judged(job, found, series, false_alarm=false_alarm, seed=seed)


def job_of(model: Model, data: Data, sets: int, root: NDArray[np.uint32], at: Where) -> Posteriors:
    """Data sets drawn from a model, of one series or of several, on a design; each to be fitted."""
    settings = LaneSettings(
        importance_for(model, members_of(model, data)), PROBS, simulated=True, kept=KEPT
    )
    return Posteriors(model, settings, Lanes(data), sets, root, at)


def judged(
    job: Posteriors,
    found: Mapping[str, NDArray[Any]],
    series: Series,
    *,
    false_alarm: float,
    seed: int,
) -> Calibration:
    """What `job_of` says of a model, once it was run.

    Parameters
    ----------
    job, found
        The job and its results.
    series
        The table that the calibration is named after.
    false_alarm, seed
        As `calibrate`.
    """
    model, members = job.model, members_of(job.model, job.own.data)
    truth = found["truth"][:, :-1]
    inside = {
        prob: (found["quantile"][..., low] <= truth) & (truth <= found["quantile"][..., high])
        for prob, (low, high) in COVERED.items()
    }
    return Calibration(
        series=series,
        settings={**model.describe(), "prior": model.prior_name},
        quantities=(*quantities(model, members), LOG_JOINT),
        ranks=found["rank"].astype(np.int64),
        inside=inside,
        method=found["method"],
        certified=found["ok"],
        false_alarm=false_alarm,
        seed=seed,
    )
