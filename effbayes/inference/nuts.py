"""The No-U-Turn sampler of NumPyro, all chains in one compiled program, driven in chunks.

`numpyro.infer.MCMC.run` compiles anew at each call. Here one program takes every chain a fixed
number of steps (`effbayes.inference.chunk`); a second series of the same bucket, another seed or
another number of draws reuses it. The host sees the chains after every chunk, which is where
progress is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

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
    chains = made.chains_before_start(settings.chains)
    total = settings.warmup + settings.draws
    kept: list[Any] = []
    done = 0
    while done < total:
        chains, collected = made.advance(root, chains, columns)
        done += CHUNK
        if done > settings.warmup:
            kept.append(collected)
        if progress is not None:
            chains["step"].block_until_ready()
            progress(min(done, total), total)
    # Chunks do not end where warmup ends: drop what the first kept one has of it, and the surplus.
    first = settings.warmup % CHUNK
    window = slice(first, first + settings.draws)

    def joined(part: str) -> dict[str, np.ndarray]:
        return {
            name: np.concatenate([np.asarray(chunk[part][name]) for chunk in kept], axis=1)[
                :, window
            ]
            for name in kept[0][part]
        }

    noise = joined("noise")["noise"]
    return Draws(
        joined("values"), noise, _with_tree_depth(joined("stats"), settings.max_tree_depth)
    )


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
