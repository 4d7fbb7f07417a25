"""Does the posterior exist? Checked before sampling, because a sampler cannot tell.

Ways in which it does not:

* every row lies on one line. The likelihood then grows like ``sigma**-n`` as the noise vanishes,
  and with three rows or more no proper density of sigma at zero outweighs it;
* under the flat reference prior, too few rows bound the trend from both sides, or one line passes
  within every bound, so that an arbitrarily small noise stays possible;
* under Student's t noise, a few rows on one line are enough, since the price of all others vanishes
  with nu (Fernandez and Steel 1999, Biometrika 86);
* of several series pooled, the noise of all is free to vanish: see `require_scatter`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from effbayes.dataset.series import Series
from effbayes.errors import DataError
from effbayes.trend import DAYS_PER_YEAR

_ON_A_LINE = 1e-9  # doublings: below the rounding of any value that was printed
_REMEDY = "state the measurement error of the values (value_sd)"
NEGLIGIBLE = 1e-4
"""Prior probability of the degrees of freedom below which improperness is of no account."""

MOST_ROWS_SEARCHED = 300
"""Rows past which robust noise is not searched for lines: the others outweigh any by far."""


def require_proper(
    series: Series, *, prior: str, robust: bool, nu: tuple[float, float] = (2.0, 0.1)
) -> None:
    """Refuse a series whose posterior is improper.

    Parameters
    ----------
    series
        The rows used count.
    prior
        ``"default"``, ``"signed"`` or ``"reference"`` (flat in alpha, r and log sigma).
    robust
        Student's t noise, under which rows off the line cost almost nothing as nu goes to zero.
    nu
        Shape and rate of the Gamma prior that its degrees of freedom have then.

    Raises
    ------
    DataError
        With the reason and what to do.
    """
    used, flat = series.used, prior == "reference"
    t = series.date[used].astype("datetime64[D]").astype(np.float64)
    low, high = _bounds(series)
    dated = series.date_sd_days[used] == 0.0
    measured = series.value_sd[used] == 0.0
    sharp = measured & dated
    exact = sharp & (low == high)
    _refuse_line(series, t[sharp], low[sharp], high[sharp])
    if prior == "signed":
        # Without a slope, errors of the dates move no value: these rows are exact there.
        level = measured & (low == high)
        if level.sum() > 2 and np.ptp(low[level]) < _ON_A_LINE:
            raise DataError(f"{series.id}: all exact values are equal; {_REMEDY}")
    if robust:
        _refuse_line_among_others(series, t[exact], low[exact], flat=flat, nu=nu)
    if flat:
        _refuse_flat(series, t, (low, high), sharp, dated)


def require_scatter(series: Sequence[Series]) -> None:
    """Refuse series that leave the noise of all of them free to vanish.

    The noise of one series cannot vanish alone: log sigma is normal around log s, which outweighs
    any power of sigma. But s has a density at zero, so if the sharp rows of *every* series lie on a
    line, the likelihood grows like s to the power of minus the number of rows beyond those that fix
    the lines; from one on it cannot be normalized. Neither can it where there are none of these,
    and three lines or more have the same rate: then s and tau vanish together.

    Raises
    ------
    DataError
        With the reason and what to do.
    """
    excess, rates = 0, []
    for each in series:
        t, low, high = _sharp_rows(each)
        exact = low == high
        freedoms = min(len(np.unique(t[exact])), 2)
        if len(t) and not _line_within(t, low, high):
            return
        excess += int(exact.sum()) - freedoms
        if freedoms == 2:
            slope = np.polyfit(t[exact] / DAYS_PER_YEAR, low[exact], 1)[0]
            rates.append(each.sign * float(slope))
    if any(rate <= 0.0 for rate in rates):
        return
    if excess > 0:
        raise DataError(
            "the exact values of every series lie on a line, so the noise of all could be zero and "
            f"no interval exists; {_REMEDY}"
        )
    if len(rates) > 2 and np.ptp(rates) < _ON_A_LINE:
        raise DataError(
            f"{len(rates)} series have the same rate to the last digit and no scatter, so no "
            f"interval exists; {_REMEDY}"
        )


def _sharp_rows(series: Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Days, and log2 of both bounds, of the rows without error of value or date."""
    used = series.used
    sharp = (series.date_sd_days[used] == 0.0) & (series.value_sd[used] == 0.0)
    days = series.date[used].astype("datetime64[D]").astype(np.float64)
    low, high = _bounds(series)
    return days[sharp], low[sharp], high[sharp]


def _refuse_line(series: Series, t: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Refuse exact rows on one line that also passes within every sharp bound."""
    exact = low == high
    # As many exact rows as a line has freedoms fit it without a claim about the noise.
    freedoms = min(len(np.unique(t[exact])), 2)
    if exact.sum() <= freedoms or not _on_one_line(t[exact], low[exact]):
        return
    if _line_within(t, low, high):
        raise DataError(
            f"{series.id}: {int(exact.sum())} exact values lie on one line, so the noise could be "
            f"zero and no interval exists; {_REMEDY}"
        )


def _refuse_line_among_others(
    series: Series, t: np.ndarray, y: np.ndarray, *, flat: bool, nu: tuple[float, float]
) -> None:
    """Refuse exact rows on one line that the others cannot outweigh under Student's t noise.

    With k such rows, f freedoms of their line and m rows off it, the density at a small sigma goes
    like ``sigma**(nu m - (k - f))``, and like one power less under the flat prior. Below a certain
    nu it cannot be normalized; where the prior all but excludes that, its prior is read as
    truncated there.
    """
    if not len(t):
        return
    from scipy.special import gammainc  # noqa: PLC0415 - slow to import, rarely needed

    shape, rate = nu
    for rows, freedoms in ((_most_alike(t, y), 1), (_most_on_a_line(t, y), 2)):
        excess = rows - freedoms - (0 if flat else 1)
        if excess <= 0:
            continue
        others = series.n_obs - rows
        limit = excess / others if others else np.inf
        if gammainc(shape, rate * limit) > NEGLIGIBLE:
            raise DataError(
                f"{series.id}: under robust noise the {rows} exact values that lie on one line "
                f"admit a noise of zero, whatever the others are, and no interval exists; {_REMEDY}"
            )


def _most_alike(t: np.ndarray, y: np.ndarray) -> int:
    """Largest number of rows with the same date and value."""
    rows = np.column_stack([t, np.round(y / _ON_A_LINE) * _ON_A_LINE])
    return int(np.unique(rows, axis=0, return_counts=True)[1].max())


def _most_on_a_line(t: np.ndarray, y: np.ndarray) -> int:
    """Largest number of rows on one line, for tables of a size where that could matter."""
    most = 0
    if len(t) > MOST_ROWS_SEARCHED:
        return most
    for i in range(len(t)):
        gap = t - t[i]
        apart = gap != 0.0
        if apart.sum() < 2:
            continue
        # How far other rows lie from the line through this row and each later one.
        slope = (y[apart] - y[i]) / gap[apart]
        off = np.abs(y[None, apart] - y[i] - slope[:, None] * gap[None, apart])
        most = max(most, 1 + int((off < _ON_A_LINE).sum(axis=1).max()))
    return most


def _refuse_flat(
    series: Series,
    t: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    sharp: np.ndarray,
    dated: np.ndarray,
) -> None:
    """Refuse what the flat reference prior cannot carry."""
    low, high = bounds
    other = "use --prior default or signed"
    two_sided = np.isfinite(low) & np.isfinite(high)
    if two_sided.sum() < 3 or len(np.unique(t[two_sided])) < 2:
        raise DataError(
            f"{series.id}: the reference prior needs at least three values bounded on both sides, "
            f"there are {int(two_sided.sum())}; {other}"
        )
    dates = np.unique(t[dated & two_sided])
    if len(dates) < 2:
        # An uncertain date says ever less about a rate that grows: its density falls as 1 / r.
        elsewhere = two_sided & ~np.isin(t, dates)
        if elsewhere.sum() < 2:
            raise DataError(
                f"{series.id}: under the reference prior too few dates are certain enough to bound "
                f"the rate; {other}"
            )
    if not sharp.any() or _line_within(t[sharp], low[sharp], high[sharp]):
        raise DataError(
            f"{series.id}: under the reference prior no interval exists, because one line passes "
            f"through every value within its bounds and errors; {other}"
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
