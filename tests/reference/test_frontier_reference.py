r"""The package's posterior of the stochastic frontier against numerical integration.

The integral is NumPy's and SciPy's alone: trapezoidal rules over ``log sigma``, ``log eta``, the
logarithm of the doubling time, and alpha. The density in alpha has an edge as sharp as sigma and a
flank as long as ``eta / n``, so alpha moves as ``A + sigma * sinh(v)``, where A is the greatest
level that lies above no row. A coarse pass finds where the mass is, a fine one integrates there;
the error is estimated by leaving out every other node of each of the three outer axes.

The density is Mills' ratio in SciPy's scaled error function, and the probability of an interval a
difference of upper tails: it loses its digits far to the left of the frontier, where the posterior
has no mass.

NUTS quantiles are compared as `test_loglinear_reference` does: within 3 Monte Carlo standard
errors (MCSE), or else within `CONFIRMED` = 4.2 of another run with four times the draws, which both
miss by chance with probability 1e-6 a test, twelve quantiles taken together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from arviz_stats.base import array_stats
from numpy.typing import NDArray
from quadrature import Table, posterior
from scipy import special, stats
from scipy.interpolate import CubicSpline

import effbayes as eb
from effbayes import runtime
from effbayes.diagnostics import diagnose
from effbayes.inference.nuts import Draws, SamplerSettings, run_nuts
from effbayes.models.contract import data_from_series
from effbayes.models.frontier import Frontier, Priors, make_model

Floats = NDArray[np.float64]

TRAINING = Path(__file__).parents[2] / "data" / "imagenet--alexnet-training.csv"
NAMES = ("rate", "alpha", "sigma", "eta")
PROBS = (0.025, 0.5, 0.975)
FALSE_ALARMS = 1e-6
STANDARD_ERRORS = 3.0
CONFIRMED = float(
    stats.norm.isf(
        0.5 * FALSE_ALARMS / (len(NAMES) * len(PROBS) * 2.0 * stats.norm.sf(STANDARD_ERRORS))
    )
)
ENOUGH = 1_000
INTEGRAL_SHARE = 1.0
DRAWS = 4000
NEGLIGIBLE = 1e-7
"""Share of the mass below which a node is left out."""


# The integral ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Grid:
    """Steps of the four axes, and the ranges of the outer three: log sigma, log eta, log months."""

    steps: tuple[float, float, float]
    alpha_step: float
    ranges: tuple[tuple[float, float], ...] = ((-14.0, 2.0), (-14.0, 2.6), (-1.0, 9.0))

    def axes(self) -> list[Floats]:
        """Nodes of the outer axes."""
        return [
            np.arange(low, high + step, step)
            for (low, high), step in zip(self.ranges, self.steps, strict=True)
        ]


COARSE = Grid((0.5, 0.5, 0.12), 0.25)
FINE = (0.12, 0.2, 0.04)


@dataclass(frozen=True, eq=False)
class Integral:
    """Log masses at the nodes of the outer axes, and the distribution of alpha.

    Attributes
    ----------
    axes
        log sigma, log eta, log months.
    log_mass
        Dims (log sigma, log eta, log months): alpha integrated out.
    alpha, alpha_mass
        Centres of bins, and the mass in each.
    """

    axes: list[Floats]
    log_mass: Floats
    alpha: Floats
    alpha_mass: Floats

    def quantile(self, name: str, prob: float, *, thinned: bool = False) -> float:
        """Quantile of a parameter; `thinned` leaves out every other node of each outer axis."""
        if name == "alpha":
            below = np.cumsum(self.alpha_mass) / self.alpha_mass.sum()
            half = 0.5 * (self.alpha[1] - self.alpha[0])
            return float(np.interp(prob, below, self.alpha + half))
        log_mass, axes = self.log_mass, self.axes
        if thinned:
            log_mass, axes = log_mass[::2, ::2, ::2], [axis[::2] for axis in axes]
        place = {"sigma": 0, "eta": 1, "rate": 2}[name]
        mass = np.exp(log_mass - log_mass.max())
        marginal = mass.sum(axis=tuple({0, 1, 2} - {place}))
        nodes = axes[place]
        dense = np.linspace(nodes[0], nodes[-1], 20_001)
        density = np.maximum(CubicSpline(nodes, marginal)(dense), 0.0)
        below = (np.cumsum(density) - 0.5 * density) / density.sum()
        if name == "rate":
            return 12.0 * float(np.exp(-np.interp(1.0 - prob, below, dense)))
        return float(np.exp(np.interp(prob, below, dense)))

    def error(self, name: str, prob: float) -> float:
        """Change of a quantile by thinning; alpha's is judged by those of the others."""
        if name == "alpha":
            return 0.0
        return abs(self.quantile(name, prob) - self.quantile(name, prob, thinned=True))

    def held(self) -> tuple[tuple[float, float], ...]:
        """Ranges of the outer axes outside which there is next to nothing."""
        found = []
        for place, nodes in enumerate(self.axes):
            mass = special.logsumexp(self.log_mass, axis=tuple({0, 1, 2} - {place}))
            near = np.flatnonzero(mass > mass.max() + np.log(NEGLIGIBLE))
            low, high = max(near[0] - 1, 0), min(near[-1] + 1, len(nodes) - 1)
            found.append((float(nodes[low]), float(nodes[high])))
        return tuple(found)

    def months_near(self, log_sigma: float, log_eta: float) -> tuple[float, float]:
        """Range of log months where nodes of this coarse integral near the point have any mass."""
        near = [
            np.abs(axis - at) < 1.01 * (axis[1] - axis[0])
            for axis, at in zip(self.axes, (log_sigma, log_eta), strict=False)
        ]
        mass = self.log_mass[np.ix_(*near)].max(axis=(0, 1))
        some = np.flatnonzero(mass > self.log_mass.max() + np.log(NEGLIGIBLE))
        if not len(some):
            return np.inf, -np.inf
        months = self.axes[2]
        step = months[1] - months[0]
        return float(months[some[0]] - step), float(months[some[-1]] + step)


def log_term(x: Floats, sd: Floats, eta: float) -> Floats:
    """Log of eta times the density."""
    z, k = x / sd, sd / eta
    w = k - z
    right = -0.5 * z**2 + np.log(0.5 * special.erfcx(np.maximum(w, 0.0) / np.sqrt(2.0)))
    left = k * (0.5 * k - z) + special.log_ndtr(-np.minimum(w, 0.0))
    return np.where(w > 0.0, right, left)


def log_likelihood(table: Table, rate: Floats, alpha: Floats, sigma: float, eta: float) -> Floats:
    """Sum over rows; rate has dims (x, 1), alpha (x, v)."""
    total = np.zeros(alpha.shape)
    for i in range(table.n):
        trend = alpha - table.sign * rate * table.t[i]
        sd = np.sqrt(sigma**2 + table.value_sd[i] ** 2 + (rate * table.date_sd[i]) ** 2)
        sd = np.broadcast_to(sd, trend.shape)
        if not table.censored[i]:
            total += log_term(table.sign * (table.y[i] - trend), sd, eta) - np.log(eta)
            continue
        ends = (table.sign * (table.low[i] - trend), table.sign * (table.high[i] - trend))
        beyond = [
            np.exp(np.logaddexp(special.log_ndtr(-x / sd), log_term(x, sd, eta)))
            for x in np.sort(ends, axis=0)
        ]
        total += np.log(np.maximum(beyond[0] - beyond[1], 1e-17))
    return total


def log_prior(
    alpha: Floats, log_months: Floats, sigma: float, eta: float, eta_scale: float
) -> Floats:
    """Log prior density of alpha less its centre, log T, log sigma and log eta; dims (x, v)."""
    of_months = stats.norm.logpdf(log_months, np.log(18.0), 1.2)[:, None]
    of_sigma = stats.halfnorm.logpdf(sigma) + np.log(sigma)
    of_eta = stats.halfnorm.logpdf(eta, scale=eta_scale) + np.log(eta)
    return stats.norm.logpdf(alpha, 0.0, 10.0) + of_months + of_sigma + of_eta


def integrate(
    table: Table, grid: Grid, eta_scale: float = 2.0, scout: Integral | None = None
) -> Integral:
    """The posterior on a grid, but for where a coarser one found nothing."""
    axes = grid.axes()
    worse = np.where(table.sign > 0.0, table.high, table.low)
    edges = table.sign * np.where(table.censored & np.isfinite(worse), worse, table.y)
    centre = float(table.y.mean())
    log_mass = np.full(tuple(len(axis) for axis in axes), -np.inf)
    bins = np.linspace(centre - 20.0, centre + 20.0, 40_001)
    alpha_mass, scale = np.zeros(len(bins) - 1), -np.inf
    for i, j in np.ndindex(*log_mass.shape[:2]):
        low, high = scout.months_near(axes[0][i], axes[1][j]) if scout else (-np.inf, np.inf)
        inside = (axes[2] >= low) & (axes[2] <= high)
        if not inside.any():
            continue
        log_months, sigma, eta = axes[2][inside], np.exp(axes[0][i]), np.exp(axes[1][j])
        rate = 12.0 * np.exp(-log_months)[:, None]
        # The greatest level above no row, dims (x, 1), in doublings less efficient.
        greatest = (edges + rate * table.t).min(axis=1, keepdims=True)
        flank = 40.0 * max(eta / table.n, sigma) + 4.0 * eta
        v = np.arange(-np.arcsinh(flank / sigma), np.arcsinh(10.0) + 0.1, grid.alpha_step)
        alpha = table.sign * (greatest + sigma * np.sinh(v))
        density = log_likelihood(table, rate, alpha, sigma, eta)
        density += np.log(sigma * np.cosh(v) * grid.alpha_step)
        density += log_prior(alpha - centre, log_months, sigma, eta, eta_scale)
        log_mass[i, j, inside] = special.logsumexp(density, axis=1)
        if (peak := log_mass[i, j].max()) > scale:
            alpha_mass *= np.exp(scale - peak)
            scale = peak
        if peak > scale + np.log(NEGLIGIBLE):
            weight = np.exp(density - scale).ravel()
            alpha_mass += np.histogram(alpha.ravel(), bins, weights=weight)[0]
    return Integral(axes, log_mass, 0.5 * (bins[1:] + bins[:-1]), alpha_mass)


def integral_of(table: Table, eta_scale: float = 2.0) -> Integral:
    """A coarse pass, and a fine one where the mass is."""
    scout = integrate(table, COARSE, eta_scale)
    return integrate(table, Grid(FINE, 0.15, scout.held()), eta_scale, scout)


# The comparison ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Case:
    """A table, as the package and as the reference read it; `columns` None is AlexNet level."""

    columns: dict[str, list] | None = None
    bounds: bool = False
    direction: str = "falling"
    settings: dict[str, float] = field(default_factory=dict)

    def series(self) -> eb.Series:
        """The table as the package reads it."""
        if self.columns is not None:
            return eb.read_series(pd.DataFrame(self.columns), direction=self.direction)
        series = eb.load_series("imagenet", "alexnet-training", where="all")
        return series if self.bounds else series.without_bounds()

    def table(self) -> Table:
        """The table as the reference reads it."""
        if self.columns is None:
            return Table.from_csv(TRAINING, bounds=self.bounds)
        columns = dict(self.columns)
        return Table.from_columns(columns.pop("date"), direction=self.direction, **columns)


RISING = {
    "date": ["2012-06-01", "2014-03-10", "2015-07-21", "2017-01-05", "2018-11-30", "2019-05-28"],
    "value": [1.0, 2.2, 2.9, 11.0, 19.0, 60.0],
}
CASES = {
    "alexnet": Case(),
    "alexnet-bounds": Case(bounds=True),
    "rising": Case(RISING, direction="rising"),
}


@cache
def integral(name: str) -> Integral:
    return integral_of(CASES[name].table())


def run(model: Frontier, series: eb.Series, *, seed: int, draws: int) -> Draws:
    """NUTS draws of a model, which must have converged."""
    settings = SamplerSettings(draws=draws)
    with runtime.on_device("cpu") as device:
        root = np.array([7, seed], dtype=np.uint32)
        made = run_nuts(model, data_from_series(series), root, settings, plan=runtime.plan(device))
    names = ("rate", *model.parameters)
    assert str(diagnose({name: made.values[name] for name in names}, made.stats)) == "ok"
    return made


def standard_error(draws: Floats, prob: float) -> float:
    """MCSE of a quantile; draws have dims (chain, draw)."""
    error = array_stats.mcse(draws, chain_axis=0, draw_axis=1, method="quantile", prob=prob)
    size = array_stats.ess(draws, chain_axis=0, draw_axis=1, method="quantile", prob=prob)
    assert size > ENOUGH
    return float(error)


def distances(name: str, *, seed: int, draws: int) -> dict[tuple[str, float], float]:
    """How many MCSE each quantile of a run is off the integral's."""
    series = CASES[name].series()
    model = make_model(series, Priors(), robust=False)
    values = run(model, series, seed=seed, draws=draws).values
    known, found = integral(name), {}
    for each in NAMES:
        for prob in PROBS:
            mcse = standard_error(values[each], prob)
            assert known.error(each, prob) < INTEGRAL_SHARE * mcse * (draws / DRAWS) ** 0.5
            found[each, prob] = (
                float(np.quantile(values[each], prob)) - known.quantile(each, prob)
            ) / mcse
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_nuts_quantiles_match_the_integral(name, tell):
    first = distances(name, seed=2020, draws=DRAWS)
    tell(list(first.values()))
    missed = [each for each, z in first.items() if abs(z) > STANDARD_ERRORS]
    again = distances(name, seed=2021, draws=4 * DRAWS) if missed else {}
    assert {each: again[each] for each in missed if abs(again[each]) > CONFIRMED} == {}


@pytest.mark.slow
def test_known_answer_of_the_sixteen_point_values():
    """15.28 (10.92 to 24.39) months, by importance sampling in NumPy and SciPy.

    Two million draws from two multivariate t distributions fitted to the posterior, an effective
    608,000 of them, of (alpha, log doubling time, log sigma, log eta); seed 0.
    """
    known = integral("alexnet")
    months = [12.0 / known.quantile("rate", prob) for prob in (0.975, 0.5, 0.025)]
    np.testing.assert_allclose(months, [10.920, 15.283, 24.392], rtol=0.001)


def test_without_an_excess_it_is_the_log_linear_posterior():
    """Under eta ~ HalfNormal(1e-6), against the log-linear integral.

    False-alarm budget 1e-6, shared by nine quantiles; eta moves them by far less than an MCSE.
    """
    series, known = CASES["alexnet"].series(), posterior(CASES["alexnet"].table())
    model = Frontier(Priors(eta_scale=1e-6), censored=False)
    values = run(model, series, seed=1, draws=2000).values
    z_most = stats.norm.isf(FALSE_ALARMS / (3 * len(PROBS)) / 2.0)
    for name in ("rate", "alpha", "sigma"):
        for prob in PROBS:
            expected = known.quantile(name, prob).value
            off = float(np.quantile(values[name], prob)) - expected
            assert abs(off) < z_most * standard_error(values[name], prob)
    assert np.max(values["eta"]) < 1e-5


def test_the_integral_without_an_excess_is_the_log_linear_one():
    """The two integrals share nothing but the reading of the table."""
    table = Table.from_columns(RISING["date"], RISING["value"], direction="rising")
    known = posterior(table)
    ranges = ((-4.0, 2.0), (-16.4, -11.2), (0.0, 6.0))
    found = integrate(
        table, replace(COARSE, steps=(0.16, 0.4, 0.04), alpha_step=0.1, ranges=ranges), 1e-6
    )
    for name in ("rate", "sigma"):
        for prob in PROBS:
            expected = known.quantile(name, prob).value
            assert found.quantile(name, prob) == pytest.approx(expected, rel=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize("domain", eb.domain_names())
def test_shipped_series_are_sampled_well(domain):
    """An "ok" at the default settings, and trajectories as short with 88 rows as with two.

    Five seeds each: the first must do, and one of the others may fail in each domain. At six fits
    in 1,040, which is what two-row series had with coordinates that were since improved, that is a
    false alarm in one run of all domains in fifty.
    """
    failed = []
    for series in eb.load_domain(domain).values():
        for seed in range(5):
            fit = eb.sample(series, model="frontier", seed=seed)
            if not fit.verdict.ok:
                failed.append((series.id, seed, str(fit.verdict)))
            assert fit.stats["n_steps"].mean() < 40.0, (series.id, seed)
    assert len(failed) <= 1, failed
    assert all(seed > 0 for _, seed, _ in failed), failed
