"""Many posteriors with NumPyro's NUTS in one compiled program, data sets in turn or side by side.

A task's `side_by_side` is how many data sets go through the program in lock step (`vmap`); 1 takes
them in turn (`lax.map`). The four chains of a data set are in lock step either way.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import many_shared
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer.hmc import hmc
from numpyro.infer.util import initialize_model

CHAINS, WARMUP, DRAWS = 4, 1000, 1000


def program(sets: many_shared.Sets, side_by_side: int):
    def model(y):
        alpha = numpyro.sample("alpha", dist.Normal(sets.centre, 10.0))
        doubling_time = numpyro.sample("doubling_time", dist.LogNormal(jnp.log(18.0), 1.2))
        sigma = numpyro.sample("sigma", dist.HalfNormal(1.0))
        rate = numpyro.deterministic("rate", 12.0 / doubling_time)
        numpyro.sample("y", dist.Normal(alpha - rate * sets.t, sigma), obs=y)

    def chain(key, y):
        key_start, key_chain = jax.random.split(key)
        start, potential, values_at, _ = initialize_model(
            key_start, model, model_args=(y,), dynamic_args=True, validate_grad=False
        )
        init_kernel, step = hmc(potential_fn_gen=potential, algo="NUTS")
        state = init_kernel(start, num_warmup=WARMUP, rng_key=key_chain, model_args=(y,))
        state = jax.lax.fori_loop(0, WARMUP, lambda _, at: step(at, (y,)), state)

        def draw(state, _):
            state = step(state, (y,))
            return state, state.z

        _, positions = jax.lax.scan(draw, state, length=DRAWS)
        values = jax.vmap(values_at(y))(positions)
        return jnp.stack([values[name] for name in many_shared.NAMES])

    def fit(lane):
        number, y = lane
        keys = jax.random.split(jax.random.fold_in(jax.random.key(1), number), CHAINS)
        return jnp.moveaxis(jax.vmap(lambda key: chain(key, y))(keys), 0, 1)

    batch = None if side_by_side == 1 else side_by_side
    return jax.jit(lambda numbers, y: jax.lax.map(fit, (numbers, y), batch_size=batch))


def main() -> None:
    asked = many_shared.task()
    numpyro.enable_x64()
    sets = many_shared.sets_of(asked)
    call = program(sets, asked["side_by_side"])
    parts = many_shared.parts_of(sets, asked["side_by_side"])
    run = lambda part: np.asarray(call(*part))  # noqa: E731
    run(parts[0])
    with many_shared.Clock() as clock:
        draws = many_shared.in_threads(run, parts, asked["threads"])
    many_shared.answer(asked, many_shared.figures(np.concatenate(draws), clock))


if __name__ == "__main__":
    main()
