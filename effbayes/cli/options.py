"""Options that several commands share, with their help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from effbayes.errors import UsageError
from effbayes.types import Direction as DirectionName
from effbayes.types import IntervalKind

if TYPE_CHECKING:
    from effbayes.posterior import Interval

Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="FIELD=NAME",
        help="The table's own name of a field: --column 'value=Training compute (FLOP)'. Repeat.",
    ),
]
Direction = Annotated[
    str | None,
    typer.Option(
        help="falling (a cost, the default) or rising (a score).", metavar="falling|rising"
    ),
]
Where = Annotated[
    str | None,
    typer.Option(
        metavar="all|frontier|EXPR",
        help="Rows to use: all, the record-setting ones, or an expression over the columns.",
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(help="Columns and dates of a public table: openai-efficiency or epoch-models."),
]
DateFormat = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT",
        help="How dates are written, such as %d/%m/%Y; 'excel' for serial numbers.",
    ),
]
Unit = Annotated[str | None, typer.Option(help="Unit of the value, for display.")]
SeriesName = Annotated[
    str | None, typer.Option("--series", help="One series of the domain or table.")
]
Ci = Annotated[float, typer.Option("--ci", help="Probability of the credible interval.")]
Kind = Annotated[
    str, typer.Option("--interval", metavar="eti|hdi", help="Equal-tailed or highest-density.")
]
PointValues = Annotated[
    bool, typer.Option("--point-values", help="Ignore bounds (interval censoring).")
]
Warmup = Annotated[int | None, typer.Option(help="Steps that adapt, per chain.")]
Draws = Annotated[int | None, typer.Option(help="Draws kept, per chain.")]
Chains = Annotated[int | None, typer.Option(help="Chains.")]
TargetAccept = Annotated[float | None, typer.Option(help="Target acceptance.")]
Seed = Annotated[int, typer.Option(help="Same seed, same draws.")]
Platform = Annotated[
    str | None, typer.Option(metavar="cpu|gpu|tpu", help="Where to sample; JAX chooses by default.")
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Neither use nor keep compiled programs.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
Json = Annotated[bool, typer.Option("--json", help="One strict JSON document on stdout.")]
Run = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        help="A run file written by sample --out; of several series, RUN#SERIES is one of them.",
    ),
]


def column_mapping(pairs: Sequence[str] | None) -> dict[str, str]:
    """Parse repeated ``FIELD=NAME``.

    Raises
    ------
    UsageError
        A pair lacks its ``=`` or a side, or names a field twice.
    """
    mapping: dict[str, str] = {}
    for pair in pairs or ():
        field, mark, name = pair.partition("=")
        field = field.strip()
        if not mark or not field or not name:
            raise UsageError(f"--column {pair!r} is not of the form FIELD=NAME")
        if field in mapping:
            raise UsageError(f"--column names the field {field} twice")
        mapping[field] = name
    return mapping


def direction(text: str | None) -> DirectionName | None:
    """The direction asked for, or None for the table's own (falling, unless a preset differs).

    Raises
    ------
    UsageError
        It is neither ``falling`` nor ``rising``.
    """
    if text in {"falling", "rising"}:
        return cast("DirectionName", text)
    if text is None:
        return None
    raise UsageError(f"--direction {text!r} is not one of falling, rising")


def require_none(given: Mapping[str, Any], because: str) -> None:
    """Refuse options that would have no part in what is done.

    Parameters
    ----------
    given
        What was said, by option; None, False and an empty list are nothing.
    because
        Goes on after their names: "choose what to fit: add --models all".

    Raises
    ------
    UsageError
        Any of them was given.
    """
    names = [name for name, x in given.items() if x is not None and x is not False and x != []]
    if names:
        raise UsageError(f"{', '.join(names)} {because}")


def interval(ci: float, kind: str) -> Interval:
    """The credible interval asked for.

    Raises
    ------
    UsageError
        The probability is not between 0 and 1, or the kind is unknown.
    """
    from effbayes.posterior import Interval

    return Interval(ci, cast("IntervalKind", kind)).check()
