"""Kernel densities and bands of ranks: held to ArviZ's and SciPy's own."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats

from effbayes.figures import densities, rank_bands

DRAWS = {
    "normal": lambda rng: rng.standard_normal(4000),
    "at a bound": lambda rng: rng.gamma(1.0, 1.0, 4000),
    "long tails": lambda rng: rng.standard_t(2.0, 4000),
    "no bandwidth to be found": lambda rng: rng.standard_cauchy(4000),
    "few": lambda rng: rng.standard_normal(20),
    "two peaks": lambda rng: np.concatenate([rng.normal(0, 1, 2000), rng.normal(9, 0.3, 2000)]),
    "ties": lambda rng: np.round(rng.standard_normal(400)),
    "not all finite": lambda rng: np.append(rng.standard_normal(400), [np.inf, np.nan]),
}


@pytest.mark.parametrize("name", DRAWS)
def test_the_density_is_arvizs(name):
    draws = DRAWS[name](np.random.default_rng(0))
    grid, height, _ = array_stats.kde(draws)
    ours = densities.density(draws)
    np.testing.assert_allclose(ours[0], grid, rtol=1e-12)
    # Theirs stops looking for a bandwidth earlier.
    np.testing.assert_allclose(ours[1], height, atol=1e-4 * height.max())


def test_outside_the_draws_there_is_no_density():
    draws = np.random.default_rng(0).random(100)
    assert np.all(densities.density_at(draws, np.array([-0.1, 1.1])) == 0.0)
    assert np.all(densities.density_at(np.ones(9), np.array([1.0])) == 0.0)


def test_ranks_are_arvizs():
    draws = np.random.default_rng(0).standard_normal((4, 50))
    theirs = array_stats.compute_ranks(draws, axis=(-2, -1), relative=True)
    np.testing.assert_array_equal(rank_bands.relative_ranks(draws), theirs)


@pytest.mark.parametrize(("draws", "chains"), [(200, 4), (20, 2), (30, 1)])
def test_shares_among_the_smallest_are_hypergeometric(draws, chains):
    below = chains * np.arange(1, draws)
    expected = stats.hypergeom.cdf(np.arange(draws + 1), chains * draws, draws, below[:, None])
    ours = rank_bands._hypergeometric(draws, chains, below)
    np.testing.assert_allclose(ours, expected, atol=1e-11)
