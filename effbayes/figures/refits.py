"""Pictures of many refits: ranks of calibration, and what moves an answer."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from effbayes.figures.drawing import LONGEST_TITLE, lay_out, style
from effbayes.figures.palette import BLUE, GRAY, GREEN, INK, ORANGE, PINK
from effbayes.figures.panels import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Counts = NDArray[np.int64]

COLUMNS = 3
LONGEST = 30.0
WIDTH_OF_WORDS = 130
DASHES = (0, (5, 3))
KIND_COLORS = {"prior": BLUE, "noise": GREEN, "rows": ORANGE, "model": PINK}


class Bar(NamedTuple):
    """One choice made otherwise; months, and whether the sampler converged."""

    kind: str
    choice: str
    low: float | None
    median: float | None
    high: float | None
    ok: bool = True


def ranks(found: Mapping[str, Counts], lower: Counts, upper: Counts, *, title: str) -> Figure:
    """How far ranks of true values are from uniform, with the band that all stay in together.

    Parameters
    ----------
    found
        Ranks by quantity, dims (set,).
    lower, upper
        Least and greatest counts of ranks below each inner value, dims (value,).
    title
        Says what was calibrated and by how many data sets.
    """
    columns = min(COLUMNS, len(found))
    rows = -(-len(found) // COLUMNS)
    with style():
        figure = _figure(3.2 * columns, 2.4 * rows + 0.7)
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for axis in grid[len(found) :]:
            axis.set_visible(False)
        for axis, (name, each) in zip(grid, found.items(), strict=False):
            _excess(axis, name, each, lower, upper)
        figure.suptitle(shown(title, LONGEST_TITLE), fontsize=10, parse_math=False)
        figure.supxlabel("rank of the true value among posterior draws, as a share", fontsize=9)
        figure.supylabel("excess of ranks below", fontsize=9)
        lay_out(figure)
    return figure


def _excess(axis: Axes, name: str, found: Counts, lower: Counts, upper: Counts) -> None:
    values, n = len(lower) + 1, len(found)
    share = np.arange(1, values) / values
    below = np.cumsum(np.bincount(found, minlength=values))[:-1]
    axis.fill_between(share, lower / n - share, upper / n - share, color=GRAY, alpha=0.3, lw=0)
    outside = np.any((below < lower) | (below > upper))
    axis.plot(share, below / n - share, color=ORANGE if outside else BLUE, lw=1.4)
    axis.axhline(0.0, color=INK, lw=0.6)
    axis.set_title(name + (" (leaves the band)" if outside else ""), fontsize=9)


def tornado(base: Bar, bars: Sequence[Bar], *, title: str, most: int = 24) -> Figure:
    """Doubling time under each other choice, the largest change at the top.

    Parameters
    ----------
    base
        The fit that the others are set beside.
    bars
        Largest change first.
    title
        Says what was fitted.
    most
        Bars shown.

    Returns
    -------
    matplotlib.figure.Figure
        A mark is hollow where the sampler did not converge. Choices without a median, under which
        there may be no progress, are named below.
    """
    without = [bar for bar in bars if bar.median is None]
    drawn = [bar for bar in bars if bar.median is not None][:most]
    warning = _warning(base, bars)
    with style():
        figure = _figure(8.0, 1.6 + 0.28 * max(len(drawn), 1))
        axis = figure.subplots()
        for place, bar in enumerate(drawn):
            _bar(axis, place, bar)
        if base.median is not None:
            axis.axvline(base.median, color=INK, lw=1.0, ls="-" if base.ok else DASHES)
        if base.low is not None and base.high is not None:
            axis.axvspan(base.low, base.high, color=GRAY, alpha=0.15, lw=0)
        _axes(axis, drawn)
        axis.set_title(shown(title, LONGEST_TITLE), fontsize=10, parse_math=False)
        if warning:
            look: dict[str, Any] = {"color": ORANGE, "fontsize": 8.5, "fontweight": "bold"}
            figure.suptitle(warning, x=0.01, ha="left", **look)
        if without:
            names = "; ".join(
                bar.choice + ("" if bar.ok else " (not converged)") for bar in without
            )
            said = textwrap.fill(
                f"No median, as there may be no progress: {names}.", WIDTH_OF_WORDS
            )
            look = {"fontsize": 7.5, "color": INK, "parse_math": False}
            figure.supxlabel(said, x=0.01, ha="left", **look)
        lay_out(figure)
    return figure


def _warning(base: Bar, bars: Sequence[Bar]) -> str:
    """What did not converge, said in the picture, because it may be passed on alone."""
    bad = sum(not bar.ok for bar in bars)
    parts = ["the fit itself"] * (not base.ok) + [f"{bad} of {len(bars)} choices"] * bool(bad)
    return f"Did not converge: {', '.join(parts)}. Do not rely on this." if parts else ""


def _bar(axis: Axes, place: int, bar: Bar) -> None:
    color, median = KIND_COLORS.get(bar.kind, INK), float(bar.median or 0.0)
    if bar.low is not None:
        # Where no progress cannot be excluded, the bar leaves the picture.
        right = bar.high if bar.high is not None else LONGEST * median
        look: dict[str, Any] = {"color": color, "alpha": 0.35, "lw": 5}
        axis.plot([bar.low, right], [place, place], solid_capstyle="butt", **look)
    face = color if bar.ok else "white"
    axis.plot([median], [place], "o", color=color, ms=5, markerfacecolor=face)


def _axes(axis: Axes, bars: Sequence[Bar]) -> None:
    """Ticks, names of the choices, and what the colours are."""
    from matplotlib.lines import Line2D  # noqa: PLC0415 - slow to import

    axis.set_xscale("log")
    axis.tick_params(axis="x", which="both", labelsize=9)
    axis.set_ylim(max(len(bars), 1) - 0.5, -0.5)
    axis.set_yticks(range(len(bars)), [bar.choice for bar in bars], fontsize=8)
    axis.set_xlabel("doubling time, months (log axis)")
    axis.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axis.xaxis.set_minor_formatter(lambda x, _: f"{x:g}" if f"{x:.0e}"[0] in "25" else "")
    marks = [
        Line2D([], [], color=color, marker="o", lw=5, alpha=0.6, label=kind)
        for kind, color in KIND_COLORS.items()
        if any(bar.kind == kind for bar in bars)
    ]
    if not all(bar.ok for bar in bars):
        look: dict[str, Any] = {"color": INK, "marker": "o", "markerfacecolor": "white", "lw": 0}
        marks.append(Line2D([], [], label="not converged", **look))
    axis.legend(handles=marks, fontsize=8, loc="lower right", frameon=False)


def _figure(width: float, height: float) -> Figure:
    """One that can be laid out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import

    from effbayes.figures.sheet import Figure  # noqa: PLC0415 - slow to import

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
