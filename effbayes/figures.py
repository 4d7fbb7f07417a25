"""Pictures for print. Each returns a figure of its own; nothing is shown or saved here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from effbayes.dataset.series import Series
from effbayes.diagnostics import Chains
from effbayes.posterior import years_between

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which colour-blind readers can tell apart.
BLUE, ORANGE, GRAY = "#0072B2", "#D55E00", "#7F7F7F"
BANDS = ((0.95, 0.18), (0.5, 0.32))
MOORE_MONTHS = 24.0


def trend(series: Series, alpha: Chains, rate: Chains) -> Figure:
    """The trend with its band, over the table.

    Parameters
    ----------
    series
        The table: rows used are drawn in blue, others in gray; bounds as bars.
    alpha
        Draws of the level at the series' origin, in log2 of its unit.
    rate
        Draws of the rate, in doublings per year.

    Returns
    -------
    matplotlib.figure.Figure
        Value on a log axis, with the 50 % and 95 % bands of the trend (not of new systems) and,
        dashed, a doubling every 24 months from where the trend starts.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import

    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.add_subplot()
    sign = -1.0 if series.direction == "falling" else 1.0
    start, end = series.ends
    dates = start + (end - start) * np.linspace(0.0, 1.0, 101)
    years = np.array([years_between(series.origin, date) for date in dates])
    level = alpha.ravel()[:, None] + sign * rate.ravel()[:, None] * years
    for prob, opacity in BANDS:
        low, high = np.quantile(level, [0.5 - prob / 2, 0.5 + prob / 2], axis=0)
        axes.fill_between(
            dates,
            2.0**low,
            2.0**high,
            color=BLUE,
            alpha=opacity,
            linewidth=0,
            label=f"{100 * prob:.0f} % band of the trend",
        )
    middle = 2.0 ** np.median(level, axis=0)
    axes.plot(dates, middle, color=BLUE, label="median of the trend")
    moore = middle[0] * 2.0 ** (sign * (years - years[0]) * 12.0 / MOORE_MONTHS)
    axes.plot(dates, moore, color=ORANGE, linestyle="--", label="a doubling every 24 months")
    _points(axes, series, used=True)
    _points(axes, series, used=False)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylabel(_plain(series.unit) or "value")
    axes.set_title(_plain(series.title or series.id), loc="left", fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
    return figure


def _points(axes: Axes, series: Series, *, used: bool) -> None:
    rows = np.flatnonzero(series.used == used)
    if not len(rows):
        return
    low, high = series.value_low[rows], series.value_high[rows]
    value = series.value[rows]
    bounded = np.where(np.isfinite(low), low, high)
    shown = np.where(np.isnan(value), bounded, value)
    bars = np.stack(
        [
            np.where(np.isfinite(low), shown - low, 0.0),
            np.where(np.isfinite(high), high - shown, 0.0),
        ]
    )
    axes.errorbar(
        series.date[rows],
        shown,
        yerr=np.maximum(bars, 0.0),
        fmt="o",
        markersize=5,
        color=BLUE if used else GRAY,
        elinewidth=1.5,
        zorder=3 if used else 2,
        label="rows used" if used else "rows not used",
    )


def _plain(text: str) -> str:
    """A table's own words with Matplotlib's mathematics switched off."""
    return text.replace("$", r"\$")
