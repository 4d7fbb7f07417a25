"""What the panels of a picture show, as numbers: log2 throughout, until it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from effbayes.dataset.series import Series
from effbayes.posterior import years_between
from effbayes.trend import MONTHS_PER_YEAR

Floats = NDArray[np.floating[Any]]
Level = Callable[[Floats], Floats]
"""Draws of log2 of the value at years from the series' origin: dims (time,) to (..., time)."""

PROBS = (0.025, 0.25, 0.5, 0.75, 0.975)
MOORE_MONTHS = 24.0
GRID = 121
LARGEST_LOG2 = 1000.0
"""Values further from one than 2 to this power are drawn at it."""


@dataclass(frozen=True)
class Panel:
    """What one panel draws, log2 of its own unit throughout.

    Attributes
    ----------
    dates, bands
        Grid of the trend (time,), and its quantiles at `PROBS`, dims (prob, time).
    moore
        A doubling every 24 months from the first record used, on the same grid.
    row_date, point, low, high
        Rows of the table, with the ends of their bars.
    arrow
        1 or -1 where only a bound is known and the value lies above or below it.
    linear
        Whether the axis is linear.
    """

    dates: NDArray[np.datetime64]
    bands: Floats
    moore: Floats
    row_date: NDArray[np.datetime64]
    point: Floats
    low: Floats
    high: Floats
    arrow: NDArray[np.integer[Any]]
    linear: bool


def value_panel(series: Series, level: Level) -> tuple[Panel, int]:
    """The panel of values, and the first row used."""
    start, end = series.ends
    dates = start.astype("datetime64[s]") + (end - start).astype("timedelta64[s]") * np.linspace(
        0.0, 1.0, GRID
    )
    years = np.array([years_between(series.origin, date) for date in dates])
    drawn = np.asarray(level(years))
    bands = np.quantile(drawn.reshape(-1, GRID), PROBS, axis=0)
    one_sided = np.isnan(series.value) & ~(
        np.isfinite(series.value_low) & np.isfinite(series.value_high)
    )
    low, high = np.log2(series.value_low), np.log2(series.value_high)
    point = np.log2(series.value)
    middle = np.where(np.isnan(low), high, np.where(np.isnan(high), low, 0.5 * (low + high)))
    point = np.where(np.isnan(point), middle, point)
    used = np.flatnonzero(series.used)
    first = int(used[np.argmin(series.date[used])])
    panel = Panel(
        dates=dates,
        bands=bands,
        moore=point[first] + series.sign * (years - years[0]) * MONTHS_PER_YEAR / MOORE_MONTHS,
        row_date=series.date,
        point=point,
        low=np.where(np.isnan(low), point - series.value_sd, low),
        high=np.where(np.isnan(high), point + series.value_sd, high),
        arrow=np.where(one_sided, np.where(np.isnan(series.value_low), -1, 1), 0),
        linear=False,
    )
    return panel, first


def efficiency_panel(series: Series, value: Panel, first: int) -> Panel:
    """The same, as factors of efficiency relative to a row."""
    start = value.point[first]
    ends = (series.sign * (end - start) for end in (value.low, value.high))
    low, high = ends if series.sign > 0 else reversed([*ends])
    bands = series.sign * (value.bands - start)
    return Panel(
        dates=value.dates,
        bands=bands if series.sign > 0 else bands[::-1],
        moore=series.sign * (value.moore - start),
        row_date=value.row_date,
        point=series.sign * (value.point - start),
        low=low,
        high=high,
        arrow=(series.sign * value.arrow).astype(int),
        linear=True,
    )


def limits(panel: Panel) -> tuple[float, float]:
    """Ends of the axis in log2: all rows and the median; the rest as far as it does not dwarf them.

    The low end of a linear axis is not used.
    """
    core = np.concatenate([panel.low, panel.high, panel.bands[2]])
    low, high = float(core.min()), float(core.max())
    rest = np.concatenate([panel.moore, *panel.bands])
    room = 1.0 if panel.linear else max(0.5 * (high - low), 0.5)
    low = max(min(low, float(rest.min())), low - room)
    high = min(max(high, float(rest.max())), high + room)
    pad = 0.0 if panel.linear else 0.05 * (high - low)
    return low - pad, high + pad


def power_of_ten(panel: Panel) -> int:
    """Power of ten that a linear axis counts in: 0 unless its numbers would be long."""
    if not panel.linear:
        return 0
    digits = limits(panel)[1] * np.log10(2.0)
    return int(np.floor(digits)) if digits >= 5.0 else 0


def plain(panel: Panel, log2: Floats) -> Floats:
    """Numbers in the unit of the axis."""
    scaled = np.asarray(log2, dtype=float) - power_of_ten(panel) * np.log2(10.0)
    return np.asarray(2.0 ** np.clip(scaled, -LARGEST_LOG2, LARGEST_LOG2))


def shown(text: str, longest: int) -> str:
    """A table's own words on one line of bounded length, without what is not printed."""
    head = " ".join(text[: 4 * longest].split())
    head = "".join(char if char.isprintable() else "\ufffd" for char in head)
    return head if len(head) <= longest else head[: longest - 1].rstrip() + "…"
