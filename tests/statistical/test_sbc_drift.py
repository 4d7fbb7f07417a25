"""Simulation-based calibration of the drifting rate: ranks of the truth among posterior draws.

Talts et al. (2018), "Validating Bayesian inference algorithms with simulation-based calibration",
and Modrák et al. (2023), "Simulation-based calibration checking for Bayesian computation": the
joint log density is ranked beside the parameters, since ranks of parameters alone are uniform for
a posterior that ignores the data too.

Alpha's prior is centred on the mean of the data, which no simulator knows beforehand; the sampler
is told that this mean is zero, so that the prior is ``Normal(0, 10)`` for every data set. Truths
are drawn in NumPy. A path goes outwards from its known state at the mean date, on both sides, by
exact steps over the gaps between rows: a step of W, and one of its integral given that. The rate at
the last row and the mean over the span are those of that path, and are ranked among the rates of
paths that the package draws given parameters and data. Rows have errors of their value or their
date in part; none has bounds, whose normal stand-in is an approximation.

False-alarm budget: 1e-6, shared by the ranked quantities. Seeds are fixed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from effective_size import effective_size
from numpy.typing import NDArray
from scipy import stats

import effbayes as eb
from effbayes import runtime
from effbayes.inference import nuts
from effbayes.models.contract import data_from_series
from effbayes.models.drift import Priors, make_model
from effbayes.replicates.ecdf_band import ecdf_band

Floats = NDArray[np.float64]

DATES = np.array(
    [
        *("2012-06-01", "2013-09-04", "2014-09-17", "2015-12-10"),
        *("2016-02-24", "2017-04-17", "2018-07-30", "2019-05-28"),
    ],
    dtype="datetime64[D]",
)
DAYS = DATES.astype(float)
T = (DAYS - DAYS.mean()) / 365.25
VALUE_SD = np.array([0.0, 0.5, 0.0, 0.2, 0.0, 0.0, 0.0, 0.0])
DATE_SD_DAYS = np.array([90.0, 0.0, 0.0, 30.0, 0.0, 0.0, 0.0, 180.0])

SETS = 250
KEPT = 49
SETTINGS = {"warmup": 1000, "draws": 1000, "chains": 4}
FALSE_ALARMS = 1e-6
PARAMETERS = ("alpha", "rate_mid", "sigma", "drift")
RANKED = (*PARAMETERS, "rate", "rate_end", "log_joint")


@dataclass(frozen=True, eq=False)
class Truth:
    """One draw of parameters, of a path's rates, and of the rows' log2 values (dims (row,))."""

    values: dict[str, float]
    y: Floats


def draw_path(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """The integral of W from zero to each row, and W there; W is a Wiener process on both sides."""
    level, rate = np.zeros(len(T)), np.zeros(len(T))
    for side in (T < 0.0, T >= 0.0):
        rows = np.flatnonzero(side)
        f, w, before = 0.0, 0.0, 0.0
        for i in rows[np.argsort(np.abs(T[rows]))]:
            h = abs(T[i]) - before
            step = np.sqrt(h) * rng.normal()
            # The bridge between both ends has the area h**3 / 12 for variance.
            f += h * w + 0.5 * h * step + np.sqrt(h**3 / 12.0) * rng.normal()
            w, before = w + step, abs(T[i])
            level[i], rate[i] = np.sign(T[i]) * f, w
    return level, rate


def draw_truth(rng: np.random.Generator) -> Truth:
    """Parameters from the default prior, then a path and noise; the value is a falling cost."""
    mid = 12.0 / (18.0 * np.exp(1.2 * rng.normal()))
    alpha, sigma, q = 10.0 * rng.normal(), abs(rng.normal()), 0.5 * abs(rng.normal())
    level, rate = draw_path(rng)
    gained = mid * T + q * level
    y = alpha - gained + row_sd(np.array(mid), np.array(sigma)) * rng.normal(size=len(T))
    values = {"alpha": alpha, "rate_mid": mid, "sigma": sigma, "drift": q}
    values["rate_end"] = mid + q * rate[-1]
    values["rate"] = (gained[-1] - gained[0]) / (T[-1] - T[0])
    return Truth(values, y)


def row_sd(mid: Floats, sigma: Floats) -> Floats:
    """Standard deviation of each row about the path, dims (..., row)."""
    by_date = mid[..., None] * DATE_SD_DAYS / 365.25
    return np.sqrt(sigma[..., None] ** 2 + VALUE_SD**2 + by_date**2)


def path_covariance() -> Floats:
    """Covariance of the rows' path per squared drift, from the time that two rows share."""
    less = np.where(T[:, None] * T > 0.0, np.minimum(np.abs(T[:, None]), np.abs(T)), 0.0)
    a, b = np.abs(T)[:, None], np.abs(T)
    return a * b * less - (a + b) * less**2 / 2.0 + less**3 / 3.0


def log_joint(y: Floats, values: dict[str, Floats]) -> Floats:
    """Log prior density of (alpha, 12/r, sigma, q) and log likelihood. Dims (draw,)."""
    alpha, mid, sigma, q = (np.atleast_1d(values[name]) for name in PARAMETERS)
    variance = row_sd(mid, sigma) ** 2
    whole = q[:, None, None] ** 2 * path_covariance() + variance[..., None] * np.eye(len(T))
    away = y - alpha[:, None] + mid[:, None] * T
    factor = np.linalg.cholesky(whole)
    z = np.linalg.solve(factor, away[..., None])[..., 0]
    log_det = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    prior = stats.norm.logpdf(alpha, 0.0, 10.0) + stats.lognorm.logpdf(12.0 / mid, 1.2, scale=18.0)
    prior += stats.halfnorm.logpdf(sigma) + stats.halfnorm.logpdf(q, scale=0.5)
    return np.asarray(prior - 0.5 * (z**2).sum(axis=1) - log_det)


def as_series(y: Floats) -> eb.Series:
    """The table that a user would have."""
    columns = {
        "date": DATES.astype(str),
        "value": 2.0**y,
        "value_sd": VALUE_SD,
        "date_sd_days": DATE_SD_DAYS,
    }
    return eb.read_series(pd.DataFrame(columns))


def test_paths_are_drawn_with_the_covariance_of_the_density():
    """Steps against the kernel. False-alarm budget 1e-6 over all 36 pairs of rows."""
    rng = np.random.default_rng(5)
    drawn = np.array([draw_path(rng)[0] for _ in range(20_000)])
    expected = path_covariance()
    variance = np.diag(expected)
    spread = np.sqrt((np.outer(variance, variance) + expected**2) / len(drawn))
    z_most = stats.norm.isf(FALSE_ALARMS / 36 / 2.0)
    assert np.all(np.abs(drawn.T @ drawn / len(drawn) - expected) < z_most * spread)


@pytest.mark.slow
def test_ranks_of_the_truth_are_uniform():
    rng = np.random.default_rng(20120601)
    ranks: dict[str, list[int]] = {quantity: [] for quantity in RANKED}
    sizes = []
    settings = nuts.SamplerSettings(**SETTINGS)
    for k in range(SETS):
        truth = draw_truth(rng)
        series = as_series(truth.y)
        model = make_model(series, Priors(), robust=False)
        data = data_from_series(series)._replace(y_mean=np.float64(0.0))
        with runtime.on_device("cpu") as device:
            plan = runtime.plan(device)
            run = nuts.run_nuts(model, data, runtime.key_bits(k), settings, plan=plan)
        draws = run.values
        sizes.append(min(effective_size(draws[quantity]) for quantity in RANKED[:-1]))
        # Dims (draw,), chains end to end, evenly thinned: neighbours are 80 steps apart.
        pick = np.linspace(0, draws["rate"].size - 1, KEPT).astype(int)
        thinned = {quantity: draws[quantity].ravel()[pick] for quantity in RANKED[:-1]}
        thinned["log_joint"] = log_joint(truth.y, thinned)
        true = {name: np.array(value) for name, value in truth.values.items()}
        true["log_joint"] = log_joint(truth.y, true)
        for quantity in RANKED:
            ranks[quantity].append(int((thinned[quantity] < true[quantity]).sum()))
    # Every data set counts, whatever its verdict: leaving out bad fits would bias the ranks.
    assert np.quantile(sizes, 0.01) > 4 * KEPT, "thinned draws are not near-independent"
    band = ecdf_band(SETS, KEPT + 1, FALSE_ALARMS / len(RANKED))
    excursions = {quantity: band.excursions(ranks[quantity]) for quantity in RANKED}
    assert excursions == {quantity: [] for quantity in RANKED}
