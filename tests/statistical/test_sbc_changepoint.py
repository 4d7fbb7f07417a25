r"""Simulation-based calibration of the changepoint model with the default prior.

As for the log-linear model (Talts et al. 2018; Modrak et al. 2023): parameters and data are drawn
together in NumPy, each data set is fitted by NUTS, and the rank of every true quantity among
thinned posterior draws must be uniform. alpha's prior is centred at the mean of the data, which the
fit is told is zero, so that it is a prior that truths can be drawn from.

The date of the change is ranked as it is drawn given the parameters; the mean rate, which follows
from both, tells whether it belongs to its parameters; the joint log density, computed in NumPy with
the date in it, sees the data.

False-alarm budget: 1e-6, shared equally by the ranked quantities. Seeds are fixed.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from effective_size import effective_size
from numpy.typing import NDArray
from scipy import stats

import effbayes as eb
from effbayes import runtime
from effbayes.inference.nuts import SamplerSettings, run_nuts
from effbayes.models import contract
from effbayes.models.broken_line import Cells
from effbayes.models.changepoint import Changepoint, Priors
from effbayes.replicates.ecdf_band import ecdf_band

Floats = NDArray[np.float64]

DATES = [
    *("2012-06-01", "2013-02-11", "2014-09-17", "2015-01-05", "2015-12-10", "2016-06-30"),
    *("2017-04-17", "2017-07-04", "2018-01-22", "2018-07-30"),
]
SETS = 200
KEPT = 49
FALSE_ALARMS = 1e-6
PARAMETERS = ("alpha", "rate_before", "rate_after", "sigma", "changepoint")
RANKED = (*PARAMETERS, "rate", "log_joint")
CELLS = Cells(1024, plain=True, bounded=False)
"""One program for all: as many cells as the sharpest of these data sets but a few ask for."""


def years() -> Floats:
    days = np.array(DATES, dtype="datetime64[D]").astype(float)
    return (days - days.mean()) / 365.25


def trend(values: dict[str, Floats]) -> Floats:
    """Dims (..., row): walked along from t = 0."""
    t = years()
    alpha, before, after, c = (
        np.asarray(values[name])[..., None]
        for name in ("alpha", "rate_before", "rate_after", "changepoint")
    )

    def gained(x):
        return np.where(x < c, before, after) * (x - c)

    return alpha - (gained(t) - gained(np.zeros(1)))


def mean_rate(values: dict[str, Floats]) -> Floats:
    line = trend(values)
    return (line[..., 0] - line[..., -1]) / np.ptp(years())


def draw_truth(rng: np.random.Generator) -> tuple[dict[str, Floats], Floats]:
    """Parameters from the prior, and log2 values."""
    t = years()
    middle = 12.0 / (18.0 * np.exp(1.2 * rng.normal()))
    ratio = np.exp(rng.normal())
    true = {
        "alpha": 10.0 * rng.normal(),
        "rate_before": middle / np.sqrt(ratio),
        "rate_after": middle * np.sqrt(ratio),
        "sigma": abs(rng.normal()),
        "changepoint": rng.uniform(t[0] + 0.1 * np.ptp(t), t[-1] - 0.1 * np.ptp(t)),
    }
    true = {name: np.array(value) for name, value in true.items()}
    return true, trend(true) + true["sigma"] * rng.normal(size=len(t))


def log_joint(values: dict[str, Floats], y: Floats) -> Floats:
    """Log density of the data, alpha, log of both rates, sigma and the date of the change."""
    log_before, log_after = np.log(values["rate_before"]), np.log(values["rate_after"])
    prior = stats.norm.logpdf(values["alpha"], 0.0, 10.0) + stats.halfnorm.logpdf(values["sigma"])
    prior += stats.norm.logpdf(0.5 * (log_before + log_after), np.log(12.0 / 18.0), 1.2)
    prior += stats.norm.logpdf(log_after - log_before)
    rows = stats.norm.logpdf(y, trend(values), np.asarray(values["sigma"])[..., None])
    return np.asarray(prior + rows.sum(axis=-1))


def fit(y: Floats, seed: int) -> dict[str, Floats]:
    series = eb.read_series(pd.DataFrame({"date": DATES, "value": 2.0**y}))
    data = contract.data_from_series(series)._replace(y_mean=np.float64(0.0))
    with runtime.on_device("cpu") as device:
        return run_nuts(
            Changepoint(Priors(), CELLS),
            data,
            runtime.key_bits(seed),
            SamplerSettings(),
            plan=runtime.plan(device),
        ).values


@pytest.mark.slow
def test_ranks_of_the_truth_are_uniform():
    rng = np.random.default_rng(20190401)
    ranks: dict[str, list[int]] = {name: [] for name in RANKED}
    sizes = []
    for k in range(SETS):
        true, y = draw_truth(rng)
        values = fit(y, k)
        sizes.append(min(effective_size(values[name]) for name in PARAMETERS))
        # Dims (draw,), chains end to end, evenly thinned: neighbours are 80 steps apart.
        pick = np.linspace(0, values["rate"].size - 1, KEPT).astype(int)
        draws = {name: values[name].ravel()[pick] for name in (*PARAMETERS, "rate")}
        np.testing.assert_allclose(mean_rate(draws), draws["rate"], rtol=1e-8)
        for each in (draws, true):
            each["rate"], each["log_joint"] = mean_rate(each), log_joint(each, y)
        for name in RANKED:
            ranks[name].append(int((draws[name] < true[name]).sum()))
    # Every data set counts, whatever its verdict: leaving out bad fits would bias the ranks.
    assert np.quantile(sizes, 0.05) > 4 * KEPT, "thinned draws are not near-independent"
    band = ecdf_band(SETS, KEPT + 1, FALSE_ALARMS / len(RANKED))
    assert {name: band.excursions(ranks[name]) for name in RANKED} == {name: [] for name in RANKED}
