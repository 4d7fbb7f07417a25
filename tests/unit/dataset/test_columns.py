"""Columns are found by the names that people give them, and never guessed."""

import pytest

from effbayes.dataset import read_series, validate_table
from effbayes.errors import DataError, UsageError

ROWS = ("2019-01-01,2", "2020-01-01,1")


@pytest.mark.parametrize(
    "header", ["Date,Value High", "DATE,value-high", " date ,VALUE_HIGH", "date,value  high"]
)
def test_a_field_is_found_by_its_name(table, header):
    assert read_series(table(header, *ROWS)).value_high.tolist() == [2, 1]


@pytest.mark.parametrize("name", ["Training compute (FLOP)", "training  COMPUTE (flop) "])
def test_a_mapped_column(table, name):
    path = table("Publication date,Training compute (FLOP)", *ROWS)
    series = read_series(path, columns={"date": "Publication date", "value": name})
    assert series.value.tolist() == [2, 1]


def test_a_mapping_wins_over_the_name_of_the_field(table):
    path = table("date,value,cost", "2019-01-01,2,20", "2020-01-01,1,10")
    assert read_series(path, columns={"value": "cost"}).value.tolist() == [20, 10]


def test_an_exact_name_wins_over_a_like_one(table):
    path = table("date,Cost,cost", "2019-01-01,2,20", "2020-01-01,1,10")
    assert read_series(path, columns={"value": "cost"}).value.tolist() == [20, 10]
    assert read_series(path, columns={"value": "Cost"}).value.tolist() == [2, 1]
    with pytest.raises(DataError, match=r"Cost: names 2 columns that could be value"):
        read_series(path, columns={"value": "COST"})


def test_one_column_may_hold_two_fields(table):
    path = table("date,value,model", "2019-01-01,2,a", "2020-01-01,1,b")
    series = read_series(path, columns={"label": "model", "note": "model"})
    assert series.label == series.note == ("a", "b")


def test_a_mapped_column_that_is_not_there(table):
    path = table("date,cost,Models", "2019-01-01,2,a", "2020-01-01,1,b")
    columns = {"value": "costs", "label": "Model", "source": "URL"}
    faults = [str(fault) for fault in validate_table(path, columns=columns)]
    existing = "its columns are: 'date', 'cost', 'Models'"
    assert faults == [
        f"has no column 'costs'; did you mean 'cost'? {existing}",
        f"has no column 'Model'; did you mean 'Models'? {existing}",
        f"has no column 'URL'; {existing}",
    ]


def test_a_table_without_its_columns_tells_of_each(table):
    faults = validate_table(table("when,cost", *ROWS))
    assert ["date" in fault.rule for fault in faults] == [True, False]
    assert all("'when', 'cost'" in fault.remedy for fault in faults)


@pytest.mark.parametrize(
    "columns", [{"cost": "value"}, {"value": ""}, {"value": None}, {"value": 3}, ["value"], "value"]
)
def test_a_mapping_that_is_none(table, columns):
    with pytest.raises(UsageError, match=r"field|name"):
        read_series(table("date,value", *ROWS), columns=columns)


def test_unused_columns_may_have_any_name(table):
    path = table("date,value,,x,x", "2019-01-01,2,a,b,c", "2020-01-01,1,,,")
    assert read_series(path).n_obs == 2


def test_a_name_with_a_line_break_stands_on_one_line_of_a_message(table):
    path = table('date,"cost\n(USD)"', "2019-01-01,x", "2020-01-01,1")
    [fault] = validate_table(path, columns={"value": "cost (USD)"})
    assert str(fault).startswith("row 2: cost (USD) = x: is not a number")
