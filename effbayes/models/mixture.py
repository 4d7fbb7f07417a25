"""A coordinate along a mixture of normal densities: narrow where it is sharp, with tails as wide.

Its middle has the slope of the mixture's peak, and either side the spread that the mixture has
there; the coordinate of the peak is that of its rank. What is asked of it is a smooth map whose
slope is known; the nearer to the mixture's quantiles, the better a sampler moves.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from effbayes.arrays import Scalar

_WIDEST = 10.0  # tails in widths of the middle, or the other way round
_LEAST_TAIL = 0.02  # share of the mixture that either side of the peak is taken to have
_FLOOR = 1e-12
_FAR = 12.0
_LEAST_LOG_SHARE = -100.0
_HEIGHT = float(1.0 / np.sqrt(2.0 * np.pi))
_LOGISTIC = 1.702  # a logistic distribution function in place of the normal: much cheaper


class Along(NamedTuple):
    """The map from a coordinate to what the mixture is of."""

    centre: Scalar
    scale: Scalar
    offset: Scalar
    """Coordinate of the centre: zero where half of the probability lies on each side of it."""
    below: Scalar
    above: Scalar
    """How many times wider than the middle the tails are."""

    def at(self, z: Scalar) -> tuple[Scalar, Scalar]:
        """The quantity at a coordinate, and the log of its slope there."""
        u = z - self.offset
        below, above = self.below - 1.0, self.above - 1.0
        away = u + above * jax.nn.softplus(u - 1.0) - below * jax.nn.softplus(-u - 1.0)
        slope = 1.0 + above * jax.nn.sigmoid(u - 1.0) + below * jax.nn.sigmoid(-u - 1.0)
        return self.centre + self.scale * away, jnp.log(self.scale * slope)


def shares(log_share: Array) -> Array:
    """Weights that sum to one; none is so small that its products are denormal, which are slow."""
    away = log_share - jax.lax.stop_gradient(jnp.max(log_share))
    weight = jnp.exp(jnp.maximum(away, _LEAST_LOG_SHARE))
    return weight / jnp.sum(weight)


def along(log_share: Array, centre: Array, variance: Array) -> Along:
    """Where a mixture of normal densities has its peak, how sharp that is, and how wide its tails.

    Parameters
    ----------
    log_share
        Log weights, up to a constant; dims (fit,).
    centre, variance
        Of each, dims (fit,).
    """
    share = shares(log_share)
    sd = jnp.sqrt(variance)
    height = share / sd
    sharpness = jnp.sum(height)
    peak = jnp.sum(height * centre) / sharpness
    away = (centre - peak) / sd
    near = jnp.clip(away, -_FAR, _FAR)
    above, density = jax.nn.sigmoid(_LOGISTIC * near), _HEIGHT * jnp.exp(-0.5 * near**2)
    total = jnp.sum(share * (variance + (centre - peak) ** 2))
    squares = jnp.sum(share * variance * ((1.0 + away**2) * above + away * density))
    beyond = jnp.clip(jnp.sum(share * above), _LEAST_TAIL, 1.0 - _LEAST_TAIL)
    offset = (jnp.log1p(-beyond) - jnp.log(beyond)) / _LOGISTIC
    # The same of a standard normal about its quantile of that rank.
    height = jnp.exp(-0.5 * offset**2)
    expected = (1.0 + offset**2) * beyond - offset * height * _HEIGHT
    scale = height / sharpness
    tails = [
        jnp.clip(
            jnp.sqrt(jnp.maximum(found, _FLOOR * total) / wanted) / scale, 1.0 / _WIDEST, _WIDEST
        )
        for found, wanted in (
            (total - squares, 1.0 + offset**2 - expected),
            (squares, expected),
        )
    ]
    return Along(peak, scale, offset, *tails)
