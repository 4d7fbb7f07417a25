r"""Simulation-based calibration of the stochastic frontier with the default prior.

Parameters and data are drawn together from the model, each data set is fitted by NUTS, and the rank
of the true value among thinned posterior draws is uniform if draws come from the posterior (Talts
et al. 2018, arXiv:1804.06788). Besides rate, alpha, sigma and eta, the joint log density is ranked,
which sees the data (Modrak et al. 2023, doi:10.1214/23-BA1404); it is computed here, by SciPy.

alpha's prior is centred at the mean of the data that are being fitted, which is no prior to draw
from. Here the fitted data say that this mean is zero, whatever it is: the prior is then
Normal(0, 10), and calibration is exact.

A censored row reports an interval of a width of its own at a uniformly random offset around the
latent value: the likelihood is then the interval's probability over its width, whatever the
parameters.

False-alarm budget: 1e-6 a test, a fifth for each of the five ranked quantities. Seeds are fixed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from effective_size import effective_size
from numpy.typing import NDArray
from scipy import special, stats

import effbayes as eb
from effbayes import runtime
from effbayes.inference.nuts import SamplerSettings, run_nuts
from effbayes.models.contract import data_from_series
from effbayes.models.frontier import Priors, make_model
from effbayes.replicates.ecdf_band import ecdf_band

Floats = NDArray[np.float64]

DATES = ["2012-06-01", "2014-09-17", "2015-12-10", "2017-04-17", "2017-07-04", "2018-02-05"]
DATES += ["2018-07-30", "2019-05-28"]
SETS = 200
KEPT = 49
SETTINGS = SamplerSettings(warmup=500, draws=1000)
FALSE_ALARMS = 1e-6
PARAMETERS = ("rate", "alpha", "sigma", "eta")
RANKED = (*PARAMETERS, "log_joint")


@dataclass(frozen=True, eq=False)
class Design:
    """What is known of each row before its value, and which way it moves. Dims (row,).

    Attributes
    ----------
    value_sd, date_sd_days
        Doublings, days.
    width
        Doublings between a row's bounds; 0 for an exact row.
    direction
        As in a series.
    """

    value_sd: Floats
    date_sd_days: Floats
    width: Floats
    direction: str

    @property
    def t(self) -> Floats:
        """Years from the mean date."""
        days = np.array(DATES, dtype="datetime64[D]").astype(float)
        return (days - days.mean()) / 365.25

    @property
    def sign(self) -> float:
        """1 where progress makes the value fall."""
        return 1.0 if self.direction == "falling" else -1.0

    def sd(self, rate: Floats, sigma: Floats) -> Floats:
        """Standard deviation of each row's normal error, dims (..., row)."""
        by_date = rate[..., None] * self.date_sd_days / 365.25
        return np.sqrt(sigma[..., None] ** 2 + self.value_sd**2 + by_date**2)


ZERO = np.zeros(len(DATES))
DESIGNS = {
    "exact": Design(ZERO, ZERO, ZERO, "falling"),
    "errors-and-bounds-rising": Design(
        value_sd=np.array([0.0, 0.5, 0.0, 0.2, 0.0, 0.0, 0.0, 0.0]),
        date_sd_days=np.array([90.0, 0.0, 0.0, 30.0, 0.0, 180.0, 0.0, 0.0]),
        width=np.array([0.0, 0.0, 0.4, 1.5, 0.0, 0.8, 0.0, 0.2]),
        direction="rising",
    ),
}


def draw_truth(design: Design, rng: np.random.Generator) -> tuple[dict[str, Floats], Floats]:
    """Parameters from the priors and the reported log2 values, dims (row,)."""
    n = len(DATES)
    truth = {
        "rate": 12.0 / (18.0 * np.exp(1.2 * rng.normal())),
        "alpha": rng.normal(0.0, 10.0),
        "sigma": abs(rng.normal()),
        "eta": abs(2.0 * rng.normal()),
    }
    truth = {name: np.array(value) for name, value in truth.items()}
    excess = truth["eta"] * rng.exponential(size=n)
    noise = design.sd(truth["rate"], truth["sigma"]) * rng.normal(size=n)
    latent = truth["alpha"] + design.sign * (excess - truth["rate"] * design.t) + noise
    return truth, latent + design.width * rng.uniform(-0.5, 0.5, n)


def as_series(design: Design, y: Floats) -> eb.Series:
    """The table that a user would have."""
    bounded = design.width > 0.0
    columns = {
        "date": DATES,
        "value": 2.0**y,
        "value_low": np.where(bounded, 2.0 ** (y - 0.5 * design.width), np.nan),
        "value_high": np.where(bounded, 2.0 ** (y + 0.5 * design.width), np.nan),
        "value_sd": design.value_sd,
        "date_sd_days": design.date_sd_days,
    }
    return eb.read_series(pd.DataFrame(columns), direction=design.direction)


def log_joint(design: Design, y: Floats, values: dict[str, Floats]) -> Floats:
    """Log prior density of (alpha, 12/r, sigma, eta) and log-likelihood. Dims as the rate's."""
    rate, eta = values["rate"], values["eta"][..., None]
    sd = design.sd(rate, values["sigma"])
    trend = values["alpha"][..., None] - design.sign * rate[..., None] * design.t
    x = design.sign * (y - trend)
    half = 0.5 * design.width
    exact = _log_term(x, sd, eta) - np.log(eta)
    upper = np.logaddexp(special.log_ndtr(-(x - half) / sd), _log_term(x - half, sd, eta))
    beyond = np.logaddexp(special.log_ndtr(-(x + half) / sd), _log_term(x + half, sd, eta))
    # A difference of upper tails: it loses digits on the far left, where the truth never lies.
    gap = np.where(half > 0.0, beyond - upper, -1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        interval = upper + np.log(-np.expm1(gap))
    likelihood = np.where(half > 0.0, interval, exact).sum(-1)
    prior = stats.norm.logpdf(values["alpha"], 0.0, 10.0) + stats.halfnorm.logpdf(values["sigma"])
    prior += stats.halfnorm.logpdf(values["eta"], scale=2.0)
    prior += stats.lognorm.logpdf(12.0 / rate, 1.2, scale=18.0)
    return np.asarray(likelihood + prior)


def _log_term(x: Floats, sd: Floats, eta: Floats) -> Floats:
    """Log of eta times the density, by SciPy's own scaled error function."""
    z, k = x / sd, sd / eta
    w = (k - z) / np.sqrt(2.0)
    right = -0.5 * z**2 + np.log(0.5 * special.erfcx(np.maximum(w, 0.0)))
    left = k * (0.5 * k - z) + special.log_ndtr(-np.sqrt(2.0) * np.minimum(w, 0.0))
    return np.where(w > 0.0, right, left)


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
def test_ranks_of_the_truth_are_uniform(name):
    design = DESIGNS[name]
    rng = np.random.default_rng(20120601)
    ranks: dict[str, list[int]] = {quantity: [] for quantity in RANKED}
    sizes = []
    for k in range(SETS):
        truth, y = draw_truth(design, rng)
        series = as_series(design, y)
        model = make_model(series, Priors(), robust=False)
        data = data_from_series(series)._replace(y_mean=np.float64(0.0))
        with runtime.on_device("cpu") as device:
            root = np.array([k, 1], dtype=np.uint32)
            fit = run_nuts(model, data, root, SETTINGS, plan=runtime.plan(device))
        sizes.append(min(effective_size(fit.values[each]) for each in PARAMETERS))
        # Dims (draw,), chains end to end, evenly thinned: neighbours are 80 steps apart.
        pick = np.linspace(0, fit.values["rate"].size - 1, KEPT).astype(int)
        draws = {each: fit.values[each].ravel()[pick] for each in PARAMETERS}
        draws["log_joint"] = log_joint(design, y, draws)
        truth["log_joint"] = log_joint(design, y, truth)
        for quantity in RANKED:
            ranks[quantity].append(int((draws[quantity] < truth[quantity]).sum()))
    # Every data set counts, whatever its verdict: leaving out bad fits would bias the ranks.
    assert np.quantile(sizes, 0.01) > 4 * KEPT, "thinned draws are not near-independent"
    band = ecdf_band(SETS, KEPT + 1, FALSE_ALARMS / len(RANKED))
    excursions = {quantity: band.excursions(ranks[quantity]) for quantity in RANKED}
    assert excursions == {quantity: [] for quantity in RANKED}
