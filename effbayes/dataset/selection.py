"""Which rows an expression keeps."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from effbayes.dataset.cells import shown
from effbayes.dataset.grid import Grid
from effbayes.dataset.numerals import read_numbers
from effbayes.errors import UsageError

METHODS = frozenset(
    {
        *("str", "contains", "startswith", "endswith", "match", "fullmatch"),
        *("lower", "upper", "strip", "len", "isin", "between", "abs"),
        *("isna", "notna", "isnull", "notnull", "dt", "year", "month", "day", "quarter"),
    }
)
"""What an expression may call: nothing that writes, and nothing private."""

MAX_REASON = 160
_TEXT_OR_NAME = re.compile(r"""(?P<text>"[^"]*"|'[^']*')|`[^`]*`""")


def rows_kept(
    expression: str, grid: Grid, fields: Mapping[str, NDArray[np.generic] | Sequence[str]]
) -> NDArray[np.bool_]:
    """Evaluate an expression for every row, dims (row,).

    Parameters
    ----------
    expression
        In the syntax of `pandas.DataFrame.query`; names with spaces stand in backticks.
    grid
        The user's columns. Those of numbers alone are numbers (NaN where missing), the others
        text (empty where missing); a name that stands twice cannot be used.
    fields
        Columns under this package's names, which win over the user's of the same name; NaN or
        NaT where a cell could not be read.

    Raises
    ------
    UsageError
        The expression is not one, names no column, calls what it may not, or is not true or false
        for each row.
    """
    _refuse_calls(expression)
    import pandas as pd  # noqa: PLC0415 - it takes longer than reading most tables

    mentioned = {
        name: _typed(grid, i)
        for i, name in enumerate(grid.header)
        if name in expression and grid.header.count(name) == 1
    }
    frame = pd.DataFrame(mentioned | dict(fields), index=range(len(grid.rows)))
    try:
        result = frame.eval(expression, engine="python", local_dict={}, global_dict={})
    except Exception as error:  # noqa: BLE001 - whatever evaluating the caller's text raises
        reason = shown(str(error)) or type(error).__name__
        names = ", ".join([*map(shown, grid.header), *(f for f in fields if f not in grid.header)])
        raise UsageError(
            f"where: {shown(expression)!r} cannot be evaluated: {reason[:MAX_REASON]}; "
            f"it may name: {names}"
        ) from None
    kept = np.asarray(result)
    if kept.dtype != np.bool_ or kept.shape != (len(grid.rows),):
        raise UsageError(f"where: {shown(expression)!r} is not true or false for each row")
    return kept


def _typed(grid: Grid, i: int) -> Sequence[object] | NDArray[np.float64]:
    cells = grid.columns[i]
    if not grid.delimiter:
        return cells
    numbers = read_numbers(cells, grid.delimiter)
    is_numeric = not numbers.problems and bool(np.any(np.isfinite(numbers.values)))
    return numbers.values if is_numeric else [str(cell).strip() for cell in cells]


def _refuse_calls(expression: str) -> None:
    """Refuse what a choice of rows has no need of: it may come from a file of settings."""
    if any(mark in expression for mark in ("\\", "'''", '"""')):
        raise UsageError("where: backslashes and tripled quotes are not allowed")
    bare = _TEXT_OR_NAME.sub(lambda match: "''" if match["text"] else "name", expression)
    if "@" in bare:
        raise UsageError("where: '@' is not allowed; write the value itself")
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(bare).readline))
    except (tokenize.TokenError, SyntaxError):
        raise UsageError(f"where: {shown(expression)!r} is not an expression") from None
    for mark, name in pairwise(tokens):
        if mark.string == "." and name.string not in METHODS:
            raise UsageError(
                f"where: .{name.string} is not allowed; these are: {' '.join(sorted(METHODS))}"
            )
