"""The rows of a drifting rate as one normal distribution: the path is integrated out.

See `effbayes.models.drift`, whose sampler and whose NumPyro program both need it.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from effbayes.arrays import PerObs, Scalar
from effbayes.models import wiener
from effbayes.models.contract import Data, Parameters


class Marginal(NamedTuple):
    """The normal distribution of the rows, path integrated out, at given parameters."""

    mean: PerObs
    sd: PerObs
    """Of each row about the path."""
    covariance: wiener.Cholesky | wiener.Spectral

    weights: Array
    """The rows' distance from the mean is ``_columns(y, data) @ weights``."""

    def log_density(self, y: PerObs, data: Data) -> Scalar:
        """Joint log density of the rows' values."""
        quadratic = self.covariance.quadratic(_columns(y, data), self.weights)
        constant = jnp.sum(data.mask) * jnp.log(2.0 * jnp.pi)
        return -0.5 * (quadratic + self.covariance.log_det() + constant)


def values_of(data: Data) -> PerObs:
    """The log2 value that each row counts as: the middle of bounds, or the value."""
    bounded = jnp.isfinite(data.low) & jnp.isfinite(data.high)
    return jnp.where(bounded, 0.5 * (data.low + data.high), data.y)


def marginal(values: Parameters, data: Data, *, alike: bool) -> Marginal:
    """Distribution of the rows at alpha, sigma, drift and the rate at the mean date, `rate_mid`.

    `alike` promises that all rows have one variance about the path.
    """
    width = jnp.where(jnp.isfinite(data.high - data.low), data.high - data.low, 0.0)
    by_date = values["rate_mid"] * data.date_sd
    variance = values["sigma"] ** 2 + data.value_sd**2 + by_date**2 + width**2 / 12.0
    rows = wiener.Rows(data.t, variance, values["drift"], data.mask)
    mean = values["alpha"] + data.slope_sign * values["rate_mid"] * data.t
    made = wiener.Spectral if alike else wiener.Cholesky
    weights = jnp.stack([jnp.ones(()), -values["alpha"], -values["rate_mid"]])
    return Marginal(mean, jnp.sqrt(variance), made(rows), weights)


def _columns(y: PerObs, data: Data) -> Array:
    """Values, ones and times that a row's distance from the trend is made of, zero for padding."""
    columns = jnp.stack([y, jnp.ones_like(y), data.slope_sign * data.t], axis=1)
    return jnp.where(data.mask[:, None], columns, 0.0)
