"""Did the sampler converge? R-hat, effective sample sizes, and a verdict with its reasons.

Rank-normalized split R-hat and bulk and tail ESS are those of Vehtari, Gelman, Simpson, Carpenter
and Buerkner (2021), Bayesian Analysis 16(2). They are computed here on plain arrays, because
importing ArviZ costs more than a fit; the tests hold every figure to ArviZ's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from effbayes import wording

Chains = NDArray[np.floating[Any]]
"""Draws with dims (chain, draw)."""

R_HAT_LIMIT = 1.01
ESS_LIMIT = 400.0
BFMI_LIMIT = 0.3
TAIL_PROB = 0.05


@dataclass(frozen=True)
class QuantityDiagnostics:
    """R-hat and effective sample sizes of one quantity; of draws all equal, R-hat is NaN."""

    r_hat: float
    ess_bulk: float
    ess_tail: float


@dataclass(frozen=True)
class Diagnostics:
    """The verdict on a run.

    Attributes
    ----------
    reasons
        Why the run cannot be relied on, one sentence each; empty when it can.
    quantities
        Figures of every quantity reported.
    divergences
        Number of divergent transitions after warmup.
    max_tree_depth_hits
        Number of transitions cut short by the limit on the trajectory.
    bfmi_min
        Smallest Bayesian fraction of missing information of the chains.
    """

    quantities: Mapping[str, QuantityDiagnostics]
    divergences: int
    max_tree_depth_hits: int
    bfmi_min: float
    reasons: tuple[str, ...] = field(default=())

    @property
    def verdict(self) -> str:
        """``"ok"`` or ``"not converged"``."""
        return "not converged" if self.reasons else "ok"

    @property
    def ok(self) -> bool:
        """Whether the run can be relied on."""
        return not self.reasons

    @property
    def r_hat_max(self) -> float:
        """Largest R-hat of the quantities reported; NaN where one has none."""
        return float(np.max([q.r_hat for q in self.quantities.values()]))

    @property
    def ess_bulk_min(self) -> float:
        """Smallest bulk ESS."""
        return float(np.min([q.ess_bulk for q in self.quantities.values()]))

    @property
    def ess_tail_min(self) -> float:
        """Smallest tail ESS."""
        return float(np.min([q.ess_tail for q in self.quantities.values()]))

    def __str__(self) -> str:
        return "ok" if self.ok else f"not converged: {'; '.join(self.reasons)}"

    def as_dict(self) -> dict[str, Any]:
        """Verdict, reasons and extremes, as the JSON of a summary has them."""
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "r_hat_max": self.r_hat_max,
            "ess_bulk_min": self.ess_bulk_min,
            "ess_tail_min": self.ess_tail_min,
            "divergences": self.divergences,
            "max_tree_depth_hits": self.max_tree_depth_hits,
            "bfmi_min": self.bfmi_min,
            "quantities": {name: asdict(q) for name, q in self.quantities.items()},
        }


def diagnose(quantities: Mapping[str, Chains], stats: Mapping[str, Chains]) -> Diagnostics:
    """Judge a run.

    Parameters
    ----------
    quantities
        Draws with dims (chain, draw) of everything that is reported.
    stats
        ``diverging``, ``energy`` and ``reached_max_treedepth``, dims (chain, draw).
    """
    figures = {
        name: QuantityDiagnostics(r_hat(draws), ess_bulk(draws), ess_tail(draws))
        for name, draws in quantities.items()
    }
    divergences = int(np.sum(stats["diverging"]))
    hits = int(np.sum(stats["reached_max_treedepth"]))
    lowest_bfmi = float(np.min(bfmi(stats["energy"])))
    reasons = []
    reasons += [
        f"draws of {name} are not all finite"
        for name, draws in quantities.items()
        if not np.all(np.isfinite(draws))
    ]
    for name, q in figures.items():
        # Written so that NaN fails.
        if not q.r_hat < R_HAT_LIMIT:
            shown = wording.diagnostic(q.r_hat, 3)
            reasons.append(f"R-hat of {name} is {shown}, must be below {R_HAT_LIMIT}")
        for kind, size in (("bulk", q.ess_bulk), ("tail", q.ess_tail)):
            if not size >= ESS_LIMIT:
                shown = wording.diagnostic(size, 0)
                reasons.append(f"{kind} ESS of {name} is {shown}, must be at least {ESS_LIMIT:.0f}")
    if divergences:
        reasons.append(f"{divergences} divergent transitions; raise the target acceptance")
    if hits:
        reasons.append(f"{hits} trajectories were cut short by the limit on tree depth")
    if not lowest_bfmi >= BFMI_LIMIT:
        reasons.append(
            f"BFMI is {wording.diagnostic(lowest_bfmi, 2)}, must be at least {BFMI_LIMIT}"
        )
    return Diagnostics(figures, divergences, hits, lowest_bfmi, tuple(reasons))


def r_hat(draws: Chains) -> float:
    """Rank-normalized split R-hat: the larger of that of the ranks and of the folded ranks."""
    split = _split(draws)
    folded = np.abs(split - np.median(split))
    both = [_plain_r_hat(_normal_scores(split)), _plain_r_hat(_normal_scores(folded))]
    return float(np.max(both))  # unlike max(), says NaN where either is


def ess_bulk(draws: Chains) -> float:
    """Effective sample size of the rank-normalized draws."""
    return _ess(_normal_scores(_split(draws)))


def ess_tail(draws: Chains) -> float:
    """Smaller effective sample size of the 5 % and 95 % quantiles."""
    low, high = np.quantile(draws, [TAIL_PROB, 1.0 - TAIL_PROB])
    return min(_ess(_split(draws <= low)), _ess(_split(draws <= high)))


def ess_mean(draws: Chains) -> float:
    """Effective sample size of the mean."""
    return _ess(_split(draws))


def mcse_mean(draws: Chains) -> float:
    """Monte Carlo standard error of the mean."""
    return float(np.std(draws, ddof=1) / np.sqrt(ess_mean(draws)))


def log_mean_exp(log_density: Chains) -> tuple[float, float]:
    """Log of the mean of a density over draws, and its Monte Carlo standard error.

    Parameters
    ----------
    log_density
        Dims (chain, draw).
    """
    peak = float(log_density.max())
    density = np.exp(log_density - peak)
    mean = float(density.mean())
    return peak + float(np.log(mean)), float(mcse_mean(density)) / mean


def bfmi(energy: Chains) -> NDArray[np.float64]:
    """Bayesian fraction of missing information of each chain (Betancourt 2016); dims (chain,).

    NaN of a chain whose energy never moves.
    """
    steps = np.mean(np.diff(energy, axis=1) ** 2, axis=1)
    spread = np.var(energy, axis=1, ddof=1)
    return np.divide(steps, spread, out=np.full_like(spread, np.nan), where=spread > 0.0)


def _split(draws: Chains) -> Chains:
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, -half:]]).astype(np.float64)


def _normal_scores(draws: Chains) -> Chains:
    """Ranks (ties averaged) of all draws together, as quantiles of a standard normal."""
    _, inverse, counts = np.unique(draws, return_inverse=True, return_counts=True)
    twice_ranks = (2 * np.cumsum(counts) - counts + 1)[inverse].reshape(draws.shape)
    return np.asarray(_scores(draws.size)[twice_ranks])


@lru_cache(maxsize=8)
def _scores(size: int) -> NDArray[np.float64]:
    """Normal scores of ranks 0, 1/2, 1, ... `size`; the first two stand for no rank."""
    quantile = NormalDist().inv_cdf
    twice_ranks = np.arange(2, 2 * size + 1)
    levels = (0.5 * twice_ranks - 0.375) / (size + 0.25)
    return np.array([np.nan, np.nan, *map(quantile, levels.tolist())])


def _plain_r_hat(draws: Chains) -> float:
    n = draws.shape[1]
    between = n * np.var(draws.mean(axis=1), ddof=1)
    within = np.mean(np.var(draws, axis=1, ddof=1))
    if within == 0.0:
        return float("nan")
    return float(np.sqrt((between / within + n - 1) / n))


def _ess(draws: Chains) -> float:
    """Effective sample size with Geyer's initial monotone positive sequence."""
    n = draws.shape[1]
    if np.ptp(draws) < np.finfo(np.float64).resolution:
        return float(draws.size)
    covariance = _mean_autocovariance(draws)
    within = covariance[0] * n / (n - 1.0)
    total = covariance[0] + np.var(draws.mean(axis=1), ddof=1)
    rho = 1.0 - (within - covariance) / total
    rho[0] = 1.0

    # Sums of neighbours (even lag and the next) are positive and falling for a reversible chain.
    number = 1 + len(range(1, n - 3, 2))
    pairs = rho[: 2 * number : 2] + rho[1 : 2 * number : 2]
    negative = np.flatnonzero(pairs < 0.0)
    kept = int(negative[0]) if len(negative) else len(pairs) - 1
    monotone = np.minimum.accumulate(pairs[:kept])
    # The even lag after the last pair kept improves on cutting it off, unless it is negative noise.
    following = rho[2 * kept]
    if len(negative) and following < 0.0:
        following = 0.0
    tau = max(-1.0 + 2.0 * float(monotone.sum()) + float(following), 1.0 / np.log10(draws.size))
    return float(draws.size / tau)


def _mean_autocovariance(draws: Chains) -> NDArray[np.float64]:
    """Autocovariance at every lag, averaged over chains; dims (lag,)."""
    n = draws.shape[1]
    centred = draws - draws.mean(axis=1, keepdims=True)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, size, axis=1)) ** 2
    return np.asarray(np.fft.irfft(spectrum.mean(axis=0), size)[:n] / n)
