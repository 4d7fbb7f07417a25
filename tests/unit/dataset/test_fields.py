"""What each field of a row becomes, and the rules that it must keep."""

from statistics import NormalDist

import numpy as np
import pytest

from effbayes.dataset import read_series, read_table, validate_table
from effbayes.errors import DataError, Fault

LAST = "2020-01-01,1"


def test_the_defaults(table):
    series = read_series(table("date,value", "2019-01-01,2", LAST))
    assert series.name == "speedrun"
    assert (series.domain, series.unit, series.direction) == ("", "", "falling")
    assert (series.rows, series.published, series.remarks) == ("all", False, ())
    assert series.label == series.source == series.note == ("", "")
    np.testing.assert_array_equal(series.value, [2, 1])
    for column in (series.value_low, series.value_high):
        assert np.isnan(column).all()
    for column in (series.value_sd, series.date_sd_days):
        np.testing.assert_array_equal(column, [0, 0])
    assert series.used.all()


def test_names_given(table):
    series = read_series(
        table("date,value", "2019-01-01,1", "2020-01-01,2"),
        name="mine", domain="yours", unit="USD", direction="rising",
    )  # fmt: skip
    assert series.id == "yours/mine"
    assert (series.unit, series.direction) == ("USD", "rising")
    assert series.frontier.all()


def test_provenance_is_kept_verbatim(table):
    series = read_series(
        table(
            "date,value,Label,SOURCE,note",
            '2019-01-01,2," a\tb ",NA,"line 1\nline 2"',
            LAST + ",,,",
        )
    )
    assert (series.label[0], series.source[0], series.note[0]) == (" a\tb ", "NA", "line 1\nline 2")


def test_a_coarse_date_adds_to_its_stated_sd(table):
    series = read_series(
        table("date,value,date_sd_days", "2017,4,", "2018-06,3,10", "2019-01-01,2,7", LAST + ",")
    )
    expected = [365 / 12**0.5, (30**2 / 12 + 100) ** 0.5, 7.0, 0.0]
    np.testing.assert_allclose(series.date_sd_days, expected, rtol=1e-15)


def test_bounds(table):
    series = read_series(
        table("date,value,value_low,value_high", "2016-01-01,,8,16", "2017-01-01,5,4,8",
              "2018-01-01,,3,", "2019-01-01,2,,2.5", "2020-01-01,,1,1", "2021-01-01,0.5,0.5,0.5")
    )  # fmt: skip
    nan = np.nan
    np.testing.assert_array_equal(series.value, [nan, 5, nan, 2, 1, 0.5])
    np.testing.assert_array_equal(series.value_low, [8, 4, 3, nan, nan, nan])
    np.testing.assert_array_equal(series.value_high, [16, 8, nan, 2.5, nan, nan])
    assert series.frontier.all()


def test_a_table_of_bounds_needs_no_value_column(table):
    series = read_series(table("date,value_high", "2019-01-01,2", LAST))
    assert np.isnan(series.value).all()
    np.testing.assert_array_equal(series.value_high, [2, 1])


@pytest.mark.parametrize(("prob", "p"), [("", 0.95), ("0.5", 0.5), ("0.999", 0.999)])
def test_an_interval_becomes_an_sd_in_doublings(table, prob, p):
    series = read_series(
        table("date,value,value_ci_low,value_ci_high,value_ci_prob,value_sd",
              f"2019-01-01,2,1,4,{prob},", f"{LAST},,,,0.3")
    )  # fmt: skip
    # half of log2(4) - log2(1) is one doubling, at the quantile that leaves (1 - p) / 2 outside
    expected = 1 / NormalDist().inv_cdf((1 + p) / 2)
    np.testing.assert_allclose(series.value_sd, [expected, 0.3], rtol=1e-12)


def test_an_interval_without_the_column_of_its_probability_has_95_percent(table):
    series = read_series(
        table("date,value,value_ci_low,value_ci_high", "2019-01-01,2,1,4", LAST + ",,")
    )
    assert series.value_sd[0] == pytest.approx(1 / 1.959963984540054, rel=1e-12)


@pytest.mark.parametrize("prob", ["1e-17", "1.0", "0", "-0.5", "0.9999999999999999999"])
def test_a_probability_that_makes_no_interval_is_a_fault(table, prob):
    path = table("date,value,value_ci_low,value_ci_high,value_ci_prob", f"2019-01-01,2,1,4,{prob}",
                 LAST + ",,,")  # fmt: skip
    [fault] = validate_table(path)
    assert (fault.row, fault.column, fault.value) == (2, "value_ci_prob", prob)
    assert fault.rule == "must be between 0 and 1"


def test_an_interval_needs_its_value(table):
    path = table("date,value,value_low,value_ci_low,value_ci_high", "2019-01-01,,1,1,4",
                 LAST + ",,,")  # fmt: skip
    assert validate_table(path) == [
        Fault("is missing", "an interval needs its value", row=2, column="value")
    ]


@pytest.mark.parametrize(
    ("word", "flag"),
    [("yes", True), ("TRUE", True), ("1", True), ("x", True), ("no", False), ("False", False),
     ("0", False), ("", True)],
)  # fmt: skip
def test_the_frontier_as_stated(table, word, flag):
    # the third row ties with another of its date, so either word is true of it
    series = read_series(
        table("date,value,frontier", "2018-01-01,3,", "2019-01-01,1,", f"2019-01-01,2,{word}",
              "2019-01-01,1,no")
        if word in {"no", "False", "0"}
        else table("date,value,frontier", "2018-01-01,3,", f"2019-01-01,2,{word}", "2019-01-01,1,")
    )  # fmt: skip
    place = 2 if word in {"no", "False", "0"} else 1
    assert series.frontier[place] == flag


def test_rows_of_one_date_may_be_stated_either_way(table):
    rows = ("date,value,frontier", "2018-01-01,3,yes", "2019-01-01,2,{}", "2019-01-01,1,{}")
    for first in ("yes", "no"):
        for second in ("yes", "no"):
            text = [rows[0], rows[1], rows[2].format(first), rows[3].format(second)]
            faults = validate_table(table(*text))
            # the last beats every row, so it alone cannot be denied
            assert len(faults) == (second == "no")


def test_a_stated_record_may_lie_anywhere_in_bounds_and_coarse_dates(table):
    rows = ("date,value,value_low,value_high,frontier", "2014,,10,1000,yes", "2016-01-01,200,,,yes")
    assert validate_table(table(*rows)) == []
    rows = ("date,value,frontier", "2015,100,yes", "2015-08-01,200,yes", "2017-01-01,300,no")
    assert validate_table(table(*rows)) == []
    [fault] = validate_table(table(*rows[:3], "2016-01-01,300,yes"))
    assert "an earlier row is as low" in fault.rule


def test_where_frontier_uses_the_records(table):
    path = table("date,value", "2018-01-01,3", "2019-01-01,4", LAST)
    series = read_series(path, where="frontier")
    assert series.used.tolist() == series.frontier.tolist() == [True, False, True]
    assert (series.rows, series.n_table) == ("frontier", 3)


def test_every_fault_is_told_in_the_order_of_the_rows(table):
    path = table(
        "date,value,value_low,frontier", "soon,-1,2,perhaps", "2019-01-01", "2018-01-01,1,x,"
    )
    faults = validate_table(path)
    assert [(fault.row, fault.column) for fault in faults] == [
        (2, "value"), (2, "date"), (2, "frontier"), (3, None), (4, "value_low"),
    ]  # fmt: skip
    assert {fault.value for fault in faults if fault.row == 2} == {"soon", "-1", "perhaps"}


def test_row_numbers_are_those_of_a_spreadsheet(table):
    path = table("date,value,note", '2018-01-01,3,"two\nlines"', "", "2019-01-01,0,", LAST + ",")
    [fault] = validate_table(path)
    assert fault.row == 4


def test_a_message_holds_no_control_characters(table):
    path = table("date,value", "2018-01-01,\x1b[31mred", LAST)
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert "\x1b" not in str(caught.value)
    assert caught.value.faults[0].value == "\x1b[31mred"


class TestPublished:
    HEADER = "date,value,value_low,value_sd,date_sd_days,published_date,published_value"

    def test_takes_the_place_of_what_is_corrected(self, table):
        path = table(self.HEADER, "2015-12-10,17,16,0.1,3,2015-01-10,", "2019-05,2.2,,0.1,,,0.75")
        series = read_series(path, published=True)
        assert series.published
        assert series.date.astype(str).tolist() == ["2015-01-10", "2019-05-16"]
        np.testing.assert_array_equal(series.value, [17, 0.75])
        np.testing.assert_array_equal(series.value_sd, [0, 0])
        np.testing.assert_array_equal(series.date_sd_days, [0, 0])
        assert not series.has_bounds

    def test_is_left_alone_otherwise(self, table):
        path = table(self.HEADER, "2015-12-10,17,16,0.1,3,never,nothing", "2019-05-28,2.2,,,,,")
        series = read_series(path)
        assert not series.published
        np.testing.assert_array_equal(series.value, [17, 2.2])
        np.testing.assert_array_equal(series.value_sd, [0.1, 0])

    def test_a_fault_names_the_column_that_holds_it(self, table):
        path = table(self.HEADER, "2015-12-10,17,16,,,,zero", "2019-05-28,0,,,,,")
        faults = validate_table(path, published=True)
        assert [(fault.row, fault.column, fault.value) for fault in faults] == [
            (2, "published_value", "zero"), (3, "value", "0"),
        ]  # fmt: skip

    def test_needs_a_column_for_it(self, table):
        path = table("date,value", "2015-12-10,17", LAST)
        with pytest.raises(DataError, match="published_date"):
            read_series(path, published=True)

    def test_stated_records_stay(self, table):
        path = table(
            "date,value,frontier,published_value", "2018-01-01,3,yes,1", "2019-01-01,2,yes,4"
        )
        assert read_series(path, published=True).frontier.tolist() == [True, True]
