"""The table before it means anything: names, cells and row labels, from any source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from effbayes.errors import DataError, Fault

MAX_ROWS = 100_000
MAX_COLUMNS = 1_000
MAX_CELLS = 2_000_000
"""A table with a fault in every cell is refused within seconds and a gibibyte of memory."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Cells by column.

    Attributes
    ----------
    name
        What messages call the table: the file's name, or ``"table"``.
    stem
        Name of the series if nothing else names it.
    header
        Names of the columns as the user wrote them.
    columns
        Cells, dims (column, row): text from a file, objects from a DataFrame.
    rows
        What messages call each row: the row of a spreadsheet, or the label of the index.
    delimiter
        What delimits the cells of the file; empty for a DataFrame.
    remarks
        What the reader should be told about how the table was read.
    faults
        Rows whose cells could not be told apart; they are not among `rows`.
    """

    name: str
    stem: str
    header: tuple[str, ...]
    columns: tuple[Sequence[object], ...]
    rows: Sequence[int | str]
    delimiter: str = ""
    remarks: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


class _Indexer(Protocol):
    def __getitem__(self, key: tuple[slice, int]) -> _Column: ...


class _Column(Protocol):
    def tolist(self) -> list[object]: ...


@runtime_checkable
class Frame(Protocol):
    """What is used of a pandas DataFrame, so that reading a file does not import pandas."""

    @property
    def columns(self) -> Sequence[object]:
        """Names of the columns."""
        ...

    @property
    def index(self) -> Sequence[object]:
        """Labels of the rows."""
        ...

    @property
    def iloc(self) -> _Indexer:
        """Cells by position."""
        ...


def grid_of_frame(frame: Frame) -> Grid:
    """A DataFrame as a grid; its cells stay objects.

    Raises
    ------
    DataError
        It has no rows, or is past a limit.
    """
    n = len(frame.index)
    if n > MAX_ROWS:
        raise too_many_rows("table")
    if n == 0:
        raise DataError("table: has no rows")
    if len(frame.columns) > MAX_COLUMNS:
        raise too_many("table", MAX_COLUMNS, "columns")
    if n * len(frame.columns) > MAX_CELLS:
        raise too_many("table", MAX_CELLS, "cells")
    header = tuple(str(name) for name in frame.columns)
    return Grid(
        name="table",
        stem="table",
        header=header,
        columns=tuple(frame.iloc[:, i].tolist() for i in range(len(header))),
        rows=[label if type(label) is int else str(label) for label in frame.index],
    )


def too_many(name: str, limit: int, what: str) -> DataError:
    """The error for a table past a limit."""
    return DataError(f"{name}: has more than {limit:,} {what}")


def too_many_rows(name: str) -> DataError:
    """The error for a table of more than `MAX_ROWS`."""
    return DataError(f"{name}: has more than {MAX_ROWS:,} rows; a series needs far fewer")
