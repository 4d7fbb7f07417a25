"""Reading a user's table: the ways in."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import IO, Unpack

from effbayes.dataset.assembly import series_of
from effbayes.dataset.cells import listed
from effbayes.dataset.columns import check_mapping, known_names
from effbayes.dataset.delimited import grid_of_file, grid_of_path
from effbayes.dataset.grid import Frame, Grid, grid_of_frame
from effbayes.dataset.options import Settings, TableOptions
from effbayes.dataset.series import Series
from effbayes.errors import DataError, Fault, UsageError

Source = str | PathLike[str] | Frame | IO[str] | IO[bytes]


def read_table(source: Source, **options: Unpack[TableOptions]) -> dict[str, Series]:
    """Read a table of observations.

    A column is found by the name of its field (in any case; spaces, hyphens and underscores are
    alike) or by the name given in `columns`. Required are `date`, and `value` or a bound.

    ==================  ==========================================================================
    field               meaning
    ==================  ==========================================================================
    date                ISO date; YYYY-MM and YYYY are centres with a uniform error of that width;
                        other forms only where they read one way
    value               cost or score, > 0, in `unit`
    value_low, _high    bounds of an interval-censored value; equal ones are an exact value
    value_sd            standard deviation of log2(value), in doublings; 0 by default
    value_ci_low,       an interval as published, of probability value_ci_prob (0.95): value_sd is
    _high, _prob        (log2(high) - log2(low)) / (2 z), z the normal quantile
    date_sd_days        standard deviation of the date, in days; 0 by default
    frontier            yes or no: whether the row set a record; computed where it is blank
    label, source,      provenance of the row, kept verbatim
    note
    series              splits the table into several series
    published_date,     what was published where that was wrong; see `published`
    published_value
    ==================  ==========================================================================

    Parameters
    ----------
    source
        Path of a delimited file (comma, semicolon, tab or bar; UTF-8, UTF-16 or Latin-1), an open
        file, or a pandas DataFrame.
    columns
        Fields to the user's names of columns.
    direction
        ``"falling"`` (a cost, the default) or ``"rising"`` (a score).
    unit
        Unit of `value`, for people.
    where
        Rows to fit: ``"all"``, ``"frontier"``, or an expression in the syntax of
        `pandas.DataFrame.query` over the user's columns and the fields above. Rows that an
        expression excludes stay in the table unused if they can be read, and do no harm if not.
    preset
        Name of a public table's layout, see `PRESETS`; `columns` wins over it.
    date_format
        Format of `datetime.strptime` that every date follows, or ``"excel"``.
    series
        Name of the one series to read.
    name
        Name of the series of a table that has one; by default its file's name.
    domain
        Name of the domain, for people.
    published
        Whether published_date and published_value take the place of date and value; bounds and
        standard deviations are then dropped.

    Returns
    -------
    dict
        Series by name, in the order of the table.

    Raises
    ------
    DataError
        The table cannot be used; the error holds every fault, by row and column.
    UsageError
        An option cannot be used.
    """
    settings = Settings(**options)
    return series_of(_open(source, settings), settings)


def read_series(source: Source, **options: Unpack[TableOptions]) -> Series:
    """Read a table that holds one series, or the one that the option `series` names.

    Takes what `read_table` takes, and raises what it raises.

    Raises
    ------
    UsageError
        The table holds several series; the message lists them.
    """
    found = read_table(source, **options)
    if len(found) > 1:
        raise UsageError(f"the table has several series, name one of: {listed(found)}")
    return next(iter(found.values()))


def validate_table(source: Source, **options: Unpack[TableOptions]) -> list[Fault]:
    """Every fault of a table, in the order of its rows; empty when `read_table` would read it.

    Takes what `read_table` takes.

    Raises
    ------
    UsageError
        An option cannot be used.
    """
    try:
        read_table(source, **options)
    except DataError as error:
        return list(error.faults) or [Fault(error.summary)]
    return []


def _open(source: Source, settings: Settings) -> Grid:
    known = known_names(check_mapping(settings.columns), settings.layout.columns)
    if isinstance(source, str | PathLike):
        return grid_of_path(Path(source), known)
    if isinstance(source, Frame):
        return grid_of_frame(source)
    if hasattr(source, "read"):
        return grid_of_file(source, known)
    kind = type(source).__name__
    raise UsageError(f"cannot read a table from {kind}; give a path, an open file or a DataFrame")
