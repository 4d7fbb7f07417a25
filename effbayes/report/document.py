"""A report before it has a format: sections of plain text, tables and pictures.

Every string is plain text, with no markup of any format; each renderer escapes all of it. A number
is kept with the digits that are printed, so that all formats show the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Points:
    """A list of remarks without an order."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What the sampler's diagnostics say; a report shows a failure before any number.

    Attributes
    ----------
    ok
        Whether the draws can be relied on.
    text
        One sentence.
    reasons
        Why not; empty where all is well.
    """

    ok: bool
    text: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """Of a table.

    Attributes
    ----------
    name
        Head of the column, with its unit.
    numeric
        Whether cells are numbers, which are aligned to the right and sorted by their values.
    """

    name: str
    numeric: bool = False


@dataclass(frozen=True)
class Cell:
    """Of a table: what is printed, and what it is sorted by.

    Attributes
    ----------
    text
        As printed.
    value
        The number, at full precision; None for text.
    """

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Table:
    """Rows of cells; each row has as many as there are columns."""

    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"table {self.id}: a row has another number of cells than columns")


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes
    ----------
    id
        Short name, also of its file: letters, digits, hyphens.
    caption
        What is drawn, and what each band is.
    alt
        What a reader who does not see it must know, with the numbers.
    draw
        Makes it for print.
    explore
        Makes it for a page, of the interactive library's own type; None where there is none.
    """

    id: str
    caption: str
    alt: str
    draw: Callable[[], Figure] = field(repr=False)
    explore: Callable[[], Any] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Formula:
    """Mathematics of the model.

    Attributes
    ----------
    latex
        One displayed formula, for renderers that set it.
    text
        The same in plain characters, for those that do not, and to be read aloud.
    """

    latex: str
    text: str


@dataclass(frozen=True)
class Code:
    """Text in a fixed-width face, such as a command or an entry of a bibliography."""

    text: str


Block = Paragraph | Points | Verdict | Table | Picture | Formula | Code


@dataclass(frozen=True)
class Section:
    """A part with a heading.

    Attributes
    ----------
    id
        Anchor: letters, digits, hyphens.
    """

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A whole report.

    Attributes
    ----------
    title
        What was measured.
    answer
        One sentence with an interval: the first thing that a reader sees.
    verdicts
        Of each run; any that is not ok stands above the answer.
    sections
        In the order in which a reader asks.
    numbers
        The same JSON as `effbayes summarize --json` prints: what every printed number is from.
    made_by
        Versions, device, digests and seed, as label and text.
    """

    title: str
    answer: str
    verdicts: tuple[Verdict, ...]
    sections: tuple[Section, ...]
    numbers: Mapping[str, Any]
    made_by: tuple[tuple[str, str], ...]

    @property
    def failures(self) -> tuple[Verdict, ...]:
        """Verdicts that stand above the answer, because no number can be relied on."""
        return tuple(verdict for verdict in self.verdicts if not verdict.ok)

    @property
    def successes(self) -> tuple[Verdict, ...]:
        """What stands below the answer where nothing failed: one sentence, for any number of runs.

        The figures of each run are in a table of the report.
        """
        if self.failures or len(self.verdicts) < 2:
            return () if self.failures else self.verdicts
        said = f"All {len(self.verdicts)} runs of the sampler can be relied on."
        return (Verdict(True, said),)

    def pictures(self) -> tuple[Picture, ...]:
        """All, in order."""
        blocks = (block for section in self.sections for block in section.blocks)
        return tuple(block for block in blocks if isinstance(block, Picture))

    def tables(self) -> tuple[Table, ...]:
        """All, in order."""
        blocks = (block for section in self.sections for block in section.blocks)
        return tuple(block for block in blocks if isinstance(block, Table))
