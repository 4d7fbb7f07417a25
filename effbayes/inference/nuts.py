"""The No-U-Turn sampler of NumPyro, one compiled program for all chains, driven in chunks.

`numpyro.infer.MCMC.run` compiles anew at each call. Here one program takes a chain, or all chains
in lock step, a fixed number of steps on (`effbayes.inference.chunk`); a second series of the same
bucket, another seed or another number of draws reuses it. Chains that are not in lock step share
the machine's cores by threads. The host sees the chains after every chunk, which is where progress
is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from effbayes import runtime
from effbayes.errors import UsageError
from effbayes.inference.chunk import CHUNK, Kernel
from effbayes.inference.programs import program
from effbayes.models.contract import Data, Model
from effbayes.runtime import Plan

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
    noise: np.ndarray
    """Two deviations of a new system from the trend, in doublings; dims (chain, draw, 2)."""
    stats: dict[str, np.ndarray]


def run_nuts(
    model: Model,
    data: Data,
    root: np.ndarray,
    settings: SamplerSettings,
    *,
    plan: Plan,
    progress: Progress | None = None,
) -> Draws:
    """Draw from the posterior of a model.

    Parameters
    ----------
    model
        Frozen value; a program is compiled once per value and shape.
    data
        The series, with dims (obs,).
    root
        Bits of the run's root key, dims (2,).
    settings
        Numbers of steps and the rest.
    plan
        From `effbayes.runtime.plan`.
    progress
        Called after every chunk.

    Returns
    -------
    Draws
        Parameters and quantities, noise of new systems, and the sampler's statistics under
        ArviZ's names.
    """
    kernel = Kernel(
        model, settings.warmup, settings.target_accept, settings.max_tree_depth, plan.vectorized
    )
    columns = data._asdict()
    made = program(kernel, settings.chains, columns, plan=plan)
    total = settings.warmup + settings.draws
    numbers = np.arange(settings.chains)
    chains = [made.before_start(each) for each in ([numbers] if plan.vectorized else numbers)]
    kept: list[list[Any]] = [[] for _ in chains]
    columns, root = jax.device_put((columns, root), plan.device)

    def advance(i: int) -> None:
        # JAX's settings are a thread's own.
        with runtime.settings(plan.device):
            chains[i], collected = made.advance(root, chains[i], columns)
            chains[i]["step"].block_until_ready()
        if done + CHUNK > settings.warmup:
            kept[i].append(collected)

    done = 0
    with ThreadPoolExecutor(plan.threads) as pool:
        while done < total:
            list(pool.map(advance, range(len(chains))))
            done += CHUNK
            if progress is not None:
                progress(min(done, total), total)
    # Chunks do not end where warmup ends: drop what the first kept one has of it, and the surplus.
    first = settings.warmup % CHUNK
    window = slice(first, first + settings.draws)

    values, noise, stats = (
        _joined(part, kept, window, lock_step=plan.vectorized)
        for part in ("values", "noise", "stats")
    )
    return Draws(values, noise["noise"], _with_tree_depth(stats, settings.max_tree_depth))


def _joined(
    part: str, kept: list[list[Any]], window: slice, *, lock_step: bool
) -> dict[str, np.ndarray]:
    """Chunks of every chain end to end; dims (chain, draw, ...)."""
    found = {}
    for name in kept[0][0][part]:
        whole = [
            np.concatenate([np.asarray(chunk[part][name]) for chunk in chunks], axis=int(lock_step))
            for chunks in kept
        ]
        found[name] = (whole[0] if lock_step else np.stack(whole))[:, window]
    return found


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
