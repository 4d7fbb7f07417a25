"""Proposals of weighted draws: their densities and draws beside SciPy's, and what is fitted.

Random tests state their false-alarm budget, 1e-6 a test; seeds are fixed.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from effbayes import runtime
from effbayes.errors import UsageError
from effbayes.inference import proposals
from effbayes.inference.proposals import Mixture, Proposal

FALSE_ALARMS = 1e-6
DIM, COMMON = 5, 2
TOGETHER = Mixture((0.6, 0.1, 0.3), freedoms=6)
APART = Mixture((0.6, 0.1, 0.3), freedoms=4, common=COMMON, freedoms_of_rest=10)
FREEDOMS = [4, 4, 10, 10, 10]


@pytest.fixture(autouse=True)
def on_cpu():
    with runtime.on_device("cpu"):
        yield


def three(rng):
    """Proposals with roots and centres of their own."""
    found = []
    for _ in range(3):
        root = np.linalg.cholesky(np.cov(rng.normal(size=(DIM, 2 * DIM))))
        found.append(Proposal(jnp.asarray(rng.normal(size=DIM)), jnp.asarray(root)))
    return tuple(found)


def log_density(mixture, each, x):
    """Of one proposal, by SciPy."""
    centre, root = map(np.asarray, each)
    if mixture is TOGETHER:
        return stats.multivariate_t(centre, root @ root.T, df=mixture.freedoms).logpdf(x)
    standard = np.linalg.solve(root, (x - centre).T).T
    return stats.t(FREEDOMS).logpdf(standard).sum(axis=1) - np.log(np.diag(root)).sum()


@pytest.mark.parametrize("mixture", [TOGETHER, APART], ids=["together", "apart"])
def test_the_density_is_scipys(mixture):
    rng = np.random.default_rng(1)
    some, x = three(rng), 4.0 * rng.normal(size=(200, DIM))
    found = proposals.log_density(some, mixture, jnp.asarray(x))
    counts = np.array(mixture.counts(200))
    each = np.stack([log_density(mixture, one, x) for one in some])
    expected = special.logsumexp(each, axis=0, b=(counts / 200)[:, None])
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("mixture", [TOGETHER, APART], ids=["together", "apart"])
def test_draws_have_that_density(mixture):
    """Kolmogorov and Smirnov, each coordinate of each part; and of the distance from the centre."""
    some = three(np.random.default_rng(2))
    number = 30_000
    drawn = np.asarray(proposals.draw(some, number, mixture, jax.random.key(3)))
    ends = np.cumsum([0, *mixture.counts(number)])
    for each, low, high in zip(some, ends[:-1], ends[1:], strict=True):
        centre, root = map(np.asarray, each)
        standard = np.linalg.solve(root, (drawn[low:high] - centre).T).T
        laws = [stats.t(nu) for nu in FREEDOMS]
        columns = list(standard.T)
        if mixture is TOGETHER:
            laws = [stats.t(mixture.freedoms)] * DIM + [stats.f(DIM, mixture.freedoms)]
            columns.append((standard**2).sum(axis=1) / DIM)
        least = FALSE_ALARMS / (3 * len(laws))
        for column, law in zip(columns, laws, strict=True):
            assert stats.kstest(column, law.cdf).pvalue > least


def test_coordinates_apart_are_independent():
    """Squares too, which one chi-squared for all would tie together; budget 1e-6."""
    some = (Proposal(jnp.zeros(DIM), jnp.eye(DIM)),) * 3
    drawn = np.asarray(proposals.draw(some, 20_000, APART, jax.random.key(4)))
    pairs = [(i, j) for i in range(DIM) for j in range(i)]
    least = FALSE_ALARMS / (2 * len(pairs))
    for i, j in pairs:
        assert stats.spearmanr(drawn[:, i], drawn[:, j]).pvalue > least
        assert stats.spearmanr(drawn[:, i] ** 2, drawn[:, j] ** 2).pvalue > least


def weighted(rng, number=4000):
    covariance = np.cov(rng.normal(size=(DIM, 2 * DIM)))
    position = rng.multivariate_normal(rng.normal(size=DIM), covariance, number)
    return position, rng.normal(size=number)


def test_what_is_fitted_together_has_the_moments_of_the_draws():
    position, log_weight = weighted(np.random.default_rng(5))
    before = Proposal(jnp.zeros(DIM), jnp.eye(DIM))
    found = proposals.fitted(jnp.asarray(position), jnp.asarray(log_weight), before, TOGETHER)
    weight = special.softmax(log_weight)
    np.testing.assert_allclose(found.centre, weight @ position, rtol=1e-10)
    covariance = np.cov(position.T, aweights=weight, bias=True)
    np.testing.assert_allclose(found.root @ found.root.T, 1.1**2 * covariance, rtol=1e-8)


def test_what_is_fitted_apart_has_them_as_far_as_the_common_coordinates_go():
    """Those of the rest among each other follow from their covariances with the common ones."""
    position, log_weight = weighted(np.random.default_rng(6))
    before = Proposal(jnp.zeros(DIM), jnp.eye(DIM))
    found = proposals.fitted(jnp.asarray(position), jnp.asarray(log_weight), before, APART)
    root = np.asarray(found.root) / APART.wider
    covariance = np.cov(position.T, aweights=special.softmax(log_weight), bias=True)
    fitted = root @ root.T
    np.testing.assert_allclose(fitted[:COMMON], covariance[:COMMON], rtol=1e-8)
    np.testing.assert_allclose(np.diag(fitted), np.diag(covariance), rtol=1e-8)
    assert np.allclose(root, np.tril(root))
    rest = np.linalg.inv(fitted)[COMMON:, COMMON:]
    np.testing.assert_allclose(rest, np.diag(np.diag(rest)), atol=1e-8 * np.abs(rest).max())


@pytest.mark.parametrize("mixture", [TOGETHER, APART], ids=["together", "apart"])
def test_nothing_is_fitted_to_one_draw(mixture):
    position, log_weight = weighted(np.random.default_rng(7))
    log_weight[0] = 1e3
    before = Proposal(jnp.ones(DIM), 3.0 * jnp.eye(DIM))
    found = proposals.fitted(jnp.asarray(position), jnp.asarray(log_weight), before, mixture)
    np.testing.assert_array_equal(found.centre, before.centre)
    np.testing.assert_array_equal(found.root, before.root)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"freedoms": 5}, "freedoms = 5, must be even"),
        ({"freedoms": 0}, "freedoms = 0"),
        ({"freedoms_of_rest": 0}, "freedoms_of_rest = 0"),
        ({"common": 0}, "common = 0"),
        ({"shares": (0.5, 0.2, 0.2)}, "must sum to one"),
        ({"shares": (0.0, 0.5, 0.5)}, "must sum to one"),
        ({"wide": 0.0}, "scales must be positive"),
        ({"freedoms": 3, "begin": -1.0}, "even and positive; scales"),
    ],
)
def test_what_is_no_density_is_refused(options, said):
    with pytest.raises(UsageError, match=said):
        Mixture(**options)
