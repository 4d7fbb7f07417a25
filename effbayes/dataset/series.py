"""A series: the observed cost of reaching one fixed level of performance, frozen and checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self, get_args

import numpy as np
from numpy.typing import NDArray

from effbayes.dataset.cells import Problem
from effbayes.dataset.dates import day_of
from effbayes.errors import DataError, Fault, UsageError
from effbayes.types import Direction, Rows, sign_of

FloatColumn = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Series:
    """Observations of one cost (or score), in the order of the table.

    Every column has dims (row,). Numbers are checked here, so the floors above do not ask again;
    where a table is read (`effbayes.dataset.read_table`) more is asked of its cells.

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
        Which rows a model is fitted to.
    title
        Name for people in full, empty where there is none.
    published
        Whether values and dates are those that were published, errors included.
    remarks
        Things about the table that its reader should be told (one sentence each).

    Raises
    ------
    DataError
        A value or bound is not > 0, bounds are swapped, a standard deviation is not >= 0, a row has
        neither a value nor a bound, or the direction is none.
    ValueError
        Columns differ in length.
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
    remarks: tuple[str, ...] = ()

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
        self._require_sound()

    def _require_sound(self) -> None:
        """Refuse numbers that no table has; all faults are told at once."""
        faults = [
            Fault(rule, row=self.name_of_row(i), column=name)
            for name, rule, wrong in self._rules()
            for i in np.flatnonzero(wrong).tolist()
        ]
        if self.direction not in get_args(Direction):
            rule = f"is {self.direction!r}, must be falling or rising"
            faults.insert(0, Fault(rule, column="direction"))
        if faults:
            n = len(faults)
            raise DataError(f"{self.id}: {n} fault{'s' if n > 1 else ''}", faults)

    def _rules(self) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
        """Columns, what must be so of their numbers, and the rows where it is not."""
        none = np.ones(self.n_table, dtype=bool)
        for name in ("value", "value_low", "value_high"):
            column: FloatColumn = getattr(self, name)
            missing = np.isnan(column)
            none &= missing
            wrong = ~missing & ~((column > 0.0) & np.isfinite(column))
            yield name, "must be finite and > 0 (its logarithm is modelled)", wrong
        yield "value", "is missing, and its bounds too", none
        yield "value_low", "is above value_high: they are swapped", self.value_low > self.value_high
        for name in ("value_sd", "date_sd_days"):
            column = getattr(self, name)
            wrong = ~((column >= 0.0) & np.isfinite(column))
            yield name, "must be finite and >= 0, it is a standard deviation", wrong

    @property
    def n_table(self) -> int:
        """Number of rows of the table."""
        return len(self.label)

    @property
    def n_obs(self) -> int:
        """Number of rows that a model is fitted to."""
        return int(self.used.sum())

    @property
    def sign(self) -> float:
        """What the logarithm of the value gains with a doubling of efficiency, -1 or 1."""
        return sign_of(self.direction)

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

    def name_of_row(self, i: int) -> str | int:
        """What messages call a row: its label, or its number in the table, from 1."""
        return self.label[i] or i + 1

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
                    row=self.name_of_row(i),
                    column="value",
                )
                for i in missing
            ]
            raise DataError(f"{self.id}: not every row has a point value", faults)
        none = np.full(self.n_table, np.nan)
        return replace(self, value_low=none, value_high=none)

    def row_of(self, text: str | np.datetime64) -> int | None:
        """The row of a label; or the best row of a date, a used one before others.

        None where the table has no row of that date.

        Raises
        ------
        UsageError
            As `date_of`.
        """
        labelled = self._labelled(text)
        if labelled is not None:
            return labelled
        rows = np.flatnonzero(self.date == self.date_of(text))
        if not len(rows):
            return None
        middle = np.where(np.isnan(self.value), self._middle_of_bounds(), self.value)
        cost = -self.sign * middle
        return int(rows[np.lexsort((cost[rows], ~self.used[rows]))[0]])

    def date_of(self, text: str | np.datetime64) -> np.datetime64:
        """The date of the row of a label; else a date.

        Parameters
        ----------
        text
            The label of a row; YYYY-MM-DD; or a date as tables have them, where a month or a year
            stands for its centre. What is a date already is not sought among the labels.

        Raises
        ------
        UsageError
            It is none of these, or a label of several rows.
        """
        labelled = self._labelled(text)
        if labelled is not None:
            return np.datetime64(self.date[labelled], "D")
        found = day_of(text) if isinstance(text, str) else np.datetime64(text, "D")
        if isinstance(found, Problem):
            remedy = f" ({found.remedy})" if found.remedy else ""
            raise UsageError(
                f"{text!r} {found.rule}{remedy}, and no row of {self.id} has that label"
            )
        return found

    def _labelled(self, text: str | np.datetime64) -> int | None:
        """The row of a label; None where none has it."""
        if not isinstance(text, str) or not text:
            return None
        rows = [i for i, label in enumerate(self.label) if label == text]
        if len(rows) > 1:
            raise UsageError(f"{len(rows)} rows of {self.id} are labelled {text!r}; give a date")
        return rows[0] if rows else None

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
