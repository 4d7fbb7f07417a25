r"""The integrated Wiener process: covariance, joint draws, and interpolation between known states.

W is a two-sided standard Wiener process with W(0) = 0, two independent ones back to back, and F its
integral from zero. For s and t on one side of zero, m and M the smaller and the larger of their
distances from it,

.. math::

    \mathrm{Cov}(F_s, F_t) = \int_0^m (m - u)(M - u)\,du
                         = \tfrac{m^2}{2}\left(M - \tfrac{m}{3}\right)

and zero for s and t on different sides. The pair (F, W) is Markov: over a step h

.. math::

    F' = F + h W + \varepsilon_1, \quad W' = W + \varepsilon_2, \qquad
    \mathrm{Cov}(\varepsilon) = \begin{pmatrix} h^3/3 & h^2/2 \\ h^2/2 & h \end{pmatrix}

so that draws at any dates need no factorization, and between two known states the mean of F is the
cubic that matches both (Wahba 1978, Journal of the Royal Statistical Society B 40).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import cho_solve, solve_triangular

from effbayes.arrays import Elements, PerObs, PerObsMask, RandomKey, Scalar

_ROUNDING = 4.0 * float(np.finfo(np.float64).eps)
"""Times the number of rows, the share of the path's greatest variance that is added to each row's:
rounding must not leave a matrix without a Cholesky factor when the noise is next to nothing."""


class States(NamedTuple):
    """F and W at a number of dates; one dim."""

    level: Array
    rate: Array


def covariance(s: Elements, t: Elements) -> Elements:
    """Covariance of F at `s` with F at `t`, elementwise after broadcasting.

    Parameters
    ----------
    s, t
        Years from the anchor, of either sign.
    """
    a, b = jnp.abs(s), jnp.abs(t)
    less, more = jnp.minimum(a, b), jnp.maximum(a, b)
    return jnp.where(s * t > 0.0, 0.5 * less**2 * (more - less / 3.0), 0.0)


def covariance_with_rate(s: Elements, t: Elements) -> Elements:
    """Covariance of W at `s` with F at `t`: the derivative of `covariance` in s."""
    a, b = jnp.abs(s), jnp.abs(t)
    one_side = jnp.where(b < a, 0.5 * b**2, a * (b - 0.5 * a))
    return jnp.where(s * t > 0.0, jnp.sign(t) * one_side, 0.0)


def draw(key: RandomKey, times: Array) -> States:
    """F and W at `times` (one dim, any order, repeats allowed), jointly and exactly.

    A process that starts from zero at the earliest time is drawn step by step, and its tangent at
    time zero taken off.
    """
    n = times.shape[0]
    everything = jnp.concatenate([times, jnp.zeros(1)])
    order = jnp.argsort(everything)
    ordered = everything[order]
    h = jnp.diff(ordered)
    first, second = jax.random.normal(key, (2, n))
    rate = _from_zero(jnp.sqrt(h) * first)
    # Given the step of W, that of F beside h W has mean h / 2 times it and variance h**3 / 12.
    steps = h * (rate[:-1] + 0.5 * jnp.sqrt(h) * first) + jnp.sqrt(h**3 / 12.0) * second
    level = _from_zero(steps)
    place = jnp.argsort(order)
    level, rate = level[place], rate[place]
    return States(level[:n] - level[n] - rate[n] * times, rate[:n] - rate[n])


def interpolate(nodes: Array, states: States, times: Array) -> Array:
    """Mean of F at `times` given its states at `nodes`, among which the times lie.

    Parameters
    ----------
    nodes
        Dims (node,), in any order, repeats allowed.
    states
        Level and slope at each node.
    times
        From the first node to the last; dims (time,).
    """
    order = jnp.argsort(nodes)
    nodes, level, slope = nodes[order], states.level[order], states.rate[order]
    right = jnp.clip(jnp.searchsorted(nodes, times), 1, nodes.shape[0] - 1)
    left = right - 1
    width = nodes[right] - nodes[left]
    width = jnp.where(width > 0.0, width, 1.0)
    u = (times - nodes[left]) / width
    # Cubic Hermite polynomials.
    return (
        (1.0 + 2.0 * u) * (1.0 - u) ** 2 * level[left]
        + u**2 * (3.0 - 2.0 * u) * level[right]
        + width * u * (1.0 - u) * ((1.0 - u) * slope[left] - u * slope[right])
    )


class Rows(NamedTuple):
    """What is known of the rows' covariance ``scale**2 * covariance(t, t) + diag(variance)``.

    Rows that are masked must lie at time zero, where the path's variance is nil, with a residual of
    zero; their variance is taken to be one.
    """

    t: PerObs
    variance: PerObs
    """Of each row about the path."""
    scale: Scalar
    mask: PerObsMask


class Cholesky:
    """The rows' covariance by its Cholesky factor: any variances, O(n**3) at each point."""

    def __init__(self, rows: Rows) -> None:
        path = rows.scale**2 * covariance(rows.t[:, None], rows.t[None, :])
        nugget = _ROUNDING * rows.t.shape[0] * jnp.max(jnp.diagonal(path))
        diagonal = jnp.where(rows.mask, rows.variance + nugget, 1.0)
        self.factor = jnp.linalg.cholesky(path + jnp.diag(diagonal), symmetrize_input=False)

    def log_det(self) -> Scalar:
        """Log determinant."""
        return 2.0 * jnp.sum(jnp.log(jnp.diagonal(self.factor)))

    def quadratic(self, columns: Array, weights: Array) -> Scalar:
        """Squared length of ``columns @ weights`` in the metric of the inverse."""
        z = solve_triangular(self.factor, columns @ weights, lower=True)
        return z @ z

    def solve(self, residual: PerObs) -> PerObs:
        """The inverse times a residual."""
        return cho_solve((self.factor, True), residual)

    def precisions(self) -> PerObs:
        """Diagonal of the inverse."""
        half = solve_triangular(self.factor, jnp.eye(self.factor.shape[0]), lower=True)
        return jnp.sum(half**2, axis=0)


class Spectral:
    """The rows' covariance where all have one variance: its eigenvectors do not change with it.

    They depend on the dates alone, and a compiled sampler finds them once: XLA moves what does not
    change out of its loops. Each point then costs O(n).
    """

    def __init__(self, rows: Rows) -> None:
        path = covariance(rows.t[:, None], rows.t[None, :])
        values, self.vectors = jnp.linalg.eigh(path, symmetrize_input=False)
        self.variance = jnp.max(jnp.where(rows.mask, rows.variance, 0.0))
        self.spectrum = rows.scale**2 * jnp.maximum(values, 0.0) + self.variance
        self.padding = jnp.sum(~rows.mask)

    def log_det(self) -> Scalar:
        """Log determinant; padding has eigenvalues of one variance each, which are taken off."""
        return jnp.sum(jnp.log(self.spectrum)) - self.padding * jnp.log(self.variance)

    def quadratic(self, columns: Array, weights: Array) -> Scalar:
        """Squared length of ``columns @ weights`` in the metric of the inverse."""
        # The columns are the data's, and turned once as well.
        turned = jnp.sum((self.vectors.T @ columns) * weights[None, :], axis=1)
        return jnp.sum(turned**2 / self.spectrum)

    def solve(self, residual: PerObs) -> PerObs:
        """The inverse times a residual."""
        return self.vectors @ ((self.vectors.T @ residual) / self.spectrum)

    def precisions(self) -> PerObs:
        """Diagonal of the inverse."""
        return self.vectors**2 @ (1.0 / self.spectrum)


def _from_zero(steps: Array) -> Array:
    return jnp.concatenate([jnp.zeros(1), jnp.cumsum(steps)])
