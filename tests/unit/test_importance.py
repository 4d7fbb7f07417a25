"""Weighted draws of known targets, and what is certified of targets that they cannot serve.

Each target is drawn from by `REPLICAS` independent keys at once. What a replica says of a mean or
of a distribution function is compared with the exact value, and so is their average, with the
spread among replicas as its standard error: Student's t, free of what the weights say of
themselves. Seeds are fixed; the false-alarm budget is 1e-6 a test, shared by its comparisons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logsumexp
from scipy import stats

from effbayes import runtime
from effbayes.errors import UsageError
from effbayes.inference.importance import (
    ESS_LIMIT,
    K_LIMIT,
    ImportanceSettings,
    importance,
)
from effbayes.inference.lanes import quantiles
from effbayes.replicates.posteriors import HARDER

FALSE_ALARMS = 1e-6
REPLICAS = 64
PROBS = np.array([0.025, 0.25, 0.5, 0.75, 0.975])
PLAIN, MORE = ImportanceSettings(), ImportanceSettings(rounds=8)


@dataclass(frozen=True, eq=False)
class Target:
    """A density, with the exact mean and quantiles (at `PROBS`) of every coordinate."""

    log_density: Callable
    mean: np.ndarray
    quantile: np.ndarray
    settings: ImportanceSettings = PLAIN
    certified: float = 1.0
    """Share of replicas that are certified, at least."""


def normal(dim):
    """Scales from a hundredth to three, correlated, and not around zero."""
    rng = np.random.default_rng(dim)
    scale = np.diag(rng.permutation([3.0, 0.01, 1.0, 0.3, 2.0][:dim]))
    covariance = scale @ np.corrcoef(rng.normal(size=(dim, dim + 2))) @ scale
    mean = 3.0 * rng.normal(size=dim)
    inverse = np.linalg.inv(np.linalg.cholesky(covariance))

    def log_density(x):
        return -0.5 * jnp.sum((jnp.asarray(inverse) @ (x - jnp.asarray(mean))) ** 2)

    sd = np.sqrt(np.diag(covariance))
    return Target(log_density, mean, mean[:, None] + sd[:, None] * stats.norm.ppf(PROBS))


def log_gamma(dim, shape, certified=1.0):
    """Logarithms of gamma variates: a tail of exponential length on the left."""
    law = stats.loggamma(shape)
    return Target(
        lambda x: jnp.sum(shape * x - jnp.exp(x)),
        np.full(dim, law.mean()),
        np.tile(law.ppf(PROBS), (dim, 1)),
        certified=certified,
    )


BEND, THICK = 0.5, 0.5


def banana():
    """The second coordinate is normal around a parabola in the first, which is normal."""

    grid, x = np.linspace(-3.0, 12.0, 3001), np.linspace(-9.0, 9.0, 601)
    density = stats.norm.pdf(x) * (x[1] - x[0])
    below = stats.norm.cdf((grid[:, None] - BEND * x**2) / THICK) @ density
    second = np.interp(PROBS, below, grid)
    return Target(
        lambda x: -0.5 * x[0] ** 2 - 0.5 * ((x[1] - BEND * x[0] ** 2) / THICK) ** 2,
        np.array([0.0, BEND]),
        np.stack([stats.norm.ppf(PROBS), second]),
        MORE,
        certified=0.5,
    )


def two_modes():
    """Two normals, apart by four and a half of the wider's standard deviations."""
    shares, centres, scales = np.array([0.3, 0.7]), np.array([-1.6, 1.6]), np.array([1.0, 0.5])

    def log_density(x):
        each = [
            jnp.log(share) - 2.0 * jnp.log(scale) - 0.5 * jnp.sum(((x - centre) / scale) ** 2)
            for share, centre, scale in zip(shares, centres, scales, strict=True)
        ]
        return logsumexp(jnp.stack(each))

    grid = np.linspace(-8.0, 8.0, 16001)
    below = shares @ stats.norm.cdf((grid - centres[:, None]) / scales[:, None])
    return Target(
        log_density,
        np.full(2, shares @ centres),
        np.tile(np.interp(PROBS, below, grid), (2, 1)),
        MORE,
        certified=0.5,
    )


TARGETS = {
    "normal in 2 dims": normal(2),
    "normal in 3 dims": normal(3),
    "normal in 5 dims": normal(5),
    "log-gamma in 2 dims": log_gamma(2, 1.5),
    "log-gamma in 5 dims": log_gamma(5, 3.0, certified=0.5),
    "banana": banana(),
    "two modes": two_modes(),
}


def at(centre, scale):
    return lambda x: -0.5 * jnp.sum(((x - centre) / scale) ** 2)


FAR = "mode 50 away"
UNSERVED = {
    "mode 50 away and 1e-4 wide": (3, at(50.0, 1e-4)),
    "mode 50 away and 1e-9 wide": (3, at(50.0, 1e-9)),
    "mode 1000 away and 1e-4 wide": (3, at(1000.0, 1e-4)),
    "Cauchy in 3 dims": (3, lambda x: -2.0 * jnp.log1p(jnp.sum(x**2))),
    "three Cauchys": (3, lambda x: -jnp.sum(jnp.log1p(x**2))),
    "nowhere": (2, lambda x: -jnp.inf * (1.0 + x[0] ** 2)),
    "not a number": (2, lambda x: jnp.nan * x[0]),
    "infinite": (2, lambda x: jnp.inf * (1.0 + x[0] ** 2)),
}
DENSITIES = {
    **{name: ((len(one.mean), one.settings), one.log_density) for name, one in TARGETS.items()},
    **{name: ((dim, PLAIN), density) for name, (dim, density) in UNSERVED.items()},
    FAR: ((3, PLAIN), at(50.0, 1.0)),
}
"""What each program is made for, and what it is given."""


@cache
def program(dim, settings):
    """Every target of so many dims in one program, which takes longer to compile than to run."""
    densities = [density for each, density in DENSITIES.values() if each == (dim, settings)]

    @jax.jit
    def all_of_them(which, keys):
        starts = jnp.stack([jnp.full(dim, 0.4), jnp.full(dim, -0.8)])

        def one(key):
            return importance(lambda x: jax.lax.switch(which, densities, x), starts, settings, key)

        return jax.vmap(one)(keys)

    return all_of_them


@cache
def weighted(name, seed=1):
    """Draws of all replicas, from starts a little off; NumPy arrays with dims (replica, ...)."""
    of = DENSITIES[name][0]
    beside = [each for each, (other, _) in DENSITIES.items() if other == of]
    with runtime.on_device("cpu"):
        keys = jax.random.split(jax.random.key(seed), REPLICAS)
        return jax.tree.map(np.asarray, program(*of)(beside.index(name), keys))


def certified(found):
    return (found.k_hat < K_LIMIT) & (found.ess >= ESS_LIMIT)


@pytest.mark.parametrize("name", TARGETS)
def test_means_and_quantiles_are_the_exact_ones(name):
    """Averages of replicas are t-distributed; one replica is off by what its ESS allows.

    Probabilities below exact quantiles, of the outer two among the averages alone: of one replica
    too few draws lie there for a normal error.
    """
    target = TARGETS[name]
    found = weighted(name)
    below = found.position[..., None] < target.quantile
    share = np.einsum("rn,rndp->rdp", found.weight, below)
    mean = np.einsum("rn,rnd->rd", found.weight, found.position)
    off = np.concatenate([share - PROBS, (mean - target.mean)[..., None]], axis=2)
    t = off.mean(axis=0) / (off.std(axis=0, ddof=1) / np.sqrt(REPLICAS))
    assert np.abs(t).max() < stats.t.isf(0.25 * FALSE_ALARMS / t.size, REPLICAS - 1)

    inner = slice(1, 4)
    p = PROBS[inner]
    z = off[:, :, inner] * np.sqrt(found.ess[:, None, None] / (p * (1.0 - p)))
    assert np.abs(z).max() < stats.norm.isf(0.25 * FALSE_ALARMS / z.size)
    assert certified(found).mean() >= target.certified


@pytest.mark.parametrize("name", ["normal in 3 dims", "log-gamma in 2 dims"])
def test_the_effective_number_is_that_of_independent_draws(name):
    """The spread of the median's probability among replicas is as wide as ESS says, within a half.

    False-alarm budget 1e-6: a chi-squared, of the replicas of one coordinate.
    """
    target = TARGETS[name]
    found = weighted(name, seed=2)
    share = np.einsum("rn,rn->r", found.weight, found.position[..., 0] < target.quantile[0, 2])
    ratio = np.mean((share - 0.5) ** 2 * found.ess / 0.25)
    low, high = stats.chi2.ppf([0.5 * FALSE_ALARMS, 1.0 - 0.5 * FALSE_ALARMS], REPLICAS) / REPLICAS
    assert 0.5 * low < ratio < 1.5 * high
    assert found.ess == pytest.approx(1.0 / np.sum(found.weight**2, axis=1), rel=1e-12)
    assert np.all(found.ess <= found.weight.shape[1])
    assert found.weight.sum(axis=1) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", UNSERVED)
def test_what_cannot_be_served_is_not_certified(name):
    assert not certified(weighted(name)).any()


def test_a_proposal_that_collapsed_certifies_nothing():
    """From far and narrow to hopeless: what is certified has the target's mean and spread.

    A fit to one draw is a point; weights from there are all alike, and once looked excellent.
    False-alarm budget far below 1e-6: with 400 effective draws a spread is 10 standard errors off.
    """

    @jax.jit
    def moments(keys, centre, scale):
        def one(key):
            starts, log_density = jnp.zeros((2, 2)), at(centre, scale)
            found = importance(log_density, starts, ImportanceSettings(), key)
            mean = found.weight @ found.position
            sd = jnp.sqrt(found.weight @ (found.position - centre) ** 2)
            return found.k_hat, found.ess, (mean - centre) / scale, sd / scale

        return jax.vmap(one)(keys)

    trusted = 0
    with runtime.on_device("cpu"):
        keys = jax.random.split(jax.random.key(1), 256)
        for centre in (5.0, 50.0, 1000.0):
            for scale in (1e-1, 1e-2, 1e-3, 1e-4, 1e-6):
                k, ess, mean, sd = jax.tree.map(np.asarray, moments(keys, centre, scale))
                ok = (k < K_LIMIT) & (ess >= ESS_LIMIT)
                trusted += int(ok.sum())
                assert np.all(np.abs(mean[ok]) < 0.5)
                assert np.all(np.abs(sd[ok] - 1.0) < 0.5)
    assert trusted > 1000


def test_a_far_mode_is_found_in_steps():
    """Fifty units from where the search begins, as wide as a posterior should be."""
    found = weighted(FAR)
    mean = np.einsum("rn,rnd->rd", found.weight, found.position)
    assert certified(found).all()
    t = (mean - 50.0).mean(axis=0) / (mean.std(axis=0, ddof=1) / np.sqrt(REPLICAS))
    assert np.abs(t).max() < stats.t.isf(0.5 * FALSE_ALARMS / t.size, REPLICAS - 1)


def test_one_key_gives_the_same_bits():
    first, again, other = (weighted.__wrapped__("log-gamma in 2 dims", seed) for seed in (5, 5, 6))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.any(np.isin(first.position, other.position))
    # Within one key no round repeats another's draws.
    assert len(np.unique(first.position[0])) == first.position[0].size


@pytest.mark.parametrize("wrong", [{"draws": 99}, {"fits": 0}, {"rounds": 0}])
def test_settings_that_fit_nothing_are_refused(wrong):
    with pytest.raises(UsageError, match="at least 100 draws, 1 fit and 1 round"):
        ImportanceSettings(**wrong)


def test_harder_settings_keep_more_draws():
    assert ImportanceSettings().number == 1024
    assert HARDER.number == 8192


def weighted_quantile(values, weight, prob):
    """In plain Python: the weight below the middle of each draw, and a line between neighbours."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    middles, total = [], 0.0
    for i in order:
        middles.append(total + 0.5 * weight[i])
        total += weight[i]
    if prob <= middles[0]:
        return values[order[0]]
    for k in range(1, len(order)):
        if prob <= middles[k]:
            share = (prob - middles[k - 1]) / (middles[k] - middles[k - 1])
            low, high = values[order[k - 1]], values[order[k]]
            return low + share * (high - low)
    return values[order[-1]]


@pytest.mark.parametrize("number", [5, 64, 500])
def test_weighted_quantiles_are_the_plain_ones(number):
    rng = np.random.default_rng(number)
    values, weight = rng.standard_t(2, number), rng.exponential(size=number) ** 2
    weight /= weight.sum()
    probs = np.array([1e-6, 0.025, 0.31, 0.5, 0.975, 1.0 - 1e-6])
    with runtime.on_device("cpu"):
        found = quantiles(jnp.asarray(values), jnp.asarray(weight), jnp.asarray(probs))
    expected = [weighted_quantile(values, weight, prob) for prob in probs]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_quantiles_of_equal_weights_are_hazens():
    values = np.random.default_rng(1).normal(size=101)
    probs = np.array([0.025, 0.5, 0.9])
    with runtime.on_device("cpu"):
        equal = jnp.full(len(values), 1.0 / len(values))
        found = quantiles(jnp.asarray(values), equal, jnp.asarray(probs))
    np.testing.assert_allclose(found, np.quantile(values, probs, method="hazen"), rtol=1e-12)
