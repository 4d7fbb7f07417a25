"""``effbayes sample``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from effbayes import outputs
from effbayes.cli import options, output, render
from effbayes.cli.progress import Reporter
from effbayes.cli.sources import Source
from effbayes.errors import UsageError
from effbayes.models.catalogue import MODELS, POOLED

if TYPE_CHECKING:
    from effbayes.dataset import Series

NOT_CONVERGED = 5


def sample(
    domain: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME|all",
            help="A shipped domain (see effbayes domains), several, or all.",
        ),
    ] = None,
    series: options.SeriesName = None,
    data: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Your own table in place of a domain.")
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            metavar="|".join((*MODELS, POOLED)),
            help="Model of the trend; hierarchical pools all series that are asked for.",
        ),
    ] = "loglinear",
    prior: Annotated[
        str,
        typer.Option(
            metavar="default|signed|reference",
            help="default: there is progress; signed: there may be none; reference: flat.",
        ),
    ] = "default",
    robust: Annotated[bool, typer.Option("--robust", help="Student's t noise.")] = False,
    published: Annotated[
        bool, typer.Option("--published", help="Figures as published, before corrections.")
    ] = False,
    point_values: options.PointValues = False,
    column: options.Columns = None,
    direction: options.Direction = None,
    where: options.Where = None,
    preset: options.Preset = None,
    date_format: options.DateFormat = None,
    unit: options.Unit = None,
    warmup: options.Warmup = None,
    draws: options.Draws = None,
    chains: options.Chains = None,
    target_accept: options.TargetAccept = None,
    seed: options.Seed = 0,
    ci: options.Ci = 0.95,
    interval: options.Kind = "eti",
    platform: options.Platform = None,
    out: Annotated[Path | None, typer.Option(metavar="RUN.nc", help="Keep the run.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file of --out.")] = False,
    no_cache: options.NoCache = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Sample a trend: its doubling time, and how sure we are.

    Start with effbayes sample --domain imagenet, or with a table of your own that has columns
    date and value: effbayes sample --data mine.csv
    """
    table = {
        "--column": column,
        "--direction": direction,
        "--preset": preset,
        "--date-format": date_format,
        "--unit": unit,
    }
    source = Source(domain, data, series, where, table, published, point_values)
    chosen = source.read()
    pooled = model == POOLED
    _require_free(out, chosen, pooled=pooled, force=force)
    wanted = options.interval(ci, interval)
    settings: dict[str, Any] = {"warmup": warmup, "draws": draws, "chains": chains}
    settings |= {"target_accept": target_accept, "where": None if pooled else source.rows}
    settings = {name: x for name, x in settings.items() if x is not None}
    settings |= {"prior": prior, "robust": robust, "seed": seed, "platform": platform}
    keep_compiled(cached=not no_cache)
    with Reporter(quiet=quiet) as reporter:
        if pooled:
            fits = [_fit_pooled(chosen, reporter, **settings)]
        else:
            fits = _fit_each(chosen, reporter, model=model, **settings)
    summaries = [fit.summary(*wanted) for fit in fits]
    try:
        if out is not None:
            fits[0].save(out, force=force)
    finally:
        # Where the run cannot be kept, its numbers are printed all the same.
        _print(summaries, json=json)
    if not all(fit.verdict.ok for fit in fits):
        raise typer.Exit(NOT_CONVERGED)


def _print(summaries: list[dict[str, Any]], *, json: bool) -> None:
    if len(summaries) == 1:
        (output.write_json if json else render.document)(summaries[0])
    elif json:
        from effbayes.summary import SUMMARIES_SCHEMA

        output.write_json({"schema": SUMMARIES_SCHEMA, "summaries": summaries})
    else:
        render.summaries(summaries)


def _require_free(out: Path | None, chosen: list[Series], *, pooled: bool, force: bool) -> None:
    """Fail before sampling where the result could not be kept after it."""
    if out is None:
        return
    if len(chosen) > 1 and not pooled:
        names = ", ".join(one.name for one in chosen)
        raise UsageError(f"--out keeps one series: add --series with one of {names}")
    outputs.require_free(out, force=force)


def keep_compiled(*, cached: bool) -> None:
    """Use and keep compiled programs, unless the user or the environment says not to."""
    from effbayes import kept, runtime

    folder = kept.folder() if cached else None
    if folder is not None:
        runtime.keep_compiled(folder)


def _fit_each(chosen: list[Series], reporter: Reporter, **settings: Any) -> list[Any]:
    from effbayes.fitting import sample as fit

    return [fit(one, progress=reporter.start(one.id), **settings) for one in chosen]


def _fit_pooled(chosen: list[Series], reporter: Reporter, **settings: Any) -> Any:
    from effbayes.pooled import sample_pooled

    return sample_pooled(chosen, progress=reporter.start(f"{len(chosen)} series"), **settings)
