"""Numbers as people write them in tables, read strictly and never by guess.

Whether a comma groups thousands or marks decimals is settled for a whole column: by a cell that
can be read in one way only, else by the delimiter (a table delimited by semicolons has decimal
commas), else the cell is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from effbayes.dataset.cells import Problem, is_missing

_SIGN, _EXPONENT = r"[+-]?", r"(?:[eE][+-]?[0-9]+)?"
_POINT = re.compile(rf"{_SIGN}(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+){_EXPONENT}")
_COMMA_GROUPED = re.compile(rf"{_SIGN}[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+(?:\.[0-9]*)?{_EXPONENT}")
_COMMA = re.compile(rf"{_SIGN}[0-9]+,[0-9]+{_EXPONENT}")
_POINT_GROUPED = re.compile(rf"{_SIGN}[1-9][0-9]{{0,2}}(?:\.[0-9]{{3}})+(?:,[0-9]+)?{_EXPONENT}")
_INFINITE = re.compile(rf"{_SIGN}inf(?:inity)?", re.IGNORECASE)
_WITH_UNIT = re.compile(rf"[$€£¥~≈]?\s*{_SIGN}[0-9][0-9.,]*{_EXPONENT}\s*[^\W\d_]+[^0-9]*|[$€£¥].*")

_NOT_FINITE = Problem("must be finite", "leave the cell empty if the value is not known")
_NOT_A_NUMBER = Problem("is not a number", "write digits, such as 1500 or 1.5e18")
_MIXED = Problem(
    "has a decimal comma where other cells of the column have a decimal point",
    "write one of them throughout",
)


@dataclass(frozen=True)
class NumberColumn:
    """Numbers of a column, dims (row,), NaN where missing or unreadable; problems by row."""

    values: NDArray[np.float64]
    problems: dict[int, Problem]


class _Readings(NamedTuple):
    """A cell in the spelling of `float`: with a decimal point, and with a decimal comma."""

    point: str | None
    comma: str | None


def read_numbers(cells: Sequence[object], delimiter: str = "") -> NumberColumn:
    """Read a column of numbers.

    Parameters
    ----------
    cells
        Text, or numbers as a DataFrame holds them.
    delimiter
        What delimits the table; a semicolon says that decimal commas are in force where nothing
        in the column says otherwise.

    Returns
    -------
    NumberColumn
        The sign and range of the values are not checked here, only that they are finite.
    """
    values = np.full(len(cells), np.nan)
    problems: dict[int, Problem] = {}
    written: dict[int, _Readings] = {}
    for i, cell in enumerate(cells):
        if is_missing(cell):
            continue
        number = _readings(cell) if isinstance(cell, str) else _number(cell)
        if isinstance(number, _Readings):
            written[i] = number
        elif isinstance(number, Problem):
            problems[i] = number
        else:
            values[i] = number
    mark = _decimal_mark(written, delimiter)
    for i, readings in written.items():
        number = _choose(readings, mark)
        if isinstance(number, Problem):
            problems[i] = number
        else:
            values[i] = number
    return NumberColumn(values, problems)


def _readings(cell: str) -> _Readings | Problem:
    text = cell.strip().replace("\N{MINUS SIGN}", "-")
    point = comma = None
    if _POINT.fullmatch(text) or _COMMA_GROUPED.fullmatch(text):
        point = text.replace(",", "")
    if "." not in text and "," not in text:
        comma = point
    elif _COMMA.fullmatch(text) or _POINT_GROUPED.fullmatch(text):
        comma = text.replace(".", "").replace(",", ".")
    return _refusal(text) if point is comma is None else _Readings(point, comma)


def _decimal_mark(written: dict[int, _Readings], delimiter: str) -> str:
    """What marks decimals in the column: point, comma, presumed comma, both, or unknown."""
    point = any(readings.comma is None for readings in written.values())
    comma = any(readings.point is None for readings in written.values())
    if point or comma:
        return "both" if point and comma else "point" if point else "comma"
    if delimiter == ";":
        return "presumed comma"
    # 1.234 alone is read as everyone would; 1,234 alone is not.
    return "point" if any("." in (r.point or "") for r in written.values()) else "unknown"


def _choose(readings: _Readings, mark: str) -> float | Problem:
    point, comma = readings
    if point is None or comma is None:
        return _MIXED if point is None and mark == "both" else _finite(point or comma or "")
    if point == comma or mark == "point":
        return _finite(point)
    # Under a presumed comma 1,234 is 1.234, but 1.234 might be either: that needs evidence.
    if mark == "comma" or (mark == "presumed comma" and "." in comma):
        return _finite(comma)
    return Problem(
        f"can be read two ways: {point} or {comma}", "write it without a thousands separator"
    )


def _finite(text: str) -> float | Problem:
    number = float(text)
    if np.isinf(number):
        return _NOT_FINITE
    mantissa = text.lower().partition("e")[0]
    if number == 0 and any(digit in mantissa for digit in "123456789"):
        return Problem("is too small for a 64-bit number", "use a smaller unit")
    return number


def _number(cell: object) -> float | Problem:
    """A cell of a DataFrame that is not text."""
    if isinstance(cell, bool | np.bool_) or not isinstance(
        cell, int | float | np.integer | np.floating | Decimal
    ):
        return _NOT_A_NUMBER
    try:
        number = float(cell)
    except OverflowError:
        return _NOT_FINITE
    return _NOT_FINITE if np.isinf(number) else number


def _refusal(text: str) -> Problem:
    """Why a cell that is not a number is not one."""
    if _INFINITE.fullmatch(text):
        return _NOT_FINITE
    if text.endswith("%") or text.startswith("%"):
        return Problem("is a percentage", "write it as a plain number")
    if text[:1] in {"<", ">", "≤", "≥"}:
        return Problem(
            "is a bound, not a number", "put bounds in the columns value_low and value_high"
        )
    if "_" not in text and not text.lower().startswith("0x") and _WITH_UNIT.fullmatch(text):
        return Problem(
            "has a unit in the cell", "write the number alone, and the unit once as --unit"
        )
    return _NOT_A_NUMBER
