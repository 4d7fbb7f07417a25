"""A series: the observed cost of reaching one fixed level of performance, frozen and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date as calendar_date
from typing import Self

import numpy as np
from numpy.typing import NDArray

from effbayes.errors import DataError, Fault, UsageError
from effbayes.types import Direction, Rows

DAYS_PER_YEAR = 365.25

FloatColumn = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Series:
    """Observations of one cost (or score), in the order of the table.

    Every column has dims (row,). Values are checked where a table is read
    (`effbayes.dataset.read_table`), so the floors above do not ask again.

    Attributes
    ----------
    name, domain, unit
        Names for people; `unit` is the unit of `value`.
    direction
        ``"falling"`` (a cost: progress makes it smaller) or ``"rising"`` (a score).
    rows
        What `used` was chosen by: ``"all"``, ``"frontier"`` or the expression given.
    label, source, note
        Provenance of each row.
    date : datetime64[D]
        Date, or the centre of a coarser one.
    date_sd_days
        Standard deviation of the date in days; a coarser date has width / sqrt(12).
    value
        Point value in `unit`, > 0; NaN where only bounds are known.
    value_low, value_high
        Bounds of an interval-censored value, NaN where there is none.
    value_sd
        Standard deviation of log2(value), in doublings.
    frontier
        Whether the row set a record.
    used
        Which rows the log-linear model is fitted to.
    """

    name: str
    domain: str
    unit: str
    direction: Direction
    label: tuple[str, ...]
    date: NDArray[np.datetime64]
    date_sd_days: FloatColumn
    value: FloatColumn
    value_low: FloatColumn
    value_high: FloatColumn
    value_sd: FloatColumn
    frontier: NDArray[np.bool_]
    used: NDArray[np.bool_]
    rows: Rows | str = "all"
    source: tuple[str, ...] = ()
    note: tuple[str, ...] = ()
    title: str = ""
    published: bool = False
    remarks: tuple[str, ...] = field(default=())
    """Things about the table that its reader should be told (one sentence each)."""

    def __repr__(self) -> str:
        first, last = self.date.min(), self.date.max()
        rows = f"{len(self.date)} rows from {first} to {last}, {self.n_obs} used"
        return f"Series({self.id}: {rows}; {self.unit}, {self.direction})"

    def __post_init__(self) -> None:
        n = len(self.label)
        if not self.source:
            object.__setattr__(self, "source", ("",) * n)
        if not self.note:
            object.__setattr__(self, "note", ("",) * n)
        for name, dtype in ARRAY_COLUMNS.items():
            column = np.array(getattr(self, name), dtype=dtype)
            if column.shape != (n,):
                raise ValueError(f"{name} has shape {column.shape}, the table has {n} rows")
            column.flags.writeable = False
            object.__setattr__(self, name, column)

    @property
    def n_table(self) -> int:
        """Number of rows of the table."""
        return len(self.label)

    @property
    def n_obs(self) -> int:
        """Number of rows that the log-linear model is fitted to."""
        return int(self.used.sum())

    @property
    def id(self) -> str:
        """Domain and name in one word, as messages show it."""
        return f"{self.domain}/{self.name}" if self.domain else self.name

    @property
    def span(self) -> tuple[str, str]:
        """First and last ISO date of the rows used."""
        first, last = self.ends
        return str(first), str(last)

    @property
    def has_bounds(self) -> bool:
        """Whether any row is interval-censored."""
        return bool(np.any(np.isfinite(self.value_low) | np.isfinite(self.value_high)))

    def select(self, used: NDArray[np.bool_] | Sequence[bool], rows: str) -> Self:
        """The same table with other rows used; `rows` says in words which.

        Raises
        ------
        DataError
            Fewer than two rows, or two distinct dates, would be left.
        """
        chosen = replace(self, used=np.asarray(used, dtype=bool), rows=rows)
        chosen.require_trend()
        return chosen

    def where(self, rows: Rows) -> Self:
        """The same table, fitted to all rows or to the record-setting ones."""
        used = self.frontier if rows == "frontier" else np.ones(self.n_table, dtype=bool)
        return self.select(used, rows)

    def without_bounds(self) -> Self:
        """The same table with its point values alone: interval censoring is dropped.

        Raises
        ------
        DataError
            A row has bounds and no point value.
        """
        missing = [i for i in range(self.n_table) if not np.isfinite(self.value[i])]
        if missing:
            faults = [
                Fault(
                    "has bounds and no point value",
                    "give a value or keep the bounds",
                    row=self.label[i] or i,
                    column="value",
                )
                for i in missing
            ]
            raise DataError(f"{self.id}: not every row has a point value", faults)
        none = np.full(self.n_table, np.nan)
        return replace(self, value_low=none, value_high=none)

    def row_of(self, text: str) -> int | None:
        """The row of a label; or the best row of an ISO date, a used one before others.

        None where the table has no row of that date.

        Raises
        ------
        UsageError
            The text is neither a label nor an ISO date, or several rows have the label.
        """
        if not _is_iso(text):
            return self._labelled(text)
        rows = np.flatnonzero(self.date == self.date_of(text))
        if not len(rows):
            return None
        middle = np.where(np.isnan(self.value), self._middle_of_bounds(), self.value)
        cost = middle if self.direction == "falling" else -middle
        return int(rows[np.lexsort((cost[rows], ~self.used[rows]))[0]])

    def date_of(self, text: str) -> np.datetime64:
        """An ISO date, or the date of the row of a label.

        Raises
        ------
        UsageError
            The text is neither.
        """
        if _is_iso(text):
            return np.datetime64(calendar_date.fromisoformat(text))
        return np.datetime64(self.date[self._labelled(text)], "D")

    def _labelled(self, text: str) -> int:
        rows = [i for i, label in enumerate(self.label) if label and label == text]
        if len(rows) > 1:
            raise UsageError(f"{len(rows)} rows of {self.id} are labelled {text!r}; give a date")
        if not rows:
            raise UsageError(f"{text!r} is neither an ISO date nor the label of a row of {self.id}")
        return rows[0]

    def _middle_of_bounds(self) -> FloatColumn:
        """Geometric middle of the bounds, or the one bound."""
        low = np.where(np.isnan(self.value_low), self.value_high, self.value_low)
        high = np.where(np.isnan(self.value_high), self.value_low, self.value_high)
        return np.sqrt(low) * np.sqrt(high)

    @property
    def ends(self) -> tuple[np.datetime64, np.datetime64]:
        """First and last date of the rows used."""
        dates = self.date[self.used]
        return dates.min(), dates.max()

    @property
    def origin(self) -> np.datetime64:
        """Mean date of the rows used, to the second: where the model's time is zero."""
        days = (self.date[self.used] - np.datetime64("1970-01-01")).astype(np.float64).mean()
        return np.datetime64("1970-01-01T00:00:00") + np.timedelta64(round(days * 86400), "s")

    def require_trend(self) -> None:
        """Refuse a table that cannot have a trend.

        Raises
        ------
        DataError
            Fewer than two rows, or fewer than two distinct dates, are used.
        """
        n = self.n_obs
        if n < 2:
            raise DataError(
                f"{self.id}: a trend needs at least two observations, {n} of "
                f"{self.n_table} rows are used"
            )
        if len(np.unique(self.date[self.used])) < 2:
            raise DataError(
                f"{self.id}: a trend needs at least two distinct dates, all {n} observations "
                f"are of {self.span[0]}"
            )


def _is_iso(text: str) -> bool:
    try:
        calendar_date.fromisoformat(text)
    except ValueError:
        return False
    return True


ARRAY_COLUMNS: dict[str, str] = {
    "date": "datetime64[D]",
    "date_sd_days": "float64",
    "value": "float64",
    "value_low": "float64",
    "value_high": "float64",
    "value_sd": "float64",
    "frontier": "bool",
    "used": "bool",
}
