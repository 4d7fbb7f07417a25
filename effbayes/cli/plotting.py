"""``effbayes plot``: the picture of a run that was kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from effbayes.cli import kept, options, output
from effbayes.cli.sampling import NOT_CONVERGED
from effbayes.errors import UsageError


def plot(
    run: options.Run,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The picture; its ending, svg, png or pdf.")
    ],
    panels: Annotated[
        str,
        typer.Option(
            metavar="both|value|efficiency",
            help="Values on a log axis, efficiency on a linear one, or both side by side.",
        ),
    ] = "both",
    force: Annotated[bool, typer.Option("--force", help="Replace the file of --out.")] = False,
) -> None:
    """The trend with its band over the table, as a picture. Rows used in blue, others in gray."""
    from effbayes import figures, outputs

    kind = out.suffix.removeprefix(".").lower()
    if kind not in figures.FORMATS:
        endings = ", ".join(f".{name}" for name in figures.FORMATS)
        raise UsageError(f"--out {str(out)!r}: a picture ends with one of {endings}")
    if panels not in figures.PANELS:
        raise UsageError(f"--panels {panels!r} is not one of {', '.join(figures.PANELS)}")
    outputs.require_free(out, force=force)
    fit = kept.read_one(run)
    outputs.write(out, figures.render(fit.plot(panels), kind), force=force)
    output.write(f"{output.plain(str(out))}\n")
    if not fit.verdict.ok:
        raise typer.Exit(NOT_CONVERGED)
