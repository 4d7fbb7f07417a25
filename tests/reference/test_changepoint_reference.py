"""The package's posterior of the changepoint model against numerical integration.

The integral knows the model from its definition alone: no MCMC, no JAX, no effbayes. With exact
rows ``y_i = alpha - r1 (t_i - b_i) - r2 b_i + Normal(0, sigma)`` alpha ~ Normal(mean y, 10) is
integrated in closed form; (log r1, log r2, log sigma, c) are summed on a grid, trapezoidal in the
first three, which converges faster than any power of the step, and by middles in c. Boxes hold
everything within `DEPTH` of the greatest marginal log-density. Twice as coarse a grid says how
exact it is.

Quantiles of NUTS draws must lie within 3 Monte Carlo standard errors (MCSE) of the integral's. A
seed is fixed, so a run gives the same verdict every time; but any change to the sampler is a new
seed, and one comparison in 370 misses by chance. What misses is therefore looked at again with
another seed and four times the draws, where it may be `CONFIRMED` MCSE off: both miss by chance
with probability 1e-6 a test, all its comparisons taken together.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from arviz_stats.base import array_stats
from numpy.typing import NDArray
from scipy import optimize, stats
from scipy.interpolate import CubicSpline, PchipInterpolator

import effbayes as eb
from effbayes import runtime
from effbayes.inference.nuts import SamplerSettings, run_nuts
from effbayes.models import contract
from effbayes.models.changepoint import Priors, make_model

Floats = NDArray[np.float64]

DATA = Path(__file__).parents[2] / "data"
CASES = {
    "alexnet": ("imagenet", "alexnet-training"),
    "cifar10": ("cifar10", "a100"),
}
PROBS = (0.025, 0.5, 0.975)
NAMES = ("rate_before", "rate_after", "changepoint")
COMPARISONS = len(PROBS) * len(NAMES) + 1
STANDARD_ERRORS = 3.0
CONFIRMED = float(stats.norm.isf(0.5 * 1e-6 / (COMPARISONS * 2.0 * stats.norm.sf(STANDARD_ERRORS))))
DEPTH = 18.0
"""Slices lighter than exp(-DEPTH), 1.5e-8, of the heaviest are left out of the box."""

INTEGRAL_SHARE = 0.3
DRAWS = 4000


@dataclass(frozen=True, eq=False)
class Grid:
    """Axes of the integral, dims (node,) each."""

    log_before: Floats
    log_after: Floats
    log_sigma: Floats
    c: Floats

    def halved(self) -> Grid:
        """Half the nodes of each axis, over the same box."""
        return make_grid(
            [(axis[0], axis[-1]) for axis in (self.log_before, self.log_after, self.log_sigma)],
            [len(axis) // 2 for axis in (self.log_before, self.log_after, self.log_sigma)],
            self._range(),
            len(self.c) // 2,
        )

    def _range(self) -> tuple[float, float]:
        half = 0.5 * (self.c[1] - self.c[0])
        return self.c[0] - half, self.c[-1] + half


def make_grid(boxes, numbers, change, cells) -> Grid:
    axes = [np.linspace(*box, number) for box, number in zip(boxes, numbers, strict=True)]
    return Grid(*axes, change[0] + (change[1] - change[0]) * (np.arange(cells) + 0.5) / cells)


@dataclass(frozen=True, eq=False)
class Integral:
    """Marginal masses on the nodes of a grid."""

    grid: Grid
    masses: dict[str, Floats]
    prob_faster: float

    def quantile(self, name: str, prob: float) -> float:
        """Of the distribution function: a spline's integral, or exact at the ends of cells."""
        mass = self.masses[name]
        if name == "changepoint":
            half = 0.5 * (self.grid.c[1] - self.grid.c[0])
            ends = np.concatenate([self.grid.c - half, [self.grid.c[-1] + half]])
            below = PchipInterpolator(ends, np.concatenate([[0.0], np.cumsum(mass)]))
        else:
            ends = self.grid.log_before if name == "rate_before" else self.grid.log_after
            below = CubicSpline(ends, mass).antiderivative()
        wanted = prob * float(below(ends[-1]))
        value = float(optimize.brentq(lambda x: below(x) - wanted, ends[0], ends[-1]))
        return value if name == "changepoint" else float(np.exp(value))


def table(domain: str, name: str) -> tuple[Floats, Floats]:
    """Years from the mean date, and log2 of the point values, of every row."""
    with (DATA / f"{domain}--{name}.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    days = np.array([row["date"] for row in rows], dtype="datetime64[D]").astype(float)
    y = np.log2([float(row["value"]) for row in rows])
    return (days - days.mean()) / 365.25, y


def log_density(t: Floats, y: Floats, grid: Grid, c: float) -> Floats:
    """Log of prior and likelihood at one date of change; dims (before, after, sigma).

    Of the logarithms of both rates and of sigma; alpha is integrated out.
    """
    n = len(y)
    b = np.maximum(t - c, 0.0) - max(-c, 0.0)
    before, after = np.exp(grid.log_before)[:, None], np.exp(grid.log_after)[None, :]
    residual = (y - y.mean()) + before[..., None] * (t - b) + after[..., None] * b
    mean = residual.mean(axis=-1)
    squares = np.sum((residual - mean[..., None]) ** 2, axis=-1)
    sigma = np.exp(grid.log_sigma)
    # Normal(0, sigma) around a level that is Normal(0, 10): within and between.
    between = sigma**2 / n + 100.0
    likelihood = (
        -0.5 * squares[..., None] / sigma**2
        - (n - 1) * np.log(sigma)
        - 0.5 * mean[..., None] ** 2 / between
        - 0.5 * np.log(between)
    )
    middle = 0.5 * (grid.log_before[:, None] + grid.log_after[None, :])
    ratio = grid.log_after[None, :] - grid.log_before[:, None]
    prior = stats.norm.logpdf(np.log(12.0) - middle, np.log(18.0), 1.2) + stats.norm.logpdf(ratio)
    return likelihood + prior[..., None] - 0.5 * sigma**2 + grid.log_sigma


def integrate_over(t: Floats, y: Floats, grid: Grid) -> Integral:
    """Sum a grid, one date of change at a time."""
    peak = max(
        float(log_density(t, y, grid, c).max()) for c in grid.c[:: max(len(grid.c) // 16, 1)]
    )
    rates = np.zeros((len(grid.log_before), len(grid.log_after)))
    sigma, change = np.zeros(len(grid.log_sigma)), np.zeros(len(grid.c))
    for k, c in enumerate(grid.c):
        density = np.exp(log_density(t, y, grid, c) - peak)
        by_rates = density.sum(axis=-1)
        rates += by_rates
        sigma += density.sum(axis=(0, 1))
        change[k] = by_rates.sum()
    axes = {"rate_before": rates.sum(axis=1), "rate_after": rates.sum(axis=0)}
    return Integral(grid, axes | {"sigma": sigma, "changepoint": change}, _above(grid, rates))


def _above(grid: Grid, rates: Floats) -> float:
    """Share of the mass where the second rate is the greater, cut along the diagonal."""
    below = CubicSpline(grid.log_after, rates, axis=1).antiderivative()
    ends = grid.log_after[[0, -1]]
    at = np.clip(grid.log_before, *ends)
    low = [below(x)[i] for i, x in enumerate(at)]
    return float(1.0 - np.sum(low) / np.sum(below(ends[1])))


@cache
def reference(case: str) -> tuple[Integral, Integral]:
    """The integral, and that on half the nodes."""
    t, y = table(*CASES[case])
    change = tuple(np.quantile([t.min(), t.max()], [0.1, 0.9]))
    boxes = [(-9.0, 5.0), (-9.0, 5.0), (-7.0, 2.0)]
    for _ in range(3):
        found = integrate_over(t, y, make_grid(boxes, (41, 41, 41), change, 24))
        boxes = [
            _box(axis, found.masses[name])
            for axis, name in (
                (found.grid.log_before, "rate_before"),
                (found.grid.log_after, "rate_after"),
                (found.grid.log_sigma, "sigma"),
            )
        ]
    grid = make_grid(boxes, (101, 101, 41), change, 200)
    return integrate_over(t, y, grid), integrate_over(t, y, grid.halved())


def _box(axis: Floats, mass: Floats) -> tuple[float, float]:
    inside = np.flatnonzero(mass > mass.max() * np.exp(-DEPTH))
    step = axis[1] - axis[0]
    return float(axis[inside[0]] - step), float(axis[inside[-1]] + step)


def sample(case: str, seed: int, draws: int) -> dict[str, Floats]:
    domain, name = CASES[case]
    series = eb.load_domain(domain)[name].where("all").without_bounds()
    model = make_model(series, Priors(), robust=False)
    with runtime.on_device("cpu") as device:
        return run_nuts(
            model,
            contract.data_from_series(series),
            runtime.key_bits(seed),
            SamplerSettings(draws=draws),
            plan=runtime.plan(device),
        ).values


def distances(values: dict[str, Floats], case: str) -> dict[tuple[str, float], float]:
    """How many MCSE each comparison is off."""
    exact, coarse = reference(case)
    off = {}
    for name in NAMES:
        for prob in PROBS:
            error = float(
                array_stats.mcse(
                    values[name], chain_axis=0, draw_axis=1, method="quantile", prob=prob
                )
            )
            expected = exact.quantile(name, prob)
            assert (
                abs(expected - coarse.quantile(name, prob))
                < INTEGRAL_SHARE * error * (DRAWS / values[name].shape[1]) ** -0.5
            ), (name, prob, "the integral is not exact enough")
            off[name, prob] = (np.quantile(values[name], prob) - expected) / error
    faster = (values["rate_after"] > values["rate_before"]).astype(float)
    error = float(array_stats.mcse(faster, chain_axis=0, draw_axis=1, method="mean"))
    off["faster", 0.0] = (faster.mean() - exact.prob_faster) / error
    return off


@pytest.mark.parametrize("case", CASES)
def test_quantiles_are_those_of_the_integral(case, tell):
    first = distances(sample(case, 1, DRAWS), case)
    tell(list(first.values()))
    missed = [each for each, z in first.items() if abs(z) > STANDARD_ERRORS]
    again = distances(sample(case, 2, 4 * DRAWS), case) if missed else {}
    assert {each: again[each] for each in missed if abs(again[each]) > CONFIRMED} == {}


def test_the_integral_without_a_change_is_the_log_linear_one():
    """Equal rates: the density in (log r, sigma) is that of least squares, whatever c."""
    t, y = table(*CASES["alexnet"])
    grid = Grid(np.log([0.4, 0.9]), np.log([0.4, 0.9]), np.log([0.5, 1.1]), np.zeros(1))
    found = [np.diagonal(log_density(t, y, grid, c), axis1=0, axis2=1) for c in (-2.0, 0.4, 2.0)]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-12)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-12)
    for i, rate in enumerate((0.4, 0.9)):
        for j, sigma in enumerate((0.5, 1.1)):
            covariance = sigma**2 * np.eye(len(y)) + 100.0
            likelihood = stats.multivariate_normal(y.mean() - rate * t, covariance).logpdf(y)
            likelihood += 0.5 * len(y) * np.log(2.0 * np.pi)
            # The determinant's part of alpha's prior variance: sigma**(2 n - 2) (sigma**2 + 100 n).
            likelihood += 0.5 * np.log(len(y))
            prior = stats.norm.logpdf(np.log(12.0 / rate), np.log(18.0), 1.2)
            prior += stats.norm.logpdf(0.0) - 0.5 * sigma**2 + np.log(sigma)
            assert found[0][j, i] == pytest.approx(likelihood + prior, rel=1e-9)
