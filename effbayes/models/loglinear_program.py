"""The log-linear model as a NumPyro program: priors, likelihood, and draws from the prior.

Apart from `effbayes.models.loglinear`, so that a run whose compiled program is at hand does not
wait for NumPyro to be imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array
from numpyro.distributions import constraints
from numpyro.infer.util import log_density

from effbayes.arrays import PerObs, RandomKey, Scalar
from effbayes.models.censoring import (
    log_density_student_t,
    log_interval_normal,
    log_interval_student_t,
)
from effbayes.models.contract import Data, Parameters, is_censored, mean_of_trend
from effbayes.trend import rate_per_year

if TYPE_CHECKING:
    from effbayes.models.loglinear import Priors


@dataclass(frozen=True)
class Program:
    """The NumPyro program; fields as in `effbayes.models.loglinear.LogLinear`."""

    priors: Priors
    robust: bool
    censored: bool

    def __call__(self, data: Data) -> None:
        """Sites alpha, doubling_time or rate, sigma, (nu,) y."""
        priors, flat = self.priors, self.priors.kind == "reference"
        if flat:
            alpha = numpyro.sample("alpha", _flat(constraints.real))
        else:
            alpha = numpyro.sample("alpha", dist.Normal(data.y_mean, priors.alpha_sd))
        if priors.kind == "default":
            prior = dist.LogNormal(jnp.log(priors.doubling_time_median), priors.doubling_time_sdlog)
            rate = rate_per_year(numpyro.sample("doubling_time", prior))
        else:
            rate = numpyro.sample(
                "rate", _flat(constraints.real) if flat else dist.Normal(0.0, priors.rate_sd)
            )
        if flat:
            sigma = numpyro.sample("sigma", _flat(constraints.positive))
            numpyro.factor("flat_in_log_sigma", -jnp.log(sigma))
        else:
            sigma = numpyro.sample("sigma", dist.HalfNormal(priors.sigma_scale))
        nu = None
        if self.robust:
            nu = numpyro.sample("nu", dist.Gamma(priors.nu_shape, priors.nu_rate))
        observed = Observed(data, alpha, rate, sigma, nu, censored=self.censored)
        with numpyro.plate("obs", data.y.shape[0]), numpyro.handlers.mask(mask=data.mask):
            numpyro.sample("y", observed, obs=data.y)

    def log_joint(self, sites: Parameters, data: Data) -> Scalar:
        """Log density of prior and data at the values of the sites."""
        return log_density(self, (data,), {}, dict(sites))[0]

    def prior_draw(self, key: RandomKey, data: Data) -> dict[str, Scalar]:
        """One draw of every site but the data, and the rate."""
        seeded = numpyro.handlers.seed(self, key)
        trace = numpyro.handlers.trace(seeded).get_trace(data)
        names = ("alpha", "sigma", "nu", "doubling_time", "rate")
        values = {name: trace[name]["value"] for name in names if name in trace}
        if "doubling_time" in values:
            values["rate"] = rate_per_year(values["doubling_time"])
        return values

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
        self.scale = jnp.sqrt(sigma**2 + data.value_sd**2 + (rate * data.date_sd) ** 2)
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


def _flat(support: Any) -> dist.Distribution:
    return dist.ImproperUniform(support, (), ())
