"""Cells and columns of a report's tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from effbayes import wording
from effbayes.diagnostics import ESS_LIMIT, R_HAT_LIMIT
from effbayes.report.document import Cell, Column, Table

if TYPE_CHECKING:
    from effbayes.dataset import Series


CRITERIA = f"R-hat must be below {R_HAT_LIMIT:g}, effective draws at least {ESS_LIMIT:g}"
"""By which the draws of a quantity can be relied on."""


def columns(*names: str, numeric: int = 0) -> tuple[Column, ...]:
    """Heads of columns, the last `numeric` of them of numbers."""
    first = len(names) - numeric
    return tuple(Column(name, place >= first) for place, name in enumerate(names))


def number(value: float | None, shown: str | None = None) -> Cell:
    """A number as it is printed everywhere, or as `shown`."""
    if value is None:
        return Cell("-")
    return Cell(wording.number(value) if shown is None else shown, float(value))


def text(words: str) -> Cell:
    """Words; a dash where there are none."""
    return Cell(words or "-")


def observations(series: Series, name: str) -> Table:
    """Rows of a series, with what is known of their errors; dates by day."""
    heads = (
        *columns("system", "date"),
        Column(f"value, {series.unit}" if series.unit else "value", numeric=True),
        *columns("bounds or error", "used", "source"),
    )
    rows = tuple(
        (
            text(str(series.label[row])),
            text(_date(series, row)),
            # A row that has bounds need not have a value between them.
            number(float(series.value[row]) if np.isfinite(series.value[row]) else None),
            text(_error(series, row)),
            text("yes" if series.used[row] else "no"),
            text(str(series.source[row])),
        )
        for row in range(series.n_table)
    )
    caption = f"{series.id}: {series.n_obs} of {series.n_table} rows are used ({series.rows})."
    return Table(name, caption, heads, rows)


def _date(series: Series, row: int) -> str:
    day, error = str(series.date[row].astype("datetime64[D]")), float(series.date_sd_days[row])
    return day if error == 0.0 else f"{day} ± {error:.0f} days"


def _error(series: Series, row: int) -> str:
    low, high = float(series.value_low[row]), float(series.value_high[row])
    if np.isfinite(low) or np.isfinite(high):
        ends = [wording.number(end) if np.isfinite(end) else "open" for end in (low, high)]
        return " to ".join(ends)
    sd = float(series.value_sd[row])
    return "" if sd == 0.0 else f"sd {wording.number(sd)} doublings"


def diagnostic(value: float | None, digits: int) -> Cell:
    """A figure of a sampler, which may not exist: then it is sorted as text is."""
    exists = value is not None and math.isfinite(value)
    return Cell(wording.diagnostic(value, digits), value if exists else None)
