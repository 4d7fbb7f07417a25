"""Every table of `bad_tables` is read rightly, or refused with the row and the column named."""

import time
from datetime import date, timedelta

import numpy as np
import pytest

from effbayes.dataset import read_series, validate_table
from effbayes.dataset.delimited import MAX_BYTES
from effbayes.errors import DataError
from tests.unit.dataset.bad_tables import CASES, GOOD, N_MANY

BAD = {name: (content, pattern) for name, content, pattern in CASES if pattern != "ok"}
FINE = {name: content for name, content, pattern in CASES if pattern == "ok"}
DATES = ["2012-06-01", "2014-09-17", "2019-05-28"]
VALUES = [3.1, 0.71, 0.069]
YEARS = ["2012-07-02", "2014-07-02", "2019-07-02"]

# What differs from the good table: dates, values.
DIFFERENT: dict[str, tuple[list[str], list[float]]] = {
    "years alone": (YEARS, VALUES),
    "year and month": ([DATES[0], "2014-09-16", DATES[2]], VALUES),
    "day and month alike": ([DATES[0], "2014-09-09", DATES[2]], VALUES),
    "a date twice": ([DATES[0], DATES[0], DATES[2]], VALUES),
    "the same row twice": ([*DATES, DATES[2]], [*VALUES, VALUES[2]]),
    "the largest double": (DATES, [3.1, 1e308, 0.069]),
    "a denormal double": (DATES, [3.1, 1e-320, 0.069]),
    "thousands separators": (DATES, [3.1, 1234567.0, 0.069]),
    "thousands that another cell settles": (DATES, [3.1, 1234.0, 0.069]),
    "bounds alone": (DATES, [3.1, np.nan, 0.069]),
}
LABELS = {
    "Latin-1": "Großnetz é",
    "cell with a line break": "Goog\nLeNet",
    "cell with the delimiter": "GoogLeNet, v1",
    "control characters in a label": "Goog\x1b[31mLeNet\x07",
    "right-to-left override in a label": "Goog\u202eteNeL",
}


@pytest.fixture
def binary(tmp_path):
    def write(content):
        path = tmp_path / "table.csv"
        path.write_bytes(content)
        return path

    return write


def test_names_are_distinct():
    assert len({name for name, _, _ in CASES}) == len(CASES)


@pytest.mark.parametrize("name", [name for name in FINE if name != "100,000 rows"])
def test_is_read_rightly(binary, name):
    series = read_series(binary(FINE[name]))
    dates, values = DIFFERENT.get(name, (DATES, VALUES))
    assert series.date.astype(str).tolist() == dates
    np.testing.assert_array_equal(series.value, values)
    if b"label" in FINE[name].lower():
        assert series.label[1] == LABELS.get(name, "GoogLeNet")
    assert validate_table(binary(FINE[name])) == []


def test_100_000_rows_are_read_in_a_few_seconds(binary):
    path = binary(FINE["100,000 rows"])
    start = time.perf_counter()
    series = read_series(path)
    assert time.perf_counter() - start < 15
    assert series.n_obs == N_MANY
    np.testing.assert_array_equal(series.value, [2 ** (-k / 7305) for k in range(N_MANY)])
    assert series.date[-1].item() == date(2000, 1, 1) + timedelta(days=(N_MANY - 1) // 20)
    assert series.label[-1] == f"m{N_MANY - 1}"
    assert series.frontier.all()


@pytest.mark.parametrize("name", BAD)
def test_is_refused(binary, name):
    content, pattern = BAD[name]
    path = binary(content)
    with pytest.raises(DataError, match=pattern) as caught:
        read_series(path)
    assert caught.value.exit_code == 3
    assert "table" in str(caught.value)
    assert len(str(caught.value)) < 4000
    faults = validate_table(path)
    assert faults == list(caught.value.faults) or (
        not caught.value.faults and [fault.rule for fault in faults] == [caught.value.summary]
    )


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv: no such file"):
        read_series(tmp_path / "nowhere.csv")


def test_a_directory(tmp_path):
    with pytest.raises(DataError, match=r"is a directory, not a file"):
        read_series(tmp_path)


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "", "table.csv/table.csv"])
def test_a_path_that_cannot_be_one(binary, path, monkeypatch):
    monkeypatch.chdir(binary(GOOD).parent)
    with pytest.raises(DataError, match=r"cannot be read|is a directory"):
        read_series(path)


def test_a_file_past_the_limit(binary):
    path = binary(GOOD)
    with path.open("r+b") as file:
        file.truncate(MAX_BYTES + 1)  # a hole: it takes no room on the disk
    with pytest.raises(DataError, match=r"table\.csv: is larger than 50 MiB"):
        read_series(path)


def test_rows_past_the_limit(binary, monkeypatch):
    monkeypatch.setattr("effbayes.dataset.delimited.MAX_ROWS", 3)
    assert read_series(binary(GOOD)).n_obs == 3
    with pytest.raises(DataError, match=r"more than .* rows"):
        read_series(binary(GOOD + b"2020-01-01,0.01,x\n"))
