"""Tables as they come: each is either read rightly or refused in one clear message.

`CASES` holds (name, content of the file, "ok" or a pattern that the message matches).
"""

from __future__ import annotations

import codecs
from datetime import date, timedelta

HEADER = b"date,value,label\n"
GOOD = (
    HEADER + b"2012-06-01,3.1,AlexNet\n2014-09-17,0.71,GoogLeNet\n2019-05-28,0.069,EfficientNet\n"
)
N_MANY = 100_000


def good(**replaced: str) -> bytes:
    """The good table with cells of its second record (row 3) replaced."""
    cells = {"date": "2014-09-17", "value": "0.71", "label": "GoogLeNet"} | replaced
    row = ",".join(cells.values()).encode()
    return GOOD.replace(b"2014-09-17,0.71,GoogLeNet", row)


def with_columns(names: str, second: str) -> bytes:
    """A table of three rows with more columns, which are empty but for row 3."""
    blank = "," * names.count(",")
    return (
        f"date,value,{names}\n2012-06-01,3.1,{blank}\n2014-09-17,0.71,{second}\n"
        f"2019-05-28,0.069,{blank}\n"
    ).encode()


def many_rows(n: int = N_MANY) -> bytes:
    """A table of many rows whose value halves every year."""
    first = date(2000, 1, 1)
    rows = (f"{first + timedelta(days=i // 20)},{2 ** (-i / 7305)!r},m{i}\n" for i in range(n))
    return b"date,value,label\n" + "".join(rows).encode()


CASES: list[tuple[str, bytes, str]] = [
    # --- what is fine, if it is read as it is meant
    ("good", GOOD, "ok"),
    ("UTF-8 with BOM", codecs.BOM_UTF8 + GOOD, "ok"),
    ("UTF-16 little-endian", codecs.BOM_UTF16_LE + GOOD.decode().encode("utf-16-le"), "ok"),
    ("UTF-16 big-endian", codecs.BOM_UTF16_BE + GOOD.decode().encode("utf-16-be"), "ok"),
    ("CRLF", GOOD.replace(b"\n", b"\r\n"), "ok"),
    ("CR alone", GOOD.replace(b"\n", b"\r"), "ok"),
    ("semicolons", GOOD.replace(b",", b";"), "ok"),
    ("tabs", GOOD.replace(b",", b"\t"), "ok"),
    ("bars", GOOD.replace(b",", b"|"), "ok"),
    ("semicolons and decimal commas", GOOD.replace(b",", b";").replace(b".", b","), "ok"),
    ("quoted decimal commas", GOOD.replace(b"3.1", b'"3,1"').replace(b"0.71", b'"0,71"')
     .replace(b"0.069", b'"0,069"'), "ok"),
    ("Latin-1", good(label="Großnetz é").decode().encode("latin-1"), "ok"),
    ("cell with a line break", good(label='"Goog\nLeNet"'), "ok"),
    ("cell with the delimiter", good(label='"GoogLeNet, v1"'), "ok"),
    ("blank lines", GOOD.replace(b"\n", b"\n\n"), "ok"),
    ("no line end at the end", GOOD.rstrip(), "ok"),
    ("trailing empty columns", GOOD.replace(b"\n", b",,,\n"), "ok"),
    ("names in capitals with spaces", GOOD.replace(b"date,value", b" Date ,VALUE"), "ok"),
    ("years alone", b"date,value\n2012,3.1\n2014,0.71\n2019,0.069\n", "ok"),
    ("year and month", good(date="2014-09"), "ok"),
    ("ISO date and time", good(date="2014-09-17T00:00:00Z"), "ok"),
    ("slashes, year first", good(date="2014/09/17"), "ok"),
    ("month in words", good(date="17 September 2014"), "ok"),
    ("month in words, American", good(date='"Sep 17, 2014"'), "ok"),
    ("day above 12 first", good(date="17/09/2014"), "ok"),
    ("day and month alike", good(date="09/09/2014"), "ok"),
    ("a date twice", good(date="2012-06-01"), "ok"),
    ("the same row twice", GOOD + b"2019-05-28,0.069,EfficientNet\n", "ok"),
    ("the largest double", good(value="1e308"), "ok"),
    ("a denormal double", good(value="1e-320"), "ok"),
    ("thousands separators", good(value='"1,234,567"'), "ok"),
    ("thousands that another cell settles", good(value='"1,234"'), "ok"),
    ("capital exponent", good(value="7.1E-1"), "ok"),
    ("control characters in a label", good(label="Goog\x1b[31mLeNet\x07"), "ok"),
    ("right-to-left override in a label", good(label="Goog\u202eteNeL"), "ok"),
    ("bounds alone", with_columns("value_low,value_high", "0.6,0.8").replace(b"0.71", b""), "ok"),
    ("100,000 rows", many_rows(), "ok"),
    # --- files that are not tables
    ("empty file", b"", r"is empty"),
    ("blank file", b" \n\r\n \n", r"is empty"),
    ("delimiters alone", b",,,\n,,,\n", r"is empty"),
    ("header alone", HEADER, r"has a header and no rows"),
    ("one row", HEADER + b"2012-06-01,3.1,AlexNet\n", r"at least two observations"),
    ("one distinct date", HEADER + b"2012-06-01,3.1,a\n2012-06-01,2,b\n", r"two distinct dates"),
    ("NUL bytes", GOOD + b"2020-01-01,\0,x\n", r"NUL bytes"),
    ("NUL in UTF-16", codecs.BOM_UTF16_LE + (GOOD.decode() + "\0").encode("utf-16-le"), r"NUL"),
    ("UTF-16 without BOM", GOOD.decode().encode("utf-16-le"), r"NUL bytes.*UTF-8"),
    ("UTF-16 cut short", codecs.BOM_UTF16_LE + b"d\0a", r"is not the utf-16-le text"),
    ("a spreadsheet", b"PK\x03\x04" + bytes(100), r"is a spreadsheet"),
    ("random bytes", bytes(range(1, 256)) * 4, r"has no column for date|quote"),
    ("prose", b"Dear all,\nplease find below the table.\n", r"has no column for date"),
    ("quote not closed", good(label='"GoogLeNet'), r"row 3: has a quote that is not closed"),
    ("quote inside a quoted cell", good(label='"Goog"LeNet"'), r"row 3: has a quote in the middle"),
    ("cell over 1 MiB", good(label="x" * (2**20 + 1)), r"row 3: has a cell longer than 1,"),
    ("a row with more cells", good(label="a,b"), r"row 3: has 4 cells, more than the 3 names"),
    ("a row with fewer cells", GOOD + b"2020-01-01,1\n", r"row 5: has 2 cells, fewer than the 3"),
    # --- columns
    ("no date column", GOOD.replace(b"date", b"when"), r"no column for date.*'when'"),
    ("no value column", GOOD.replace(b"value", b"FLOP"), r"no column for value.*'FLOP'"),
    ("no header", GOOD.partition(b"\n")[2], r"has no column for date"),
    ("a used column twice", GOOD.replace(b"label", b"value"), r"value: names 2 columns"),
    ("a used column twice but for case", GOOD.replace(b"value,label", b"Value,VALUE"),
     r"Value: names 2 columns that could be value"),
    # --- values
    ("negative", good(value="-3"), r"row 3: value = -3: must be > 0 \(its logarithm is modelled\)"),
    ("negative, typographic", good(value="\N{MINUS SIGN}3"), r"row 3: value = .3: must be > 0"),
    ("zero", good(value="0"), r"row 3: value = 0: must be > 0"),
    ("zero, as a float", good(value="0.0e5"), r"row 3: value = 0.0e5: must be > 0"),
    ("NaN", good(value="NaN"), r"row 3: value = NaN: is missing"),
    ("empty value", good(value=""), r"row 3: value: is missing"),
    ("a dash", good(value="—"), r"row 3: value = —: is missing"),
    ("Inf", good(value="Inf"), r"row 3: value = Inf: must be finite"),
    ("minus infinity", good(value="-infinity"), r"row 3: value = -infinity: must be finite"),
    ("1e400", good(value="1e400"), r"row 3: value = 1e400: must be finite"),
    ("1e-400", good(value="1e-400"), r"row 3: value = 1e-400: is too small for a 64-bit number"),
    ("words", good(value="cheap"), r"row 3: value = cheap: is not a number"),
    ("underscore", good(value="1_000"), r"row 3: value = 1_000: is not a number"),
    ("hexadecimal", good(value="0x1F"), r"row 3: value = 0x1F: is not a number"),
    ("Arabic digits", good(value="٣"), r"row 3: value = ٣: is not a number"),
    ("a unit", good(value="45 min"), r"row 3: value = 45 min: has a unit in the cell"),
    ("a currency", good(value="$45"), r"row 3: value = \$45: has a unit in the cell"),
    ("a percentage", good(value="71%"), r"row 3: value = 71%: is a percentage"),
    ("less than", good(value="<0.71"), r"row 3: value = <0.71: is a bound.*value_high"),
    ("wrong grouping", good(value='"12,34,567"'), r"row 3: value = 12,34,567: is not a number"),
    ("a thousand or one point two", b'date,value\n2012-06-01,"3,100"\n2014-09-17,"1,234"\n',
     r"row 3: value = 1,234: can be read two ways: 1234 or 1.234"),
    ("comma and point as decimal marks", good(value='"0,71"'),
     r"row 3: value = 0,71: has a decimal comma where other cells"),
    # --- bounds and uncertainty
    ("swapped bounds", with_columns("value_low,value_high", "0.8,0.6"), r"row 3: value_l.*swapped"),
    ("value below its bounds", with_columns("value_low,value_high", "0.8,0.9"),
     r"row 3: value = 0.71: is below its own value_low"),
    ("value above its bound", with_columns("value_high", "0.7"), r"row 3: value = 0.71: is above"),
    ("bound of zero", with_columns("value_low", "0"), r"row 3: value_low = 0: must be > 0"),
    ("negative sd", with_columns("value_sd", "-0.1"), r"row 3: value_sd = -0.1: must be >= 0"),
    ("infinite sd", with_columns("value_sd", "inf"), r"row 3: value_sd = inf: must be finite"),
    ("negative sd of a date", with_columns("date_sd_days", "-1"), r"row 3: date_sd_days = -1: m"),
    ("swapped interval", with_columns("value_ci_low,value_ci_high", "0.8,0.6"),
     r"row 3: value_ci_low = 0.8: must be below value_ci_high"),
    ("interval without its value", with_columns("value_ci_low,value_ci_high", "0.8,0.9"),
     r"row 3: value = 0.71: is not within value_ci_low to value_ci_high"),
    ("half an interval", with_columns("value_ci_low,value_ci_high", "0.6,"),
     r"row 3: value_ci_high: is missing; an interval needs both its ends"),
    ("probability in percent",
     with_columns("value_ci_low,value_ci_high,value_ci_prob", "0.6,0.8,95"),
     r"row 3: value_ci_prob = 95: must be between 0 and 1"),
    ("an interval of hardly any probability",
     with_columns("value_ci_low,value_ci_high,value_ci_prob", "0.6,0.8,1e-12"),
     r"row 3: value_ci_prob = 1e-12: makes of the interval a value_sd above 10000"),
    ("sd and interval", with_columns("value_ci_low,value_ci_high,value_sd", "0.6,0.8,0.1"),
     r"row 3: value_sd = 0.1: is stated beside an interval"),
    # --- dates
    ("no date", good(date=""), r"row 3: date: is missing"),
    ("an ambiguous date", good(date="03/04/2017"),
     r"row 3: date = 03/04/2017: can be .* 3 April or March 4; --date-format %d/%m/%Y or %m/%d/%Y"),
    ("an ambiguous date beside a settled one",
     HEADER + b"13/04/2017,3,a\n03/04/2018,2,b\n", r"row 3: date = 03/04/2018: can be read two"),
    ("both orders", HEADER + b"13/04/2017,3,a\n04/13/2018,2,b\n14/05/2019,1,c\n",
     r"row 3: date = 04/13/2018: reads only as month/day/year, and row 2 only as day/month/year"),
    ("an Excel date", good(date="41061"), r"row 3: date = 41061.*--date-format excel"),
    ("an Excel date as a float", good(date="41061.0"), r"row 3: date = 41061.0.*date-format excel"),
    ("a decimal year", good(date="2017.45"), r"row 3: date = 2017.45: is a decimal year"),
    ("a year of two digits", good(date="17/09/14"), r"row 3: date = 17/09/14: has a year of two"),
    ("a far future", good(date="3014-09-17"), r"row 3: date = 3014-09-17: has the year 3014"),
    ("ancient", good(date="0099"), r"row 3: date = 0099: has the year 99"),
    ("30 February", good(date="2017-02-30"), r"row 3: date = 2017-02-30: is a day that does not"),
    ("month 13", good(date="2017-13"), r"row 3: date = 2017-13: is a month that does not exist"),
    ("25 o'clock", good(date="2017-06-12 25:00:00"), r"row 3: date = 2017-06-12 25:00:00: is not"),
    ("a date in words", good(date="last summer"), r"row 3: date = last summer: is not a date"),
    # --- the frontier
    ("neither yes nor no", with_columns("frontier", "maybe"), r"row 3: frontier = maybe: is nei"),
    ("a record that is none", with_columns("frontier", "yes").replace(b"0.71", b"4"),
     r"row 3: frontier = yes: is stated, but an earlier row is as low or lower"),
    ("no record that is one", with_columns("frontier", "no"),
     r"row 3: frontier = no: is denied, but no earlier row is as low"),
    # --- several at once
    ("three faults", HEADER + b"soon,3.1,a\n2014-09-17,0,b\n2019-05-28,nil,c\n",
     r"(?s)3 faults.*row 2: date = soon.*row 3: value = 0.*row 4: value = nil"),
]  # fmt: skip
