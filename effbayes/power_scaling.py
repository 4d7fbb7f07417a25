"""How far a prior or a likelihood raised to a power would move what was found.

Kallioinen, Paananen, Bürkner and Vehtari (2024), Statistics and Computing 34, 57: draws are
weighted as if the component had the power 0.99 or 1.01, and the distance between their distribution
and the unweighted one is turned into a slope. Computed here on plain arrays, because importing
ArviZ costs more than a fit; the tests hold it to ArviZ's own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from effbayes.diagnostics import Chains, ess_tail

Floats = NDArray[np.floating[Any]]

POWERS = (0.99, 1.01)
LONG_ENOUGH = 225
"""Effective draws from which the tail of weights grows with the root of their number."""

SHORTEST_TAIL = 5
_PRIOR_K, _PRIOR_WEIGHT, _SHARP = 0.5, 10.0, 3.0


class Weights(NamedTuple):
    """Of the draws, flat, as if a component of the density had the lower or upper power."""

    lower: Floats
    upper: Floats


def weights(log_density: Chains) -> Weights:
    """Weights of draws for both powers of a component, with smoothed tails.

    Parameters
    ----------
    log_density
        Of the component at every draw, dims (chain, draw).
    """
    return Weights(*(_smoothed((power - 1.0) * np.ravel(log_density)) for power in POWERS))


def sensitivity(draws: Chains, by: Weights) -> float:
    """Distance per doubling of the power, averaged over a lower and a higher one.

    Parameters
    ----------
    draws
        Of one quantity, dims (chain, draw).
    by
        Of the component whose power is changed.
    """
    flat = np.ravel(draws)
    slopes = [
        max(_distance(flat, each), _distance(-flat, each)) / abs(np.log2(power))
        for each, power in zip(by, POWERS, strict=True)
    ]
    return float(np.mean(slopes))


def _smoothed(log_weight: Floats) -> Floats:
    """Weights with the largest replaced by quantiles of a generalized Pareto distribution."""
    number = len(log_weight)
    effective = ess_tail(log_weight[None])
    tail = 3.0 * number / np.sqrt(effective) if effective > LONG_ENOUGH else number / 5.0
    size = min(max(int(tail), SHORTEST_TAIL), number // 2)
    log_weight = log_weight - log_weight.max()
    order = np.argsort(log_weight)
    largest, below = order[-size:], float(np.exp(log_weight[order[-size - 1]]))
    found = np.exp(log_weight)
    shape, scale = _pareto(found[largest] - below)
    if np.isfinite(shape):
        levels = (np.arange(size) + 0.5) / size
        with np.errstate(over="ignore"):
            excess = scale * np.expm1(-shape * np.log1p(-levels)) / shape
        found[largest] = np.minimum(below + excess, 1.0)
    return np.asarray(found / found.sum())


def _pareto(excess: Floats) -> tuple[float, float]:
    """Shape and scale of a generalized Pareto distribution, from excesses in rising order.

    Zhang and Stephens (2009), Technometrics 51, with the weak prior of Vehtari, Simpson, Gelman,
    Yao and Gabry (2024), JMLR 25. NaN where a quarter of the excesses are equal.
    """
    size = len(excess)
    quartile = excess[int(size / 4 + 0.5) - 1]
    if not quartile > excess[0]:
        return np.nan, np.nan
    grid = 30 + int(size**0.5)
    b = 1.0 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))
    b = b / (_SHARP * quartile) + 1.0 / excess[-1]
    k = np.mean(np.log1p(-b[:, None] * excess), axis=1)
    profile = size * (np.log(-b / k) - k - 1.0)
    share = np.exp(profile - profile.max())
    share /= share.sum()
    share[share < 10.0 * np.finfo(np.float64).eps] = 0.0
    mean = float(np.sum(b * share) / share.sum())
    found = float(np.mean(np.log1p(-mean * excess)))
    return (size * found + _PRIOR_WEIGHT * _PRIOR_K) / (size + _PRIOR_WEIGHT), -found / mean


def _distance(draws: Floats, weight: Floats) -> float:
    """Cumulative Jensen-Shannon distance between draws and weighted draws, from 0 to 1."""
    order = np.argsort(draws)
    gaps = np.diff(draws[order])
    number = len(draws)
    plain = np.linspace(1.0 / number, 1.0 - 1.0 / number, number - 1)
    moved = np.cumsum(weight[order])[:-1]
    areas = float(gaps @ plain), float(gaps @ moved)
    middle = _log2(0.5 * (plain + moved))
    difference = 0.5 / np.log(2.0) * (areas[1] - areas[0])
    from_plain = gaps @ (plain * (_log2(plain) - middle)) + difference
    from_moved = gaps @ (moved * (_log2(moved) - middle)) - difference
    total = sum(areas)
    return float(np.sqrt((max(from_plain, 0.0) + max(from_moved, 0.0)) / total)) if total else 0.0


def _log2(share: Floats) -> Floats:
    """Zero where there is no share."""
    return np.log2(share, out=np.zeros_like(share), where=share > 0.0)
