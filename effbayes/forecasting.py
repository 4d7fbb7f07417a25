"""Where the trend is at a date, and at what date it reaches a value.

Years are counted from the series' origin, as in `effbayes.curves`. Dates are those of the calendar
that ISO 8601 has, year 1 to 9999.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from effbayes import posterior as post
from effbayes.curves import Curve, Draws
from effbayes.dataset import dates
from effbayes.dataset.cells import Problem
from effbayes.dataset.series import Series
from effbayes.errors import UsageError
from effbayes.posterior import BEYOND_NUMBERS, Interval
from effbayes.trend import DAYS_PER_YEAR
from effbayes.types import Estimate

FAR = 0.5
"""Share of the observed span past which a date beyond the rows is called an extrapolation."""

HORIZON_YEARS = 100.0
"""How far beyond the rows a date is named, on either side."""

MOST_DATES = 8
"""Length of the table of probabilities where no dates are given."""

STEPS_IN_MONTHS = (1, 3, 6, 12, 24, 60, 120, 240, 600)

NEVER = 1e9
"""Stands for infinitely many years, so that quantiles next to it can be interpolated."""


@dataclass(frozen=True)
class DateEstimate:
    """Median and ends of an interval of a date, ISO; None where there is none, and `note` why."""

    median: str | None
    low: str | None
    high: str | None
    note: str | None = None


@dataclass(frozen=True)
class LevelForecast:
    """The value at a date, in the series' unit.

    Attributes
    ----------
    date
        ISO date.
    trend
        Of the trend.
    predictive
        Of a new system: trend and noise.
    years_beyond
        From the rows used to the date; 0 between them.
    extrapolated
        Whether that is more than half of the span of the rows.
    notes
        What a reader must know.
    """

    date: str
    trend: Estimate
    predictive: Estimate
    years_beyond: float
    extrapolated: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DateForecast:
    """The date at which the trend first is at a value or better.

    Attributes
    ----------
    value
        In the series' unit.
    date
        Median and interval over all draws, those in which the value is never reached as the latest.
    by
        ISO dates, and the probability that the value is reached by then.
    horizon
        The last date that `date` can name.
    prob_reached
        Probability that the value is reached by the horizon.
    years_beyond, extrapolated
        As in `LevelForecast`, of the median; or, where there is none, of the low end; or, where
        there is neither, of the last date on their side that could be named.
    notes
        What a reader must know.
    """

    value: float
    date: DateEstimate
    by: tuple[tuple[str, float], ...]
    horizon: str
    prob_reached: float
    years_beyond: float
    extrapolated: bool
    notes: tuple[str, ...] = ()


def day_of(text: str, series: Series | None = None) -> np.datetime64:
    """A date as people write it.

    Parameters
    ----------
    text
        As `effbayes.dataset.Series.date_of` takes it.
    series
        Whose rows have labels; None for dates alone.

    Raises
    ------
    UsageError
        It is none of these, or a label of several rows.

    Examples
    --------
    >>> print(day_of("2012"), day_of("2012-06"), day_of("2012-06-01"))
    2012-07-02 2012-06-16 2012-06-01
    """
    if series is not None:
        return series.date_of(text)
    found = dates.day_of(text)
    if isinstance(found, Problem):
        raise UsageError(f"{text!r} {found.rule}" + (f" ({found.remedy})" if found.remedy else ""))
    return found


def at_date(
    series: Series, curve: Curve, noise: Draws, text: str, interval: Interval
) -> LevelForecast:
    """The value of the trend, and of a new system, at a date.

    Parameters
    ----------
    series
        The table.
    curve
        The trend.
    noise
        Deviations of new systems from it, in doublings less efficient; dims (chain, draw, system).
    text
        See `day_of`.
    interval
        Which interval; highest-density means that of the value's logarithm.
    """
    day = day_of(text, series)
    level = curve.level(post.years_between(series.origin, day))
    beyond, notes = extrapolation(series, day)
    return LevelForecast(
        date=str(day),
        trend=_value(level, interval),
        predictive=_value(level - series.sign * noise, interval),
        years_beyond=beyond,
        extrapolated=bool(notes),
        notes=notes,
    )


def until_value(
    series: Series, curve: Curve, value: float, by: Sequence[str], interval: Interval
) -> DateForecast:
    """The date at which the trend reaches a value.

    Parameters
    ----------
    series, curve
        The table, and the trend.
    value
        In the series' unit.
    by
        Dates, as `day_of` reads them, to give the probability for; none for a table of some that
        suit the distribution.
    interval
        Which interval.

    Raises
    ------
    UsageError
        The value is not a number > 0, or a date is none or before the first row used.
    """
    if not 0.0 < value < np.inf:
        raise UsageError(f"a value of {value}; it must be a number > 0, in the series' unit")
    first, last = series.ends
    days = sorted({day_of(text, series) for text in by})
    if days and days[0] < first:
        raise UsageError(f"{days[0]} is before the first row used, {first}; give a later date")
    horizon = _clipped(last, HORIZON_YEARS)
    years = np.array([post.years_between(series.origin, day) for day in (first, horizon, *days)])
    found = curve.reaches(float(np.log2(value)), years[0], years.max())
    reached = np.where(found <= years[1], np.maximum(found, -NEVER), NEVER)
    turned = post.estimate(reached, interval)
    date = _dated(series, turned, horizon)
    named = date.median or date.low or _nearest_nameable(series, turned.median, horizon)
    beyond, notes = extrapolation(series, np.datetime64(named))
    days = days or list(_some_dates(series, found, horizon))
    return DateForecast(
        value=value,
        date=date,
        by=tuple((str(day), _prob_by(series, found, day)) for day in days),
        horizon=str(horizon),
        prob_reached=float(np.mean(found <= years[1])),
        years_beyond=beyond,
        extrapolated=bool(notes),
        notes=notes,
    )


def extrapolation(series: Series, day: np.datetime64) -> tuple[float, tuple[str, ...]]:
    """How far a date lies beyond the rows used, and what is to be said of that.

    Returns
    -------
    tuple
        Years, 0 between the rows; and a note if that is more than half of their span.
    """
    first, last = series.ends
    span = post.years_between(first, last)
    after, before = post.years_between(last, day), post.years_between(day, first)
    beyond = max(after, before, 0.0)
    if beyond <= FAR * span:
        return beyond, ()
    side = "after the last" if after > 0.0 else "before the first"
    note = (
        f"Extrapolation: {day} is {beyond:.1f} years {side} row used, more than half of the "
        f"{span:.1f} years observed."
    )
    return beyond, (note,)


def _value(log2: Draws, interval: Interval) -> Estimate:
    """An estimate of the value from draws of its logarithm; None where no double holds it."""
    found = post.estimate(log2, interval)
    with np.errstate(over="ignore", under="ignore"):
        median, low, high = (None if x is None else _held(np.exp2(x)) for x in found[:3])
    note = BEYOND_NUMBERS if None in {median, low, high} else None
    return Estimate(median, low, high, note)


def _held(value: float) -> float | None:
    return float(value) if 0.0 < value < np.inf else None


def _dated(series: Series, turned: Estimate, horizon: np.datetime64) -> DateEstimate:
    """Years turned into dates; None, with the reason, beyond the horizon on either side."""
    earliest = _earliest(series)
    notes = []

    def named(years: float | None) -> str | None:
        day = _day(series, NEVER if years is None else years)
        if day > horizon:
            notes.append(f"later than {horizon}, or never")
        elif day < earliest:
            notes.append(f"earlier than {earliest}, or always so")
        return str(day) if earliest <= day <= horizon else None

    median, low, high = map(named, turned[:3])
    return DateEstimate(median, low, high, "; ".join(dict.fromkeys(notes)) or None)


def _earliest(series: Series) -> np.datetime64:
    """The horizon on the other side: the first date that is named."""
    return _clipped(series.ends[0], -HORIZON_YEARS)


def _nearest_nameable(series: Series, years: float | None, horizon: np.datetime64) -> np.datetime64:
    """A date, or what is nearest to it between the horizons."""
    day = _day(series, NEVER if years is None else years)
    return min(max(day, _earliest(series)), horizon)


def _day(series: Series, years: float) -> np.datetime64:
    # Rounded up: by that day the value is reached.
    seconds = np.ceil(years * DAYS_PER_YEAR * 86400.0)
    moment = series.origin + np.timedelta64(int(seconds), "s")
    day: np.datetime64 = moment.astype("datetime64[D]")
    return day if day == moment else day + np.timedelta64(1, "D")


def _prob_by(series: Series, found: Draws, day: np.datetime64) -> float:
    return float(np.mean(found <= post.years_between(series.origin, day)))


def _clipped(day: np.datetime64, years: float) -> np.datetime64:
    """A date some years later, within the calendar."""
    moved = day + np.timedelta64(round(years * DAYS_PER_YEAR), "D")
    limits = np.datetime64("0001-01-01"), np.datetime64("9999-12-31")
    return min(max(moved, limits[0]), limits[1])


def _some_dates(series: Series, found: Draws, horizon: np.datetime64) -> Iterator[np.datetime64]:
    """First days of months, years or decades that lie over what is known of a date."""
    first = series.ends[0]
    edge = post.years_between(series.origin, horizon)
    near = np.clip(found, post.years_between(series.origin, first), edge)
    low, high = (_day(series, each) for each in np.quantile(near, [0.025, 0.975]))
    start, end = (int(day.astype("datetime64[M]").astype(int)) for day in (low, high))
    for step in STEPS_IN_MONTHS:
        # Months are counted from 1970, and years of a round number of steps are round too.
        counted = range(-(-start // step) * step, (end // step + 1) * step + 1, step)
        if len(counted) <= MOST_DATES:
            break
    for month in counted:
        day = np.datetime64(month, "M").astype("datetime64[D]")
        if first <= day <= horizon:
            yield day
