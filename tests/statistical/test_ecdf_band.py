"""The band holds uniform ranks as often as it says, and catches posteriors that are wrong."""

from __future__ import annotations

import itertools
from math import comb

import numpy as np
import pytest
from scipy import stats

from effbayes.replicates.ecdf_band import ecdf_band, escape_probability

FALSE_ALARMS = 1e-6
SETS, VALUES = 400, 100


def posterior_ranks(
    rng: np.random.Generator, *, shift: float = 0.0, narrow: float = 1.0, sets: int = SETS
) -> np.ndarray:
    """Ranks of standard normal truths among draws of a posterior that is shifted or too narrow."""
    truth = rng.normal(size=(sets, 1))
    draws = shift + narrow * rng.normal(size=(sets, VALUES - 1))
    return (draws < truth).sum(1)


def test_escape_probability_matches_enumeration():
    n, values = 5, 4
    lower, upper = np.array([0, 1, 2]), np.array([2, 4, 5])
    outside = 0
    for ranks in itertools.product(range(values), repeat=n):
        counts = np.cumsum(np.bincount(ranks, minlength=values))[:-1]
        outside += bool(np.any((counts < lower) | (counts > upper)))
    assert escape_probability(n, values, lower, upper) == pytest.approx(outside / values**n)


def test_escape_probability_at_one_point_is_binomial():
    # Limits that bind at the first point alone: P(no rank is 0) = (1 - 1/K)**n, far below 1e-6.
    n, values = 400, 20
    lower, upper = np.zeros(values - 1, dtype=int), np.full(values - 1, n)
    lower[0] = 2
    expected = (1 - 1 / values) ** n + comb(n, 1) / values * (1 - 1 / values) ** (n - 1)
    assert expected < 1e-7
    assert escape_probability(n, values, lower, upper) == pytest.approx(expected, rel=1e-9)


def test_band_is_the_closest_that_keeps_the_level():
    band = ecdf_band(SETS, VALUES, 0.05)
    # Counts are integers, so the level is not met exactly; one rank tighter overshoots it.
    assert 0.04 < band.false_alarm <= 0.05
    tighter = escape_probability(SETS, VALUES, band.lower + 1, band.upper - 1)
    assert tighter > 0.05
    strict = ecdf_band(SETS, VALUES, 1e-6)
    assert 8e-7 < strict.false_alarm <= 1e-6
    assert np.all(strict.lower <= band.lower)
    assert np.all(strict.upper >= band.upper)


def test_uniform_ranks_leave_the_band_as_often_as_stated():
    """20,000 simulated sets; the count that leaves is binomial, within limits of budget 1e-6."""
    band = ecdf_band(SETS, VALUES, 0.05)
    rng = np.random.default_rng(1)
    trials = 20_000
    ranks = rng.integers(0, VALUES, (trials, SETS))
    counts = np.stack([(ranks < i).sum(1) for i in range(1, VALUES)], axis=1)
    left = int(((counts < band.lower) | (counts > band.upper)).any(1).sum())
    low, high = stats.binom.interval(1.0 - FALSE_ALARMS, trials, band.false_alarm)
    assert low <= left <= high
    assert bool(band.excursions(ranks[0])) == bool(
        ((counts[0] < band.lower) | (counts[0] > band.upper)).any()
    )


@pytest.mark.parametrize(
    "fault",
    [{"shift": 0.6}, {"shift": -0.6}, {"narrow": 0.6}, {"narrow": 1.7}],
    ids=["high", "low", "too narrow", "too wide"],
)
def test_wrong_posteriors_leave_the_band_that_the_calibration_uses(fault):
    band = ecdf_band(SETS, VALUES, FALSE_ALARMS / 4)
    rng = np.random.default_rng(2)
    caught = [bool(band.excursions(posterior_ranks(rng, **fault))) for _ in range(50)]
    assert sum(caught) >= 45
    right = [bool(band.excursions(posterior_ranks(rng))) for _ in range(50)]
    assert not any(right)


def test_ranks_of_another_shape_are_refused():
    band = ecdf_band(20, 10, 0.05)
    with pytest.raises(ValueError, match="20 ranks from 0 to 9"):
        band.excursions(np.full(20, 10))
