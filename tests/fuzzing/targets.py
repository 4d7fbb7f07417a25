"""What is fuzzed: each target takes bytes, and raises where the package breaks a promise.

A table, a mapping, a run file or a report that cannot be used ends with an `EffbayesError`; any
other exception is a find. `fuzz.py` searches for such bytes, `test_cases.py` keeps those found.
"""

from __future__ import annotations

import csv
import functools
import io
import json
import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from promises import read_or_refused
from small_report import small

from effbayes import foreign
from effbayes.dataset import read_table
from effbayes.errors import EffbayesError
from effbayes.pooled import load_any
from effbayes.report import latex, markdown, of_a_run, page, plain_numbers, spreadsheet, typeset
from effbayes.report.characters import visible
from effbayes.store import _digest_of, _seal_of


class Choices:
    """Decisions and content from bytes; nothing left gives zeros, so every input decides all."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def one_of(self, options: Any) -> Any:
        """An option, by the next byte."""
        return options[self.number() % len(options)]

    def number(self) -> int:
        """The next byte."""
        first, self.data = self.data[:1], self.data[1:]
        return first[0] if first else 0

    def text(self, end: bytes = b"\0") -> str:
        """Text up to a mark."""
        part, _, self.data = self.data.partition(end)
        return part.decode("utf-8", "replace")

    def rest(self) -> str:
        """All that is left; surrogates in it, as a path or a clipboard may hold."""
        return self.data.decode("utf-8", "surrogateescape")


# --- tables --------------------------------------------------------------------------------------

PRESETS = (None, None, None, "openai-efficiency", "epoch-models", "nosuch")
FORMATS = (None, None, None, None, "excel", "%d/%m/%Y", "%Y%m%d", "%b %d, %Y", "%x", "%G-%V-%u")
WHERE = (None, None, "frontier", "value > 1", "label == 'a'", "date < '2013'", "value.isna()")


def table(data: bytes) -> None:
    """Any file with any options is read or refused."""
    choices = Choices(data)
    options = {
        "direction": choices.one_of(("falling", "rising")),
        "where": choices.one_of(WHERE),
        "preset": choices.one_of(PRESETS),
        "date_format": choices.one_of(FORMATS),
        "published": choices.one_of((False, False, True)),
    }
    read_or_refused(lambda: read_table(io.BytesIO(choices.data), **options))


ROWS = (
    "Publication date,System,Training compute (FLOP),Price,group\n"
    "2012-06-01,a,100,1.5,x\n2013-06-01,b,,2.5,x\n2014-06-01,c,25,3.5,y\n2015-06-01,d,12.5,4,y\n"
)


def mapping(data: bytes) -> None:
    """Any names of columns, expressions, formats and headers are used or refused."""
    choices = Choices(data)
    fields = ("date", "value", "value_low", "value_high", "label", "series", "frontier", "nosuch")
    mapped = {choices.one_of(fields): choices.text() for _ in range(choices.number() % 5)}
    options = {
        "columns": {"date": "Publication date", "value": "Price"} | mapped,
        "where": choices.text() or None,
        "date_format": choices.text() or None,
        "series": choices.text() or None,
        "name": choices.text() or None,
        "unit": choices.text() or None,
    }
    text = choices.rest().lstrip("\ufeff") or ROWS
    read_or_refused(lambda: read_table(io.StringIO(text), **options))


# --- runs ----------------------------------------------------------------------------------------


SMALL_RUN = """
import io, sys
import effbayes as eb
from effbayes.dataset import read_series
text = "label,date,value\\na,2020-01-01,100\\nb,2021-01-01,50\\nc,2022-01-01,20\\n"
eb.sample(read_series(io.StringIO(text)), seed=0, warmup=50, draws=10, chains=2).save(sys.argv[1])
"""


@functools.cache
def good_run() -> bytes:
    """A small run as it is kept, without its seal; sampled elsewhere, as JAX fills the memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.nc"
        subprocess.run([sys.executable, "-c", SMALL_RUN, path], check=True)
        content = path.read_bytes()
    return content[: -len(_seal_of(b""))]


def run(data: bytes) -> None:
    """A run changed inside, under a seal that fits, is summarized or refused; so are any bytes."""
    choices = Choices(data)
    if choices.number() % 64 == 0:
        content = choices.data[1:]
    else:
        content = _changed(choices)
        # HDF5 wrote it just now: that it can be read need not be tried in another process.
        foreign.remember(_digest_of(_seal_of(content)))
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        path = Path(folder) / "run.nc"
        path.write_bytes(content + _seal_of(content))
        refusal = None
        try:
            found = load_any(path)
            json.dumps(found.summary(), allow_nan=False)
        except EffbayesError as error:
            refusal = error
        if refusal is not None:
            assert refusal.exit_code == 4, refusal
            assert str(path) in str(refusal)


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - files of no worth


def _changed(choices: Choices) -> bytes:
    """A good run, some arrays or settings of which are other ones."""
    buffer = io.BytesIO(good_run())
    with h5py.File(buffer, "r+") as file:
        for _ in range(1 + choices.number() % 3):
            _change(file, choices)
    return buffer.getvalue()


def _change(file: h5py.File, choices: Choices) -> None:
    names: list[str] = []
    file.visit(names.append)
    if choices.number() % 2:
        _change_settings(file, choices)
        return
    name = choices.one_of(names)
    before = file[name]
    attributes = dict(before.attrs)
    del file[name]
    if isinstance(before, h5py.Group):
        return
    kind = choices.number() % 4
    if kind == 0:
        return
    if kind == 1:
        file[name] = choices.text(b"\n").replace("\0", "")
    else:
        dtype = choices.one_of(("f8", "f4", "i8", "i1", "u8"))
        shape = before.shape if kind == 2 else (choices.number() % 4,) * (choices.number() % 4)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        raw, choices.data = choices.data[:64], choices.data[64:]
        raw = (raw or b"\0") * (size // max(len(raw), 1) + 1)
        file[name] = np.frombuffer(raw[:size], dtype).reshape(shape)
        # What says how the array is read stays as it was.
        for key in attributes.keys() & {"units", "calendar", "dtype"}:
            file[name].attrs[key] = attributes[key]


VALUES = (None, True, -1, 0, 1e308, 2**70, "", "falling", "loglinear", [], {}, [None], "\u202e\0")


def _change_settings(file: h5py.File, choices: Choices) -> None:
    kind = choices.number() % 3
    try:
        about = json.loads(file.attrs["effbayes"])
    except ValueError:  # an earlier change
        return
    if kind == 0 or not isinstance(about, dict) or not about:
        file.attrs["effbayes"] = choices.text(b"\n").replace("\0", "")
        return
    place: Any = about
    key = choices.one_of(sorted(place))
    while isinstance(place[key], dict) and place[key] and choices.number() % 4:
        place = place[key]
        key = choices.one_of(sorted(place))
    if kind == 1:
        del place[key]
    else:
        place[key] = choices.one_of(VALUES)
    file.attrs["effbayes"] = json.dumps(about)


# --- reports -------------------------------------------------------------------------------------


def report(data: bytes) -> None:
    """Any text and any draws are reported in every format, or refused."""
    choices = Choices(data)
    kind = choices.number() % 8
    if kind < 4:
        _text_everywhere(choices.rest(), typeset_too=kind == 0)
    else:
        _draws_everywhere(choices)


class _Elements(HTMLParser):
    """Names and attributes of the elements of a page; what says more than a page did is a find."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        # A long cell has a class of its own.
        names = [name for name, _ in attrs if name != "class"]
        self.found.append(" ".join([tag, *names]))


@functools.cache
def _usual_elements() -> list[str]:
    return _without_links(_Elements(page.render(small("AlexNet"))).found)


def _without_links(elements: list[str]) -> list[str]:
    """Addresses in a text become links, which is no change of the page."""
    return [each for each in elements if not each.startswith(("a ", "wbr"))]


def _text_everywhere(text: str, *, typeset_too: bool) -> None:
    document = small(text)
    found = _without_links(_Elements(page.render(document)).found)
    assert found == _usual_elements(), "a text became an element of the page"
    assert "\n\n\n\n" not in markdown.render(document, picture_folder="figures")
    source = latex.render(document, picture_folder="figures")
    for command in ("write18", "input", "openout", "include"):
        assert not re.search(
            rf"(?<!\\textbackslash)\\{command}\b(?!enc)", source.split("document")[-1]
        )
    content = spreadsheet.render(["a", "b"], [[text, 0.5], ["x", text]])
    rows = list(csv.reader(io.StringIO(content, newline=""), strict=True))
    assert [len(row) for row in rows] == [2, 2, 2]
    assert rows[1][0].removeprefix("'") == visible(text).removeprefix("'")
    assert not re.match(r"\s*[=+\-@]", rows[1][0])
    if typeset_too:
        assert typeset.render(document).startswith(b"%PDF")


@functools.cache
def _good_fit() -> Any:
    content = good_run()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.nc"
        path.write_bytes(content + _seal_of(content))
        return load_any(path)


def _draws_everywhere(choices: Choices) -> None:
    fit = _good_fit()
    draws = dict(fit.draws)
    for name in ("rate", "sigma", "alpha"):
        draws[name] = _numbers(choices, draws[name].shape, positive=name != "alpha")
    fit = replace(fit, draws=draws)
    found = fit.summary()
    json.dumps(found, allow_nan=False)
    spreadsheet.render(plain_numbers.HEADER, plain_numbers.summary(found))
    spreadsheet.render(*plain_numbers.draws([fit]))
    document = of_a_run.document(fit)
    text = markdown.render(document, picture_folder="figures")
    assert not re.search(r"\b(nan|inf)\b", text), "a number that is none"
    latex.render(document, picture_folder="figures")


def _numbers(choices: Choices, shape: tuple[int, ...], *, positive: bool) -> np.ndarray:
    """Numbers that a draw may be: eight bytes each while there are some, then those again."""
    count = 1 + choices.number() % 20
    raw = choices.data[: 8 * count]
    choices.data = choices.data[8 * count :]
    raw = raw.ljust(8, b"\0")
    values = np.array([x for (x,) in struct.iter_unpack("<d", raw[: len(raw) // 8 * 8])])
    size = np.clip(np.where(np.isfinite(values), np.abs(values), 1.0), 1e-12, 1e6)
    return np.resize(size if positive else np.copysign(size, values), shape)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "table": table,
    "mapping": mapping,
    "run": run,
    "report": report,
}

PREPARE: dict[str, Callable[[], object]] = {
    "table": lambda: table(b""),
    "mapping": lambda: mapping(b"\0value > 2\0"),
    "run": lambda: run(b"\1"),
    "report": lambda: (report(b"\0"), report(b"\4")),
}
"""What a target does once, so that no input is charged with the import of a library."""

if sys.flags.optimize:
    raise SystemExit("targets assert what they ask: run without -O")
