"""A report of every kind of block, small enough to render many times, with one string at will."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from effbayes.report.document import (
    Cell,
    Code,
    Column,
    Document,
    Formula,
    Paragraph,
    Picture,
    Points,
    Section,
    Table,
    Verdict,
)

HOSTILE_MORE = (
    r"\write18{touch taken}\input{/etc/passwd}\immediate\openout\csname end\endcsname^^M%#1~",
    '#eval("1 + 1") #import "@preview/a:0.1.0" $x$ #sys.inputs = heading <label> @ref \\u{202e}',
    "a | b || `c` ``d``\n# no heading\n\n- no item\n> quote\r\n| --- |",
    "\u202eright to left\u202c \u2066isolate\u2069 \u200fmark\ufeff",
    "NUL\x00, escape\x1b[31m, bell\x07, lone \ud800 surrogate, tag \U000e0041, \ufffe, \U0010ffff",
    "[link](javascript:alert(1)) ![x](y) @everyone $$x$$ {{ 7 }} &lt; <!-- --> --- '' `` ?` !`",
    "神经网络 שלום مرحبا ελληνικά кириллица 🤖 αβγ≤≥×→ Ǿ ﬁ ＝1",
    "}\\end{document}\\begin{verbatim}{{{{",
    "=HYPERLINK(1)",
)

BAD = Verdict(False, "The sampler did not converge.", ("R-hat is 1.31", "12 divergences"))
GOOD = Verdict(True, "The sampler converged.")


class Said(NamedTuple):
    """One string of a report."""

    kind: str
    text: str


def drawn() -> Figure:
    """A picture without words."""
    figure = Figure(figsize=(3.0, 2.0))
    figure.add_subplot().plot([0.0, 1.0], [1.0, 2.0])
    return figure


def small(
    hostile: str = "AlexNet", *, verdicts: tuple[Verdict, ...] = (GOOD,), rows: int = 2
) -> Document:
    """Every kind of block; the string stands wherever one of a table may."""
    columns = (Column("system"), Column(hostile), Column("cost (days)", numeric=True))
    body = tuple(
        (Cell(f"system {i}"), Cell(hostile), Cell(f"{i + 0.25}", i + 0.25)) for i in range(rows)
    )
    table: Any = Table("rows", f"Rows of {hostile}", columns, body)
    picture = Picture("trend", f"The trend of {hostile}", "Doubling time: 14.2 months", drawn)
    first = (
        Paragraph(f"Of {hostile}, see https://example.org/a_b."),
        Points((hostile, "second point")),
        picture,
        table,
    )
    other = (
        Formula(r"y \sim \mathrm{Normal}(0, 1)", "y ~ Normal(0, 1)"),
        GOOD,
        Code("effbayes sample --domain imagenet\n"),
    )
    return Document(
        title=f"Training of {hostile}",
        answer="Efficiency doubles every 14.2 months (95 % interval 12.1 to 16.3).",
        verdicts=verdicts,
        sections=(Section("claim", f"Of {hostile}", first), Section("model", "The model", other)),
        numbers={},
        made_by=(("effbayes", "0.1.0"), ("source", hostile)),
    )


def strings_of(document: Document) -> Iterator[Said]:
    """All that must be seen, in order."""
    yield Said("title", document.title)
    yield Said("answer", document.answer)
    for section in document.sections:
        yield Said("heading", section.title)
        for block in section.blocks:
            yield from _strings(block)
    for name, what in document.made_by:
        yield Said("name", name)
        yield Said("what", what)


def _strings(block: Any) -> Iterator[Said]:
    match block:
        case Paragraph():
            yield Said("paragraph", block.text)
        case Points():
            yield from (Said("item", item) for item in block.items)
        case Verdict():
            yield Said("verdict", block.text)
        case Picture():
            yield Said("caption", block.caption)
        case Table():
            yield Said("caption", block.caption)
            yield from (Said("head", column.name) for column in block.columns)
            yield from (Said("cell", cell.text) for row in block.rows for cell in row)
        case Formula():
            yield Said("formula", block.latex)
        case Code():
            yield Said("code", block.text)
