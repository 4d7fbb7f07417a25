"""A series is frozen, and knows which of its rows are used."""

import numpy as np
import pytest

from effbayes.dataset import Series, read_series
from effbayes.errors import DataError


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
