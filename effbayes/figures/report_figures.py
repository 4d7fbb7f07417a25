"""The figures of a report, for print: each takes a fit and returns a figure of Matplotlib.

Nothing is shown or written, and Matplotlib's own state and the user's settings stay as they are.
`effbayes.figures.interactive` has the same names, and draws the same for a page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from effbayes.figures import drawing, posterior_charts, sampler_charts, trend_charts
from effbayes.figures.charts import Axis, Band, Bars, Chart, Layer, Line, Points, Rule, Sheet
from effbayes.figures.palette import ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from effbayes.analysis import Analysis

WIDTH = 6.4
DASHES = (0, (5, 3))
SMALL = 7.5


def trend(fit: Analysis) -> Figure:
    """Values on a log axis with the trend's 50 % and 95 % bands, and Moore's law."""
    return _trend(fit, "value")


def factor(fit: Analysis) -> Figure:
    """Efficiency since the first row used, on a linear axis, with the trend's bands."""
    return _trend(fit, "efficiency")


def doubling_time(fit: Analysis, *, published: float | None = None) -> Figure:
    """Posterior density of the doubling time in months, with its 95 % interval.

    Parameters
    ----------
    published
        A claim, in months, to be marked.
    """
    return draw(posterior_charts.doubling_time(fit, published))


def prior_posterior(fit: Analysis) -> Figure:
    """Prior density against posterior of every parameter.

    Raises
    ------
    UsageError
        The prior is improper.
    """
    return draw(posterior_charts.prior_posterior(fit))


def forecast(fit: Analysis, *, until: str | None = None) -> Figure:
    """The trend, and the band that holds new systems, to a later date.

    Parameters
    ----------
    until
        A date as `effbayes.forecasting.day_of` reads it; None is half the span past the last row.

    Raises
    ------
    UsageError
        The date is not after the last row used.
    """
    return draw(trend_charts.forecast(fit, until))


def predictive_check(fit: Analysis) -> Figure:
    """What the fit expects at each row's date, 50 % and 95 %, beside the row."""
    return draw(trend_charts.predictive_check(fit))


def ranks(fit: Analysis) -> Figure:
    """How far each chain's ranks are from uniform."""
    return draw(sampler_charts.ranks(fit))


def energy(fit: Analysis) -> Figure:
    """Marginal energy against its change in one step, with the smallest BFMI."""
    return draw(sampler_charts.energy(fit))


def forest(fits: Sequence[Analysis], *, published: Mapping[str, float] | None = None) -> Figure:
    """Doubling times of several series on a log axis: median, 50 % and 95 %.

    Parameters
    ----------
    published
        Claims in months by id of the series.
    """
    return draw(posterior_charts.forest(fits, published))


def models(fits: Sequence[Analysis]) -> Figure:
    """Doubling times of one series by several models."""
    return draw(posterior_charts.models(fits))


def draw(sheet: Sheet) -> Figure:
    """Charts as a figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import

    from effbayes.figures.sheet import Figure  # noqa: PLC0415

    lines = -(-len(sheet.charts) // sheet.columns)
    width = WIDTH if sheet.columns < 3 else 7.6
    with drawing.style():
        figure = Figure(figsize=(width, sheet.height * lines), layout="constrained")
        FigureCanvasAgg(figure)
        grid = np.ravel(figure.subplots(lines, sheet.columns, squeeze=False))
        for axes in grid[len(sheet.charts) :]:
            axes.set_visible(False)
        for axes, chart in zip(grid, sheet.charts, strict=False):
            _chart(axes, chart)
        if sheet.warning:
            look: dict[str, Any] = {"color": ORANGE, "fontsize": 8.5, "fontweight": "bold"}
            figure.suptitle(sheet.warning, x=0.01, ha="left", **look)
        drawing.lay_out(figure)
    return figure


def _trend(fit: Analysis, panel: str) -> Figure:
    verdict = fit.verdict.verdict
    return drawing.trend(fit.series, fit.curve.level, panels=panel, verdict=verdict, words=False)


def _chart(axes: Axes, chart: Chart) -> None:
    for which, axis in (("x", chart.x), ("y", chart.y)):
        _limits(axes, which, axis)
    for place, layer in enumerate(chart.layers):
        _layer(axes, layer, 2.0 + 0.01 * place)
    for which, axis in (("x", chart.x), ("y", chart.y)):
        _ticks(axes, which, axis)
    axes.grid(visible=True, color="#E6E6E6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=3, width=0.7, color="#444444")
    if chart.title:
        axes.set_title(chart.title, fontsize=9, parse_math=False)
    if chart.legend != "none" and axes.get_legend_handles_labels()[0]:
        look: dict[str, Any] = {
            "frameon": False,
            "fontsize": SMALL,
            "handlelength": 1.6,
            "labelspacing": 0.35,
        }
        if chart.legend == "above":
            look |= {"bbox_to_anchor": (1.0, 1.0), "ncols": 4, "columnspacing": 1.2}
            axes.legend(loc="lower right", **look)
        else:
            look["loc"] = f"{'lower' if chart.low_legend else 'upper'} {chart.legend}"
            axes.legend(**look)


def _limits(axes: Axes, which: str, axis: Axis) -> None:
    """Set first: left to itself, an axis adds margins that may be beyond double precision."""
    set_limits, set_scale = (
        (axes.set_xlim, axes.set_xscale) if which == "x" else (axes.set_ylim, axes.set_yscale)
    )
    set_limits(*axis.ends)
    if axis.scale == "log":
        set_scale("log")


def _ticks(axes: Axes, which: str, axis: Axis) -> None:
    """Ticks that say what they are in few digits, and the name of the axis."""
    from matplotlib import dates as calendar  # noqa: PLC0415 - slow to import
    from matplotlib import ticker  # noqa: PLC0415

    ticks = axes.xaxis if which == "x" else axes.yaxis
    ticks.set_label_text(axis.name, parse_math=False)
    ticks.set_minor_locator(ticker.NullLocator())
    if axis.scale == "date":
        by_date: Any = calendar.AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
        ticks.set_major_locator(by_date)
        by_name = calendar.ConciseDateFormatter(by_date)  # type: ignore[no-untyped-call]
        ticks.set_major_formatter(by_name)
        return
    if axis.scale == "names":
        ticks.set_ticks(range(len(axis.names)))
        ticks.set_ticklabels([*axis.names], parse_math=False)
        return
    if not axis.ticked:
        ticks.set_major_locator(ticker.NullLocator())
        return
    low, high = axis.ends
    if axis.scale == "log" and np.log10(high / low) >= 0.7:
        values = drawing.log_ticks(float(np.log10(low)), float(np.log10(high)))
        ticks.set_major_locator(ticker.FixedLocator(values))
    else:
        ticks.set_major_locator(ticker.MaxNLocator(5 if which == "x" else 6))
    ticks.set_major_formatter(ticker.FuncFormatter(lambda x, _: drawing.tick(x)))


def _layer(axes: Axes, layer: Layer, depth: float) -> None:
    name = layer.name or None
    match layer:
        case Band():
            look: dict[str, Any] = {"color": layer.color, "zorder": depth}
            low, high = layer.low, layer.high
            axes.fill_between(
                layer.x, low, high, alpha=layer.opacity, linewidth=0, label=name, **look
            )
            for edge in (low, high) if layer.dashed else ():
                axes.plot(layer.x, edge, lw=0.9, ls=DASHES, **look)
        case Line():
            dashes = DASHES if layer.dashed else "-"
            axes.plot(
                layer.x,
                layer.y,
                color=layer.color,
                lw=layer.width,
                ls=dashes,
                label=name,
                zorder=depth,
            )
        case Bars():
            _bars(axes, layer, depth)
        case Points():
            axes.plot(
                layer.x,
                layer.y,
                layer.marker,
                color=layer.color,
                markersize=layer.size,
                markerfacecolor="white" if layer.hollow else layer.color,
                markeredgecolor=layer.color if layer.hollow else "white",
                markeredgewidth=1.0 if layer.hollow else 0.5,
                label=name,
                zorder=depth,
                clip_on=False,
            )
        case Rule():
            across = axes.axvline if layer.along == "x" else axes.axhline
            dashes = DASHES if layer.dashed else "-"
            across(layer.at, color=layer.color, lw=1.1, ls=dashes, label=name, zorder=depth)


def _bars(axes: Axes, layer: Bars, depth: float) -> None:
    upright = np.array_equal(layer.x0, layer.x1)
    draw_bars = axes.vlines if upright else axes.hlines
    at, first, last = (layer.x0, layer.y0, layer.y1) if upright else (layer.y0, layer.x0, layer.x1)
    look: dict[str, Any] = {"capstyle": "butt", "alpha": layer.opacity, "zorder": depth}
    draw_bars(
        at, first, last, color=layer.color, lw=layer.width, label=layer.name or "_bars", **look
    )
