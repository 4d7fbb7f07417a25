"""The stochastic frontier as a NumPyro program: priors, likelihood, and draws from the prior.

Apart from `effbayes.models.frontier`, so that a run whose compiled program is at hand does not wait
for NumPyro to be imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array
from numpyro.distributions import constraints

from effbayes.arrays import PerObs, RandomKey, Scalar
from effbayes.models import emg
from effbayes.models.contract import Data, Parameters, is_censored, mean_of_trend
from effbayes.models.trend_program import TrendProgram, scale_of_rows

if TYPE_CHECKING:
    from effbayes.models.frontier import Priors


@dataclass(frozen=True)
class Program(TrendProgram):
    """The NumPyro program; fields as in `effbayes.models.frontier.Frontier`."""

    priors: Priors
    censored: bool

    def own(self) -> dict[str, Scalar]:
        """The mean excess."""
        return {"eta": numpyro.sample("eta", dist.HalfNormal(self.priors.eta_scale))}

    def observed(self, values: Parameters, data: Data) -> Observed:
        """The likelihood at given parameters."""
        return Observed(data, values, censored=self.censored)


class Observed(dist.Distribution):
    """Distribution of the log2 values given the frontier: exact rows and interval-censored ones.

    Parameters
    ----------
    data
        The rows; bounds are part of the distribution, not of the value.
    values
        ``alpha``, ``rate``, ``sigma`` and ``eta``.
    censored
        False where no row has bounds.
    """

    support = constraints.real_vector

    def __init__(self, data: Data, values: Parameters, *, censored: bool) -> None:
        self.data, self.censored = data, censored
        self.loc = mean_of_trend(values["alpha"], values["rate"], data)
        self.scale = scale_of_rows(values, data)
        self.eta = jnp.broadcast_to(values["eta"], jnp.shape(self.loc))
        super().__init__(batch_shape=jnp.shape(self.loc))

    def log_prob(self, value: PerObs) -> PerObs:
        """Log-density of exact rows, log-probability of the interval for censored ones."""
        exact = emg.log_density(self._excess(value), self.scale, self.eta)
        if not self.censored:
            return exact
        inside = is_censored(self.data)
        ends = self._excess(self.data.low), self._excess(self.data.high)
        falling = self.data.slope_sign < 0.0
        low = jnp.where(falling, ends[0], ends[1])
        high = jnp.where(falling, ends[1], ends[0])
        # Elsewhere some interval that is neither empty nor unlikely keeps gradients finite.
        low = jnp.where(inside, low, -self.scale)
        high = jnp.where(inside, high, self.scale)
        interval = emg.log_interval(low, high, self.scale, self.eta)
        return jnp.where(inside, interval, exact)

    def sample(self, key: RandomKey, sample_shape: tuple[int, ...] = ()) -> Array:
        """New log2 values, uncensored."""
        shape = sample_shape + self.batch_shape
        key_noise, key_excess = jax.random.split(key)
        excess = self.eta * jax.random.exponential(key_excess, shape)
        noise = self.scale * jax.random.normal(key_noise, shape)
        return self.loc - self.data.slope_sign * excess + noise

    def _excess(self, value: PerObs) -> PerObs:
        """Doublings less efficient than the frontier; infinite for an infinite bound."""
        finite = jnp.isfinite(value)
        away = -self.data.slope_sign * (jnp.where(finite, value, 0.0) - self.loc)
        return jnp.where(finite, away, -self.data.slope_sign * value)
