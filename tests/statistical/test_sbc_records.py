r"""Simulation-based calibration of the records model with the default prior.

Parameters and data are drawn together, each data set is fitted by NUTS, and the rank of the true
value among thinned posterior draws is uniform if draws come from the posterior (Talts et al. 2018,
arXiv:1804.06788); with the joint log density ranked as well, which sees the data (Modrak et al.
2023, doi:10.1214/23-BA1404).

alpha's prior is centred at zero here instead of at the mean of the data, so that it can be drawn
from. The first row is normal, each later one normal below the record before it, drawn by inverting
its distribution function in logs: exactly the model's joint density. A row with bounds reports the
cell that it falls in of a grid fixed beforehand, and the cell's better end as its value: a value
that any record beats, and that is a function of what the likelihood sees.

False-alarm budget: 1e-6 a test, a quarter for each of the four ranked quantities. Seeds are fixed.
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
from effbayes.models.records import Records
from effbayes.replicates.ecdf_band import ecdf_band

Floats = NDArray[np.float64]

DATES = ["2012-06-01", "2014-09-17", "2017-04-17", "2017-07-04", "2018-07-30", "2019-05-28"]
SETS = 200
KEPT = 49
SETTINGS = SamplerSettings(warmup=1000, draws=1000, chains=4)
FALSE_ALARMS = 1e-6
RANKED = ("rate", "alpha", "sigma", "log_joint")
PARAMETERS = RANKED[:3]


@dataclass(frozen=True, eq=False)
class Design:
    """What is known of each row before its value. Dims (row,).

    Attributes
    ----------
    value_sd
        Doublings.
    date_sd
        Years.
    cell
        Width in doublings of the cells that a row's value is reported by; 0 for an exact row.
    direction
        Of the table; everything here is a cost, and a rising table has its inverse.
    """

    value_sd: Floats
    date_sd: Floats
    cell: Floats
    direction: str = "falling"

    @property
    def t(self) -> Floats:
        """Years from the mean date."""
        days = np.array(DATES, dtype="datetime64[D]").astype(float)
        return (days - days.mean()) / 365.25

    @property
    def sign(self) -> float:
        """What turns alpha into the level of costs."""
        return 1.0 if self.direction == "falling" else -1.0

    def sd(self, rate: Floats, sigma: Floats) -> Floats:
        """Standard deviation of each row, dims (..., row)."""
        by_date = rate[..., None] * self.date_sd
        return np.sqrt(sigma[..., None] ** 2 + self.value_sd**2 + by_date**2)


@dataclass(frozen=True, eq=False)
class Truth:
    """One draw of parameters and data.

    Attributes
    ----------
    cost
        log2 of the reported costs, dims (row,): of a row with bounds the better end.
    """

    rate: float
    alpha: float
    sigma: float
    cost: Floats


ZERO = np.zeros(len(DATES))
DESIGNS = {
    "exact": Design(ZERO, ZERO, ZERO),
    "errors-and-bounds": Design(
        value_sd=np.array([0.0, 0.5, 0.0, 0.2, 0.0, 0.0]),
        date_sd=np.array([0.2, 0.0, 0.0, 0.1, 0.0, 0.5]),
        cell=np.array([0.0, 0.0, 0.4, 1.5, 0.0, 0.8]),
        direction="rising",
    ),
}


def draw_truth(design: Design, rng: np.random.Generator) -> Truth:
    """Parameters from their prior, then row after row of data."""
    alpha, sigma = 10.0 * rng.normal(), abs(rng.normal())
    rate = 12.0 / (18.0 * np.exp(1.2 * rng.normal()))
    mean = design.sign * alpha - rate * design.t
    sd = design.sd(np.array(rate), np.array(sigma))
    cost = np.empty(len(DATES))
    record = np.inf
    for i, cell in enumerate(design.cell):
        below = special.log_ndtr((record - mean[i]) / sd[i]) + np.log(rng.uniform())
        cost[i] = mean[i] + sd[i] * special.ndtri_exp(below)
        if cell > 0.0:
            cost[i] = cell * np.floor(cost[i] / cell)
        record = cost[i]
    return Truth(float(rate), alpha, sigma, cost)


def as_series(design: Design, cost: Floats) -> eb.Series:
    """The table that a user would have."""
    better, worse = cost, cost + design.cell
    rising = design.direction == "rising"
    low, high = (-worse, -better) if rising else (better, worse)
    bounded = design.cell > 0.0
    columns = {
        "date": DATES,
        "value": 2.0 ** (design.sign * cost),
        "value_low": np.where(bounded, 2.0**low, np.nan),
        "value_high": np.where(bounded, 2.0**high, np.nan),
        "value_sd": design.value_sd,
        "date_sd_days": 365.25 * design.date_sd,
    }
    return eb.read_series(pd.DataFrame(columns), direction=design.direction)


def log_joint(design: Design, cost: Floats, rate: Floats, alpha: Floats, sigma: Floats) -> Floats:
    """Log prior density of (alpha, 12/r, sigma) and log-likelihood, in NumPy. Dims as rate's."""
    sd = design.sd(rate, sigma)
    mean = design.sign * alpha[..., None] - rate[..., None] * design.t
    record = np.concatenate([[np.inf], cost[:-1]])
    beaten = (record - mean) / sd
    z, upper = (cost - mean) / sd, (np.minimum(cost + design.cell, record) - mean) / sd
    # Mirrored to the lower side, where neither tail is near one.
    flip = z + upper > 0.0
    near, far = np.where(flip, -z, upper), np.where(flip, -upper, z)
    bounded = design.cell > 0.0
    far = np.where(bounded, far, near - 1.0)
    interval = special.log_ndtr(near) + np.log(
        -np.expm1(special.log_ndtr(far) - special.log_ndtr(near))
    )
    exact = -0.5 * z**2 - 0.5 * np.log(2.0 * np.pi) - np.log(sd)
    likelihood = (np.where(bounded, interval, exact) - special.log_ndtr(beaten)).sum(-1)
    prior = stats.norm.logpdf(alpha, 0.0, 10.0) + stats.halfnorm.logpdf(sigma)
    return np.asarray(likelihood + prior + stats.lognorm.logpdf(12.0 / rate, 1.2, scale=18.0))


def conditional_probability(design: Design, truth: Truth, name: str, *, positive: bool) -> float:
    """Probability below the true value of one parameter given the others and the data.

    By summing `log_joint` over a grid (of the logarithm, if the parameter is positive) that is
    zoomed to where the density is within 30 of its greatest logarithm.
    """
    given = {each: np.array(getattr(truth, each)) for each in PARAMETERS}
    true = float(np.log(given[name])) if positive else float(given[name])
    low, high = true - 50.0, true + 50.0
    for _ in range(40):
        grid = np.linspace(low, high, 401)
        values = {each: np.full(grid.shape, value) for each, value in given.items()}
        values[name] = np.exp(grid) if positive else grid
        density = log_joint(design, truth.cost, **values)
        # From 12/r or sigma to its logarithm.
        density += {"rate": -grid, "alpha": 0.0, "sigma": grid}[name]
        density = np.where(np.isfinite(density), density, -np.inf)
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
    truths = [draw_truth(design, rng) for _ in range(800)]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        below = [
            conditional_probability(design, each, parameter, positive=positive) for each in truths
        ]
    ranks = np.minimum(np.array(below) * 50, 49).astype(int)
    assert ecdf_band(len(truths), 50, FALSE_ALARMS).excursions(ranks) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
def test_ranks_of_the_truth_are_uniform(name):
    design = DESIGNS[name]
    rng = np.random.default_rng(20190528)
    ranks: dict[str, list[int]] = {quantity: [] for quantity in RANKED}
    sizes = []
    for k in range(SETS):
        truth = draw_truth(design, rng)
        series = as_series(design, truth.cost)
        with runtime.on_device("cpu") as device:
            data = data_from_series(series)._replace(y_mean=np.float64(0.0))
            root = runtime.key_bits(runtime.stream(k, "0" * 16))
            run = run_nuts(Records(), data, root, SETTINGS, plan=runtime.plan(device))
        sizes.append(min(effective_size(run.values[quantity]) for quantity in PARAMETERS))
        # Dims (draw,), chains end to end, evenly thinned: neighbours are 80 steps apart.
        pick = np.linspace(0, run.values["rate"].size - 1, KEPT).astype(int)
        draws = {each: run.values[each].ravel()[pick] for each in PARAMETERS}
        draws["log_joint"] = log_joint(design, truth.cost, **draws)
        true = {each: np.array(getattr(truth, each)) for each in PARAMETERS}
        true["log_joint"] = log_joint(design, truth.cost, **true)
        for quantity in RANKED:
            ranks[quantity].append(int((draws[quantity] < true[quantity]).sum()))
    # Every data set counts, whatever its verdict: leaving out bad fits would bias the ranks.
    assert np.quantile(sizes, 0.01) > 4 * KEPT, "thinned draws are not near-independent"
    band = ecdf_band(SETS, KEPT + 1, FALSE_ALARMS / len(RANKED))
    excursions = {quantity: band.excursions(ranks[quantity]) for quantity in RANKED}
    assert excursions == {quantity: [] for quantity in RANKED}
