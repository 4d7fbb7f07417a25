"""A DataFrame is read like the file that it would be written to."""

import datetime as dt
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from effbayes.dataset import read_series, read_table, validate_table
from effbayes.dataset.grid import MAX_ROWS
from effbayes.errors import DataError


def test_a_frame(tmp_path):
    frame = pd.DataFrame(
        {
            "date": pd.to_datetime(["2019-01-01", "2020-01-01"]),
            "value": [2, 1],
            "label": ["a", None],
        }
    )
    series = read_series(frame, unit="USD")
    assert (series.name, series.label, series.unit) == ("table", ("a", ""), "USD")
    assert series.date.astype(str).tolist() == ["2019-01-01", "2020-01-01"]
    frame.to_csv(tmp_path / "table.csv", index=False)
    again = read_series(tmp_path / "table.csv", unit="USD")
    np.testing.assert_array_equal(again.date, series.date)
    np.testing.assert_array_equal(again.value, series.value)
    assert again.label == series.label


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ([2019, 2020], ["2019-07-02", "2020-07-02"]),
        ([2019.0, 2020.0], ["2019-07-02", "2020-07-02"]),
        (["2019-01-05", "2020"], ["2019-01-05", "2020-07-02"]),
        ([dt.date(2019, 1, 5), dt.date(2020, 1, 5)], ["2019-01-05", "2020-01-05"]),
        (pd.to_datetime(["2019-01-05 23:00", "2020-01-05 00:00"]), ["2019-01-05", "2020-01-05"]),
        (
            pd.to_datetime(["2019-01-05 23:00", "2020-01-05 00:00"], utc=True),
            ["2019-01-05", "2020-01-05"],
        ),
        (pd.period_range("2019-01", periods=2, freq="M"), ["2019-01-16", "2019-02-15"]),
        (pd.Categorical(["2019-01-05", "2020-01-05"]), ["2019-01-05", "2020-01-05"]),
    ],
)
def test_dates_of_any_type(dates, expected):
    series = read_series(pd.DataFrame({"date": dates, "value": [2.0, 1.0]}))
    assert series.date.astype(str).tolist() == expected


@pytest.mark.parametrize(
    "values",
    [
        [2, 1],
        ["2", "1"],
        pd.array([2, 1], dtype="Int64"),
        pd.array([2, 1], dtype="float32"),
        np.array([2, 1], dtype=object),
    ],
)
def test_values_of_any_type(values):
    series = read_series(pd.DataFrame({"date": ["2019", "2020"], "value": values}))
    np.testing.assert_array_equal(series.value, [2, 1])


@pytest.mark.parametrize(
    "missing", [None, np.nan, pd.NA, pd.NaT, "NA", Decimal("NaN"), Decimal("sNaN")]
)
def test_what_is_missing(missing):
    index = ["first", "second", "third"]
    value = pd.Series([2.0, missing, 1.0], dtype=object, index=index)
    frame = pd.DataFrame({"date": ["2019", "2020", "2021"], "value": value})
    [fault] = validate_table(frame)
    assert (fault.row, fault.column, fault.rule) == ("second", "value", "is missing")
    frame["date"] = pd.Series(["2019", missing, "2021"], dtype=object, index=index)
    faults = validate_table(frame)
    assert [(fault.row, fault.column) for fault in faults] == [
        ("second", "date"),
        ("second", "value"),
    ]


def test_a_fault_names_the_label_of_the_index():
    frame = pd.DataFrame({"date": ["2019", "2020", "soon"], "value": [-1.0, 1, 2]}, index=[7, 8, 3])
    assert [fault.row for fault in validate_table(frame)] == [7, 3]


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (True, "is not a number"),
        (np.inf, "must be finite"),
        (0, "must be > 0"),
        (-1.5, "must be > 0"),
        ("1,234", "can be read two ways"),
        ([1], "is not a number"),
    ],
)
def test_a_bad_value(value, rule):
    frame = pd.DataFrame({"date": ["2019", "2020"], "value": pd.Series([1, value], dtype=object)})
    [fault] = validate_table(frame)
    assert fault.rule.startswith(rule)
    assert fault.row == 1


def test_frontier_of_booleans():
    frame = pd.DataFrame({"date": ["2018", "2019"], "value": [2, 1], "frontier": [True, False]})
    assert "is denied" in validate_table(frame)[0].rule
    frame["frontier"] = [True, True]
    assert read_series(frame).frontier.all()


def test_an_expression_over_a_frame():
    frame = pd.DataFrame(
        {"date": ["2018", "2019", "2020"], "value": [3, 2, 1], "open weights": [True, False, True],
         "kind": pd.Categorical(["a", "b", "a"])}
    )  # fmt: skip
    assert read_series(frame, where="`open weights`").used.tolist() == [True, False, True]
    assert read_series(frame, where="kind == 'a'").used.tolist() == [True, False, True]


def test_names_of_columns_need_not_be_text():
    frame = pd.DataFrame({0: ["2018", "2019"], 1: [2, 1]})
    assert read_series(frame, columns={"date": "0", "value": "1"}).value.tolist() == [2, 1]


def test_the_frame_is_left_as_it_was():
    frame = pd.DataFrame({"date": ["2018", "2019"], "value": [2, 1]})
    before = frame.copy()
    read_table(frame, where="value > 0")
    pd.testing.assert_frame_equal(frame, before)


def test_a_frame_without_rows():
    with pytest.raises(DataError, match="has no rows"):
        read_series(pd.DataFrame({"date": [], "value": []}))


def test_a_frame_past_the_limit():
    with pytest.raises(DataError, match="more than 100,000 rows"):
        read_series(pd.DataFrame({"value": np.zeros(MAX_ROWS + 1)}))


@pytest.mark.parametrize(
    ("shape", "what"), [((2, 1_001), "1,000 columns"), ((10_000, 201), "2,000,000 cells")]
)
def test_a_frame_that_is_too_large(shape, what):
    with pytest.raises(DataError, match=f"table: has more than {what}"):
        read_series(pd.DataFrame(np.zeros(shape)))


def test_of_many_columns_only_some_are_named():
    with pytest.raises(DataError, match="'19' and 80 more") as caught:
        read_series(pd.DataFrame(np.zeros((2, 100))))
    assert len(str(caught.value)) < 1000


def test_reading_a_file_imports_nothing_heavy(table):
    path = table("date,value", "2019-01-01,2", "2020-01-01,1")
    program = (
        "import sys; from effbayes.dataset import read_table; read_table(sys.argv[1]); "
        "print(sorted({'pandas', 'jax', 'xarray', 'scipy', 'numpyro'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
