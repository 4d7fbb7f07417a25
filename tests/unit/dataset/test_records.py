"""Records are those that beat every earlier row, and only certain contradictions are faults."""

import numpy as np
import pytest

from effbayes.dataset.records import (
    extent_of,
    level_of,
    record_flags,
    surely_beaten,
    surely_record,
)

DAYS = np.array(["2020-01-01", "2020-01-03", "2020-01-02", "2020-01-03"], dtype="datetime64[D]")


def exact(level, direction="falling", days=DAYS):
    none = np.full(len(level), np.nan)
    return extent_of(days, np.zeros(len(level)), (level, none, none), direction)


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
    assert surely_beaten(exact(level)).tolist() == [False, True, False, False]
    # the row of the same date is not what beats it
    level = np.array([5.0, 2.5, 3.0, 2.0])
    assert surely_beaten(exact(level)).tolist() == [False, False, False, False]
    # an equal one does
    level = np.array([3.0, 1.0, 3.0, 2.0])
    assert surely_beaten(exact(level)).tolist() == [False, False, True, False]


def test_only_rivals_beat():
    level = np.array([1.0, 4.0, 3.0, 2.0])
    rivals = np.array([False, True, True, True])
    assert surely_beaten(exact(level)).tolist() == [False, True, True, True]
    assert surely_beaten(exact(level), rivals).tolist() == [False, True, False, False]


def test_surely_record_needs_no_rival_on_the_same_date():
    level = np.array([5.0, 2.0, 3.0, 1.0])
    assert surely_record(exact(level)).tolist() == [True, False, True, True]
    level = np.array([5.0, 1.0, 3.0, 1.0])
    assert surely_record(exact(level)).tolist() == [True, False, True, False]
    level = np.array([1.0, 2.0, 3.0, 4.0])
    assert surely_record(exact(level, "rising")).tolist() == [True, False, True, True]


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
    assert record_flags(none, empty, "falling").shape == (0,)
    for flags in (surely_beaten, surely_record):
        assert flags(exact(empty, days=none)).shape == (0,)


@pytest.mark.parametrize("direction", ["falling", "rising"])
def test_what_bounds_leave_open_is_not_sure(direction):
    days = np.array(["2020-01-01", "2021-01-01", "2022-01-01"], dtype="datetime64[D]")
    value = np.array([np.nan, 200.0, 5.0])
    low, high = np.array([10.0, np.nan, np.nan]), np.array([1000.0, np.nan, np.nan])
    if direction == "rising":
        value, low, high = 1 / value, 1 / high, 1 / low
    rows = extent_of(days, np.zeros(3), (value, low, high), direction)
    assert surely_beaten(rows).tolist() == [False, False, False]
    assert surely_record(rows).tolist() == [True, False, True]
    value[1] = 1000.0 if direction == "falling" else 1e-3
    rows = extent_of(days, np.zeros(3), (value, low, high), direction)
    assert surely_beaten(rows).tolist() == [False, True, False]


def test_what_a_coarse_date_leaves_open_is_not_sure():
    # A year, of which the centre is before the second row and the end after it.
    days = np.array(["2015-07-02", "2015-08-01", "2016-01-01"], dtype="datetime64[D]")
    none = np.full(3, np.nan)
    values = np.array([3.0, 4.0, 4.0]), none, none
    rows = extent_of(days, np.array([365.0, 0.0, 0.0]), values, "falling")
    assert (str(rows.first[0]), str(rows.last[0])) == ("2015-01-01", "2015-12-31")
    assert surely_beaten(rows).tolist() == [False, False, True]
    assert surely_record(rows).tolist() == [True, False, False]
    values = np.array([4.0, 3.0, 3.0]), none, none
    rows = extent_of(days, np.array([365.0, 0.0, 0.0]), values, "falling")
    assert surely_record(rows).tolist() == [False, True, False]


def test_sure_records_and_sure_defeats_are_what_a_search_finds():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n = int(rng.integers(1, 9))
        days = np.datetime64("2020-01-01") + rng.integers(0, 60, n)
        width = rng.choice([0.0, 30.0, 31.0], n)
        value = rng.integers(1, 6, n).astype(float)
        low, high = value - rng.integers(0, 2, n) / 2, value + rng.integers(0, 3, n)
        low = np.where(rng.random(n) < 0.5, np.nan, low)
        rows = extent_of(days, width, (value, low, np.where(np.isnan(low), np.nan, high)), "rising")
        one = [[x[i] for x in rows] for i in range(n)]
        beaten = [any(b[1] < a[0] and b[3] <= a[2] for b in one) for a in one]
        record = [all(b is a or b[0] > a[1] or a[3] < b[2] for b in one) for a in one]
        assert surely_beaten(rows).tolist() == beaten
        assert surely_record(rows).tolist() == record
