"""Coordinates in which a density is about standard normal: how one is centred and scaled."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from effbayes.arrays import Elements


class Normal(NamedTuple):
    """A normal distribution by which a coordinate is standardised."""

    centre: Array
    scale: Array

    def at(self, z: Array) -> Array:
        """The point z standard deviations above the centre."""
        return self.centre + self.scale * z


class LongBelow(NamedTuple):
    """A normal distribution whose lower tail, from two standard deviations on, is stretched."""

    centre: Array
    scale: Array
    stretch: Array
    """What the tail has beside the scale."""

    def at(self, z: Array) -> tuple[Array, Array]:
        """The point at a coordinate, and the log of the slope there."""
        beyond = -2.0 - z
        point = self.centre + self.scale * z - self.stretch * jax.nn.softplus(beyond)
        return point, jnp.log(self.scale + self.stretch * jax.nn.sigmoid(beyond))


def softplus_inverse(value: Elements) -> Elements:
    """The x at which ``log(1 + exp(x))`` has a value > 0."""
    return value + jnp.log(-jnp.expm1(-value))


def combine(a: Any, precision_a: Any, b: Any, precision_b: Any) -> tuple[Any, Any]:
    """Mean and standard deviation of the product of two normal densities."""
    precision = precision_a + precision_b
    return (precision_a * a + precision_b * b) / precision, precision**-0.5
