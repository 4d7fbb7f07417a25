r"""Simulation-based calibration of the log-linear model with the default prior.

Parameters and data are drawn together from the model, each data set is fitted by NUTS, and the rank
of the true value among thinned posterior draws is uniform if draws come from the posterior (Talts
et al. 2018, arXiv:1804.06788). Besides rate, alpha and sigma, the joint log density is ranked: it
sees the data, and catches what parameter-wise ranks cannot (Modrak et al. 2023, doi:10.1214/23-
BA1404).

alpha's prior is centred at the mean of the data that are being fitted, so there is no prior to draw
it from first. But the joint density ``N(alpha; mean y, 10) pi(r) pi(sigma) p(y | alpha, r, sigma)``
does not change when y and alpha move together, so the pair can be drawn given ``mean y = 0``, where
it is proper, and calibration is exact. With the residuals' sds ``s_i``, ``V = sum s_i**2 / n**2``
and c the mean offset of the reported values from the latent ones (zero without bounds):

* r and sigma from their priors, kept with probability ``10 / sqrt(100 + V) exp(-c**2 / 2 /
  (100 + V))``, the density of ``mean(e) = -c`` over its greatest value;
* alpha from ``N(0, 10)`` times ``N(-c; alpha, V)``; residuals ``e_i ~ N(alpha, s_i)`` given that
  their mean is -c; latent ``y_i = e_i - r t_i``.

A censored row reports an interval of a width of its own at a uniformly random offset around the
latent value, and its middle as the value: the likelihood is then the interval's probability over
its width, whatever the parameters.

False-alarm budget: 1e-6 a test, a quarter for each of the four ranked quantities. Seeds are fixed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from effective_size import effective_size
from numpy.typing import NDArray
from scipy import special, stats

import effbayes as eb
from effbayes.replicates.ecdf_band import ecdf_band

Floats = NDArray[np.float64]

DATES = ["2012-06-01", "2014-09-17", "2017-04-17", "2017-07-04", "2018-07-30", "2019-05-28"]
SETS = 400
KEPT = 49
SETTINGS = {"warmup": 1000, "draws": 1000, "chains": 4}
FALSE_ALARMS = 1e-6
RANKED = ("rate", "alpha", "sigma", "log_joint")
ALPHA_SD = 10.0


@dataclass(frozen=True, eq=False)
class Design:
    """What is known of each row before its value. Dims (row,).

    Attributes
    ----------
    value_sd
        Doublings.
    date_sd_days
        Days.
    width
        Doublings between a row's bounds; 0 for an exact row.
    """

    value_sd: Floats
    date_sd_days: Floats
    width: Floats

    @property
    def t(self) -> Floats:
        """Years from the mean date."""
        days = np.array(DATES, dtype="datetime64[D]").astype(float)
        return (days - days.mean()) / 365.25

    def sd(self, rate: Floats, sigma: Floats) -> Floats:
        """Standard deviation of each row, dims (..., row)."""
        by_date = rate[..., None] * self.date_sd_days / 365.25
        return np.sqrt(sigma[..., None] ** 2 + self.value_sd**2 + by_date**2)


@dataclass(frozen=True, eq=False)
class Truth:
    """One draw of parameters and data; y is the reported log2 value, dims (row,)."""

    rate: float
    alpha: float
    sigma: float
    y: Floats


ZERO = np.zeros(len(DATES))
DESIGNS = {
    "exact": Design(ZERO, ZERO, ZERO),
    "errors-and-bounds": Design(
        value_sd=np.array([0.0, 0.5, 0.0, 0.2, 0.0, 0.0]),
        date_sd_days=np.array([90.0, 0.0, 0.0, 30.0, 0.0, 180.0]),
        width=np.array([0.0, 0.0, 0.4, 1.5, 0.0, 0.8]),
    ),
}


def draw_truth(design: Design, rng: np.random.Generator) -> Truth:
    """Parameters and data from their joint distribution given that the mean of y is zero."""
    n = len(DATES)
    while True:
        rate = 12.0 / (18.0 * math.exp(1.2 * rng.normal()))
        sigma = abs(rng.normal())
        sd = design.sd(np.array(rate), np.array(sigma))
        variance = float((sd**2).sum()) / n**2
        offset = design.width * rng.uniform(-0.5, 0.5, n)
        shift = float(offset.mean())
        spread = ALPHA_SD**2 + variance
        keep = ALPHA_SD / math.sqrt(spread) * math.exp(-0.5 * shift**2 / spread)
        if rng.uniform() < keep:
            break
    precision = ALPHA_SD**-2 + 1.0 / variance
    alpha = rng.normal(-shift / variance / precision, precision**-0.5)
    residual = alpha + sd * rng.normal(size=n)
    residual -= sd**2 * (residual.sum() + n * shift) / (sd**2).sum()
    return Truth(rate, alpha, sigma, residual - rate * design.t + offset)


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
    return eb.read_series(pd.DataFrame(columns))


def log_joint(design: Design, y: Floats, rate: Floats, alpha: Floats, sigma: Floats) -> Floats:
    """Log prior density of (alpha, 12/r, sigma) and log-likelihood, in NumPy. Dims as rate's."""
    sd = design.sd(rate, sigma)
    z = (y + rate[..., None] * design.t - alpha[..., None]) / sd
    half = 0.5 * design.width / sd
    # Mirrored to the lower side, where neither tail is near one.
    upper, lower = special.log_ndtr(half - np.abs(z)), special.log_ndtr(-half - np.abs(z))
    with np.errstate(divide="ignore"):
        interval = upper + np.log(-np.expm1(lower - upper))
    likelihood = np.where(design.width > 0.0, interval, stats.norm.logpdf(z) - np.log(sd)).sum(-1)
    months = 12.0 / rate
    prior = stats.norm.logpdf(alpha, y.mean(), ALPHA_SD) + stats.halfnorm.logpdf(sigma)
    prior += stats.lognorm.logpdf(months, 1.2, scale=18.0)
    return np.asarray(likelihood + prior)


def conditional_probability(design: Design, truth: Truth, name: str, *, positive: bool) -> float:
    """Probability below the true value of one parameter given the others and the data.

    By summing `log_joint` over a grid (of the logarithm, if the parameter is positive) that is
    zoomed to where the density is within 30 of its greatest logarithm.
    """
    given = {each: np.array(getattr(truth, each)) for each in ("rate", "alpha", "sigma")}
    true = float(np.log(given[name])) if positive else float(given[name])
    low, high = true - 50.0, true + 50.0
    for _ in range(40):
        grid = np.linspace(low, high, 401)
        values = {each: np.full(grid.shape, value) for each, value in given.items()}
        values[name] = np.exp(grid) if positive else grid
        density = log_joint(design, truth.y, **values)
        # From 12/r or sigma to its logarithm.
        density += {"rate": -grid, "alpha": 0.0, "sigma": grid}[name]
        near = np.flatnonzero(density > density.max() - 30.0)
        step = grid[1] - grid[0]
        if grid[near[-1]] - grid[near[0]] > 0.5 * (high - low):
            break
        low, high = float(grid[near[0]] - step), float(grid[near[-1]] + step)
    weight = np.exp(density - density.max())
    below = np.concatenate([[0.0], np.cumsum(0.5 * (weight[1:] + weight[:-1]))])
    return float(np.interp(true, grid, below / below[-1]))


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize(
    ("parameter", "positive"), [("rate", True), ("alpha", False), ("sigma", True)]
)
def test_truths_are_drawn_from_the_joint_density(name, parameter, positive):
    """The simulator against `log_joint`, without MCMC: each full conditional's ranks are uniform.

    False-alarm budget 1e-6 a test.
    """
    design = DESIGNS[name]
    rng = np.random.default_rng(3)
    truths = [draw_truth(design, rng) for _ in range(2 * SETS)]
    assert max(abs(truth.y.mean()) for truth in truths) < 1e-9
    below = [conditional_probability(design, each, parameter, positive=positive) for each in truths]
    ranks = np.minimum(np.array(below) * 50, 49).astype(int)
    assert ecdf_band(len(truths), 50, FALSE_ALARMS).excursions(ranks) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
def test_ranks_of_the_truth_are_uniform(name):
    design = DESIGNS[name]
    rng = np.random.default_rng(20120601)
    ranks: dict[str, list[int]] = {quantity: [] for quantity in RANKED}
    sizes = []
    for k in range(SETS):
        truth = draw_truth(design, rng)
        fit = eb.sample(as_series(design, truth.y), seed=k, **SETTINGS)
        sizes.append(min(effective_size(fit.draws[name]) for name in ("rate", "alpha", "sigma")))
        # Dims (draw,), chains end to end, evenly thinned: neighbours are 80 steps apart.
        pick = np.linspace(0, fit.draws["rate"].size - 1, KEPT).astype(int)
        draws = {name: fit.draws[name].ravel()[pick] for name in ("rate", "alpha", "sigma")}
        draws["log_joint"] = log_joint(design, truth.y, **draws)
        true = {name: np.array(getattr(truth, name)) for name in ("rate", "alpha", "sigma")}
        true["log_joint"] = log_joint(design, truth.y, **true)
        for quantity in RANKED:
            ranks[quantity].append(int((draws[quantity] < true[quantity]).sum()))
    # Every data set counts, whatever its verdict: leaving out bad fits would bias the ranks.
    assert np.quantile(sizes, 0.01) > 4 * KEPT, "thinned draws are not near-independent"
    band = ecdf_band(SETS, KEPT + 1, FALSE_ALARMS / len(RANKED))
    excursions = {quantity: band.excursions(ranks[quantity]) for quantity in RANKED}
    assert excursions == {quantity: [] for quantity in RANKED}
