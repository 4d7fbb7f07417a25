"""A model with one rate and one noise as a NumPyro program: its priors, and draws from them.

Apart from `effbayes.models.trend_model`, so that a run whose compiled program is at hand does not
wait for NumPyro to be imported.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import constraints
from numpyro.infer.util import log_density

from effbayes.arrays import RandomKey, Scalar
from effbayes.models.contract import Data, Parameters
from effbayes.models.numpyro_stack import ALONE
from effbayes.models.priors import TrendPriors
from effbayes.trend import rate_per_year


@dataclass(frozen=True)
class TrendProgram(ABC):
    """Sites alpha, doubling_time or rate, sigma, the model's own, y."""

    priors: TrendPriors

    @abstractmethod
    def observed(self, values: Parameters, data: Data) -> dist.Distribution:
        """Distribution of the rows' log2 values at given parameters."""

    def own(self) -> dict[str, Scalar]:
        """Sample the sites of the model's own parameters."""
        return {}

    def __call__(self, data: Data) -> None:
        """Run the program."""
        values = sample_trend(self.priors, data) | self.own()
        observed = self.observed(values, data)
        with numpyro.plate("obs", data.y.shape[0]), numpyro.handlers.mask(mask=data.mask):
            numpyro.sample("y", observed, obs=data.y)

    def log_joint(self, sites: Parameters, data: Data) -> Scalar:
        """Log density of prior and data at the values of the sites."""
        with ALONE:
            return log_density(self, (data,), {}, dict(sites))[0]

    def prior_draw(self, key: RandomKey, data: Data) -> dict[str, Scalar]:
        """One draw of every site but the data, and the rate."""
        seeded = numpyro.handlers.seed(self, key)
        with ALONE:
            trace = numpyro.handlers.trace(seeded).get_trace(data)
        values = {
            name: site["value"]
            for name, site in trace.items()
            if site["type"] == "sample" and not site["is_observed"]
        }
        if "doubling_time" in values:
            values["rate"] = rate_per_year(values["doubling_time"])
        return values


def sample_trend(priors: TrendPriors, data: Data) -> dict[str, Scalar]:
    """Sample alpha, the rate (or the doubling time that it follows from) and sigma."""
    flat = priors.kind == "reference"
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
        # As `numpyro.factor` does it, which fails where ArviZ was imported first: the stand-in that
        # ArviZ leaves for NumPyro loads its distributions twice, without their submodules' names.
        flat_in_log = dist.Unit(-jnp.log(sigma))
        numpyro.sample("flat_in_log_sigma", flat_in_log, obs=flat_in_log.sample(None))
    else:
        sigma = numpyro.sample("sigma", dist.HalfNormal(priors.sigma_scale))
    return {"alpha": alpha, "rate": rate, "sigma": sigma}


def scale_of_rows(values: Mapping[str, Any], data: Data) -> Any:
    """Standard deviation of each row: noise, measurement and date; dims (obs,)."""
    return jnp.sqrt(values["sigma"] ** 2 + data.value_sd**2 + (values["rate"] * data.date_sd) ** 2)


def _flat(support: Any) -> dist.Distribution:
    return dist.ImproperUniform(support, (), ())
