"""The same posterior with PyMC's own sampler, as its documentation teaches it."""

from __future__ import annotations

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
from alexnet import DATES, VALUES


def main() -> None:
    dates = pd.to_datetime(pd.Series(DATES))
    t = ((dates - dates.mean()).dt.total_seconds() / 86400.0 / 365.25).to_numpy()
    y = np.log2(VALUES)
    with pm.Model():
        alpha = pm.Normal("alpha", y.mean(), 10.0)
        doubling_time = pm.LogNormal("doubling_time", np.log(18.0), 1.2)
        sigma = pm.HalfNormal("sigma", 1.0)
        rate = pm.Deterministic("rate", 12.0 / doubling_time)
        pm.Normal("y", alpha - rate * t, sigma, observed=y)
        trace = pm.sample(draws=1000, tune=1000, chains=4, progressbar=False)
    print(az.summary(trace))


if __name__ == "__main__":
    main()
