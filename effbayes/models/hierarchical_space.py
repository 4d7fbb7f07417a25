"""Coordinates of a population, and where the noises of its members lie given the typical one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from effbayes.arrays import Scalar
from effbayes.models import as_normal
from effbayes.models.axes import Normal, softplus_inverse
from effbayes.models.contract import Data

if TYPE_CHECKING:
    from effbayes.models.hierarchical import Priors


_LAMBERT_STEPS = 3
_LEAST_SQUARES = 1e-12
_POWER = 5.0  # powers from 2 to 8 diverge as seldom; low ones have fewer effective draws of s
_LOG_OF_LOG_2 = float(np.log(np.log(2.0)))


@dataclass(frozen=True)
class Space:
    """The coordinates of the population, and what the data say of each series' noise."""

    priors: Priors
    data: Data

    @property
    def prior_of_mean(self) -> Normal:
        """Prior of mu."""
        median = jnp.log(self.priors.doubling_time_median)
        return Normal(median, jnp.asarray(self.priors.doubling_time_sdlog))

    def tau(self, z: Scalar) -> tuple[Scalar, Scalar]:
        """Spread of the population at its coordinate, and the log of its slope there."""
        return _softplus(z, 0.5 * self.priors.tau_scale)

    def tau_axis(self, tau: Scalar) -> Scalar:
        """Inverse of `tau`."""
        return softplus_inverse(tau / (0.5 * self.priors.tau_scale))

    def s(self, z: Scalar) -> tuple[Scalar, Scalar]:
        """Typical noise at its coordinate, and the log of its slope there.

        Far below it falls as a power of the coordinate, not exponentially: where rates agree the
        density ends there as ``exp(-c / s**2)``, a cliff that a step of a sampler must not jump.
        """
        unit = 0.25 * self.priors.sigma_scale
        below = jax.nn.softplus(-z / _POWER)
        log_part = _POWER * (_LOG_OF_LOG_2 - jnp.log(below))
        s, log_slope = _softplus(log_part, unit)
        return s, log_slope + jax.nn.log_sigmoid(-z / _POWER) - jnp.log(below)

    def s_axis(self, s: Scalar) -> Scalar:
        """Inverse of `s`."""
        log_part = softplus_inverse(s / (0.25 * self.priors.sigma_scale))
        return -_POWER * softplus_inverse(jnp.exp(_LOG_OF_LOG_2 - log_part / _POWER))

    def log_sigma(self, s: Scalar) -> Normal:
        """Approximate distribution of each series' log noise given the typical one."""
        data = self.data
        counted, known = as_normal.counts(data), as_normal.variance(0.0, data)
        rows = jnp.sum(counted, axis=1)
        other = jnp.sum(jnp.where(counted, known, 0.0), axis=1) / jnp.maximum(rows, 1)
        spread = data.sigma_guess**2
        # Known errors explain a part of the spread, and what is left says less of sigma.
        freedoms = jnp.maximum(rows - 2.0, 0.0) * (spread / (spread + other)) ** 2
        squares = freedoms * jnp.maximum(spread - other, 0.01 * spread) + _LEAST_SQUARES
        return log_noise(jnp.log(s), self.priors.sigma_spread, squares, freedoms)


def log_noise(log_centre: Scalar, spread: float, squares: Array, freedoms: Array) -> Normal:
    """Normal approximation of log sigma given its population and a sum of squares.

    The mode of ``-nu l - SS exp(-2 l) / 2 - (l - L)**2 / (2 spread**2)`` is known in closed form:
    with p = spread**-2 and a = L - nu / p it is ``a + W(2 SS exp(-2 a) / p) / 2`` where W is
    Lambert's function, and the curvature there is ``p (1 + W)``.

    Parameters
    ----------
    log_centre, spread
        Of the population of log sigma.
    squares, freedoms
        SS and nu of each series, dims (series,).
    """
    precision = spread**-2
    a = log_centre - freedoms / precision
    w = _lambert_of_exp(jnp.log(2.0 * squares / precision) - 2.0 * a)
    return Normal(a + 0.5 * w, spread * (1.0 + w) ** -0.5)


def _softplus(z: Scalar, scale: float) -> tuple[Scalar, Scalar]:
    return scale * jax.nn.softplus(z), jnp.log(scale) + jax.nn.log_sigmoid(z)


def _lambert_of_exp(y: Array) -> Array:
    """Lambert's W of exp(y), by Newton's method for ``w + log w = y``."""
    w = jax.nn.softplus(y)
    for _ in range(_LAMBERT_STEPS):
        w *= (1.0 + y - jnp.log(w)) / (1.0 + w)
    return w
