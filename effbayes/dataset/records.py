"""Which rows set a record, and whether a table that says so is right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from effbayes.types import Direction

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


def surely_record(date: Dates, level: Floats, direction: Direction) -> Flags:
    """Rows that no order within their date could keep from being a record, dims (row,).

    Strictly better than all of strictly earlier dates, and no other row of the date is as good.
    """
    cost = _as_cost(level, direction)
    _, day = np.unique(date, return_inverse=True)
    best_of_day = np.full(day.max(initial=-1) + 1, np.inf)
    np.minimum.at(best_of_day, day, cost)
    is_best = cost == best_of_day[day]
    alone = np.bincount(day, weights=is_best, minlength=len(best_of_day))[day] == 1
    surely: Flags = is_best & alone & (cost < _best_before_day(date, cost))
    return surely


def surely_beaten(
    date: Dates, level: Floats, direction: Direction, rivals: Flags | None = None
) -> Flags:
    """Rows that some row of a strictly earlier date equals or betters, dims (row,).

    Parameters
    ----------
    date, level, direction
        Of each row.
    rivals
        Which rows can beat others; all of them by default.
    """
    cost = _as_cost(level, direction)
    rival_cost = cost if rivals is None else np.where(rivals, cost, np.inf)
    return _best_before_day(date, rival_cost) <= cost


def _best_before_day(date: Dates, cost: Floats) -> Floats:
    """Lowest cost of strictly earlier dates, infinite on the first date; dims (row,)."""
    order = np.argsort(date, kind="stable")
    best = np.concatenate([[np.inf], np.minimum.accumulate(cost[order])])
    return best[np.searchsorted(date[order], date, side="left")]


def _as_cost(level: Floats, direction: Direction) -> Floats:
    return level if direction == "falling" else -level
