"""From cells to numbers: the rules that a row must keep, and every fault of one that does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from effbayes.dataset.cells import as_text, is_missing, shown
from effbayes.dataset.dates import DateReading, date_reader
from effbayes.dataset.grid import Grid
from effbayes.dataset.numerals import read_numbers
from effbayes.errors import Fault

Floats = NDArray[np.float64]

DEFAULT_CI_PROB = 0.95
POSITIVE = "must be > 0 (its logarithm is modelled)"
FRONTIER_WORDS = {
    "yes": True, "true": True, "1": True, "1.0": True, "x": True,
    "no": False, "false": False, "0": False, "0.0": False,
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """Cells of one field; `origins` names the column of a row that differs from `name`."""

    name: str
    cells: Sequence[object]
    origins: Mapping[int, str] = field(default_factory=dict)


@dataclass
class Ledger:
    """Faults by row, so that those of rows that are not wanted can be left out."""

    grid: Grid
    columns: Mapping[str, Column]
    by_row: dict[int, list[Fault]] = field(default_factory=dict)

    def add(self, i: int, name: str, rule: str, remedy: str = "") -> None:
        """Note what is wrong with a field of a row."""
        column = self.columns.get(name)
        text = as_text(column.cells[i]) if column else ""
        self.by_row.setdefault(i, []).append(
            Fault(
                rule,
                remedy,
                row=self.grid.rows[i],
                column=shown(column.origins.get(i, column.name)) if column else name,
                value=text if text.strip() else None,
            )
        )

    def add_where(self, mask: NDArray[np.bool_], name: str, rule: str, remedy: str = "") -> None:
        """Note what is wrong with a field of several rows."""
        for i in np.flatnonzero(mask).tolist():
            self.add(i, name, rule, remedy)


@dataclass(frozen=True, kw_only=True)
class Observations:
    """The rows of a table as read, dims (row,) everywhere.

    Attributes
    ----------
    date
        NaT where missing or unreadable.
    date_order
        The order of day and month that the row's date allows, where it allows one alone.
    value, value_low, value_high
        In the unit of the table; NaN where there is none.
    value_sd
        Standard deviation of log2(value), in doublings.
    date_sd_days
        Standard deviation of the date, in days.
    date_width
        Days that a coarser date leaves open, 0 for an exact one.
    frontier
        As stated: 1 yes, 0 no, -1 not stated.
    incomplete
        Whether the date is missing, or the value and its bounds.
    ledger
        What is wrong with each row.
    """

    date: NDArray[np.datetime64]
    date_order: tuple[str, ...]
    date_sd_days: Floats
    date_width: Floats
    value: Floats
    value_low: Floats
    value_high: Floats
    value_sd: Floats
    frontier: NDArray[np.int8]
    label: tuple[str, ...]
    source: tuple[str, ...]
    note: tuple[str, ...]
    series: tuple[str, ...]
    incomplete: NDArray[np.bool_]
    ledger: Ledger


def read_observations(
    grid: Grid, places: Mapping[str, int], date_format: str | None, published: bool
) -> Observations:
    """Read every row of a table; nothing is raised, what is wrong goes to the ledger.

    Parameters
    ----------
    grid
        The cells.
    places
        Position of each field's column.
    date_format
        As in `effbayes.dataset.dates.date_reader`.
    published
        Whether published dates and values take the place of the table's own, which then lose
        their bounds and standard deviations.
    """
    columns = _columns(grid, places, published)
    ledger = Ledger(grid, columns)
    numbers = {name: _numbers(ledger, name) for name in NUMERIC_FIELDS}
    no_date = _missing(ledger, "date")
    no_value = _missing(ledger, "value") & _missing(ledger, "value_low")
    no_value &= _missing(ledger, "value_high")
    ledger.add_where(no_date, "date", "is missing", "give a date, or leave the row out")
    ledger.add_where(no_value, "value", "is missing", "give a value or a bound")
    value, low, high = _check_bounds(ledger, numbers)
    day, width, orders = _dates(ledger, no_date, date_format)
    if published:
        width[:] = 0
    return Observations(
        date=day,
        date_order=orders,
        date_sd_days=np.hypot(_sd(ledger, numbers, "date_sd_days"), width / np.sqrt(12)),
        date_width=width,
        value=value,
        value_low=low,
        value_high=high,
        value_sd=_value_sd(ledger, numbers, no_value),
        frontier=_stated_frontier(ledger),
        label=_texts(ledger, "label"),
        source=_texts(ledger, "source"),
        note=_texts(ledger, "note"),
        series=_series_names(ledger),
        incomplete=no_date | no_value,
        ledger=ledger,
    )


NUMERIC_FIELDS = (
    "value",
    "value_low",
    "value_high",
    "value_sd",
    "value_ci_low",
    "value_ci_high",
    "value_ci_prob",
    "date_sd_days",
)
LARGEST_SD = {"value_sd": 1e4, "date_sd_days": 1e6}
"""Past these (in doublings, and in days) a row could hold anything, and squares overflow."""

UNCERTAINTY_FIELDS = frozenset(NUMERIC_FIELDS) - {"value"}


def _columns(grid: Grid, places: Mapping[str, int], published: bool) -> dict[str, Column]:
    columns = {name: Column(grid.header[i], grid.columns[i]) for name, i in places.items()}
    if not published:
        return columns
    columns = {name: c for name, c in columns.items() if name not in UNCERTAINTY_FIELDS}
    for name in ("date", "value"):
        if printed := columns.get(f"published_{name}"):
            own = columns.get(name, printed)
            given = {i for i, cell in enumerate(printed.cells) if not is_missing(cell)}
            cells = [printed.cells[i] if i in given else c for i, c in enumerate(own.cells)]
            columns[name] = Column(own.name, cells, dict.fromkeys(given, printed.name))
    return columns


def _numbers(ledger: Ledger, name: str) -> Floats:
    column = ledger.columns.get(name)
    if column is None:
        return np.full(len(ledger.grid.rows), np.nan)
    read = read_numbers(column.cells, ledger.grid.delimiter)
    for i, problem in read.problems.items():
        ledger.add(i, name, problem.rule, problem.remedy)
    return read.values


def _missing(ledger: Ledger, name: str) -> NDArray[np.bool_]:
    column = ledger.columns.get(name)
    if column is None:
        return np.ones(len(ledger.grid.rows), dtype=bool)
    return np.array([is_missing(cell) for cell in column.cells], dtype=bool)


def _check_bounds(ledger: Ledger, numbers: Mapping[str, Floats]) -> tuple[Floats, Floats, Floats]:
    """Value and bounds; bounds that are equal are an exact value and no bounds."""
    value, low, high = (numbers[name] for name in ("value", "value_low", "value_high"))
    for name in ("value", "value_low", "value_high"):
        ledger.add_where(numbers[name] <= 0, name, POSITIVE)
    swapped = low > high
    ledger.add_where(swapped, "value_low", "is above value_high: they are swapped", "exchange them")
    below = ~swapped & (value > 0) & (value < low)
    above = ~swapped & (value > high)
    remedy = "a value lies within its bounds"
    ledger.add_where(below, "value", "is below its own value_low", remedy)
    ledger.add_where(above, "value", "is above its own value_high", remedy)
    exact = low == high
    return (
        np.where(exact, low, value),
        np.where(exact, np.nan, low),
        np.where(exact, np.nan, high),
    )


def _sd(ledger: Ledger, numbers: Mapping[str, Floats], name: str) -> Floats:
    """A standard deviation, 0 where there is none."""
    ledger.add_where(numbers[name] < 0, name, "must be >= 0, it is a standard deviation")
    rule = f"must be at most {LARGEST_SD[name]:g}"
    ledger.add_where(numbers[name] > LARGEST_SD[name], name, rule, "such a row says nothing")
    return np.nan_to_num(numbers[name], nan=0.0)


def _value_sd(ledger: Ledger, numbers: Mapping[str, Floats], no_value: NDArray[np.bool_]) -> Floats:
    """Standard deviation of log2(value), stated or from a published interval, in doublings."""
    sd = _sd(ledger, numbers, "value_sd")
    low, high = numbers["value_ci_low"], numbers["value_ci_high"]
    prob = np.where(np.isnan(numbers["value_ci_prob"]), DEFAULT_CI_PROB, numbers["value_ci_prob"])
    has_low, has_high = ~_missing(ledger, "value_ci_low"), ~_missing(ledger, "value_ci_high")
    value, has_ci = numbers["value"], has_low & has_high
    valueless = has_ci & _missing(ledger, "value") & ~no_value
    ledger.add_where(valueless, "value", "is missing", "an interval needs its value")
    both = "an interval needs both its ends"
    ledger.add_where(has_high & ~has_low, "value_ci_low", "is missing", both)
    ledger.add_where(has_low & ~has_high, "value_ci_high", "is missing", both)
    ledger.add_where(low <= 0, "value_ci_low", POSITIVE)
    ledger.add_where(high <= 0, "value_ci_high", POSITIVE)
    ledger.add_where(low >= high, "value_ci_low", "must be below value_ci_high", "exchange them?")
    outside = (low < high) & (value > 0) & ((value < low) | (value > high))
    rule = "is not within value_ci_low to value_ci_high"
    ledger.add_where(outside, "value", rule, "an interval contains its value")
    # Half a probability that rounds to 0.5 would make the interval's quantile zero.
    bad_prob = (has_low | has_high) & ~((prob > 0) & (prob < 1) & ((1 - prob) / 2 < 0.5))
    ledger.add_where(bad_prob, "value_ci_prob", "must be between 0 and 1", "0.95 is the default")
    ledger.add_where(
        (has_low | has_high) & ~_missing(ledger, "value_sd"),
        "value_sd",
        "is stated beside an interval (value_ci_low, value_ci_high)",
        "give one of them",
    )
    usable = has_ci & (low > 0) & (low < high) & ~bad_prob
    normal = NormalDist()
    quantile = {p: -normal.inv_cdf((1 - p) / 2) for p in set(prob[usable].tolist())}
    for i in np.flatnonzero(usable):
        sd[i] = (np.log2(high[i]) - np.log2(low[i])) / (2 * quantile[float(prob[i])])
    too_wide = usable & (sd > LARGEST_SD["value_sd"])
    rule = f"makes of the interval a value_sd above {LARGEST_SD['value_sd']:g}"
    ledger.add_where(too_wide, "value_ci_prob", rule, "such a row says nothing")
    return sd


def _dates(
    ledger: Ledger, missing: NDArray[np.bool_], date_format: str | None
) -> tuple[NDArray[np.datetime64], Floats, tuple[str, ...]]:
    """Dates (NaT if unreadable), the days that each leaves open, and its order of day and month."""
    n = len(missing)
    day = np.full(n, np.datetime64("NaT", "D"))
    width = np.zeros(n)
    orders = [""] * n
    read = date_reader(date_format)
    for i in np.flatnonzero(~missing).tolist():
        reading = read(ledger.columns["date"].cells[i])
        if isinstance(reading, DateReading):
            day[i], width[i] = np.datetime64(reading.day, "D"), reading.width
            orders[i] = reading.order
        else:
            ledger.add(i, "date", reading.rule, reading.remedy)
    return day, width, tuple(orders)


def add_mixed_orders(observations: Observations, wanted: NDArray[np.bool_]) -> None:
    """Note the dates whose order of day and month is not that of most others of the rows wanted."""
    ledger = observations.ledger
    stated = observations.date_order
    orders = {i: stated[i] for i in np.flatnonzero(wanted).tolist() if stated[i]}
    if len(set(orders.values())) < 2:
        return
    counts = list(orders.values())
    usual = max(counts, key=counts.count)
    example = next(ledger.grid.rows[i] for i, order in orders.items() if order == usual)
    for i, order in orders.items():
        if order != usual:
            rule = f"reads only as {order}, and row {example} only as {usual}"
            ledger.add(i, "date", rule, "write every date as YYYY-MM-DD")


def _stated_frontier(ledger: Ledger) -> NDArray[np.int8]:
    stated = np.full(len(ledger.grid.rows), -1, dtype=np.int8)
    if column := ledger.columns.get("frontier"):
        for i, cell in enumerate(column.cells):
            if is_missing(cell):
                continue
            word = as_text(cell).strip().lower()
            if word in FRONTIER_WORDS:
                stated[i] = FRONTIER_WORDS[word]
            else:
                ledger.add(i, "frontier", "is neither yes nor no", "write yes, no or nothing")
    return stated


def _texts(ledger: Ledger, name: str) -> tuple[str, ...]:
    column = ledger.columns.get(name)
    if column is None:
        return ("",) * len(ledger.grid.rows)
    return tuple(as_text(cell) for cell in column.cells)


def _series_names(ledger: Ledger) -> tuple[str, ...]:
    names = tuple(name.strip() for name in _texts(ledger, "series"))
    if "series" in ledger.columns:
        blank = np.array([not name for name in names], dtype=bool)
        ledger.add_where(blank, "series", "is missing", "name the series of every row")
    return names
