"""The hierarchical model as a NumPyro program: all series at once, and one of them.

Apart from `effbayes.models.hierarchical`, so that a run whose compiled program is at hand does not
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

from effbayes.arrays import RandomKey, Scalar
from effbayes.models.contract import PADDING, Data, Parameters
from effbayes.models.loglinear_program import Observed
from effbayes.models.numpyro_stack import ALONE
from effbayes.models.trend_program import TrendProgram
from effbayes.trend import rate_per_year

if TYPE_CHECKING:
    from effbayes.models.hierarchical import Bounded, Priors


@dataclass(frozen=True)
class Program:
    """Sites mu, tau, s; doubling_time, sigma and alpha with dims (series,); y (series, obs)."""

    priors: Priors
    bounded: Bounded

    def __call__(self, data: Data) -> None:
        """Run the program."""
        population = sample_population(self.priors)
        n_series, n_obs = data.y.shape
        with numpyro.plate("series", n_series, dim=-1):
            values = sample_members(self.priors, population, data)
        observed = self.observed(values, data)
        series = numpyro.plate("series", n_series, dim=-2)
        rows = numpyro.plate("obs", n_obs, dim=-1)
        with series, rows, numpyro.handlers.mask(mask=data.mask):
            numpyro.sample("y", observed, obs=data.y)

    def observed(self, values: Parameters, data: Data) -> ObservedMany:
        """Distribution of the log2 values of all series at given parameters."""
        return ObservedMany(
            data, values["alpha"], values["rate"], values["sigma"], bounded=self.bounded
        )

    def log_joint(self, values: Parameters, data: Data) -> Scalar:
        """Log density of prior and data at the values of the sites."""
        with ALONE:
            return log_density(self, (data,), {}, dict(values))[0]

    def prior_draw(self, key: RandomKey, data: Data) -> dict[str, Array]:
        """One draw of every site but the data, the rates, and a domain not yet seen."""
        # NumPyro splits its key, and a part of a split key is that key folded with a number.
        key_sites, key_new = jax.random.split(key)
        seeded = numpyro.handlers.seed(self, key_sites)
        with ALONE:
            trace = numpyro.handlers.trace(seeded).get_trace(data)
        sites = ("mu", "tau", "s", "doubling_time", "sigma", "alpha")
        values = {name: trace[name]["value"] for name in sites}
        return values | {
            "rate": rate_per_year(values["doubling_time"]),
            "doubling_time_typical": jnp.exp(values["mu"]),
            "doubling_time_new": jnp.exp(values["mu"] + values["tau"] * jax.random.normal(key_new)),
        }


@dataclass(frozen=True)
class MemberProgram(TrendProgram):
    """One series and its population: sites mu, tau, s, doubling_time, sigma, alpha, y."""

    priors: Priors
    censored: bool

    def observed(self, values: Parameters, data: Data) -> Observed:
        """The likelihood at given parameters."""
        trend = (values["alpha"], values["rate"], values["sigma"])
        return _observed(data, trend, censored=self.censored)

    def __call__(self, data: Data) -> None:
        """Run the program."""
        values = sample_members(self.priors, sample_population(self.priors), data)
        observed = self.observed(values, data)
        with numpyro.plate("obs", data.y.shape[0]), numpyro.handlers.mask(mask=data.mask):
            numpyro.sample("y", observed, obs=data.y)


def sample_population(priors: Priors) -> dict[str, Scalar]:
    """Sample what the series have in common."""
    median = jnp.log(priors.doubling_time_median)
    return {
        "mu": numpyro.sample("mu", dist.Normal(median, priors.doubling_time_sdlog)),
        "tau": numpyro.sample("tau", dist.HalfNormal(priors.tau_scale)),
        "s": numpyro.sample("s", dist.HalfNormal(priors.sigma_scale)),
    }


def sample_members(priors: Priors, population: dict[str, Scalar], data: Data) -> dict[str, Array]:
    """Sample doubling time, noise and level given the population, of one series or in a plate."""
    time = dist.LogNormal(population["mu"], population["tau"])
    noise = dist.LogNormal(jnp.log(population["s"]), priors.sigma_spread)
    return {
        "rate": rate_per_year(numpyro.sample("doubling_time", time)),
        "sigma": numpyro.sample("sigma", noise),
        "alpha": numpyro.sample("alpha", dist.Normal(data.y_mean, priors.alpha_sd)),
    }


class ObservedMany(dist.Distribution):
    """Distribution of the log2 values of several series, each as in the log-linear model.

    Parameters
    ----------
    data
        Dims (series, obs).
    alpha, rate, sigma
        Dims (series,).
    bounded
        Where bounds may occur.
    """

    support = constraints.real

    def __init__(
        self, data: Data, alpha: Array, rate: Array, sigma: Array, *, bounded: Bounded
    ) -> None:
        self.data, self.values, self.bounded = data, (alpha, rate, sigma), bounded
        super().__init__(batch_shape=jnp.shape(data.y))

    def log_prob(self, value: Array) -> Array:
        """Log-density of exact rows, log-probability of the interval for censored ones."""
        every: Any = jax.vmap(lambda data, values, y: _observed(data, values).log_prob(y))
        exact = every(self.data, self.values, value)
        # An interval costs fifty times an exact row, so only rows that may have bounds pay for it.
        rows = min(self.bounded.rows, self.batch_shape[1])
        for i in self.bounded.series:
            columns = {name: getattr(self.data, name)[i, :rows] for name in PADDING}
            scalars = {
                name: column[i]
                for name, column in self.data._asdict().items()
                if name not in PADDING
            }
            values = (self.values[0][i], self.values[1][i], self.values[2][i])
            one = _observed(Data(**columns, **scalars), values, censored=True)
            inside = one.log_prob(value[i, :rows])
            exact = jax.lax.dynamic_update_slice(exact, inside[None], (i, 0))
        return exact

    def sample(self, key: RandomKey, sample_shape: tuple[int, ...] = ()) -> Array:
        """New log2 values, uncensored."""
        keys = jax.random.split(key, self.batch_shape[0])
        draw: Any = jax.vmap(
            lambda data, values, key: _observed(data, values).sample(key, sample_shape)
        )
        return jnp.moveaxis(draw(self.data, self.values, keys), 0, -2)


def _observed(
    data: Data, values: tuple[Array, Array, Array], *, censored: bool = False
) -> Observed:
    alpha, rate, sigma = values
    return Observed(data, alpha, rate, sigma, None, censored=censored)
