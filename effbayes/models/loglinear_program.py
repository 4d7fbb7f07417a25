"""The log-linear model as a NumPyro program: priors, likelihood, and draws from the prior.

Apart from `effbayes.models.loglinear`, so that a run whose compiled program is at hand does not
wait for NumPyro to be imported.
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
from effbayes.models.censoring import (
    log_density_student_t,
    log_interval_normal,
    log_interval_student_t,
)
from effbayes.models.contract import Data, Parameters, is_censored, mean_of_trend
from effbayes.models.trend_program import TrendProgram, scale_of_rows

if TYPE_CHECKING:
    from effbayes.models.loglinear import Priors


@dataclass(frozen=True)
class Program(TrendProgram):
    """The NumPyro program; fields as in `effbayes.models.loglinear.LogLinear`."""

    priors: Priors
    robust: bool
    censored: bool

    def own(self) -> dict[str, Scalar]:
        """Degrees of freedom, where the noise has them."""
        if not self.robust:
            return {}
        prior = dist.Gamma(self.priors.nu_shape, self.priors.nu_rate)
        return {"nu": numpyro.sample("nu", prior)}

    def observed(self, values: Parameters, data: Data) -> Observed:
        """The likelihood at given parameters."""
        return Observed(
            data,
            values["alpha"],
            values["rate"],
            values["sigma"],
            values.get("nu"),
            censored=self.censored,
        )


class Observed(dist.Distribution):
    """Distribution of the log2 values given the trend: exact rows and interval-censored ones.

    Parameters
    ----------
    data
        The rows; bounds are part of the distribution, not of the value.
    alpha, rate, sigma, nu
        Parameters; `nu` None means normal noise.
    censored
        False where no row has bounds.
    """

    support = constraints.real_vector

    def __init__(
        self,
        data: Data,
        alpha: Scalar,
        rate: Scalar,
        sigma: Scalar,
        nu: Scalar | None,
        *,
        censored: bool,
    ) -> None:
        self.data, self.nu, self.censored = data, nu, censored
        self.loc = mean_of_trend(alpha, rate, data)
        self.scale = scale_of_rows({"sigma": sigma, "rate": rate}, data)
        super().__init__(batch_shape=jnp.shape(self.loc))

    def log_prob(self, value: PerObs) -> PerObs:
        """Log-density of exact rows, log-probability of the interval for censored ones."""
        z = (value - self.loc) / self.scale
        if self.nu is None:
            exact = -0.5 * (z**2 + jnp.log(2.0 * jnp.pi)) - jnp.log(self.scale)
        else:
            exact = log_density_student_t(z, self.nu) - jnp.log(self.scale)
        if not self.censored:
            return exact
        inside = is_censored(self.data)
        low = jnp.where(inside, self._standardized(self.data.low), -1.0)
        high = jnp.where(inside, self._standardized(self.data.high), 1.0)
        if self.nu is None:
            interval = log_interval_normal(low, high)
        else:
            interval = log_interval_student_t(low, high, self.nu)
        return jnp.where(inside, interval, exact)

    def _standardized(self, bound: PerObs) -> PerObs:
        """Bounds in units of the noise; an infinite one stays so, with a gradient of zero."""
        finite = jnp.isfinite(bound)
        return jnp.where(finite, (jnp.where(finite, bound, 0.0) - self.loc) / self.scale, bound)

    def sample(self, key: RandomKey, sample_shape: tuple[int, ...] = ()) -> Array:
        """New log2 values, uncensored."""
        shape = sample_shape + self.batch_shape
        if self.nu is None:
            return self.loc + self.scale * jax.random.normal(key, shape)
        return self.loc + self.scale * jax.random.t(key, self.nu, shape)
