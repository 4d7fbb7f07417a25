"""Coordinates of a noise: where it lies by a sum of squares and a prior, and how it falls."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from effbayes.arrays import Elements, OfAny, Scalar
from effbayes.models import as_normal
from effbayes.models.axes import Normal, softplus_inverse
from effbayes.models.contract import Data

_LAMBERT_STEPS = 3
_LEAST_SQUARES = 1e-12
_POWER = 5.0  # powers from 2 to 8 diverge as seldom; low ones have fewer effective draws
_LOG_OF_LOG_2 = float(np.log(np.log(2.0)))


class NoiseAxis(NamedTuple):
    """The map from a coordinate to a noise: ``unit * softplus(centre + scale * fall(z))``.

    Near the centre the coordinate is about the log of the noise. Above the unit it is the noise
    itself, for a half-normal prior to end it as a parabola; far below it falls as a power and not
    exponentially: where rows have scatter the density ends there as ``exp(-c / noise**2)``, a cliff
    that a step of a sampler must not jump.
    """

    unit: Scalar | float
    centre: Scalar | float
    scale: Scalar | float

    def at(self, z: Scalar) -> tuple[Scalar, Scalar]:
        """The noise at a coordinate, and the log of its slope there."""
        below = jax.nn.softplus(-z / _POWER)
        x = self.centre + self.scale * _POWER * (_LOG_OF_LOG_2 - jnp.log(below))
        log_slope = jnp.log(self.unit * self.scale) + jax.nn.log_sigmoid(x)
        log_slope = log_slope + jax.nn.log_sigmoid(-z / _POWER) - jnp.log(below)
        return self.unit * jax.nn.softplus(x), log_slope

    def coordinate(self, noise: Scalar) -> Scalar:
        """Inverse of `at`."""
        fallen = (softplus_inverse(noise / self.unit) - self.centre) / self.scale
        return -_POWER * softplus_inverse(jnp.exp(_LOG_OF_LOG_2 - fallen / _POWER))


def axis_of(log_noise: Normal, unit: Scalar | float) -> NoiseAxis:
    """The axis that has the centre, and there nearly the scale, of a normal log noise."""
    part = jnp.exp(log_noise.centre) / unit
    centre = softplus_inverse(part)
    return NoiseAxis(unit, centre, log_noise.scale * part / jax.nn.sigmoid(centre))


def scatter(data: Data) -> tuple[OfAny, OfAny]:
    """Sum of squares about the trend, known errors deducted, and its degrees of freedom."""
    counted, known = as_normal.counts(data), as_normal.variance(0.0, data)
    rows = jnp.sum(counted, axis=-1)
    other = jnp.sum(jnp.where(counted, known, 0.0), axis=-1) / jnp.maximum(rows, 1)
    spread = data.sigma_guess**2
    # Known errors explain a part of the spread, and what is left says less of sigma.
    freedoms = jnp.maximum(rows - 2.0, 0.0) * (spread / (spread + other)) ** 2
    return freedoms * jnp.maximum(spread - other, 0.01 * spread) + _LEAST_SQUARES, freedoms


def log_noise(
    log_centre: Scalar | float, spread: float, squares: Elements, freedoms: Elements
) -> Normal:
    """Normal approximation of a log noise given its prior or population and a sum of squares.

    The mode of ``-nu l - SS exp(-2 l) / 2 - (l - L)**2 / (2 spread**2)`` is known in closed form:
    with p = spread**-2 and a = L - nu / p it is ``a + W(2 SS exp(-2 a) / p) / 2`` where W is
    Lambert's function, and the curvature there is ``p (1 + W)``.

    Parameters
    ----------
    log_centre, spread
        Of the prior, or of the population of the log noises.
    squares, freedoms
        SS and nu, of one series or of each.
    """
    precision = spread**-2
    a = log_centre - freedoms / precision
    w = _lambert_of_exp(jnp.log(2.0 * squares / precision) - 2.0 * a)
    return Normal(a + 0.5 * w, spread * (1.0 + w) ** -0.5)


def _lambert_of_exp(y: Array) -> Array:
    """Lambert's W of exp(y), by Newton's method for ``w + log w = y``."""
    w = jax.nn.softplus(y)
    for _ in range(_LAMBERT_STEPS):
        w *= (1.0 + y - jnp.log(w)) / (1.0 + w)
    return w
