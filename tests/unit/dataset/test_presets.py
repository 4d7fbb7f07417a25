"""Public tables are read as they are published."""

import numpy as np
import pytest

from effbayes.dataset import PRESETS, read_series, read_table, validate_table
from effbayes.errors import DataError, UsageError

# Figures and dates of the public table in its layout; links and remarks are made up.
OPENAI = """\
Metric,Publication Date,Publication,Publication link,Compute (teraflops-s/days),Reduction Factor,\
Analysis,Analysis link
AlexNet,6/1/2012,AlexNet,link 1,3.1,1,text,
AlexNet,9/17/2014,GoogLeNet,link 2,0.71,4.3,text,
AlexNet,4/17/2017,MobileNet,link 3,0.28,11,text,
AlexNet,7/3/2017,ShuffleNet,link 4,0.15,21,text,
AlexNet,6/30/2018,ShuffleNet v2,link 5,0.12,25,text,
AlexNet,5/28/2019,EfficientNet,link 6,0.069,44,text,link
ResNet-50,1/10/2015,ResNet-50,link 7,17,1,text,
ResNet-50,5/28/2019,EfficientNet,link 6,0.75,10,text,link
Seq2Seq,1/10/2014,Seq2Seq (Ensemble),link 8,465,1,text,link
Seq2Seq,1/12/2017,Transformer (Base),link 9,8,61,text,link
GNMT,1/26/2016,GNMT,link 10,1620,1,text,link
GNMT,1/12/2017,Transformer (Big),link 9,181,9,text,link"""

EPOCH_NEW = (
    "Model,Organization,Publication date,Domain,Parameters,Training compute (FLOP),Link,Reference",
    '"Model\nA",Lab,2017-06-12,"Vision,Language",1e6,1e18,https://a.example,On A',
    "Model B,Lab,2019,Language,,2.5e20,https://b.example,On B",
    "Model C,Lab,2020-03,Language,,,https://c.example,On C",
    "Model D,Lab,,Language,,1e24,,On D",
    "Model E,Lab,2021-05-01,Language,,7.5e23,,On E",
)
EPOCH_OLD = (
    "System,Domain,Publication date,Reference,Training compute (FLOPs)",
    "A,Vision,2017-06-12,On A,1e18",
    "B,Vision,2019-06-12,On B,1e20",
)


@pytest.fixture
def openai(table):
    return table(*OPENAI.splitlines(), name="efficiency_sota")


def test_the_table_of_openai(openai):
    found = read_table(openai, preset="openai-efficiency")
    assert list(found) == ["AlexNet", "ResNet-50", "Seq2Seq", "GNMT"]
    alexnet = found["AlexNet"]
    assert (alexnet.unit, alexnet.direction) == ("teraflop/s-day", "falling")
    assert alexnet.label[1:3] == ("GoogLeNet", "MobileNet")
    assert alexnet.source[:2] == ("link 1", "link 2")
    np.testing.assert_array_equal(alexnet.value, [3.1, 0.71, 0.28, 0.15, 0.12, 0.069])
    assert alexnet.date.astype(str).tolist() == [
        "2012-06-01", "2014-09-17", "2017-04-17", "2017-07-03", "2018-06-30", "2019-05-28",
    ]  # fmt: skip
    assert alexnet.frontier.all()
    # verbatim, wrong month and all, and the reader is told so
    assert str(found["ResNet-50"].date[0]) == "2015-01-10"
    for series in found.values():
        [remark] = series.remarks
        assert "four dates of this table have their month overwritten by 1" in remark
        assert "domains that ship with effbayes hold the corrected ones" in remark


def test_its_dates_are_ambiguous_without_the_preset(openai):
    columns = {"date": "Publication Date", "value": "Compute (teraflops-s/days)"}
    assert "can be read two ways: 6 January or June 1" in str(
        validate_table(openai, columns=columns)
    )


def test_the_table_of_epoch(table):
    series = read_series(table(*EPOCH_NEW, name="all_ai_models"), preset="epoch-models")
    assert (series.name, series.unit, series.direction) == ("all_ai_models", "FLOP", "rising")
    assert series.label == ("Model\nA", "Model B", "Model E")
    assert series.source == ("https://a.example", "https://b.example", "")
    np.testing.assert_array_equal(series.value, [1e18, 2.5e20, 7.5e23])
    assert series.date.astype(str).tolist() == ["2017-06-12", "2019-07-02", "2021-05-01"]
    assert series.date_sd_days[1] == pytest.approx(365 / 12**0.5)
    assert series.frontier.all()
    assert series.remarks == ("2 rows have no date or no value; they were left out",)


def test_an_older_edition(table):
    series = read_series(table(*EPOCH_OLD), preset="epoch-models")
    assert (series.label, series.source) == (("A", "B"), ("On A", "On B"))


def test_a_value_that_is_wrong_is_still_a_fault(table):
    [fault] = validate_table(table(*EPOCH_OLD, "C,Vision,2020,On C,lots"), preset="epoch-models")
    assert (fault.row, fault.column) == (4, "Training compute (FLOPs)")


def test_an_incomplete_row_is_a_fault_without_the_preset(table):
    columns = {"date": "Publication date", "value": "Training compute (FLOP)"}
    faults = validate_table(table(*EPOCH_NEW), columns=columns)
    assert [(fault.row, fault.rule) for fault in faults] == [(4, "is missing"), (5, "is missing")]


def test_an_expression_over_its_columns(table):
    path = table(*EPOCH_NEW)
    where = "Domain == 'Language' and `Training compute (FLOP)` > 1e20"
    series = read_series(path, preset="epoch-models", where=where)
    assert series.used.tolist() == [False, True, True]


def test_options_win_over_the_preset(table):
    rows = [row + f",{i}" for i, row in enumerate(EPOCH_OLD, start=1)]
    series = read_series(table(*rows), preset="epoch-models", columns={"value": "1"},
                         direction="falling", unit="points", date_format="%Y-%m-%d")  # fmt: skip
    assert (series.direction, series.unit) == ("falling", "points")
    np.testing.assert_array_equal(series.value, [2, 3])


def test_nothing_complete(table):
    path = table(EPOCH_OLD[0], "A,Vision,2017,On A,")
    with pytest.raises(DataError, match="no row has both a date and a value"):
        read_table(path, preset="epoch-models")


def test_the_wrong_preset_says_what_it_looked_for(openai):
    with pytest.raises(DataError) as caught:
        read_table(openai, preset="epoch-models")
    assert "'Training compute (FLOP)' or 'Training compute (FLOPs)'" in str(caught.value)


def test_there_is_no_such_preset(openai):
    with pytest.raises(
        UsageError, match="no preset 'epoch'; the presets are: openai-efficiency, ep"
    ):
        read_table(openai, preset="epoch")
    assert list(PRESETS) == ["openai-efficiency", "epoch-models"]
