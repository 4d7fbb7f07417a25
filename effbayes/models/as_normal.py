"""Rows as normal distributions, where a model or its coordinates take them for that.

Two bounds count as their middle with the variance of a uniform between them; a row with one bound
counts for nothing. Every place that does so does the same. All take the rows of one series or of
several.
"""

from __future__ import annotations

import jax.numpy as jnp

from effbayes.arrays import MaskOfAny, OfAny, PerObsOfAny, Scalar
from effbayes.models.contract import Data


def counts(data: Data) -> MaskOfAny:
    """Rows with a value or with bounds on both sides; no padding."""
    return data.mask & ~(jnp.isfinite(data.low) ^ jnp.isfinite(data.high))


def middle(data: Data) -> PerObsOfAny:
    """Value of each row, or the middle of its bounds, in log2 of the unit."""
    return jnp.where(_two_sided(data), 0.5 * (data.low + data.high), data.y)


def width(data: Data) -> PerObsOfAny:
    """Doublings between the bounds of each row, zero where there are not two."""
    low, high = (jnp.where(_two_sided(data), bound, 0.0) for bound in (data.low, data.high))
    return high - low


def variance(sigma: Scalar | float, data: Data, rate: OfAny | None = None) -> PerObsOfAny:
    """Variance of each row about the trend; errors of dates at a rate, or at least squares' own."""
    by_date = (data.rate_guess if rate is None else rate)[..., None] * data.date_sd
    return sigma**2 + data.value_sd**2 + by_date**2 + width(data) ** 2 / 12.0


def _two_sided(data: Data) -> MaskOfAny:
    return jnp.isfinite(data.low) & jnp.isfinite(data.high)
