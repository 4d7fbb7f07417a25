"""``summarize``, ``diagnose`` and ``factor``: a run that was kept."""

from __future__ import annotations

from typing import Annotated

import typer

from effbayes.cli import kept, options, output, render
from effbayes.cli.sampling import NOT_CONVERGED


def summarize(
    run: options.Run,
    ci: options.Ci = 0.95,
    interval: options.Kind = "eti",
    json: options.Json = False,
) -> None:
    """Numbers of a run that was kept."""
    chosen = options.interval(ci, interval)
    fit = kept.read(run)
    summary = fit.summary(*chosen)
    if json:
        output.write_json(summary)
    else:
        render.document(summary)
    if not fit.verdict.ok:
        raise typer.Exit(NOT_CONVERGED)


def diagnose(run: options.Run, json: options.Json = False) -> None:
    """Verdict on the sampler. With R-hat and effective sample size of every quantity."""
    fit = kept.read(run)
    if json:
        figures = output.nulls(fit.verdict.as_dict())
        output.write_json({"schema": "effbayes.diagnostics/1", **figures})
    else:
        render.diagnostics(fit.id, fit.verdict)
    if not fit.verdict.ok:
        raise typer.Exit(NOT_CONVERGED)


def factor(
    run: options.Run,
    start: Annotated[
        str, typer.Option("--from", metavar="DATE", help="2012, 2012-06, 2012-06-01 or a label.")
    ],
    end: Annotated[str, typer.Option("--to", metavar="DATE", help="As --from.")],
    ci: options.Ci = 0.95,
    interval: options.Kind = "eti",
    json: options.Json = False,
) -> None:
    """Efficiency factor between two dates. Of the trend, of new systems, and as observed."""
    from effbayes.posterior import FACTOR_KINDS, as_dict

    chosen = options.interval(ci, interval)
    fit = kept.read_one(run)
    factors = {
        kind: as_dict(fit.efficiency_factor(start, end, kind, *chosen)) for kind in FACTOR_KINDS
    }
    document = {
        "schema": "effbayes.factor/1",
        "domain": fit.series.domain or None,
        "series": fit.series.name,
        "from": start,
        "to": end,
        "span": [str(fit.series.date_of(start)), str(fit.series.date_of(end))],
        "ci": chosen._asdict(),
        "efficiency_factor": factors,
        "verdict": fit.verdict.verdict,
    }
    if json:
        output.write_json(document)
    else:
        render.factors(document)
    if not fit.verdict.ok:
        raise typer.Exit(NOT_CONVERGED)
