"""Pooled posteriors with nutpie: PyMC's model, not centred, compiled once, refitted with new data.

A task's `target_accept` is the sampler's; the data sets are those of `many_pooled.py`.
"""

from __future__ import annotations

import many_shared
import numpy as np
import nutpie
import pymc as pm

CHAINS, DRAWS = 4, 1000


def compiled(t: np.ndarray, of: np.ndarray, y: np.ndarray, centre: np.ndarray):
    series = len(centre)
    with pm.Model() as model:
        values = pm.Data("values", y)
        mu = pm.Normal("mu", np.log(18.0), 1.2)
        tau = pm.HalfNormal("tau", 1.0)
        s = pm.HalfNormal("s", 1.0)
        time = pm.Normal("time_from_mean", 0.0, 1.0, shape=series)
        noise = pm.Normal("noise_from_median", 0.0, 1.0, shape=series)
        alpha = pm.Normal("alpha", centre, 10.0)
        rate = pm.Deterministic("rate", 12.0 * pm.math.exp(-(mu + tau * time)))
        sigma = pm.Deterministic("sigma", s * pm.math.exp(0.5 * noise))
        pm.Normal("y", alpha[of] - rate[of] * t, sigma[of], observed=values)
    return nutpie.compile_pymc_model(model)


def quantities(posterior) -> np.ndarray:
    """Draws in the order of the lanes, dims (quantity, chain, draw)."""
    of_members = [posterior[name].to_numpy() for name in many_shared.NAMES]
    members = [each[..., i] for i in range(of_members[0].shape[-1]) for each in of_members]
    return np.stack([posterior["tau"].to_numpy(), posterior["s"].to_numpy(), *members])


def main() -> None:
    asked = many_shared.task()
    with np.load(asked["data"]) as kept:
        t, of, y, centre = (kept[name] for name in ("t", "of", "y", "centre"))
    y = y[: asked["sets"]]
    model = compiled(t, of, y[0], centre)

    def fit(number: int, values: np.ndarray) -> tuple[np.ndarray, int]:
        trace = nutpie.sample(
            model.with_data(values=values),
            chains=CHAINS,
            draws=DRAWS,
            seed=number,
            target_accept=asked["target_accept"],
            save_warmup=False,
            progress_bar=False,
        )
        return quantities(trace.posterior), int(trace.sample_stats["diverging"].sum())

    fit(0, y[0])  # compiles what is left
    many_shared.in_turn(asked, fit, y)


if __name__ == "__main__":
    main()
