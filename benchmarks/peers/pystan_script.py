"""The same posterior with PyStan, as its documentation teaches it; compiles its C++ each time."""

from __future__ import annotations

import arviz as az
import numpy as np
import pandas as pd
import stan
from alexnet import DATES, VALUES

PROGRAM = """
data {
  int<lower=2> n;
  vector[n] t;
  vector[n] y;
}
parameters {
  real alpha;
  real<lower=0> doubling_time;
  real<lower=0> sigma;
}
transformed parameters {
  real rate = 12 / doubling_time;
}
model {
  alpha ~ normal(mean(y), 10);
  doubling_time ~ lognormal(log(18), 1.2);
  sigma ~ normal(0, 1);
  y ~ normal(alpha - rate * t, sigma);
}
"""


def main() -> None:
    dates = pd.to_datetime(pd.Series(DATES))
    t = ((dates - dates.mean()).dt.total_seconds() / 86400.0 / 365.25).to_numpy()
    data = {"n": len(DATES), "t": t.tolist(), "y": np.log2(VALUES).tolist()}
    fit = stan.build(PROGRAM, data=data, random_seed=1).sample(
        num_chains=4, num_warmup=1000, num_samples=1000
    )
    names = ("alpha", "doubling_time", "sigma", "rate")
    draws = {name: fit[name].reshape(1000, 4).T for name in names}
    print(az.summary(az.from_dict({"posterior": draws})))


if __name__ == "__main__":
    main()
