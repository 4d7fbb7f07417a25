"""The changepoint model as a NumPyro program: priors, likelihood, and draws from the prior.

Apart from `effbayes.models.changepoint`, so that a run whose compiled program is at hand does not
wait for NumPyro to be imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.infer.util import log_density

from effbayes.arrays import RandomKey, Scalar
from effbayes.models.broken_line import mean_of_broken_line, range_of_change, scale_of_side
from effbayes.models.contract import Data, Parameters
from effbayes.models.loglinear_program import Observed
from effbayes.models.numpyro_stack import ALONE
from effbayes.trend import MONTHS_PER_YEAR, rate_per_year

if TYPE_CHECKING:
    from effbayes.models.changepoint import Priors


@dataclass(frozen=True)
class Program:
    """Sites alpha, doubling_time and log_ratio (or rate and change), sigma, changepoint, y."""

    priors: Priors
    bounded: bool

    def __call__(self, data: Data) -> None:
        """Run the program."""
        values = self.trend(data)
        low, high = range_of_change(data)
        values["changepoint"] = numpyro.sample("changepoint", dist.Uniform(low, high))
        observed = self.observed(values, data)
        with numpyro.plate("obs", data.y.shape[0]), numpyro.handlers.mask(mask=data.mask):
            numpyro.sample("y", observed, obs=data.y)

    def trend(self, data: Data) -> dict[str, Scalar]:
        """Sample everything but the date of the change, and the data."""
        priors = self.priors
        alpha = numpyro.sample("alpha", dist.Normal(data.y_mean, priors.alpha_sd))
        if priors.kind == "default":
            prior = dist.LogNormal(jnp.log(priors.doubling_time_median), priors.doubling_time_sdlog)
            middle = rate_per_year(numpyro.sample("doubling_time", prior))
            ratio = numpyro.sample("log_ratio", dist.Normal(0.0, priors.ratio_sdlog))
            before, after = middle * jnp.exp(-0.5 * ratio), middle * jnp.exp(0.5 * ratio)
        else:
            middle = numpyro.sample("rate", dist.Normal(0.0, priors.rate_sd))
            change = numpyro.sample("change", dist.Normal(0.0, priors.change_sd))
            before, after = middle - 0.5 * change, middle + 0.5 * change
        sigma = numpyro.sample("sigma", dist.HalfNormal(priors.sigma_scale))
        return {"alpha": alpha, "rate_before": before, "rate_after": after, "sigma": sigma}

    def observed(self, values: Parameters, data: Data) -> BrokenLine:
        """The likelihood at given parameters, the date of the change among them."""
        return BrokenLine(values, data, censored=self.bounded)

    def log_prior(self, values: Parameters, data: Data) -> Scalar:
        """Log prior density of the sites of `trend`."""
        before, after = values["rate_before"], values["rate_after"]
        sites = {"alpha": values["alpha"], "sigma": values["sigma"]}
        if self.priors.kind == "default":
            sites["doubling_time"] = MONTHS_PER_YEAR / jnp.sqrt(before * after)
            sites["log_ratio"] = jnp.log(after / before)
        else:
            sites["rate"], sites["change"] = 0.5 * (before + after), after - before
        with ALONE:
            return log_density(self.trend, (data,), {}, sites)[0]

    def prior_draw(self, key: RandomKey, data: Data) -> dict[str, Scalar]:
        """One draw of the parameters, the date of the change among them."""
        key_trend, key_change = jax.random.split(key)
        with ALONE:
            values = numpyro.handlers.seed(self.trend, key_trend)(data)
        low, high = range_of_change(data)
        values["changepoint"] = dist.Uniform(low, high).sample(key_change)
        return values


class BrokenLine(Observed):
    """Distribution of the log2 values given the broken line: exact rows and bounded ones.

    Parameters
    ----------
    values
        alpha, rate_before, rate_after, sigma, changepoint.
    data
        The rows; bounds are part of the distribution, not of the value.
    censored
        False where no row has bounds.
    """

    def __init__(self, values: Parameters, data: Data, *, censored: bool) -> None:
        self.data, self.nu, self.censored = data, None, censored
        self.loc = mean_of_broken_line(values, values["changepoint"], data)
        before, after = (
            scale_of_side(values[name], values["sigma"], data)
            for name in ("rate_before", "rate_after")
        )
        self.scale = jnp.where(data.t > values["changepoint"], after, before)
        dist.Distribution.__init__(self, batch_shape=jnp.shape(self.loc))
