"""Names of rows beside their points, where there is room for them."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from effbayes.dataset.series import Series
from effbayes.figures.panels import Floats, Panel, plain, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST_LABEL = 32
MOST_LABELS = 14
SIDES = {
    "right": [(1, 1), (1, 0), (0, 1), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)],
    "left": [(-1, 1), (-1, 0), (0, 1), (1, -1), (1, 0), (0, -1), (-1, -1), (1, 1)],
}
"""Directions in which a label is tried, for curves that fall and curves that rise."""

DISTANCES = (7.0, 13.0, 22.0, 34.0)
"""How far from its point a label is tried, in points of type; from the second with a line."""

FEW_RECORDS = 8
"""Up to so many, a line from a label to its point may cross a curve."""

ALIGNED = {-1: ("right", "top"), 0: ("center", "center"), 1: ("left", "bottom")}


def label_rows(axes: Axes, panel: Panel, series: Series, *, factors: bool) -> None:
    """Name the records used where there is room; a label that would touch anything is left out."""
    taken = _Taken(axes, panel)
    rising = panel.linear or series.direction == "rising"
    rows = _most_telling(panel, series)
    for row in rows:
        name = shown(series.label[row], LONGEST_LABEL)
        if factors:
            name = f"{name} ({_factor(float(panel.point[row]))})".strip()
        if name:
            taken.place(row, name, SIDES["left" if rising else "right"], len(rows) <= FEW_RECORDS)


def _most_telling(panel: Panel, series: Series) -> list[int]:
    """Records used, at most `MOST_LABELS`: the last, the first, then those that gained most."""
    rows = np.flatnonzero(series.used & series.frontier)
    rows = rows[np.lexsort((panel.point[rows], series.date[rows]))]
    if not len(rows):
        return []
    gains = {int(b): abs(panel.point[b] - panel.point[a]) for a, b in pairwise(rows)}
    middle = sorted((int(row) for row in rows[1:-1]), key=lambda row: -gains[row])
    return list(dict.fromkeys([int(rows[-1]), int(rows[0]), *middle]))[:MOST_LABELS]


class _Taken:
    """Places of a panel that no label may cover, in pixels."""

    def __init__(self, axes: Axes, panel: Panel) -> None:
        figure: Any = axes.figure
        self.axes = axes
        self.renderer = figure.canvas.get_renderer()
        self.scale = figure.dpi / 72.0
        self.frame = axes.get_window_extent(self.renderer)
        self.right = min(self.frame.x1 + 8.0 * self.scale, figure.bbox.x1)
        self.data = np.column_stack([_number(panel.row_date), plain(panel, panel.point)])
        self.rows = axes.transData.transform(self.data)
        near = 3.5 * self.scale
        self.boxes = [(x - near, y - near, x + near, y + near) for x, y in self.rows]
        legend = axes.get_legend()
        if legend is not None:
            self.boxes.append(legend.get_window_extent(self.renderer).extents)
        curves = [(panel.dates, panel.bands[2]), (panel.dates, panel.moore)]
        ends = np.stack([panel.low, panel.high], axis=1)
        bars = zip(np.repeat(panel.row_date[:, None], 2, axis=1), ends, strict=True)
        drawn = [np.column_stack([_number(t), plain(panel, y)]) for t, y in [*curves, *bars]]
        self.lines = np.concatenate([_dense(axes.transData.transform(line)) for line in drawn])

    def place(self, row: int, name: str, sides: list[tuple[int, int]], may_cross: bool) -> None:
        """Put a label in the first place that is free; nowhere if none is."""
        style: dict[str, Any] = {"fontsize": 7.5, "parse_math": False}
        measured = self.axes.text(0.0, 0.0, name, **style)
        extent = measured.get_window_extent(self.renderer)
        measured.remove()
        line = {"arrowstyle": "-", "color": "#777777", "lw": 0.5, "shrinkA": 0, "shrinkB": 3}
        for distance in DISTANCES:
            for x, y in sides:
                reach = distance * (0.8 if x and y else 1.2)
                corner = self.rows[row] + reach * self.scale * np.array([x, y])
                left = corner[0] - extent.width * (0.5 - 0.5 * x)
                bottom = corner[1] - extent.height * (0.5 - 0.5 * y)
                box = (left, bottom, left + extent.width, bottom + extent.height)
                led = distance > DISTANCES[0]
                if self._covers(box) or (led and self._crosses(row, corner, may_cross)):
                    continue
                self.boxes.append(box)
                if led:
                    self.lines = np.concatenate([self.lines, self._way(row, corner)])
                label = self.axes.annotate(
                    name,
                    tuple(self.data[row]),
                    xytext=(x * reach, y * reach),
                    textcoords="offset points",
                    ha=ALIGNED[x][0],
                    va=ALIGNED[y][1],
                    annotation_clip=False,
                    arrowprops={**line, "relpos": (0.5 - 0.5 * x, 0.5 - 0.5 * y)} if led else None,
                    zorder=5,
                    **style,
                )
                label.set_in_layout(False)
                return

    def _covers(self, box: tuple[float, float, float, float]) -> bool:
        margin = 1.5 * self.scale
        left, bottom, right, top = (
            end + sign * margin for end, sign in zip(box, (-1, -1, 1, 1), strict=True)
        )
        frame = self.frame
        if left < frame.x0 or right > self.right or bottom < frame.y0 or top > frame.y1 + 8.0:
            return True
        if any(left < b[2] and b[0] < right and bottom < b[3] and b[1] < top for b in self.boxes):
            return True
        x, y = self.lines[:, 0], self.lines[:, 1]
        return bool(np.any((left < x) & (x < right) & (bottom < y) & (y < top)))

    def _crosses(self, row: int, corner: Floats, may_cross: bool) -> bool:
        """Whether the line to a label runs over another label or row, or over a curve."""
        way = self._way(row, corner)
        own = self.boxes[row]
        others = [box for box in self.boxes if box is not own]
        x, y = way[:, 0], way[:, 1]
        over = [(b[0] < x) & (x < b[2]) & (b[1] < y) & (y < b[3]) for b in others]
        if np.any(over):
            return True
        gaps = np.abs(self.lines[:, None, :] - way[1:]).max(axis=2)
        return not may_cross and bool(np.any(gaps < 2.0 * self.scale))

    def _way(self, row: int, corner: Floats) -> Floats:
        """The line from a row to its label, without what the row's own mark covers."""
        return _dense(np.stack([self.rows[row], corner]))[2:]


def _number(dates: NDArray[np.datetime64]) -> Floats:
    """Dates as the axis counts them."""
    from matplotlib.dates import date2num  # noqa: PLC0415 - slow to import

    return np.asarray(date2num(dates))  # type: ignore[no-untyped-call]


def _dense(points: Floats) -> Floats:
    """A polyline with seven points more between any two."""
    steps = np.linspace(0.0, 1.0, 9)[:, None, None]
    between = points[:-1] + steps * (points[1:] - points[:-1])
    return np.asarray(between.reshape(-1, 2))


def _factor(log2: float) -> str:
    """Two digits of a factor of any size."""
    power = math.floor(log2 * math.log10(2.0))
    if abs(power) < 5:
        value = 2.0**log2
        return f"{value:,.0f}\u00d7" if value >= 99.5 else f"{value:.2g}\u00d7"
    head = f"{2.0 ** (log2 - power * math.log2(10.0)):.1f}"
    return f"1.0e{power + 1}\u00d7" if head == "10.0" else f"{head}e{power}\u00d7"
