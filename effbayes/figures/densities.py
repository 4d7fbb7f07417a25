"""Kernel densities, ranks and BFMI by ArviZ, whose functions have no types; the band of ranks."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from effbayes.figures.charts import Numbers


def density(draws: Numbers) -> tuple[Numbers, Numbers]:
    """Grid and kernel density of draws."""
    grid, height, _ = _array_stats().kde(np.ravel(draws))
    return np.asarray(grid), np.asarray(height)


def density_at(draws: Numbers, x: Numbers) -> Numbers:
    """Kernel density of draws at some points; 0 outside the draws, and where all are equal."""
    if np.ptp(draws) == 0.0:
        return np.zeros(len(x))
    grid, height = density(draws)
    return np.asarray(np.interp(x, grid, height, left=0.0, right=0.0))


def coarse(draws: Numbers) -> tuple[Numbers, Numbers]:
    """The same on a third of the grid, which is as much as a figure shows."""
    grid, height = density(draws)
    return grid[::3], height[::3]


def smallest_bfmi(energy: Numbers) -> float:
    """Of the chains; dims (chain, draw)."""
    return float(np.min(_array_stats().bfmi(energy)))


def relative_ranks(draws: Numbers) -> Numbers:
    """Rank of each draw among those of all chains, as a share; dims (chain, draw)."""
    return np.asarray(_array_stats().compute_ranks(draws, axis=(-2, -1), relative=True))


def thinning(draws: Numbers) -> int:
    """Every how many-th draw is worth one independent of the others; dims (chain, draw)."""
    return 1 if np.ptp(draws) == 0.0 else int(_array_stats().thin_factor(draws))


@cache
def rank_band(
    draws: int, chains: int, *, prob: float = 0.95, simulations: int = 2000
) -> tuple[Numbers, Numbers, Numbers]:
    """The band that holds the ECDF of every chain's ranks together, where the chains are alike.

    How many of a chain's draws are among the k smallest of all is hypergeometric; the share of each
    point's own distribution that is left out is the one by which, in simulations, all chains stay
    inside with probability `prob` (Säilynoja, Bürkner and Vehtari 2022, Statistics and Computing
    32, section 3). ArviZ 1.3 has this too, but draws its simulations as if ranks were independent:
    of alike chains, 15 % leave its band of 95 %.

    Returns
    -------
    tuple
        Shares from 0 to 1, and the least and greatest share of a chain's draws below each.
    """
    from scipy.stats import hypergeom  # noqa: PLC0415 - slow to import

    below = chains * np.arange(1, draws)
    counts = np.arange(draws + 1)
    cdf = hypergeom.cdf(counts, chains * draws, draws, below[:, None])
    rng = np.random.default_rng(0)  # a constant: the same for every run
    smallest = np.empty(simulations)
    place = np.arange(len(below))
    for i in range(simulations):
        chain = rng.permutation(np.repeat(np.arange(chains), draws))
        found = np.cumsum(chain[:, None] == np.arange(chains), axis=0)[below - 1].T
        lower, upper = cdf[place, found], 1.0 - np.where(found > 0, cdf[place, found - 1], 0.0)
        smallest[i] = min(lower.min(), upper.min())
    tail = float(np.quantile(smallest, 1.0 - prob))
    # The least count that is not so rare, and the greatest.
    low = (cdf < tail).sum(axis=1)
    high = draws - (1.0 - cdf[:, :-1] < tail)[:, ::-1].cumprod(axis=1).sum(axis=1)
    share = np.arange(draws + 1) / draws
    least, most = (np.concatenate([[0], each, [draws]]) / draws for each in (low, high))
    return share, least, most


def _array_stats() -> Any:
    from arviz_stats import base  # noqa: PLC0415 - slow to import

    return vars(base)["array_stats"]
