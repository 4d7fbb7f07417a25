"""Data sets drawn from a model: what a table would report, against NumPy and SciPy.

Random tests state their false-alarm budget, 1e-6 a test; seeds are fixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from effbayes import runtime
from effbayes.models.contract import Data, data_from_series
from effbayes.models.loglinear import LogLinear
from effbayes.models.records import Records
from effbayes.models.records_program import record_beaten
from effbayes.models.simulation import Reported, reported, with_values

from .conftest import make_series

FALSE_ALARMS = 1e-6
SETS = 4000
DATES = ["2012-06-01", "2014-09-17", "2017-04-17", "2017-07-04", "2018-07-30", "2019-05-28"]
N = len(DATES)
NONE = np.full(N, np.nan)


def report(value, low, high):
    """`reported` of NumPy arrays."""
    with runtime.on_device("cpu"):
        return Reported(*map(np.asarray, reported(*map(jnp.asarray, (value, low, high)))))


# What a table says of a value ---------------------------------------------------------------------


def test_a_row_between_bounds_is_reported_as_a_cell_of_their_grid():
    rng = np.random.default_rng(1)
    low = rng.normal(0.0, 5.0, 500)
    width = rng.lognormal(0.0, 1.0, 500)
    value = low + width * rng.normal(0.0, 10.0, 500)
    found = report(value, low, low + width)
    np.testing.assert_allclose(found.high - found.low, width, rtol=1e-9)
    np.testing.assert_allclose(found.y, 0.5 * (found.low + found.high), rtol=1e-9, atol=1e-12)
    assert np.all((found.low <= value) & (value < found.high))
    cells = (found.low - low) / width
    np.testing.assert_allclose(cells, np.round(cells), atol=1e-9)
    np.testing.assert_allclose(np.round(cells), np.floor((value - low) / width))


def test_the_template_itself_is_a_cell():
    low, high = np.array([-3.0, 0.25]), np.array([-1.0, 0.75])
    inside = report(np.array([-1.5, 0.3]), low, high)
    np.testing.assert_array_equal(inside.low, low)
    np.testing.assert_array_equal(inside.high, high)


@pytest.mark.parametrize("side", ["low", "high"])
def test_a_row_with_one_bound_is_hidden_beyond_it_and_exact_on_this_side(side):
    value, bound = np.array([-2.0, 0.5, 0.99, 1.01, 7.0]), np.ones(5)
    none = np.full(5, -np.inf if side == "high" else np.inf)
    low, high = (bound, none) if side == "low" else (none, bound)
    found = report(value, low, high)
    hidden = value > 1.0 if side == "low" else value < 1.0
    np.testing.assert_array_equal(found.y, np.where(hidden, 1.0, value))
    known = found.low if side == "low" else found.high
    other = found.high if side == "low" else found.low
    np.testing.assert_array_equal(known, np.where(hidden, 1.0, -none))
    np.testing.assert_array_equal(other, none)
    np.testing.assert_array_equal(np.isfinite(found.low) | np.isfinite(found.high), hidden)


def test_an_exact_row_stays_exact():
    value = np.array([-2.0, 3.5])
    found = report(value, np.full(2, -np.inf), np.full(2, np.inf))
    np.testing.assert_array_equal(found.y, value)
    assert np.all(np.isneginf(found.low) & np.isposinf(found.high))


# Data sets ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["falling", "rising"])
def template(request):
    """Six rows, unsorted, in a bucket of eight; errors, a cell, and both kinds of threshold."""
    order = [3, 0, 5, 1, 2, 4]
    low, high = NONE.copy(), NONE.copy()
    low[1], high[1] = 8.0, 16.0
    low[2], high[4] = 3.0, 1.5
    return make_series(
        [DATES[i] for i in order],
        np.array([8.0, 11.0, 4.0, 6.0, 9.0, 1.0]),
        direction=request.param,
        value_low=low,
        value_high=high,
        value_sd=np.array([0.0, 0.0, 0.3, 0.0, 0.1, 0.0]),
        date_sd_days=np.array([40.0, 0.0, 0.0, 0.0, 10.0, 0.0]),
    )


def arrays(series):
    return jax.tree.map(jnp.asarray, data_from_series(series))


def test_guesses_are_polyfits(template):
    """Of new values, as of a table with them; the priors' centre stays the template's."""
    rng = np.random.default_rng(2)
    y = rng.normal(0.0, 3.0, (20, N))
    y[0] = 7.0 - 2.0 * np.arange(N)
    with runtime.on_device("cpu"):
        data = arrays(template)
        size = data.y.shape[0]
        for values in y:
            padded = np.r_[values, rng.normal(0.0, 100.0, size - N)]
            low = np.r_[values - 1.0, np.full(size - N, 3.0)]
            new = with_values(data, Reported(*map(jnp.asarray, (padded, low, low + 2.0))))
            t = np.asarray(data.t)[:N]
            slope, level = np.polyfit(t, values, 1)
            spread = np.sum((values - level - slope * t) ** 2) / (N - 2)
            sign = -1.0 if template.direction == "falling" else 1.0
            assert new.rate_guess == pytest.approx(sign * slope, rel=1e-9, abs=1e-9)
            assert new.sigma_guess == pytest.approx(np.sqrt(spread + 0.05**2), rel=1e-9)
            assert new.sigma_far == pytest.approx(np.sqrt(np.var(values) + 0.05**2), rel=1e-9)
            np.testing.assert_array_equal(new.y[:N], values)
            np.testing.assert_array_equal(new.low[:N], low[:N])
            # Padding is not touched, nor what else the template has.
            for name in ("y", "low", "high"):
                np.testing.assert_array_equal(getattr(new, name)[N:], getattr(data, name)[N:])
            kept = set(Data._fields) - {"y", "low", "high", *GUESSES}
            for name in kept:
                np.testing.assert_array_equal(getattr(new, name), getattr(data, name))


GUESSES = ("rate_guess", "sigma_guess", "sigma_far")


def test_guesses_of_the_template_are_its_own(template):
    with runtime.on_device("cpu"):
        data = arrays(template)
        again = with_values(data, Reported(data.y, data.low, data.high))
    for name, new, old in zip(Data._fields, again, data, strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-9, atol=1e-12, err_msg=name)


def simulated(model, series, sets, truth, seed=1):
    """Data sets of one truth, as NumPy arrays with dims (set, ...)."""
    with runtime.on_device("cpu"):
        data = arrays(series)
        values = {name: jnp.asarray(value) for name, value in truth.items()}
        keys = jax.random.split(jax.random.key(seed), sets)
        new = jax.jit(jax.vmap(lambda key: model.simulate(key, values, data)))(keys)
        return jax.tree.map(np.asarray, new)


TRUTH = {"alpha": 2.5, "rate": 0.7, "sigma": 0.8}


def moments(series):
    """Mean and standard deviation of the trend at each row at `TRUTH`."""
    days = series.date.astype("datetime64[D]").astype(float)
    t = (days - days.mean()) / 365.25
    sign = -1.0 if series.direction == "falling" else 1.0
    mean = TRUTH["alpha"] + sign * TRUTH["rate"] * t
    by_date = TRUTH["rate"] * series.date_sd_days / 365.25
    return mean, np.sqrt(TRUTH["sigma"] ** 2 + series.value_sd**2 + by_date**2)


def test_loglinear_data_have_the_conditional_distribution(template):
    """Probability integral transform of every row, and the share of every cell and threshold.

    A censored row is filled up to a uniform within what is known of it. False-alarm budget 1e-6:
    Kolmogorov-Smirnov for six rows and for the whole, and independence of neighbours.
    """
    found = simulated(LogLinear(), template, SETS, TRUTH)
    mean, sd = moments(template)
    rng = np.random.default_rng(3)
    y, low, high = (x[:, :N] for x in (found.y, found.low, found.high))
    inside = np.isfinite(low) | np.isfinite(high)
    below, above = (stats.norm.cdf((x - mean) / sd) for x in (low, high))
    filled = below + (above - below) * rng.uniform(size=y.shape)
    pit = np.where(inside, filled, stats.norm.cdf((y - mean) / sd))
    # Rows with one bound are sometimes hidden, the one with two always, the others never.
    bounded = np.isfinite(template.value_low) | np.isfinite(template.value_high)
    assert np.all(inside[:, 1])
    assert np.all(inside[:, bounded].any(axis=0) & (inside[:, [2, 4]].mean(axis=0) < 1.0).all())
    assert not np.any(inside[:, ~bounded])
    tests = [stats.kstest(row, "uniform").pvalue for row in [*pit.T, pit.ravel()]]
    score = stats.norm.ppf(pit)
    tests += [
        stats.pearsonr(score[:, i], score[:, j]).pvalue for i in range(N) for j in range(i + 1, N)
    ]
    assert min(tests) > FALSE_ALARMS / len(tests)


# Records ------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Design:
    """Rows of costs in the order of their dates; NaN where a row has no such bound."""

    value_sd: np.ndarray
    date_sd: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def series(self, direction):
        """The template, its costs turned into scores where it rises."""
        value = 2.0 ** -np.arange(1.0, N + 1.0)
        low, high = 2.0**self.low, 2.0**self.high
        if direction == "rising":
            value, low, high = 1.0 / value, 1.0 / high, 1.0 / low
        # Not in the order of dates: the scan must sort, and give each row back to its place.
        order = np.array([3, 0, 5, 1, 2, 4])
        return make_series(
            np.array(DATES)[order],
            value[order],
            direction=direction,
            value_low=low[order],
            value_high=high[order],
            value_sd=self.value_sd[order],
            date_sd_days=365.25 * self.date_sd[order],
        )

    def draw(self, rng, sign):
        """Costs as reported, row after row, by inverting the distribution function in logs."""
        days = np.array(DATES, dtype="datetime64[D]").astype(float)
        mean = sign * TRUTH["alpha"] - TRUTH["rate"] * (days - days.mean()) / 365.25
        by_date = TRUTH["rate"] * self.date_sd
        sd = np.sqrt(TRUTH["sigma"] ** 2 + self.value_sd**2 + by_date**2)
        cost = np.empty((SETS, N))
        record = np.full(SETS, np.inf)
        for i in range(N):
            below = special.log_ndtr((record - mean[i]) / sd[i]) + np.log(rng.uniform(size=SETS))
            value = mean[i] + sd[i] * special.ndtri_exp(below)
            low, high = self.low[i], self.high[i]
            if np.isfinite(low) and np.isfinite(high):
                value = low + (high - low) * np.floor((value - low) / (high - low))
            elif np.isfinite(low):
                value = np.where(value > low, low, value)
            elif np.isfinite(high):
                value = np.where(value < high, high, value)
            cost[:, i] = value
            record = np.minimum(record, value)
        return cost


ZERO = np.zeros(N)
DESIGNS = {
    "exact": Design(ZERO, ZERO, NONE, NONE),
    "errors and cells": Design(
        value_sd=np.array([0.0, 0.5, 0.0, 0.2, 0.0, 0.0]),
        date_sd=np.array([0.2, 0.0, 0.0, 0.1, 0.0, 0.5]),
        low=np.array([np.nan, np.nan, -3.1, -4.5, np.nan, -6.0]),
        high=np.array([np.nan, np.nan, -2.7, -3.0, np.nan, -5.2]),
    ),
    "not better than": Design(
        ZERO, ZERO, np.array([np.nan, 1.0, np.nan, -3.0, np.nan, -6.5]), NONE
    ),
    "better than": Design(ZERO, ZERO, NONE, np.array([2.0, np.nan, 0.5, np.nan, -1.0, np.nan])),
}


@pytest.fixture(scope="module", params=["falling", "rising"])
def direction(request):
    return request.param


@cache
def records(name, direction):
    return simulated(Records(), DESIGNS[name].series(direction), SETS, TRUTH, seed=2)


@pytest.mark.parametrize("name", DESIGNS)
def test_records_are_those_of_an_independent_simulator(name, direction):
    """Each row, and how far it is below the one before: Kolmogorov-Smirnov on two samples.

    False-alarm budget 1e-6 a test, shared by its comparisons. (Ties, of cells and thresholds, make
    the test conservative.)
    """
    design, sign = DESIGNS[name], 1.0 if direction == "falling" else -1.0
    series = design.series(direction)
    found = records(name, direction)
    by_date = np.argsort(series.date, kind="stable")
    cost = sign * found.y[:, :N][:, by_date]
    low, high = found.low[:, :N][:, by_date], found.high[:, :N][:, by_date]
    expected = design.draw(np.random.default_rng(4), sign)
    # Ends of cells have passed through two logarithms on the one side, and must tie.
    columns = [np.round(np.c_[each, np.diff(each, axis=1)], 9).T for each in (cost, expected)]
    tests = [stats.ks_2samp(ours, theirs).pvalue for ours, theirs in zip(*columns, strict=True)]
    assert min(tests) > FALSE_ALARMS / len(tests)

    # Bounds lie around what is reported: by the better one, wherever there are two.
    better, worse = (low, high) if direction == "falling" else (-high, -low)
    two = np.isfinite(design.low) & np.isfinite(design.high)
    np.testing.assert_array_equal(better[:, two], cost[:, two])
    np.testing.assert_allclose(
        (worse - better)[:, two], np.tile((design.high - design.low)[two], (SETS, 1)), rtol=1e-9
    )
    one = np.isfinite(better) ^ np.isfinite(worse)
    np.testing.assert_array_equal(np.where(np.isfinite(better), better, worse)[one], cost[one])
    assert not np.any(one[:, ~(np.isfinite(design.low) ^ np.isfinite(design.high))])


@pytest.mark.parametrize("name", DESIGNS)
def test_every_record_beats_those_reported_before_it(name, direction):
    """By what the model itself takes for the record; where a row is known to be better than a
    bound that another has beaten before, its bound says nothing and is no record.
    """
    series = DESIGNS[name].series(direction)
    found = records(name, direction)
    sign = 1.0 if direction == "falling" else -1.0
    with runtime.on_device("cpu"):
        beaten = jax.vmap(record_beaten)(jax.tree.map(jnp.asarray, found))
        beaten = np.asarray(beaten)[:, :N]
    worse = (found.high if direction == "falling" else -found.low)[:, :N]
    better = (found.low if direction == "falling" else -found.high)[:, :N]
    better_than = np.isposinf(-better) & np.isfinite(worse)
    cost = sign * found.y[:, :N]
    assert np.all((cost < beaten) | better_than)
    # The lowest reported before it, also where that one was no record itself.
    by_date = np.argsort(series.date, kind="stable")
    lowest = np.minimum.accumulate(cost[:, by_date], axis=1)
    np.testing.assert_array_equal(beaten[:, by_date][:, 1:], lowest[:, :-1])
    assert np.any(better_than) == (name == "better than")
