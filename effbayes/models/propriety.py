"""Does the posterior exist? Checked before sampling, because a sampler cannot tell.

Two ways in which it does not:

* every row lies on one line. The likelihood then grows like ``sigma**-n`` as the noise vanishes,
  and with three rows or more no proper density of sigma at zero outweighs it;
* under the flat reference prior, too few rows bound the trend from both sides, or one line passes
  within every bound, so that an arbitrarily small noise stays possible.
"""

from __future__ import annotations

import numpy as np

from effbayes.dataset.series import Series
from effbayes.errors import DataError

_ON_A_LINE = 1e-9  # doublings: below the rounding of any value that was printed


def require_proper(series: Series, *, flat_prior: bool) -> None:
    """Refuse a series whose posterior is improper.

    Parameters
    ----------
    series
        The rows used count.
    flat_prior
        Whether the prior is flat in (alpha, r, log sigma).

    Raises
    ------
    DataError
        With the reason and what to do.
    """
    used = series.used
    sharp = (series.value_sd[used] == 0.0) & (series.date_sd_days[used] == 0.0)
    low, high = _bounds(series)
    exact = sharp & (low == high)
    t = series.date[used].astype("datetime64[D]").astype(np.float64)
    remedy = "state the measurement error of the values (value_sd)"
    # As many exact rows as a line has freedoms fit it without a claim about the noise.
    freedoms = min(len(np.unique(t[exact])), 2)
    if exact.sum() > freedoms and _on_one_line(t[exact], low[exact]):
        raise DataError(
            f"{series.id}: {int(exact.sum())} exact values lie on one line, so the noise could be "
            f"zero and no interval exists; {remedy}"
        )
    if not flat_prior:
        return
    two_sided = np.isfinite(low) & np.isfinite(high)
    if two_sided.sum() < 3 or len(np.unique(t[two_sided])) < 2:
        raise DataError(
            f"{series.id}: the reference prior needs at least three values bounded on both sides, "
            f"there are {int(two_sided.sum())}; use --prior default or signed"
        )
    if not sharp.any() or _line_within(t[sharp], low[sharp], high[sharp]):
        raise DataError(
            f"{series.id}: under the reference prior no interval exists, because one line passes "
            "through every value within its bounds and errors; use --prior default or signed"
        )


def _bounds(series: Series) -> tuple[np.ndarray, np.ndarray]:
    used = series.used
    bounded = np.isfinite(series.value_low) | np.isfinite(series.value_high)
    open_low = np.where(np.isnan(series.value_low), 0.0, series.value_low)
    open_high = np.where(np.isnan(series.value_high), np.inf, series.value_high)
    low = np.where(bounded, open_low, series.value)
    high = np.where(bounded, open_high, series.value)
    with np.errstate(divide="ignore"):
        return np.log2(low[used]), np.log2(high[used])


def _on_one_line(t: np.ndarray, y: np.ndarray) -> bool:
    if len(np.unique(t)) < 2:
        return bool(np.ptp(y) < _ON_A_LINE)
    t = (t - t.mean()) / np.ptp(t)
    slope, intercept = np.polyfit(t, y, 1)
    return bool(np.max(np.abs(y - intercept - slope * t)) < _ON_A_LINE)


def _line_within(t: np.ndarray, low: np.ndarray, high: np.ndarray) -> bool:
    """Whether some line passes between all bounds (a linear program in level and slope)."""
    from scipy.optimize import linprog  # noqa: PLC0415 - slow to import, rarely needed

    t = (t - t.mean()) / max(float(np.ptp(t)), 1.0)
    upper, lower = np.isfinite(high), np.isfinite(low)
    left = np.vstack(
        [
            np.column_stack([np.ones(upper.sum()), t[upper]]),
            -np.column_stack([np.ones(lower.sum()), t[lower]]),
        ]
    )
    right = np.concatenate([high[upper], -low[lower]]) + _ON_A_LINE
    found = linprog([0.0, 0.0], A_ub=left, b_ub=right, bounds=[(None, None)] * 2)
    return bool(found.success)
