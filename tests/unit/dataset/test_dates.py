"""A date that reads one way is read; any other is refused with the remedy."""

import datetime as dt

import numpy as np
import pytest

from effbayes.dataset.cells import Problem
from effbayes.dataset.dates import DateReading, date_reader
from effbayes.errors import UsageError


def read(cell, date_format=None):
    return date_reader(date_format)(cell)


def iso(reading):
    assert isinstance(reading, DateReading), reading
    return str(np.datetime64(reading.day, "D"))


@pytest.mark.parametrize(
    "cell",
    [
        "2017-06-12",
        "2017-6-12",
        "2017/06/12",
        "2017.06.12",
        "2017-06-12 00:00:00",
        "2017-06-12T00:00:00Z",
        "2017-06-12T23:59:59.5+02:00",
        "12 June 2017",
        "12th June 2017",
        "June 12, 2017",
        "Jun 12, 2017",
        "Jun. 12 2017",
        "12-Jun-2017",
        "2017-Jun-12",
        "12 JUNE 2017",
        "  2017-06-12 ",
        dt.date(2017, 6, 12),
        dt.datetime(2017, 6, 12, 23, 59, tzinfo=dt.UTC),
        np.datetime64("2017-06-12T12"),
    ],
)
def test_a_day(cell):
    reading = read(cell)
    assert iso(reading) == "2017-06-12"
    assert reading.width == 0


@pytest.mark.parametrize(
    ("cell", "order"),
    [("13/06/2017", "day/month/year"), ("06/13/2017", "month/day/year"), ("06.06.2017", ""),
     ("13-06-2017", "day/month/year"), ("2017-06-13", ""), ("13/06/2017 10:00", "day/month/year")],
)  # fmt: skip
def test_numerals_in_either_order(cell, order):
    reading = read(cell)
    assert iso(reading) == ("2017-06-06" if order == "" and "." in cell else "2017-06-13")
    assert reading.order == order


@pytest.mark.parametrize(
    ("cell", "centre", "width"),
    [
        ("2017", "2017-07-02", 365),
        ("2016", "2016-07-02", 366),
        ("1900", "1900-07-02", 365),
        ("2017.0", "2017-07-02", 365),
        (2017, "2017-07-02", 365),
        (2017.0, "2017-07-02", 365),
        ("2017-06", "2017-06-16", 30),
        ("2017/06", "2017-06-16", 30),
        ("06/2017", "2017-06-16", 30),
        ("2017-07", "2017-07-16", 31),
        ("2016-02", "2016-02-15", 29),
        ("June 2017", "2017-06-16", 30),
        ("Sept 2017", "2017-09-16", 30),
        ("1800", "1800-07-02", 365),
        ("2200-12", "2200-12-16", 31),
    ],
)
def test_a_coarser_date_is_its_centre(cell, centre, width):
    reading = read(cell)
    assert (iso(reading), reading.width) == (centre, width)


MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]


@pytest.mark.parametrize(("number", "name"), list(enumerate(MONTHS, start=1)))
def test_every_month_has_its_name_and_its_short_name(number, name):
    expected = f"2017-{number:02}-05"
    assert iso(read(f"5 {name} 2017")) == iso(read(f"{name[:3]} 5, 2017")) == expected


@pytest.mark.parametrize(
    ("cell", "rule", "remedy"),
    [
        ("03/04/2017", "can be read two ways: 3 April or March 4",
         "--date-format %d/%m/%Y or %m/%d/%Y"),
        ("03.04.2017", "can be read two ways: 3 April or March 4",
         "--date-format %d.%m.%Y or %m.%d.%Y"),
        ("41061", "looks like a spreadsheet's serial number", "--date-format excel"),
        (41061, "looks like a spreadsheet's serial number", "--date-format excel"),
        ("41061.5", "looks like a spreadsheet's serial number", "--date-format excel"),
        ("2017.45", "is a decimal year, not a date", "write YYYY-MM-DD, YYYY-MM or YYYY"),
        ("12/06/17", "has a year of two digits", "--date-format such as %d/%m/%y or %m/%d/%y"),
        ("12-Jun-17", "has a year of two digits", "--date-format such as %d/%m/%y or %m/%d/%y"),
        ("20170612", "is not a date", "--date-format %Y%m%d, or write YYYY-MM-DD"),
        ("2017-02-30", "is a day that does not exist", "write YYYY-MM-DD"),
        ("2017-02-29", "is a day that does not exist", "write YYYY-MM-DD"),
        ("31/06/2017", "is a day that does not exist", "write YYYY-MM-DD"),
        ("31 June 2017", "is a day that does not exist", "write YYYY-MM-DD"),
        ("2017-13", "is a month that does not exist", "write YYYY-MM"),
        ("1799", "has the year 1799, outside 1800 to 2200", "write YYYY-MM-DD"),
        ("2201-01-01", "has the year 2201, outside 1800 to 2200", "write YYYY-MM-DD"),
        ("01/01/3000", "has the year 3000, outside 1800 to 2200", "write YYYY-MM-DD"),
        ("soon", "is not a date", "write YYYY-MM-DD, YYYY-MM or YYYY"),
        ("2017-06/12", "is not a date", "write YYYY-MM-DD, YYYY-MM or YYYY"),
        ("2017-06-12 24:01:00", "is not a date", "write YYYY-MM-DD, YYYY-MM or YYYY"),
        ("June-July 2017", "is not a date", "write YYYY-MM-DD, YYYY-MM or YYYY"),
        ("12 Juni 2017", "is not a date", "write YYYY-MM-DD, YYYY-MM or YYYY"),
        ("2017-Q2", "is not a date", "write YYYY-MM-DD, YYYY-MM or YYYY"),
        ("٢٠١٧-٠٦-١٢", "is not a date", "write YYYY-MM-DD, YYYY-MM or YYYY"),
        (True, "is not a date", "write YYYY-MM-DD, YYYY-MM or YYYY"),
    ],
)  # fmt: skip
def test_is_refused(cell, rule, remedy):
    assert read(cell) == Problem(rule, remedy)


@pytest.mark.parametrize(
    ("cell", "date_format", "expected", "width"),
    [
        ("03/04/2017", "%d/%m/%Y", "2017-04-03", 0),
        ("03/04/2017", "%m/%d/%Y", "2017-03-04", 0),
        ("12.06.17", "%d.%m.%y", "2017-06-12", 0),
        ("20170612", "%Y%m%d", "2017-06-12", 0),
        (20170612, "%Y%m%d", "2017-06-12", 0),
        ("2017-163", "%Y-%j", "2017-06-12", 0),
        ("2017 W24 1", "%G W%V %u", "2017-06-12", 0),
        ("06.2017", "%m.%Y", "2017-06-16", 30),
        ("FY2017", "FY%Y", "2017-07-02", 365),
        ("week 24 of 2017", "week %W of %Y", "2017-07-02", 365),
        ("41061", "excel", "2012-06-01", 0),
        ("41061.0", "excel", "2012-06-01", 0),
        (41061.75, "excel", "2012-06-01", 0),
        ("61", "excel", "1900-03-01", 0),
        (dt.date(2012, 6, 1), "excel", "2012-06-01", 0),
        (dt.date(2012, 6, 1), "%Y", "2012-06-01", 0),
    ],
)
def test_a_format(cell, date_format, expected, width):
    reading = read(cell, date_format)
    assert (iso(reading), reading.width) == (expected, width)


@pytest.mark.parametrize(
    ("cell", "date_format", "rule"),
    [
        ("2017-06-12", "%d/%m/%Y", "does not follow the date format"),
        ("30/02/2017", "%d/%m/%Y", "does not follow the date format"),
        ("01/01/1066", "%d/%m/%Y", "has the year 1066, outside 1800 to 2200"),
        ("2017-06-12", "excel", "is not a spreadsheet's serial number"),
        ("60", "excel", "is before March 1900, where Excel's calendar is wrong"),
        ("999999", "excel", "has the year 4637, outside 1800 to 2200"),
        ("-5", "excel", "is not a spreadsheet's serial number"),
    ],
)
def test_what_does_not_follow_a_format_is_refused(cell, date_format, rule):
    reading = read(cell, date_format)
    assert isinstance(reading, Problem)
    assert reading.rule == rule


@pytest.mark.parametrize(
    "date_format", ["", "d/m/y", "%d/%m", "%Y-%q", "%Y %Y", "%Y%", "%%Y", "%Y-\0"]
)
def test_a_format_that_is_none(date_format):
    with pytest.raises(UsageError, match="date format"):
        date_reader(date_format)
