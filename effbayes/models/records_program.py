r"""The records model as a NumPyro program: truncated likelihood, and draws below a record.

Apart from `effbayes.models.records`, so that a run whose compiled program is at hand does not wait
for NumPyro to be imported.

A record far below the trend has a density whose numerator and denominator both fall like
:math:`e^{-b^2/2}`. With g = b - z > 0 the gap between a record and the one it beat, both in units
of the noise, their ratio is

.. math::

    \frac{\varphi(z)}{\Phi(b)} = \frac{e^{g b - g^2/2}}{R(b)}, \qquad
    R(b) = \frac{\Phi(b)}{\varphi(b)} = \sqrt{\pi/2}\;\mathrm{erfcx}(-b/\sqrt 2),

in which nothing cancels for b <= 0. For b > 0 the two logarithms are subtracted as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax import Array
from jax.scipy.special import erfcx, log_ndtr, ndtr, ndtri
from numpyro.distributions import constraints

from effbayes.arrays import Elements, PerObs, RandomKey
from effbayes.models.censoring import log_interval_normal
from effbayes.models.contract import Data, Parameters, is_censored, mean_of_trend
from effbayes.models.trend_program import TrendProgram, scale_of_rows

if TYPE_CHECKING:
    from effbayes.models.records import Priors

_LOG_2PI = float(np.log(2.0 * np.pi))
_NEWTON_STEPS = 6


@dataclass(frozen=True)
class Program(TrendProgram):
    """The NumPyro program; fields as in `effbayes.models.records.Records`."""

    priors: Priors
    censored: bool

    def observed(self, values: Parameters, data: Data) -> Observed:
        """The likelihood at given parameters."""
        return Observed(data, values, censored=self.censored)


class Observed(dist.Distribution):
    """Distribution of the log2 values given the trend, each better than the record it beat.

    Inside, values are costs: those of a rising series are mirrored.

    Parameters
    ----------
    data
        The rows; bounds and records are part of the distribution, not of the value.
    values
        With ``alpha``, ``rate`` and ``sigma``.
    censored
        False where no row has bounds.
    """

    support = constraints.real_vector

    def __init__(self, data: Data, values: Parameters, *, censored: bool) -> None:
        self.data, self.censored = data, censored
        self.sign = -data.slope_sign
        self.loc = self.sign * mean_of_trend(values["alpha"], values["rate"], data)
        self.scale = scale_of_rows(values, data)
        record = record_beaten(data)
        self.first = jnp.isinf(record)
        # Rows that beat nothing have a stand-in, so that their gradients stay finite.
        self.record = jnp.where(self.first, 0.0, record)
        self.bound = jnp.where(self.first, 0.0, (self.record - self.loc) / self.scale)
        super().__init__(batch_shape=jnp.shape(self.loc))

    def log_prob(self, value: PerObs) -> PerObs:
        """Log-density of exact rows, log-probability of the interval for censored ones."""
        cost = self.sign * value
        z = (cost - self.loc) / self.scale
        gap = jnp.where(self.first, 0.0, (self.record - cost) / self.scale)
        free = -0.5 * (z**2 + _LOG_2PI)
        exact = jnp.where(self.first, free, log_density_below(gap, self.bound))
        exact -= jnp.log(self.scale)
        if not self.censored:
            return exact
        return jnp.where(is_censored(self.data), self._log_interval(), exact)

    def sample(self, key: RandomKey, sample_shape: tuple[int, ...] = ()) -> Array:
        """New log2 values, each better than the record observed before it, uncensored."""
        key_free, key_below = jax.random.split(key)
        shape = sample_shape + self.batch_shape
        free = self.loc + self.scale * jax.random.normal(key_free, shape)
        gap = gap_below(jax.random.uniform(key_below, shape), self.bound)
        return self.sign * jnp.where(self.first, free, self.record - self.scale * gap)

    def _log_interval(self) -> PerObs:
        """Log-probability of lying between the bounds, given that the record is beaten."""
        inside, data = is_censored(self.data), self.data
        falling = self.sign > 0.0
        low = jnp.where(falling, data.low, -data.high)
        high = jnp.where(falling, data.high, -data.low)
        high = jnp.minimum(high, jnp.where(self.first, jnp.inf, self.record))
        # A row that can lie anywhere below its record says nothing.
        says = inside & (jnp.isfinite(low) | (high < self.record) | self.first)
        low = jnp.where(says, self._standardized(low), -1.0)
        high = jnp.where(says, self._standardized(high), 1.0)
        possible = jnp.where(self.first, 0.0, log_ndtr(self.bound))
        return jnp.where(says, log_interval_normal(low, high) - possible, 0.0)

    def _standardized(self, bound: PerObs) -> PerObs:
        """Bounds in units of the noise; an infinite one stays so, with a gradient of zero."""
        finite = jnp.isfinite(bound)
        return jnp.where(finite, (jnp.where(finite, bound, 0.0) - self.loc) / self.scale, bound)


def record_beaten(data: Data) -> PerObs:
    """Lowest cost in log2 of the rows before each, infinite for the first and for padding.

    Before is by date, and by the order of the rows within a date; rows need not be sorted. The
    costs of a rising series are its values mirrored.
    """
    order = jnp.argsort(data.t, stable=True)
    cost = jnp.where(data.mask, -data.slope_sign * data.y, jnp.inf)
    lowest = jax.lax.cummin(cost[order])
    before = jnp.concatenate([jnp.full((1,), jnp.inf, lowest.dtype), lowest[:-1]])
    beaten = jnp.zeros_like(before).at[order].set(before)
    return jnp.where(data.mask, beaten, jnp.inf)


def log_density_below(gap: Elements, bound: Elements) -> Elements:
    """Log-density of the standard normal truncated above.

    Parameters
    ----------
    gap
        How far below the bound, > 0; as an argument of its own it costs no digits.
    bound
        Where it is truncated; of the shape of `gap`.
    """
    tail = bound <= 0.0
    below = jnp.where(tail, bound, 0.0)
    by_ratio = gap * below - 0.5 * gap**2 - _log_ratio(below)
    above = jnp.where(tail, 0.0, bound)
    plain = -0.5 * ((above - gap) ** 2 + _LOG_2PI) - log_ndtr(above)
    return jnp.where(tail, by_ratio, plain)


def gap_below(probability: Elements, bound: Elements) -> Elements:
    """How far below its upper bound a truncated standard normal lies with a given probability.

    Inverts the survival function of the gap: decreasing in `probability`. In the tail by Newton
    steps on its logarithm, which is concave: from a start on the right they come down to the root
    and never pass it.

    Parameters
    ----------
    probability
        In [0, 1).
    bound
        Of the same shape.
    """
    tail = bound <= 0.0
    below = jnp.where(tail, bound, 0.0)
    least = float(np.finfo(np.float64).tiny)
    target = jnp.log(jnp.maximum(probability, least))
    # Where exp(g b - g**2 / 2) alone is the probability; the ratio of R's makes it less.
    gap = -2.0 * target / (jnp.sqrt(below**2 - 2.0 * target) - below)
    at_bound = _log_ratio(below)
    for _ in range(_NEWTON_STEPS):
        ratio = _log_ratio(below - gap)
        log_survival = gap * below - 0.5 * gap**2 + ratio - at_bound
        gap += (log_survival - target) * jnp.exp(ratio)
    above = jnp.where(tail, 0.0, bound)
    plain = above - ndtri(jnp.maximum(probability * ndtr(above), least))
    return jnp.where(tail, gap, plain)


def _log_ratio(z: Elements) -> Elements:
    """Log of ``Phi(z) / phi(z)`` for z <= 0."""
    return jnp.log(jnp.sqrt(0.5 * jnp.pi) * erfcx(-z * jnp.sqrt(0.5)))
