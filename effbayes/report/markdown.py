"""A report as GitHub-flavoured Markdown, with its pictures in a folder beside it.

Every text is escaped so that it is text for GitHub, too: no HTML, no sign of Markdown, no formula
between dollars, no name that is notified, and no template of a site that is built from it. Only its
addresses of the web do something: they are links.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from effbayes.report.characters import ADDRESS, one_line, visible
from effbayes.report.document import (
    Block,
    Code,
    Document,
    Formula,
    Paragraph,
    Picture,
    Points,
    Section,
    Table,
    Verdict,
)

ACTIVE = re.compile(r"[\\`*_\[\]{}<>|~^]|&|\$|(?<=\{)%|@(?=\w)|:(?=//)|(?<=\bwww)\.", re.IGNORECASE)
"""Signs that mean something within a line."""

FIRST = re.compile(r"(\d{1,9})([.)])(?= |$)|([#=+-])")
"""What means something at the start of a line alone: lists, headings, rules; not 15.8 months."""

ODD = {
    # A backslash does not keep GitHub from reading a formula; an element of its own does.
    "$": "<span>$</span>",
    # An invisible blank keeps a name from being notified, and an address from being linked.
    "@": "@&#8203;",
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
}


def render(document: Document, *, picture_folder: str) -> str:
    """The report as Markdown.

    Parameters
    ----------
    document
        What is said.
    picture_folder
        Where its pictures are, as ``ID.svg``, relative to the Markdown.

    Returns
    -------
    str
        To be written in UTF-8.
    """
    counted = {id(one): i for i, one in enumerate(document.pictures(), start=1)}
    counted |= {id(one): i for i, one in enumerate(document.tables(), start=1)}
    parts = [f"# {text(document.title)}"]
    if document.failures:
        bad = map(_verdict, document.failures)
        parts.append(_quoted(["**These numbers cannot be relied on**", *bad]))
    parts.append(f"**{text(document.answer)}**")
    parts += map(_verdict, document.successes)
    for section in document.sections:
        parts += _section(section, counted, picture_folder)
    if document.made_by:
        rows = [(text(name), text(what)) for name, what in document.made_by]
        parts += ["## What made this report", _pipes(("what", "is"), rows, (False, False))]
    return "\n\n".join(parts) + "\n"


def text(content: str) -> str:
    r"""Plain text as Markdown, on one line, with addresses of the web as links.

    Examples
    --------
    >>> print(text("1. a|b <i> *c* https://example.org/a_b"))
    1\. a\|b &lt;i&gt; \*c\* <https://example.org/a_b>
    """
    content = one_line(content)
    parts, end = [], 0
    for found in ADDRESS.finditer(content):
        # An entity would be read even there.
        parts += [_escaped(content[end : found.start()]), f"<{found[0].replace('&', '&amp;')}>"]
        end = found.end()
    line = "".join([*parts, _escaped(content[end:])])
    return FIRST.sub(r"\1\\\2\3", line, count=1) if FIRST.match(line) else line


def _escaped(content: str) -> str:
    return ACTIVE.sub(lambda sign: ODD.get(sign[0], f"\\{sign[0]}"), content)


def code(content: str, language: str = "") -> str:
    """A block of text as it is, between fences that it does not hold itself."""
    content = "\n".join(visible(line) for line in content.splitlines())
    longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{content}\n{fence}"


def _section(section: Section, counted: dict[int, int], folder: str) -> Iterator[str]:
    yield f"## {text(section.title)}"
    for block in section.blocks:
        yield from _block(block, counted.get(id(block), 0), folder)


def _block(block: Block, count: int, folder: str) -> Iterator[str]:
    match block:
        case Paragraph():
            yield text(block.text)
        case Points():
            yield _points(block.items)
        case Verdict():
            yield _verdict(block) if block.ok else _quoted([_verdict(block)])
        case Table():
            yield f"**Table {count}.** {text(block.caption)}"
            head = tuple(text(column.name) for column in block.columns)
            rows = [tuple(text(cell.text) for cell in row) for row in block.rows]
            yield _pipes(head, rows, tuple(column.numeric for column in block.columns))
        case Picture():
            yield f"![{text(block.alt)}]({_place(folder, block.id)})"
            yield f"**Figure {count}.** {text(block.caption)}"
        case Formula():
            yield code(block.latex, "math")
        case Code():
            yield code(block.text)


def _place(folder: str, name: str) -> str:
    """A relative address of a picture, in the characters that addresses have."""
    # A lone surrogate, which the name of a folder may hold, has no UTF-8.
    return quote(f"{folder}/{name}.svg", safe="/", errors="surrogateescape")


def _verdict(verdict: Verdict) -> str:
    said = f"✓ {text(verdict.text)}" if verdict.ok else f"✕ **{text(verdict.text)}**"
    return f"{said}\n\n{_points(verdict.reasons)}" if verdict.reasons else said


def _points(items: tuple[str, ...]) -> str:
    return "\n".join(f"- {text(item)}" for item in items)


def _quoted(parts: list[str]) -> str:
    lines = "\n\n".join(parts).split("\n")
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _pipes(
    head: tuple[str, ...], rows: Sequence[tuple[str, ...]], numeric: tuple[bool, ...]
) -> str:
    rule = ["---:" if one else "---" for one in numeric]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])
