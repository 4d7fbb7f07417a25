"""Which rows an expression keeps."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from effbayes.dataset.cells import listed, shown
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
MAX_LENGTH = 2000
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
    mentioned = {
        name: _typed(grid, i)
        for i, name in enumerate(grid.header)
        if name in expression and grid.header.count(name) == 1
    }
    columns = mentioned | dict(fields)
    _refuse_growth(expression, {name: _is_text(cells) for name, cells in columns.items()})
    import pandas as pd  # noqa: PLC0415 - it takes longer than reading most tables

    frame = pd.DataFrame(columns, index=range(len(grid.rows)))
    try:
        result = frame.eval(expression, engine="python", local_dict={}, global_dict={})
        kept = np.asarray(result)
    except Exception as error:  # noqa: BLE001 - whatever evaluating the caller's text raises
        reason = shown(str(error)) or type(error).__name__
        names = listed([*map(shown, grid.header), *(f for f in fields if f not in grid.header)])
        raise UsageError(
            f"where: {shown(expression)!r} cannot be evaluated: {reason[:MAX_REASON]}; "
            f"it may name: {names}"
        ) from None
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
    if len(expression) > MAX_LENGTH:
        raise UsageError(f"where: is longer than {MAX_LENGTH:,} characters")
    if any(mark in expression for mark in ("\\", "'''", '"""')):
        raise UsageError("where: backslashes and tripled quotes are not allowed")
    bare = _TEXT_OR_NAME.sub(lambda match: "''" if match["text"] else "name", expression)
    if "@" in bare:
        raise UsageError("where: '@' is not allowed; write the value itself")
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(bare).readline))
    except (tokenize.TokenError, SyntaxError, UnicodeError):
        raise _no_expression(expression) from None
    for mark, name in pairwise(tokens):
        if mark.string == "." and name.string not in METHODS:
            raise UsageError(
                f"where: .{name.string} is not allowed; these are: {' '.join(sorted(METHODS))}"
            )


def _refuse_growth(expression: str, is_text: Mapping[str, bool]) -> None:
    """Refuse arithmetic whose result has no bound: powers, and text or lists many times over."""
    names: list[str] = []

    def plain(match: re.Match[str]) -> str:
        if match["text"]:
            return "''"
        names.append(match[0].strip("`"))
        return f"_{len(names) - 1}_"

    try:
        # Python's own parser is recursive, and minds how deep it is led.
        tree = ast.parse(_TEXT_OR_NAME.sub(plain, expression).strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _no_expression(expression) from None
    is_text = dict(is_text) | {f"_{i}_": is_text.get(name, False) for i, name in enumerate(names)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.BinOp):
            continue
        if isinstance(node.op, ast.Pow | ast.LShift):
            raise UsageError("where: powers are not allowed; write the number itself")
        if isinstance(node.op, ast.Mult) and any(_repeats(part, is_text) for part in _parts(node)):
            raise UsageError("where: only numbers can be multiplied")


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """A product and all in it, but for what is a number or a truth value whatever it is made of."""
    yield node
    for part in ast.iter_child_nodes(node):
        is_length = (
            isinstance(part, ast.Call)
            and isinstance(part.func, ast.Attribute)
            and part.func.attr == "len"
        )
        if not is_length and not isinstance(part, ast.Compare):
            yield from _parts(part)


def _repeats(node: ast.AST, is_text: Mapping[str, bool]) -> bool:
    """Whether a part of a product is text or a list, which a product repeats."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str | bytes)
    if isinstance(node, ast.Name):
        return is_text.get(node.id, False)
    return isinstance(node, ast.List | ast.Tuple | ast.Set)


def _is_text(cells: Sequence[object] | NDArray[np.generic]) -> bool:
    return not isinstance(cells, np.ndarray) and any(isinstance(cell, str) for cell in cells)


def _no_expression(expression: str) -> UsageError:
    return UsageError(f"where: {shown(expression)!r} is not an expression")
