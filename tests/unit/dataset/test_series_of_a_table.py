"""A table may hold several series; each must be able to have a trend."""

import pytest

from effbayes.dataset import read_series, read_table, validate_table
from effbayes.errors import DataError, UsageError

ROWS = ("date,value,Series", "2015-01-01,8,one", "2016-01-01,9,two", "2016-01-01,4, one",
        "2017-01-01,10,two", "2018-01-01,1,lone")  # fmt: skip
REMARK = "series of fewer than two rows were left out: lone"


def test_a_table_is_split_in_its_order(table):
    found = read_table(table(*ROWS))
    assert {name: series.value.tolist() for name, series in found.items()} == {
        "one": [8, 4], "two": [9, 10],
    }  # fmt: skip
    assert all(series.name == name for name, series in found.items())
    assert all(series.remarks == (REMARK,) for series in found.values())


def test_records_are_those_of_the_series(table):
    found = read_table(table(*ROWS))
    assert found["two"].frontier.tolist() == [True, False]


def test_a_series_is_told_of_its_own_rows_alone(table):
    path = table(*ROWS, "soon,-1,two", "never,-2,two")
    left_out = "2 rows are excluded and cannot be read; they were left out"
    found = read_table(path, where="value > 0")
    assert found["one"].remarks == (REMARK,)
    assert found["two"].remarks == (left_out, REMARK)
    assert read_series(path, where="value > 0", series="one").remarks == ()


def test_a_long_list_of_series_is_cut(table):
    rows = [f"{year}-01-01,1,s{i}" for i in range(30) for year in (2015, 2016)]
    with pytest.raises(UsageError, match="s0, .*, s19 and 10 more$"):
        read_series(table("date,value,series", *rows))


def test_one_series_must_be_named(table):
    path = table(*ROWS)
    with pytest.raises(UsageError, match="several series, name one of: one, two"):
        read_series(path)
    assert read_series(path, series="two").value.tolist() == [9, 10]
    assert read_series(path, series=" TWO ").name == "two"


def test_a_series_of_one_row_that_is_asked_for_is_refused(table):
    with pytest.raises(DataError, match=r"lone: a trend needs at least two observations, 1 of 1"):
        read_series(table(*ROWS), series="lone")


def test_a_series_that_is_not_there(table):
    with pytest.raises(UsageError, match="no series 'three'; its series are: one, two, lone"):
        read_table(table(*ROWS), series="three")
    with pytest.raises(UsageError, match="no column that names series"):
        read_table(table("date,value", "2015-01-01,8", "2016-01-01,4"), series="one")


def test_faults_of_other_series_do_not_matter(table):
    path = table(*ROWS, "never,0,two")
    assert len(validate_table(path)) == 2
    assert read_series(path, series="one").n_obs == 2


def test_a_row_of_no_series_is_a_fault(table):
    [fault] = validate_table(table(*ROWS, "2020-01-01,1,"))
    assert (fault.row, fault.column, fault.rule) == (7, "Series", "is missing")


def test_every_series_without_a_trend_is_told(table):
    path = table("date,value,series", "2015-01-01,8,a", "2015-01-01,4,a", "2016-01-01,8,b",
                 "2016-01-01,4,b", "2016-01-01,4,c", "2017-01-01,4,c")  # fmt: skip
    faults = [fault.rule for fault in validate_table(path)]
    assert [fault.split(":")[0] for fault in faults] == ["a", "b"]
    assert all("two distinct dates" in fault for fault in faults)


def test_series_of_one_row_each_are_refused(table):
    path = table("date,value,series", "2015-01-01,8,a", "2016-01-01,4,b")
    with pytest.raises(DataError, match="2 series cannot have a trend"):
        read_table(path)


def test_a_name_is_for_one_series(table):
    path = table(*ROWS)
    with pytest.raises(UsageError, match="name is for one series"):
        read_table(path, name="mine")
    assert list(read_table(path, series="one", name="mine")) == ["mine"]
    assert list(read_table(table(*ROWS[:4]), name="mine")) == ["mine"]


def test_an_option_that_does_not_exist(table):
    with pytest.raises(TypeError, match="colour"):
        read_table(table(*ROWS), colour={})


@pytest.mark.parametrize(
    "option",
    [{"direction": "up"}, {"where": 3}, {"unit": 3}, {"name": 3}, {"series": ["a"]}, {"preset": 3},
     {"date_format": 3}, {"date_format": "%d"}],
)  # fmt: skip
def test_an_option_that_cannot_be_used(table, option):
    with pytest.raises(UsageError):
        read_table(table(*ROWS), **option)


def test_none_is_an_option_not_given(table):
    path = table(*ROWS[:2], ROWS[3])
    given = dict.fromkeys(["columns", "direction", "unit", "where", "preset", "date_format",
                           "series", "name"])  # fmt: skip
    series = read_series(path, **given)
    assert (series.direction, series.unit, series.rows, series.name) == (
        "falling",
        "",
        "all",
        "one",
    )
