"""Weighted least squares of a trend given its noise: where level and rate lie, and how sharply."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from effbayes.arrays import Scalar
from effbayes.models.contract import Data

_FLOOR = 1e-12


class Beside(NamedTuple):
    """What lies between trend and data beside sigma, for the whitening alone."""

    variance: Any = 0.0
    """Of each row or of all, in squared doublings."""
    excess: Any = 0.0
    """Mean distance of the values from the trend, in the direction of less efficient."""


class LeastSquares(NamedTuple):
    """Weighted least squares of the trend, given sigma."""

    rate: Scalar
    rate_precision: Scalar
    time: Scalar
    """Weighted mean of t, at which level and rate are independent."""
    level: Scalar
    """Weighted mean of y there."""
    weight: Scalar


def least_squares(sigma: Scalar, data: Data, beside: Beside | None = None) -> LeastSquares:
    """Fit the trend with each row's variance given sigma; only scales the sampler's space.

    One-sided rows carry no weight; two-sided bounds count as their middle with the variance of a
    uniform. A floor keeps a series of one-sided rows alone from dividing by zero.
    """
    beside = beside or Beside()
    width = data.high - data.low
    two_sided = jnp.isfinite(data.low) & jnp.isfinite(data.high)
    one_sided = jnp.isfinite(data.low) ^ jnp.isfinite(data.high)
    middle = jnp.where(two_sided, 0.5 * (data.low + data.high), data.y)
    extra = jnp.where(two_sided, jnp.where(two_sided, width, 0.0) ** 2 / 12.0, 0.0)
    variance = sigma**2 + data.value_sd**2 + (data.rate_guess * data.date_sd) ** 2 + extra
    w = jnp.where(data.mask & ~one_sided, 1.0 / (variance + beside.variance), 0.0)
    weight = jnp.sum(w) + _FLOOR
    time = jnp.sum(w * data.t) / weight
    level = jnp.sum(w * middle) / weight
    precision = jnp.sum(w * (data.t - time) ** 2) + _FLOOR
    slope = jnp.sum(w * (data.t - time) * (middle - level)) / precision
    level = level + data.slope_sign * beside.excess
    return LeastSquares(data.slope_sign * slope, precision, time, level, weight)
