"""Whatever table people write: it reads back exactly, or it is refused in the ways promised."""

import codecs
import csv
import io
import tempfile
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from promises import read_or_refused

from effbayes.dataset import read_series, read_table, validate_table
from effbayes.dataset.records import extent_of, record_flags, surely_beaten, surely_record

BOMS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16": b"",
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-16-le": codecs.BOM_UTF16_LE,
}
NEWLINES = ("\n", "\r\n", "\r")

days = st.dates(date(1800, 1, 1), date(2200, 12, 31))
values = st.floats(min_value=5e-324, allow_nan=False, allow_infinity=False)
# Anything that every encoding can hold: no NUL, no half of a surrogate pair.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
deviations = st.floats(0, 1e4)


@st.composite
def bounds(draw):
    """Value and bounds of a row, any of them absent as the rules allow."""
    low, value, high = sorted(draw(st.tuples(values, values, values)))
    kind = draw(st.sampled_from(["exact", "within", "between", "above", "below"]))
    if kind == "exact" or low == high:
        return value, None, None
    return {
        "within": (value, low, high),
        "between": (None, low, high),
        "above": (None, low, None),
        "below": (value, None, high),
    }[kind]


@st.composite
def tables(draw):
    """Rows of a table that can have a trend."""
    rows = draw(
        st.lists(st.tuples(days, bounds(), deviations, deviations, texts), min_size=2, max_size=8)
    )
    assume(len({row[0] for row in rows}) > 1)
    return rows


def written(rows, delimiter, newline, encoding):
    """The table as a program would write it."""
    text = io.StringIO(newline="")
    # The writer quotes only the line break that it writes itself; a reader minds every one.
    breaks = any(mark in row[4] for row in rows for mark in "\r\n")
    quoting = csv.QUOTE_ALL if breaks else csv.QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=quoting)
    writer.writerow(
        ["date", "value", "value_low", "value_high", "value_sd", "date_sd_days", "label"]
    )
    for day, row_bounds, value_sd, date_sd, label in rows:
        numbers = ["" if x is None else repr(x) for x in (*row_bounds, value_sd, date_sd)]
        writer.writerow([day.isoformat(), *numbers, label])
    return BOMS[encoding] + text.getvalue().encode(encoding)


def read_bytes(content, read=read_series, **options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(content)
        return read(path, **options)


@given(tables(), st.sampled_from(",;\t|"), st.sampled_from(NEWLINES), st.sampled_from(list(BOMS)))
def test_a_table_reads_back_exactly(rows, delimiter, newline, encoding):
    # A semicolon presumes decimal commas, so that 1.234 alone is refused there as it should be.
    assume(
        delimiter != ";" or all("e" in repr(x) or not has_three_decimals(x) for x in floats(rows))
    )
    series = read_bytes(written(rows, delimiter, newline, encoding))
    low, value, high = (
        np.array([np.nan if x is None else x for x in column])
        for column in zip(*((b[1], b[0], b[2]) for _, b, *_ in rows), strict=True)
    )
    assert series.date.tolist() == [row[0] for row in rows]
    np.testing.assert_array_equal(series.value, value)
    np.testing.assert_array_equal(series.value_low, low)
    np.testing.assert_array_equal(series.value_high, high)
    np.testing.assert_array_equal(series.value_sd, [row[2] for row in rows])
    np.testing.assert_array_equal(series.date_sd_days, [row[3] for row in rows])
    assert series.label == tuple(row[4] for row in rows)
    assert series.used.all()


def floats(rows):
    return [
        x for _, b, value_sd, date_sd, _ in rows for x in (*b, value_sd, date_sd) if x is not None
    ]


def has_three_decimals(number):
    return len(repr(number).partition(".")[2]) == 3


@given(tables(), st.sampled_from(["cp1252", "latin-1"]), st.text("éüßñ", min_size=1, max_size=5))
def test_latin_1_reads_back(rows, encoding, label):
    rows = [(*row[:4], label) for row in rows]
    content = written(rows, ",", "\n", "utf-8").decode().encode(encoding)
    # None of these letters continues another in UTF-8, so the file cannot be taken for that.
    series = read_bytes(content)
    assert set(series.label) == {label}
    assert "Latin-1" in series.remarks[0]


@given(st.lists(st.tuples(values, st.sampled_from([".", ","])), min_size=2, max_size=6))
def test_decimal_commas_under_semicolons(numbers):
    """One mark throughout: what is read is what was meant, or the ambiguity is told."""
    mark = numbers[0][1]
    cells = [repr(number).replace(".", mark) for number, _ in numbers]
    rows = "".join(f"{2000 + i};{cell}\n" for i, cell in enumerate(cells))
    faults = read_bytes(f"date;value\n{rows}".encode(), validate_table)
    if faults:
        assert mark == "."
        assert all("two ways" in fault.rule for fault in faults)
    else:
        series = read_bytes(f"date;value\n{rows}".encode())
        np.testing.assert_array_equal(series.value, [number for number, _ in numbers])


def reads_or_refuses(content, **options):
    read_or_refused(lambda: read_bytes(content, read_table, **options))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content):
    reads_or_refuses(content)


@given(st.text(max_size=100), st.sampled_from([",", ";", "\t", "|"]))
def test_any_text_below_a_header_is_read_or_refused(text, delimiter):
    header = f"date{delimiter}value\n2012{delimiter}3\n2013{delimiter}2\n"
    reads_or_refuses((header + text).encode("utf-8", "surrogatepass"))


CELLS = st.one_of(
    st.text(max_size=6),
    st.text("0123456789.,-+eE/ :TZ\u2212", max_size=12),
    st.sampled_from(
        ["", "NA", "2012", "2012-06", "2012-06-01", "1.5", "yes", "no", "1e400", "0.5"]
    ),
    st.floats().map(repr),
    st.dates().map(str),
)
COLUMNS = ["date", "value", "value_low", "value_high", "value_sd", "value_ci_low", "value_ci_high",
           "value_ci_prob", "date_sd_days", "frontier", "series", "published_date"]  # fmt: skip


@given(
    st.lists(st.sampled_from(COLUMNS), min_size=2, max_size=6, unique=True).flatmap(
        lambda names: st.tuples(
            st.just(names),
            st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=5),
        )
    ),
    st.booleans(),
    st.sampled_from([None, "frontier", "value > 1", "label == ''"]),
)
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=200)
def test_any_cells_are_read_or_refused(table, published, where):
    names, rows = table
    text = io.StringIO(newline="")
    csv.writer(text).writerows([names, *rows])
    content = text.getvalue().encode("utf-8", "surrogatepass")
    reads_or_refuses(content, published=published, where=where)


def brute_force(days_of, level, falling):
    """Records by their definition: strictly better than every earlier row."""
    cost = level if falling else [-x for x in level]
    rank = [(day, i) for i, day in enumerate(days_of)]
    return [
        all(cost[i] < cost[j] for j in range(len(cost)) if rank[j] < rank[i])
        for i in range(len(cost))
    ]


few_days = st.integers(0, 4)
few_levels = st.integers(1, 5)
histories = st.lists(st.tuples(few_days, few_levels), min_size=1, max_size=9)


@given(histories, st.booleans())
def test_the_computed_frontier_is_the_one_by_definition(history, falling):
    offsets, level = zip(*history, strict=True)
    dates = np.datetime64("2020-01-01") + np.array(offsets, dtype="timedelta64[D]")
    direction = "falling" if falling else "rising"
    flags = record_flags(dates, np.array(level, dtype=float), direction)
    assert flags.tolist() == brute_force(offsets, level, falling)


@given(histories, st.booleans())
def test_what_is_sure_of_a_record_holds_in_every_order_within_a_date(history, falling):
    offsets, level = (np.array(column) for column in zip(*history, strict=True))
    dates = np.datetime64("2020-01-01") + offsets.astype("timedelta64[D]")
    direction = "falling" if falling else "rising"
    cost = level if falling else -level
    none = np.full(len(level), np.nan)
    rows = extent_of(dates, np.zeros(len(level)), (level.astype(float), none, none), direction)
    beaten, sure = surely_beaten(rows), surely_record(rows)
    for i in range(len(level)):
        earlier = cost[offsets < offsets[i]]
        others = np.delete(cost, i)[np.delete(offsets, i) == offsets[i]]
        assert beaten[i] == bool((earlier <= cost[i]).any())
        assert sure[i] == bool((earlier > cost[i]).all() and (others > cost[i]).all())
    computed = record_flags(dates, level.astype(float), direction)
    assert not (beaten & computed).any()
    assert computed[sure].all()


@given(histories, st.integers(-900, 900), st.booleans())
def test_the_unit_does_not_matter_to_the_frontier(history, exponent, falling):
    offsets, level = zip(*history, strict=True)
    dates = np.datetime64("2020-01-01") + np.array(offsets, dtype="timedelta64[D]")
    direction = "falling" if falling else "rising"
    plain = record_flags(dates, np.array(level, dtype=float), direction)
    scaled = record_flags(dates, np.array(level) * 2.0**exponent, direction)
    assert plain.tolist() == scaled.tolist()


@given(histories, st.booleans())
def test_a_computed_frontier_that_is_stated_is_accepted(history, falling):
    assume(len({day for day, _ in history}) > 1)
    direction = "falling" if falling else "rising"
    lines = [f"{date(2020, 1, 1) + timedelta(days=day)},{level}" for day, level in history]
    computed = read_bytes("\n".join(["date,value", *lines]).encode(), direction=direction).frontier
    stated = [
        f"{line},{'yes' if flag else 'no'}" for line, flag in zip(lines, computed, strict=True)
    ]
    again = read_bytes("\n".join(["date,value,frontier", *stated]).encode(), direction=direction)
    assert again.frontier.tolist() == computed.tolist()
