"""Numbers as CSV (RFC 4180) that a spreadsheet reads as numbers, and text that it does not run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from numbers import Integral, Real

from effbayes.report.characters import visible

RUN = re.compile(r"[\s\u200c\u200d]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
"""Beginnings of a formula, also in the full-width forms that some spreadsheets take for them."""

QUOTED = re.compile(r'[",;\t\r\n]|^\s|\s$')
"""What a reader might split or trim; the semicolon separates where the comma is a decimal sign."""


def render(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table as CSV.

    Parameters
    ----------
    header
        Names of the columns.
    rows
        Each with a cell to a column: a number at full precision, None for nothing, and anything
        else as text. Text that a spreadsheet would run as a formula gets an apostrophe before it.

    Returns
    -------
    str
        Lines end with CR LF. To be written in UTF-8.

    Raises
    ------
    ValueError
        A row has another number of cells than the header.

    Examples
    --------
    >>> print(render(["system", "days"], [["=1+1", 0.1], ["AlexNet", None]]))
    system,days
    '=1+1,0.1
    AlexNet,
    """
    if any(len(row) != len(header) for row in rows):
        raise ValueError("a row has another number of cells than the header")
    return "".join(_line(row) for row in [header, *rows])


def _line(row: Sequence[object]) -> str:
    cells = [cell(one) for one in row]
    # A line of nothing would be no row at all.
    return ('""' if cells == [""] else ",".join(cells)) + "\r\n"


def cell(content: object) -> str:
    """One cell, quoted where it must be.

    Examples
    --------
    >>> cell(-2.5), cell("-2.5"), cell("a, b"), cell(True)
    ('-2.5', "'-2.5", '"a, b"', 'true')
    """
    if content is None:
        return ""
    if isinstance(content, bool):
        return "true" if content else "false"
    if isinstance(content, Integral):
        return str(int(content))
    if isinstance(content, Real):
        return repr(float(content))
    text = str(content)
    # Judged as written: what is shown in place of a tab or mark is no longer a beginning.
    text = f"'{visible(text)}" if RUN.match(text) or RUN.match(visible(text)) else visible(text)
    return '"' + text.replace('"', '""') + '"' if QUOTED.search(text) else text
