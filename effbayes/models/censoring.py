"""Log-probability of an interval under a standardised noise distribution, without cancellation.

An interval-censored observation contributes ``log(F(high) - F(low))``. Computed as written, the
difference loses every digit in the tails and for narrow intervals, and its gradient turns into
NaN. Two forms are used instead, each where it is accurate:

* a *narrow* interval, over which the log-density changes by about one, is integrated by
  Gauss-Legendre quadrature in log space;
* a wide one is the difference of two tail probabilities on the side where both are small, in logs.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, log_ndtr

from effbayes.arrays import Choice, Elements

Elementwise = Callable[[Elements], Elements]

_FEW = np.polynomial.legendre.leggauss(8)  # exact to 1e-15 where an exponent changes by one
_MANY = np.polynomial.legendre.leggauss(24)
_tail_nodes, _tail_weights = np.polynomial.legendre.leggauss(48)
_TAIL_P = 3.25 * (_tail_nodes + 1.0)
_TAIL_WEIGHTS = 3.25 * _tail_weights * 2.0 * _TAIL_P * np.exp(-(_TAIL_P**2))
_LOG_2PI = float(np.log(2.0 * np.pi))


def log_interval_normal(low: Elements, high: Elements) -> Elements:
    """Log of ``Phi(high) - Phi(low)`` for the standard normal.

    Parameters
    ----------
    low, high
        Standardised bounds, ``low < high``; -inf and inf are allowed. Any one shape.

    Returns
    -------
    Elements
        Log-probability of each interval, <= 0, with finite gradients.
    """
    low, high = _upper_side(low, high)
    steepness = jnp.maximum(1.0, jnp.minimum(jnp.abs(low), jnp.abs(high)))
    narrow = (high - low) * steepness < 1.0

    inner_low, inner_high = _where_narrow(narrow, low, high)
    by_quadrature = _log_quadrature(inner_low, inner_high, _log_density_normal, _FEW)
    by_tails = _log_difference(low, high, narrow, lambda z: log_ndtr(-z))
    return jnp.where(narrow, by_quadrature, by_tails)


def log_interval_student_t(low: Elements, high: Elements, df: Elements) -> Elements:
    """Log of ``T(high) - T(low)`` for Student's t with `df` degrees of freedom.

    Differentiable in the bounds and in `df`, which the incomplete beta function of
    `jax.scipy.special` is not.

    Parameters
    ----------
    low, high
        Standardised bounds, ``low < high``; -inf and inf are allowed. Any one shape.
    df
        Degrees of freedom, > 0; a scalar or of the shape of the bounds.
    """
    low, high = _upper_side(low, high)
    # In t's tails the log-density falls like (df + 1) log z: its slope is bounded by both terms.
    near = jnp.minimum(jnp.abs(low), jnp.abs(high))
    steepness = jnp.maximum(1.0, (df + 1.0) * near / (df + near**2))
    narrow = (high - low) * steepness < 0.5

    inner_low, inner_high = _where_narrow(narrow, low, high)
    by_quadrature = _log_quadrature(
        inner_low, inner_high, lambda z: log_density_student_t(z, _like(df, z)), _MANY
    )
    by_tails = _log_difference(
        low, high, narrow, lambda z: _log_tail_student_t(z, jnp.broadcast_to(df, z.shape))
    )
    return jnp.where(narrow, by_quadrature, by_tails)


def log_density_student_t(z: Elements, df: Elements) -> Elements:
    """Log-density of the standard Student's t."""
    constant = gammaln(0.5 * (df + 1.0)) - gammaln(0.5 * df) - 0.5 * jnp.log(df * jnp.pi)
    return constant - 0.5 * (df + 1.0) * jnp.log1p(z**2 / df)


def _log_density_normal(z: Elements) -> Elements:
    return -0.5 * (z**2 + _LOG_2PI)


def _upper_side(low: Elements, high: Elements) -> tuple[Elements, Elements]:
    """Mirror intervals that lie mostly below zero, so that upper tails are the small ones."""
    flip = low + high < 0.0
    return jnp.where(flip, -high, low), jnp.where(flip, -low, high)


def _where_narrow(narrow: Choice, low: Elements, high: Elements) -> tuple[Elements, Elements]:
    """Bounds of the narrow intervals; a harmless interval elsewhere keeps gradients finite."""
    return jnp.where(narrow, low, 0.0), jnp.where(narrow, high, 1.0)


def _log_quadrature(
    low: Elements, high: Elements, log_density: Elementwise, rule: tuple[np.ndarray, np.ndarray]
) -> Elements:
    """Log of the integral of a density over an interval in which its logarithm changes little."""
    half = 0.5 * (high - low)
    middle = 0.5 * (high + low)
    at_middle = log_density(middle)
    nodes = middle[..., None] + half[..., None] * _last(rule[0], half)
    relative = jnp.exp(log_density(nodes) - at_middle[..., None])
    return at_middle + jnp.log(half * jnp.sum(_last(rule[1], half) * relative, axis=-1))


def _log_difference(low: Elements, high: Elements, skip: Choice, log_tail: Elementwise) -> Elements:
    """``log(P(Z > low) - P(Z > high))`` where `high` is the farther bound from zero."""
    low = jnp.where(skip, 0.0, low)
    high = jnp.where(skip, 1.0, high)
    straddles = low < 0.0
    # Below zero the tail is not small; its complement is, and 1 - a - b does not cancel.
    tails = log_tail(jnp.stack([_bounded(high), jnp.abs(_bounded(low))]))
    tail_high = jnp.where(jnp.isinf(high), -jnp.inf, tails[0])
    tail_low = jnp.where(jnp.isinf(low), -jnp.inf, tails[1])
    outside = jnp.where(straddles, jnp.exp(tail_low) + jnp.exp(tail_high), 0.0)
    ratio = jnp.where(straddles, 0.5, jnp.exp(tail_high - jnp.where(straddles, 0.0, tail_low)))
    return jnp.where(straddles, jnp.log1p(-outside), tail_low + jnp.log1p(-ratio))


def _bounded(z: Elements) -> Elements:
    return jnp.where(jnp.isinf(z), 1.0, z)


def _last(constants: np.ndarray, values: Elements) -> Elements:
    """Constants along a new last axis behind those of `values`."""
    return jnp.asarray(constants).reshape((1,) * jnp.ndim(values) + (-1,))


def _like(df: Elements, z: Elements) -> Elements:
    return df[..., None] if jnp.ndim(df) and jnp.ndim(df) < jnp.ndim(z) else df


def _log_tail_student_t(z: Elements, df: Elements) -> Elements:
    """Log of ``P(T > z)`` for z >= 0; near zero, one half less a quadrature."""
    near = z < jnp.minimum(1.0, 0.7 * jnp.sqrt(df))
    z_near = jnp.where(near, z, 0.0)
    nodes = 0.5 * z_near[..., None] * (1.0 + _last(_MANY[0], z_near))
    density = jnp.exp(log_density_student_t(nodes, _like(df, nodes)))
    inside = 0.5 * z_near * jnp.sum(_last(_MANY[1], z_near) * density, axis=-1)
    far = _log_far_tail_student_t(jnp.where(near, 1.0, z), df)
    return jnp.where(near, jnp.log(0.5 - inside), far)


def _log_far_tail_student_t(z: Elements, df: Elements) -> Elements:
    """Log of ``P(T > z)`` for z away from zero.

    The tail is half a regularized incomplete beta integral up to ``x = df / (df + z**2)``. With
    ``s = x * exp(-2 p**2 / df)`` it becomes ``x**(df/2) / df`` times the integral over p > 0 of
    ``2 p exp(-p**2) / sqrt(1 - x exp(-2 p**2 / df))``: smooth, and negligible past p = 6.5.
    """
    log_x = -jnp.log1p(z**2 / df)
    complement = -jnp.expm1(
        log_x[..., None] - (2.0 / _like(df, log_x[..., None])) * _last(_TAIL_P, z) ** 2
    )
    log_integral = jnp.log(jnp.sum(_last(_TAIL_WEIGHTS, z) * complement**-0.5, axis=-1))
    log_beta = gammaln(0.5 * df) + gammaln(0.5) - gammaln(0.5 * (df + 1.0))
    return 0.5 * df * log_x - jnp.log(df) + log_integral - log_beta
