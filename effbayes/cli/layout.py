"""Text and tables that fit the terminal, with nothing in them that it would obey."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from effbayes.cli import output

NARROWEST = 140
"""Columns assumed when the output is not a terminal, so that nothing is cut in a file."""


@contextmanager
def page() -> Iterator[Console]:
    """A console whose whole output goes to stdout at the end."""
    sheet = output.Sheet()
    console = Console(file=sheet, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, NARROWEST)
    yield console
    output.write(sheet.getvalue())


def line(console: Console, content: str, style: str = "") -> None:
    """A line of text, wrapped between words."""
    console.print(_text(content, style))


def table(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table; where a word would have to be cut, a paragraph for each row instead.

    Parameters
    ----------
    columns
        Heads of the columns.
    rows
        Cells; the first names the row, and an empty one is left out of a paragraph.
    """
    widths = _widths(columns, rows, console.width)
    if widths is None:
        for name, *cells in rows:
            line(console, name)
            for column, cell in zip(columns[1:], cells, strict=True):
                if cell:
                    line(console, f"    {column}: {cell}" if column else f"    {cell}")
        return
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column, width in zip(columns, widths, strict=True):
        drawn.add_column(_text(column), width=width, overflow="fold")
    for row in rows:
        drawn.add_row(*map(_text, row))
    console.print(drawn)


def _widths(
    columns: Sequence[str], rows: Sequence[Sequence[str]], available: int
) -> list[int] | None:
    """Widths of the columns, none narrower than its longest word; None where they do not fit."""
    cells = [[output.plain(cell) for cell in column] for column in zip(columns, *rows, strict=True)]
    widths = [max(_longest_word(cell) for cell in column) for column in cells]
    wanted = [max(cell_len(cell) for cell in column) for column in cells]
    # Two spaces and a rule between columns, and one at either end.
    spare = available - (3 * len(columns) - 1) - sum(widths)
    if spare < 0:
        return None
    # What is left goes where it unwraps a column soonest.
    for i in sorted(range(len(widths)), key=lambda i: wanted[i] - widths[i]):
        given = min(spare, wanted[i] - widths[i])
        widths[i] += given
        spare -= given
    return widths


def _longest_word(cell: str) -> int:
    indent = len(cell) - len(cell.lstrip())
    return indent + max((cell_len(word) for word in cell.split()), default=0)


def _text(content: str, style: str = "") -> Text:
    return Text(output.plain(content), style=style)
