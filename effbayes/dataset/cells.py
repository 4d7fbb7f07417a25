"""One cell of a table: whether it is missing, how it reads as text, what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

import numpy as np

MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "—"})
"""Cells that stand for "no value", in lower case."""


MOST_NAMES = 20
"""How many names a message lists: a table may have a thousand columns."""


class Problem(NamedTuple):
    """Why a cell cannot be read: the rule that it breaks, and what to do about it."""

    rule: str
    remedy: str = ""


def is_missing(cell: object) -> bool:
    """Whether a cell stands for "no value".

    Knows the words of `MISSING_WORDS` (in any case), None, NaN, and the missing values of NumPy
    and pandas (NaT, NA).
    """
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING_WORDS
    if isinstance(cell, float | np.floating):
        return bool(np.isnan(cell))
    if isinstance(cell, Decimal):
        return cell.is_nan()
    if isinstance(cell, np.datetime64):
        return bool(np.isnat(cell))
    # pandas is not imported here, so its two singletons are known by the names of their types.
    return cell is None or type(cell).__name__ in {"NAType", "NaTType"}


def as_text(cell: object) -> str:
    """The cell as text, verbatim; missing objects (None, NaN, NA) are empty."""
    if isinstance(cell, str):
        return cell
    return "" if is_missing(cell) else str(cell)


def listed(names: Iterable[str]) -> str:
    """Names for a message: the first of them, and how many more there are."""
    every = list(names)
    more = len(every) - MOST_NAMES
    return ", ".join(every[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def shown(name: str) -> str:
    """A column's name on one line, with nothing in it that a terminal would obey."""
    line = " ".join(name.split())
    return line if line.isprintable() else repr(line)[1:-1]
