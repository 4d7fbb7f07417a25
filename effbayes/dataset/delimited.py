"""Delimited text files as people's programs write them: any encoding, delimiter, line ending."""

from __future__ import annotations

import codecs
import csv
import io
import os
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from effbayes.dataset.columns import fold
from effbayes.dataset.grid import MAX_CELLS, MAX_COLUMNS, MAX_ROWS, Grid, too_many, too_many_rows
from effbayes.errors import DataError, Fault

MAX_BYTES = 50 * 2**20
MAX_CELL = 2**20
MAX_RECORD = 4 * MAX_CELL
DELIMITERS = (",", ";", "\t", "|")
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # Before UTF-16, whose little-endian mark is the beginning of this one.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_limit_lock = threading.Lock()


class _Lines:
    """Lines of a text, up to a limit of characters from one record to the next."""

    def __init__(self, text: str) -> None:
        self.lines = io.StringIO(text, newline="")
        self.since = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = next(self.lines)
        self.since += len(line)
        if self.since > MAX_RECORD:
            raise csv.Error("record too long")
        return line


class _Record(NamedTuple):
    row: int
    cells: list[str]


def grid_of_path(path: Path, known: Collection[str]) -> Grid:
    """Read a delimited file.

    Parameters
    ----------
    path
        File to read.
    known
        Folded names of columns that may be meant, which help to tell the delimiter.

    Raises
    ------
    DataError
        The file is missing, cannot be read, is not text, is empty, or is past a limit.
    """
    name = path.name or str(path)
    try:
        with path.open("rb") as file:
            data = b"".join(_pieces(file))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a directory, not a file") from None
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        raise DataError(f"{path}: cannot be read ({reason})") from None
    text, remarks = _decode(data, name)
    return _grid(text, name, path.stem, remarks, known)


def grid_of_file(file: IO[str] | IO[bytes], known: Collection[str]) -> Grid:
    """Read an open file; see `grid_of_path`."""
    path = getattr(file, "name", None)
    name = Path(path).name if isinstance(path, str) else "table"
    try:
        pieces = list(_pieces(file))
    except (OSError, ValueError) as error:
        raise DataError(f"{name}: cannot be read ({error})") from None
    if not pieces or isinstance(pieces[0], bytes):
        text, remarks = _decode(b"".join(pieces), name)
    else:
        text, remarks = "".join(pieces).removeprefix("\ufeff"), ()
        _refuse_excess(len(text), name)
    return _grid(text, name, Path(name).stem, remarks, known)


def _pieces(file: IO[Any]) -> Iterator[Any]:
    """All of a file, or just more than the limit of it; each piece is bytes, or each is text.

    One read need not give all that is there, as of a pipe; nor has every file a size to ask for.
    """
    left = MAX_BYTES + 1
    while left > 0:
        piece = file.read(left)
        if piece is None:
            raise BlockingIOError("it has nothing to read yet")
        if not piece:
            return
        yield piece
        left -= len(piece)


def _refuse_excess(size: int, name: str) -> None:
    if size > MAX_BYTES:
        raise DataError(f"{name}: is larger than {MAX_BYTES // 2**20} MiB")


def _decode(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """Text of a file, and a remark if the encoding had to be presumed."""
    _refuse_excess(len(data), name)
    if data.startswith(_SPREADSHEETS):
        raise DataError(f"{name}: is a spreadsheet or an archive; save the table as CSV")
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(encoding), ()
            except UnicodeDecodeError:
                raise DataError(f"{name}: is not the {encoding} text that it begins as") from None
    _refuse_nul(b"\0" in data, name)
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError as error:
        remark = f"{name} is not UTF-8 (byte {error.start}); it was read as Latin-1"
    try:
        # What the world calls Latin-1 is this; five bytes are undefined in it.
        return data.decode("cp1252"), (remark,)
    except UnicodeDecodeError:
        return data.decode("latin-1"), (remark,)


def _refuse_nul(has_nul: bool, name: str) -> None:
    if has_nul:
        raise DataError(f"{name}: contains NUL bytes, so it is not CSV text; save it as UTF-8 CSV")


def _grid(
    text: str, name: str, stem: str, remarks: tuple[str, ...], known: Collection[str]
) -> Grid:
    _refuse_nul("\0" in text, name)
    delimiter = _sniff(text, known)
    records = _records(text, delimiter, name)
    if not records:
        raise DataError(f"{name}: is empty")
    header = _without_trailing_blanks(records[0].cells)
    if len(header) > MAX_COLUMNS:
        raise too_many(name, MAX_COLUMNS, "columns")
    kept: list[_Record] = []
    faults: list[Fault] = []
    for record in records[1:]:
        cells = _without_trailing_blanks(record.cells, len(header))
        if len(cells) == len(header):
            kept.append(_Record(record.row, cells))
        else:
            faults.append(_ragged(record.row, len(cells), len(header)))
    if not kept and not faults:
        raise DataError(f"{name}: has a header and no rows")
    return Grid(
        name=name,
        stem=stem,
        header=tuple(cell.replace("\ufeff", "").strip() for cell in header),
        columns=tuple(zip(*(record.cells for record in kept), strict=True)) or ((),) * len(header),
        rows=[record.row for record in kept],
        delimiter=delimiter,
        remarks=remarks,
        faults=tuple(faults),
    )


def _without_trailing_blanks(cells: list[str], width: int = 0) -> list[str]:
    end = len(cells)
    while end > width and not cells[end - 1].strip():
        end -= 1
    return cells[:end]


def _ragged(row: int, n_cells: int, n_names: int) -> Fault:
    if n_cells > n_names:
        than, remedy = "more", "quote a cell that contains the delimiter"
    else:
        than, remedy = "fewer", "write the delimiters of empty cells too"
    rule = f"has {n_cells} cells, {than} than the {n_names} names of the header"
    return Fault(rule, remedy, row=row)


def _records(text: str, delimiter: str, name: str) -> list[_Record]:
    """Records that are not blank, numbered as a spreadsheet numbers its rows."""
    records: list[_Record] = []
    row = total = 0
    with _long_cells():
        lines = _Lines(text)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            for row, cells in enumerate(reader, start=1):
                lines.since = 0
                if any(cell.strip() for cell in cells):
                    records.append(_Record(row, cells))
                total += len(cells)
                if len(records) > MAX_ROWS + 1:
                    raise too_many_rows(name)
                if total > MAX_CELLS:
                    raise too_many(name, MAX_CELLS, "cells")
        except csv.Error as error:
            fault = _broken(row + 1, str(error))
            raise DataError(f"{name}: cannot be read", [fault]) from None
    return records


def _broken(row: int, error: str) -> Fault:
    if "field larger" in error:
        return Fault(
            f"has a cell longer than {MAX_CELL:,} characters",
            "look for a quote that is not closed",
            row=row,
        )
    if "record too long" in error:
        return Fault(
            f"is longer than {MAX_RECORD:,} characters",
            "look for a quote that is not closed",
            row=row,
        )
    if "unexpected end" in error:
        remedy = "close it, or double it in the cell"
        return Fault("has a quote that is not closed", remedy, row=row)
    return Fault(
        "has a quote in the middle of a quoted cell", "double a quote inside a quoted cell", row=row
    )


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let csv read cells up to `MAX_CELL`; its limit is global, so it is lent and put back."""
    with _limit_lock:
        before = csv.field_size_limit(MAX_CELL)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _sniff(text: str, known: Collection[str]) -> str:
    """The delimiter that splits the header into the most names that may be meant."""
    header = _header_line(text)

    def merit(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader(io.StringIO(header, newline=""), delimiter=delimiter), [])
        except csv.Error:
            return (0, 0)
        return (sum(fold(cell) in known for cell in cells), len(cells))

    # max() keeps the first of equals, so DELIMITERS is in order of preference.
    return max(DELIMITERS, key=merit)


def _header_line(text: str) -> str:
    """The first line that is not blank, up to a line break outside quotes."""
    text = text.lstrip("\r\n \v\f")
    quoted = False
    for i, character in enumerate(text[:MAX_CELL]):
        if character == '"':
            quoted = not quoted
        elif character in "\r\n" and not quoted:
            return text[:i]
    return text[:MAX_CELL]
