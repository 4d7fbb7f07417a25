"""Coordinates that stretch one tail of a normal distribution."""

import jax
import jax.numpy as jnp
import numpy as np

from effbayes import runtime
from effbayes.models.axes import LongBelow


def test_a_tail_is_stretched_below_and_nothing_else_is():
    axis = LongBelow(jnp.asarray(3.0), jnp.asarray(0.5), jnp.asarray(4.0))
    z = np.linspace(-9.0, 9.0, 73)
    with runtime.on_device("cpu"):
        points, log_slopes = map(np.asarray, jax.vmap(axis.at)(z))
        slopes = np.asarray(jax.vmap(jax.grad(lambda z: axis.at(z)[0]))(z))
    np.testing.assert_allclose(np.exp(log_slopes), slopes, rtol=1e-12)
    np.testing.assert_allclose(points[z > 5.0], 3.0 + 0.5 * z[z > 5.0], atol=4.0 * np.exp(-7.0))
    low = z < -7.0
    np.testing.assert_allclose(points[low], 3.0 + 0.5 * z[low] + 4.0 * (z[low] + 2.0), rtol=3e-3)
