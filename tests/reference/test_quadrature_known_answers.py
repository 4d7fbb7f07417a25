"""The quadrature against closed forms, limits, and the project's planned answers.

A planned answer is printed with few digits: agreement "to the printed digit" is
``abs(found - printed) <= half a unit of its last digit``, plus the quadrature's own error.

The planned interval of all 16 models, 10.2 to 24.4, came from a NUTS run. The integral is 10.3 to
25.0: the upper end's rate is 0.07 posterior sd from the planned one, about one Monte Carlo standard
error of 1,400 independent draws. `test_all_models_match_importance_sampling` settles it by a third
way, and the integral's digits are the ones that stand here. Nor can the planned upper end of the
efficiency factor, 85, go with a shortest doubling time of 13.2 months, which is a factor of 80 to
83 over 6.99 years: it is 81.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from quadrature import (
    ALPHA_SD,
    DOUBLING_TIME_MEDIAN,
    DOUBLING_TIME_SDLOG,
    Posterior,
    Prior,
    Table,
    closed_form_rate,
    log_interval,
    posterior,
)
from scipy import integrate, special, stats

TRAINING = Path(__file__).parents[2] / "data" / "imagenet--alexnet-training.csv"
PROBS = (0.025, 0.5, 0.975)
YEARS = 6.99
SPREAD = 1e-4
"""Quadrature errors allowed, as a share of the posterior sd: 1/100 of a long run's MCSE."""


@cache
def of_alexnet(rows: str, prior: Prior) -> Posterior:
    return posterior(Table.from_csv(TRAINING, rows=rows), prior)


def assert_printed(found: float, printed: str, error: float) -> None:
    """`found` rounds to `printed`, or misses by no more than its own error."""
    decimals = len(printed.partition(".")[2])
    half_unit = 0.5 * 10.0**-decimals
    assert abs(found - float(printed)) <= half_unit + error, f"{found} is not {printed}"


@pytest.mark.parametrize(
    ("rows", "prior", "low", "median", "high"),
    [
        ("frontier", "default", "13.2", "16.0", "21.2"),
        ("frontier", "reference", "13.3", "15.9", "19.7"),
        ("all", "default", "10.3", "14.4", "25.0"),
    ],
)
def test_doubling_times_are_the_known_ones(rows, prior, low, median, high):
    known = of_alexnet(rows, prior)
    for prob, printed in zip(PROBS, (low, median, high), strict=True):
        found = known.quantile("doubling_time", prob)
        assert found.error < 1e-2
        assert_printed(found.value, printed, found.error)


def test_efficiency_factor_is_the_known_one():
    known = of_alexnet("frontier", "default")
    for prob, printed in zip(PROBS, ("15", "38", "81"), strict=True):
        rate = known.quantile("rate", prob)
        found = 2.0 ** (rate.value * YEARS)
        assert_printed(found, printed, found * math.log(2.0) * YEARS * rate.error)


@pytest.mark.parametrize("rows", ["frontier", "all"])
def test_reference_prior_matches_the_closed_form(rows):
    table = Table.from_csv(TRAINING, rows=rows)
    exact, known = closed_form_rate(table), of_alexnet(rows, "reference")
    for prob in (1e-3, *PROBS, 0.999):
        difference = abs(known.quantile("rate", prob).value - float(exact.quantile(prob)))
        assert difference < SPREAD * exact.scale


def test_reference_prior_of_sigma_is_a_scaled_inverse_chi():
    # (n - 2) s**2 / sigma**2 ~ chi-squared with n - 2 degrees of freedom.
    table = Table.from_csv(TRAINING, rows="frontier")
    exact, known = closed_form_rate(table), of_alexnet("frontier", "reference")
    residual_sd = exact.scale * math.sqrt(float(table.t @ table.t))
    for prob in PROBS:
        expected = residual_sd * math.sqrt(exact.df / stats.chi2.ppf(1.0 - prob, exact.df))
        assert known.quantile("sigma", prob).value == pytest.approx(expected, rel=1e-5)


def test_errors_are_far_below_the_posterior_sd():
    for rows, prior in (("frontier", "default"), ("frontier", "signed"), ("all", "default")):
        known = of_alexnet(rows, prior)
        for name in ("rate", "alpha", "sigma"):
            sd = known.sd(name).value
            assert all(known.quantile(name, prob).error < 1e-3 * sd for prob in PROBS)
            assert known.mean(name).error < SPREAD * sd
            assert known.sd(name).error < SPREAD * sd


def test_doubling_the_nodes_changes_nothing():
    table = Table.from_csv(TRAINING, rows="frontier")
    fine = posterior(table, n_sigma=321, n_inner=321)
    known = of_alexnet("frontier", "default")
    for name in ("rate", "alpha", "sigma"):
        for prob in PROBS:
            difference = abs(known.quantile(name, prob).value - fine.quantile(name, prob).value)
            assert difference < SPREAD * fine.sd(name).value
    assert known.log_evidence.value == pytest.approx(fine.log_evidence.value, abs=1e-9)


def test_all_models_match_importance_sampling():
    """Random, with a fixed seed: false-alarm budget 1e-6 over three comparisons.

    Draws of (rate, sigma) from a wide proposal, weighted by the density of y with alpha integrated
    out as a normal of covariance ``sigma**2 I + 100 J``. The standard error of the weighted
    distribution function at a point is the delta method's, ``sqrt(sum w**2 (1 - p)**2)``.
    """
    table = Table.from_csv(TRAINING, rows="all")
    exact, known = closed_form_rate(table), of_alexnet("all", "default")
    rng = np.random.default_rng(20190528)
    proposal = stats.t(5, exact.loc, 1.5 * exact.scale)
    rate = proposal.rvs(400_000, random_state=rng)
    rate = rate[rate > 0.0]
    log_sigma = rng.normal(0.1, 0.4, rate.size)
    variance = np.exp(2.0 * log_sigma)
    residual = table.y - table.y.mean() + rate[:, None] * table.t
    n = table.n
    # Determinant and inverse of sigma**2 I + 100 J, with residuals that sum to zero.
    log_weight = -0.5 * ((n - 1) * np.log(variance) + np.log(variance + n * ALPHA_SD**2))
    log_weight -= 0.5 * (residual**2).sum(1) / variance
    log_weight += stats.norm.logpdf(
        np.log(12.0 / rate), math.log(DOUBLING_TIME_MEDIAN), DOUBLING_TIME_SDLOG
    ) - np.log(rate)
    log_weight += log_sigma - 0.5 * variance
    log_weight -= proposal.logpdf(rate) + stats.norm.logpdf(log_sigma, 0.1, 0.4)
    weight = np.exp(log_weight - special.logsumexp(log_weight))
    assert 1.0 / (weight**2).sum() > 50_000, "too few effective draws to judge by"
    z = stats.norm.isf(1e-6 / len(PROBS) / 2.0)
    for prob in PROBS:
        below = rate < known.quantile("rate", prob).value
        error = math.sqrt(float((weight**2) @ (below - prob) ** 2))
        assert abs(float(weight @ below) - prob) < z * error


def test_integrating_alpha_numerically_gives_the_same():
    table = Table.from_csv(TRAINING, rows="frontier")
    on_grid = posterior(table, alpha_on_grid=True)
    known = of_alexnet("frontier", "default")
    for name in ("rate", "alpha", "sigma"):
        for prob in PROBS:
            difference = abs(known.quantile(name, prob).value - on_grid.quantile(name, prob).value)
            assert difference < SPREAD * known.sd(name).value
    assert on_grid.log_evidence.value == pytest.approx(known.log_evidence.value, abs=1e-10)


def test_narrow_bounds_are_exact_values():
    # An interval of relative half-width h moves the density by h**2 / 6 of its curvature.
    table = Table.from_csv(TRAINING, rows="frontier")
    value = 2.0**table.y
    half = 1e-5
    bounded = replace(
        table,
        low=np.log2(value * (1 - half)),
        high=np.log2(value * (1 + half)),
        censored=np.ones(table.n, dtype=bool),
    )
    near, known = posterior(bounded), of_alexnet("frontier", "default")
    for name in ("rate", "alpha", "sigma"):
        for prob in PROBS:
            difference = abs(known.quantile(name, prob).value - near.quantile(name, prob).value)
            assert difference < SPREAD * known.sd(name).value
    width = math.log2((1 + half) / (1 - half))
    expected = known.log_evidence.value + table.n * math.log(width)
    assert near.log_evidence.value == pytest.approx(expected, abs=1e-6)


def test_bounds_that_say_nothing_leave_the_prior():
    table = Table.from_columns(
        ["2012-06-01", "2016-06-01"], [1.0, 4.0], value_low=[1e-300] * 2, value_high=[1e300] * 2
    )
    known = posterior(table)
    # But for doubling times under 0.024 months, which would leave even these: 2e-8 of the prior.
    assert known.log_evidence.value == pytest.approx(0.0, abs=1e-7)
    for prob in PROBS:
        normal = float(special.ndtri(prob))
        expected = {
            "alpha": 1.0 + ALPHA_SD * normal,
            "doubling_time": DOUBLING_TIME_MEDIAN * math.exp(DOUBLING_TIME_SDLOG * normal),
            "sigma": float(stats.halfnorm.ppf(prob)),
        }
        for name, value in expected.items():
            assert known.quantile(name, prob).value == pytest.approx(value, rel=1e-5, abs=1e-5)


def test_one_sided_bounds_cut_the_prior():
    # One row at t = 0, known to lie above a bound b: P(y > b) of the prior predictive, that is
    # Phi((centre - b) / sqrt(100 + sigma**2)) averaged over sigma.
    bound = 3.0
    table = Table.from_columns(["2012-06-01"], [1.0], value_low=[2.0**bound])
    expected, _ = integrate.quad(
        lambda s: 2.0 * stats.norm.pdf(s) * stats.norm.cdf(-bound / math.hypot(ALPHA_SD, s)), 0, 12
    )
    # At small sigma the likelihood of alpha is a step, the trapezoidal rule's worst case.
    assert posterior(table).log_evidence.value == pytest.approx(math.log(expected), abs=1e-4)


def test_robust_evidence_of_one_row_matches_nested_integration():
    """One exact row at t = 0: alpha, sigma and nu are left to integrate, here by QUADPACK."""

    def given_sigma_and_nu(sigma: float, nu: float) -> float:
        constant = math.exp(special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2))
        constant /= math.sqrt(nu * math.pi) * sigma * ALPHA_SD * math.sqrt(2.0 * math.pi)

        def integrand(u: float) -> float:  # alpha = sinh(u), where the peak is as wide as the tail
            alpha = math.sinh(u)
            tail = (1.0 + (alpha / sigma) ** 2 / nu) ** (-0.5 * (nu + 1.0))
            return math.cosh(u) * tail * math.exp(-0.5 * (alpha / ALPHA_SD) ** 2)

        return 2.0 * constant * integrate.quad(integrand, 0.0, 5.2, epsrel=1e-9)[0]

    def given_nu(nu: float) -> float:
        def integrand(sigma: float) -> float:
            return 2.0 * math.exp(-0.5 * sigma**2) * given_sigma_and_nu(sigma, nu)

        return integrate.quad(integrand, 0.0, 9.0, epsrel=1e-8)[0] / math.sqrt(2.0 * math.pi)

    expected, _ = integrate.quad(
        lambda nu: 0.01 * nu * math.exp(-0.1 * nu) * given_nu(nu), 0.0, 250.0, epsrel=1e-6
    )
    found = posterior(Table.from_columns(["2012-06-01"], [1.0]), robust=True, n_inner=81)
    assert found.log_evidence.value == pytest.approx(math.log(expected), abs=1e-5)


@pytest.mark.parametrize("nu", [None, np.float64(3.0)])
def test_log_interval_is_the_difference_of_distribution_functions(nu):
    law = stats.norm if nu is None else stats.t(nu)
    low = np.array([-np.inf, -2.0, -1.0, 0.3, 1.0, -np.inf, 8.0, -9.0])
    high = np.array([0.4, -1.0, 2.0, 0.9, np.inf, np.inf, 9.0, -8.0])
    # Survival functions where those are the small ones: the naive difference would cancel.
    expected = np.where(low > 0.0, law.sf(low) - law.sf(high), law.cdf(high) - law.cdf(low))
    np.testing.assert_allclose(np.exp(log_interval(low, high, nu)), expected, rtol=1e-12)


def test_reference_prior_is_refused_where_it_is_improper():
    with pytest.raises(ValueError, match="exact rows"):
        posterior(Table.from_csv(TRAINING, rows="frontier", bounds=True), "reference")
