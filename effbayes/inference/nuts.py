"""The No-U-Turn sampler of NumPyro, all chains in one compiled program, driven in chunks.

`numpyro.infer.MCMC.run` compiles anew at each call. Here the kernel runs inside one jitted function
of the data, which takes every chain a fixed number of steps. A second series of the same bucket,
another seed or another number of draws reuses it. The host sees the chains after every chunk, which
is where progress is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from effbayes.arrays import Position, RandomKey
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
    data = jax.tree.map(jnp.asarray, data)
    kernel = _Kernel(model, settings.warmup, settings.target_accept, settings.max_tree_depth)
    advance = _program(kernel, vectorized=_is_accelerated(data))
    chains = _before_start(kernel, key, settings.chains, data)
    total = settings.warmup + settings.draws
    kept: list[Any] = []
    done = 0
    while done < total:
        chains, collected = advance(chains, data)
        done += CHUNK
        if done > settings.warmup:
            kept.append(jax.device_get(collected))
        if progress is not None:
            chains.step.block_until_ready()
            progress(min(done, total), total)
    # Chunks do not end where warmup ends: drop what the first kept one has of it, and the surplus.
    first = settings.warmup % CHUNK
    window = slice(first, first + settings.draws)
    values, stats = (
        {
            name: np.concatenate([chunk[part][name] for chunk in kept], axis=1)[:, window]
            for name in kept[0][part]
        }
        for part in range(2)
    )
    return Draws(values, _with_tree_depth(stats, settings.max_tree_depth))


class _Chain(NamedTuple):
    """What a chain carries from one chunk to the next; random keys as bits, so that it is plain."""

    step: Any
    """Steps done; at zero the rest but the key is a placeholder."""
    key: Any
    position: Any
    adaptation: Any


@dataclass(frozen=True)
class _Kernel:
    """NumPyro's kernel for a model; settings that are part of the program."""

    model: Model
    warmup: int
    target_accept: float
    max_tree_depth: int

    def start(self, key: RandomKey, data: Data) -> tuple[Any, Callable[..., Any]]:
        """A chain's first state, and the function that takes a state one step on."""
        key_start, key_kernel = jax.random.split(key)
        return self.resume(key_kernel, self.model.initial(key_start, data), data)

    def resume(
        self, key: RandomKey, position: Position, data: Data
    ) -> tuple[Any, Callable[..., Any]]:
        """As `start`, from a position."""
        from numpyro.infer.hmc import hmc  # noqa: PLC0415 - slow, and not needed to run a program

        init_kernel, sample_kernel = hmc(
            potential_fn=lambda position: -self.model.log_density(position, data), algo="NUTS"
        )
        state = init_kernel(
            position,
            num_warmup=self.warmup,
            dense_mass=True,
            target_accept_prob=self.target_accept,
            max_tree_depth=self.max_tree_depth,
            rng_key=key,
        )
        return state, sample_kernel


@lru_cache(maxsize=64)
def _program(kernel: _Kernel, *, vectorized: bool) -> Callable[..., Any]:
    """The one jitted function of a model: all chains, `CHUNK` steps on.

    Every chunk begins with NumPyro's own initialization, because the kernel's closures are set
    there; what a chain has learnt so far then takes the place of what was initialized. So the first
    chunk needs no program of its own.

    Chains run in lock step on an accelerator. On a CPU they run one after another, which compiles
    to half the code and does not wait for the deepest tree.
    """

    def chunk(chain: _Chain, data: Data) -> tuple[_Chain, Any]:
        key_start, key_kernel = jax.random.split(jax.random.wrap_key_data(chain.key))
        fresh = chain.step == 0
        start = kernel.model.initial(key_start, data)
        state, sample = kernel.resume(key_kernel, jnp.where(fresh, start, chain.position), data)
        adaptation = jax.tree.map(
            lambda new, old: jnp.where(fresh, new, old), _plain(state.adapt_state), chain.adaptation
        )
        state = state._replace(i=chain.step, adapt_state=_with_keys(adaptation, state.adapt_state))

        def step(state: Any, _: None) -> Any:
            state = sample(state)
            return state, (kernel.model.constrain(state.z, data), _statistics(state))

        state, collected = jax.lax.scan(step, state, None, length=CHUNK)
        after = _Chain(state.i, state.rng_key, state.z, state.adapt_state)
        return _plain(after), collected

    def chains(chains: _Chain, data: Data) -> tuple[_Chain, Any]:
        if vectorized:
            return jax.vmap(chunk, in_axes=(0, None))(chains, data)
        return jax.lax.map(lambda chain: chunk(chain, data), chains)

    return jax.jit(chains)


def _before_start(kernel: _Kernel, key: RandomKey, n_chains: int, data: Data) -> _Chain:
    """Chains that have not begun: their own keys, and zeros in the shapes of the rest."""
    shapes = jax.eval_shape(lambda key: _plain(kernel.start(key, data)[0]), key)
    keys = jax.random.key_data(jax.random.split(key, n_chains))

    def zeros(shape: Any) -> np.ndarray:
        return np.zeros((n_chains, *shape.shape), shape.dtype)

    adaptation = jax.tree.map(zeros, shapes.adapt_state)
    return _Chain(np.zeros(n_chains, shapes.i.dtype), keys, zeros(shapes.z), adaptation)


def _is_accelerated(data: Data) -> bool:
    return any(device.platform != "cpu" for device in data.t.devices())


def _is_key(leaf: Any) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))


def _plain(tree: Any) -> Any:
    """Random keys as their bits."""
    return jax.tree.map(lambda leaf: jax.random.key_data(leaf) if _is_key(leaf) else leaf, tree)


def _with_keys(tree: Any, like: Any) -> Any:
    """Bits as random keys where `like` has keys."""
    return jax.tree.map(
        lambda bits, leaf: jax.random.wrap_key_data(bits) if _is_key(leaf) else bits, tree, like
    )


def _statistics(state: Any) -> dict[str, Any]:
    return {
        "diverging": state.diverging,
        "energy": state.energy,
        "n_steps": state.num_steps,
        "acceptance_rate": state.accept_prob,
        "step_size": state.adapt_state.step_size,
        "lp": -state.potential_energy,
    }


def _with_tree_depth(stats: dict[str, np.ndarray], limit: int) -> dict[str, np.ndarray]:
    """Add depth, and whether the limit cut a trajectory short.

    A tree of full depth d takes ``2**d - 1`` steps; one that turned or diverged on the way there
    stops before, so only the full count of the limit means that it was cut short.
    """
    steps = np.maximum(stats["n_steps"], 1)
    return {
        **stats,
        "tree_depth": np.floor(np.log2(steps)).astype(np.int64) + 1,
        "reached_max_treedepth": steps >= 2**limit - 1,
    }
