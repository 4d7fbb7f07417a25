"""The report as PDF: what the template is given, that it compiles, and that it stays the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from example_report import HOSTILE
from hypothesis import given
from hypothesis import strategies as st
from small_report import BAD, HOSTILE_MORE, small, strings_of

from effbayes.errors import UsageError
from effbayes.report.characters import cut, one_line
from effbayes.report.typeset import BREAK, LINE, UNSET, _data, _widths, render, settable

ALL = [*HOSTILE, *HOSTILE_MORE]


def text_of(pdf, tmp_path):
    """The words of a PDF without blanks, which a reader may put anywhere."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (poppler-utils) is not installed")
    path = tmp_path / "report.pdf"
    path.write_bytes(pdf)
    done = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, check=True)
    return "".join(done.stdout.decode().replace(BREAK, "").split())


def test_the_same_document_is_the_same_pdf_without_a_date():
    pdf = render(small())
    assert pdf.startswith(b"%PDF-")
    assert pdf == render(small())
    assert b"CreationDate" not in pdf


def test_words_are_on_the_pages(tmp_path):
    seen = text_of(render(small(verdicts=(BAD,))), tmp_path)
    at = seen.index("Contents")
    assert seen.index("Thesenumberscannotbereliedon") < seen.index("R-hatis1.31")
    assert seen.index("12divergences") < seen.index("Efficiencydoubles") < at
    for said in strings_of(small()):
        if said.kind not in {"title", "answer", "formula"}:
            assert "".join(one_line(said.text).split()) in seen[at:]
    assert "y~Normal(0,1)" in seen


def test_the_template_has_all_strings_in_order():
    data = json.dumps(_data(small("ä")), ensure_ascii=False)
    at = 0
    for said in strings_of(small("ä")):
        if said.kind not in {"formula", "code"}:
            at = data.index(json.dumps(said.text, ensure_ascii=False)[1:-1], at)


@pytest.mark.parametrize("hostile", ALL)
def test_hostile_strings_are_text(hostile, tmp_path):
    pdf = render(small(hostile, verdicts=(BAD,)))
    seen = text_of(pdf, tmp_path)
    # Signs of the direction from right to left are set, and read, in another order.
    expected = "".join(settable(cut(one_line(hostile))).replace(BREAK, "").split())
    assert seen.count(expected[:40]) >= 4 or not expected.isascii()
    assert pdf == render(small(hostile, verdicts=(BAD,)))


def test_a_long_table_goes_on_with_its_head(tmp_path):
    seen = text_of(render(small(rows=120)), tmp_path)
    assert seen.count("cost(days)") >= 3
    assert "system119" in seen


def test_without_typst_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(UsageError, match=r'pip install "effbayes\[pdf\]"'):
        render(small())


@given(st.text())
def test_any_text_has_glyphs_and_can_be_broken(content):
    given_to_it = settable(content)
    assert UNSET.search(given_to_it.replace(BREAK, "")) is None
    assert max(map(len, given_to_it.replace(BREAK, " ").split(" "))) <= 24


def test_columns_hold_their_words_and_long_ones_share_the_rest():
    source = "Hernandez & Brown 2020, appendix A; date: first arXiv version"
    heads = ["system", "rows", "doubling time, months (95 %)", "source", "used"]
    rows = [["imagenet/alexnet-training", "6 of 16", "15.4 (12.5 to 20.6)", source, "yes"]]
    widths = _widths(heads, rows)
    for width, cells in zip(widths, zip(heads, *rows, strict=True), strict=True):
        assert width > max(len(word) for cell in cells for word in cell.replace("-", "- ").split())
    assert widths[1] > len("6 of 16")
    assert widths[3] == max(widths)
    assert sum(widths) == pytest.approx(LINE, abs=0.05)


def test_more_words_than_fit_give_way_alike():
    assert len(set(_widths(["a" * 20] * 12, [["b" * 20] * 12]))) == 1


def test_a_table_may_have_no_rows():
    assert render(small(rows=0)).startswith(b"%PDF")


def test_a_short_table_is_kept_on_one_page():
    short, long = (_data(small(rows=rows))["sections"] for rows in (2, 40))
    kept = [
        [block["whole"] for part in sections for block in part["blocks"] if "whole" in block]
        for sections in (short, long)
    ]
    assert kept == [[True], [False]]
