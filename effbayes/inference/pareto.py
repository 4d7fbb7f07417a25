"""How far importance weights can be trusted: Pareto k-hat, on the device.

A generalized Pareto distribution is fitted to the largest weights (Zhang and Stephens 2009,
Technometrics 51; with the weak prior of Vehtari, Simpson, Gelman, Yao and Gabry 2024, JMLR 25). Its
shape k tells which moments of the weights exist; the tests hold it to ArviZ's.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Int

from effbayes.arrays import PerDraw, Scalar

Integers = Int[Array, "draw"]

_PRIOR_K, _PRIOR_WEIGHT = 0.5, 10.0
_SHARP = 3.0


def tail_size(number: int) -> int:
    """How many of so many weights are the tail."""
    return int(min(0.2 * number, 3.0 * math.sqrt(number)))


def k_hat(log_weight: PerDraw) -> Scalar:
    """Shape of the tail of importance weights; NaN where they are not finite, or tied.

    Parameters
    ----------
    log_weight
        Up to a constant, dims (draw,).
    """
    size = tail_size(log_weight.shape[0])
    largest = from_ordinal(jax.lax.top_k(ordinal(log_weight), size + 1)[0])
    weights = jnp.exp(largest - largest[0])
    excess = weights[:size][::-1] - weights[size]
    return _shape(excess)


def ordinal(values: PerDraw) -> Integers:
    """Integers in the order of floating-point values, NaN the largest.

    XLA compares floating-point numbers by a function that it calls for each pair when it sorts on a
    CPU; integers it sorts about four times as fast.
    """
    values = jnp.where(jnp.isnan(values), jnp.nan, values)
    whole = jnp.int64 if values.dtype == jnp.float64 else jnp.int32
    return _turned(jax.lax.bitcast_convert_type(values, whole))


def from_ordinal(ordinals: Integers) -> PerDraw:
    """The values that `ordinal` was given."""
    real = jnp.float64 if ordinals.dtype == jnp.int64 else jnp.float32
    return jax.lax.bitcast_convert_type(_turned(ordinals), real)


def _turned(bits: Integers) -> Integers:
    """Negative numbers, whose bits count upwards as they fall, turned around; its own inverse."""
    return bits ^ ((bits >> (jnp.iinfo(bits.dtype).bits - 1)) & jnp.iinfo(bits.dtype).max)


def _shape(excess: PerDraw) -> Scalar:
    """Of a generalized Pareto distribution, from excesses over its threshold in rising order."""
    size = excess.shape[0]
    grid = 30 + int(size**0.5)
    quartile = excess[int(size / 4 + 0.5) - 1]
    i = jnp.arange(1, grid + 1)
    b = 1.0 - jnp.sqrt(grid / (i - 0.5))
    b = b / (_SHARP * quartile) + 1.0 / excess[-1]
    k = jnp.mean(jnp.log1p(-b[:, None] * excess[None]), axis=1)
    profile = size * (jnp.log(-(b / k)) - k - 1.0)
    weight = jax.nn.softmax(profile)
    weight = jnp.where(weight >= 10.0 * jnp.finfo(weight.dtype).eps, weight, 0.0)
    b_mean = jnp.sum(b * weight) / jnp.sum(weight)
    found = jnp.mean(jnp.log1p(-b_mean * excess))
    shape = (size * found + _PRIOR_WEIGHT * _PRIOR_K) / (size + _PRIOR_WEIGHT)
    # A quarter of the tail in one place is far from any such distribution.
    return jnp.where(quartile > excess[0], shape, jnp.nan)
