"""``effbayes sample``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from effbayes.cli import options, output, render
from effbayes.cli.progress import Reporter
from effbayes.errors import UsageError

if TYPE_CHECKING:
    from effbayes.analysis import Analysis
    from effbayes.dataset import Series

NOT_CONVERGED = 5
ALL_DOMAINS = "all"


def sample(
    domain: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A shipped domain (see effbayes domains), or all."),
    ] = None,
    series: options.SeriesName = None,
    data: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Your own table in place of a domain.")
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="loglinear", help="Model of the trend.")
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
    point_values: Annotated[
        bool, typer.Option("--point-values", help="Ignore bounds (interval censoring).")
    ] = False,
    column: options.Columns = None,
    direction: options.Direction = None,
    where: options.Where = None,
    preset: options.Preset = None,
    date_format: options.DateFormat = None,
    unit: options.Unit = None,
    warmup: Annotated[int | None, typer.Option(help="Steps that adapt, per chain.")] = None,
    draws: Annotated[int | None, typer.Option(help="Draws kept, per chain.")] = None,
    chains: Annotated[int | None, typer.Option(help="Chains.")] = None,
    target_accept: Annotated[float | None, typer.Option(help="Target acceptance.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same draws.")] = 0,
    ci: options.Ci = 0.95,
    interval: options.Kind = "eti",
    platform: Annotated[
        str | None,
        typer.Option(metavar="cpu|gpu|tpu", help="Where to sample; JAX chooses by default."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="RUN.nc", help="Keep the run.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file of --out.")] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Neither use nor keep compiled programs.")
    ] = False,
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Sample a trend: its doubling time, and how sure we are.

    Start with effbayes sample --domain imagenet, or with a table of your own that has columns
    date and value: effbayes sample --data mine.csv
    """
    _require_one_source(domain, data)
    table: dict[str, Any] = {
        "--column": column,
        "--direction": direction,
        "--preset": preset,
        "--date-format": date_format,
        "--unit": unit,
    }
    if data is None:
        given = [name for name, value in table.items() if value]
        if given:
            raise UsageError(
                f"{', '.join(given)} describe a table of your own: add --data FILE.csv"
            )
        chosen = _shipped(str(domain), series, where, published=published)
    else:
        chosen = _own(data, series, where, table, published=published)
    if point_values:
        chosen = [one.without_bounds() for one in chosen]
    _require_one_for_file(out, chosen, force=force)
    sampler = {"warmup": warmup, "draws": draws, "chains": chains, "target_accept": target_accept}
    wanted = options.interval(ci, interval)
    fits = _fit(
        chosen,
        quiet=quiet,
        cached=not no_cache,
        model=model,
        prior=prior,
        robust=robust,
        seed=seed,
        platform=platform,
        **{name: x for name, x in sampler.items() if x is not None},
    )
    summaries = [fit.summary(*wanted) for fit in fits]
    try:
        if out is not None:
            fits[0].save(out, force=force)
    finally:
        # Where the run cannot be kept, its numbers are printed all the same.
        _print(summaries, json=json)
    if not all(fit.verdict.ok for fit in fits):
        raise typer.Exit(NOT_CONVERGED)


def _require_one_source(domain: str | None, data: Path | None) -> None:
    if domain is not None and data is not None:
        raise UsageError("--domain and --data were both given; give one of them")
    if domain is None and data is None:
        from effbayes.domains import domain_names

        names = ", ".join([*domain_names(), ALL_DOMAINS])
        raise UsageError(
            f"nothing to sample: give --domain NAME (one of {names}) or --data FILE.csv"
        )


def _print(summaries: list[dict[str, Any]], *, json: bool) -> None:
    if not json:
        render.summaries(summaries)
    elif len(summaries) == 1:
        output.write_json(summaries[0])
    else:
        output.write_json({"schema": "effbayes.summaries/1", "summaries": summaries})


def _shipped(
    domain: str, series: str | None, where: str | None, *, published: bool
) -> list[Series]:
    from effbayes import domains

    if domain != ALL_DOMAINS:
        if series is not None:
            return [domains.load_series(domain, series, published=published, where=where)]
        return list(domains.load_domain(domain, published=published, where=where).values())
    if series is not None:
        raise UsageError(f"--series {series} needs the domain it is in, not --domain all")
    return [
        one
        for name in domains.domain_names()
        for one in domains.load_domain(name, published=published, where=where).values()
    ]


def _own(
    data: Path, series: str | None, where: str | None, table: dict[str, Any], *, published: bool
) -> list[Series]:
    from effbayes.dataset import read_table

    found = read_table(
        data,
        columns=options.column_mapping(table["--column"]) or None,
        direction=options.direction(table["--direction"]),
        unit=table["--unit"],
        where=where,
        preset=table["--preset"],
        date_format=table["--date-format"],
        series=series,
        published=published,
    )
    return list(found.values())


def _require_one_for_file(out: Path | None, chosen: list[Series], *, force: bool) -> None:
    """Fail before sampling where the result could not be kept after it."""
    if out is None:
        return
    if len(chosen) > 1:
        names = ", ".join(one.name for one in chosen)
        raise UsageError(f"--out keeps one series: add --series with one of {names}")
    from effbayes.store import require_free

    require_free(out, force=force)


def _fit(chosen: list[Series], *, quiet: bool, cached: bool, **settings: Any) -> list[Analysis]:
    from effbayes import runtime
    from effbayes.analysis import sample as fit

    folder = runtime.cache_folder() if cached else None
    if folder is not None:
        runtime.keep_compiled(folder)
    with Reporter(quiet=quiet) as reporter:
        return [fit(one, progress=reporter.start(one.id), **settings) for one in chosen]
