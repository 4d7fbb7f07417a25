"""Simultaneous band for the empirical distribution function of uniform ranks.

Säilynoja, Bürkner and Vehtari (2022), "Graphical test for discrete uniformity and its applications
in goodness-of-fit evaluation and multiple sample comparison", Statistics and Computing 32, 32: at
each of the points ``z_i = i / K`` the count of ranks below is binomial, and lies within its
pointwise interval of level ``1 - gamma``; gamma is lowered until all counts do so together with the
probability that is wanted. That probability is computed exactly, by their recursion over the
points (section 2.2), so that false-alarm rates too small to simulate can be asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

Counts = NDArray[np.int64]

BISECTIONS = 24
"""Of log gamma: to a millionth of it."""


@dataclass(frozen=True)
class Band:
    """Least and greatest counts of ranks below each inner point. Dims (point,).

    Attributes
    ----------
    n
        Number of ranks.
    values
        Number of values K that a rank can take, 0 to K - 1.
    lower, upper
        Counts of ranks < i allowed, for i from 1 to K - 1.
    false_alarm
        Exact probability that independent uniform ranks leave the band.
    """

    n: int
    values: int
    lower: Counts
    upper: Counts
    false_alarm: float

    def excursions(self, ranks: ArrayLike) -> list[str]:
        """Points at which the ranks leave the band, in words; empty if they stay within.

        Raises
        ------
        ValueError
            Not n integers from 0 to K - 1.
        """
        ranks = np.asarray(ranks)
        if ranks.shape != (self.n,) or ranks.min() < 0 or ranks.max() >= self.values:
            raise ValueError(f"expected {self.n} ranks from 0 to {self.values - 1}")
        counts = np.cumsum(np.bincount(ranks, minlength=self.values))[:-1]
        outside = np.flatnonzero((counts < self.lower) | (counts > self.upper))
        return [
            f"{counts[i]} of {self.n} ranks below {i + 1} of {self.values}, "
            f"allowed {self.lower[i]} to {self.upper[i]}"
            for i in outside
        ]


def ecdf_band(n: int, values: int, false_alarm: float) -> Band:
    """The widest-gamma band that uniform ranks leave with probability `false_alarm` at most.

    Parameters
    ----------
    n
        Number of ranks.
    values
        Number of values a rank can take: the number of posterior draws plus one.
    false_alarm
        Probability in (0, 1).
    """
    low, high = np.log(false_alarm) - 30.0, np.log(false_alarm)
    best = _pointwise(n, values, float(np.exp(low)))
    # Never above: one point alone leaves an interval of level 1 - gamma with gamma or less.
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        band = _pointwise(n, values, float(np.exp(middle)))
        if band.false_alarm <= false_alarm:
            low, best = middle, band
        else:
            high = middle
    return best


def _pointwise(n: int, values: int, gamma: float) -> Band:
    z = np.arange(1, values) / values
    lower = stats.binom.ppf(0.5 * gamma, n, z).astype(np.int64)
    upper = stats.binom.isf(0.5 * gamma, n, z).astype(np.int64)
    return Band(n, values, lower, upper, escape_probability(n, values, lower, upper))


def escape_probability(n: int, values: int, lower: Counts, upper: Counts) -> float:
    """Probability that counts of uniform ranks leave the limits at one point at least.

    Counts at successive points are a Markov chain: of the ``n - k`` ranks not below ``z_i``, those
    below ``z_{i+1}`` are binomial with probability ``1 / (K - i)``. What leaves at each point is
    summed, not one less what stays: no digits are lost when it is small.
    """
    log_factorial = special.gammaln(np.arange(n + 1) + 1.0)
    start, inside = np.zeros(1, dtype=np.int64), np.ones(1)
    escaped = 0.0
    for i in range(values - 1):
        p = 1.0 / (values - i)
        left = n - start
        beyond = special.bdtrc(upper[i] - start, left, p) * (upper[i] - start < left)
        short = np.where(start < lower[i], special.bdtr(lower[i] - 1 - start, left, p), 0.0)
        escaped += float(inside @ np.nan_to_num(beyond) + inside @ np.nan_to_num(short))
        stop = np.arange(lower[i], upper[i] + 1)
        step = stop[None, :] - start[:, None]
        possible = step >= 0
        step = np.where(possible, step, 0)
        log_pmf = (
            log_factorial[left[:, None]]
            - log_factorial[step]
            - log_factorial[left[:, None] - step]
            + step * np.log(p)
            + (left[:, None] - step) * np.log1p(-p)
        )
        inside = inside @ np.where(possible, np.exp(log_pmf), 0.0)
        start = stop
    return escaped
