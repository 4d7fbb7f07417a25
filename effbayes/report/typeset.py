"""A report as PDF, set by Typst from a template that is always the same.

The document goes to the template as data, so that no string of a table is ever markup, and the
compiler reads no file and no font but its own: the same document gives the same bytes.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

from effbayes import figures
from effbayes.errors import UsageError
from effbayes.report.characters import cut, number, one_line, pieces, visible
from effbayes.report.document import (
    Block,
    Code,
    Document,
    Formula,
    Paragraph,
    Picture,
    Points,
    Table,
    Verdict,
)

BREAK = "\u200b"
"""A place without width where a line may end."""

UNSET = re.compile(
    r"[^\t\n -~\u00a0-\u017f\u0192\u01fa-\u01ff\u0218-\u021b\u02c6\u02c7\u02d8-\u02dd\u0384-\u038a"
    r"\u038c\u038e-\u03a1\u03a3-\u03ce\u0400-\u045f\u0490-\u0491\u1e80-\u1e85\u2010-\u2015"
    r"\u2018-\u201e\u2020-\u2022\u2026\u2030\u2032\u2033\u2039\u203a\u2044\u2070\u2074-\u208e\u20ac"
    r"\u2116\u2122\u2190-\u2195\u2202\u2206\u220f\u2211\u2212\u221a\u221e\u222b\u2248\u2260\u2264"
    r"\u2265\u2713\u2717]"
)
"""Characters that are not in the fonts that come with Typst, or not for sure."""

WIDEST, LINE = 48, 112
"""Characters that the width of a column is measured by, at most, and those of a line."""

MARGIN, BOLD = 2.5, 1.15
"""Characters for the space between columns, and how much wider those of a head are."""

FEW = 8
"""Characters that a column may lack to hold all it has on one line, and is given first."""

LONGEST_NUMBER = 24
"""Characters of a number, with its interval, that is not broken."""

SHORT = 15
"""Lines up to which a table is kept on one page."""

TITLE, FOOT = 200, 80


def render(document: Document) -> bytes:
    """The report as PDF.

    Parameters
    ----------
    document
        What is said. Characters that the fonts of Typst do not have, such as Chinese, are shown by
        their numbers.

    Returns
    -------
    bytes
        Pages of A4; the same each time.

    Raises
    ------
    UsageError
        Typst is not installed.
    """
    require_installed()
    import typst  # noqa: PLC0415 - an optional dependency

    drawn = {
        f"picture-{picture.id}": figures.render(picture.draw(), "svg").decode()
        for picture in document.pictures()
    }
    template = resources.files("effbayes.report").joinpath("templates", "report.typ")
    return typst.compile(
        template.read_bytes(),
        format="pdf",
        ignore_system_fonts=True,
        sys_inputs={"document": json.dumps(_data(document)), **drawn},
    )


def require_installed() -> None:
    """Refuse where no page can be set.

    Raises
    ------
    UsageError
        Typst is not installed.
    """
    try:
        import typst  # noqa: F401, PLC0415 - as above
    except ModuleNotFoundError as error:
        raise UsageError('a PDF needs Typst: pip install "effbayes[pdf]"') from error


def settable(text: str) -> str:
    """Text as the fonts have it, on one line, with places where a long word may be broken.

    Examples
    --------
    >>> settable("神 is here")
    '(U+795E) is here'
    """
    return _broken(one_line(text))


def _broken(text: str) -> str:
    """The text with what has no glyph by its number; words are measured as they are printed."""
    return BREAK.join(pieces(UNSET.sub(lambda char: number(char[0]), text)))


def _data(document: Document) -> dict[str, Any]:
    """The document as the template takes it."""
    return {
        "title": settable(document.title),
        "title-short": _shortened(document.title, TITLE),
        "title-foot": _shortened(document.title, FOOT),
        "answer": settable(document.answer),
        "failures": [_block(verdict) for verdict in document.failures],
        "successes": [_block(verdict) for verdict in document.successes],
        "sections": [
            {
                "title": settable(section.title),
                "blocks": [_block(block) for block in section.blocks],
            }
            for section in document.sections
        ],
        "made_by": [[settable(name), settable(what)] for name, what in document.made_by],
    }


def _shortened(text: str, length: int) -> str:
    text = UNSET.sub(lambda char: number(char[0]), one_line(text))
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def _block(block: Block) -> dict[str, Any]:
    said: dict[str, Any]
    match block:
        case Paragraph() | Formula():
            said = {"text": settable(block.text)}
        case Points():
            said = {"items": [settable(item) for item in block.items]}
        case Verdict():
            reasons = [settable(reason) for reason in block.reasons]
            said = {"ok": block.ok, "text": settable(block.text), "reasons": reasons}
        case Table():
            said = _table(block)
        case Picture():
            alt = visible(block.alt)
            said = {"id": block.id, "caption": settable(block.caption), "alt": alt}
        case Code():
            lines = visible(block.text).expandtabs(4).splitlines()
            said = {"lines": [_broken(line) for line in lines]}
    return {"kind": type(block).__name__.lower(), **said}


def _table(table: Table) -> dict[str, Any]:
    heads = [settable(cut(column.name)) for column in table.columns]
    rows = [
        [_cell(cell.text, column.numeric) for cell, column in zip(row, table.columns, strict=True)]
        for row in table.rows
    ]
    return {
        "caption": settable(table.caption),
        "columns": heads,
        "numeric": [column.numeric for column in table.columns],
        "rows": rows,
        "widths": _widths(heads, rows),
        "whole": sum(1 + max(map(len, row)) // WIDEST for row in rows) <= SHORT,
    }


def _cell(text: str, numeric: bool) -> str:
    """A number with its interval stays on one line."""
    found = settable(cut(text))
    return found.replace(" ", "\u00a0") if numeric and len(found) <= LONGEST_NUMBER else found


def _widths(heads: list[str], rows: list[list[str]]) -> list[float]:
    """Shares of the columns: each holds its longest word, a short one all, a long one its share.

    Where even the words do not fit, all columns give way alike.
    """
    columns = list(zip(heads, *rows, strict=True))
    widths = [
        max(BOLD * _longest_word(column[0]), *map(_longest_word, column[1:]), 3.0) + MARGIN
        for column in columns
    ]
    wanted = [
        max([BOLD * min(len(column[0]), WIDEST), *(min(len(cell), WIDEST) for cell in column[1:])])
        + MARGIN
        for column in columns
    ]
    lacking = [max(want - width, 0.0) for want, width in zip(wanted, widths, strict=True)]
    spare = max(LINE - sum(widths), 0.0)
    for chosen in ([lack <= FEW for lack in lacking], [lack > FEW for lack in lacking]):
        asked = sum(lack for lack, one in zip(lacking, chosen, strict=True) if one)
        share = min(spare / asked, 1.0) if asked else 0.0
        widths = [
            width + share * lack * one
            for width, lack, one in zip(widths, lacking, chosen, strict=True)
        ]
        spare -= share * asked
    return [round(width, 2) for width in widths]


def _longest_word(cell: str) -> int:
    """Characters that are not broken; a hyphen ends a word."""
    return max(map(len, re.split(f"[ {BREAK}]|(?<=-)", cell)), default=0)
