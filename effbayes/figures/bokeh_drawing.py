"""Charts drawn by Bokeh, for a page.

Words of a table are given to Bokeh as plain text: where it takes HTML or mathematics, neither is
read. A page paints the figures anew in the dark: it knows the colours of `effbayes.figures.palette`
and those of the axes, white among them, which is its paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from effbayes.figures.charts import (
    Axis,
    Band,
    Bars,
    Chart,
    Layer,
    Line,
    Numbers,
    Points,
    Rule,
    Sheet,
)
from effbayes.figures.drawing import log_ticks
from effbayes.figures.palette import INK, ORANGE

if TYPE_CHECKING:
    from bokeh.models import HoverTool, LayoutDOM, Plot
    from bokeh.models.glyph import Glyph
    from bokeh.models.renderers import DataRenderer, GlyphRenderer

    Drawn = tuple[GlyphRenderer[Any], tuple[str, ...]]

PIXELS = 96.0
"""Of an inch."""

NARROWEST = 225
MARKERS = {
    "o": "circle",
    "^": "triangle",
    "v": "inverted_triangle",
    "D": "diamond",
    ">": "triangle",
}
DASHES = [7, 4]
FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif"
TOOLS = "pan,box_zoom,reset"
TABLE = "display:grid;grid-template-columns:auto 1fr;column-gap:0.6em"
SAID = "said"
"""Column of what is said along a curve."""


def draw(views: Mapping[str, Sheet]) -> LayoutDOM:
    """Charts as a model of Bokeh.

    Parameters
    ----------
    views
        The same figure in several ways, such as a log and a linear axis, by what the reader picks
        it by; the first is shown.
    """
    from bokeh.models import TabPanel, Tabs  # noqa: PLC0415 - slow to import

    page = _Page()
    drawn = {title: _sheet(page, sheet) for title, sheet in views.items()}
    if len(drawn) == 1:
        return next(iter(drawn.values()))
    panels = [TabPanel(child=child, title=title) for title, child in drawn.items()]
    return Tabs(tabs=panels, sizing_mode="stretch_width")


class _Page:
    """What the views of one figure share, which makes its data half as long."""

    def __init__(self) -> None:
        self.known: dict[Any, Any] = {}

    def drawn(self, plot: Plot, glyph: Glyph, **columns: Any) -> GlyphRenderer[Any]:
        """A glyph with its columns, which are named after its properties.

        A figure's own methods, such as ``figure.line``, add more glyphs for each, for marks that
        are selected, muted or neither: nothing can be selected here.
        """
        from bokeh.models import ColumnDataSource  # noqa: PLC0415 - slow to import

        arrays = ((name, np.asarray(columns[name])) for name in sorted(columns))
        content = tuple((name, str(values.dtype), values.tobytes()) for name, values in arrays)
        if content not in self.known:
            self.known[content] = ColumnDataSource(data=columns)
        return plot.add_glyph(self.known[content], glyph)


def _sheet(page: _Page, sheet: Sheet) -> LayoutDOM:
    from bokeh.models import Row  # noqa: PLC0415 - slow to import

    charts = [_chart(page, chart, int(PIXELS * sheet.height)) for chart in sheet.charts]
    if sheet.warning:
        _heading(charts[0], sheet.warning, ORANGE)
    if len(charts) == 1:
        return charts[0]
    for chart in charts:
        chart.min_width = NARROWEST
    # As many beside each other as there is room for.
    return Row(children=[*charts], sizing_mode="stretch_width", styles={"flex-wrap": "wrap"})


def _chart(page: _Page, chart: Chart, height: int) -> Plot:
    from bokeh.models import Range1d  # noqa: PLC0415 - slow to import
    from bokeh.plotting import figure  # noqa: PLC0415

    plot = figure(
        height=height,
        sizing_mode="stretch_width",
        x_axis_type=_axis_type(chart.x),
        y_axis_type=_axis_type(chart.y),
        x_range=Range1d(*_ends(chart.x)),
        y_range=Range1d(*_ends(chart.y)),
        tools=TOOLS,
        toolbar_location="above",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
    )
    plot.toolbar.logo = None
    plot.tags = ["names"] if chart.y.scale == "names" else []
    for side, axis in ((plot.xaxis[0], chart.x), (plot.yaxis[0], chart.y)):
        _dress(side, axis)
    for grid in plot.grid:
        grid.grid_line_color = "#e6e6e6"
    named: dict[str, list[GlyphRenderer[Any]]] = {}
    pointed: dict[tuple[str, ...], list[DataRenderer]] = {}
    for layer in chart.layers:
        for renderer, columns in _layer(page, plot, layer, chart):
            if layer.name:
                named.setdefault(layer.name, []).append(renderer)
            if columns:
                pointed.setdefault(columns, []).append(renderer)
    for columns, renderers in pointed.items():
        plot.add_tools(_hover(columns, renderers))
    if chart.title:
        _heading(plot, chart.title, INK)
    if chart.legend != "none" and named:
        _legend(plot, chart, named)
    return plot


def _hover(columns: tuple[str, ...], renderers: list[DataRenderer]) -> HoverTool:
    """What is said of a mark or a curve that is pointed at."""
    from bokeh.models import HoverTool  # noqa: PLC0415 - slow to import

    # The heads are this package's own words. A plain @{column} is put in as text; with {safe} after
    # it, it would be read as HTML.
    lines = "".join(
        f"<span style='white-space:nowrap;opacity:0.75'>{'' if name == SAID else name}</span>"
        f"<span style='overflow-wrap:anywhere'>@{{{name}}}</span>"
        for name in columns
    )
    follows: Literal["follow_mouse", "snap_to_data"] = "snap_to_data"
    if columns == (SAID,):
        follows = "follow_mouse"
    return HoverTool(
        renderers=renderers,
        tooltips=f"<div style='{TABLE}'>{lines}</div>",
        point_policy=follows,
        line_policy="nearest",
    )


def _heading(plot: Plot, words: str, color: str) -> None:
    from bokeh.models.annotations import Title  # noqa: PLC0415 - slow to import

    look: dict[str, Any] = {"text_font": FONT, "text_font_size": "12px"}
    title = Title(text=words, text_color=color, **look)
    plot.add_layout(title, "above")


def _axis_type(axis: Axis) -> Any:
    return {"date": "datetime", "log": "log"}.get(axis.scale, "linear")


def _ends(axis: Axis) -> tuple[Any, Any]:
    first, last = (_numbers(np.asarray([end]))[0] for end in axis.ends)
    return float(first), float(last)


def _numbers(values: Numbers) -> Numbers:
    """Numbers as Bokeh counts them: dates in milliseconds; others in single precision if they can.

    A figure shows fewer digits than that, and the page is shorter.
    """
    values = np.asarray(values)
    if values.dtype.kind == "M":
        return values.astype("datetime64[ms]").astype(np.float64)
    sizes = np.abs(values.astype(np.float64))
    single = np.all((sizes == 0.0) | ((sizes > 1e-30) & (sizes < 1e30)))
    return values.astype(np.float32 if single else np.float64)


def _dress(side: Any, axis: Axis) -> None:
    """Name, ticks and fonts of an axis."""
    from bokeh.models import (  # noqa: PLC0415 - slow to import
        BasicTickFormatter,
        FixedTicker,
        NoOverlap,
        PlainText,
    )

    side.update(
        axis_label=PlainText(text=axis.name) if axis.name else None,
        axis_label_text_font=FONT,
        axis_label_text_font_size="13px",
        axis_label_text_font_style="normal",
        axis_label_text_color=INK,
        major_label_text_font=FONT,
        major_label_text_font_size="12px",
        major_label_text_color=INK,
        axis_line_color="#444444",
        major_tick_line_color="#444444",
        minor_tick_line_color=None,
    )
    if axis.scale == "names":
        side.ticker = FixedTicker(ticks=[*range(len(axis.names))])
        side.major_label_overrides = {
            place: PlainText(text=name) for place, name in enumerate(axis.names)
        }
    elif not axis.ticked:
        side.ticker = FixedTicker(ticks=[])
    elif axis.scale == "log":
        low, high = (float(power) for power in np.log10(sorted(axis.ends)))
        # Some more than are seen, for a reader who moves the axis.
        side.ticker = FixedTicker(ticks=log_ticks(low, high, margin=high - low))
        side.major_label_policy = NoOverlap()
        side.formatter = BasicTickFormatter(power_limit_high=6, power_limit_low=-4)


def _layer(page: _Page, plot: Plot, layer: Layer, chart: Chart) -> list[Drawn]:
    """Draw one; its renderers, with the columns that are said where one is pointed at."""
    match layer:
        case Band():
            return _band(page, plot, layer)
        case Line():
            said = {SAID: [*layer.says]} if layer.says else {}
            return [(_line(page, plot, layer, 1.3 * layer.width, **said), tuple(said))]
        case Bars():
            return [(_bars(page, plot, layer), ())]
        case Points():
            return [_points(page, plot, layer)]
        case Rule():
            return [(_rule(page, plot, layer, chart), ())]


def _band(page: _Page, plot: Plot, layer: Band) -> list[Drawn]:
    from bokeh.models import VArea  # noqa: PLC0415 - slow to import

    x, low, high = (_numbers(each) for each in (layer.x, layer.low, layer.high))
    look: dict[str, Any] = {"fill_color": layer.color, "fill_alpha": layer.opacity}
    drawn = [page.drawn(plot, VArea(**look), x=x, y1=low, y2=high)]
    if layer.dashed:
        edges = (Line(layer.x, y, layer.color, dashed=True) for y in (layer.low, layer.high))
        drawn += [_line(page, plot, edge, 1.0) for edge in edges]
    return [(each, ()) for each in drawn]


def _line(
    page: _Page, plot: Plot, layer: Line, width: float, **said: Sequence[str]
) -> GlyphRenderer[Any]:
    from bokeh.models import Line as Glyph  # noqa: PLC0415 - slow to import

    look: dict[str, Any] = {"line_color": layer.color, "line_width": width}
    look["line_dash"] = DASHES if layer.dashed else "solid"
    return page.drawn(plot, Glyph(**look), x=_numbers(layer.x), y=_numbers(layer.y), **said)


def _bars(page: _Page, plot: Plot, layer: Bars) -> GlyphRenderer[Any]:
    from bokeh.models import Segment  # noqa: PLC0415 - slow to import

    ends = {name: _numbers(getattr(layer, name)) for name in ("x0", "y0", "x1", "y1")}
    look: dict[str, Any] = {
        "line_color": layer.color,
        "line_width": 1.3 * layer.width,
        "line_alpha": layer.opacity,
    }
    return page.drawn(plot, Segment(**look), **ends)


def _points(page: _Page, plot: Plot, layer: Points) -> Drawn:
    from bokeh.models import Scatter  # noqa: PLC0415 - slow to import

    heads = [name for name, _ in layer.about[0]]
    said = {name: [about[place][1] for about in layer.about] for place, name in enumerate(heads)}
    look: dict[str, Any] = {
        "marker": {"value": MARKERS[layer.marker]},
        "angle": -0.5 * np.pi if layer.marker == ">" else 0.0,
        "size": 1.9 * layer.size,
        "fill_color": "#ffffff" if layer.hollow else layer.color,
        "line_color": layer.color if layer.hollow else "#ffffff",
        "line_width": 1.4 if layer.hollow else 0.7,
    }
    at = {"x": _numbers(layer.x), "y": _numbers(layer.y)}
    return page.drawn(plot, Scatter(**look), **at, **said), tuple(said)


def _rule(page: _Page, plot: Plot, layer: Rule, chart: Chart) -> GlyphRenderer[Any]:
    """A line from end to end: a glyph, which a legend can name and the dark can repaint."""
    at = np.array([layer.at, layer.at])
    ends = np.array(_ends(chart.y if layer.along == "x" else chart.x))
    x, y = (at, ends) if layer.along == "x" else (ends, at)
    return _line(page, plot, Line(x, y, layer.color, dashed=layer.dashed), 1.4)


def _legend(plot: Plot, chart: Chart, named: Mapping[str, Sequence[GlyphRenderer[Any]]]) -> None:
    from bokeh.models.annotations import Legend, LegendItem  # noqa: PLC0415 - slow to import

    items = [LegendItem(label={"value": name}, renderers=[*drawn]) for name, drawn in named.items()]
    above = chart.legend == "above"
    side = f"{'bottom' if chart.low_legend else 'top'}_{chart.legend}"
    look: dict[str, Any] = {
        "location": "right" if above else side,
        "orientation": "vertical",  # on a phone there is no room for two names in a line
        "label_text_font": FONT,
        "label_text_font_size": "11px",
        "label_text_color": INK,
        "label_height": 14,
        "glyph_height": 14,
        "spacing": 2,
        "padding": 2,
        "margin": 4,
        "background_fill_color": "#ffffff",
        "background_fill_alpha": 0.75,
        "border_line_color": None,
    }
    legend = Legend(**look)
    legend.update(items=items)
    plot.add_layout(legend, "above" if above else "center")
