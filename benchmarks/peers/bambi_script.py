"""A linear trend with Bambi, as its documentation teaches it.

Its formulas have no log-normal doubling time: this is the model of ``--prior signed``, the slope
normal around zero, which is as much work to sample.
"""

from __future__ import annotations

import arviz as az
import bambi as bmb
import numpy as np
import pandas as pd
from alexnet import DATES, VALUES


def main() -> None:
    dates = pd.to_datetime(pd.Series(DATES))
    t = (dates - dates.mean()).dt.total_seconds() / 86400.0 / 365.25
    table = pd.DataFrame({"t": t, "y": np.log2(VALUES)})
    priors = {
        "Intercept": bmb.Prior("Normal", mu=float(table["y"].mean()), sigma=10),
        "t": bmb.Prior("Normal", mu=0, sigma=2),
        "sigma": bmb.Prior("HalfNormal", sigma=1),
    }
    model = bmb.Model("y ~ t", table, priors=priors)
    fit = model.fit(draws=1000, tune=1000, chains=4, progressbar=False, random_seed=1)
    print(az.summary(fit))


if __name__ == "__main__":
    main()
