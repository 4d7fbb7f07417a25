"""Records are those that beat every earlier row, and only certain contradictions are faults."""

import numpy as np
import pytest

from effbayes.dataset.records import level_of, record_flags, surely_beaten, surely_record

DAYS = np.array(["2020-01-01", "2020-01-03", "2020-01-02", "2020-01-03"], dtype="datetime64[D]")


def test_records_follow_the_dates_not_the_rows():
    flags = record_flags(DAYS, np.array([5.0, 1.0, 3.0, 2.0]), "falling")
    assert flags.tolist() == [True, True, True, False]


def test_within_a_date_the_order_of_the_table_counts():
    flags = record_flags(DAYS, np.array([5.0, 2.0, 3.0, 1.0]), "falling")
    assert flags.tolist() == [True, True, True, True]


def test_an_equal_value_is_no_record():
    flags = record_flags(DAYS, np.array([5.0, 3.0, 3.0, 5.0]), "falling")
    assert flags.tolist() == [True, False, True, False]


def test_rising_records_are_falling_records_of_the_reciprocal():
    level = np.array([1.0, 4.0, 2.0, 3.0])
    rising = record_flags(DAYS, level, "rising")
    assert rising.tolist() == [True, True, True, False]
    assert rising.tolist() == record_flags(DAYS, 1 / level, "falling").tolist()


def test_surely_beaten_needs_a_strictly_earlier_date():
    level = np.array([5.0, 4.0, 3.0, 2.0])
    assert surely_beaten(DAYS, level, "falling").tolist() == [False, True, False, False]
    # the row of the same date is not what beats it
    level = np.array([5.0, 2.5, 3.0, 2.0])
    assert surely_beaten(DAYS, level, "falling").tolist() == [False, False, False, False]
    # an equal one does
    level = np.array([3.0, 1.0, 3.0, 2.0])
    assert surely_beaten(DAYS, level, "falling").tolist() == [False, False, True, False]


def test_only_rivals_beat():
    level = np.array([1.0, 4.0, 3.0, 2.0])
    rivals = np.array([False, True, True, True])
    assert surely_beaten(DAYS, level, "falling").tolist() == [False, True, True, True]
    assert surely_beaten(DAYS, level, "falling", rivals).tolist() == [False, True, False, False]


def test_surely_record_needs_no_rival_on_the_same_date():
    level = np.array([5.0, 2.0, 3.0, 1.0])
    assert surely_record(DAYS, level, "falling").tolist() == [True, False, True, True]
    level = np.array([5.0, 1.0, 3.0, 1.0])
    assert surely_record(DAYS, level, "falling").tolist() == [True, False, True, False]
    level = np.array([1.0, 2.0, 3.0, 4.0])
    assert surely_record(DAYS, level, "rising").tolist() == [True, False, True, True]


@pytest.mark.parametrize(
    ("value", "low", "high", "level"),
    [
        (3.0, 1.0, 9.0, 3.0),
        (np.nan, 1.0, 9.0, 3.0),
        (np.nan, 2.0, np.nan, 2.0),
        (np.nan, np.nan, 7.0, 7.0),
        (np.nan, 1e308, 1.5e308, np.sqrt(1.5) * 1e308),
        (np.nan, 1e-300, 1e300, 1.0),
    ],
)
def test_level(value, low, high, level):
    (got,) = level_of(np.array([value]), np.array([low]), np.array([high]))
    assert got == pytest.approx(level, rel=1e-12)


def test_no_rows():
    none = np.array([], dtype="datetime64[D]")
    empty = np.array([])
    for flags in (record_flags, surely_beaten, surely_record):
        assert flags(none, empty, "falling").shape == (0,)
