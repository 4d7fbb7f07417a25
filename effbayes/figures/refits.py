"""Pictures of many refits: ranks of calibration, and what moves an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from effbayes.figures.drawing import LONGEST_TITLE
from effbayes.figures.palette import BLUE, GRAY, GREEN, INK, ORANGE, PINK
from effbayes.figures.panels import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Counts = NDArray[np.int64]

COLUMNS = 3
LONGEST = 30.0
KIND_COLORS = {"prior": BLUE, "noise": GREEN, "rows": ORANGE, "model": PINK}


class Bar(NamedTuple):
    """One choice made otherwise; months."""

    kind: str
    choice: str
    low: float | None
    median: float | None
    high: float | None


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
    from effbayes.figures.sheet import Figure  # noqa: PLC0415 - slow to import

    values = len(lower) + 1
    share = np.arange(1, values) / values
    rows = -(-len(found) // COLUMNS)
    figure = Figure(
        figsize=(3.2 * min(COLUMNS, len(found)), 2.4 * rows + 0.7), layout="constrained"
    )
    axes = figure.subplots(rows, min(COLUMNS, len(found)), sharex=True, sharey=True, squeeze=False)
    for axis in axes.ravel()[len(found) :]:
        axis.set_visible(False)
    for axis, (name, each) in zip(axes.ravel(), found.items(), strict=False):
        n = len(each)
        below = np.cumsum(np.bincount(each, minlength=values))[:-1]
        axis.fill_between(share, lower / n - share, upper / n - share, color=GRAY, alpha=0.3, lw=0)
        outside = np.any((below < lower) | (below > upper))
        axis.plot(share, below / n - share, color=ORANGE if outside else BLUE, lw=1.4)
        axis.axhline(0.0, color=INK, lw=0.6)
        axis.set_title(name + (" (leaves the band)" if outside else ""), fontsize=9)
    figure.suptitle(shown(title, LONGEST_TITLE), fontsize=10, parse_math=False)
    figure.supxlabel("rank of the true value among posterior draws, as a share", fontsize=9)
    figure.supylabel("excess of ranks below", fontsize=9)
    return figure


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
    """
    from matplotlib.lines import Line2D  # noqa: PLC0415

    from effbayes.figures.sheet import Figure  # noqa: PLC0415 - slow to import

    bars = [bar for bar in bars if bar.median is not None][:most]
    figure = Figure(figsize=(8.0, 1.6 + 0.28 * len(bars)), layout="constrained")
    axis = figure.subplots()
    for place, bar in enumerate(bars):
        color, median = KIND_COLORS.get(bar.kind, INK), float(bar.median or 0.0)
        if bar.low is not None:
            # Where no progress cannot be excluded, the bar leaves the picture.
            right = bar.high if bar.high is not None else LONGEST * median
            look: dict[str, Any] = {"color": color, "alpha": 0.35, "lw": 5}
            axis.plot([bar.low, right], [place, place], solid_capstyle="butt", **look)
        axis.plot([median], [place], "o", color=color, ms=5)
    if base.median is not None:
        axis.axvline(base.median, color=INK, lw=1.0)
    if base.low is not None and base.high is not None:
        axis.axvspan(base.low, base.high, color=GRAY, alpha=0.15, lw=0)
    axis.set_xscale("log")
    axis.tick_params(axis="x", which="both", labelsize=9)
    axis.set_ylim(len(bars) - 0.5, -0.5)
    axis.set_yticks(range(len(bars)), [bar.choice for bar in bars], fontsize=8)
    axis.set_xlabel("doubling time, months (log axis)")
    axis.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axis.xaxis.set_minor_formatter(lambda x, _: f"{x:g}" if f"{x:.0e}"[0] in "25" else "")
    marks = [
        Line2D([], [], color=color, marker="o", lw=5, alpha=0.6, label=kind)
        for kind, color in KIND_COLORS.items()
        if any(bar.kind == kind for bar in bars)
    ]
    axis.legend(handles=marks, fontsize=8, loc="lower right", frameon=False)
    axis.set_title(shown(title, LONGEST_TITLE), fontsize=10, parse_math=False)
    return figure
