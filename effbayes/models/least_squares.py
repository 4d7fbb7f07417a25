"""Weighted least squares of a trend given its noise: where level and rate lie, and how sharply."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp

from effbayes.arrays import PerObs, Scalar
from effbayes.models import as_normal
from effbayes.models.contract import Data

_FLOOR = 1e-12


class LeastSquares(NamedTuple):
    """Weighted least squares of the trend, given sigma."""

    rate: Scalar
    rate_precision: Scalar
    time: Scalar
    """Weighted mean of t, at which level and rate are independent."""
    level: Scalar
    """Weighted mean of y there."""
    weight: Scalar


def least_squares(sigma: Scalar, data: Data, beside: PerObs | Scalar | float = 0.0) -> LeastSquares:
    """Fit the trend with each row's variance given sigma; only scales the sampler's space.

    A floor keeps a series of one-sided rows alone from dividing by zero.

    Parameters
    ----------
    sigma, data
        Noise, and rows that count as `effbayes.models.as_normal` has it.
    beside
        Variance of each row or of all that a model has beside sigma, in squared doublings.
    """
    middle = as_normal.middle(data)
    variance = as_normal.variance(sigma, data) + beside
    w = jnp.where(as_normal.counts(data), 1.0 / variance, 0.0)
    weight = jnp.sum(w) + _FLOOR
    time = jnp.sum(w * data.t) / weight
    level = jnp.sum(w * middle) / weight
    precision = jnp.sum(w * (data.t - time) ** 2) + _FLOOR
    slope = jnp.sum(w * (data.t - time) * (middle - level)) / precision
    return LeastSquares(data.slope_sign * slope, precision, time, level, weight)
