"""``effbayes compare``: models of one series side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from effbayes import wording
from effbayes.cli import kept, layout, options, output
from effbayes.cli.progress import Reporter
from effbayes.cli.sampling import NOT_CONVERGED, keep_compiled
from effbayes.cli.sources import Source
from effbayes.errors import UsageError

if TYPE_CHECKING:
    from effbayes.analysis import Analysis
    from effbayes.dataset import Series

ALL_MODELS = "all"
DEFAULT_PRIOR = "default"


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
    prior: Annotated[
        str, typer.Option(metavar="default|signed", help="Prior of every model.")
    ] = DEFAULT_PRIOR,
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
    seed: options.Seed = 0,
    ci: options.Ci = 0.95,
    interval: options.Kind = "eti",
    platform: options.Platform = None,
    no_cache: options.NoCache = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Compare models of a series. Exact leave-one-out, stacking weights, and their average.

    Give two or more run files, or models to fit: effbayes compare --models all --domain imagenet
    --series alexnet-training --where all
    """
    chosen = options.interval(ci, interval)
    keep_compiled(cached=not no_cache)
    table = {
        "--column": column,
        "--direction": direction,
        "--preset": preset,
        "--date-format": date_format,
        "--unit": unit,
    }
    settings: dict[str, Any] = {"warmup": warmup, "draws": draws, "chains": chains}
    settings = {name: x for name, x in settings.items() if x is not None}
    with Reporter(quiet=quiet) as reporter:
        if models is None:
            source_of = {"--domain": domain, "--series": series, "--data": data, "--where": where}
            fixed = {
                "--prior": None if prior == DEFAULT_PRIOR else prior,
                "--point-values": point_values,
                "--seed": seed or None,
                **{f"--{name}": x for name, x in settings.items()},
            }
            options.require_none(table | source_of | fixed, "choose what to fit: add --models all")
            fits = _read(runs or [])
        elif runs:
            raise UsageError("run files and --models were both given; give one of them")
        else:
            source = Source(domain, data, series, where, table, point_values=point_values)
            settings |= {"prior": prior, "seed": seed, "platform": platform}
            fits = _fit(_one(source), models, reporter, **settings)
        from effbayes.comparison import compare as compared

        comparison = compared(fits, platform=platform, progress=told(reporter))
    document = comparison.summary(*chosen)
    if json:
        output.write_json(document)
    else:
        _show(document)
    if not comparison.ok:
        raise typer.Exit(NOT_CONVERGED)


def _read(runs: list[Path]) -> list[Analysis]:
    if len(runs) < 2:
        raise UsageError(
            "a comparison needs two run files, or --models all with --domain or --data"
        )
    return [kept.read_one(run) for run in runs]


def _one(source: Source) -> Series:
    found = source.read()
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise UsageError(f"models are compared on one series: add --series with one of {names}")
    return found[0]


def _fit(series: Series, models: str, reporter: Reporter, **settings: Any) -> list[Analysis]:
    from effbayes.errors import DataError
    from effbayes.fitting import sample
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


def told(reporter: Reporter) -> Callable[[str, int, int], None]:
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
        heads = [
            "model", f"doubling time, months ({percent})", "elpd", "difference (se)", "weight",
            "PSIS", "greatest k",
        ]  # fmt: skip
        if weighed:
            layout.table(console, heads, [_cells(row) for row in weighed])
        apart = [row for row in document["models"] if "apart" in row]
        for row in apart:
            time = wording.doubling_time(row["doubling_time_months"], "months")
            layout.line(console, f"{row['name']}: {time}. Not weighed: {row['apart']}.")
        averaged = document["averaged"]
        if averaged is not None:
            time = wording.doubling_time(averaged["doubling_time_months"], "months")
            layout.line(console, f"averaged over the models weighed: {time}", style="bold")
            factor = averaged["efficiency_factor"]
            layout.line(
                console,
                f"factor from {factor['from']} to {factor['to']}, averaged: "
                f"{wording.estimate(factor)}",
            )
        layout.line(console, document["sentence"])
        failed = [row["name"] for row in document["models"] if row["verdict"] != "ok"]
        failed += [f"{row['name']} without {x}" for row in weighed for x in row["failed_refits"]]
        if failed:
            layout.line(console, f"NOT CONVERGED: {', '.join(failed)}", style="bold red")


def _cells(row: Mapping[str, Any]) -> list[str]:
    psis = row.get("psis_elpd")
    return [
        row["name"],
        wording.doubling_time(row["doubling_time_months"]),
        f"{row['elpd']:.2f}",
        f"{row['elpd_difference']:.2f} ({row['elpd_difference_se']:.2f})",
        f"{row['weight']:.2f}",
        "" if psis is None else f"{psis:.2f}",
        "" if psis is None else f"{max(row['pareto_k']):.2f}",
    ]
