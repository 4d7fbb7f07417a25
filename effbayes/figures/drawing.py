"""The trend with its band over the table, drawn for print."""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from effbayes.dataset.series import Series
from effbayes.errors import UsageError
from effbayes.figures.labels import LONGEST_LABEL, label_rows
from effbayes.figures.palette import BLUE, GRAY, INK, ORANGE
from effbayes.figures.panels import (
    Level,
    Panel,
    efficiency_panel,
    limits,
    plain,
    power_of_ten,
    shown,
    value_panel,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = ("both", "value", "efficiency")
FORMATS = ("svg", "png", "pdf")

LONGEST_TITLE, LONGEST_UNIT = 180, 60

# Fonts asked after the first for what it lacks; only those that are installed are named.
FALLBACK_FONTS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans Arabic", "Noto Sans Devanagari",
    "Hiragino Sans", "PingFang SC", "Yu Gothic", "Microsoft YaHei", "Arial Unicode MS",
)  # fmt: skip


def trend(
    series: Series,
    level: Level,
    *,
    panels: str = "both",
    about: str = "",
    verdict: str = "ok",
    words: bool = True,
) -> Figure:
    """The trend with its band over the table: values on a log axis, efficiency on a linear one.

    Parameters
    ----------
    series
        The table: records in blue and other rows in gray, hollow where the fit does not use them;
        bounds as bars.
    level
        Draws of log2 of the value at years from the series' origin: (time,) to (..., time).
    panels
        ``"both"``, ``"value"`` or ``"efficiency"``.
    about
        What the band is of, for the caption: "loglinear model, default prior".
    verdict
        Anything but "ok" is said in the picture.
    words
        Whether title and caption are in the picture; a report sets them as text.

    Returns
    -------
    matplotlib.figure.Figure
        With the 50 % and 95 % bands of the trend (not of new systems) and, dashed, a doubling every
        24 months from the first row used. Efficiency is relative to that row.

    Raises
    ------
    UsageError
        There are no such panels.
    """
    if panels not in PANELS:
        raise UsageError(f"panels {panels!r} is not one of {', '.join(PANELS)}")
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import

    from effbayes.figures.sheet import Figure  # noqa: PLC0415

    value, first = value_panel(series, level)
    chosen = {"value": value, "efficiency": efficiency_panel(series, value, first)}
    if panels != "both":
        chosen = {panels: chosen[panels]}
    with style():
        figure = Figure(figsize=(8.6 if len(chosen) == 2 else 6.0, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        figure.set_layout_engine("constrained", wspace=0.06)
        cut = False
        for axes, (name, panel) in zip(
            np.ravel(figure.subplots(1, len(chosen))), chosen.items(), strict=True
        ):
            cut |= _draw(axes, panel, series)
            named = series.label[first] or str(series.date[first])
            label = f"{name}, relative to {shown(named, LONGEST_LABEL)}"
            if name == "value":
                label = shown(series.unit, LONGEST_UNIT) or "value"
            _scale(axes, panel, label)
        _legend(figure.axes[0], series, verdict)
        if words:
            _words(figure, series, about, cut=cut)
        lay_out(figure)  # without which nothing can be measured
        for axes, (name, panel) in zip(figure.axes, chosen.items(), strict=True):
            label_rows(axes, panel, series, factors=name == "efficiency")
    return figure


def lay_out(figure: Figure) -> None:
    """Give everything its place, for good: left to itself, a figure does so each time it is drawn.

    Called within `style`.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def render(figure: Figure, kind: str) -> bytes:
    """A figure as a file's content, the same bytes each time.

    Parameters
    ----------
    kind
        ``"svg"``, ``"png"`` or ``"pdf"``.

    Raises
    ------
    UsageError
        It is none of them.
    """
    if kind not in FORMATS:
        raise UsageError(f"a picture is one of {', '.join(FORMATS)}, not {kind!r}")
    dates = {"svg": {"Date": None}, "png": {}, "pdf": {"CreationDate": None}}
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format=kind, metadata=dates[kind], dpi=200)
    return buffer.getvalue()


@contextmanager
def style() -> Iterator[None]:
    """Fonts and sizes, whatever the user's own settings are."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to import
    from matplotlib import font_manager  # noqa: PLC0415

    installed = {font.name for font in font_manager.fontManager.ttflist}
    settings: dict[Any, Any] = {
        "font.family": ["DejaVu Sans", *(name for name in FALLBACK_FONTS if name in installed)],
        "font.size": 9.0,
        "text.usetex": False,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": "#444444",
        "axes.linewidth": 0.7,
        "svg.hashsalt": "effbayes",
        "svg.fonttype": "path",  # labels were placed by their measure: no other font will do
        "pdf.fonttype": 42,
    }
    with mpl.rc_context(), warnings.catch_warnings():
        # Boxes stand for what no font here has; that is no reason to have no picture.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        mpl.rcdefaults()
        mpl.rcParams.update(settings)
        yield


def _draw(axes: Axes, panel: Panel, series: Series) -> bool:
    """Draw band, lines and rows; whether the band leaves the panel."""
    dates = panel.dates
    ends = limits(panel)
    bottom, top = plain(panel, np.array(ends)).tolist()
    # Set first: left to itself, an axis adds margins that may be beyond double precision.
    if panel.linear:
        axes.set_ylim(0.0, 1.06 * top)
    else:
        axes.set_ylim(bottom, top)
        axes.set_yscale("log")
    axes.set_xlim(*_time_limits(panel))  # type: ignore[arg-type]
    for (i, j), opacity, name in (((0, 4), 0.16, "95 % band"), ((1, 3), 0.34, "50 % band")):
        low, high = plain(panel, panel.bands[i]), plain(panel, panel.bands[j])
        axes.fill_between(dates, low, high, color=BLUE, alpha=opacity, linewidth=0, label=name)
    axes.plot(dates, plain(panel, panel.bands[2]), color=BLUE, lw=1.4, label="median trend")
    moore = plain(panel, panel.moore)
    axes.plot(dates, moore, color=ORANGE, lw=1.2, ls=(0, (5, 3)), label="Moore's law (2 years)")
    for kind in KINDS:
        _rows(axes, panel, series, kind)
    below = not panel.linear and panel.bands.min() < ends[0]
    return bool(panel.bands.max() > ends[1] or below)


def _time_limits(panel: Panel) -> tuple[np.datetime64, np.datetime64]:
    """First and last date with a margin, within what a calendar has."""
    first = min(panel.dates.min(), panel.row_date.min().astype("datetime64[s]"))
    last = max(panel.dates.max(), panel.row_date.max().astype("datetime64[s]"))
    margin = (last - first) // 20
    earliest, latest = np.datetime64("0001-01-01T00:00:00"), np.datetime64("9999-12-31T00:00:00")
    return max(first - margin, earliest), min(last + margin, latest)


class _Kind(NamedTuple):
    """Rows that are drawn alike."""

    record: bool
    used: bool
    name: str


KINDS = (
    _Kind(record=True, used=True, name="records, used"),
    _Kind(record=False, used=True, name="other rows, used"),
    _Kind(record=True, used=False, name="records, not used"),
    _Kind(record=False, used=False, name="other rows, not used"),
)


def _rows(axes: Axes, panel: Panel, series: Series, kind: _Kind) -> None:
    used, color = kind.used, BLUE if kind.record else GRAY
    members = (series.used == used) & (series.frontier == kind.record)
    for arrow, marker in ((0, "o"), (1, "^"), (-1, "v")):
        rows = np.flatnonzero(members & (panel.arrow == arrow))
        if not len(rows):
            continue
        point = plain(panel, panel.point[rows])
        below, above = plain(panel, panel.low[rows]), plain(panel, panel.high[rows])
        bars = np.stack([np.maximum(point - below, 0.0), np.maximum(above - point, 0.0)])
        days = series.date_sd_days[rows].astype("timedelta64[D]")
        axes.errorbar(
            panel.row_date[rows],
            point,
            yerr=bars if bars.any() else None,
            xerr=days if series.date_sd_days[rows].any() else None,
            fmt=marker,
            markersize=4.5 if kind.record else 4.0,
            color=color,
            markerfacecolor=color if used else "white",
            markeredgecolor="white" if used else color,
            markeredgewidth=0.5 if used else 1.0,
            elinewidth=1.1,
            zorder=3 + kind.record + used,
            label=kind.name if arrow == 0 else None,
        )


def _scale(axes: Axes, panel: Panel, label: str) -> None:
    """Ticks that say what they are in few digits, and the name of the axis."""
    from matplotlib import dates as calendar  # noqa: PLC0415 - slow to import
    from matplotlib import ticker  # noqa: PLC0415

    power = power_of_ten(panel)
    low, high = (end * np.log10(2.0) for end in limits(panel))
    if panel.linear or high - low < 0.7:
        axes.yaxis.set_major_locator(ticker.MaxNLocator(6))
    else:
        axes.yaxis.set_major_locator(ticker.FixedLocator(log_ticks(low, high)))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: tick(x)))
    axes.yaxis.set_minor_locator(ticker.NullLocator())
    by_date: Any = calendar.AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(by_date)
    by_name = calendar.ConciseDateFormatter(by_date)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(by_name)
    times = f" (units of 1e{power})" if power else ""
    axes.set_ylabel(f"{label}{times}", parse_math=False)
    scale = "linear" if panel.linear else "logarithmic"
    axes.set_title(f"{scale} scale", loc="right", fontsize=7.5, color="#555555")
    axes.grid(visible=True, color="#E6E6E6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=3, width=0.7, color="#444444")


def log_ticks(low: float, high: float, margin: float = 0.0) -> list[float]:
    """One, two and five times powers of ten, or of a long axis some powers alone.

    Parameters
    ----------
    low, high
        Powers of ten that the axis ends at.
    margin
        Powers of ten by which ticks go on beyond both ends.
    """
    step = max(int(np.ceil((high - low) / 7.0)), 1)
    heads = (1, 2, 5) if high - low < 3.0 else (1,)
    low, high = low - margin, high + margin
    powers = [n for n in range(int(np.floor(low)), int(np.ceil(high)) + 1) if n % step == 0]
    inside = [(n, head) for n in powers for head in heads if low <= n + np.log10(head) <= high]
    return [float(f"{head}e{n}") for n, head in inside]


def tick(value: float) -> str:
    """A value at its tick."""
    if value == 0.0 or 1e-3 <= abs(value) < 1e6:
        return f"{value:,.10g}"
    mantissa, exponent = f"{value:.3e}".split("e")
    head = "" if float(mantissa) == 1.0 else rf"{float(mantissa):g} \times "
    return rf"${head}10^{{{int(exponent)}}}$"


def _legend(first: Axes, series: Series, verdict: str) -> None:
    """What is what, and whether any of it can be relied on."""
    falls = series.direction == "falling" and first.get_yscale() == "log"
    first.legend(
        *first.get_legend_handles_labels(),
        loc="lower left" if falls else "upper left",
        frameon=False,
        fontsize=7.5,
        handlelength=1.6,
        labelspacing=0.35,
    )
    if verdict != "ok":
        warned = "The sampler did not converge: this band cannot be relied on."
        first.set_title(warned, color=ORANGE, loc="left", fontsize=8.5, fontweight="bold")


def _words(figure: Figure, series: Series, about: str, *, cut: bool) -> None:
    """Title and caption."""
    width = int(11.0 * figure.get_figwidth())
    title = textwrap.fill(shown(series.title or series.id, LONGEST_TITLE), width)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10.5, parse_math=False)
    caption = (
        "Bands hold the trend with 50 % and 95 % posterior probability; new systems scatter more "
        f"widely. {series.n_obs} of {series.n_table} rows are used."
    )
    if about:
        caption = f"{about[0].upper()}{about[1:]}. {caption}"
    if np.any(series.has_bounds) or series.value_sd.any() or series.date_sd_days.any():
        caption += " Bars: bounds, or one standard deviation."
    one_sided = np.isfinite(series.value_low) ^ np.isfinite(series.value_high)
    if np.any(one_sided & np.isnan(series.value)):
        caption += " Triangles point from a bound to where the value is."
    if cut:
        caption += " The 95 % band goes on beyond the axis."
    text = textwrap.fill(caption, int(1.55 * width))
    figure.supxlabel(text, x=0.01, ha="left", fontsize=7.5, color="#555555", parse_math=False)
