"""The report as Markdown: all of it in order, and no word of a table that is more than text."""

from __future__ import annotations

import re

import pytest
from example_report import HOSTILE
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from small_report import BAD, HOSTILE_MORE, small, strings_of

from effbayes.report.characters import cut, one_line, pieces, visible
from effbayes.report.markdown import code, render, text

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])

BREAK = "\u200b"


def read(markdown):
    """What a reader of Markdown sees as text, of each inline part in order."""
    return [
        "".join(child.content for child in token.children if child.type != "html_inline").replace(
            BREAK, ""
        )
        for token in READER.parse(markdown)
        if token.type == "inline"
    ]


def kinds(markdown):
    """All kinds of inline parts, and tags written as HTML."""
    found = {
        (child.type, child.content if child.type == "html_inline" else "")
        for token in READER.parse(markdown)
        for child in token.children or ()
    }
    return found - {("text", ""), ("text_special", "")}


def test_everything_is_there_and_in_order():
    document = small()
    markdown = render(document, picture_folder="pictures")
    seen = read(markdown)
    at = -1
    for expected in strings_of(document):
        if expected.kind in {"formula", "code"}:
            assert expected.text in markdown
            continue
        at = next(i for i in range(at + 1, len(seen)) if one_line(expected.text) in seen[i])


def test_pictures_are_linked_with_words_for_those_who_do_not_see_them():
    markdown = render(small(), picture_folder="my report (1)")
    assert "![Doubling time: 14.2 months](my%20report%20%281%29/trend.svg)" in markdown
    assert "**Figure 1.** The trend" in markdown


def test_a_failed_verdict_stands_above_the_answer():
    markdown = render(small(verdicts=(BAD,)), picture_folder="pictures")
    head = markdown.partition("\n\n**Efficiency doubles")[0].splitlines()
    assert head[2:] == [
        "> **These numbers cannot be relied on**",
        ">",
        "> ✕ **The sampler did not converge.**",
        ">",
        "> - R-hat is 1.31",
        "> - 12 divergences",
    ]


def test_a_formula_is_mathematics():
    assert "```math\ny \\sim \\mathrm{Normal}(0, 1)\n```" in render(small(), picture_folder="p")


@pytest.mark.parametrize("hostile", [*HOSTILE, *HOSTILE_MORE])
def test_hostile_strings_are_text_wherever_they_stand(hostile):
    document = small(hostile)
    markdown = render(document, picture_folder="pictures")
    assert markdown.encode()
    tokens = READER.parse(markdown)
    assert not [token for token in tokens if token.type == "html_block"]
    tags = {content for kind, content in kinds(markdown) if kind == "html_inline"}
    assert tags <= {"<span>", "</span>"}
    assert len([token for token in tokens if token.type == "heading_open"]) == 4
    assert len([token for token in tokens if token.type == "tr_open"]) == 4 + 2
    assert not set("\u202e\u202b\u2066\u2067\x00") & set(markdown)
    seen = read(markdown)
    assert sum(one_line(hostile) in part for part in seen) >= 8


def test_a_fence_is_longer_than_those_in_the_text():
    [token] = READER.parse(code("```\n# no heading\n`````\n"))
    assert token.type == "fence"
    assert token.content == "```\n# no heading\n`````\n"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("@name", "@&#8203;name"),
        ("www.example.org", "www\\.example.org"),
        ("ftp://a", "ftp\\://a"),
        ("$x$", "<span>$</span>x<span>$</span>"),
        ("{{ a }}{% b %}", "\\{\\{ a \\}\\}\\{\\% b %\\}"),
        ("https://a.org/?a=1&copy;b", "<https://a.org/?a=1&amp;copy;b>"),
        ("- no list", "\\- no list"),
        ("12) no list", "12\\) no list"),
        ("# no heading", "\\# no heading"),
        ("2012-03-01", "2012-03-01"),
        ("95 % interval 12.1 to 16.3", "95 % interval 12.1 to 16.3"),
    ],
)
def test_signs_are_escaped_where_they_mean_something(written, shown):
    assert text(written) == shown


SIGNS = st.text(st.sampled_from("\\`*_[]()<>|~^&$#=+-.!:/@{}%;1aw \n\t\"'"))


@given(st.one_of(SIGNS, st.text()))
def test_any_text_is_read_as_it_was(content):
    expected = one_line(content)
    assert read(text(content)) == ([expected] if expected else [])
    assert kinds(text(content)) <= {
        ("html_inline", "<span>"),
        ("html_inline", "</span>"),
        ("link_open", ""),
        ("link_close", ""),
    }


@given(st.one_of(SIGNS, st.text()))
def test_any_text_stays_in_its_cell(content):
    table = f"| a | b |\n| --- | --- |\n| {text(content)} | end |"
    assert read(table) == ["a", "b", one_line(content), "end"]


@given(st.text(st.characters()))
def test_nothing_is_hidden(content):
    visible(content).encode()
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00]", visible(content))
    assert "".join(pieces(content)) == content
    assert len(cut(content)) <= 320
