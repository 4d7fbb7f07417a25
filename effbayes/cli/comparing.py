"""``effbayes compare``: models of one series side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from effbayes.cli import layout, options, output, render
from effbayes.cli.progress import Reporter
from effbayes.cli.sampling import NOT_CONVERGED
from effbayes.errors import UsageError

if TYPE_CHECKING:
    from effbayes.analysis import Analysis
    from effbayes.dataset import Series

ALL_MODELS = "all"


def compare(
    runs: Annotated[
        list[Path] | None, typer.Argument(metavar="RUN...", help="Run files of one series.")
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(metavar="all|NAME,NAME", help="Models to fit and compare, in place of runs."),
    ] = None,
    domain: Annotated[str | None, typer.Option(metavar="NAME", help="A shipped domain.")] = None,
    series: options.SeriesName = None,
    data: Annotated[Path | None, typer.Option(metavar="FILE.csv", help="Your own table.")] = None,
    where: options.Where = None,
    warmup: Annotated[int | None, typer.Option(help="Steps that adapt, per chain.")] = None,
    draws: Annotated[int | None, typer.Option(help="Draws kept, per chain.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same draws.")] = 0,
    ci: options.Ci = 0.95,
    interval: options.Kind = "eti",
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Compare models of a series. Exact leave-one-out, stacking weights, and their average.

    Give two or more run files, or models to fit: effbayes compare --models all --domain imagenet
    --series alexnet-training --where all
    """
    from effbayes import runtime

    chosen = options.interval(ci, interval)
    folder = runtime.cache_folder()
    if folder is not None:
        runtime.keep_compiled(folder)
    sampler = {"warmup": warmup, "draws": draws}
    with Reporter(quiet=quiet) as reporter:
        if models is None:
            fits = _read(runs or [], {"--domain": domain, "--series": series, "--data": data})
        else:
            if runs:
                raise UsageError("run files and --models were both given; give one of them")
            one = _series(domain, series, data, where)
            settings = {name: x for name, x in sampler.items() if x is not None}
            fits = _fit(one, models, reporter, seed=seed, **settings)
        from effbayes.comparison import compare as compared

        comparison = compared(fits, progress=_told(reporter))
    document = comparison.summary(*chosen)
    if json:
        output.write_json(document)
    else:
        _show(document)
    if not comparison.ok:
        raise typer.Exit(NOT_CONVERGED)


def _read(runs: list[Path], source: Mapping[str, Any]) -> list[Analysis]:
    from effbayes.analysis import load

    given = [name for name, value in source.items() if value is not None]
    if given:
        raise UsageError(f"{', '.join(given)} choose what to fit: add --models all")
    if len(runs) < 2:
        raise UsageError(
            "a comparison needs two run files, or --models all with --domain or --data"
        )
    return [load(run) for run in runs]


def _series(domain: str | None, series: str | None, data: Path | None, where: str | None) -> Series:
    if (domain is None) == (data is None):
        raise UsageError(
            "--models needs the data to fit: give one of --domain NAME, --data FILE.csv"
        )
    if data is not None:
        from effbayes.dataset import read_table

        found = list(read_table(data, series=series, where=where).values())
    else:
        from effbayes.domains import load_domain, load_series

        if series is not None:
            return load_series(str(domain), series, where=where)
        found = list(load_domain(str(domain), where=where).values())
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise UsageError(f"models are compared on one series: add --series with one of {names}")
    return found[0]


def _fit(series: Series, models: str, reporter: Reporter, **settings: Any) -> list[Analysis]:
    from effbayes.analysis import sample
    from effbayes.errors import DataError
    from effbayes.models.catalogue import MODELS, require_known

    everything = models == ALL_MODELS
    wanted = list(MODELS) if everything else [name.strip() for name in models.split(",")]
    for name in wanted:
        require_known(name)
    fits = []
    for name in wanted:
        try:
            fits.append(sample(series, name, progress=reporter.start(name), **settings))
        except DataError as error:
            # A model that this series cannot have is no reason to compare none.
            if not everything:
                raise
            typer.echo(f"effbayes: {name} left out: {output.plain(str(error))}", err=True)
    return fits


def _told(reporter: Reporter) -> Callable[[str, int, int], None]:
    """One bar for the refits of each model."""
    bars: dict[str, Any] = {}

    def progress(name: str, done: int, total: int) -> None:
        if name not in bars:
            bars[name] = reporter.start(f"{name}, leave-one-out")
        if bars[name] is not None:
            bars[name](done, total)

    return progress


def _show(document: Mapping[str, Any]) -> None:
    percent = f"{100 * document['ci']['prob']:g} %"
    with layout.page() as console:
        title = "/".join(part for part in (document["domain"], document["series"]) if part)
        layout.line(console, title, style="bold")
        weighed = [row for row in document["models"] if "apart" not in row]
        layout.table(
            console,
            ["model", f"doubling time, months ({percent})", "elpd", "difference (se)", "weight",
             "PSIS", "greatest k"],
            [_cells(row) for row in weighed],
        )  # fmt: skip
        apart = [row for row in document["models"] if "apart" in row]
        for row in apart:
            time = render.doubling_time(row["doubling_time_months"], "months")
            layout.line(console, f"{row['name']}: {time}. Not weighed: {row['apart']}.")
        averaged = document["averaged"]
        time = render.doubling_time(averaged["doubling_time_months"], "months")
        layout.line(console, f"averaged over models: {time}", style="bold")
        factor = render.estimate(averaged["efficiency_factor"])
        layout.line(console, f"factor over the span, averaged: {factor}")
        layout.line(console, document["sentence"])
        failed = [row["name"] for row in document["models"] if row["verdict"] != "ok"]
        failed += [f"{row['name']} without {x}" for row in weighed for x in row["failed_refits"]]
        if failed:
            layout.line(console, f"NOT CONVERGED: {', '.join(failed)}", style="bold red")


def _cells(row: Mapping[str, Any]) -> list[str]:
    psis = row.get("psis_elpd")
    return [
        row["name"],
        render.doubling_time(row["doubling_time_months"]),
        f"{row['elpd']:.2f}",
        f"{row['elpd_difference']:.2f} ({row['elpd_difference_se']:.2f})",
        f"{row['weight']:.2f}",
        "" if psis is None else f"{psis:.2f}",
        "" if psis is None else f"{max(row['pareto_k']):.2f}",
    ]
