"""Many posteriors with PyStan: a program built once, sampled with other data."""

from __future__ import annotations

from dataclasses import replace

import many_shared
import numpy as np
import stan

PROGRAM = """
data {
  int<lower=2> n;
  vector[n] t;
  vector[n] y;
  real centre;
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
  alpha ~ normal(centre, 10);
  doubling_time ~ lognormal(log(18), 1.2);
  sigma ~ normal(0, 1);
  y ~ normal(alpha - rate * t, sigma);
}
"""
CHAINS, DRAWS = 4, 1000


def main() -> None:
    asked = many_shared.task()
    sets = many_shared.sets_of(asked)

    def data(values: np.ndarray) -> dict[str, object]:
        return {
            "n": len(sets.t),
            "t": sets.t.tolist(),
            "y": values.tolist(),
            "centre": sets.centre,
        }

    built = stan.build(PROGRAM, data=data(sets.y[0]), random_seed=1)

    def fit(number: int, values: np.ndarray) -> np.ndarray:
        made = replace(built, data=data(values), random_seed=number)
        found = made.sample(num_chains=CHAINS, num_samples=DRAWS)
        return np.stack([found[name].reshape(DRAWS, CHAINS).T for name in many_shared.NAMES])

    fit(10**6, sets.y[0])  # starts what is started once
    with many_shared.Clock() as clock:
        draws = [fit(number, values) for number, values in enumerate(sets.y, 1)]
    many_shared.answer(asked, many_shared.figures(np.stack(draws), clock))


if __name__ == "__main__":
    main()
