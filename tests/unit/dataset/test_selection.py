"""Rows are chosen by a word or by an expression, which can do nothing else."""

import numpy as np
import pytest

from effbayes.dataset import read_series, read_table, validate_table
from effbayes.errors import DataError, UsageError

ROWS = (
    "date,value,label,Kind of model,Parameters,Organisation",
    "2015-01-01,8,a,vision,1e6,Alpha",
    "2016-01-01,1,b,speech,2e6,Beta",
    "2017-01-01,6,c,vision,,Alpha's",
    "2018-01-01,4,d,vision,4e6,",
)


@pytest.fixture
def path(table):
    return table(*ROWS)


@pytest.mark.parametrize(
    ("expression", "labels"),
    [
        ("value > 1", "acd"),
        ("date >= '2016-01-01' and date < '2018-01-01'", "bc"),
        ("date.dt.year == 2016", "b"),
        ("`Kind of model` == 'vision'", "acd"),
        ("`Kind of model`.str.contains('vis')", "acd"),
        ("label in ['a', 'd']", "ad"),
        ("label != 'a' & value != 1", "cd"),
        ("not label == 'a'", "bcd"),
        ("Parameters >= 2e6", "bd"),
        ("Parameters.isna()", "c"),
        ("Organisation == ''", "d"),
        ('Organisation == "Alpha\'s"', "c"),
        ("value.between(4, 6)", "cd"),
        ("frontier", "ab"),
        ("value_sd == 0 and date_sd_days == 0", "abcd"),
        ("label == 'a' or label == 'd.to_csv()'", "a"),
    ],
)
def test_an_expression(path, expression, labels):
    if len(labels) < 2:
        with pytest.raises(DataError, match="at least two observations, 1 of 4 rows"):
            read_series(path, where=expression)
        return
    series = read_series(path, where=expression)
    used = [label for label, used in zip(series.label, series.used, strict=True) if used]
    assert "".join(used) == labels
    assert series.rows == expression
    assert series.n_table == 4


def test_all_is_the_default(path):
    assert read_series(path, where="all").used.all()
    assert read_series(path).rows == read_series(path, where="all").rows == "all"


def test_records_are_those_among_the_rows_kept(path):
    everything = read_series(path)
    assert everything.frontier.tolist() == [True, True, False, False]
    vision = read_series(path, where="`Kind of model` == 'vision'")
    assert vision.frontier.tolist() == [True, False, True, True]


def test_a_stated_record_is_not_contradicted_by_what_is_excluded(table):
    path = table(
        "date,value,frontier,kind", "2015-01-01,8,yes,a", "2016-01-01,1,,b", "2017-01-01,6,yes,a",
        "2018-01-01,7,no,a",
    )  # fmt: skip
    [fault] = validate_table(path)
    assert (fault.row, fault.column, fault.value) == (4, "frontier", "yes")
    assert read_series(path, where="kind == 'a'").frontier.tolist() == [True, False, True, False]


def test_a_denied_record_may_become_one_without_a_fault(table):
    path = table("date,value,frontier", "2015-01-01,1,", "2016-01-01,3,no", "2017-01-01,2,no")
    assert read_series(path, where="value > 1").frontier.tolist() == [False, False, False]


def test_rows_that_are_excluded_do_no_harm(table):
    path = table(
        "date,value,kind", "2015-01-01,8,good", "soon,-3,bad", ",5,bad", "2016-01-01,4,bad",
        "2017-01-01,2,good",
    )  # fmt: skip
    assert len(validate_table(path)) == 3
    series = read_series(path, where="kind == 'good'")
    np.testing.assert_array_equal(series.value, [8, 4, 2])
    assert series.used.tolist() == [True, False, True]
    assert series.remarks == ("2 rows are excluded and cannot be read; they were left out",)


def test_one_row_that_is_left_out_is_one(table):
    path = table("date,value", "2015-01-01,8", "soon,-3", "2017-01-01,2")
    series = read_series(path, where="value > 0")
    assert series.remarks == ("1 row is excluded and cannot be read; it was left out",)


def test_an_ambiguous_date_that_is_excluded_does_no_harm(table):
    path = table("date,value", "13/01/2015,8", "03/04/2016,4", "14/01/2017,2", "01/14/2018,1")
    assert len(validate_table(path)) == 2
    assert read_series(path, where="value in [8, 2]").n_table == 3


def test_rows_that_are_kept_must_be_sound(table):
    path = table("date,value,kind", "2015-01-01,8,good", "2016-01-01,0,good", "2017-01-01,2,bad")
    [fault] = validate_table(path, where="kind == 'good'")
    assert (fault.row, fault.column) == (3, "value")


def test_a_ragged_row_cannot_be_excluded(table):
    path = table("date,value,kind", "2015-01-01,8,good", "2016-01-01,0", "2017-01-01,2,good")
    [fault] = validate_table(path, where="kind == 'good'")
    assert fault.row == 3


def test_nothing_left_is_a_fault_of_the_data(path):
    with pytest.raises(DataError, match=r"'value > 100' keeps none of the 4 rows"):
        read_series(path, where="value > 100")


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "all, frontier or an expression"),
        ("   ", "all, frontier or an expression"),
        ("nope > 3", "'nope' is not defined; it may name: date, value, label, Kind of model"),
        ("value >", "cannot be evaluated|is not an expression"),
        ("value > 1)", "cannot be evaluated|is not an expression"),
        ("(value > 1", "is not an expression"),
        ("value", "is not true or false for each row"),
        ("1 == 1", "is not true or false for each row"),
        ("label", "is not true or false for each row"),
        ("value = 3", "is not true or false for each row"),
        ("value > 1\nvalue < 8", "cannot be evaluated|not true or false"),
        ("value > @limit", "'@' is not allowed"),
        ("value.to_csv('/tmp/x')", r"\.to_csv is not allowed"),
        ("value . to_csv('/tmp/x')", r"\.to_csv is not allowed"),
        ("`value`.to_csv('x')", r"\.to_csv is not allowed"),
        ("value.__class__", r"\.__class__ is not allowed"),
        ("value.values.tofile('x')", r"\.values is not allowed"),
        ("'''a'b'''.to_csv() + ''", "tripled quotes are not allowed"),
        (r"label == 'a\'.to_csv()'", "backslashes"),
        ("__import__('os').system('true')", r"\.system is not allowed"),
        ("exec('1')", "cannot be evaluated"),
        ("value > 9 ** 9 ** 9", "powers are not allowed"),
        ("value > 1 << 999999999", "powers are not allowed"),
        ("label * 1000000000 == 'x'", "only numbers can be multiplied"),
        ("('a' + label) * 1000000000 == 'x'", "only numbers can be multiplied"),
        ("`Kind of model` * 1000000000 == 'x'", "only numbers can be multiplied"),
        ("(label * 1000000000).str.len() * 2 > 1", "only numbers can be multiplied"),
        ("2 * (label == label * 1000000000)", "only numbers can be multiplied"),
        ("value in [1, 2] * 1000000000", "only numbers can be multiplied"),
        ("-" * 1900 + "1 > value", "is not an expression|cannot be evaluated"),
        ("(" * 900 + "value" + ")" * 900, "is not an expression|cannot be evaluated"),
        ("value > 1 " + "and value > 1 " * 200, "longer than 2,000 characters"),
        ("\udcff > 1", "is not an expression"),
        ("value, 2", "cannot be evaluated|not true or false"),
    ],
)
def test_an_expression_that_is_none(path, expression, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=reason) as caught:
        read_series(path, where=expression)
    assert caught.value.exit_code == 2
    assert [file.name for file in tmp_path.iterdir()] == ["speedrun.csv"]


@pytest.mark.parametrize(
    ("expression", "used"),
    [
        ("label.str.len() * 2 > 1", [True] * 4),
        ("(label == 'a') * 2 < 1", [False, True, True, True]),
        ("`Kind of model`.str.len() * value >= 36", [True, False, True, False]),
    ],
)
def test_lengths_and_truth_values_can_be_multiplied(path, expression, used):
    assert read_series(path, where=expression).used.tolist() == used


def test_numbers_can_be_multiplied(path):
    doubled = read_series(path, where="2 * value > 8 and label != ''")
    assert doubled.used.tolist() == read_series(path, where="value > 4").used.tolist()


def test_variables_of_the_program_cannot_be_named(path):
    with pytest.raises(UsageError, match="is not defined"):
        read_series(path, where="value > MAX_REASON")


def test_a_name_that_stands_twice_cannot_be_used(table):
    path = table("date,value,x,x", "2015-01-01,8,1,2", "2016-01-01,4,3,4")
    with pytest.raises(UsageError, match="is not defined"):
        read_series(path, where="x > 0")


def test_the_fields_win_over_the_users_columns_of_the_same_name(table):
    path = table("date,value,cost", "2015-01-01,8,1", "2016-01-01,4,2", "2017-01-01,4,3")
    assert read_series(path, columns={"value": "cost"}, where="value < 3").n_obs == 2


def test_an_expression_is_evaluated_once_for_all_series(table):
    path = table("date,value,series", "2015-01-01,8,a", "2016-01-01,4,a", "2015-01-01,9,b",
                 "2016-01-01,5,b", "2017-01-01,3,b")  # fmt: skip
    found = read_table(path, where="value < 9")
    assert [series.n_obs for series in found.values()] == [2, 2]
    assert found["b"].frontier.tolist() == [False, True, True]
