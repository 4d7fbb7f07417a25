"""Numbers are read strictly, and a comma means what the whole column says it means."""

from decimal import Decimal

import numpy as np
import pytest

from effbayes.dataset.numerals import read_numbers

MIXED = "has a decimal comma where other cells of the column have a decimal point"


def only(cell, delimiter=","):
    """The number of a column of one cell, or the rule that the cell breaks."""
    column = read_numbers([cell], delimiter)
    return column.problems[0].rule if column.problems else float(column.values[0])


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1.5", 1.5),
        ("1e18", 1e18),
        ("3.1E-4", 3.1e-4),
        ("+2", 2.0),
        ("5.", 5.0),
        (".5", 0.5),
        (" 7 ", 7.0),
        ("\u22123", -3.0),
        ("1,234,567", 1234567.0),
        ("1,234,567.89", 1234567.89),
        ("1,234.5e3", 1234500.0),
        ("1.234.567", 1234567.0),
        ("1.234.567,5", 1234567.5),
        ("0,5", 0.5),
        ("12,34", 12.34),
        ("1.234", 1.234),
        ("0,123", 0.123),
        ("1e-320", 1e-320),
        ("0e-999", 0.0),
        (3, 3.0),
        (2.5, 2.5),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7.0),
        (Decimal("0.25"), 0.25),
    ],
)
def test_is_read(cell, number):
    assert only(cell) == number


@pytest.mark.parametrize(
    "cell",
    [
        *("", "  ", "NA", "n/a", "NaN", "null", "None", "-", "—"),
        *(None, float("nan"), np.float32("nan"), np.datetime64("NaT", "s")),
    ],
)
def test_is_missing(cell):
    column = read_numbers([cell], ",")
    assert np.isnan(column.values[0])
    assert column.problems == {}


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("inf", "must be finite"),
        ("-Infinity", "must be finite"),
        ("1e400", "must be finite"),
        (10**400, "must be finite"),
        (float("inf"), "must be finite"),
        ("1e-400", "is too small for a 64-bit number"),
        ("1_000", "is not a number"),
        ("0x1F", "is not a number"),
        ("1 234", "is not a number"),
        ("1.5.2", "is not a number"),
        ("1,2,3", "is not a number"),
        ("10^18", "is not a number"),
        ("1.5\u00d710^18", "is not a number"),
        ("٣", "is not a number"),
        ("twelve", "is not a number"),
        (True, "is not a number"),
        (1j, "is not a number"),
        ("45 min", "has a unit in the cell"),
        ("45min", "has a unit in the cell"),
        ("$45", "has a unit in the cell"),
        ("1.5e18 FLOP", "has a unit in the cell"),
        ("45%", "is a percentage"),
        ("≤ 45", "is a bound, not a number"),
        ("1,234", "can be read two ways: 1234 or 1.234"),
    ],
)
def test_is_refused(cell, rule):
    assert only(cell) == rule


@pytest.mark.parametrize(
    ("delimiter", "cells", "expected"),
    [
        # the cell in question first; what settles it second
        (",", ["1,234", "0.5"], 1234.0),
        (",", ["1,234", "1.5"], 1234.0),
        (",", ["1,234", "1.234"], 1234.0),
        (",", ["1,234", "1,234,567"], 1234.0),
        (",", ["1,234", "1,234.5"], 1234.0),
        (",", ["1,234", "0,5"], 1.234),
        (",", ["1,234", "1.234,5"], 1.234),
        (",", ["1.234", "0,5"], 1234.0),
        (",", ["1,234", "77"], "can be read two ways: 1234 or 1.234"),
        (";", ["1,234", "77"], 1.234),
        (";", ["1,234", "0.5"], 1234.0),
        (";", ["1.234", "77"], "can be read two ways: 1.234 or 1234"),
        (";", ["1.234", "0.5"], 1.234),
        (";", ["1.234", "0,5"], 1234.0),
        ("\t", ["0,5", "0.5"], MIXED),
        ("\t", ["0.5", "0,5"], 0.5),
    ],
)  # fmt: skip
def test_a_comma_means_what_the_column_says(delimiter, cells, expected):
    column = read_numbers(cells, delimiter)
    got = column.problems[0].rule if 0 in column.problems else column.values[0]
    assert got == expected


def test_one_bad_cell_does_not_spoil_the_others():
    column = read_numbers(["1", "x", "", "4"], ",")
    np.testing.assert_array_equal(column.values, [1.0, np.nan, np.nan, 4.0])
    assert list(column.problems) == [1]
