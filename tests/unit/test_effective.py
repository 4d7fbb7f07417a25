"""Rates that add up, against closed forms and quadrature."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

import effbayes as eb
from effbayes.effective import DRAWS, NO_SHARE, effective_compute
from effbayes.posterior import Interval
from effbayes.rates import Posterior, parse

PROBS = (0.5, 0.025, 0.975)
NODES = np.polynomial.legendre.leggauss(300)


def compute(*, interval=None, years=None, seed=0, **texts):
    rates = {name: parse(text) for name, text in texts.items()}
    return effective_compute(rates, years=years, interval=interval, seed=seed)


def standard_error(density, prob):
    """Of a quantile of the draws."""
    return np.sqrt(prob * (1.0 - prob) / DRAWS) / density


def test_exact_rates_add_up():
    found = compute(algorithmic="16mo", hardware="moore", spending="4x/y", years=3.0)
    total = 0.75 + 0.5 + 2.0
    assert found.rate_per_year[:3] == pytest.approx([total] * 3)
    assert found.doubling_time_months[:3] == pytest.approx([12.0 / total] * 3)
    assert found.factor_per_year[:3] == pytest.approx([2.0**total] * 3)
    assert found.factor[:3] == pytest.approx([2.0 ** (3.0 * total)] * 3)
    shares = {name: part.share.median for name, part in found.components.items()}
    assert shares == pytest.approx(
        {"algorithmic": 0.75 / total, "hardware": 0.5 / total, "spending": 2.0 / total}
    )
    assert found.prob_growth == 1.0


def test_one_interval_among_exact_rates_is_shifted():
    # Quantiles of 100,000 draws: 5 standard errors, about 6e-7 false alarms each, fixed seed.
    found = compute(hardware="6mo[3,12]@90", spending="1y")
    rate = stats.lognorm(np.log(2.0) / stats.norm.ppf(0.95), scale=2.0)
    for prob, seen in zip(PROBS, found.rate_per_year[:3], strict=True):
        at = rate.ppf(prob)
        assert abs(seen - 1.0 - at) < 5 * standard_error(rate.pdf(at), prob)
    of_total = found.rate_per_year
    assert found.doubling_time_months[:3] == pytest.approx(
        [12.0 / of_total.median, 12.0 / of_total.high, 12.0 / of_total.low]
    )
    share = found.components["hardware"].share
    for value, rates in zip(share[:3], of_total[:3], strict=True):
        assert value == pytest.approx(1.0 - 1.0 / rates)


def cdf(rate, values):
    """Of one rate, each half by SciPy."""
    spread = np.where(values < rate.median, rate.spread_below, rate.spread_above)
    return stats.lognorm(spread, scale=rate.median).cdf(values)


def cdf_of_sum(one, other, value):
    """P(one + other <= value) by Gauss and Legendre, over the normal that `other` is made of.

    Its halves meet at zero, and the other rate's where it is at its median: a kink that many nodes
    bear.
    """
    nodes, weights = NODES
    found = 0.0
    for half, spread in ((-4.5, other.spread_below), (4.5, other.spread_above)):
        z = half + 4.5 * nodes
        below = cdf(one, value - other.median * np.exp(spread * z))
        found += 4.5 * weights @ (below * stats.norm.pdf(z))
    return found


def test_two_intervals_are_the_convolution_of_both():
    texts = {"algorithmic": "8mo[5,14]", "hardware": "2.07y[1.54,3.13]@90"}
    one, other = map(parse, texts.values())
    # Either may be the one that is integrated over.
    assert cdf_of_sum(one, other, 1.9) == pytest.approx(cdf_of_sum(other, one, 1.9), abs=1e-6)
    found = compute(**texts).rate_per_year
    for prob, seen in zip(PROBS, found[:3], strict=True):
        expected = brentq(lambda x, p=prob: cdf_of_sum(one, other, x) - p, 0.3, 9.0, xtol=1e-9)
        ends = (cdf_of_sum(one, other, expected + step) for step in (1e-2, -1e-2))
        density = np.subtract(*ends) / 2e-2
        assert abs(seen - expected) < 5 * standard_error(density, prob)


def test_a_posterior_counts_as_its_draws():
    rng = np.random.default_rng(5)
    draws = rng.normal(0.75, 0.1, (4, 1000))
    found = effective_compute(
        {"algorithmic": Posterior("run.nc", draws), "hardware": parse("moore")}
    )
    expected = 0.5 + np.quantile(draws, PROBS)
    np.testing.assert_allclose(found.rate_per_year[:3], expected, atol=2e-3)
    part = found.components["algorithmic"]
    np.testing.assert_allclose(part.rate_per_year[:3], np.quantile(draws, PROBS), atol=2e-3)
    assert (part.text, part.kind, found.draws) == ("run.nc", "run", DRAWS)
    many = Posterior("run.nc", rng.normal(0.75, 0.1, (4, 30_000)))
    assert effective_compute({"a": many, "b": many}).draws == 120_000


def test_components_are_independent_of_each_other():
    draws = Posterior("run.nc", np.random.default_rng(5).normal(1.0, 0.3, (4, 1000)))
    found = effective_compute({"algorithmic": draws, "hardware": draws}, interval=Interval(0.6827))
    # The same run twice: two independent draws of it, not one drawn twice.
    width = found.rate_per_year.high - found.rate_per_year.low
    sd = np.std(draws.draws)
    assert width == pytest.approx(2.0 * np.sqrt(2.0) * sd, rel=0.02)


def test_draws_of_a_component_depend_on_seed_and_name_alone():
    two = compute(algorithmic="8mo[5,14]", hardware="2y[1,4]")
    three = compute(hardware="2y[1,4]", spending="4x/y[2,9]", algorithmic="8mo[5,14]")
    for name in ("algorithmic", "hardware"):
        assert two.components[name].rate_per_year == three.components[name].rate_per_year
    assert compute(algorithmic="8mo[5,14]", hardware="2y[1,4]") == two
    other = compute(algorithmic="8mo[5,14]", hardware="2y[1,4]", seed=1)
    assert other.rate_per_year != two.rate_per_year


def test_where_there_may_be_no_growth_there_are_no_shares():
    signed = Posterior("run.nc", np.linspace(-2.0, 2.0, 4000)[None])
    found = effective_compute({"algorithmic": signed, "hardware": parse("moore")})
    assert found.prob_growth == pytest.approx(2.5 / 4.0, abs=1e-3)
    assert found.doubling_time_months.high is None
    assert "no progress" in found.doubling_time_months.note
    assert found.components["hardware"].share == (None, None, None, NO_SHARE)


def test_highest_density_on_request():
    wide, dense = (
        compute(hardware="6mo[2,18]", spending="3.4mo", interval=Interval(0.9, kind))
        for kind in ("eti", "hdi")
    )
    assert np.diff(dense.rate_per_year[1:3]) < np.diff(wide.rate_per_year[1:3])


def test_what_cannot_be_added_up():
    with pytest.raises(eb.UsageError, match="at least two of algorithmic, hardware, spending"):
        compute(algorithmic="8mo")
    for years in (float("nan"), float("inf")):
        with pytest.raises(eb.UsageError, match="finite"):
            compute(algorithmic="8mo", hardware="moore", years=years)
    for seed in (-1, 2**63, 1.5, "1"):
        with pytest.raises(eb.UsageError, match="from 0 to"):
            compute(algorithmic="8mo", hardware="moore", seed=seed)
    with pytest.raises(eb.UsageError, match="between 0 and 1"):
        compute(algorithmic="8mo", hardware="moore", interval=Interval(95))
