"""What a chart of a report shows, as numbers, before a library draws it.

Bokeh draws all of them for a page, and Matplotlib for print all but the trend and the factor, which
`effbayes.figures.drawing` draws from the same panels, with names at their rows. Colours, order and
words are decided here, so that they are the same in both. Dates are `datetime64`; all else is in
the unit of its axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from effbayes.dataset.series import Series
from effbayes.figures.drawing import KINDS
from effbayes.figures.palette import BLUE, GRAY, ORANGE
from effbayes.figures.panels import Panel, limits, plain, power_of_ten, shown
from effbayes.wording import number

Numbers = NDArray[Any]

WIDE, NARROW = 0.16, 0.34
"""Opacity of the bands that hold 95 % and 50 %."""

LONGEST_HOVER = 240
MANY_ROWS = 200
"""Rows past which bars would cover the trend, and a mark no longer says its source."""

LONGEST_OF_MANY = 32


@dataclass(frozen=True)
class Axis:
    """Of a chart.

    Attributes
    ----------
    name
        With its unit.
    scale
        Scale of the axis; ``"names"`` counts rows from 0 at the top.
    ends
        First and last value shown.
    names
        Of the rows, top first (scale "names").
    ticked
        Whether values are printed: a density has no use for them.
    """

    name: str
    scale: Literal["linear", "log", "date", "names"] = "linear"
    ends: tuple[Any, Any] = (0.0, 1.0)
    names: tuple[str, ...] = ()
    ticked: bool = True


@dataclass(frozen=True)
class Band:
    """Filled between two curves; dashed edges tell a band for new systems from one of the trend."""

    x: Numbers
    low: Numbers
    high: Numbers
    color: str
    opacity: float
    name: str = ""
    dashed: bool = False


@dataclass(frozen=True)
class Line:
    """A curve; where `says` is given, a value that is pointed at is said with it."""

    x: Numbers
    y: Numbers
    color: str
    name: str = ""
    dashed: bool = False
    width: float = 1.4
    says: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bars:
    """Straight pieces from (x0, y0) to (x1, y1)."""

    x0: Numbers
    y0: Numbers
    x1: Numbers
    y1: Numbers
    color: str
    width: float
    opacity: float = 1.0
    name: str = ""


@dataclass(frozen=True)
class Points:
    """Marks, each with what is said of it: label, date, value, source.

    Attributes
    ----------
    marker
        Matplotlib's sign: o, ^, v, D, or > for what goes on beyond the axis.
    hollow
        Whether the fit does not use them.
    about
        For every mark, lines of name and text.
    """

    x: Numbers
    y: Numbers
    color: str
    about: tuple[tuple[tuple[str, str], ...], ...]
    name: str = ""
    marker: str = "o"
    size: float = 4.5
    hollow: bool = False


@dataclass(frozen=True)
class Rule:
    """A line across the whole chart at one value of an axis."""

    at: Any
    along: Literal["x", "y"]
    color: str
    name: str = ""
    dashed: bool = True


Layer = Band | Line | Bars | Points | Rule


@dataclass(frozen=True)
class Chart:
    """One pair of axes, with its layers from back to front.

    Attributes
    ----------
    title
        Empty where the figure's caption says it all.
    """

    x: Axis
    y: Axis
    layers: tuple[Layer, ...]
    title: str = ""
    legend: Literal["left", "right", "above", "none"] = "left"
    low_legend: bool = False


@dataclass(frozen=True)
class Sheet:
    """Charts side by side.

    Attributes
    ----------
    warning
        Said in the picture, because the picture may be passed on alone.
    height
        Of a row of charts, in inches of a column 6.4 inches wide.
    """

    charts: tuple[Chart, ...]
    warning: str = ""
    columns: int = 1
    height: float = 3.7


NOT_CONVERGED = "Did not converge: do not rely on this."


def warning_of(fit: Any) -> str:
    """What is said in a picture of a run that did not converge."""
    return "" if fit.verdict.ok else NOT_CONVERGED


def trend_chart(
    panel: Panel, series: Series, *, name: str, scale: Literal["log", "linear"]
) -> Chart:
    """The trend with its bands, Moore's law and all rows of the table.

    Parameters
    ----------
    panel
        See `effbayes.figures.panels`.
    name
        Of the axis of values, with its unit.
    scale
        Of that axis.
    """
    power = power_of_ten(panel)
    low, high = plain(panel, np.array(limits(panel))).tolist()
    dates = panel.dates
    bands = [plain(panel, band) for band in panel.bands]
    says = tuple(f"{number(y)} on {str(d)[:10]}" for d, y in zip(dates, bands[2], strict=True))
    layers: list[Layer] = [
        Band(dates, bands[0], bands[4], BLUE, WIDE, "95 % band"),
        Band(dates, bands[1], bands[3], BLUE, NARROW, "50 % band"),
        Line(dates, bands[2], BLUE, "median trend", says=says),
        Line(dates, plain(panel, panel.moore), ORANGE, "Moore's law (2 years)", dashed=True),
        *rows(panel, series),
    ]
    times = f" (units of 1e{power})" if power else ""
    rises = bool(panel.bands[2, -1] > panel.bands[2, 0])
    return Chart(
        x=Axis("date", "date", date_ends(panel.dates, panel.row_date)),
        y=Axis(f"{name}{times}", scale, (low if scale == "log" else 0.0, high * 1.06)),
        layers=tuple(layers),
        legend="left",
        low_legend=not rises,
    )


def rows(panel: Panel, series: Series) -> list[Layer]:
    """Rows of the table: records in blue, others in gray, hollow where not used."""
    found: list[Layer] = []
    for kind in KINDS:
        members = (series.used == kind.used) & (series.frontier == kind.record)
        color = BLUE if kind.record else GRAY
        at = np.flatnonzero(members)
        if 0 < len(at) <= MANY_ROWS:
            low, high = plain(panel, panel.low[at]), plain(panel, panel.high[at])
            days = panel.row_date[at].astype("datetime64[s]")
            found.append(Bars(days, low, days, high, color, 1.1))
        for arrow, marker in ((0, "o"), (1, "^"), (-1, "v")):
            at = np.flatnonzero(members & (panel.arrow == arrow))
            if len(at):
                found.append(
                    Points(
                        x=panel.row_date[at].astype("datetime64[s]"),
                        y=plain(panel, panel.point[at]),
                        color=color,
                        about=tuple(about_row(series, int(row)) for row in at),
                        name=kind.name if arrow == 0 else "",
                        marker=marker,
                        size=4.5 if kind.record else 4.0,
                        hollow=not kind.used,
                    )
                )
    return found


def about_row(series: Series, row: int) -> tuple[tuple[str, str], ...]:
    """Label, date, value and source of a row."""
    unit = shown(series.unit, 40)
    low, high = series.value_low[row], series.value_high[row]
    bounds = [f"> {number(low)}"] * bool(np.isfinite(low)) + [f"< {number(high)}"] * bool(
        np.isfinite(high)
    )
    value = number(series.value[row]) if np.isfinite(series.value[row]) else " and ".join(bounds)
    longest = LONGEST_OF_MANY if series.n_table > MANY_ROWS else LONGEST_HOVER
    said = [
        ("label", shown(series.label[row], longest) or f"row {row + 1}"),
        ("date", str(series.date[row])),
        ("value", f"{value} {unit}".strip()),
    ]
    if series.n_table <= MANY_ROWS:
        said.append(("source", shown(series.source[row], longest) or "not stated"))
    return tuple(said)


def date_ends(*dates: Numbers) -> tuple[np.datetime64, np.datetime64]:
    """First and last of dates with a margin, within what a calendar has."""
    every = np.concatenate([each.astype("datetime64[s]") for each in dates])
    first, last = every.min(), every.max()
    margin = (last - first) // 20
    earliest, latest = np.datetime64("0001-01-01T00:00:00"), np.datetime64("9999-12-31T00:00:00")
    return max(first - margin, earliest), min(last + margin, latest)
