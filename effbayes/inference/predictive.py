"""What follows from posterior draws: new systems, pointwise log-likelihood, predictive draws.

Every function is one compiled program per model and shape; results are NumPy arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from effbayes.arrays import RandomKey
from effbayes.inference.machine_code import compiled
from effbayes.models.contract import Data, Model, draws_of
from effbayes.runtime import Plan

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


def pointwise(model: Model, key: RandomKey, values: Values, data: Data, *, plan: Plan) -> Pointwise:
    """Log-likelihood of every row, log prior, and a replicated data set, for each draw."""
    n = int(np.sum(data.mask))
    arguments = (jax.random.key_data(key), dict(values), data._asdict())
    found = _program(_pointwise, model, 0, _shapes(arguments), plan)(*arguments)
    found = {name: np.asarray(each) for name, each in found.items()}
    return Pointwise(
        found["log_likelihood"][..., :n], found["log_prior"], found["predictive"][..., :n]
    )


def prior_draws(
    model: Model, key: RandomKey, data: Data, number: int, *, plan: Plan
) -> tuple[dict[str, np.ndarray], np.ndarray] | None:
    """Parameters with dims (draw,) and data sets with dims (draw, obs) drawn from the prior.

    None where the prior is improper.
    """
    if not model.has_proper_prior:
        return None
    n = int(np.sum(data.mask))
    arguments = (jax.random.key_data(key), data._asdict())
    found = _program(_from_prior, model, number, _shapes(arguments), plan)(*arguments)
    draws = {name: np.asarray(each) for name, each in found["parameters"].items()}
    return draws, np.asarray(found["data"])[..., :n]


def _pointwise(model: Model, _: int) -> Callable[..., Any]:
    def everything(bits: Any, values: Any, columns: Any) -> dict[str, Array]:
        data = Data(**columns)
        n_chains, n_draws = values["rate"].shape
        keys = jax.random.split(jax.random.wrap_key_data(bits), n_chains * n_draws)

        def one(of_draw: Any) -> dict[str, Array]:
            key, values = of_draw
            return {
                "log_likelihood": model.log_likelihood(values, data),
                "log_prior": model.log_prior(values, data),
                "predictive": model.predict(key, values, data),
            }

        flat = jax.tree.map(lambda x: jnp.reshape(x, (-1, *jnp.shape(x)[2:])), values)
        # An interval's quadrature has a few dozen nodes for every row of every draw at once.
        batch = min(max(BATCH_ELEMENTS // data.y.size, 1), n_chains * n_draws)
        found = jax.lax.map(one, (keys, flat), batch_size=batch)
        return {
            name: jnp.reshape(x, (n_chains, n_draws, *jnp.shape(x)[1:]))
            for name, x in found.items()
        }

    return everything


def _from_prior(model: Model, number: int) -> Callable[..., Any]:
    def everything(bits: Any, columns: Any) -> dict[str, Any]:
        data = Data(**columns)
        key_parameters, key_data = jax.random.split(jax.random.wrap_key_data(bits))
        draws = draws_of(model, key_parameters, data, number)
        predict = jax.vmap(model.predict, in_axes=(0, 0, None))
        return {
            "parameters": draws,
            "data": predict(jax.random.split(key_data, number), draws, data),
        }

    return everything


@lru_cache(maxsize=64)
def _program(
    make: Callable[[Model, int], Callable[..., Any]],
    model: Model,
    number: int,
    shapes: Any,
    plan: Plan,
) -> Callable[..., Any]:
    """A function of a model, compiled for shapes or loaded."""
    structure, leaves = shapes

    def arguments() -> tuple[Any, ...]:
        found: tuple[Any, ...] = jax.tree.unflatten(
            structure, [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in leaves]
        )
        return found

    made_from = (make.__name__, repr(model), number, str(structure), leaves)
    return compiled(make(model, number), arguments, made_from=made_from, plan=plan).call


def _shapes(arguments: Any) -> Any:
    leaves, structure = jax.tree.flatten(arguments)
    return structure, tuple((np.shape(x), np.asarray(x).dtype.str) for x in leaves)
