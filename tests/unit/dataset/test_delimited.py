"""Files in the encodings, delimiters and line ends that programs write."""

import csv
import io
import subprocess
import sys

import pytest

from effbayes.dataset import read_series
from effbayes.dataset.delimited import grid_of_path
from effbayes.errors import DataError, UsageError

GOOD = "date,value,label\n2019-01-01,2,a\n2020-01-01,1,b\n"
KNOWN = {"date", "value", "label", "cost, usd"}


def grid(tmp_path, content, known=KNOWN):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return grid_of_path(path, known)


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("date,value", ","),
        ("date;value", ";"),
        ("date\tvalue", "\t"),
        ("date|value", "|"),
        ('date;value;"a,b,c,d"', ";"),
        ("date;Cost, USD;and, more, of it", ";"),
        ("date,value|or so|or so|or so", ","),
        ("date", ","),
        ('"da\nte",value', ","),
        ("\n\ndate;value", ";"),
    ],
)
def test_the_delimiter_is_the_one_that_splits_the_header_best(tmp_path, header, delimiter):
    assert grid(tmp_path, header + "\n1\n").delimiter == delimiter


def test_latin_1_is_remarked_upon(tmp_path):
    found = grid(tmp_path, "date,value,label\n1,2,né\n".encode("cp1252"))
    assert found.columns[2] == ("né",)
    assert found.remarks == ("t.csv is not UTF-8 (byte 22); it was read as Latin-1",)
    assert grid(tmp_path, "date,label\n1,€\n".encode("cp1252")).columns[1] == ("€",)
    # bytes that cp1252 leaves undefined are those of Latin-1
    assert grid(tmp_path, b"date,label\n1,\xe9\x81\n").columns[1] == ("é\x81",)


def test_the_remark_reaches_the_series(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(GOOD.replace("b\n", "é\n").encode("latin-1"))
    assert read_series(path).remarks == ("t.csv is not UTF-8 (byte 45); it was read as Latin-1",)


def test_utf_32_is_not_taken_for_utf_16(tmp_path):
    assert grid(tmp_path, GOOD.encode("utf-32")).columns[1] == ("2", "1")


def test_rows_are_counted_as_a_spreadsheet_counts_them(tmp_path):
    assert grid(tmp_path, 'date,value\n"1\n2",3\n\n  \n,,\n4,5\n').rows == [2, 6]


def test_cells_up_to_the_limit_are_read_and_the_limit_of_csv_is_put_back(tmp_path):
    # Other packages may have raised it, for the whole process.
    of_process, before = csv.field_size_limit(2**17), 2**17
    assert len(grid(tmp_path, f"date,value\n1,{'x' * 2**20}\n").columns[1][0]) == 2**20
    assert csv.field_size_limit() == before
    with pytest.raises(DataError, match="longer than 1,048,576 characters"):
        grid(tmp_path, f"date,value\n1,{'x' * (2**20 + 1)}\n")
    assert csv.field_size_limit(of_process) == before


def test_a_name_too_long_to_split_the_header(tmp_path):
    assert grid(tmp_path, f"date,{'x' * 200_000}\n1,2\n").columns[0] == ("1",)


@pytest.mark.parametrize("source", [io.StringIO(GOOD), io.StringIO("\ufeff" + GOOD),
                                    io.BytesIO(b"\xef\xbb\xbf" + GOOD.encode())])  # fmt: skip
def test_an_open_file(source):
    series = read_series(source)
    assert (series.name, series.label) == ("table", ("a", "b"))


def test_an_open_file_with_a_name(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(GOOD, encoding="utf-8")
    with path.open(encoding="utf-8") as file:
        assert read_series(file).name == "mine"
    with pytest.raises(DataError, match=r"mine\.csv: cannot be read"):
        read_series(file)


def test_an_open_file_in_another_encoding(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(GOOD.replace("b\n", "é\n").encode("latin-1"))
    with path.open(encoding="utf-8") as file, pytest.raises(DataError, match="cannot be read"):
        read_series(file)


class Piecewise(io.RawIOBase):
    """Gives a few bytes at each read, as a pipe does."""

    def __init__(self, content, then=b""):
        self.rest, self.then = content, then

    def readable(self):
        return True

    def read(self, size=-1):
        piece, self.rest = self.rest[: min(size, 7)], self.rest[7:]
        return piece or self.then


def test_a_pipe_is_read_to_its_end(monkeypatch):
    rows = "".join(f"{1900 + i}-01-01,{300 - i}\n" for i in range(200))
    assert read_series(Piecewise(f"date,value\n{rows}".encode())).n_table == 200
    monkeypatch.setattr("effbayes.dataset.delimited.MAX_BYTES", 40)
    with pytest.raises(DataError, match="is larger than"):
        read_series(Piecewise(f"date,value\n{rows}".encode()))


def test_a_pipe_that_has_nothing_yet():
    with pytest.raises(DataError, match="cannot be read .*nothing to read yet"):
        read_series(Piecewise(GOOD.encode(), then=None))


@pytest.mark.parametrize("source", [None, 3, ["a"], {"date": []}])
def test_what_is_no_table(source):
    with pytest.raises(UsageError, match="cannot read a table from"):
        read_series(source)


HEADER = b"date,value\n"
FIELDS = (
    "date,value,value_low,value_high,value_sd,value_ci_low,value_ci_high,value_ci_prob,"
    "date_sd_days,frontier,published_date,published_value,series\n"
)
TOO_LARGE = {
    "rows": (HEADER + b"1,2\n" * 100_001, "more than 100,000 rows"),
    "ragged rows": (HEADER + b"1\n" * 5_000_000, "more than 100,000 rows"),
    "columns": (b"date,value" + b",x" * 1000 + b"\n2012,1\n", "more than 1,000 columns"),
    "cells": (HEADER + (b"ab," * 900 + b"\n") * 18_000, "more than 2,000,000 cells"),
    "one long row": (HEADER + b"ab," * (2**24), "is longer than 4,194,304 characters"),
    "one row of many lines": (HEADER + b'"a\nb",' * 2**23, "is longer than 4,194,304 characters"),
    "one long cell": (HEADER + b'2012,"' + b"a" * 2_000_000 + b'"\n', "longer than 1,048,576"),
    "bytes": (b"\xf0\x9f\x98\x80" * (13 * 2**20), "larger than 50 MiB"),
    "a fault in every cell": (
        FIELDS.encode() + b"x,y,-1,-2,-1,-1,-3,9,-1,q,u,v,\n" * 100_000,
        "1300000 faults|1400000 faults",
    ),
}
MEASURED = """
import io, resource, sys, time
from effbayes.dataset import read_table
from effbayes.errors import DataError
content = sys.stdin.buffer.read()
start = time.process_time()
try:
    read_table(io.BytesIO(content))
except DataError as error:
    print(str(error)[:400].replace("\\n", " "))
print(time.process_time() - start)
try:  # of this program alone: what getrusage says begins with the parent's memory, at the fork
    status = open("/proc/self/status").read()
    print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
except FileNotFoundError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.parametrize("kind", TOO_LARGE)
def test_a_table_is_refused_before_it_fills_the_memory(kind):
    content, why = TOO_LARGE[kind]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED], input=content, capture_output=True, check=True
    )
    said, seconds, peak_mib = done.stdout.decode().splitlines()
    assert any(each in said for each in why.split("|")), said
    assert float(peak_mib) < 1024
    # Seconds of the processor: ten is what a user is promised, on a machine of any speed twice.
    assert float(seconds) < 20
