"""A series is frozen, and knows which of its rows are used."""

from dataclasses import replace

import numpy as np
import pytest

from effbayes.dataset import Series, read_series
from effbayes.errors import DataError, UsageError


@pytest.fixture
def series(table):
    return read_series(
        table("date,value,value_low,value_high,label", "2019-01-01,3,2,4,a", "2020-01-01,4,,,b",
              "2021-01-01,1,,,c")
    )  # fmt: skip


def test_columns_cannot_be_written_to(series):
    with pytest.raises(ValueError, match="read-only"):
        series.value[0] = 1
    with pytest.raises(AttributeError):
        series.unit = "USD"


def test_columns_must_be_as_long_as_the_table(series):
    columns = vars(series) | {"value": np.ones(2)}
    with pytest.raises(ValueError, match=r"value has shape \(2,\), the table has 3 rows"):
        Series(**columns)


def test_the_rows_used(series):
    assert (series.n_table, series.n_obs, series.span) == (3, 3, ("2019-01-01", "2021-01-01"))
    records = series.where("frontier")
    assert records.used.tolist() == [True, False, True]
    assert records.rows == "frontier"
    assert records.where("all").used.all()
    some = series.select([True, True, False], "the first two")
    assert (some.n_obs, some.span[1], some.rows) == (2, "2020-01-01", "the first two")
    with pytest.raises(DataError, match="at least two observations, 1 of 3 rows are used"):
        series.select([True, False, False], "the first")


def test_without_bounds_the_point_values_stay(series, table):
    assert series.has_bounds
    exact = series.without_bounds()
    assert not exact.has_bounds
    np.testing.assert_array_equal(exact.value, [3, 4, 1])
    no_point = read_series(
        table("date,value,value_low,label", "2019-01-01,,2,a", "2020-01-01,1,,b", name="bounded")
    )
    with pytest.raises(DataError, match="bounded: not every row has a point value") as caught:
        no_point.without_bounds()
    assert [fault.row for fault in caught.value.faults] == ["a"]
    unlabelled = read_series(table("date,value,value_low", "2019-01-01,,2", "2020-01-01,1,"))
    with pytest.raises(DataError, match=r"row 1: value: has bounds and no point value"):
        unlabelled.without_bounds()


def test_a_label_comes_before_a_date(table):
    series = read_series(
        table("date,value,label", "2019-01-01,3,20200101", "2020-01-01,4,2021-01-01",
              "2021-01-01,1,2021")
    )  # fmt: skip
    assert str(series.date_of("20200101")) == "2019-01-01"
    assert str(series.date_of("2021-01-01")) == "2020-01-01"
    assert str(series.date_of(np.datetime64("2021-01-01"))) == "2021-01-01"
    assert series.row_of("2021") == 2
    assert series.row_of(np.datetime64("2021-01-01")) == 2
    assert series.row_of("2022") is None
    with pytest.raises(UsageError, match="'20210101' is not a date .* no row of speedrun has"):
        series.date_of("20210101")


@pytest.mark.parametrize(
    ("column", "wrong", "message"),
    [
        ("value", [3, -1, 1], r"row b: value: must be finite and > 0"),
        ("value", [3, 0, 1], r"row b: value: must be finite and > 0"),
        ("value", [3, np.inf, 1], r"row b: value: must be finite and > 0"),
        ("value", [3, np.nan, 1], r"row b: value: is missing, and its bounds too"),
        ("value_high", [1, np.nan, np.nan], r"row a: value_low: is above value_high"),
        ("value_low", [-2, np.nan, np.nan], r"row a: value_low: must be finite and > 0"),
        ("value_sd", [0, -1, 0], r"row b: value_sd: must be finite and >= 0"),
        ("date_sd_days", [0, np.nan, 0], r"row b: date_sd_days: must be finite and >= 0"),
        ("direction", "down", r"direction: is 'down', must be falling or rising"),
    ],
)
def test_what_no_table_has_is_refused_where_a_series_is_made(series, column, wrong, message):
    with pytest.raises(DataError, match=message):
        replace(series, **{column: wrong})


def test_all_that_is_wrong_with_a_series_is_told_at_once(series):
    with pytest.raises(DataError, match="speedrun: 3 faults") as caught:
        replace(series, value=[-1, 4, 0], value_sd=[0, 0, -1])
    assert [(fault.row, fault.column) for fault in caught.value.faults] == [
        ("a", "value"), ("c", "value"), ("c", "value_sd"),
    ]  # fmt: skip
