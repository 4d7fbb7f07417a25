"""The trend, the factor, the forecast and the predictive check of a fit, as charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from effbayes.errors import UsageError
from effbayes.figures.charts import (
    MANY_ROWS,
    NARROW,
    WIDE,
    Axis,
    Band,
    Bars,
    Chart,
    Layer,
    Numbers,
    Points,
    Rule,
    Sheet,
    about_row,
    date_ends,
    trend_chart,
    warning_of,
)
from effbayes.figures.labels import LONGEST_LABEL
from effbayes.figures.palette import BLUE, GRAY, GREEN, INK, ORANGE
from effbayes.figures.panels import (
    GRID,
    LARGEST_LOG2,
    MOORE_MONTHS,
    PROBS,
    Panel,
    efficiency_panel,
    limits,
    plain,
    shown,
    value_panel,
)
from effbayes.forecasting import FAR, day_of
from effbayes.posterior import date_after, years_between
from effbayes.trend import MONTHS_PER_YEAR
from effbayes.wording import number

if TYPE_CHECKING:
    from effbayes.analysis import Analysis
    from effbayes.dataset.series import Series

Scale = Literal["log", "linear"]
LONGEST_UNIT = 60

_PANELS: WeakKeyDictionary[Analysis, tuple[Panel, int]] = WeakKeyDictionary()
_AHEAD: WeakKeyDictionary[Analysis, dict[str | None, _Extended]] = WeakKeyDictionary()
"""Quantiles of the trend at many dates, which several figures and views show, while a fit lives."""


def panel_of(fit: Analysis) -> tuple[Panel, int]:
    """The panel of values of a fit, and the first row used; see `value_panel`."""
    if fit not in _PANELS:
        _PANELS[fit] = value_panel(fit.series, fit.curve.level)
    return _PANELS[fit]


def trend(fit: Analysis, scale: Scale = "log") -> Sheet:
    """Values over dates, with the trend's bands."""
    panel, _ = panel_of(fit)
    panel = replace(panel, linear=scale == "linear")
    chart = trend_chart(panel, fit.series, name=unit_of(fit.series), scale=scale)
    return Sheet((chart,), warning_of(fit))


def factor(fit: Analysis, scale: Scale = "linear") -> Sheet:
    """Efficiency relative to the first row used, over dates."""
    value, first = panel_of(fit)
    panel = replace(efficiency_panel(fit.series, value, first), linear=scale == "linear")
    name = f"efficiency, relative to {first_row(fit.series, first)}"
    chart = trend_chart(panel, fit.series, name=name, scale=scale)
    return Sheet((chart,), warning_of(fit))


def forecast(fit: Analysis, until: str | None = None, scale: Scale = "log") -> Sheet:
    """The trend carried on to a later date, with the band that holds new systems.

    Raises
    ------
    UsageError
        The date is not after the last row used.
    """
    series = fit.series
    ahead = _AHEAD.setdefault(fit, {})
    if until not in ahead:
        ahead[until] = _extended(fit, until)
    panel, new = ahead[until]
    panel = replace(panel, linear=scale == "linear")
    chart = trend_chart(panel, series, name=unit_of(series), scale=scale)
    low, high = plain(panel, np.array(limits(replace(panel, bands=new)))).tolist()
    systems = Band(
        panel.dates,
        plain(panel, new[0]),
        plain(panel, new[4]),
        GREEN,
        WIDE,
        "95 % band of a new system",
        dashed=True,
    )
    end = Rule(series.ends[1].astype("datetime64[s]"), "x", INK, "last row used")
    return Sheet(
        (
            replace(
                chart,
                layers=(systems, end, *chart.layers),
                y=replace(chart.y, ends=(low if scale == "log" else 0.0, high)),
            ),
        ),
        warning_of(fit),
    )


def predictive_check(fit: Analysis) -> Sheet:
    """What the fit expects a new system of each row's date to be, beside the row."""
    series = fit.series
    used = np.flatnonzero(series.used)
    expected = _expected(fit, used)
    value, _ = panel_of(fit)
    dates = series.date[used].astype("datetime64[s]")
    panel = replace(value, dates=dates, bands=expected, moore=expected[2])
    low, high = plain(panel, np.array(limits(panel))).tolist()
    ends = [plain(panel, each) for each in expected]
    inside = (value.high[used] >= expected[0]) & (value.low[used] <= expected[4])
    points = []
    for within, color, name in ((True, BLUE, "rows"), (False, ORANGE, "rows outside 95 %")):
        at = np.flatnonzero(inside == within)
        if len(at):
            about = (
                (
                    *about_row(series, int(used[i])),
                    ("expected", f"{number(ends[0][i])} to {number(ends[4][i])} (95 %)"),
                )
                for i in at
            )
            point = plain(panel, value.point[used[at]])
            points.append(Points(dates[at], point, color, tuple(about), name))
    chart = Chart(
        x=Axis("date", "date", date_ends(dates)),
        y=Axis(unit_of(series), "log", (low, high)),
        layers=(*_replicates(dates, ends), *points),
        low_legend=series.direction == "falling",
    )
    return Sheet((chart,), warning_of(fit))


def _replicates(dates: Numbers, ends: Sequence[Numbers]) -> tuple[Layer, ...]:
    """Intervals of new systems: a bar for each row, or bands where there are many."""
    names = "95 % of new systems", "50 % of new systems"
    if len(dates) <= MANY_ROWS:
        return (
            Bars(dates, ends[0], dates, ends[4], GRAY, 1.6, 0.9, names[0]),
            Bars(dates, ends[1], dates, ends[3], GRAY, 5.0, 0.6, names[1]),
        )
    order = np.argsort(dates, kind="stable")
    low, first, _, third, high = (each[order] for each in ends)
    return (
        Band(dates[order], low, high, GRAY, WIDE, names[0]),
        Band(dates[order], first, third, GRAY, NARROW, names[1]),
    )


def unit_of(series: Series) -> str:
    """Name of the axis of values."""
    return shown(series.unit, LONGEST_UNIT) or "value"


def first_row(series: Series, first: int) -> str:
    """Label of a row, or its date."""
    return shown(series.label[first], LONGEST_LABEL) or str(series.date[first])


class _Extended(NamedTuple):
    """The panel of values to a later date, and quantiles of new systems, dims (prob, time)."""

    panel: Panel
    systems: Numbers


def _extended(fit: Analysis, until: str | None) -> _Extended:
    series = fit.series
    value, first_used = panel_of(fit)
    first, last = series.ends
    end = date_after(last, FAR * years_between(first, last)) if until is None else day_of(until)
    if end <= last:
        raise UsageError(f"a forecast until {end}: it must be after the last row used, {last}")
    start = first.astype("datetime64[s]")
    span = (end - first).astype("timedelta64[s]")
    dates = start + span * np.linspace(0.0, 1.0, GRID)
    years = np.array([years_between(series.origin, date) for date in dates])
    level = np.asarray(fit.curve.level(years))
    # A quantile of one new system at each date; both deviations of a draw are such systems.
    systems = np.concatenate([level - series.sign * fit.noise[..., i, None] for i in (0, 1)])
    moore = series.sign * (years - years[0]) * MONTHS_PER_YEAR / MOORE_MONTHS
    moore += value.point[first_used]
    bands, new = (np.quantile(x.reshape(-1, GRID), PROBS, axis=0) for x in (level, systems))
    return _Extended(replace(value, dates=dates, bands=bands, moore=moore), new)


def _expected(fit: Analysis, used: Numbers) -> Numbers:
    """Quantiles of log2 of replicates of the rows used, dims (prob, row)."""
    kept = fit.arrays("posterior_predictive")
    if kept:
        drawn = kept["y"]
    else:  # left out of a run with very many draws times rows
        series = fit.series
        years = np.array([years_between(series.origin, date) for date in series.date[used]])
        drawn = fit.curve.level(years) - series.sign * fit.noise[..., 0, None]
    flat = drawn.reshape(-1, len(used))
    return np.asarray(np.clip(np.quantile(flat, PROBS, axis=0), -LARGEST_LOG2, LARGEST_LOG2))
