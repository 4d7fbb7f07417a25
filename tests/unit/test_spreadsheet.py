"""Cells that a spreadsheet reads as what they are, and never runs."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from effbayes.report.characters import visible
from effbayes.report.spreadsheet import cell, render


def read(text):
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"])
@pytest.mark.parametrize("before", ["", " ", "\n ", "\u00a0", "\u3000", "\u200d"])
def test_what_would_be_run_is_marked_as_text(start, before):
    [[shown]] = read(render([f"{before}{start}HYPERLINK(1)"], []))
    assert shown == f"'{before}{start}HYPERLINK(1)"


@pytest.mark.parametrize("text", ["a=1", "2012-03-01", "'quoted'", "x" * 10_000, "1e5", "é"])
def test_other_text_stays_as_it_is(text):
    assert read(render(["head"], [[text]])) == [["head"], [text]]


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0.1 + 0.2, "0.30000000000000004"), (-1e-300, "-1e-300"), (7, "7"), (np.int64(-7), "-7"),
     (np.float64(0.1), "0.1"), (np.float32(0.1), "0.10000000149011612"), (math.nan, "nan"),
     (-math.inf, "-inf"), (None, ""), (True, "true"), (np.datetime64("2012-03-01"), "2012-03-01")],
)  # fmt: skip
def test_numbers_keep_all_their_digits(number, shown):
    assert cell(number) == shown


def test_lines_end_as_the_standard_says_and_empty_rows_are_rows():
    assert render(["a"], [[None], [1]]) == 'a\r\n""\r\n1\r\n'


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="another number of cells"):
        render(["a", "b"], [[1]])


@pytest.mark.parametrize("text", ["a\x00b", "\u202egnp", "\u2066x", "\ud800", "\ufeff=1"])
def test_hidden_characters_are_seen(text):
    [[shown]] = read(render([text], []))
    assert shown == visible(text)
    assert shown.encode()


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=5))
def test_any_text_is_read_back(rows):
    back = read(render(["a", "b"], rows))
    assert back[0] == ["a", "b"]
    assert [[one.removeprefix("'") for one in row] for row in back[1:]] == [
        [visible(one).removeprefix("'") for one in row] for row in rows
    ]


@given(st.text())
def test_no_text_begins_as_a_formula(text):
    [[shown]] = read(render([text], [])) or [[""]]
    assert shown.strip()[:1] not in {*"=+-@＝＋－＠"}


@given(st.floats(allow_nan=False))
def test_any_number_is_read_back(number):
    assert float(cell(number)) == number
