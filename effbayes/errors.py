"""One family of errors, each with the exit code that the command line ends with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import Any


class EffbayesError(Exception):
    """Base of every error that is the caller's to mend."""

    exit_code = 1


class UsageError(EffbayesError, ValueError):
    """A setting, name or combination of options that cannot be used."""

    exit_code = 2


def checked_seed(seed: Any) -> int:
    """A seed as an integer.

    Raises
    ------
    UsageError
        It is not an integer in [0, 2**63).
    """
    try:
        number = index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < 2**63:
        raise UsageError(f"seed = {seed}, must be an integer from 0 to 2**63 - 1")
    return number


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a table.

    Parameters
    ----------
    rule
        What is wrong, as a rule that the cell breaks: "must be > 0 (its logarithm is modelled)".
    remedy
        What to do about it, in one clause.
    row
        Row of the file, where the header is row 1 as a spreadsheet shows it; for a DataFrame, the
        label of its index. None when the fault is of the whole table.
    column
        Column as the user's table names it, or None.
    value
        The cell as it was written, or None.
    """

    rule: str
    remedy: str = ""
    row: int | str | None = None
    column: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        where = [f"row {self.row}"] if self.row is not None else []
        if self.column is not None:
            shown = None if self.value is None else _shorten(self.value)
            where.append(self.column if shown is None else f"{self.column} = {shown}")
        text = f"{': '.join(where)}: {self.rule}" if where else self.rule
        return f"{text}; {self.remedy}" if self.remedy else text


class DataError(EffbayesError, ValueError):
    """A table that cannot be used; carries every fault found, not the first alone."""

    exit_code = 3

    def __init__(self, message: str, faults: Sequence[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self.summary = message
        shown = [f"  {fault}" for fault in self.faults[:MAX_FAULTS_SHOWN]]
        if len(self.faults) > MAX_FAULTS_SHOWN:
            shown.append(f"  and {len(self.faults) - MAX_FAULTS_SHOWN} more")
        super().__init__("\n".join([message, *shown]))


class RunFileError(EffbayesError):
    """A run file that is missing, foreign, damaged, or in the way of a new one."""

    exit_code = 4


class DeviceError(EffbayesError, RuntimeError):
    """The platform that was asked for has no device here."""

    exit_code = 6


class OutOfMemoryError(DeviceError):
    """A device whose memory is too small for a program."""


class ClusterError(DeviceError):
    """The cluster that was to compute is not there, not any more, or of other versions.

    It ends the command line as a device that is missing does.
    """


MAX_FAULTS_SHOWN = 20
MAX_CELL_SHOWN = 60


def _shorten(value: str) -> str:
    plain = value if value.isprintable() else repr(value)[1:-1]
    return plain if len(plain) <= MAX_CELL_SHOWN else plain[: MAX_CELL_SHOWN - 3] + "..."
