"""How far a stronger prior or likelihood would move an answer: held to ArviZ's own figures."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats

from effbayes import power_scaling

DRAWS = {
    "normal": lambda rng: rng.standard_normal((4, 500)),
    "skewed": lambda rng: rng.gamma(0.7, 3.0, (4, 500)),
    "long tails": lambda rng: rng.standard_t(2.0, (2, 1000)),
    "few": lambda rng: rng.standard_normal((2, 20)),
    "slow": lambda rng: np.cumsum(0.1 * rng.standard_normal((4, 500)), axis=1),
}


@pytest.mark.parametrize("name", DRAWS)
def test_is_arvizs(name):
    rng = np.random.default_rng(7)
    draws = DRAWS[name](rng)
    log_density = -0.5 * (draws - 1.0) ** 2 + 0.1 * rng.standard_normal(draws.shape)
    theirs = []
    for power in power_scaling.POWERS:
        weight = np.exp(array_stats.power_scale_lw(log_density, alpha=power, axis=(-2, -1)))
        theirs.append(weight / weight.sum())
    ours = power_scaling.weights(log_density)
    for own, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(own, np.ravel(their), rtol=1e-9)
    expected = array_stats.power_scale_sense(draws, *theirs, *power_scaling.POWERS)
    assert power_scaling.sensitivity(draws, ours) == pytest.approx(float(expected), rel=1e-6)


def test_what_a_component_does_not_tell_apart_does_not_move():
    draws = np.random.default_rng(1).standard_normal((4, 100))
    by = power_scaling.weights(np.zeros_like(draws))
    assert power_scaling.sensitivity(draws, by) == pytest.approx(0.0, abs=1e-6)
    assert power_scaling.sensitivity(np.ones_like(draws), by) == 0.0
