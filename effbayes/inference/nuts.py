"""The No-U-Turn sampler of NumPyro, all chains in one compiled program, driven in chunks.

`numpyro.infer.MCMC.run` compiles anew at each call. Here the kernel runs inside two jitted
functions of the data: `_start`, and `_advance`, which takes every chain a fixed number of steps.
A second series of the same bucket, another seed or another number of draws reuses both. The host
sees the chains after every chunk, which is where progress is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer.hmc import hmc

from effbayes.arrays import RandomKey
from effbayes.errors import UsageError
from effbayes.models.contract import Data, Model

CHUNK = 100
"""Steps between two looks from the host: a few milliseconds for a small series."""

Progress = Callable[[int, int], None]
"""Called with steps done and steps in all (warmup and draws, of each chain)."""


@dataclass(frozen=True)
class SamplerSettings:
    """Settings of a NUTS run.

    Attributes
    ----------
    warmup, draws
        Steps of each chain that adapt the sampler, and that are kept.
    chains
        Number of chains, at least 2 (R-hat compares them).
    target_accept
        Acceptance probability that the step size is adapted to.
    max_tree_depth
        A trajectory has at most ``2**max_tree_depth`` leapfrog steps.
    """

    warmup: int = 1000
    draws: int = 1000
    chains: int = 4
    target_accept: float = 0.95
    max_tree_depth: int = 10

    def __post_init__(self) -> None:
        limits = [
            ("warmup", self.warmup, 50, 1_000_000),
            ("draws", self.draws, 10, 1_000_000),
            ("chains", self.chains, 2, 1_000),
            ("max_tree_depth", self.max_tree_depth, 1, 20),
        ]
        wrong = [
            f"{name} = {value}, must be from {low} to {high}"
            for name, value, low, high in limits
            if not low <= value <= high
        ]
        if not 0.0 < self.target_accept < 1.0:
            wrong.append(f"target_accept = {self.target_accept}, must be between 0 and 1")
        if wrong:
            raise UsageError("; ".join(wrong))


class Draws(NamedTuple):
    """What a run gives back, as NumPy arrays with dims (chain, draw)."""

    values: dict[str, np.ndarray]
    stats: dict[str, np.ndarray]


def run_nuts(
    model: Model,
    data: Data,
    key: RandomKey,
    settings: SamplerSettings,
    progress: Progress | None = None,
) -> Draws:
    """Draw from the posterior of a model.

    Parameters
    ----------
    model
        Frozen value; programs are compiled once per value and shape.
    data
        The series, with dims (obs,).
    key
        The run's own key.
    settings
        Numbers of steps and the rest.
    progress
        Called after every chunk.

    Returns
    -------
    Draws
        Parameters and quantities, and the sampler's statistics under ArviZ's names.
    """
    programs = _programs(model, settings)
    data = jax.tree.map(jnp.asarray, data)
    states = programs.start(jax.random.split(key, settings.chains), data)
    total = settings.warmup + settings.draws
    kept: list[Any] = []
    done = 0
    while done < total:
        states, collected = programs.advance(states, data)
        done += CHUNK
        if done > settings.warmup:
            kept.append(jax.device_get(collected))
        if progress is not None:
            states.i.block_until_ready()
            progress(min(done, total), total)
    # Chunks do not end where warmup ends: drop what the first kept one has of it, and the surplus.
    first = settings.warmup % CHUNK
    window = slice(first, first + settings.draws)
    collected = {
        name: np.concatenate([chunk[name] for chunk in kept], axis=1)[:, window] for name in kept[0]
    }
    values = jax.device_get(programs.constrain(jnp.asarray(collected.pop("position")), data))
    return Draws(values, _stats(collected, settings))


class _Programs(NamedTuple):
    start: Callable[..., Any]
    advance: Callable[..., Any]
    constrain: Callable[..., Any]


@lru_cache(maxsize=64)
def _programs(model: Model, settings: SamplerSettings) -> _Programs:
    """The jitted functions for a model; JAX's own cache adds the shapes of the data."""

    def kernel(data: Data) -> tuple[Callable[..., Any], Callable[..., Any]]:
        return hmc(potential_fn=lambda position: -model.log_density(position, data), algo="NUTS")

    def init(key: RandomKey, data: Data) -> Any:
        key_start, key_chain = jax.random.split(key)
        init_kernel, _ = kernel(data)
        return _init(init_kernel, model.initial(key_start, data), key_chain, settings)

    def steps(state: Any, data: Data) -> Any:
        init_kernel, sample_kernel = kernel(data)
        # The kernel's closures are set by its init; its result is not used and compiles to nothing.
        _init(init_kernel, state.z, jax.random.key(0), settings)

        def step(state: Any, _: None) -> Any:
            state = sample_kernel(state)
            return state, _collect(state)

        return jax.lax.scan(step, state, None, length=CHUNK)

    return _Programs(
        start=jax.jit(jax.vmap(init, in_axes=(0, None))),
        advance=jax.jit(jax.vmap(steps, in_axes=(0, None))),
        constrain=jax.jit(
            jax.vmap(jax.vmap(model.constrain, in_axes=(0, None)), in_axes=(0, None))
        ),
    )


def _init(init_kernel: Any, position: Any, key: RandomKey, settings: SamplerSettings) -> Any:
    return init_kernel(
        position,
        num_warmup=settings.warmup,
        dense_mass=True,
        target_accept_prob=settings.target_accept,
        max_tree_depth=settings.max_tree_depth,
        rng_key=key,
    )


def _collect(state: Any) -> dict[str, Any]:
    return {
        "position": state.z,
        "diverging": state.diverging,
        "energy": state.energy,
        "n_steps": state.num_steps,
        "acceptance_rate": state.accept_prob,
        "step_size": state.adapt_state.step_size,
        "lp": -state.potential_energy,
    }


def _stats(collected: dict[str, np.ndarray], settings: SamplerSettings) -> dict[str, np.ndarray]:
    depth = np.floor(np.log2(np.maximum(collected["n_steps"], 1))).astype(np.int64) + 1
    return {
        **collected,
        "tree_depth": depth,
        "reached_max_treedepth": depth > settings.max_tree_depth,
    }
