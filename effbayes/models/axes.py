"""Coordinates in which a density is about standard normal: how one is centred and scaled."""

from __future__ import annotations

from typing import Any, NamedTuple

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


def softplus_inverse(value: Elements) -> Elements:
    """The x at which ``log(1 + exp(x))`` has a value > 0."""
    return value + jnp.log(-jnp.expm1(-value))


def combine(a: Any, precision_a: Any, b: Any, precision_b: Any) -> tuple[Any, Any]:
    """Mean and standard deviation of the product of two normal densities."""
    precision = precision_a + precision_b
    return (precision_a * a + precision_b * b) / precision, precision**-0.5
