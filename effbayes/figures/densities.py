"""Kernel densities, ranks and BFMI by ArviZ, whose functions have no types."""

from __future__ import annotations

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


def smallest_bfmi(energy: Numbers) -> float:
    """Of the chains; dims (chain, draw)."""
    return float(np.min(_array_stats().bfmi(energy)))


def relative_ranks(draws: Numbers) -> Numbers:
    """Rank of each draw among those of all chains, as a share; dims (chain, draw)."""
    return np.asarray(_array_stats().compute_ranks(draws, axis=(-2, -1), relative=True))


def thinning(draws: Numbers) -> int:
    """Every how many-th draw is worth one independent of the others; dims (chain, draw)."""
    return 1 if np.ptp(draws) == 0.0 else int(_array_stats().thin_factor(draws))


def uniform_band(
    draws: int, chains: int, *, prob: float, simulations: int
) -> tuple[Numbers, Numbers, Numbers]:
    """Shares, and the ends of the band that holds the ECDF of all chains' ranks together."""
    from arviz_stats import ecdf_utils  # noqa: PLC0415 - slow to import

    ecdf_pit: Any = vars(ecdf_utils)["ecdf_pit"]  # without types
    x, _, low, high = ecdf_pit(np.linspace(0.0, 1.0, draws), prob, simulations, chains)
    return np.asarray(x), np.asarray(low), np.asarray(high)


def _array_stats() -> Any:
    from arviz_stats import base  # noqa: PLC0415 - slow to import

    return vars(base)["array_stats"]
