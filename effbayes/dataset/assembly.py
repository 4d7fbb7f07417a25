"""From observations to series: rows chosen, split, checked against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from effbayes.dataset.cells import listed
from effbayes.dataset.columns import check_mapping, match_columns
from effbayes.dataset.grid import Grid
from effbayes.dataset.observations import Observations, add_mixed_orders, read_observations
from effbayes.dataset.options import Settings
from effbayes.dataset.records import extent_of, level_of, record_flags, surely_beaten, surely_record
from effbayes.dataset.selection import rows_kept
from effbayes.dataset.series import Series
from effbayes.errors import DataError, Fault, UsageError

Flags = NDArray[np.bool_]
Places = NDArray[np.intp]


@dataclass
class _Table:
    """A table on its way to series: what is known of its rows, and what is wrong so far."""

    grid: Grid
    settings: Settings
    rows: Observations
    level: NDArray[np.float64]
    kept: Flags
    remarks: list[str]
    faults: list[Fault]
    skipped: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)
    """Rows of each series that are left out."""
    groups: dict[str, Places] = field(default_factory=dict)


def series_of(grid: Grid, settings: Settings) -> dict[str, Series]:
    """The series of a table.

    Raises
    ------
    DataError
        The table cannot be used; the error holds every fault, in the order of the rows.
    UsageError
        The options do not fit the table.
    """
    table = _observe(grid, settings)
    _keep(table)
    _split(table)
    wanted = _wanted_rows(table)
    add_mixed_orders(table.rows, wanted)
    faulty = table.rows.ledger.by_row
    for i in np.flatnonzero(wanted).tolist():
        table.faults += faulty.get(i, ())
    for places in table.groups.values():
        # Beside a row that cannot be read nobody can say what the record was.
        if faulty.keys().isdisjoint(places.tolist()):
            _check_frontier(table, places)
    if table.faults:
        table.faults.sort(key=_position(grid))
        n = len(table.faults)
        raise DataError(f"{grid.name}: {n} fault{'s' if n > 1 else ''}", table.faults)
    found = {name: _series(table, name, places) for name, places in table.groups.items()}
    return _with_trend(table, found)


def _observe(grid: Grid, settings: Settings) -> _Table:
    """Read every cell; refuse a table without the columns that it needs."""
    layout = settings.layout
    mapping = check_mapping(settings.columns)
    places, faults = match_columns(grid.header, mapping, layout.columns, settings.published)
    if faults:
        raise DataError(f"{grid.name}: the columns cannot be told", [*faults, *grid.faults])
    rows = read_observations(grid, places, settings.dates, settings.published)
    return _Table(
        grid=grid,
        settings=settings,
        rows=rows,
        level=level_of(rows.value, rows.value_low, rows.value_high),
        kept=np.ones(len(grid.rows), dtype=bool),
        remarks=[*grid.remarks, *([layout.remark] if layout.remark else [])],
        faults=list(grid.faults),
    )


def _keep(table: _Table) -> None:
    """Evaluate the expression, if there is one; it may ask for records, so those come first."""
    expression, rows = table.settings.expression, table.rows
    if expression is None:
        return
    frontier = rows.frontier == 1
    for places in _by_series(rows, _is_readable(table)).values():
        frontier[places] = _frontier(table, places)
    fields = {
        name: getattr(rows, name)
        for name in ("date", "value", "value_low", "value_high", "value_sd", "date_sd_days")
    }
    texts = {name: getattr(rows, name) for name in ("label", "source", "note", "series")}
    table.kept = rows_kept(expression, table.grid, fields | {"frontier": frontier} | texts)
    if not table.kept.any():
        raise DataError(
            f"{table.grid.name}: {expression!r} keeps none of the {len(table.kept)} rows",
            table.faults,
        )


def _is_readable(table: _Table) -> Flags:
    faulty = np.zeros(len(table.kept), dtype=bool)
    faulty[list(table.rows.ledger.by_row)] = True
    return ~faulty & ~table.rows.incomplete


def _by_series(rows: Observations, mask: Flags) -> dict[str, Places]:
    groups: dict[str, list[int]] = {}
    for i in np.flatnonzero(mask):
        groups.setdefault(rows.series[i], []).append(int(i))
    return {name: np.array(places, dtype=np.intp) for name, places in groups.items()}


def _split(table: _Table) -> None:
    """Rows of each series, without those that are left out."""
    settings, rows = table.settings, table.rows
    skipped = rows.incomplete & settings.layout.skip_incomplete
    excluded = ~table.kept & ~skipped & ~_is_readable(table)
    groups = _by_series(rows, ~skipped & ~excluded)
    if settings.series is not None:
        asked = settings.series.strip()
        names = [n for n in groups if n == asked] or [
            n for n in groups if n.casefold() == asked.casefold()
        ]
        if not names:
            known = listed(filter(None, groups)) or "it has no column that names series"
            raise UsageError(f"the table has no series {asked!r}; its series are: {known}")
        groups = {name: groups[name] for name in names}
    table.groups = groups
    # Counted once: a table may have as many series as rows.
    table.skipped, table.excluded = (
        Counter(rows.series[place] for place in np.flatnonzero(mask))
        for mask in (skipped, excluded)
    )


def _wanted_rows(table: _Table) -> Flags:
    """Rows whose faults count."""
    wanted = np.zeros(len(table.kept), dtype=bool)
    for places in table.groups.values():
        wanted[places] = table.kept[places]
    return wanted


def _frontier(table: _Table, places: Places) -> Flags:
    """Records among rows of one series, as stated where stated; dims (place,)."""
    rows = table.rows
    stated = rows.frontier[places]
    computed = np.zeros(len(places), dtype=bool)
    # An expression chooses what the series is of; a row that it excludes beats nobody.
    among = table.kept[places]
    chosen = places[among]
    computed[among] = record_flags(rows.date[chosen], table.level[chosen], table.settings.way)
    return np.where(stated >= 0, stated == 1, computed)


def _check_frontier(table: _Table, places: Places) -> None:
    """Note where a stated frontier is wrong whatever ties, bounds and coarse dates leave open."""
    if table.settings.published:
        # The stated records are those of the corrected figures: the published ones need not agree.
        return
    rows, way = table.rows, table.settings.way
    stated, kept = rows.frontier[places], table.kept[places]
    values = rows.value[places], rows.value_low[places], rows.value_high[places]
    known = extent_of(rows.date[places], rows.date_width[places], values, way)
    beaten = kept & (stated == 1) & surely_beaten(known, rivals=kept)
    record = kept & (stated == 0) & surely_record(known)
    good = "low" if way == "falling" else "high"
    remedy = "correct it, or leave it empty to be computed"
    for wrong, rule in (
        (beaten, f"is stated, but an earlier row is as {good} or {good}er"),
        (record, f"is denied, but no earlier row is as {good}"),
    ):
        for i in places[wrong].tolist():
            rows.ledger.add(i, "frontier", rule, remedy)
            table.faults.append(rows.ledger.by_row[i][-1])


def _series(table: _Table, name: str, places: Places) -> Series:
    settings, rows = table.settings, table.rows
    frontier = _frontier(table, places)
    by_frontier = settings.where == "frontier"

    def pick(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(texts[i] for i in places)

    return Series(
        name=settings.name or name or table.grid.stem,
        domain=settings.domain or "",
        unit=settings.measured_in,
        direction=settings.way,
        label=pick(rows.label),
        source=pick(rows.source),
        note=pick(rows.note),
        date=rows.date[places],
        date_sd_days=rows.date_sd_days[places],
        value=rows.value[places],
        value_low=rows.value_low[places],
        value_high=rows.value_high[places],
        value_sd=rows.value_sd[places],
        frontier=frontier,
        used=frontier if by_frontier else table.kept[places],
        rows=settings.where or "all",
        published=bool(settings.published),
        remarks=(*table.remarks, *_left_out(table, name)),
    )


def _left_out(table: _Table, name: str) -> Iterator[str]:
    """How many rows of a series were left out, and why."""
    for counts, one, several in (
        (table.skipped, "has no date or no value", "have no date or no value"),
        (table.excluded, "is excluded and cannot be read", "are excluded and cannot be read"),
    ):
        n = counts[name]
        if n:
            yield (
                f"1 row {one}; it was left out"
                if n == 1
                else (f"{n} rows {several}; they were left out")
            )


def _with_trend(table: _Table, found: dict[str, Series]) -> dict[str, Series]:
    """The series that can have a trend; those of one row are dropped if others remain."""
    settings, name = table.settings, table.grid.name
    if not found:
        raise DataError(f"{name}: no row has both a date and a value")
    if settings.series is None:
        lone = [key for key, series in found.items() if series.n_obs < 2]
        if 0 < len(lone) < len(found):
            remark = f"series of fewer than two rows were left out: {listed(lone)}"
            found = {
                key: replace(series, remarks=(*series.remarks, remark))
                for key, series in found.items()
                if key not in lone
            }
    if settings.name is not None and len(found) > 1:
        raise UsageError(f"name is for one series, the table has several: {listed(found)}")
    errors = []
    for series in found.values():
        try:
            series.require_trend()
        except DataError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise DataError(
            f"{name}: {len(errors)} series cannot have a trend",
            [Fault(error.summary) for error in errors],
        )
    return {series.name: series for series in found.values()}


def _position(grid: Grid) -> Callable[[Fault], int]:
    """Where in the table a fault is, to sort faults by."""
    places = {row: i for i, row in enumerate(grid.rows)}

    def position(fault: Fault) -> int:
        if isinstance(fault.row, int) and grid.delimiter:
            return fault.row
        return -1 if fault.row is None else places.get(fault.row, -1)

    return position
