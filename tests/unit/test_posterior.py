"""Quantities from draws, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats

from effbayes import posterior as post
from effbayes.errors import UsageError
from effbayes.posterior import Interval

from .conftest import make_series

N = 400_000
# Quantiles of N independent draws: 5 standard errors of the least dense one used here, about 3e-7
# false alarms a comparison, on a fixed seed.
NORMAL = np.random.default_rng(0).standard_normal((4, N // 4))


def test_equal_tailed_interval_of_a_normal():
    found = post.estimate(3.0 + 2.0 * NORMAL, Interval(0.9))
    expected = stats.norm(3.0, 2.0).ppf([0.5, 0.05, 0.95])
    np.testing.assert_allclose(found[:3], expected, atol=5 * 2 * 0.0034)


def test_highest_density_interval_is_that_of_arviz():
    draws = np.exp(NORMAL)
    found = post.estimate(draws, Interval(0.8, "hdi"))
    theirs = array_stats.hdi(draws.ravel(), prob=0.8, method="nearest")
    np.testing.assert_allclose(found[1:3], theirs, rtol=1e-12)
    assert found.high - found.low < np.subtract(*post.estimate(draws, Interval(0.8))[2:0:-1])


def test_a_highest_density_interval_of_hardly_any_probability_is_the_closest_pair():
    draws = np.array([1.0, 4.0, 4.5, 9.0])
    assert post.estimate(draws, Interval(0.1, "hdi"))[1:3] == (4.0, 4.5)
    assert post.estimate(draws[:1], Interval(0.1, "hdi"))[:3] == (1.0, 1.0, 1.0)


def test_a_highest_density_interval_is_not_among_what_overflowed():
    rate = np.concatenate([np.linspace(1.0, 2.0, 60), np.full(40, 3e3)])
    found = post.trend_factor(rate, 1.0, Interval(0.2, "hdi"))
    assert found.low == pytest.approx(2.0)
    assert found.high == pytest.approx(2.0 ** rate[20])
    most = post.trend_factor(rate, 1.0, Interval(0.8, "hdi"))
    assert (most.low, most.high) == (pytest.approx(2.0), np.inf)


@pytest.mark.parametrize(
    ("origin", "years", "day"),
    [
        ("2016-01-01T18:00:00", 0.0, "2016-01-02"),
        ("2016-01-01T18:00:00", 1 / 365.25, "2016-01-03"),
        ("2016-01-01T06:00:00", 0.0, "2016-01-01"),
        ("2016-01-01T06:00:00", -0.5 / 365.25, "2016-01-01"),
        ("2016-01-01", 4.0, "2020-01-01"),
        ("2016-01-01", 1.4 / 365.25, "2016-01-02"),
    ],
)
def test_a_date_some_years_later_is_the_nearest_day(origin, years, day):
    assert post.date_after(np.datetime64(origin), years) == np.datetime64(day, "D")


def test_doubling_time_turns_the_quantiles_of_the_rate_over():
    rate = np.exp(0.3 * NORMAL)
    time, turned = post.doubling_time(rate, Interval()), post.estimate(rate, Interval())
    assert time[:3] == pytest.approx([12 / turned.median, 12 / turned.high, 12 / turned.low])
    assert time.note is None


def test_doubling_time_without_an_upper_end():
    time = post.doubling_time(1.0 + NORMAL, Interval())
    assert time.high is None
    assert time.median == pytest.approx(12.0, abs=0.1)
    assert time.low == pytest.approx(12.0 / 2.96, abs=0.05)
    assert "no progress" in time.note


def test_no_progress_at_all():
    time = post.doubling_time(-10.0 + NORMAL, Interval())
    assert time == (None, None, None, post.NO_PROGRESS)


def test_highest_density_doubling_time_is_of_the_time_itself():
    rate = np.exp(0.3 * NORMAL)
    assert post.doubling_time(rate, Interval(0.9, "hdi")) == post.estimate(
        12.0 / rate, Interval(0.9, "hdi")
    )
    mixed = post.doubling_time(0.1 + NORMAL, Interval(0.9, "hdi"))
    assert mixed.high is None


def test_factors():
    rate = 0.5 + 0.01 * NORMAL
    trend = post.trend_factor(rate, 4.0, Interval())
    assert trend.median == pytest.approx(4.0, rel=1e-3)
    noise = np.random.default_rng(1).standard_normal((*rate.shape, 2))
    predictive = post.predictive_factor(rate, noise, 4.0, Interval())
    spread = np.hypot(0.04, np.sqrt(2.0))
    np.testing.assert_allclose(
        np.log2(predictive[:3]), stats.norm(2.0, spread).ppf([0.5, 0.025, 0.975]), atol=0.03
    )


def test_observed_factor_of_exact_rows_is_bare():
    series = make_series(["2012-01-01", "2019-01-01"], [44.0, 1.0])
    rng = np.random.default_rng(0)
    found = post.observed_factor(series, 0, 1, Interval(), rng)
    assert found[:3] == pytest.approx([44.0] * 3)
    rising = make_series(["2012-01-01", "2019-01-01"], [1.0, 44.0], direction="rising")
    assert post.observed_factor(rising, 0, 1, Interval(), rng).median == pytest.approx(44.0)


def test_observed_factor_carries_the_errors():
    series = make_series(["2012-01-01", "2019-01-01"], [16.0, 1.0], value_sd=np.array([0.3, 0.4]))
    found = post.observed_factor(series, 0, 1, Interval(), np.random.default_rng(0))
    expected = stats.norm(4.0, 0.5).ppf([0.5, 0.025, 0.975])
    np.testing.assert_allclose(np.log2(found[:3]), expected, atol=0.05)


def test_observed_factor_between_bounds_and_beyond():
    series = make_series(
        ["2012-01-01", "2019-01-01", "2020-01-01"],
        [16.0, 1.0, 1.0],
        value_low=np.array([np.nan, 0.5, 0.5]),
        value_high=np.array([np.nan, 1.0, np.nan]),
    )
    rng = np.random.default_rng(0)
    found = post.observed_factor(series, 0, 1, Interval(), rng)
    assert found.median == pytest.approx(16.0 / 0.75, rel=0.02)
    assert 16.0 <= found.low < found.high <= 32.0
    one_sided = post.observed_factor(series, 0, 2, Interval(), rng)
    assert one_sided.median is None
    assert "one side" in one_sided.note


def test_prob_faster_is_a_tail_probability():
    assert post.prob_faster(NORMAL, 1.0) == pytest.approx(stats.norm.sf(1.0), abs=0.003)


@pytest.mark.parametrize("prob", [0.0, 1.0, -0.5, 95.0, float("nan")])
def test_impossible_probability(prob):
    with pytest.raises(UsageError, match="between 0 and 1"):
        Interval(prob).check()


def test_unknown_kind():
    with pytest.raises(UsageError, match="eti, hdi"):
        Interval(0.9, "median").check()


def test_overflow_is_null_with_a_note():
    shown = post.as_dict(post.trend_factor(np.full((2, 2), 1e6), 1.0, Interval()))
    assert shown["median"] is None
    assert "double precision" in shown["note"]


def test_notes_say_what_the_prior_contributes():
    settings = {
        "model": "loglinear",
        "prior": "default",
        "priors": {"sigma_scale": 1.0, "doubling_time_sdlog": 1.2, "rate_sd": 2.0},
    }
    wide = {"rate": np.exp(1.1 * NORMAL), "sigma": np.abs(NORMAL)}
    sharp = {"rate": np.exp(0.1 * NORMAL), "sigma": np.abs(NORMAL)}
    two = post.prior_notes(2, sharp, settings)
    assert len(two) == 1
    strained = post.prior_notes(2, sharp | {"sigma": 5.0 * np.abs(NORMAL)}, settings)
    assert "agree badly with the priors" in strained[0]
    assert "sigma is known from its prior alone" in two[0]
    assert "prior median 0.67" in two[0]
    assert "84 %" in post.prior_notes(5, wide, settings)[0]
    assert post.prior_notes(5, sharp, settings) == ()
    assert post.prior_notes(5, wide, settings | {"prior": "reference"}) == ()
    assert (
        "variance of the rate"
        in post.prior_notes(
            5, {"rate": 1.5 * NORMAL, "sigma": np.abs(NORMAL)}, settings | {"prior": "signed"}
        )[0]
    )
