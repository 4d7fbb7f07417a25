"""Many posteriors with nutpie: PyMC's model compiled once, refitted with other data."""

from __future__ import annotations

import many_shared
import numpy as np
import nutpie
import pymc as pm

CHAINS, DRAWS = 4, 1000


def compiled(sets: many_shared.Sets) -> nutpie.sample.CompiledModel:
    with pm.Model() as model:
        values = pm.Data("values", sets.y[0])
        alpha = pm.Normal("alpha", sets.centre, 10.0)
        doubling_time = pm.LogNormal("doubling_time", np.log(18.0), 1.2)
        sigma = pm.HalfNormal("sigma", 1.0)
        rate = pm.Deterministic("rate", 12.0 / doubling_time)
        pm.Normal("y", alpha - rate * sets.t, sigma, observed=values)
    return nutpie.compile_pymc_model(model)


def main() -> None:
    asked = many_shared.task()
    sets = many_shared.sets_of(asked)
    model = compiled(sets)

    def fit(number: int, values: np.ndarray) -> np.ndarray:
        trace = nutpie.sample(
            model.with_data(values=values),
            chains=CHAINS,
            draws=DRAWS,
            seed=number,
            save_warmup=False,
            progress_bar=False,
        )
        return np.stack([trace.posterior[name].to_numpy() for name in many_shared.NAMES])

    fit(0, sets.y[0])  # compiles what is left
    with many_shared.Clock() as clock:
        draws = [fit(number, values) for number, values in enumerate(sets.y, 1)]
    many_shared.answer(asked, many_shared.figures(np.stack(draws), clock))


if __name__ == "__main__":
    main()
