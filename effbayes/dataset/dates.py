"""Dates as people write them in tables; one that can be read two ways is refused.

A coarser date (a month, a year) is its centre, with the width of what it leaves open.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import numpy as np

from effbayes.dataset.cells import Problem, as_text
from effbayes.errors import UsageError

FIRST_YEAR, LAST_YEAR = 1800, 2200
EXCEL_FORMAT = "excel"
EXCEL_EPOCH = date(1899, 12, 30)
# Excel holds 29 February 1900, which never was: serials up to it are off by one.
FIRST_SAFE_SERIAL = 61
# Written out because calendar and strptime follow the locale.
MONTH_NAMES = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
MONTHS = {
    spelling: number
    for number, name in enumerate(MONTH_NAMES, start=1)
    for spelling in (name.lower(), name[:3].lower())
} | {"sept": 9}

_CLOCK = (
    r"(?:[T ]+(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?"
    r"(?: ?(?:Z|[+-][0-9]{2}:?[0-9]{2}))?)?"
)
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEAR = re.compile(r"([0-9]{4})(?:\.0+)?")
_YEAR_MONTH = re.compile(r"([0-9]{4})[-/]([0-9]{1,2})")
_MONTH_YEAR = re.compile(r"([0-9]{1,2})[-/]([0-9]{4})")
_YEAR_FIRST = re.compile(rf"([0-9]{{4}})([-/.])([0-9]{{1,2}})\2([0-9]{{1,2}}){_CLOCK}")
_YEAR_LAST = re.compile(rf"([0-9]{{1,2}})([-/.])([0-9]{{1,2}})\2([0-9]{{4}}){_CLOCK}")
_SHORT_YEAR = re.compile(r"[0-9]{1,2}([-/. ])(?:[0-9]{1,2}|[A-Za-z]{3,9}\.?)\1[0-9]{2}")
_SERIAL = re.compile(r"([0-9]{1,6})(?:\.[0-9]+)?")
_DECIMAL_YEAR = re.compile(r"[0-9]{4}\.[0-9]+")
_DAY = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th)?")

_UNREADABLE = Problem("is not a date", "write YYYY-MM-DD, YYYY-MM or YYYY")
_NO_SUCH_DAY = Problem("is a day that does not exist", "write YYYY-MM-DD")


class DateReading(NamedTuple):
    """A date as read.

    Attributes
    ----------
    day
        Days from 1970-01-01 to the date, or to the centre of a coarser one.
    width
        Days that a coarser date leaves open: the length of the month or the year; else 0.
    order
        ``"day/month/year"`` or ``"month/day/year"`` where the numerals allow that order alone.
    """

    day: int
    width: int = 0
    order: str = ""


def day_of(text: str) -> np.datetime64 | Problem:
    """A date of the calendar as YYYY-MM-DD, of any year; else as tables have them."""
    if _ISO.fullmatch(text):
        try:
            return np.datetime64(date.fromisoformat(text))
        except ValueError:
            pass  # what is wrong with it is said below
    reading = _read_text(" ".join(text.split()))
    return reading if isinstance(reading, Problem) else np.datetime64(reading.day, "D")


class _Precision(NamedTuple):
    """What a date format states."""

    month: bool
    day: bool


def date_reader(date_format: str | None) -> Callable[[object], DateReading | Problem]:
    """A function that reads one cell that is not missing.

    Parameters
    ----------
    date_format
        None for the unambiguous forms, ``"excel"`` for the serial numbers of a spreadsheet
        (1900 system), else a format of `datetime.strptime` that every cell must follow.

    Raises
    ------
    UsageError
        The format is not one, or states no year.
    """
    if date_format is None:
        read = _read_text
    elif date_format == EXCEL_FORMAT:
        read = _read_serial
    else:
        precision = _precision(date_format)

        def read(text: str) -> DateReading | Problem:
            return _read_format(text, date_format, precision)

    known: dict[str, DateReading | Problem] = {}

    def read_cell(cell: object) -> DateReading | Problem:
        if isinstance(cell, date):
            return _exact(cell.year, cell.month, cell.day)
        if isinstance(cell, np.datetime64):
            return _from_numpy(cell)
        if isinstance(cell, bool | np.bool_):
            return _UNREADABLE
        text = " ".join(as_text(cell).split())
        if text not in known:
            known[text] = read(text)
        return known[text]

    return read_cell


def _read_text(text: str) -> DateReading | Problem:
    if match := _YEAR_FIRST.fullmatch(text):
        return _exact(int(match[1]), int(match[3]), int(match[4]))
    if match := _YEAR_LAST.fullmatch(text):
        return _read_year_last(int(match[1]), int(match[3]), int(match[4]), match[2])
    if match := _YEAR_MONTH.fullmatch(text):
        return _coarse(int(match[1]), int(match[2]))
    if match := _MONTH_YEAR.fullmatch(text):
        return _coarse(int(match[2]), int(match[1]))
    if match := _YEAR.fullmatch(text):
        return _coarse(int(match[1]))
    return _read_month_name(text) or _refusal(text)


def _read_year_last(first: int, second: int, year: int, mark: str) -> DateReading | Problem:
    day_first, month_first = _exact(year, second, first), _exact(year, first, second)
    if isinstance(day_first, Problem):
        if isinstance(month_first, Problem):
            return month_first
        return month_first._replace(order="month/day/year")
    if isinstance(month_first, Problem):
        return day_first._replace(order="day/month/year")
    if day_first == month_first:
        return day_first
    one = f"{first} {MONTH_NAMES[second - 1]}"
    other = f"{MONTH_NAMES[first - 1]} {second}"
    formats = " or ".join(mark.join(parts) for parts in (("%d", "%m", "%Y"), ("%m", "%d", "%Y")))
    return Problem(f"can be read two ways: {one} or {other}", f"--date-format {formats}")


def _read_month_name(text: str) -> DateReading | Problem | None:
    """A date with the English name of its month; None when the text is something else."""
    parts = [part for part in re.split(r"[\s,./-]+", text.lower()) if part]
    months = [MONTHS[part] for part in parts if part in MONTHS]
    years = [int(part) for part in parts if re.fullmatch("[0-9]{4}", part)]
    days = [int(match[1]) for part in parts if (match := _DAY.fullmatch(part))]
    if len(months) != 1 or len(years) != 1 or len(parts) != 2 + len(days) or len(days) > 1:
        return None
    return _exact(years[0], months[0], days[0]) if days else _coarse(years[0], months[0])


def _read_serial(text: str) -> DateReading | Problem:
    match = _SERIAL.fullmatch(text)
    if match is None:
        return Problem("is not a spreadsheet's serial number", "leave --date-format excel out")
    serial = int(match[1])
    if serial < FIRST_SAFE_SERIAL:
        return Problem("is before March 1900, where Excel's calendar is wrong", "write YYYY-MM-DD")
    day = EXCEL_EPOCH + timedelta(days=serial)
    return _exact(day.year, day.month, day.day)


def _precision(date_format: str) -> _Precision:
    """What a format states; refuse one that `strptime` cannot use."""
    directives = set(re.findall(r"%(.)", date_format.replace("%%", ""), re.DOTALL))
    if not directives & set("YyGcx"):
        raise UsageError(
            f"date format {date_format!r} states no year; write one such as %d/%m/%Y, or excel"
        )
    try:
        example = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC).strftime(date_format)
        datetime.strptime(example, date_format)  # noqa: DTZ007 - a date has no time zone
    except (ValueError, re.error) as error:
        raise UsageError(f"date format {date_format!r} cannot be used: {error}") from None
    # strptime passes over the number of a week unless the day of the week is given too.
    week = directives & set("UWV") and directives & set("aAwu")
    day = bool(week or directives & set("djcx"))
    return _Precision(month=day or bool(directives & set("mbB")), day=day)


def _read_format(text: str, date_format: str, precision: _Precision) -> DateReading | Problem:
    try:
        read = datetime.strptime(text, date_format)  # noqa: DTZ007 - a date has no time zone
    except (ValueError, OverflowError):
        return Problem("does not follow the date format", f"the format is {date_format}")
    if precision.day:
        return _exact(read.year, read.month, read.day)
    return _coarse(read.year, read.month if precision.month else None)


def _from_numpy(cell: np.datetime64) -> DateReading | Problem:
    day = cell.astype("datetime64[D]").item()
    return _exact(day.year, day.month, day.day) if isinstance(day, date) else _UNREADABLE


def _exact(year: int, month: int, day: int) -> DateReading | Problem:
    if problem := _year_problem(year):
        return problem
    try:
        return DateReading(_days(date(year, month, day)))
    except ValueError:
        return _NO_SUCH_DAY


def _coarse(year: int, month: int | None = None) -> DateReading | Problem:
    if problem := _year_problem(year):
        return problem
    if month is None:
        start, width = date(year, 1, 1), 366 if calendar.isleap(year) else 365
    elif 1 <= month <= 12:
        start, width = date(year, month, 1), calendar.monthrange(year, month)[1]
    else:
        return Problem("is a month that does not exist", "write YYYY-MM")
    return DateReading(_days(start) + width // 2, width)


def _days(day: date) -> int:
    return day.toordinal() - date(1970, 1, 1).toordinal()


def _year_problem(year: int) -> Problem | None:
    if FIRST_YEAR <= year <= LAST_YEAR:
        return None
    return Problem(f"has the year {year}, outside {FIRST_YEAR} to {LAST_YEAR}", "write YYYY-MM-DD")


def _refusal(text: str) -> Problem:
    """Why a cell that is not a date is not one."""
    if re.fullmatch(r"[0-9]{5}(?:\.[0-9]+)?", text):
        return Problem("looks like a spreadsheet's serial number", "--date-format excel")
    if _DECIMAL_YEAR.fullmatch(text):
        return Problem("is a decimal year, not a date", "write YYYY-MM-DD, YYYY-MM or YYYY")
    if _SHORT_YEAR.fullmatch(text):
        return Problem("has a year of two digits", "--date-format such as %d/%m/%y or %m/%d/%y")
    if re.fullmatch("[0-9]{8}", text):
        return Problem("is not a date", "--date-format %Y%m%d, or write YYYY-MM-DD")
    return _UNREADABLE
