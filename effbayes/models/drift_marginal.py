"""The rows of a drifting rate as one normal distribution: the path is integrated out.

See `effbayes.models.drift`, whose sampler and whose NumPyro program both need it.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from effbayes.arrays import PerObs, Scalar
from effbayes.models import as_normal, wiener
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


def marginal(values: Parameters, data: Data, *, alike: bool) -> Marginal:
    """Distribution of the rows at alpha, sigma, drift and the rate at the mean date, `rate_mid`.

    `alike` promises that all rows have one variance about the path.
    """
    variance = as_normal.variance(values["sigma"], data, values["rate_mid"])
    # A row that is left out has a date of its own, and would stay a row of the path there.
    t = jnp.where(data.mask, data.t, 0.0)
    rows = wiener.Rows(t, variance, values["drift"], data.mask)
    mean = values["alpha"] + data.slope_sign * values["rate_mid"] * data.t
    made = wiener.Spectral if alike else wiener.Cholesky
    weights = jnp.stack([jnp.ones(()), -values["alpha"], -values["rate_mid"]])
    return Marginal(mean, jnp.sqrt(variance), made(rows), weights)


def _columns(y: PerObs, data: Data) -> Array:
    """Values, ones and times that a row's distance from the trend is made of, zero for padding."""
    columns = jnp.stack([y, jnp.ones_like(y), data.slope_sign * data.t], axis=1)
    return jnp.where(data.mask[:, None], columns, 0.0)
