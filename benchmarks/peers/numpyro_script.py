"""The plain script: the same posterior as NumPyro's and ArviZ's documentation teach it.

Model, data, priors and sizes are those of

    effbayes sample --domain imagenet --series alexnet-training --point-values

with 4 chains of 1,000 + 1,000 steps. (Interval censoring is left out: it would cost this script the
arithmetic that effbayes brings with it, and its absence makes the comparison harder for effbayes,
whose program has that arithmetic all the same.)
"""

from __future__ import annotations

import arviz as az
import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
import pandas as pd
from alexnet import DATES, VALUES
from numpyro.infer import MCMC, NUTS


def model(t, y):
    alpha = numpyro.sample("alpha", dist.Normal(y.mean(), 10.0))
    doubling_time = numpyro.sample("doubling_time", dist.LogNormal(jnp.log(18.0), 1.2))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1.0))
    rate = numpyro.deterministic("rate", 12.0 / doubling_time)
    numpyro.sample("y", dist.Normal(alpha - rate * t, sigma), obs=y)


def main() -> None:
    numpyro.enable_x64()
    dates = pd.to_datetime(pd.Series(DATES))
    t = jnp.array((dates - dates.mean()).dt.total_seconds() / 86400.0 / 365.25)
    y = jnp.log2(jnp.array(VALUES))
    mcmc = MCMC(
        NUTS(model, target_accept_prob=0.95),
        num_warmup=1000,
        num_samples=1000,
        num_chains=4,
        chain_method="sequential",
        progress_bar=False,
    )
    mcmc.run(jax.random.key(0), t, y)
    print(az.summary(az.from_numpyro(mcmc)))


if __name__ == "__main__":
    main()
