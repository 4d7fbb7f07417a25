"""The program that samples: a chain of a model, `CHUNK` steps of NUTS on.

It is a function of plain arrays in mappings, random keys as their bits, so that its machine code
can be kept in a file and run by a process that never imports NumPyro.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from effbayes.arrays import Position, RandomKey, Scalar
from effbayes.models.contract import Data, Model

CHUNK = 100
"""Steps between two looks from the host: a few milliseconds for a small series."""

CHAINS, NOISE = 0, 1
"""What a root key is folded with: purposes never share random numbers."""

COMPLETED = 2
"""What the key of a step's noise is folded with, for quantities that are drawn given parameters."""

ENERGY_OF_START = 1e9
"""Potential energy that a start is taken to have: above any that it leads to, and small enough that
differences of a millionth are still seen beside it."""

Arrays = dict[str, Any]


class Start(NamedTuple):
    """Where a chain goes on from."""

    position: Position
    energy: Scalar
    slope: Position


@dataclass(frozen=True)
class Kernel:
    """NumPyro's NUTS for a model; every field is part of the program.

    Attributes
    ----------
    model
        Frozen value.
    warmup
        Steps during which the kernel adapts.
    target_accept, max_tree_depth
        As in `effbayes.inference.nuts.SamplerSettings`.
    vectorized
        All chains in lock step, as an accelerator likes it. One chain alone compiles to half the
        code and does not wait for the deepest tree of others, which is better on a CPU.
    """

    model: Model
    warmup: int
    target_accept: float
    max_tree_depth: int
    vectorized: bool

    def resume(
        self, key: RandomKey, start: Start, potential: Callable[[Position], Scalar]
    ) -> tuple[Any, Any]:
        """State at a position as NumPyro initializes it, and the function that takes a step."""
        # Slow to import, and not needed to run a program that was kept.
        from numpyro.infer import hmc, util  # noqa: PLC0415

        init_kernel, sample_kernel = hmc.hmc(potential_fn=potential, algo="NUTS")
        state = init_kernel(
            util.ParamInfo(*start),
            num_warmup=self.warmup,
            dense_mass=False,
            target_accept_prob=self.target_accept,
            max_tree_depth=self.max_tree_depth,
            rng_key=key,
        )
        return state, sample_kernel

    def advance(self, root: Any, chain: Arrays, data: Arrays) -> tuple[Arrays, Arrays]:
        """Take a chain, or all chains in lock step, `CHUNK` steps on.

        Parameters
        ----------
        root
            Bits of the run's root key, dims (2,).
        chain
            From `unborn`, or the last call; a chain at step zero is started first.
        data
            Fields of `effbayes.models.contract.Data`.

        Returns
        -------
        chain
            As it is now.
        collected
            ``values``, ``noise`` and ``stats`` by name, dims (step, ...); of chains in lock step
            (chain, step, ...).
        """
        one = lambda chain: self._advance_one(root, chain, Data(**data))  # noqa: E731
        return jax.vmap(one)(chain) if self.vectorized else one(chain)

    def unborn(self, n_chains: int, data: Arrays) -> Arrays:
        """Shapes of a chain that has not begun, or of all that run in lock step."""

        def first(data: Arrays) -> Any:
            key = jax.random.wrap_key_data(jnp.zeros(2, jnp.uint32))
            position = self.model.initial(key, Data(**data), far=jnp.zeros((), jnp.int32))
            # Shapes depend on the number of dims alone; any potential has them, and this is quick.
            start = Start(position, jnp.zeros(()), position)
            state, _ = self.resume(key, start, lambda position: jnp.sum(position**2))
            return _carried(jnp.zeros((), jnp.uint32), state)

        shapes = jax.eval_shape(first, data)
        leading = (n_chains,) if self.vectorized else ()
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((*leading, *leaf.shape), leaf.dtype), shapes
        )

    def _advance_one(self, root: Any, chain: Arrays, data: Data) -> tuple[Arrays, Arrays]:
        key_chain, key_noise = (
            jax.random.fold_in(jax.random.fold_in(jax.random.wrap_key_data(root), purpose), number)
            for purpose, number in ((CHAINS, chain["number"]), (NOISE, chain["number"]))
        )
        # Every chunk begins with NumPyro's own initialization, because the kernel's closures are
        # set there; what a chain has learnt so far then takes the place of what was initialized.
        fresh = chain["step"] == 0
        key_start, key_kernel = jax.random.split(key_chain)
        far = (chain["number"] % 2).astype(jnp.int32)
        start = self.model.initial(key_start, data, far=far)
        # The density of a start is never asked for, which halves the code: with an energy this high
        # and no slope, the first step of warmup leaves it for a point whose density is known.
        energy = jnp.where(fresh, ENERGY_OF_START, chain["energy"])
        slope = jnp.where(fresh, 0.0, chain["slope"])
        state, sample = self.resume(
            key_kernel,
            Start(jnp.where(fresh, start, chain["position"]), energy, slope),
            lambda position: -self.model.log_density(position, data),
        )
        born, shape = jax.tree.flatten((state.rng_key, state.adapt_state))
        learnt = [
            _like(leaf, jnp.where(fresh, _bits(leaf), old))
            for leaf, old in zip(born, chain["learnt"], strict=True)
        ]
        key, adaptation = jax.tree.unflatten(shape, learnt)
        state = state._replace(i=chain["step"], rng_key=key, adapt_state=adaptation)

        def step(state: Any, _: None) -> Any:
            key = jax.random.fold_in(key_noise, state.i)
            state = sample(state)
            values = self.model.constrain(state.z, data)
            noise = self.model.noise(key, values, (2,))
            values |= self.model.complete(jax.random.fold_in(key, COMPLETED), values, data)
            return state, {"values": values, "noise": {"noise": noise}, "stats": _stats(state)}

        state, collected = jax.lax.scan(step, state, None, length=CHUNK)
        return _carried(chain["number"], state), collected


def _carried(number: Any, state: Any) -> Arrays:
    """What a chain carries from one chunk to the next."""
    return {
        "number": number,
        "step": state.i,
        "position": state.z,
        "energy": state.potential_energy,
        "slope": state.z_grad,
        "learnt": [_bits(leaf) for leaf in jax.tree.leaves((state.rng_key, state.adapt_state))],
    }


def _is_key(leaf: Any) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))


def _bits(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _like(leaf: Any, bits: Any) -> Any:
    return jax.random.wrap_key_data(bits) if _is_key(leaf) else bits


def _stats(state: Any) -> Arrays:
    return {
        "diverging": state.diverging,
        "energy": state.energy,
        "n_steps": state.num_steps,
        "acceptance_rate": state.accept_prob,
        "step_size": state.adapt_state.step_size,
        "lp": -state.potential_energy,
    }
