"""Pooled posteriors with PyStan: a program, not centred, built once, sampled with other data.

A task's `target_accept` is the sampler's; the data sets are those of `many_pooled.py`.
"""

from __future__ import annotations

from dataclasses import replace

import many_shared
import numpy as np
import stan

PROGRAM = """
data {
  int<lower=2> n;
  int<lower=2> series;
  array[n] int of;
  vector[n] t;
  vector[n] y;
  vector[series] centre;
}
parameters {
  real mu;
  real<lower=0> tau;
  real<lower=0> s;
  vector[series] time_from_mean;
  vector[series] noise_from_median;
  vector[series] alpha;
}
transformed parameters {
  vector[series] rate = 12 * exp(-(mu + tau * time_from_mean));
  vector[series] sigma = s * exp(0.5 * noise_from_median);
}
model {
  mu ~ normal(log(18), 1.2);
  tau ~ normal(0, 1);
  s ~ normal(0, 1);
  time_from_mean ~ normal(0, 1);
  noise_from_median ~ normal(0, 1);
  alpha ~ normal(centre, 10);
  y ~ normal(alpha[of] - rate[of] .* t, sigma[of]);
}
"""
CHAINS, DRAWS = 4, 1000


def main() -> None:
    asked = many_shared.task()
    with np.load(asked["data"]) as kept:
        t, of, y, centre = (kept[name] for name in ("t", "of", "y", "centre"))
    y = y[: asked["sets"]]

    def data(values: np.ndarray) -> dict[str, object]:
        return {
            "n": len(t),
            "series": len(centre),
            "of": (of + 1).tolist(),
            "t": t.tolist(),
            "y": values.tolist(),
            "centre": centre.tolist(),
        }

    built = stan.build(PROGRAM, data=data(y[0]), random_seed=1)

    def fit(number: int, values: np.ndarray) -> tuple[np.ndarray, int]:
        made = replace(built, data=data(values), random_seed=number)
        found = made.sample(num_chains=CHAINS, num_samples=DRAWS, delta=asked["target_accept"])
        by_chain = {
            name: found[name].reshape(-1, DRAWS, CHAINS).swapaxes(1, 2)
            for name in ("tau", "s", *many_shared.NAMES)
        }
        members = [by_chain[name][i] for i in range(len(centre)) for name in many_shared.NAMES]
        draws = np.stack([by_chain["tau"][0], by_chain["s"][0], *members])
        return draws, int(found["divergent__"].sum())

    fit(10**6, y[0])  # starts what is started once
    many_shared.in_turn(asked, fit, y)


if __name__ == "__main__":
    main()
