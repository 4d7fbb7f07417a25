"""Many posteriors with BlackJAX: ChEES-HMC, 16 chains in lock step, data sets in turn.

A task's `side_by_side` is how many data sets go through the program in lock step, as in
`many_numpyro.py`; `warmup` and `number` are steps before the draws, and draws of a chain.
"""

from __future__ import annotations

import blackjax
import jax
import jax.numpy as jnp
import many_shared
import numpy as np
import optax
from jax.scipy import stats

CHAINS = 16
STEP_SIZE = 0.1


def program(sets: many_shared.Sets, side_by_side: int, warmup_steps: int, number: int):
    def values_at(position):
        alpha, log_doubling_time, log_sigma = position
        rate, sigma = 12.0 * jnp.exp(-log_doubling_time), jnp.exp(log_sigma)
        return jnp.stack([rate, alpha, sigma])

    def fit(lane):
        place, y = lane

        def log_density(position):
            rate, alpha, sigma = values_at(position)
            return (
                stats.norm.logpdf(alpha, sets.centre, 10.0)
                + stats.norm.logpdf(position[1], jnp.log(18.0), 1.2)
                + stats.norm.logpdf(sigma)
                + position[2]
                + jnp.sum(stats.norm.logpdf(y, alpha - rate * sets.t, sigma))
            )

        key = jax.random.fold_in(jax.random.key(1), place)
        key_start, key_warmup, key_draws = jax.random.split(key, 3)
        centre = jnp.array([sets.centre, jnp.log(18.0), -0.5])
        starts = centre + jax.random.uniform(key_start, (CHAINS, 3), minval=-1.0, maxval=1.0)
        warmup = blackjax.chees_adaptation(log_density, CHAINS, mass_matrix_estimation="diagonal")
        optimizer = optax.adam(0.02)
        (states, tuned), _ = warmup.run(key_warmup, starts, STEP_SIZE, optimizer, warmup_steps)
        kernel = jax.vmap(blackjax.dhmc(log_density, **tuned).step)

        def draw(states, key):
            states, _ = kernel(jax.random.split(key, CHAINS), states)
            return states, states.position

        _, positions = jax.lax.scan(draw, states, jax.random.split(key_draws, number))
        return jnp.moveaxis(jax.vmap(jax.vmap(values_at))(positions), (0, 1, 2), (2, 1, 0))

    batch = None if side_by_side == 1 else side_by_side
    return jax.jit(lambda numbers, y: jax.lax.map(fit, (numbers, y), batch_size=batch))


def main() -> None:
    asked = many_shared.task()
    jax.config.update("jax_enable_x64", True)
    sets = many_shared.sets_of(asked)
    call = program(sets, asked["side_by_side"], asked["warmup"], asked["number"])
    parts = many_shared.parts_of(sets, asked["side_by_side"])
    run = lambda part: np.asarray(call(*part))  # noqa: E731
    run(parts[0])
    with many_shared.Clock() as clock:
        draws = many_shared.in_threads(run, parts, asked["threads"])
    many_shared.answer(asked, many_shared.figures(np.concatenate(draws), clock))


if __name__ == "__main__":
    main()
