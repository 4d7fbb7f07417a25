"""The quantities people ask for, from posterior draws: plain arrays in, estimates out.

Every interval states its probability and kind; none is inherited from a library's default.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from effbayes.dataset.series import Series
from effbayes.errors import UsageError
from effbayes.trend import DAYS_PER_YEAR, MONTHS_PER_YEAR, factor
from effbayes.types import Estimate, IntervalKind

Sample = NDArray[np.floating[Any]]
"""Draws of one quantity; the dims do not matter."""

NO_UPPER_END = "longer than the low end, or no progress: the interval of the rate includes zero"
NO_PROGRESS = "no progress: the interval of the rate lies below zero"
BEYOND_NUMBERS = "beyond the range of double precision"
OBSERVED_DRAWS = 20_000
FACTOR_KINDS = ("trend", "predictive", "observed")
LARGE_PRIOR_SHARE = 0.25


class Interval(NamedTuple):
    """Which credible interval: its probability, and equal-tailed or highest-density."""

    prob: float = 0.95
    kind: IntervalKind = "eti"

    def check(self) -> Interval:
        """Refuse an impossible interval.

        Raises
        ------
        UsageError
            The probability is not strictly between 0 and 1, or the kind is unknown.
        """
        if not 0.0 < self.prob < 1.0:
            raise UsageError(f"ci = {self.prob}, must be between 0 and 1 (0.95 for 95 %)")
        if self.kind not in {"eti", "hdi"}:
            raise UsageError(f"interval kind {self.kind!r} is not one of eti, hdi")
        return self


def estimate(draws: Sample, interval: Interval) -> Estimate:
    """Median and credible interval of draws.

    Parameters
    ----------
    draws
        Any shape, no NaN; what is beyond double precision may be infinite.
    interval
        Equal-tailed, or the narrowest that holds the probability.
    """
    flat = np.sort(np.ravel(draws))
    median = float(np.median(flat))
    if interval.kind == "eti":
        tail = 0.5 * (1.0 - interval.prob)
        low, high = np.quantile(flat, [tail, 1.0 - tail])
    else:
        # At least two neighbours: a draw alone is as narrow as any other.
        inside = min(max(int(np.floor(interval.prob * len(flat))), 1), len(flat) - 1)
        with np.errstate(invalid="ignore"):
            width = flat[inside:] - flat[: len(flat) - inside]
        # Between two infinities there is no width, and argmin takes NaN for the smallest.
        start = int(np.argmin(np.where(np.isnan(width), np.inf, width)))
        low, high = flat[start], flat[start + inside]
    return Estimate(median, float(low), float(high))


def doubling_time(rate: Sample, interval: Interval) -> Estimate:
    """Doubling time in months: the quantiles of the rate turned over.

    Parameters
    ----------
    rate
        Draws in doublings per year, of either sign.

    Returns
    -------
    Estimate
        An end (or the median) is None where the rate's quantile is not positive. A highest-density
        interval is of the doubling time itself where every draw makes progress, else of the rate.
    """
    if interval.kind == "hdi" and np.all(rate > 0.0):
        return estimate(MONTHS_PER_YEAR / rate, interval)
    turned = estimate(rate, interval)
    median, low, high = (
        MONTHS_PER_YEAR / value if value is not None and value > 0.0 else None
        for value in (turned.median, turned.high, turned.low)
    )
    note = None
    if low is None:
        note = NO_PROGRESS
    elif high is None:
        note = NO_UPPER_END
    return Estimate(median, low, high, note)


def trend_factor(rate: Sample, years: float, interval: Interval) -> Estimate:
    """Efficiency factor of the trend over a number of years."""
    # A factor beyond double precision becomes infinite here, and null in the JSON.
    with np.errstate(over="ignore", invalid="ignore"):
        return estimate(factor(rate, years), interval)


def predictive_factor(rate: Sample, noise: Sample, years: float, interval: Interval) -> Estimate:
    """Efficiency factor between a new system at each end of a period.

    Parameters
    ----------
    rate
        Draws, dims (chain, draw).
    noise
        Two independent deviations from the trend per draw, in doublings; dims (chain, draw, 2).
    years
        Length of the period.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return estimate(2.0 ** (rate * years + noise[..., 1] - noise[..., 0]), interval)


def observed_factor(
    series: Series, start: int, end: int, interval: Interval, rng: np.random.Generator
) -> Estimate:
    """Efficiency factor between two rows of the table, with their measurement error.

    Parameters
    ----------
    series
        The table.
    start, end
        Rows; the factor is > 1 where the later one is more efficient.
    rng
        Draws the errors: normal in log2 for a standard deviation, uniform in the value between
        bounds. Rows without error give the bare factor.

    Returns
    -------
    Estimate
        All None where a row has one bound only.
    """
    if start == end:
        return Estimate(1.0, 1.0, 1.0)
    first, last = _observed_draws(series, start, rng), _observed_draws(series, end, rng)
    if first is None or last is None:
        return Estimate(None, None, None, "a value is known from one side only")
    gain = series.sign * (last - first)
    with np.errstate(over="ignore", invalid="ignore"):
        return estimate(2.0**gain, interval)


def prob_faster(rate: Sample, reference_rate: float) -> float:
    """Posterior probability that the rate exceeds another, both in doublings per year."""
    return float(np.mean(rate > reference_rate))


def years_between(start: np.datetime64, end: np.datetime64) -> float:
    """Years of 365.25 days from one date to another."""
    days = (end - start) / np.timedelta64(1, "D")
    return float(days) / DAYS_PER_YEAR


def date_after(origin: np.datetime64, years: float) -> np.datetime64:
    """The day that begins nearest to a number of years of 365.25 days after a date or moment."""
    moment = origin.astype("datetime64[s]") + np.timedelta64(
        round(years * DAYS_PER_YEAR * 86400), "s"
    )
    # Cut to its day, a moment in the afternoon would come out half a day early.
    day: np.datetime64 = (moment + np.timedelta64(12, "h")).astype("datetime64[D]")
    return day


def prior_notes(
    n_obs: int, draws: Mapping[str, Sample], settings: Mapping[str, Any]
) -> tuple[str, ...]:
    """What the prior contributes, in plain words, where it contributes much.

    Parameters
    ----------
    n_obs
        Rows used.
    draws
        Posterior draws of ``rate`` and ``sigma``.
    settings
        With ``model``, ``prior`` and ``priors``.
    """
    priors, kind = settings["priors"], settings["prior"]
    notes = []
    if n_obs == 2:
        median = float(np.median(draws["sigma"]))
        expected = priors["sigma_scale"] * NormalDist().inv_cdf(0.75)
        figures = f"prior median {expected:.2f} doublings, posterior {median:.2f}"
        if kind != "reference" and 0.5 * expected < median < 2.0 * expected:
            notes.append(
                "Two observations leave no scatter to judge the noise by: sigma is known from its "
                f"prior alone ({figures}), and the intervals here are as wide as that prior says."
            )
        elif kind != "reference":
            notes.append(
                "Two observations leave no scatter to judge the noise by, and these two agree "
                f"badly with the priors: sigma ({figures}) and every interval here are a "
                "compromise between them."
            )
    if settings["model"] in {"changepoint", "drift"}:
        return tuple(notes)  # their rate is no parameter, and its prior not that of one
    if kind == "default":
        log_time = -np.log(draws["rate"])  # but for a constant
        share = float(np.var(log_time) / priors["doubling_time_sdlog"] ** 2)
        name = "the logarithm of the doubling time"
    elif kind == "signed":
        share = float(np.var(draws["rate"]) / priors["rate_sd"] ** 2)
        name = "the rate"
    else:
        return tuple(notes)
    if share > LARGE_PRIOR_SHARE:
        notes.append(
            f"The data leave {100 * min(share, 1.0):.0f} % of the prior variance of {name}: "
            "another prior would give another interval."
        )
    return tuple(notes)


def as_dict(value: Estimate) -> dict[str, Any]:
    """An estimate as the JSON has it: strict, a note only where there is one.

    Values too large for a double become None with a note.
    """
    shown: dict[str, Any] = {}
    note = value.note
    for name in ("median", "low", "high"):
        number = getattr(value, name)
        if number is not None and not np.isfinite(number):
            number, note = None, BEYOND_NUMBERS
        shown[name] = number
    if note is not None:
        shown["note"] = note
    return shown


def _observed_draws(series: Series, row: int, rng: np.random.Generator) -> Sample | None:
    low, high = series.value_low[row], series.value_high[row]
    if np.isfinite(low) and np.isfinite(high):
        values = np.log2(rng.uniform(low, high, OBSERVED_DRAWS))
    elif np.isfinite(low) or np.isfinite(high):
        return None
    else:
        values = np.full(OBSERVED_DRAWS, np.log2(series.value[row]))
    if series.value_sd[row] > 0.0:
        values = values + series.value_sd[row] * rng.standard_normal(OBSERVED_DRAWS)
    return np.asarray(values)
