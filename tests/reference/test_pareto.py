"""Pareto k-hat of importance weights against ArviZ's, weight set by weight set.

Both fit the same distribution to the same tail, so that they agree to rounding; where ArviZ has no
k-hat (it says infinite, NaN, or raises), this one must be a number that certifies nothing.
"""

from __future__ import annotations

import jax
import numpy as np
import pytest
from arviz_stats.base import array_stats

from effbayes import runtime
from effbayes.inference.importance import K_LIMIT
from effbayes.inference.pareto import k_hat, tail_size
from effbayes.replicates.posteriors import certified

SIZES = (100, 200, 225, 226, 256, 500, 1024, 2048, 8192)
SETS = 12

LOG_WEIGHTS = {
    "bounded": lambda rng, n: np.log(rng.uniform(size=n)),
    "nearly equal": lambda rng, n: 1e-3 * rng.normal(size=n),
    "light": lambda rng, n: 0.5 * rng.normal(size=n),
    "log-normal": lambda rng, n: 3.0 * rng.normal(size=n),
    "finite variance": lambda rng, n: 0.3 * rng.exponential(size=n),
    "finite mean": lambda rng, n: 0.7 * rng.exponential(size=n),
    "no mean": lambda rng, n: 1.5 * rng.exponential(size=n),
    "far from a mean": lambda rng, n: 20.0 * rng.exponential(size=n),
    "Cauchy": lambda rng, n: np.log(np.abs(rng.standard_cauchy(n))),
    "proposal too narrow": lambda rng, n: 0.4 * rng.chisquare(3, n) - 700.0,
    "a third nowhere": lambda rng, n: np.where(
        rng.uniform(size=n) < 0.3, -np.inf, rng.normal(size=n)
    ),
}


def ours(log_weight):
    with runtime.on_device("cpu"):
        return float(_k_hat(jax.numpy.asarray(log_weight)))


_k_hat = jax.jit(k_hat)


def arvizs(log_weight):
    """ArviZ takes log ratios with the other sign, as leave-one-out has them."""
    try:
        return float(array_stats.psislw(-log_weight, r_eff=1.0)[1])
    except ValueError:
        return np.nan


@pytest.mark.parametrize("size", SIZES)
def test_k_hat_is_arvizs(size):
    rng = np.random.default_rng(size)
    sets = {(name, i): draw(rng, size) for name, draw in LOG_WEIGHTS.items() for i in range(SETS)}
    found = {each: ours(log_weight) for each, log_weight in sets.items()}
    expected = {each: arvizs(log_weight) for each, log_weight in sets.items()}
    assert np.isfinite(list(expected.values())).all()
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_sets_lie_on_both_sides_of_the_limit():
    rng = np.random.default_rng(1)
    below = {name: ours(draw(rng, 1024)) < K_LIMIT for name, draw in LOG_WEIGHTS.items()}
    assert below["bounded"]
    assert below["light"]
    assert below["finite variance"]
    assert not below["no mean"]
    assert not below["Cauchy"]


@pytest.mark.parametrize("size", SIZES)
def test_the_tail_is_arvizs(size):
    assert tail_size(size) == array_stats._get_ps_tails(size, 1.0, "right")


def few_finite(n, finite):
    log_weight = np.full(n, -np.inf)
    log_weight[:finite] = np.random.default_rng(2).normal(size=finite)
    return log_weight


def tied(n, share):
    """The least of the tail are equal, as where many draws are one point."""
    rng = np.random.default_rng(3)
    log_weight = np.sort(rng.normal(size=n))
    size = tail_size(n)
    tail = log_weight[n - size :]
    tail[: int(share * size)] = tail[0]
    return log_weight


WITHOUT = {
    "all equal": np.zeros(1024),
    "all equal but one": np.r_[np.zeros(1023), 5.0],
    "nowhere": np.full(1024, -np.inf),
    "one draw": few_finite(1024, 1),
    "a few draws": few_finite(1024, 10),
    "a quarter of the tail tied": tied(1024, 0.3),
    "half of the tail tied": tied(1024, 0.5),
    "one NaN": np.r_[np.nan, np.random.default_rng(4).normal(size=1023)],
    "one infinite": np.r_[np.inf, np.random.default_rng(4).normal(size=1023)],
}


@pytest.mark.parametrize("name", WITHOUT)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # ArviZ's, on its way to NaN
def test_what_has_no_k_hat_in_arviz_is_not_certified(name):
    assert not np.isfinite(arvizs(WITHOUT[name]))
    found = ours(WITHOUT[name])
    assert not found < K_LIMIT
    # However many draws count.
    assert not certified({"k_hat": np.array([found]), "ess": np.array([1e6])})[0]


def test_the_scale_of_weights_does_not_matter():
    log_weight = np.random.default_rng(5).normal(size=1024)
    assert ours(log_weight - 1e4) == pytest.approx(ours(log_weight), rel=1e-6)
    assert ours(np.random.default_rng(6).permutation(log_weight)) == ours(log_weight)
