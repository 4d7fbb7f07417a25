"""What follows from posterior draws: new systems, pointwise log-likelihood, predictive draws.

Every function is one jitted program per model and shape; results are NumPy arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from effbayes.arrays import RandomKey
from effbayes.models.contract import Data, Model, draws_of

BATCH_ELEMENTS = 2**18
"""Draws times rows that are computed at once."""

Values = Mapping[str, np.ndarray]
"""Draws by name, dims (chain, draw)."""


class Pointwise(NamedTuple):
    """Per-draw figures of the rows used; padding is cut off."""

    log_likelihood: np.ndarray
    """Dims (chain, draw, obs)."""
    log_prior: np.ndarray
    """Dims (chain, draw)."""
    predictive: np.ndarray
    """New log2 values, dims (chain, draw, obs)."""


def pointwise(model: Model, key: RandomKey, values: Values, data: Data) -> Pointwise:
    """Log-likelihood of every row, log prior, and a replicated data set, for each draw."""
    programs = _pointwise(model)
    n = int(np.sum(data.mask))
    data = jax.tree.map(jnp.asarray, data)
    draws = jax.tree.map(jnp.asarray, dict(values))
    keys = jax.random.split(key, values["rate"].shape)
    return Pointwise(
        np.asarray(programs.log_likelihood(draws, data))[..., :n],
        np.asarray(programs.log_prior(draws, data)),
        np.asarray(programs.predict(keys, draws, data))[..., :n],
    )


def prior_draws(
    model: Model, key: RandomKey, data: Data, number: int
) -> tuple[dict[str, np.ndarray], np.ndarray] | None:
    """Parameters with dims (draw,) and data sets with dims (draw, obs) drawn from the prior.

    None where the prior is improper.
    """
    key_parameters, key_data = jax.random.split(key)
    draws = draws_of(model, key_parameters, data, number)
    if draws is None:
        return None
    predict = jax.vmap(model.predict, in_axes=(0, 0, None))
    data_sets = predict(jax.random.split(key_data, number), draws, data)
    n = int(np.sum(data.mask))
    return {name: np.asarray(x) for name, x in draws.items()}, np.asarray(data_sets)[:, :n]


class _Programs(NamedTuple):
    log_likelihood: Callable[..., Any]
    log_prior: Callable[..., Any]
    predict: Callable[..., Any]


@lru_cache(maxsize=64)
def _pointwise(model: Model) -> _Programs:
    return _Programs(
        jax.jit(_over_draws(model.log_likelihood, 0, None)),
        jax.jit(_over_draws(model.log_prior, 0, None)),
        jax.jit(_over_draws(model.predict, 0, 0, None)),
    )


def _over_draws(function: Callable[..., Any], *axes: int | None) -> Callable[..., Any]:
    """Map over chain and draw the arguments whose axis is 0, in batches that bound the memory."""

    def mapped(*arguments: Any) -> Any:
        over = [x for x, axis in zip(arguments, axes, strict=True) if axis == 0]
        data = arguments[-1]

        def one(of_draw: Any) -> Any:
            return function(*of_draw, data)

        shape = jnp.shape(over[-1]["rate"])
        flat = jax.tree.map(lambda x: jnp.reshape(x, (-1, *jnp.shape(x)[2:])), tuple(over))
        # An interval's quadrature has a few dozen nodes for every row of every draw at once.
        batch = max(BATCH_ELEMENTS // data.y.shape[0], 1)
        found = jax.lax.map(one, flat, batch_size=min(batch, shape[0] * shape[1]))
        return jnp.reshape(found, (*shape, *jnp.shape(found)[1:]))

    return mapped
