"""Which rows set a record, and whether a table that says so is right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from effbayes.types import Direction, sign_of

Dates = NDArray[np.datetime64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def level_of(value: Floats, low: Floats, high: Floats) -> Floats:
    """What a row is ranked by, dims (row,).

    Its value; where there is none, the geometric mean of its bounds, or its one bound.
    """
    one = np.where(np.isfinite(low), low, high)
    # The product of the roots neither overflows nor underflows, the root of the product does.
    between = np.sqrt(np.maximum(low, 0)) * np.sqrt(np.maximum(high, 0))
    return np.where(np.isfinite(value), value, np.where(np.isfinite(between), between, one))


def record_flags(date: Dates, level: Floats, direction: Direction) -> Flags:
    """Whether each row is strictly better than every earlier one, dims (row,).

    Earlier is by date, and by the order of the table within a date. The first row is a record.
    """
    order = np.argsort(date, kind="stable")
    cost = _as_cost(level, direction)[order]
    best_before = np.concatenate([[np.inf], np.minimum.accumulate(cost)])[: len(cost)]
    flags = np.empty(len(cost), dtype=bool)
    flags[order] = cost < best_before
    return flags


class Extent(NamedTuple):
    """What rows may be within their bounds and coarse dates, dims (row,).

    Attributes
    ----------
    first, last
        Earliest and latest day.
    best, worst
        Ends of the cost: of the value where it falls, of minus the value where it rises.
    """

    first: Dates
    last: Dates
    best: Floats
    worst: Floats


def extent_of(
    date: Dates, width: Floats, values: tuple[Floats, Floats, Floats], direction: Direction
) -> Extent:
    """What rows may be.

    Parameters
    ----------
    date, width
        Centres of dates, and the days that they leave open.
    values
        Value, and lower and upper bound, NaN where there is none.
    direction
        Which way the value moves as things improve.
    """
    value, low, high = values
    days = width.astype(np.int64)
    first = date - (days // 2).astype("timedelta64[D]")
    last = first + np.maximum(days - 1, 0).astype("timedelta64[D]")
    # A value beside bounds is a guess between them; with one bound, the other side is open.
    bounded = np.isfinite(low) | np.isfinite(high)
    least = np.where(bounded, np.nan_to_num(low, nan=0.0), value)
    most = np.where(bounded, np.nan_to_num(high, nan=np.inf), value)
    if direction == "falling":
        return Extent(first, last, best=least, worst=most)
    return Extent(first, last, best=-most, worst=-least)


def surely_record(rows: Extent) -> Flags:
    """Rows that are records whatever their bounds and dates leave open, dims (row,).

    At their worst they are strictly better than the best of all others that may be as early; of one
    date, whichever comes first.
    """
    order = np.argsort(rows.first, kind="stable")
    best = rows.best[order]
    least = np.concatenate([[np.inf], np.minimum.accumulate(best)])
    # Each row leaves the greater of itself and the least before it behind.
    second = np.concatenate([[np.inf], np.minimum.accumulate(np.maximum(best, least[:-1]))])
    place = np.searchsorted(rows.first[order], rows.last, side="right")
    of_others = np.where(rows.best == least[place], second[place], least[place])
    surely: Flags = rows.worst < of_others
    return surely


def surely_beaten(rows: Extent, rivals: Flags | None = None) -> Flags:
    """Rows no better than some earlier one, whatever bounds and dates leave open; dims (row,).

    Parameters
    ----------
    rows
        What each may be.
    rivals
        Which rows can beat others; all of them by default.
    """
    worst = rows.worst if rivals is None else np.where(rivals, rows.worst, np.inf)
    order = np.argsort(rows.last, kind="stable")
    least = np.concatenate([[np.inf], np.minimum.accumulate(worst[order])])
    beaten: Flags = least[np.searchsorted(rows.last[order], rows.first, side="left")] <= rows.best
    return beaten


def _as_cost(level: Floats, direction: Direction) -> Floats:
    return -sign_of(direction) * level
