"""The report as a page: complete, small, safe whatever a table says, and the same each time."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from example_report import HOSTILE, document, hostile_series, several

import effbayes as eb
from effbayes.figures import offline
from effbayes.report.characters import LONG
from effbayes.report.document import (
    Cell,
    Code,
    Column,
    Document,
    Formula,
    Paragraph,
    Points,
    Section,
    Table,
    Verdict,
)
from effbayes.report.inline_svg import COLORS, inlined
from effbayes.report.page import NOT_TEXT, linked, render

from .conftest import make_series

VOID = {"meta", "br", "img", "link", "input", "hr", "base", "source", "col", "wbr"}


class Seen(HTMLParser):
    """Elements in order, and the text of each kind."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{tag} closes nothing"

    def handle_data(self, data):
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page(alexnet_fit):
    return render(document(alexnet_fit))


@pytest.fixture(scope="module")
def seen(page):
    return Seen(page)


def small(*blocks, **fields):
    """A document without figures, quick to render."""
    given = {
        "title": "title",
        "answer": "answer",
        "verdicts": (),
        "sections": (Section("only", "Only section", blocks),),
        "numbers": {},
        "made_by": (),
    }
    return Document(**{**given, **fields})


# --- complete and alone --------------------------------------------------------------------------


def test_a_page_of_many_series_is_less_than_three_megabytes(alexnet_fit):
    several_fits = [alexnet_fit] * 8
    whole = document(alexnet_fit, several_fits)
    assert len(whole.pictures()) == 9
    assert len(render(whole).encode()) < 3_000_000


def test_a_page_of_five_hundred_rows_is_less_than_three_megabytes():
    n = 500
    rng = np.random.default_rng(0)
    dates = np.datetime64("2012-01-01") + np.sort(rng.integers(0, 3000, n)).astype("timedelta64[D]")
    value = 2.0 ** (rng.standard_normal(n) - np.arange(n) / 80.0)
    series = make_series(
        dates,
        value,
        frontier=value <= np.minimum.accumulate(value),
        label=tuple(f"A system with quite a long name {i}" for i in range(n)),
        source=tuple(f"https://example.org/an/address/of/some/source/{i}" for i in range(n)),
    )
    fit = eb.sample(series, seed=0, warmup=200, draws=250)
    assert len(render(document(fit)).encode()) < 3_000_000


def test_it_is_well_formed_and_every_name_is_there_once(seen):
    assert seen.open == []
    ids = [attributes["id"] for _, attributes in seen.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    referred = [
        name
        for _, attributes in seen.elements
        for key in ("aria-labelledby", "href", "xlink:href")
        for name in (attributes.get(key) or "").split()
        if key == "aria-labelledby" or name.startswith("#")
    ]
    assert {name.removeprefix("#") for name in referred} <= set(ids)


def test_clip_paths_and_glyphs_are_those_of_the_same_figure(page):
    page = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    ids = set(re.findall(r'\bid="([^"]+)"', page))
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= ids
    assert set(re.findall(r'xlink:href="#([^"]+)"', page)) <= ids


def test_nothing_is_loaded_from_anywhere(seen):
    for tag, attributes in seen.elements:
        assert tag not in {"link", "iframe", "object", "embed", "img", "base", "form"}
        assert "src" not in attributes
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"href", "xlink:href"}:
                assert value.startswith("#") or (tag == "a" and value.startswith("https://"))
    assert not re.search(r"@import|url\((?!#)", "".join(seen.text["style"]))


def test_the_policy_allows_the_two_scripts_and_nothing_else(seen):
    [policy] = [
        attributes["content"]
        for attributes in seen.all("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert set(rules) == {
        "default-src", "script-src", "style-src", "img-src", "base-uri", "form-action",
    }  # fmt: skip
    types = [attributes.get("type") for attributes in seen.all("script")]
    run = [text for text, kind in zip(seen.text["script"], types, strict=True) if kind is None]
    assert len(run) == 2
    digests = {
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in run
    }
    assert set(rules["script-src"].split()) == digests


def test_without_figures_to_explore_there_is_one_script(alexnet_fit):
    picture = replace(several([alexnet_fit]), explore=None)
    made = Seen(render(small(picture)))
    assert [each.get("type") for each in made.all("script")].count(None) == 1
    assert len(render(small(picture))) < 150_000


# --- what is said, and where ---------------------------------------------------------------------


def test_order_of_the_page(alexnet_fit):
    bad = Verdict(ok=False, text="did not converge", reasons=("R-hat of rate is 1.2",))
    made = render(replace(document(alexnet_fit), verdicts=(bad,)))
    places = [
        made.index(mark)
        for mark in (
            "<h1", 'class="banner"', "did not converge", "R-hat of rate is 1.2", 'class="answer"',
            'class="contents"', 'id="section-claim"', 'id="section-data"', "<footer", "data_sha256",
        )
    ]  # fmt: skip
    assert places == sorted(places)
    assert 'class="banner"' not in render(small())


def test_landmarks_headings_and_language(seen):
    tags = [tag for tag, _ in seen.elements]
    assert [tags.count(tag) for tag in ("main", "header", "nav", "footer", "h1")] == [1] * 5
    assert seen.all("html")[0]["lang"] == "en"
    assert seen.all("a")[0] == {"class": "skip", "href": "#answer"}
    for attributes in seen.all("th"):
        assert attributes["scope"] in {"col", "row"}


def test_every_figure_stands_still_and_can_be_explored_with_words_for_both(alexnet_fit, page, seen):
    pictures = document(alexnet_fit).pictures()
    static = [each for each in seen.all("div") if each.get("class") == "static"]
    live = [each for each in seen.all("div") if each.get("class") == "live"]
    assert len(static) == len(live) == len(pictures) == len(seen.all("svg"))
    for number, picture in enumerate(pictures, start=1):
        assert f"<b>Figure {number}.</b> {picture.caption[:20]}" in page
        assert f'id="figure-{picture.id}-alt" hidden>{picture.alt}<' in page


def test_tables_carry_what_they_are_sorted_by():
    table = Table(
        "t",
        "caption",
        (Column("name"), Column("months", numeric=True)),
        ((Cell("a"), Cell("15.8", 15.8123)), (Cell("b"), Cell("no progress"))),
    )
    made = render(small(table))
    assert 'class="number" data-value="15.8123" dir="auto">15.8</td>' in made
    assert 'class="number" dir="auto">no progress</td>' in made
    assert "<b>Table 1.</b> caption" in made


def test_formulas_are_mathml_with_words():
    made = Seen(render(small(Formula(r"r \sim \mathrm{Normal}(0, 2)", 'r ~ "Normal" (0, 2)'))))
    assert made.all("math")[0]["alttext"] == 'r ~ "Normal" (0, 2)'
    assert made.text["mo"][0] == "∼"


def test_the_numbers_are_the_json_of_the_command(alexnet_fit, seen):
    found = [text for text in seen.text["code"] if text.startswith("{")]
    assert json.loads("".join(found)) == json.loads(json.dumps(alexnet_fit.summary()))


def test_two_of_the_same_name_are_refused():
    table = Table("t", "", (Column("c"),), ())
    with pytest.raises(ValueError, match="given twice: t, t"):
        render(small(table, table))


def test_addresses_become_links_and_nothing_else_does():
    assert linked("see https://a.org/b?c=1&d=2, or") == (
        'see <a href="https://a.org/b?c=1&amp;d=2" rel="noopener noreferrer nofollow">'
        "https://a.org/b?c=1&amp;d=2</a>, or"
    )
    for text in ("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://a.org"):
        assert "<a" not in linked(text)
    # What looks like one place and is another: the link ends before it.
    assert '">https://a.org</a>\u202e' in linked("https://a.org\u202egro.live")
    assert "<a" in linked('https://a.org"onclick="x')
    assert 'onclick="' not in linked('https://a.org"onclick="x')


# --- safe ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE)
def test_words_are_text_wherever_they_stand(text):
    table = Table("t", text, (Column(text),), ((Cell(text),),))
    blocks = (
        Paragraph(text),
        Points((text,)),
        Verdict(ok=False, text=text, reasons=(text,)),
        Code(text),
        Formula("x", text),
        table,
    )
    made = Seen(
        render(
            small(
                *blocks,
                title=text,
                answer=text,
                verdicts=(Verdict(ok=False, text=text, reasons=(text,)),),
                numbers={text: text},
                made_by=((text, text),),
            )
        )
    )
    assert made.open == []
    plain = Seen(render(small(*(blocks[:3]), blocks[3], blocks[4], table)))
    assert {tag for tag, _ in made.elements} - {tag for tag, _ in plain.elements} <= {
        "details", "summary", "section", "div", "dt", "dd", "p", "span", "ul", "li",
    }  # fmt: skip
    assert text in "".join(made.text["h1"])
    assert made.text["title"] == [text[:200]]
    assert text in "".join(made.text["th"] + made.text.get("details", []))
    assert made.all("math")[0]["alttext"] == text
    scripts = [each.get("type") for each in made.all("script")]
    assert scripts == ["application/json", None]


def test_a_table_of_hostile_words_makes_no_element(alexnet_fit):
    ours = {tag for tag, _ in Seen(render(document(alexnet_fit))).elements}
    made = render(document(eb.sample(hostile_series(), seed=0)))
    seen = Seen(made)
    assert seen.open == []
    assert {tag for tag, _ in seen.elements} - ours <= {"details", "summary"}
    assert "window.taken" not in "".join(
        text
        for text, kind in zip(
            seen.text["script"], [each.get("type") for each in seen.all("script")], strict=True
        )
        if kind is None
    )
    assert len(made.encode()) < 3_000_000


def test_a_long_cell_is_folded_and_complete():
    text = "word " * LONG
    made = Seen(render(small(Table("t", "", (Column("c"),), ((Cell(text),),)))))
    assert "".join(made.text["details"]).strip() == text.strip()
    assert len("".join(made.text["summary"])) < LONG


# --- pictures ------------------------------------------------------------------------------------


def test_pictures_have_the_colours_of_the_page_and_names_of_their_own():
    svg = (
        '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C" "x"><svg width="1pt" height="2pt" '
        'viewBox="0 0 1 2"><!-- a word --><metadata>x</metadata><g id="a" style="fill: #222222">'
        '<path id="b" d="M 1.23456 2.5"/><use xlink:href="#b" transform="scale(0.015625)"/>'
        '<path clip-path="url(#c)" style="stroke: #0072b2"/></g></svg>'
    )
    assert inlined(svg, "one") == (
        '<svg viewBox="0 0 1 2"><g id="one-a" style="fill: var(--ink)">'
        '<path id="one-b" d="M 1.23 2.5"/><use xlink:href="#one-b" transform="scale(0.015625)"/>'
        '<path clip-path="url(#one-c)" style="stroke: var(--blue)"/></g></svg>'
    )


def test_marks_that_look_alike_say_so_once():
    use = '<use xlink:href="#m" x="1.23456" y="2" style="fill: {}"/>\n'
    alike = f"<svg><g>\n{use.format('red') * 2}</g></svg>"
    assert inlined(alike, "p") == (
        '<svg><g style="fill: red">\n'
        + '<use xlink:href="#p-m" x="1.23" y="2"/>\n' * 2
        + "</g></svg>"
    )
    unlike = f"<svg><g>\n{use.format('red')}{use.format('blue')}</g></svg>"
    assert inlined(unlike, "p").count("style=") == 2


def test_the_page_has_a_colour_for_every_name_in_light_dark_and_print(page):
    style = page[page.index("<style>") : page.index("</style>")]
    for name in COLORS.values():
        assert style.count(f"--{name}: #") == 4  # light, dark twice, and print


def luminance(color):
    parts = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("block", range(3), ids=["light", "dark by system", "dark by switch"])
def test_lines_and_words_can_be_told_from_the_paper(page, block):
    style = page[page.index("<style>") : page.index("</style>")]
    start = [found.start() for found in re.finditer(r"--paper: #", style)][block]
    shades = dict(
        re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", style[start : style.index("}", start)])
    )

    def contrast(name):
        one, other = sorted([luminance(shades[name]), luminance(shades["paper"])])
        return (other + 0.05) / (one + 0.05)

    # WCAG 2.2: 4.5 for words, 3 for what a figure is understood by.
    assert min(contrast(name) for name in ("ink", "muted", "accent", "bad", "good")) >= 4.5
    assert min(contrast(name) for name in ("blue", "orange", "green", "gray", "axis")) >= 3.0


def test_no_character_of_a_table_is_one_that_a_terminal_obeys():
    text = render(small(Paragraph("\x1b[31m \x00 \x07 \x9b2J \ud800 \tend")))
    assert text.encode()
    assert not NOT_TEXT.search(text)
    for shown in ("(U+001B)[31m", "(U+0000)", "(U+0007)", "(U+009B)2J", "(U+D800)"):
        assert shown in text
    assert not NOT_TEXT.search(offline.script())
