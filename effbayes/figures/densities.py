"""Kernel densities, as ArviZ draws them.

Computed here on plain arrays, because importing ArviZ costs more than a report; the tests hold them
to ArviZ's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from effbayes.figures.charts import Numbers

BINS = 512
WIDEST = 0.01
"""Largest bandwidth that is sought, squared, in units of the squared range."""

HALVINGS = 60
STAGES = 7


def density(draws: Numbers) -> tuple[Numbers, Numbers]:
    """Grid and Gaussian kernel density of draws that are not all equal, mirrored at both ends."""
    draws = np.ravel(draws)
    draws = draws[np.isfinite(draws)]
    counts, edges = np.histogram(draws, BINS, (draws.min(), draws.max()))
    wide = edges[1] - edges[0]
    width = 0.5 * (_silverman(draws) + _sheather_jones(draws, counts)) / wide
    reach = math.ceil(4.0 * width)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    mirrored = np.pad(counts.astype(np.float64), BINS // 5, "symmetric")
    smooth = np.convolve(mirrored, kernel)[reach + BINS // 5 :][:BINS]
    return 0.5 * (edges[1:] + edges[:-1]), smooth / (smooth.sum() * wide)


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


def _silverman(draws: Numbers) -> float:
    """Bandwidth that is right for a normal distribution."""
    first, third = np.quantile(draws, [0.25, 0.75])
    spread = min(float(np.std(draws)), float(third - first) / 1.34)
    return float(0.9 * spread * len(draws) ** -0.2)


def _sheather_jones(draws: Numbers, counts: Numbers) -> float:
    """Improved Sheather-Jones bandwidth; Silverman's where there is none.

    Botev, Grotowski and Kroese (2010), Annals of Statistics 38, 2916 to 2957.
    """
    number, reach = len(draws), float(np.ptp(draws))
    squares = np.arange(1.0, BINS) ** 2
    power = _cosine_transform(counts / number)[1:] ** 2
    found = _root(lambda t: t - _fixed_point(t, number, squares, power))
    return _silverman(draws) if found is None else math.sqrt(found) * reach


def _cosine_transform(shares: Numbers) -> Numbers:
    """Discrete cosine transform (type 2)."""
    size = len(shares)
    order = np.concatenate([np.arange(0, size, 2), np.arange(size - 1, 0, -2)])
    turn = 2.0 * np.exp(-0.5j * np.pi * np.arange(size) / size)
    turn[0] = 1.0
    return np.asarray(np.real(turn * np.fft.fft(shares[order])))


def _fixed_point(t: float, number: int, squares: Numbers, power: Numbers) -> float:
    """The squared bandwidth that follows from another: the best one follows from itself."""
    for stage in range(STAGES, 1, -1):
        terms = squares**stage * power * np.exp(-squares * np.pi**2 * t)
        roughness = 0.5 * np.pi ** (2 * stage) * float(terms.sum())
        if stage == 2:
            break
        below = stage - 1
        odd = math.prod(range(1, 2 * below, 2)) / math.sqrt(0.5 * np.pi)
        share = (1.0 + 0.5 ** (below + 0.5)) / 3.0
        t = (share * odd / (number * roughness)) ** (2.0 / (3.0 + 2.0 * below))
    return float((2.0 * number * math.sqrt(np.pi) * roughness) ** -0.4)


def _root(function: Callable[[float], float]) -> float | None:
    """Where an increasing function crosses zero, up to `WIDEST`; None where it does not."""
    low, high = 0.0, WIDEST
    if not function(low) < 0.0 < function(high):
        return None
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if function(middle) < 0.0 else (low, middle)
    return high
