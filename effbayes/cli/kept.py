"""Runs that a command is given: files, and one series of a file that holds several."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from effbayes.errors import UsageError

if TYPE_CHECKING:
    from effbayes.analysis import Analysis
    from effbayes.pooled import Pooled

MARK = "#"


def read(given: str | Path) -> Analysis | Pooled:
    """The run of a file, or the series of it that is named after the mark: ``run.nc#go/alphago``.

    Raises
    ------
    UsageError
        The run holds no such series.
    RunFileError
        The file is missing, is no run, or was changed since it was written.
    """
    from effbayes.pooled import Pooled, load_any

    path, name = _taken_apart(str(given))
    found = load_any(path)
    if not name:
        return found
    members = found.members if isinstance(found, Pooled) else {found.series.id: found}
    if name not in members:
        raise UsageError(f"{path} holds no series {name!r}; there are {', '.join(members)}")
    return members[name]


def read_one(given: str | Path) -> Analysis:
    """As `read`, for what is asked of one series.

    Raises
    ------
    UsageError
        The run holds several series and none is named, or not the one that is.
    RunFileError
        As `read`.
    """
    from effbayes.analysis import Analysis

    found = read(given)
    if isinstance(found, Analysis):
        return found
    first, *others = found.members
    raise UsageError(
        f"{given} holds {len(others) + 1} series; name one after a {MARK}, as in "
        f"'{given}{MARK}{first}' (or {', '.join(others)})"
    )


def _taken_apart(given: str) -> tuple[str, str]:
    """Path and series; a mark may also be part of a file's name."""
    if MARK not in given or Path(given).exists():
        return given, ""
    path, _, name = given.rpartition(MARK)
    return path, name
